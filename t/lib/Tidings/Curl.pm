# SPDX-License-Identifier: BSD-2-Clause
# A curl that keeps a trace of what it sends and gets, for command lines that are run as they are printed; and the check
# of that against the documents of the API.
#
#	my $curl = Tidings::Curl->new($dir);
#	{ local $ENV{PATH} = $curl->path; run(...) }
#	my $count = $curl->check;
package Tidings::Curl;
use strict;
use warnings;
use Tidings::HTTP::Response;
use Tidings::Spec;
use Tidings::Util qw(slurp spew);

my $made = 0;

sub new {
	my ($class, $dir) = @_;
	my $folder = "$dir/curl-" . ++$made;
	mkdir $folder or die "$folder: $!\n";
	my ($real) = grep { -x } map { "$_/curl" } split /:/, $ENV{PATH};
	spew("$folder/curl", qq(#!/bin/sh\nexec "$real" --trace "$folder/\$\$.trace" "\$@"\n), 0755);
	return bless {folder => $folder}, $class;
}

# With that curl before any other.
sub path { my ($self) = @_; return "$self->{folder}:$ENV{PATH}" }

# Holds what was exchanged since the last time against the documents, and returns how many exchanges that were.
sub check {
	my ($self) = @_;
	my @exchanges;
	for my $file (glob "$self->{folder}/*.trace") {
		push @exchanges, exchanges_of(slurp($file));
		unlink $file;
	}
	for my $e (@exchanges) {
		my ($method, $path) = $e->{sent} =~ /\A(\S+) (\S+) /;
		my $response = Tidings::HTTP::Response->parse(\$e->{received}, $method eq 'HEAD', 1) // die "no whole answer: $e->{received}\n";
		Tidings::Spec::check_exchange(method => $method, path => $path, bytes => $e->{sent}, response => $response);
	}
	return scalar @exchanges;
}

# A trace is made of headings, "=> Send header, 99 bytes (0x63)", and lines of hexadecimal bytes under them.
sub exchanges_of {
	my ($trace) = @_;
	my @exchanges;
	my $to;
	for my $line (split /\n/, $trace) {
		if ($line =~ /^(=>|<=|==) (\w+) (\w+)/) {
			push @exchanges, {sent => '', received => ''} if "$1 $2 $3" eq '=> Send header';
			$to = {'=>' => 'sent', '<=' => 'received'}->{$1};
		} elsif ($to && $line =~ /^[0-9a-f]{4,}: ((?:[0-9a-f]{2} ){1,16})/) {
			$exchanges[-1]{$to} .= pack 'H*', $1 =~ tr/ //dr;
		}
	}
	return @exchanges;
}

1;
