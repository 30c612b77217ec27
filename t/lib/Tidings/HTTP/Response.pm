# SPDX-License-Identifier: BSD-2-Clause
# An HTTP answer: parsed from a buffer, strictly.
package Tidings::HTTP::Response;
use strict;
use warnings;
use JSON::PP ();

# Keeps numbers and strings apart, so that a test notices an id that is no string.
my $json = JSON::PP->new->utf8->allow_nonref;

# One that another client has read; headers: hash reference.
sub new {
	my ($class, $status, $headers, $body) = @_;
	return bless {status => $status, headers => [map { [lc, $headers->{$_}] } sort keys %$headers], body => $body,
		raw => join '', "HTTP/1.1 $status\r\n", map { "$_: $headers->{$_}\r\n" } sort keys %$headers}, $class;
}

# Takes one answer off the buffer, or returns nothing where it is not whole yet. `ended`: the connection is at its end.
sub parse {
	my ($class, $in, $is_head, $ended) = @_;
	$$in =~ /\A(.*?\r\n)\r\n/s or return;
	my ($head, $start) = ($1, $+[0]);
	my ($line, @lines) = split /\r\n/, $head;
	$line =~ m{\AHTTP/1\.1 (\d{3}) [\x20-\x7e]*\z} or die "not a status line: $line\n";
	my $self = bless {status => $1, headers => [], raw => $head}, $class;
	for (@lines) {
		/\A([!#\$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*\z/ or die "not a header line: $_\n";
		push @{$self->{headers}}, [lc $1, $2];
	}
	my $body = $self->body_from(substr($$in, $start), $is_head, $ended) // return;
	substr $$in, 0, $start + $body, '';
	return $self;
}

# How many bytes of the rest are the body, which is kept; undef where more have to come.
sub body_from {
	my ($self, $rest, $is_head, $ended) = @_;
	$self->{body} = '';
	return 0 if $is_head || $self->{status} =~ /^(1..|204|304)$/;
	if (lc($self->header('transfer-encoding') // '') eq 'chunked') {
		my $at = 0;
		while (substr($rest, $at) =~ /\A([0-9a-fA-F]+)[^\r\n]*\r\n/) {
			my ($size, $skip) = (hex $1, $+[0]);
			return if length $rest < $at + $skip + $size + 2;
			$self->{body} .= substr $rest, $at + $skip, $size;
			$at += $skip + $size + 2;
			return $at if $size == 0;
		}
		return;
	}
	my @lengths = $self->all('content-length');
	die "more than one Content-Length\n" if @lengths > 1;
	if (!@lengths) {
		return if !$ended;
		$self->{body} = $rest;
		return length $rest;
	}
	return if length $rest < $lengths[0];
	$self->{body} = substr $rest, 0, $lengths[0];
	return $lengths[0];
}

sub status { return $_[0]{status} }
sub body { return $_[0]{body} }
sub head { return $_[0]{raw} }
sub all { my ($self, $name) = @_; return map { $_->[1] } grep { $_->[0] eq lc $name } @{$self->{headers}} }
sub header { my ($self, $name) = @_; return ($self->all($name))[0] }
sub json { my ($self) = @_; return $self->{json} //= $json->decode($self->{body}) }
# The code of a problem, or a word on why it is none.
sub code {
	my ($self) = @_;
	my $type = $self->header('content-type') // '';
	return "(no problem: $self->{status} $type)" if $type !~ m{^application/problem\+json};
	return $self->json->{code} // '(no code)';
}
sub detail { my ($self) = @_; return eval { $self->json->{detail} } // '' }

1;
