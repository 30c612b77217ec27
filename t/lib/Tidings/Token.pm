# SPDX-License-Identifier: BSD-2-Clause
# JSON Web Tokens made by hand (RFC 7519), so that tests can also make ones that no library would.
package Tidings::Token;
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 hmac_sha384 hmac_sha512);
use Exporter 'import';
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);
use Tidings::Util qw(run spew);

our @EXPORT_OK = qw(token token_parts make_key public_bytes jwk signed_token);

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

# Its standard output.
sub openssl {
	my ($dir, @args) = @_;
	my ($status, $out, $err) = run($dir, 'openssl', @args);
	die "openssl @args: $err\n" if $status;
	return $out;
}

my %KIND = (RSA => ['RSA', '-pkeyopt', 'rsa_keygen_bits:2048'], EC => ['EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
	ED25519 => ['ED25519']);

# make_key($dir, 'RSA', 'name'): name.pem and name.pub.
sub make_key {
	my ($dir, $kind, $name) = @_;
	openssl($dir, 'genpkey', '-algorithm', @{$KIND{$kind}}, '-out', "$dir/$name.pem");
	openssl($dir, 'pkey', '-in', "$dir/$name.pem", '-pubout', '-out', "$dir/$name.pub");
	return;
}

# The point that is an EC key (x and y) or an Ed25519 key: the end of its DER.
sub public_bytes {
	my ($dir, $name) = @_;
	my $der = openssl($dir, 'pkey', '-pubin', '-in', "$dir/$name.pub", '-pubout', '-outform', 'DER');
	return substr $der, length($der) < 60 ? -32 : -64;
}

# The public key as a JSON Web Key (RFC 7517), with these members besides.
sub jwk {
	my ($dir, $kind, $name, %more) = @_;
	my %numbers;
	if ($kind eq 'RSA') {
		my ($n) = openssl($dir, 'rsa', '-pubin', '-in', "$dir/$name.pub", '-noout', '-modulus') =~ /Modulus=([0-9A-F]+)/;
		%numbers = (kty => 'RSA', n => encode_base64url(pack 'H*', $n), e => 'AQAB');
	} elsif ($kind eq 'EC') {
		my ($x, $y) = map { encode_base64url($_) } unpack 'a32 a32', public_bytes($dir, $name);
		%numbers = (kty => 'EC', crv => 'P-256', x => $x, y => $y);
	} else {
		%numbers = (kty => 'OKP', crv => 'Ed25519', x => encode_base64url(public_bytes($dir, $name)));
	}
	return {kid => $name, %numbers, %more};
}

# signed_token($dir, 'name', {alg => 'RS256', kid => ...}, {sub => 'alice', ...}), by the key that make_key made.
sub signed_token {
	my ($dir, $name, $header, $claims) = @_;
	my $head = encode_base64url($json->encode($header)) . '.' . encode_base64url($json->encode({exp => time + 3600, %$claims}));
	my $file = spew("$dir/signed", $head);
	my @by = $header->{alg} eq 'EdDSA' ? ('pkeyutl', '-sign', '-rawin', '-inkey') : ('dgst', '-sha256', '-sign');
	my $signature = openssl($dir, @by, "$dir/$name.pem", $by[0] eq 'dgst' ? $file : ('-in', $file));
	if ($header->{alg} eq 'ES256') {
		# DER: SEQUENCE { INTEGER r, INTEGER s }; JWS wants both in 32 bytes.
		my ($r, $s) = unpack 'x3 C/a x C/a', $signature;
		$signature = join '', map { substr "\0" x 32 . $_, -32 } $r, $s;
	}
	return "$head." . encode_base64url($signature);
}

1;
