# SPDX-License-Identifier: BSD-2-Clause
# The codec and connections against Protocol::WebSocket, an implementation that is not ours: t/ws_echo has to understand
# all it sends, to be understood by it, and to refuse what RFC 6455 forbids with the code that it asks for. Compression is
# proved against a third one, the ws package of Node.js.
use Tidings;
use Tidings::Script;
use Tidings::Spec;
use Tidings::Util qw(wait_for spawn signal_and_reap slurp now patience);
use Encode qw(decode encode);
use IO::Select;
use IO::Socket::INET;
use Protocol::WebSocket::Frame;
use Protocol::WebSocket::Handshake::Client;

my ($pid, $port, $log);
END { signal_and_reap($pid, 'KILL', 5) if $pid }

sub start_echo {
	my (@options) = @_;
	$log = Tidings::dir() . "/ws_echo@options.log";
	$pid = spawn(cmd => [Tidings::Server::build_dir() . '/t/ws_echo', @options], log => $log, env => Tidings::Server::environment());
	($port) = @{wait_for('the port of t/ws_echo', sub { slurp($log) =~ /^(\d+)\n/ && [$1] })};
	return;
}

sub stop_echo {
	is signal_and_reap($pid, 'TERM'), 0, 't/ws_echo ends well' or diag(slurp($log));
	undef $pid;
	return;
}

start_echo();

# ---- a client ----

sub connect_raw {
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp') or die "connect: $!\n";
	return {socket => $socket, frame => Protocol::WebSocket::Frame->new(max_payload_size => 0)};
}

sub send_raw {
	my ($c, $bytes) = @_;
	local $SIG{PIPE} = 'IGNORE';
	while (length $bytes) {
		my $n = syswrite $c->{socket}, $bytes;
		return if !defined $n;
		substr $bytes, 0, $n, '';
	}
	return;
}

# The next bytes, '' at the end of the connection.
sub read_some {
	my ($c) = @_;
	IO::Select->new($c->{socket})->can_read(patience()) or die "gave up waiting for the server\n";
	my $n = sysread $c->{socket}, my $bytes, 1 << 18;
	return $n ? $bytes : '';
}

sub connect_ws {
	my $c = connect_raw();
	my $h = Protocol::WebSocket::Handshake::Client->new(url => "ws://127.0.0.1:$port/");
	send_raw($c, $h->to_string);
	while (!$h->is_done) {
		my $bytes = read_some($c);
		die "the connection ended in the handshake\n" if $bytes eq '';
		$h->parse($bytes) or die 'handshake: ' . $h->error . "\n";
		$c->{frame}->append($bytes);
	}
	return $c;
}

sub frame_bytes {
	my ($type, $payload, %o) = @_;
	return Protocol::WebSocket::Frame->new(buffer => $payload, type => $type, masked => 1, max_payload_size => 0, %o)->to_bytes;
}

# The next frame: [opcode, payload]; undef at the end of the connection.
sub next_frame {
	my ($c) = @_;
	my $f = $c->{frame};
	while (1) {
		my $payload = $f->next_bytes;
		if (defined $payload) {
			die "the server masked a frame\n" if $f->masked;
			die "the server set reserved bits\n" if grep { $_ } @{$f->rsv};
			return [$f->opcode, $payload];
		}
		my $bytes = read_some($c);
		return undef if $bytes eq '';
		$f->append($bytes);
	}
}

# What the server ends with: the close code (1005 without, 1006 if there was no close frame), after which it closes.
sub end_of {
	my ($c) = @_;
	my $code = 1006;
	while (my $f = next_frame($c)) {
		return 'a frame after the close frame' if $code != 1006;
		$code = length $f->[1] >= 2 ? unpack 'n', $f->[1] : 1005 if $f->[0] == 8;
	}
	return $code;
}

# ---- echo ----

