# SPDX-License-Identifier: BSD-2-Clause
# Proves the limits of a node that keep one client, or all of them at once, from taking everything: connections of an
# address, sessions begun at a time, sends of a user; each refusal says when to come again.
use Tidings;
use Errno ();
use IO::Select;
use Tidings::Util ();

my $t = Tidings->start(workers => 2, conf => {session => {policy => 'multi', max => 64}, limits => {sessions_per_second => 5, connections_per_minute => 300, sends_per_second => 2, burst => 10}});
$t->befriend(qw(alice bob carol));

subtest 'sessions begun at a time' => sub {
	my @answers = map { [Tidings::WS::handshake(address => $t->node->address, token => $t->token('alice'))] } 1 .. 30;
	my @status = map { $_->[0]->status } @answers;
	is scalar(grep { $_ == 101 } @status[0 .. 19]), 20, 'four seconds\' worth come in at once';
	my ($refused) = map { $_->[0] } grep { $_->[0]->status == 503 } @answers;
	ok $refused, 'of those above some are refused' or return;
	is $refused->code, 'overloaded', 'as overloaded';
	like $refused->header('retry-after'), qr/\A[1-9]\d*\z/, 'with Retry-After';
	$t->node->clock(1);
	my ($r) = Tidings::WS::handshake(address => $t->node->address, token => $t->token('alice'));
	is $r->status, 101, 'a second later there is room again';
};

subtest 'sends of a user' => sub {
	my $http = $t->http('alice');
	my @status = map { $http->post('/messages/send', text_to('bob', "m$_"))->status } 1 .. 20;
	is_deeply [@status[0 .. 9]], [(201) x 10], 'a burst';
	my $r = $http->post('/messages/send', text_to('bob', 'one more'));
	$r = $http->post('/messages/send', text_to('bob', 'and one more')) if $r->status == 201;
	is $r->status . ' ' . $r->code, '429 rate_limited', 'and then not more than the limit a second';
	like $r->header('retry-after'), qr/\A[1-9]\d*\z/, 'with Retry-After';
	is $t->http('carol')->post('/messages/send', text_to('bob', 'hello'))->status, 201, 'others are not concerned';
};

subtest 'changes of friends' => sub {
	my $http = $t->http('carol');
	$t->dbh->do('INSERT INTO users (id) VALUES (?)', undef, "somebody$_") for 1 .. 20;
	my @status = map { $http->post('/friends/requests', {user_id => "somebody$_"})->status } 1 .. 20;
	is_deeply [@status[0 .. 9]], [(201) x 10], 'as many as sends';
	cmp_ok scalar(grep { $_ == 429 } @status), '>=', 1, 'and no more';
	is $t->http('bob')->post('/friends/requests', {user_id => 'somebody1'})->status, 201, 'others are not concerned';
};

