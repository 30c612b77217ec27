# SPDX-License-Identifier: BSD-2-Clause
# Proves the WebSocket itself (RFC 6455, contract section 4): handshakes good and bad, fragments, control frames, UTF-8,
# every close code, the heartbeat and its end, and slow readers.
use Tidings;
use JSON::PP ();
use Socket qw(SOL_SOCKET SO_RCVBUF);

my $t = Tidings->start(workers => 2, conf => {http => {cors_origins => ['https://chat.example']}, session => {policy => 'multi', max => 64},
	websocket => {max_message => 65536}});
$t->befriend(qw(alice bob));
my $token = $t->token('alice');
my $address = $t->node->address;
my $ping = '{"type":"ping","ref":"x"}';

sub handshake { return Tidings::WS::handshake(address => $address, token => $token, @_) }

subtest 'handshakes' => sub {
	for my $via (qw(header query subprotocol)) {
		my $ws = $t->ws('alice', via => $via);
		is $ws->hello->{user_id}, 'alice', "the token by $via";
		is $ws->response->header('sec-websocket-protocol'), $via eq 'subprotocol' ? 'tidings.v1' : undef, 'the subprotocol';
		is lc $ws->response->header('upgrade'), 'websocket', 'Upgrade';
		like $ws->response->header('connection'), qr/upgrade/i, 'Connection';
		ok $ws->response->header('x-request-id'), 'X-Request-Id';
		$ws->close(1000);
		is $ws->close_code, 1000, 'a close is answered';
	}
	is $t->ws('alice', headers => ['Sec-WebSocket-Protocol' => 'tidings.v1'])->response->header('sec-websocket-protocol'), 'tidings.v1', 'the subprotocol alone';
	is $t->ws('alice', via => 'none', headers => ['Sec-WebSocket-Protocol' => 'tidings.v1', 'Sec-WebSocket-Protocol' => 'bearer.' . $t->token('alice')])->response->header('sec-websocket-protocol'), 'tidings.v1', 'in two lines, as one list';
	is $t->ws('alice', headers => ['Sec-WebSocket-Protocol' => 'chat'])->response->header('sec-websocket-protocol'), undef, 'an unknown one is not chosen';
	is $t->ws('alice', headers => ['Sec-WebSocket-Extensions' => 'x-unknown; a=1'])->response->header('sec-websocket-extensions'), undef, 'nor an unknown extension';
	my @bad = (
		['no token', 401, 'token_invalid', token => undef],
		['a bad token', 401, 'token_invalid', token => 'x.y.z'],
		['a bad token in the query', 401, 'token_invalid', token => 'x.y.z', via => 'query'],
		['a bad token as subprotocol', 401, 'token_invalid', token => 'x.y.z', via => 'subprotocol'],
		['an expired one', 401, 'token_expired', token => $t->token('alice', exp => time - 100)],
		['no key', 400, undef, key => ''],
		['a short key', 400, undef, key => 'YWJj'],
		['a key that is no base64', 400, undef, key => '!' x 24],
		['POST', 405, 'method_not_allowed', method => 'POST'],
		['a foreign origin', 403, 'origin_not_allowed', headers => [Origin => 'https://evil.example']],
		['no origin at all, as text', 403, 'origin_not_allowed', headers => [Origin => 'null']],
	);
	for (@bad) {
		my ($name, $status, $code, @o) = @$_;
		my ($r) = handshake(@o);
		is $r->status, $status, $name;
		is $r->code, $code, "$name: its code" if defined $code;
	}
	my ($r) = handshake(version => 8);
	is $r->status, 426, 'another version';
	is $r->header('sec-websocket-version'), '13', 'says which one';
	for my $origin ('https://chat.example', "http://$address") {
		my ($ok) = handshake(headers => [Origin => $origin, Host => $address]);
		is $ok->status, 101, "origin $origin";
	}
};