subtest 'sizes' => sub {
	my $c = connect_ws();
	my @wrong;
	for my $size (0 .. 300, 1000, 4095, 4096, 16384, 65533 .. 65538, 70000) {
		my $text = join '', map { chr 32 + ($_ * 7 + $size) % 95 } 1 .. $size;
		send_raw($c, frame_bytes(text => $text));
		my $f = next_frame($c);
		push @wrong, $size if !$f || $f->[0] != 1 || $f->[1] ne $text;
	}
	is_deeply \@wrong, [], 'texts of 0 to 70000 bytes come back as they were';
	my $text = encode('UTF-8', join '', map { chr } 0x20 .. 0x250, 0x4e00 .. 0x4e80, 0x1f600 .. 0x1f640, 0x10ffff);
	send_raw($c, frame_bytes(text => $text));
	ok next_frame($c)->[1] eq $text, 'and text of all planes';
	my $many = join '', map { frame_bytes(text => "message $_") } 1 .. 2000;
	send_raw($c, $many);
	is_deeply [map { next_frame($c)->[1] } 1 .. 2000], [map { "message $_" } 1 .. 2000], 'many at once come back in order';
};

subtest 'fragments' => sub {
	my $c = connect_ws();
	my $bytes = encode('UTF-8', "κόσμε \x{1f600} ") x 400;
	for my $parts ([1, 2], [0, 0, 5], [1, 125, 126, 1000], [map { 1 } 1 .. 100]) {
		my ($at, $type) = (0, 'text');
		for my $n (@$parts) {
			send_raw($c, frame_bytes($type => substr($bytes, $at, $n), fin => 0));
			send_raw($c, frame_bytes(ping => "at $at"));
			$at += $n;
			$type = 'continuation';
		}
		send_raw($c, frame_bytes($type => substr $bytes, $at));
		my @frames = map { next_frame($c) } 0 .. @$parts;
		my $pongs = grep { $_->[0] == 10 } @frames;
		is $pongs, scalar @$parts, 'each ping between ' . (1 + @$parts) . ' fragments has its pong';
		ok $frames[-1][0] == 1 && $frames[-1][1] eq $bytes, 'and the message is put together';
	}
};

subtest 'byte by byte' => sub {
	my $c = connect_ws();
	$c->{socket}->setsockopt(Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1);
	send_raw($c, $_) for split //, frame_bytes(text => 'slowly ' x 30) . frame_bytes(ping => 'p') . frame_bytes(text => 'x', fin => 0)
		. frame_bytes(continuation => 'y');
	is_deeply [map { next_frame($c) } 1 .. 3], [[1, 'slowly ' x 30], [10, 'p'], [1, 'xy']], 'frames may come in any pieces';
};

subtest 'ping and pong' => sub {
	my $c = connect_ws();
	for my $payload ('', 'hello', "\xff\xfe\x00", 'x' x 125) {
		send_raw($c, frame_bytes(ping => $payload));
		is_deeply next_frame($c), [10, $payload], 'a ping of ' . length($payload) . ' bytes';
	}
	send_raw($c, frame_bytes(pong => 'unasked') . frame_bytes(text => 'next'));
	is_deeply next_frame($c), [1, 'next'], 'an unasked pong is no fault';
};

# ---- closing ----

for my $code (1000, 1001, 1002, 1003, 1007 .. 1014, 3000, 3999, 4000, 4999) {
	my $c = connect_ws();
	send_raw($c, frame_bytes(close => pack('n', $code) . 'reason'));
	is end_of($c), $code, "close $code is answered with $code";
}
for my $code (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535) {
	my $c = connect_ws();
	send_raw($c, frame_bytes(close => pack 'n', $code));
	is end_of($c), 1002, "close $code is a fault";
}

