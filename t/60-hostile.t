# SPDX-License-Identifier: BSD-2-Clause
# Proves that no bytes and no patience from outside end a worker or stop it from serving others: noise, cut-off and
# endless requests, oversize everything, half-open and never-reading connections, more of them than there is room for.
use Tidings;
use Tidings::Util qw(slurp);
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_LINGER);

my $seed = $ENV{TIDINGS_SEED} // (time ^ $$);
srand $seed;
diag("TIDINGS_SEED=$seed");

my $t = Tidings->start(workers => 2, conf => {worker_connections => 200, limits => {sessions_per_second => 0}, session => {policy => 'multi', max => 16}});
$t->befriend(qw(alice bob));
my $token = $t->token('alice');
my $good = $t->http('alice');
my @pids = $t->node->worker_pids;

sub still_serves {
	my ($name) = @_;
	my $r = wait_for("an answer $name", sub { eval { $t->http('alice')->get('/messages/unread-count') } });
	is $r->status, 200, "serves $name";
	is_deeply [$t->node->worker_pids], \@pids, 'and no worker died';
	return;
}

# Sends and goes, with a reset; or politely, and hears what is answered until the server closes too.
my $heard = 0;
sub throw {
	my ($bytes, $rude, $address) = @_;
	my $h = Tidings::HTTP->new(address => $address // $t->node->address, keep_closed => 1);
	setsockopt $h->socket, SOL_SOCKET, SO_LINGER, pack 'II', 1, 0 if $rude;
	$h->raw($bytes);
	return $h->close if $rude;
	shutdown $h->socket, 1;
	while (my $r = $h->response) {
		$heard++;
		last if $r->status == 101 && Tidings::WS->adopt($h)->close_code;
	}
	return $h->close;
}

sub noise { my ($n) = @_; return join '', map { chr int rand 256 } 1 .. $n }

subtest 'noise' => sub {
	throw(noise(int rand 5000), $_ % 2) for 1 .. 200;
	throw(join(' ', map { noise(1 + int rand 9) } 1 .. 20) . "\r\n\r\n", $_ % 2) for 1 .. 100;
	throw(noise(int rand 500), $_ % 2, $t->node->admin) for 1 .. 50;
	still_serves('after noise');
};

subtest 'good requests, damaged' => sub {
	my @requests = (
		$good->render('POST', '/messages/send', json => text_to('bob', 'x', client_msg_id => 'h', extra => {a => [1, {b => undef}]})),
		$good->render('GET', '/messages/conversations?limit=5&cursor=abc'),
		$good->render('POST', '/messages/sync', json => {conversations => [{id => '1', seq => 1, change_seq => 1}], since => undef}),
		$good->render('POST', '/messages/send', body => "5\r\nhello\r\n0\r\n\r\n", headers => ['Transfer-Encoding' => 'chunked']),
		$good->render('GET', '/messages/ws', headers => [Upgrade => 'websocket', Connection => 'Upgrade', 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version' => 13]) . "\x81\x82\0\0\0\0{}",
	);
	for (1 .. 600) {
		my $r = $requests[rand @requests];
		for (0 .. rand 4) {
			my $at = int rand length $r;
			my $how = int rand 5;
			if ($how == 0) { substr $r, $at, 1, chr int rand 256 }
			elsif ($how == 1) { substr $r, $at, int(rand 20), '' }
			elsif ($how == 2) { substr $r, $at, 0, substr $r, int(rand length $r), int rand 60 }
			elsif ($how == 3) { substr $r, $at, 0, ("\0", "\r\n", "\n", ':', ' ', '%', '"', '\\', "\xff", '[' x 40)[rand 10] }
			else { $r = substr $r, 0, $at }
			last if !length $r;
		}
		throw($r, rand() < 0.3);
	}
	throw($good->render('GET', '/messages/ws', headers => [Connection => 'close']), 0);
	still_serves('after damaged requests');
	cmp_ok $heard, '>=', 100, 'and has answered many of them, in valid documents';
};

subtest 'every cut of a request' => sub {
	my $r = $good->render('POST', '/messages/send', json => text_to('bob', 'cut'));
	throw(substr($r, 0, $_), $_ % 2) for 0 .. length($r) - 1;
	still_serves('after cut requests');
	my @cut = grep { ($_->{content} // '') eq 'cut' } map { $_->{last_message} // () } @{$t->http('bob')->get('/messages/conversations')->json->{items}};
	is_deeply \@cut, [], 'and nothing was stored by half';
};

subtest 'damaged frames' => sub {
	for (1 .. 150) {
		my $ws = eval { $t->ws('alice', hello => 0) } or next;
		my $bytes = join '', map {
			my $kind = int rand 4;
			$kind == 0 ? noise(int rand 300)
				: $kind == 1 ? $ws->frame((qw(text continuation ping close binary))[rand 5], noise(int rand 200), fin => int rand 2)
				: $kind == 2 ? $ws->frame('text', '{"type":"' . (qw(send read recall delete typing watch ping))[rand 7] . '","ref":' . noise(rand 20) . '}')
				: pack('CCNN', 0x80 | int(rand 16), 0x80 | int(rand 128), int rand 2 ** 32, int rand 2 ** 32) . noise(rand 50);
		} 1 .. 3;
		$ws->raw($bytes);
		if ($_ % 2) {
			shutdown $ws->{socket}, 1;
			$ws->close_code;
		}
		$ws->abort;
	}
	still_serves('after damaged frames');
	my $ws = $t->ws('alice');
	my @deep = ('[' x 20000, '{"a":' x 5000 . '1' . '}' x 5000, '{"type":"watch","user_ids":[' . join(',', ('"x"') x 15000) . ']}', '{"type":"ping","ref":"' . '\u0041' x 10000 . '"}');
	$ws->send_text($_) for @deep;
	is $ws->expect('error')->{type}, 'error', 'refused' for @deep;
	is $ws->request(type => 'ping')->{type}, 'pong', 'and goes on';
};

subtest 'oversize everything' => sub {
	my $host = "Host: x\r\nAuthorization: Bearer $token\r\n";
	throw('GET /' . 'a' x 3_000_000 . " HTTP/1.1\r\n$host\r\n");
	throw("GET / HTTP/1.1\r\n$host" . 'X-A: ' . 'b' x 3_000_000 . "\r\n\r\n");
	throw("GET / HTTP/1.1\r\n" . "X: y\r\n" x 300_000 . "\r\n");
	throw("POST /messages/send HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 18446744073709551615\r\n\r\n" . 'c' x 1_000_000);
	throw("POST /messages/send HTTP/1.1\r\n${host}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" . "1\r\nx\r\n" x 300_000);
	throw("POST /messages/send HTTP/1.1\r\n${host}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5;" . 'e' x 1_000_000);
	throw("POST /messages/send HTTP/1.1\r\n${host}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" . "T: x\r\n" x 200_000);
	throw("\r\n" x 500_000);
	still_serves('after all that');
};

subtest 'requests without waiting for the answers' => sub {
	my $h = $t->http('alice');
	my $many = $h->render('GET', '/messages/conversations?limit=100') x 200;
	$h->socket->blocking(0);
	my $sent = 0;
	for (1 .. 400) {
		my $n = syswrite $h->socket, $many;
		last if !defined $n;
		$sent += $n;
	}
	still_serves('while one pours requests in and reads nothing');
	cmp_ok $sent, '<', 64 * 1024 * 1024, 'who is made to wait';
	$h->close;
	my $ws = $t->ws('alice');
	my $frames = join '', map { $ws->frame('text', '{"type":"typing","conversation_id":"1","ref":"x"}') } 1 .. 2000;
	$ws->{socket}->blocking(0);
	for (1 .. 50) {
		last if !defined syswrite $ws->{socket}, $frames;
	}
	still_serves('while one pours frames in and reads nothing');
	$ws->abort;
};

subtest 'more connections than there is room for' => sub {
	my @held;
	for my $i (1 .. 520) {
		my $s = IO::Socket::INET->new(PeerAddr => $t->node->address, Timeout => 5) or last;
		syswrite $s, "GET /messages/unread-count HTTP/1.1\r\nHost: x\r\n" if $i % 2;
		push @held, $s;
	}
	cmp_ok scalar(@held), '>', 400, 'many half-open ones';
	is $t->node->admin_http->get('/healthz')->status, 200, 'the server lives';
	close $_ for @held;
	still_serves('when they have gone');
	@held = map { IO::Socket::INET->new(PeerAddr => $t->node->address) // () } 1 .. 100;
	still_serves('beside a hundred silent ones');
	my $before = $t->node->ctl_ok('--json', 'status')->{connections};
	$t->node->clock(20);
	wait_for('the silent ones to be closed', sub {
		$t->node->ctl_ok('--json', 'status')->{connections} < 20;
	});
	pass 'who never says a word is closed';
};

subtest 'the control socket' => sub {
	my ($path) = glob($t->node->{dir} . '/run/*.sock') or return fail('a control socket in run_dir');
	for my $bytes ("\n", "{}\n", "nonsense\n", "{\"command\":7}\n", "{\"command\":\"nothing\"}\n", noise(5000), 'x' x 200_000, '{"command":"status"') {
		my $s = IO::Socket::UNIX->new(Peer => $path) or return fail("connect: $!");
		local $SIG{PIPE} = 'IGNORE';
		syswrite $s, $bytes;
		close $s;
	}
	is $t->node->ctl_ok('--json', 'status')->{state}, 'serving', 'noise on it ends nothing';
	is sprintf('%o', (stat $path)[2] & 077), 0, 'and it is for its owner alone';
};

subtest 'more than a worker may hold' => sub {
	my $full = Tidings->start(workers => 1, conf => {worker_connections => 20, session => {policy => 'device'}});
	my (@open, %got);
	for my $n (1 .. 40) {
		my ($r, $http) = Tidings::WS::handshake(address => $full->node->address, token => $full->token('alice'), query => "device=d$n");
		$got{$r->status}++;
		push @open, $http;
		next if $r->status == 101;
		is $r->status . ' ' . $r->code, '503 overloaded', 'refused in words' if $got{503} == 1;
		ok $r->header('retry-after'), 'with Retry-After' if $got{503} == 1;
	}
	is_deeply \%got, {101 => 20, 503 => 20}, 'up to worker_connections, and no further';
	is $full->http('bob')->get('/messages/unread-count')->status, 200, 'a request is answered all the same';
	$full->stop;
};

my $m = $t->send_text('alice', 'bob', 'all is well');
is $m->{content}, 'all is well', 'sends go on';
is_deeply [$t->recount_faults], [], 'and the rows are right';
$t->stop;
done_testing;
