# SPDX-License-Identifier: BSD-2-Clause
# Proves compressed WebSockets (permessage-deflate, RFC 7692, contract section 4): what is negotiated and what is not,
# messages in and out in all forms, the code for each fault, bombs, a reload, pushes over several workers to those who
# compress and those who do not, and a browser.
use Tidings;
use JSON::PP ();
use Tidings::Browser;
use Tidings::Deflate qw(pack_text bomb);
use Tidings::Util qw(slurp);

my %conf = (session => {policy => 'multi', max => 64}, websocket => {compression => 'true', max_message => 65536});
my $t = Tidings->start(workers => 2, conf => \%conf);
$t->befriend(qw(alice bob));
my $ping = '{"type":"ping","ref":"x"}';
my $taken = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';

sub answer_to {
	my ($offer, @more) = @_;
	my ($r) = Tidings::WS::handshake(address => $t->node->address, token => $t->token('alice'), deflate => $offer, @more);
	return $r->status == 101 ? $r->header('sec-websocket-extensions') // '' : $r->status;
}

subtest 'negotiation' => sub {
	my @offers = (
		['none', 0, ''],
		['the usual one', 1, $taken],
		['the least', 'permessage-deflate', $taken],
		['with all that there is', 'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=12', "$taken; server_max_window_bits=10"],
		['a quoted value', 'permessage-deflate; server_max_window_bits="9"', "$taken; server_max_window_bits=9"],
		['the largest window', 'permessage-deflate; server_max_window_bits=15', "$taken; server_max_window_bits=15"],
		['the smallest, which zlib has not', 'permessage-deflate; server_max_window_bits=8', ''],
		['and another offer', 'permessage-deflate; server_max_window_bits=8, permessage-deflate', $taken],
		['another extension first', 'x-other; y="z", permessage-deflate', $taken],
		['another extension alone', 'permessage-bzip2', ''],
		['an unknown parameter', 'permessage-deflate; level=9', ''],
		['a repeated one', 'permessage-deflate; client_max_window_bits; client_max_window_bits', ''],
		['a value where there is none', 'permessage-deflate; server_no_context_takeover=1', ''],
		['none where there is one', 'permessage-deflate; server_max_window_bits', ''],
		['a value out of range', 'permessage-deflate; client_max_window_bits=16', ''],
		['not as RFC 6455 section 9.1 has it', 'permessage-deflate; =', 400],
	);
	is answer_to($_->[1]), $_->[2], $_->[0] for @offers;
	is answer_to('x', headers => ['Sec-WebSocket-Extensions' => 'permessage-deflate']), $taken, 'an offer in a header of its own';
};

