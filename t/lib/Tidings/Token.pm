# SPDX-License-Identifier: BSD-2-Clause
# JSON Web Tokens made by hand (RFC 7519), so that tests can also make ones that no library would.
package Tidings::Token;
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 hmac_sha384 hmac_sha512);
use Exporter 'import';
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

our @EXPORT_OK = qw(token token_parts);

my %HMAC = (HS256 => \&hmac_sha256, HS384 => \&hmac_sha384, HS512 => \&hmac_sha512);
my $json = JSON::PP->new->canonical->utf8;

# token($secret, {sub => 'alice', ...}, {kid => ...}): exp is an hour from now unless given; undef leaves a claim out.
sub token {
	my ($secret, $claims, $header) = @_;
	my %claims = (exp => time + 3600, %$claims);
	delete $claims{$_} for grep { !defined $claims{$_} } keys %claims;
	my %header = (alg => 'HS256', typ => 'JWT', %{$header // {}});
	delete $header{$_} for grep { !defined $header{$_} } keys %header;
	return token_parts($secret, $json->encode(\%header), $json->encode(\%claims), $header{alg});
}

# The same from header and payload as bytes.
sub token_parts {
	my ($secret, $header, $payload, $alg) = @_;
	my $head = encode_base64url($header) . '.' . encode_base64url($payload);
	my $hmac = $HMAC{$alg // ''};
	return "$head." . ($hmac ? encode_base64url($hmac->($head, $secret)) : '');
}

1;