my $zeroes = "\0\0\0\0";
my @endings = (
	[1005, 'an empty close frame', frame_bytes(close => '')],
	[1000, 'a close frame with the longest reason', frame_bytes(close => pack('n', 1000) . 'x' x 123)],
	[1000, 'frames after the close frame', frame_bytes(close => pack 'n', 1000) . frame_bytes(text => 'x') . frame_bytes(ping => 'x')],
	[1002, 'a close frame of one byte', frame_bytes(close => 'x')],
	[1007, 'a close reason that is no UTF-8', frame_bytes(close => pack('n', 1000) . "\xc3(")],
	[1002, 'an unmasked frame', frame_bytes(text => 'x', masked => 0)],
	(map { my $rsv = $_; [1002, "reserved bits @$rsv", frame_bytes(text => 'x', rsv => $rsv)] } [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]),
	(map { [1002, "opcode $_", pack('CC', 0x80 | $_, 0x80) . $zeroes] } 3 .. 7, 11 .. 15),
	(map { [1002, "a fragmented $_", frame_bytes($_ => '', fin => 0)] } qw(close ping pong)),
	(map { [1002, "a $_ of 126 bytes", frame_bytes($_ => 'x' x 126)] } qw(close ping pong)),
	[1002, 'a continuation of nothing', frame_bytes(continuation => 'x')],
	[1002, 'a text within a text', frame_bytes(text => 'x', fin => 0) . frame_bytes(text => 'y')],
	[1002, '125 in 16 bits of length', pack('CCn', 0x81, 0xfe, 125) . $zeroes . 'x' x 125],
	[1002, '65535 in 64 bits of length', pack('CCQ>', 0x81, 0xff, 65535) . $zeroes],
	[1002, 'a length over 63 bits', pack('CCQ>', 0x81, 0xff, 1 << 63) . $zeroes],
	[1009, 'a length over the limit', pack('CCQ>', 0x81, 0xff, 1 << 40) . $zeroes],
	[1009, 'fragments over the limit', frame_bytes(text => 'x', fin => 0) . pack('CCQ>', 0x80, 0xff, 1 << 24) . $zeroes],
	[1003, 'binary', frame_bytes(binary => 'x')],
	[1007, 'text that is no UTF-8', frame_bytes(text => "a\xff")],
	[1007, 'a surrogate', frame_bytes(text => "\xed\xa0\x80")],
	[1007, 'an overlong form', frame_bytes(text => "\xc0\xaf")],
	[1007, 'a cut character at the end', frame_bytes(text => "\xe2\x82", fin => 0) . frame_bytes(continuation => '')],
	[1007, 'a bad byte in a message that goes on', frame_bytes(text => "\xf4", fin => 0) . frame_bytes(continuation => "\x90", fin => 0)],
	[1007, 'a bad byte in a frame that goes on', pack('CC', 0x81, 0x80 | 100) . $zeroes . "abc\xff"],
);
for my $e (@endings) {
	my ($code, $name, $bytes) = @$e;
	my $c = connect_ws();
	send_raw($c, $bytes);
	is end_of($c), $code, "$code for $name";
	Tidings::Spec::check_close($code) if $code != 1005;
}

{
	my $c = connect_ws();
	send_raw($c, frame_bytes(text => 'half a frame'));
	next_frame($c);
	send_raw($c, substr frame_bytes(text => 'half a frame'), 0, 9);
	shutdown $c->{socket}, 1;
	is end_of($c), 1006, 'a client that goes in the middle of a frame';
}

stop_echo();

# ---- compression ----

subtest 'permessage-deflate with the ws package' => sub {
	plan skip_all => 'no Node.js with the package ws (Debian: nodejs, node-ws)' if !-e '/usr/share/nodejs/ws' || !Tidings::Script::node_command(Tidings::dir());
	start_echo('-z');
	Tidings::Script::run_script(dir => Tidings::dir(), env => {ECHO_URL => "ws://127.0.0.1:$port/"}, actions => {},
		command => [$ENV{NODE} // 'node', Tidings::top() . '/t/lib/deflate-peer.js']);
	stop_echo();
};

done_testing;
