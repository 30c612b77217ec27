# SPDX-License-Identifier: BSD-2-Clause
# A small HTTP/1.1 client on a raw keep-alive socket. It can send any bytes, keep several requests in the air, and
# reads answers strictly: whatever is not one is an error of the server. What it sends by request() or send_request(), and
# the answer, are held against doc/openapi.yaml. Raw bytes may be no request at all: of them, and what follows on their
# connection, only the answers are.
package Tidings::HTTP;
use strict;
use warnings;
use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use JSON::PP ();
use Tidings::HTTP::Response;
use Tidings::Spec;
use Tidings::Util qw(now patience);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# address: "127.0.0.1:8080", "[::1]:8080" or "unix:/path"; from: an address of ours; greeting: bytes that go before all others; tls: options of IO::Socket::SSL; token: sent with every request unless the request says else.
# prefix: goes before each path; mounted: the server's http.prefix, where that differs; admin: the address is one of admin.listen.
sub new {
	my ($class, %o) = @_;
	return bless {prefix => '', in => '', %o}, $class;
}

sub socket_to {
	my ($address, %o) = @_;
	local $@;
	my $s = $address =~ /^unix:(.*)/
		? IO::Socket::UNIX->new(Peer => $1)
		: IO::Socket::IP->new(PeerAddr => $address, Type => SOCK_STREAM, defined $o{from} ? (LocalAddr => $o{from}) : ());
	die "cannot connect to $address: " . ($@ || $!) . "\n" if !$s;
	$s->autoflush(1);
	binmode $s;
	syswrite $s, $o{greeting} if defined $o{greeting};
	if ($o{tls}) {
		require IO::Socket::SSL;
		IO::Socket::SSL->start_SSL($s, SSL_verifycn_name => 'localhost', %{$o{tls}}) or die "no TLS with $address: " . IO::Socket::SSL::errstr() . "\n";
	}
	return $s;
}

# Whether there is something to read within so many seconds, be it in the socket or decrypted already.
sub can_read {
	my ($socket, $secs) = @_;
	return 1 if $socket->isa('IO::Socket::SSL') && $socket->pending;
	return IO::Select->new($socket)->can_read($secs > 0 ? $secs : 0);
}

sub connect {
	my ($self) = @_;
	$self->{in} = '';
	$self->{asked} = [];
	$self->{socket} = socket_to($self->{address}, map { $_ => $self->{$_} } qw(from greeting tls));
	return $self;
}

sub socket { my ($self) = @_; $self->connect if !$self->{socket}; return $self->{socket} }

sub close {
	my ($self) = @_;
	my $s = delete $self->{socket};
	CORE::close($s) if $s;
	$self->{in} = '';
	return;
}

# Bytes as they are. False where the server has closed already.
sub raw {
	my ($self, $bytes) = @_;
	$self->socket;
	delete $self->{asked};
	return $self->put_bytes($bytes);
}

sub put_bytes {
	my ($self, $bytes) = @_;
	local $SIG{PIPE} = 'IGNORE';
	my $s = $self->{socket};
	while (length $bytes) {
		my $n = syswrite $s, $bytes;
		return 0 if !defined $n;
		substr $bytes, 0, $n, '';
	}
	return 1;
}

# The bytes of a request. Options: json, body (bytes), headers [name, value, ...], token (undef: none).
sub render {
	my ($self, $method, $path, %o) = @_;
	my $body = exists $o{json} ? $json->encode($o{json}) : $o{body};
	my @headers = @{$o{headers} // []};
	my %given;
	for (my $i = 0; $i < @headers; $i += 2) { $given{lc $headers[$i]} = 1 }
	my $token = exists $o{token} ? $o{token} : $self->{token};
	unshift @headers, 'Authorization', "Bearer $token" if defined $token && !$given{authorization};
	unshift @headers, 'Host', 'test.invalid' if !$given{host};
	if (defined $body) {
		push @headers, 'Content-Type', 'application/json' if !$given{'content-type'};
		push @headers, 'Content-Length', length $body if !$given{'content-length'} && !$given{'transfer-encoding'};
	}
	my $out = "$method $self->{prefix}$path HTTP/1.1\r\n";
	for (my $i = 0; $i < @headers; $i += 2) { $out .= "$headers[$i]: $headers[$i + 1]\r\n" if defined $headers[$i + 1] }
	return "$out\r\n" . ($body // '');
}

sub send_request {
	my ($self, $method, $path, %o) = @_;
	my $bytes = $self->render($method, $path, %o);
	$self->socket;
	my $mounted = $self->{mounted} // $self->{prefix};
	my $below = "$self->{prefix}$path" =~ /\A\Q$mounted\E(.*)/s ? $1 : '';
	push @{$self->{asked}}, {method => $method, path => $below, bytes => $bytes, admin => $self->{admin}} if $self->{asked};
	return $self->put_bytes($bytes);
}

# One request and its answer. A kept-alive connection that the server has closed meanwhile is opened again.
sub request {
	my ($self, $method, $path, %o) = @_;
	$self->close if $self->{socket} && !length $self->{in} && IO::Select->new($self->{socket})->can_read(0);
	$self->send_request($method, $path, %o);
	return $self->response(head => $method eq 'HEAD', timeout => $o{timeout});
}

sub get { my ($self, $path, %o) = @_; return $self->request('GET', $path, %o) }
sub delete { my ($self, $path, %o) = @_; return $self->request('DELETE', $path, %o) }
sub post { my ($self, $path, $json, %o) = @_; return $self->request('POST', $path, defined $json ? (json => $json) : (), %o) }
sub put { my ($self, $path, $json, %o) = @_; return $self->request('PUT', $path, defined $json ? (json => $json) : (), %o) }

# Reads more; false at the end of the connection, dies if nothing comes in time.
sub fill {
	my ($self, $deadline) = @_;
	can_read($self->{socket}, $deadline - now()) or die "no answer in time\n";
	my $n = sysread $self->{socket}, $self->{in}, 65536, length $self->{in};
	return 1 if !defined $n && $self->{socket}->isa('IO::Socket::SSL') && $!{EAGAIN};
	return $n;
}

# The next answer on the connection: undef where the server closed without one. A 1xx is an answer of its own.
sub response {
	my ($self, %o) = @_;
	my $deadline = now() + ($o{timeout} // patience());
	my $r;
	while (!($r = Tidings::HTTP::Response->parse(\$self->{in}, $o{head}))) {
		next if $self->fill($deadline);
		my $rest = Tidings::HTTP::Response->parse(\$self->{in}, $o{head}, 1);
		my $junk = $self->{in};
		$self->close;
		die "the connection ended within an answer: $junk\n" if !$rest && length $junk;
		return $rest;
	}
	if ($r->status >= 200 || $r->status == 101) {
		my $asked = shift @{$self->{asked} // []};
		$asked ? Tidings::Spec::check_exchange(%$asked, response => $r) : Tidings::Spec::check_answer($r);
	}
	$self->close if lc($r->header('connection') // '') eq 'close' && $r->status >= 200 && !$self->{keep_closed};
	return $r;
}

# True if the server closes the connection without sending anything more.
sub is_closed {
	my ($self, $timeout) = @_;
	return 1 if !$self->{socket};
	return 0 if length $self->{in};
	my $n = eval { $self->fill(now() + ($timeout // patience())) };
	return !$@ && !$n;
}

1;
