# SPDX-License-Identifier: BSD-2-Clause
# Proves that what clients do not read, or do not finish sending, stays within the server's budgets, and that those who
# do read and send are served meanwhile. The figures are the server's own.
use Tidings;
use IO::Socket::IP;
use Socket qw(SOL_SOCKET SO_RCVBUF);

my $MIB = 1024 * 1024;
my $BUDGET = 4 * $MIB;
my $t = Tidings->start(workers => 1, conf => {worker_unsent => $BUDGET, http => {max_body => 8 * $MIB}, websocket => {max_message => 8 * $MIB, ping_interval => 600, idle_timeout => 1200},
	session => {policy => 'multi', max => 64},
	limits => {sends_per_second => 100000, burst => 100000, logins_per_minute => 0}});
$t->befriend(qw(alice bob));
my $text = 'x' x 16384;
my $id = $t->send_text('alice', 'bob', $text)->{conversation_id};
$t->send_text('alice', 'bob', $text) for 2 .. 60;
my $page = "/messages/conversations/$id/messages?limit=60";

sub value {
	my ($sample) = @_;
	return $t->node->admin_http->get('/metrics')->body =~ /^\Q$sample\E (\S+)$/m ? $1 : 0;
}
my $histories = 'tidings_http_requests_total{route="history",status="200"}';
my ($slow, $large) = map { qq(tidings_connections_too_slow_total{rule="$_"}) } qw(rate memory);

# A client whose kernel takes little: what it does not read is the server's to keep.
sub narrow {
	my (%o) = @_;
	my ($host, $port) = $t->node->address =~ /(.*):(\d+)/;
	socket my $s, Socket::AF_INET(), Socket::SOCK_STREAM(), 0 or die "socket: $!";
	setsockopt $s, SOL_SOCKET, SO_RCVBUF, 4096 or die "SO_RCVBUF: $!";
	connect $s, Socket::pack_sockaddr_in($port, Socket::inet_aton($host)) or die "connect: $!";
	my $http = $t->http('alice', %o);
	$http->{socket} = bless $s, 'IO::Socket::IP';
	$http->{in} = '';
	return $http;
}

subtest 'pages that nobody reads' => sub {
	my @clients = map { narrow() } 1 .. 30;
	my $one = length $t->http('alice')->get($page)->body;
	cmp_ok $one, '>', 900_000, 'a page is large';
	$_->put_bytes($_->render('GET', $page)) for @clients;
	my $most = 0;
	wait_for('some to be closed', sub {
		my $now = value('tidings_unsent_bytes');
		$most = $now if $now > $most;
		return value($large) > 0 && value($histories) >= 31;
	});
	# One answer may come on top before it is counted.
	cmp_ok value('tidings_unsent_bytes'), '<=', $BUDGET + 2 * $one, 'the budget holds';
	cmp_ok $most, '<=', $BUDGET + 2 * $one, 'all the time';
	cmp_ok value($large), '>=', 20, 'most of them are closed';
	is length $t->http('alice')->get($page)->body, $one, 'who reads gets the whole page';
	is $t->http('bob')->get('/messages/unread-count')->status, 200, 'and others are served';
	$_->close for @clients;
	wait_for('the memory to be free', sub { value('tidings_unsent_bytes') == 0 });
	pass 'nothing is left';
};

subtest 'many requests, no answer read' => sub {
	my $before = value($histories);
	my $http = narrow();
	$http->put_bytes($http->render('GET', $page) x 20);
	wait_for('the first answer', sub { value($histories) > $before && value('tidings_unsent_bytes') > 0 });
	my $ws = $t->ws('bob');
	$ws->request(type => 'ping') for 1 .. 50;
	cmp_ok value($histories) - $before, '<=', 2, 'no further request is begun while an answer waits';
	my $statuses = join ' ', map { $http->response->status } 1 .. 20;
	is $statuses, join(' ', (200) x 20), 'and all are answered once it reads';
	$http->close;
	$ws->close->close_code;
};

subtest 'one that reads a byte now and then' => sub {
	my $before = value($slow);
	my ($drip, $reader) = (narrow(), narrow());
	$_->put_bytes($_->render('GET', $page)) for $drip, $reader;
	wait_for('both answers to wait', sub { value('tidings_unsent_bytes') > 1_000_000 });
	my $got = 0;
	for (1 .. 10) {
		sysread $drip->socket, my $byte, 1;
		for (1 .. 16) {
			my $n = sysread $reader->socket, my $bytes, 4096;
			$got += $n // 0;
		}
		$t->node->clock(4);
		$t->node->ctl_ok('status');
		last if value($slow) > $before;
	}
	wait_for('the slow one to be closed', sub { $t->node->clock(1); value($slow) == $before + 1 });
	pass 'is closed';
	while ($got < 900_000) {
		my $n = sysread($reader->socket, my $bytes, 65536) or last;
		$got += $n;
	}
	cmp_ok $got, '>=', 900_000, 'who reads little by little gets all of it';
	$_->close for $drip, $reader;
};

