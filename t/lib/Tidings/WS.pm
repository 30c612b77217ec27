# SPDX-License-Identifier: BSD-2-Clause
# A WebSocket client. Frames are made and read by Protocol::WebSocket, an implementation that is not ours; what no
# good client would send goes out through raw(). Events wait in a queue until a test asks for them. All that comes, and
# what was asked and answered, is held against doc/asyncapi.yaml. With deflate => 1 compression is offered, and where the
# server takes it messages go out compressed.
package Tidings::WS;
use strict;
use warnings;
use Digest::SHA qw(sha1);
use IO::Select;
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Protocol::WebSocket::Frame;
use Tidings::Deflate qw(pack_text unpack_text);
use Tidings::HTTP;
use Tidings::Spec;
use Tidings::Util qw(now patience);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $refs = 0;

# The handshake alone: (answer, connection, key). via: how the token travels, "header", "query" or "subprotocol".
# deflate: the offer of it, 1 for the usual one.
sub handshake {
	my (%o) = @_;
	my $http = Tidings::HTTP->new(address => $o{address}, prefix => $o{prefix} // '', keep_closed => 1, map { $_ => $o{$_} } qw(from greeting tls));
	my $key = $o{key} // encode_base64(join('', map { chr int rand 256 } 1 .. 16), '');
	my $via = $o{via} // 'header';
	my @query = $o{query} // ();
	my @headers = (Upgrade => 'websocket', Connection => 'Upgrade', 'Sec-WebSocket-Key' => $key,
		'Sec-WebSocket-Version' => $o{version} // 13, @{$o{headers} // []});
	my $offer = $o{deflate} // $ENV{TIDINGS_DEFLATE};
	push @headers, 'Sec-WebSocket-Extensions' => $offer eq '1' ? 'permessage-deflate; client_max_window_bits' : $offer if $offer;
	if (defined $o{token}) {
		push @headers, Authorization => "Bearer $o{token}" if $via eq 'header';
		push @headers, 'Sec-WebSocket-Protocol' => "tidings.v1, bearer.$o{token}" if $via eq 'subprotocol';
		push @query, "access_token=$o{token}" if $via eq 'query';
	}
	my $path = $o{path} // '/messages/ws';
	$path .= '?' . join '&', @query if @query;
	$http->send_request($o{method} // 'GET', $path, headers => \@headers);
	return ($http->response(timeout => $o{timeout}), $http, $key);
}

# An open session: 101, the right Sec-WebSocket-Accept, and `hello` read (hello => 0 leaves it in the queue).
sub open {
	my ($class, %o) = @_;
	my ($r, $http, $key) = handshake(%o);
	die "no answer to the WebSocket handshake\n" if !$r;
	die 'WebSocket handshake refused: ' . $r->status . ' ' . $r->body . "\n" if $r->status != 101;
	my $accept = encode_base64(sha1($key . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'), '');
	die "wrong Sec-WebSocket-Accept\n" if ($r->header('sec-websocket-accept') // '') ne $accept;
	my $self = $class->adopt($http, $o{name});
	$self->{response} = $r;
	$self->{deflate} = 1 if ($r->header('sec-websocket-extensions') // '') =~ /^permessage-deflate/;
	$self->{window} = $1 if ($r->header('sec-websocket-extensions') // '') =~ /server_max_window_bits=(\d+)/;
	$self->{packed} = 0; # compressed messages that came
	$self->{hello} = $self->expect('hello') if $o{hello} // 1;
	return $self;
}

# Goes on with the connection of a handshake that was answered with 101.
sub adopt {
	my ($class, $http, $name) = @_;
	my $self = bless {socket => $http->socket, events => [], asked => {}, pings => 0, pongs => [],
		frame => Protocol::WebSocket::Frame->new(max_payload_size => 0), name => $name // 'client'}, $class;
	$self->{frame}->append(my $in = $http->{in});
	return $self;
}

sub response { return $_[0]{response} }
sub hello { return $_[0]{hello} }
sub session_id { return $_[0]{hello}{session_id} }

# ---- sending ----

sub raw {
	my ($self, $bytes) = @_;
	local $SIG{PIPE} = 'IGNORE';
	return 0 if $self->{ended};
	while (length $bytes) {
		my $n = syswrite $self->{socket}, $bytes;
		return 0 if !defined $n;
		substr $bytes, 0, $n, '';
	}
	return 1;
}

# The bytes of a masked frame; type: text, binary, ping, pong, close, continuation; options fin and rsv.
sub frame {
	my ($self, $type, $payload, %o) = @_;
	return Protocol::WebSocket::Frame->new(buffer => $payload, type => $type, masked => 1, max_payload_size => 0,
		max_fragments_amount => 0, %o)->to_bytes;
}

sub send_frame { my $self = shift; return $self->raw($self->frame(@_)) }
sub send_text { my ($self, $bytes) = @_; return $self->{deflate} ? $self->send_packed(pack_text($bytes)) : $self->send_frame('text', $bytes) }
sub send_packed { my ($self, $payload, %o) = @_; return $self->send_frame('text', $payload, rsv => [1, 0, 0], %o) }
sub send_json {
	my ($self, $data) = @_;
	my $text = $json->encode($data);
	$self->{asked}{$data->{ref}} = $text if ref $data eq 'HASH' && defined $data->{ref} && !ref $data->{ref};
	return $self->send_text($text);
}

# A request with a reference, and what answers it: ack, result, error or pong.
sub request {
	my ($self, %data) = @_;
	my $ref = $self->start(%data);
	return $self->answer($ref);
}

sub start {
	my ($self, %data) = @_;
	my $ref = $data{ref} // 'r' . ++$refs;
	$self->send_json({%data, ref => $ref});
	return $ref;
}

sub answer {
	my ($self, $ref, $timeout) = @_;
	return $self->wait_event("an answer to $ref", sub {
		my ($e) = @_;
		return $e->{type} =~ /^(ack|result|error|pong)$/ && ($e->{ref} // '') eq $ref;
	}, $timeout);
}

sub close {
	my ($self, $code, $reason) = @_;
	$self->send_frame('close', defined $code ? pack('n', $code) . ($reason // '') : '') if !$self->{close};
	$self->{close_sent} = 1;
	return $self;
}

# Gone without a word.
sub abort { my ($self) = @_; CORE::close($self->{socket}) if !$self->{ended}++; return }

# ---- receiving ----

# Reads what is there, waiting for it up to the deadline; false when the connection is at its end.
sub fill {
	my ($self, $deadline) = @_;
	return 0 if $self->{ended};
	Tidings::HTTP::can_read($self->{socket}, $deadline - now()) or return 1;
	my $n = sysread $self->{socket}, my $bytes, 262144;
	if (!$n) {
		$self->abort;
		return 0;
	}
	$self->{frame}->append($bytes);
	$self->take_frames;
	return 1;
}

sub take_frames {
	my ($self) = @_;
	my $f = $self->{frame};
	while (defined(my $payload = $f->next_bytes)) {
		die "$self->{name}: the server masked a frame\n" if $f->masked;
		my ($packed, @other_bits) = @{$f->rsv};
		die "$self->{name}: the server set reserved bits\n" if grep { $_ } @other_bits, $packed && !($self->{deflate} && $f->is_text);
		if ($packed) {
			$self->{packed}++;
			$payload = unpack_text($payload, window => $self->{window});
		}
		if ($f->is_text) {
			my $event = $json->decode($payload);
			Tidings::Spec::check_event($event, defined $event->{ref} ? delete $self->{asked}{$event->{ref}} : undef);
			push @{$self->{events}}, $event;
		} elsif ($f->is_ping) {
			$self->{pings}++;
			$self->send_frame('pong', $payload) if !$self->{mute};
		} elsif ($f->is_pong) {
			push @{$self->{pongs}}, $payload;
		} elsif ($f->is_close) {
			$self->{close} //= [length $payload >= 2 ? unpack('n', $payload) : 1005, substr $payload, length $payload < 2 ? length $payload : 2];
			Tidings::Spec::check_close($self->{close}[0]) if !$self->{close_sent};
			$self->send_frame('close', substr $payload, 0, 2) if !$self->{close_sent}++;
		} else {
			die "$self->{name}: the server sent a frame of type " . $f->opcode . "\n";
		}
	}
	return;
}

# Takes the first queued or coming event for which the code is true out of the queue; the others stay, in order.
sub wait_event {
	my ($self, $what, $code, $timeout) = @_;
	my $deadline = now() + ($timeout // patience());
	my $looked = 0;
	$self->take_frames;
	while (1) {
		my $events = $self->{events};
		for (; $looked < @$events; $looked++) {
			return splice @$events, $looked, 1 if $code->($events->[$looked]);
		}
		if (!$self->fill($deadline) || now() > $deadline) {
			my $why = $self->{ended} ? 'the connection ended' : 'gave up';
			$why .= ", closed with $self->{close}[0] '$self->{close}[1]'" if $self->{close};
			die "$self->{name}: $why waiting for $what; queued: " . join(', ', map { $_->{type} } @$events) . "\n";
		}
	}
}

# expect('message'), expect('message', sub { $_[0]{message}{seq} == 3 }), expect('read', reader_id => 'bob')
sub expect {
	my ($self, $type, @match) = @_;
	my $code = @match == 1 ? $match[0] : do {
		my %want = @match;
		sub { my ($e) = @_; return !grep { !defined $e->{$_} || $e->{$_} ne $want{$_} } keys %want };
	};
	return $self->wait_event($type, sub { $_[0]{type} eq $type && $code->($_[0]) });
}

# The very next event, whatever it is.
sub next_event { my ($self, $timeout) = @_; return $self->wait_event('any event', sub { 1 }, $timeout) }

# Everything the server had queued for this connection by now has come when its pong has.
sub settle {
	my ($self) = @_;
	$self->request(type => 'ping');
	return $self;
}

# The queued events (of a type), left in place.
sub queued { my ($self, $type) = @_; return grep { !defined $type || $_->{type} eq $type } @{$self->{events}} }

# The close code, after which the server has to end the connection too. 1006 where it ended without one.
sub close_code {
	my ($self, $timeout) = @_;
	my $deadline = now() + ($timeout // patience());
	while (!$self->{ended}) {
		die "$self->{name}: gave up waiting for the end of the connection\n" if now() > $deadline;
		$self->fill($deadline);
	}
	return $self->{close} ? $self->{close}[0] : 1006;
}

sub close_reason { return $_[0]{close} ? $_[0]{close}[1] : undef }

# Waits until a condition on the object itself holds, reading meanwhile: $ws->until('a ping', sub { $_[0]{pings} })
sub until {
	my ($self, $what, $code, $timeout) = @_;
	my $deadline = now() + ($timeout // patience());
	while (!$code->($self)) {
		die "$self->{name}: gave up waiting for $what\n" if now() > $deadline || !$self->fill($deadline);
	}
	return $self;
}

1;