subtest 'frames' => sub {
	my $ws = $t->ws('alice');
	$ws->raw(join '', map { $ws->frame('text', $ping) } 1 .. 100);
	$ws->expect('pong') for 1 .. 100;
	pass 'a hundred in one write';
	$ws->raw($_) for split //, $ws->frame('text', $ping);
	ok $ws->expect('pong'), 'byte by byte';
	my @chars = split //, $ping;
	$ws->send_frame($_ ? 'continuation' : 'text', $chars[$_], fin => $_ == $#chars ? 1 : 0) for 0 .. $#chars;
	ok $ws->expect('pong'), 'in as many fragments as bytes';
	my $accent = JSON::PP->new->utf8->encode({type => 'ping', ref => "\x{20ac}\x{1F600}"});
	my @bytes = split //, $accent;
	for (0 .. $#bytes) {
		$ws->send_frame($_ ? 'continuation' : 'text', $bytes[$_], fin => $_ == $#bytes ? 1 : 0);
		$ws->send_frame('ping', "p$_") if $_ % 5 == 0;
	}
	is $ws->expect('pong')->{ref}, "\x{20ac}\x{1F600}", 'fragments that cut characters, with pings between';
	is_deeply $ws->{pongs}, [map { "p$_" } grep { $_ % 5 == 0 } 0 .. $#bytes], 'each ping answered with its own bytes, in order';
	$ws->{pongs} = [];
	$ws->send_frame('ping', 'y' x 125);
	$ws->send_frame('ping', '');
	$ws->until('both pongs', sub { @{$_[0]{pongs}} == 2 });
	is_deeply $ws->{pongs}, ['y' x 125, ''], 'the longest and the shortest ping';
	$ws->send_frame('pong', 'nobody asked');
	$ws->send_frame('text', '', fin => 0);
	$ws->send_frame('continuation', '', fin => 0);
	$ws->send_frame('continuation', $ping);
	ok $ws->expect('pong'), 'empty fragments; an unasked pong';
	my $body = JSON::PP::encode_json({type => 'send', %{text_to('bob', 'x' x 16000)}, ref => 'big', more => ''});
	$body =~ s/"more":""/'"more":"' . 'y' x (65536 - length($body)) . '"'/e;
	is length $body, 65536, 'a message of websocket.max_message';
	$ws->send_text($body);
	is $ws->answer('big')->{type}, 'ack', 'is taken';
};

# A whole connection for each fault, which has to end it with the code.
sub ends_with {
	my ($code, $name, $send) = @_;
	my $ws = $t->ws('alice');
	$send->($ws);
	is $ws->close_code, $code, "$code: $name";
	return;
}

subtest 'close codes' => sub {
	my $mask = "\0\0\0\0";
	my @faults = (
		[1003, 'a binary frame', sub { $_[0]->send_frame('binary', 'x') }],
		[1003, 'a binary fragment', sub { $_[0]->send_frame('binary', 'x', fin => 0) }],
		[1007, 'bad UTF-8', sub { $_[0]->send_text("{\"type\":\"\xff\"}") }],
		[1007, 'a surrogate', sub { $_[0]->send_text("\"\xed\xa0\x80\"") }],
		[1007, 'an overlong form', sub { $_[0]->send_text("\"\xc0\xaf\"") }],
		[1007, 'beyond Unicode', sub { $_[0]->send_text("\"\xf4\x90\x80\x80\"") }],
		[1007, 'a character cut off', sub { $_[0]->send_text("\"\xe2\x82") }],
		[1007, 'bad UTF-8 before the message is whole', sub { $_[0]->send_frame('text', "\"\xff", fin => 0) }],
		[1007, 'a close reason that is no UTF-8', sub { $_[0]->send_frame('close', pack('n', 1000) . "\xff") }],
		[1009, 'one frame too big', sub { $_[0]->raw(pack('CCNN', 0x81, 0xff, 0, 65537) . $mask) }],
		[1009, 'a frame of 2^62 bytes', sub { $_[0]->raw(pack('CCNN', 0x81, 0xff, 0x40000000, 0) . $mask) }],
		[1009, 'too big in fragments', sub { $_[0]->send_frame('text', 'x' x 40000, fin => 0); $_[0]->send_frame('continuation', 'x' x 30000, fin => 0) }],
		[1002, 'a length with its highest bit', sub { $_[0]->raw(pack('CCNN', 0x81, 0xff, 0x80000000, 0) . $mask) }],
		[1002, 'a frame without a mask', sub { $_[0]->raw(pack('CC', 0x81, 2) . '{}') }],
		[1002, 'reserved bit 1', sub { $_[0]->raw(pack('CC', 0xc1, 0x80) . $mask) }],
		[1002, 'reserved bit 3', sub { $_[0]->raw(pack('CC', 0x91, 0x80) . $mask) }],
		[1002, 'opcode 3', sub { $_[0]->raw(pack('CC', 0x83, 0x80) . $mask) }],
		[1002, 'opcode 11', sub { $_[0]->raw(pack('CC', 0x8b, 0x80) . $mask) }],
		[1002, 'a continuation of nothing', sub { $_[0]->send_frame('continuation', 'x') }],
		[1002, 'a text within a text', sub { $_[0]->send_frame('text', '"', fin => 0); $_[0]->send_frame('text', '"') }],
		[1002, 'a fragmented ping', sub { $_[0]->raw(pack('CC', 0x09, 0x80) . $mask) }],
		[1002, 'a ping of 126 bytes', sub { $_[0]->raw(pack('CCn', 0x89, 0xfe, 126) . $mask . 'x' x 126) }],
		[1002, 'a close of one byte', sub { $_[0]->send_frame('close', 'x') }],
		(map { my $c = $_; [1002, "close code $c", sub { $_[0]->send_frame('close', pack 'n', $c) }] } 0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535),
	);
	ends_with(@$_) for @faults;
	for my $code (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999) {
		ends_with($code, "a proper close with $code", sub { $_[0]{close_sent} = 1; $_[0]->send_frame('close', pack('n', $code) . 'bye') });
	}
	my $ws = $t->ws('alice');
	$ws->send_frame('close', '');
	$ws->{close_sent} = 1;
	$ws->close_code;
	ok $ws->{close} && ($ws->{close}[0] == 1005 || $ws->{close}[0] == 1000), 'a close without a code';
	$ws = $t->ws('alice');
	$ws->{close_sent} = 1;
	$ws->raw($ws->frame('close', pack 'n', 1000) . $ws->frame('text', JSON::PP::encode_json({type => 'send', %{text_to('bob', 'after the close')}})));
	is $ws->close_code, 1000, 'what comes after a close';
	isnt(($t->api('bob')->get('/messages/conversations')->json->{items}[0]{last_message} // {})->{content} // '', 'after the close', 'is not read');
};

subtest 'heartbeat and expiry' => sub {
	my $quiet = $t->ws('alice', name => 'quiet');
	$quiet->{mute} = 1;
	my $live = $t->ws('alice', name => 'live');
	my $short = Tidings::WS->open(address => $address, token => $t->token('alice', exp => time + 300), name => 'short');
	$t->node->clock(31);
	$_->until('a ping', sub { $_[0]{pings} > 0 }) for $quiet, $live, $short;
	pass 'pings after ping_interval';
	$live->settle;
	$short->settle;
	$t->node->clock(46);
	is $quiet->close_code, 4003, 'nothing heard for idle_timeout: 4003';
	is $live->request(type => 'ping')->{type}, 'pong', 'who answers pings stays';
	for (1 .. 8) {
		$live->settle;
		eval { $short->settle };
		$t->node->clock(40);
		$short->fill(0);
	}
	is $short->close_code, 4002, 'the token ran out: 4002';
	is $live->request(type => 'ping')->{type}, 'pong', 'another token has not';
};

subtest 'a peer that does not read' => sub {
	my $slow = $t->ws('bob', name => 'slow');
	my $fast = $t->ws('alice', name => 'fast');
	my $other = $t->ws('bob', name => 'other');
	my $text = 'x' x 16000;
	# What the kernel keeps for it comes first, some megabytes.
	setsockopt $slow->{socket}, SOL_SOCKET, SO_RCVBUF, 4096;
	for my $round (1 .. 30) {
		$fast->start(type => 'send', %{text_to('bob', $text)}) for 1 .. 20;
		$fast->expect('ack') for 1 .. 20;
		$other->expect('message') for 1 .. 20;
	}
	my $code = eval { $slow->close_code } // '';
	ok $code == 4008 || $code == 1006, 'ends with 4008, or simply ends' or diag($code || $@);
	is $other->request(type => 'ping')->{type}, 'pong', 'another session of the same user is not touched';
};

subtest 'a text is taken by both doors or by none' => sub {
	my $http = $t->http('alice');
	# In JSON a control character is an escape of six bytes; three quarters of 65,536 bytes are for the content.
	my @texts = (
		['as many control characters as may be', 201, "\x01" x 8192],
		['one more', 400, "\x01" x 8193],
		['as many as one door alone had room for', 400, "\x01" x 10_890],
		['quotes, which are two bytes each', 201, '"' x 16_384],
		['line feeds', 201, "\n" x 16_384],
		['letters', 201, 'x' x 16_384],
		['characters of four bytes', 201, "\x{1F600}" x 4096],
	);
	for (@texts) {
		my ($name, $status, $text) = @$_;
		my $r = $http->post('/messages/send', text_to('bob', $text));
		is $r->status, $status, "$name, over HTTP";
		my $ws = $t->ws('alice');
		my $answer = $ws->request(type => 'send', %{text_to('bob', $text)});
		is $answer->{type}, $status == 201 ? 'ack' : 'error', 'and over a WebSocket';
		$ws->close;
		next if $status == 201;
		like $_, qr/content: takes over 49152 bytes of JSON/, 'with the reason' for $r->json->{detail}, $answer->{detail};
	}
	# The largest text of letters of two bytes, each of which a client may write as an escape of six.
	my $largest = "\x{44f}" x 8192;
	my $escaped = JSON::PP->new->ascii;
	my $r = $http->request('POST', '/messages/send', body => $escaped->encode(text_to('bob', $largest)));
	is $r->status, 201, 'letters that are escaped, over HTTP';
	is $r->json->{content}, $largest, 'are the same letters';
	my $ws = $t->ws('alice');
	$ws->send_text($escaped->encode({type => 'send', ref => 'escaped', %{text_to('bob', $largest)}}));
	my $ack = $ws->expect('ack');
	is $ack->{message}{content}, $largest, 'and over a WebSocket';
	$ws->close;
};

$t->stop;
done_testing;