subtest 'bodies of nobody' => sub {
	my @clients = map { $t->http(undef) } 1 .. 200;
	for my $c (@clients) {
		$c->raw("POST /users/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 65000\r\n\r\n");
	}
	my %status;
	$status{$_->response->status}++ for @clients;
	is_deeply \%status, {413 => 200}, 'a login of 65,000 bytes is refused before its body';
	my $r = $t->http(undef)->request('POST', '/users/login', body => ' ' x 4097);
	is $r->status . ' ' . $r->code, '413 payload_too_large', 'as is one of 4,097';
	like $r->json->{detail}, qr/4096/, 'which is told the limit';
	my $chunked = $t->http(undef);
	$chunked->raw("POST /users/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1001\r\n");
	is $chunked->response->status, 413, 'and one that does not say how long it is';
	is $t->http(undef)->post('/users/register', {user_id => 'u' x 64, password => "\x01" x 256, nickname => "\x{1F600}" x 64})->status, 201, 'the longest register is taken';
	my @bad = map { $t->http(undef) } 1 .. 50;
	$_->raw("POST /messages/send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer no.such.token\r\nContent-Type: application/json\r\nContent-Length: 65000\r\n\r\n" . 'y' x 60_000) for @bad;
	is_deeply [grep { $_->response->status != 401 } @bad], [], 'a bad token is refused before the body is whole';
	is value('tidings_receiving_bytes'), 0, 'of which nothing is kept';
	$_->close for @bad;
};

subtest 'bodies that trickle' => sub {
	my @clients = map { $t->http('alice') } 1 .. 20;
	my $request = $clients[0]->render('POST', '/messages/send', body => 'x' x 60_000);
	$_->raw(substr $request, 0, -100) for @clients;
	wait_for('them to be counted', sub { value('tidings_receiving_bytes') >= 20 * 59_000 });
	is $t->http('alice')->get('/messages/unread-count')->status, 200, 'others are served';
	# However often a byte comes, body_timeout bounds the whole.
	for (1 .. 4) {
		$_->put_bytes('x') for @clients;
		$t->node->clock(9);
	}
	is_deeply [map { $_->response->status } @clients], [(408) x 20], 'and they end with the time for a body';
	wait_for('the memory to be free', sub { value('tidings_receiving_bytes') == 0 });
	pass 'nothing is left';
};

subtest 'WebSocket messages that do not end' => sub {
	my @clients = map { $t->ws('alice') } 1 .. 20;
	# Some stop within a frame, whose mask is all zeroes (a pong would not fit there: no ping may come), some begin
	# fragment after fragment.
	my $frame = pack('CCnN', 0x81, 0xfe, 60_100, 0) . 'x' x 60_000;
	my $fragment = $clients[0]->frame('text', 'x' x 60_000, fin => 0);
	$clients[$_]->raw($_ % 2 ? $fragment : $frame) for 0 .. $#clients;
	wait_for('them to be counted', sub { value('tidings_receiving_bytes') >= 20 * 59_000 });
	is $t->ws('bob')->request(type => 'ping')->{type}, 'pong', 'others are served';
	for (1 .. 3) {
		$clients[$_]->raw($_ % 2 ? $clients[$_]->frame('pong', '') . $clients[$_]->frame('continuation', 'x', fin => 0) : 'x') for 0 .. $#clients;
		$t->node->clock(8);
	}
	$t->node->clock(8);
	is_deeply [map { $_->close_code } @clients], [(1008) x 20], 'they end with the time for a message, whatever came meanwhile';
	is_deeply [grep { !/took too long/ } map { $_->close_reason } @clients], [], 'and are told why';
	wait_for('the memory to be free', sub { value('tidings_receiving_bytes') == 0 });
	pass 'nothing is left';
};

subtest 'more than may be received at a time' => sub {
	my $size = 7 * $MIB;
	my $received = sub {
		my ($bytes) = @_;
		# Each takes a buffer of 8 MiB.
		return wait_for("$bytes bytes to be received", sub { value('tidings_receiving_bytes') >= $bytes });
	};
	my $http = $t->http('alice');
	$http->raw($http->render('POST', '/messages/send', headers => ['Content-Length' => $size + 1], body => 'x' x $size));
	$received->(8 * $MIB);
	my @ws = map { $t->ws('alice') } 1 .. 8;
	my $frame = $ws[0]->frame('text', 'x' x $size, fin => 0);
	for my $n (1 .. 6) {
		$ws[$n - 1]->raw($frame);
		$received->(8 * $MIB * ($n + 1));
	}
	$ws[6]->raw($frame);
	my $r = $http->response;
	is $r->status . ' ' . $r->code, '503 overloaded', 'the body that began first gives way to messages';
	$received->(7 * 8 * $MIB);
	$ws[7]->raw($frame);
	is $ws[0]->close_code, 1013, 'then the message that began first';
	like $ws[0]->close_reason, qr/too much/, 'which is told why';
	cmp_ok value('tidings_receiving_bytes'), '<=', 64 * $MIB, 'the budget holds';
	$_->send_frame('continuation', '') for @ws[1 .. 7];
	is_deeply [map { $_->expect('error')->{code} } @ws[1 .. 7]], [('malformed_json') x 7], 'the others come to their end';
	$_->close for @ws[1 .. 7];
	wait_for('the memory to be free', sub { value('tidings_receiving_bytes') == 0 });
	pass 'nothing is left';
};

$t->stop;
done_testing;