subtest 'requests of a user' => sub {
	my $u = Tidings->start(workers => 2, conf => {session => {policy => 'multi'}, limits => {requests_per_second => 1, requests_burst => 20, sends_per_second => 1000, burst => 1000}});
	$u->befriend(qw(alice bob));
	my ($first, $second, $ws) = ($u->http('alice'), $u->http('alice'), $u->ws('alice'));
	my @read = map { ($first->get('/messages/conversations?limit=1'), $second->put('/users/me', {nickname => "Al$_"})) } 1 .. 30;
	is scalar(grep { $_->status == 200 } @read[0 .. 19]), 20, 'a burst of any kind, whichever connection';
	my @refused = grep { $_->status == 429 } @read;
	cmp_ok scalar(@refused), '>=', 1, 'and then not more than the limit a second';
	is_deeply [grep { $_->code ne 'rate_limited' || ($_->header('retry-after') // '') !~ /\A[1-9]\d*\z/ } @refused], [], 'as rate_limited with Retry-After';
	my @frames = map { $ws->request(type => 'ping') } 1 .. 30;
	my @over = grep { $_->{type} eq 'error' } @frames;
	cmp_ok scalar(@over), '>=', 1, 'nor by WebSocket';
	is_deeply [grep { $_->{code} ne 'rate_limited' } @over], [], 'as rate_limited too';
	is $first->get('/messages/conversations?limit=0')->status, 400, 'a fault in the request is told first';
	is_deeply [map { $first->post('/messages/send', text_to('bob', "m$_"))->status } 1 .. 40], [(201) x 40], 'messages are not counted';
	my $module = $u->http(undef, token => $u->token('module', scope => 'notify'));
	is_deeply [map { $module->post('/notifications', {user_id => 'bob', kind => "kind$_"})->status } 1 .. 40], [(201) x 40], 'nor notifications of a module';
	is $u->http('bob')->get('/messages/unread-count')->json->{unread_count}, 40, 'others are not concerned';
	$u->node->clock(30);
	is $first->get('/messages/unread-count')->status, 200, 'later there is room again';
	$u->stop;
};

subtest 'a search for users' => sub {
	my $u = Tidings->start(workers => 1, conf => {limits => {requests_per_second => 1, requests_burst => 50}});
	my $alice = $u->http('alice');
	is $alice->get('/users?query=a')->status, 400, 'one that is refused costs nothing';
	my @status = map { $alice->get('/users?query=al')->status } 1 .. 8;
	is_deeply [@status[0 .. 3]], [(200) x 4], 'some can be made';
	cmp_ok scalar(grep { $_ == 429 } @status), '>=', 1, 'but each costs as much as ten requests';
	$u->stop;
};

subtest 'a search among members' => sub {
	my $u = Tidings->start(workers => 1, conf => {limits => {requests_per_second => 1, requests_burst => 50}});
	$u->befriend(qw(alice bob));
	my $id = $u->group('alice', ['bob']);
	my ($alice, $bob) = ($u->http('alice'), $u->http('bob'));
	my @status = map { $bob->get("/groups/$id/members?query=a")->status } 1 .. 8;
	is_deeply [@status[0 .. 3]], [(200) x 4], 'some can be made';
	cmp_ok scalar(grep { $_ == 429 } @status), '>=', 1, 'but each costs as much as ten requests';
	is $alice->get("/groups/$id/members?query=")->status, 400, 'one that is refused costs nothing';
	is_deeply [map { $alice->get("/groups/$id/members")->status } 1 .. 30], [(200) x 30], 'nor more than one the list without a search';
	$u->stop;
};

# What becomes of a connection that asks for something: the status of its answer, or "closed" where it ends without a byte
# of one. Anything else is no refusal and ends the test.
sub fate_of {
	my ($address, $from) = @_;
	my $s = Tidings::HTTP::socket_to($address, from => $from);
	local $SIG{PIPE} = 'IGNORE';
	# It may be closed before it has asked.
	syswrite($s, "GET /messages/unread-count HTTP/1.1\r\nHost: $address\r\n\r\n") // ($!{EPIPE} || $!{ECONNRESET}) or die "write: $!\n";
	my $answer = '';
	while ($answer !~ /\r\n\r\n/) {
		IO::Select->new($s)->can_read(Tidings::Util::patience()) or die "neither answered nor closed\n";
		my $n = sysread $s, $answer, 4096, length $answer;
		die "read: $!\n" if !defined $n && !$!{ECONNRESET};
		last if !$n;
	}
	return 'closed' if $answer eq '';
	return $answer =~ m{\AHTTP/1\.1 (\d+) .*\r\n\r\n}s ? $1 : die "no answer: $answer\n";
}

subtest 'connections an address opens a minute' => sub {
	my %got;
	$got{fate_of($t->node->address, '127.0.0.9')}++ for 1 .. 400;
	is_deeply [sort keys %got], [401, 'closed'], 'each is answered, or closed without a word';
	cmp_ok $got{401}, '>=', 300, 'as many as may be are answered';
	cmp_ok $got{closed}, '>=', 50, 'those above are closed';
	is fate_of($t->node->address, '127.0.0.10'), 401, 'those of another address are not';
	is $t->node->admin_http->get('/readyz')->status, 200, 'and the admin listener has no such limit';
	$t->node->clock(60);
	is fate_of($t->node->address, '127.0.0.9'), 401, 'a minute later it may come again';
};

subtest 'sessions of one user, of one address' => sub {
	my $node = Tidings->start(workers => 1, conf => {session => {policy => 'multi', max => 8}, trusted_proxies => [], limits => {sessions_per_second => 400}});
	my $open = sub { my ($user, $from) = @_; my ($r, $h) = Tidings::WS::handshake(address => $node->node->address, token => $node->token($user), from => $from); $h->close; return $r };
	my $r;
	for (1 .. 400) {
		$r = $open->('greedy', '127.0.0.9');
		last if $r->status != 101;
	}
	is $r->status . ' ' . $r->code, '429 rate_limited', 'a user who begins one session after the other is told to wait';
	like $r->header('retry-after'), qr/\A[1-9]\d*\z/, 'with Retry-After';
	is $open->('modest', '127.0.0.9')->status, 101, 'others are not concerned, from the same address either';
	# A quarter of what the node may begin in four seconds is 400.
	for my $n (1 .. 2000) {
		$r = $open->('crowd' . int($n / 50), '127.0.0.9');
		last if $r->status != 101;
	}
	is $r->status . ' ' . $r->code, '429 rate_limited', 'an address gets a part of it';
	is $open->('modest', '127.0.0.10')->status, 101, 'so that there is some for another one';
	$node->stop;
};

$t->stop;

sub connections { return $_[0]->node->ctl_ok('status', '--json')->{connections} }

subtest 'connections an address has at a time' => sub {
	my $t = Tidings->start(workers => 2, conf => {session => {policy => 'multi', max => 64}, limits => {connections_per_address => 20}});
	my @from = (from => '127.0.0.21');
	my @kept = ((map { my $h = $t->http('alice', @from); $h->get('/messages/unread-count'); $h } 1 .. 10), (map { $t->ws('alice', @from) } 1 .. 10));
	is scalar(grep { $_->{connections} } @{$t->node->ctl_ok('workers', '--json')->{workers}}), 2, 'both workers have some'
		if wait_for('all to be counted', sub { connections($t) >= 20 });
	my $refused = sub {
		my ($what) = @_;
		my $r = $t->http('alice', @from)->get('/messages/unread-count');
		is $r->status . ' ' . ($r->code // ''), '503 overloaded', "$what: one more is told so";
		like $r->header('retry-after'), qr/\A[1-9]\d*\z/, "$what: with Retry-After";
		like $r->json->{detail}, qr/address/, "$what: and why";
	};
	$refused->('all taken');
	my ($r) = Tidings::WS::handshake(address => $t->node->address, token => $t->token('alice'), @from);
	is $r->status . ' ' . $r->code, '503 overloaded', 'and so is a handshake';
	is $t->http('alice', from => '127.0.0.22')->get('/messages/unread-count')->status, 200, 'another address is not concerned';
	is $t->node->admin_http->get('/metrics')->status, 200, 'nor is the admin listener';
	my $again = sub { my ($what) = @_; return wait_for($what, sub { my $h = $t->http('alice', @from); my $r = $h->get('/messages/unread-count'); $r && $r->status == 200 && $h }) };
	(pop @kept)->close;
	push @kept, $again->('the place of a WebSocket that has left');
	(shift @kept)->close;
	push @kept, $again->('the place of an HTTP connection that has left');
	$refused->('all taken again');
	# What a dead worker had does not count any more; what the other has does.
	$t->node->allow_deaths(1);
	kill 'KILL', ($t->node->worker_pids)[0];
	push @kept, $again->('the places of a dead worker');
	$t->node->log_like(qr/127\.0\.0\.21 has 20 connections and gets no more \(limits\.connections_per_address\)/);
	my $lines = () = $t->node->log_text =~ /gets no more/g;
	cmp_ok $lines, '<=', 4, 'which is not said each time';
	$t->stop;
};

subtest 'all places of the node are taken' => sub {
	my $t = Tidings->start(workers => 1, conf => {worker_connections => 10, limits => {connections_per_address => 0}});
	# So many, and those that a worker takes to refuse them in words; and some that wait in front of it.
	my @idle = map { Tidings::HTTP::socket_to($t->node->address) } 1 .. 10 + 128 + 20;
	wait_for('no more to be taken', sub { connections($t) >= 138 });
	my $newcomer = $t->http('alice');
	$newcomer->send_request('GET', '/messages/unread-count');
	for my $path ('/metrics', '/readyz', '/healthz') {
		is $t->node->admin_http->get($path)->status, 200, "the admin listener answers $path";
	}
	is connections($t), 138, 'while the public one takes nobody';
	close $_ for splice @idle;
	is $newcomer->response->status, 200, 'who waited is served when there is room';
	$t->stop;
};
done_testing;