subtest 'in and out' => sub {
	my $ws = $t->ws('alice', deflate => 1);
	is $ws->{packed}, 1, 'hello comes compressed';
	is $ws->request(type => 'ping')->{type}, 'pong', 'a compressed ping';
	is $ws->{packed}, 1, 'a short answer comes as it is';
	$ws->send_frame('text', $ping);
	ok $ws->expect('pong'), 'one that is not compressed';
	$ws->send_packed(pack_text($ping, %$_)), ok $ws->expect('pong'), join ' ', 'packed with', %$_
		for {level => 0}, {level => 1}, {level => 9}, {window => 9}, {last => 1};
	$ws->send_packed(substr pack_text($ping, last => 1), 0, -1);
	ok $ws->expect('pong'), 'a last block with nothing behind it';
	my @bytes = split //, pack_text($ping);
	for (0 .. $#bytes) {
		$ws->send_frame($_ ? 'continuation' : 'text', $bytes[$_], rsv => [$_ ? 0 : 1, 0, 0], fin => $_ == $#bytes ? 1 : 0);
		$ws->send_frame('ping', "p$_") if $_ % 7 == 0;
	}
	ok $ws->expect('pong'), 'in as many fragments as bytes';
	is_deeply $ws->{pongs}, [map { "p$_" } grep { $_ % 7 == 0 } 0 .. $#bytes], 'control frames between them are answered, as they are';
	$ws->raw($_) for split //, $ws->frame('text', pack_text($ping), rsv => [1, 0, 0]);
	ok $ws->expect('pong'), 'byte by byte';
	$ws->send_packed("\0");
	is $ws->expect('error')->{code}, 'malformed_json', 'the empty message is a message';
	my $body = JSON::PP::encode_json({type => 'send', %{text_to('bob', 'κόσμε ' x 500)}, ref => 'big', more => ''});
	$body =~ s/"more":""/'"more":"' . 'y' x (65536 - length($body)) . '"'/e;
	for my $level (0, 6) {
		$ws->send_packed(pack_text($body =~ s/"big"/"b$level."/r, level => $level));
		is $ws->answer("b$level.")->{type}, 'ack', "a message of websocket.max_message, packed with level $level";
	}
	my $packed = $ws->{packed};
	my $ack = $ws->request(type => 'send', %{text_to('bob', 'the same over and over ' x 500)});
	is $ack->{message}{content}, 'the same over and over ' x 500, 'a long answer';
	is $ws->{packed}, $packed + 1, 'comes compressed';
	for my $bits (9 .. 15) {
		my $small = $t->ws('alice', deflate => "permessage-deflate; server_max_window_bits=$bits");
		$small->request(type => 'send', %{text_to('bob', join ' ', map { int rand 1000 } 1 .. $_)}) for 1, 30, 100, 300, 1000, 3000;
		cmp_ok $small->{packed}, '>=', $bits < 10 ? 1 : 3, "a client with room for $bits bits can read all of it";
		$small->close(1000)->close_code;
	}
};

subtest 'close codes' => sub {
	my $mask = "\0\0\0\0";
	my $half = int length(pack_text($ping)) / 2;
	my @faults = (
		[1007, 'garbage', sub { $_[0]->send_packed('this is not DEFLATE') }],
		[1007, 'no byte at all', sub { $_[0]->send_packed('') }],
		[1007, 'a payload cut in the middle', sub { $_[0]->send_packed(substr pack_text($ping), 0, $half) }],
		[1007, 'garbage behind the last block', sub { $_[0]->send_packed(pack_text($ping, last => 1) . 'garbage') }],
		[1007, 'garbage in fragments', sub { $_[0]->send_packed('this is ', fin => 0); $_[0]->send_frame('continuation', 'not DEFLATE') }],
		[1007, 'bad UTF-8', sub { $_[0]->send_packed(pack_text("{\"type\":\"\xff\"}")) }],
		[1007, 'a character cut off', sub { $_[0]->send_packed(pack_text("\"\xe2\x82")) }],
		[1009, 'a byte over max_message', sub { $_[0]->send_packed(bomb(65537)) }],
		[1009, 'a bomb', sub { $_[0]->send_packed(bomb(50_000_000)) }],
		[1009, 'a bomb in fragments', sub { my $b = bomb(10_000_000); $_[0]->send_packed(substr($b, 0, 100), fin => 0); $_[0]->send_frame('continuation', substr $b, 100) }],
		[1009, 'more than can be within max_message', sub { $_[0]->raw(pack('CCNN', 0xc1, 0xff, 0, 80000) . $mask) }],
		[1009, 'the like in fragments', sub { $_[0]->send_packed("\0" . 'x' x 60000, fin => 0); $_[0]->send_frame('continuation', 'x' x 20000, fin => 0) }],
		[1003, 'binary', sub { $_[0]->raw(pack('CC', 0xc2, 0x80) . $mask) }],
		[1002, 'RSV1 on a continuation', sub { $_[0]->send_packed(substr(pack_text($ping), 0, $half), fin => 0); $_[0]->send_frame('continuation', substr(pack_text($ping), $half), rsv => [1, 0, 0]) }],
		[1002, 'RSV1 on a ping', sub { $_[0]->raw(pack('CC', 0xc9, 0x80) . $mask) }],
		[1002, 'RSV1 on a close', sub { $_[0]->raw(pack('CC', 0xc8, 0x80) . $mask) }],
		[1002, 'RSV2', sub { $_[0]->send_frame('text', $ping, rsv => [0, 1, 0]) }],
		[1002, 'RSV3 besides', sub { $_[0]->send_frame('text', pack_text($ping), rsv => [1, 0, 1]) }],
	);
	for (@faults) {
		my ($code, $name, $send) = @$_;
		my $ws = $t->ws('alice', deflate => 1);
		$send->($ws);
		is $ws->close_code, $code, "$code: $name";
	}
	my $ws = $t->ws('alice', deflate => 0);
	$ws->send_packed(pack_text($ping));
	is $ws->close_code, 1002, '1002: compressed, without an offer';
	$ws = $t->ws('alice', deflate => 'permessage-deflate; server_max_window_bits=8');
	$ws->send_packed(pack_text($ping));
	is $ws->close_code, 1002, '1002: compressed, after an offer that was not taken';
};

sub peak_kib { my ($pid) = @_; return slurp("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m ? $1 : die "no VmHWM\n" }

subtest 'bombs' => sub {
	my %before = map { $_ => peak_kib($_) } $t->node->worker_pids;
	my $bomb = bomb(16_000_000);
	for (1 .. 40) {
		my $ws = $t->ws('alice', deflate => 1);
		$ws->send_packed($bomb);
		is $ws->close_code, 1009, 'a bomb' if $_ == 1;
		$ws->close_code;
	}
	cmp_ok peak_kib($_) - $before{$_}, '<', 15_000, '40 bombs of 16 MB each take no memory' for keys %before;
	# Those within the limit, many in one write: they may not keep the others waiting.
	my $flood = $t->ws('alice', deflate => 1);
	$flood->{mute} = 1;
	my $other = $t->ws('bob', deflate => 1);
	$flood->raw($flood->frame('text', bomb(65536), rsv => [1, 0, 0]) x 400);
	my $slowest = 0;
	for (1 .. 20) {
		my $asked = now();
		$other->request(type => 'ping');
		my $took = now() - $asked;
		$slowest = $took if $took > $slowest;
	}
	cmp_ok $slowest, '<', 1, sprintf 'the others are answered within %.0f ms meanwhile', 1000 * $slowest;
	$flood->expect('error') for 1 .. 400;
	pass 'and each message is, in the end';
};

subtest 'a reload' => sub {
	my $ws = $t->ws('bob', deflate => 1);
	$t->node->configure({%{$t->node->{conf}}, websocket => {compression => 'false'}});
	like $t->node->ctl_ok('reload', '--dry-run'), qr/websocket\.compression/, 'is told of';
	$t->node->reload;
	is answer_to(1), '', 'nothing is negotiated any more';
	is answer_to(';'), '', 'nor looked at';
	my $plain = $t->ws('alice', deflate => 1);
	$plain->send_packed(pack_text($ping));
	is $plain->close_code, 1002, 'and RSV1 is a fault';
	is $ws->expect('reconnect')->{type}, 'reconnect', 'who had negotiated it is understood to the end';
	$t->node->configure({%{$t->node->{conf}}, websocket => {compression => 'true'}});
	$t->node->reload;
	is answer_to(1), $taken, 'and on again';
};

subtest 'a browser' => sub {
	plan skip_all => 'no Chromium (Debian: chromium)' if !Tidings::Browser::program();
	require Tidings::Web;
	my $web = Tidings::Web->start(conf => {websocket => {compression => 'true'}});
	$web->t->befriend(qw(ann ben));
	my ($ann, $ben) = map { $web->enter($_) } qw(ann ben);
	my $text = 'tell me again about the sea ' x 50;
	$ann->click('#tab-friends')->click('[data-user=ben] a')->click('#tab-chats');
	$ann->say_text($text . 'the first');
	$ben->wait_text('.chat[data-user=ann] .preview', 'tell me again');
	is $web->t->api('ben')->get('/messages/conversations')->json->{items}[0]{last_message}{content}, $text . 'the first', 'what is typed comes in';
	my $protocols = JSON::PP::encode_json(['tidings.v1', 'bearer.' . $web->t->token('ben')]);
	is $ben->value("new Promise((resolve) => { const ws = new WebSocket('ws://' + location.host + '/messages/ws', $protocols);"
		. "ws.onmessage = () => { resolve(ws.extensions); ws.close(); }; ws.onerror = () => resolve('an error'); })"), $taken, 'the browser says that it is compressed';
	$web->stop;
};
$t->stop;

# Each of these has sessions in all workers, some compressed, some not: all of them get the same, in order.
for_workers 'pushes', {conf => \%conf}, sub {
	my ($u) = @_;
	$u->befriend(qw(alice bob));
	my @offers = (1, 0, 'permessage-deflate; server_max_window_bits=9', 1, 0, 'permessage-deflate; server_max_window_bits=12', 1, 1);
	my @to = map { $u->ws('bob', deflate => $offers[$_], name => "bob $_") } 0 .. $#offers;
	my @from = map { $u->ws('alice', deflate => $_, name => "alice $_") } 1, 0;
	my @sent = map { join ' ', $_, map { int rand 10 ** (1 + $_ % 5) } 1 .. $_ * $_ / 3 } 1 .. 60;
	$from[$_ % 2]->request(type => 'send', %{text_to('bob', $sent[$_])}) for 0 .. $#sent;
	for my $n (0 .. $#to) {
		my @got = map { $to[$n]->expect('message')->{message}{content} } @sent;
		is_deeply \@got, \@sent, "offer '$offers[$n]': all, and in order";
		ok $offers[$n] ? $to[$n]{packed} > 5 : $to[$n]{packed} == 0, "$to[$n]{packed} frames were compressed";
	}
	$_->close(1000) for @to, @from;
	$_->close_code for @to, @from;
};

done_testing;
