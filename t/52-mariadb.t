# SPDX-License-Identifier: BSD-2-Clause
# Proves what the database going away costs: sends are refused with 503 and Retry-After and can be repeated, nothing
# acknowledged is lost or doubled when it is killed, WebSockets stay open, and all goes on when it is back.
use Tidings;
use Tidings::Crowd;

my $stack = Tidings::stack();

sub away {
	my ($t) = @_;
	$t->befriend(qw(alice bob));
	my ($alice, $bob) = ($t->ws('alice'), $t->ws('bob'));
	my $m = $alice->request(type => 'send', %{text_to('bob', 'before')})->{message};
	$bob->expect('message');
	delete $t->{dbh};
	$stack->mariadb_stop('KILL');
	my @asked = (
		[POST => '/messages/send', text_to('bob', 'away', client_msg_id => 'away')], [GET => '/messages/conversations'], [GET => '/messages/unread-count'],
		[GET => "/messages/conversations/$m->{conversation_id}/messages"], [PUT => "/messages/conversations/$m->{conversation_id}/read", {}],
		[PUT => "/messages/$m->{id}/recall"], [DELETE => "/messages/$m->{id}"], [POST => '/messages/sync', {conversations => [], since => undef}],
		[POST => '/messages/conversations/create', {user_id => 'bob'}],
	);
	# All at once, so that some come before the worker knows.
	my $ref = $alice->start(type => 'send', %{text_to('bob', 'away', client_msg_id => 'away')});
	my @http = map { $t->http('alice') } @asked;
	for (0 .. $#asked) {
		my ($method, $path, $json) = @{$asked[$_]};
		$http[$_]->send_request($method, $path, $json ? (json => $json) : ());
	}
	for (0 .. $#asked) {
		my $r = $http[$_]->response;
		is $r->status . ' ' . $r->code, '503 unavailable', "$asked[$_][0] $asked[$_][1]";
		like $r->header('retry-after'), qr/^[1-9]\d*$/, 'Retry-After';
	}
	my $e = $alice->answer($ref);
	is "$e->{type} $e->{code}", 'error unavailable', 'a send by WebSocket';
	my $r = wait_for('/readyz to notice', sub { my $r = $t->node->admin_http->get('/readyz'); $r->status == 503 && $r });
	ok length $r->body, 'readyz says why';
	# Each worker has to have met its absence; from then on none waits for it: waiting 3 s each, these would take minutes.
	my $begun = now();
	my @status = map { ($t->http('alice')->get('/messages/unread-count')->status, $t->http('alice')->post('/messages/send', text_to('bob', 'no'))->status,
		$t->http('alice')->put('/friends/bob/block')->status, $t->node->admin_http->get('/readyz')->status) } 1 .. 30;
	is scalar(grep { $_ == 503 } @status), 120, 'all is refused while it is away';
	cmp_ok now() - $begun, '<', 90, 'without waiting for it';
	is $t->api('alice')->post('/messages/send', {})->status, 400, 'what needs no database is answered as ever';
	is $t->http(undef)->get('/messages/unread-count')->status, 401, 'and refused as ever';
	is $_->request(type => 'ping')->{type}, 'pong', "$_->{name} stays" for $alice, $bob;
	is $t->node->admin_http->get('/healthz')->status, 200, 'it is alive';
	$stack->mariadb_start;
	wait_for('/readyz', sub { $t->node->admin_http->get('/readyz')->status == 200 });
	my $ack = wait_for('a send', sub { my $e = $alice->request(type => 'send', %{text_to('bob', 'away', client_msg_id => 'away')}); $e->{type} eq 'ack' && $e });
	is $bob->expect('message')->{message}{content}, 'away', 'the repeat arrives';
	is $ack->{message}{seq}, 2, 'right behind what was before';
	my $read = wait_for('a read, whichever worker it meets', sub { my $r = $t->api('bob')->put("/messages/conversations/$m->{conversation_id}/read"); $r->status == 200 && $r });
	is $read->json->{marked}, 2, 'and reads go on';
	return;
}

sub killed_while_sending {
	my ($t) = @_;
	my $crowd = Tidings::Crowd->new($t, 10);
	delete $t->{dbh};
	my ($killed, $next) = (0, 150);
	$crowd->run(sub { $killed >= 3 && $_[0]->acked_count >= $next }, sub {
		my ($c) = @_;
		return if $killed >= 3 || $c->acked_count < $next;
		$stack->mariadb_stop('KILL');
		$stack->mariadb_start;
		$killed++;
		$next = $c->acked_count + 150;
	});
	note($crowd->acked_count . " acknowledged, $crowd->{retries} repeated, refused: " . join ' ', %{$crowd->{refused}});
	is_deeply [grep { !/^(503|unavailable|overloaded)$/ } keys %{$crowd->{refused}}], [], 'nothing was refused but for a while';
	is $crowd->{without_retry_after} // 0, 0, 'with Retry-After';
	$crowd->check('after three deaths of the database');
	$crowd->close;
	return;
}

for_workers('mariadb', {}, sub {
	my ($t) = @_;
	subtest 'away' => sub { away($t) };
	subtest 'killed while many send' => sub { killed_while_sending($t) };
});

subtest 'no database at the start' => sub {
	my $t = Tidings->start(workers => 2, start => 0);
	$t->befriend(qw(alice bob));
	delete $t->{dbh};
	$stack->mariadb_stop;
	$t->node->start(ready => 0);
	my $r = $t->node->admin_http->get('/readyz');
	is $r->status, 503, 'alive, not ready';
	is $t->http('alice')->post('/messages/send', text_to('bob', 'x'))->code, 'unavailable', 'refuses for a while';
	my $ws = $t->ws('bob');
	is $ws->hello->{user_id}, 'bob', 'a WebSocket may open';
	$stack->mariadb_start;
	wait_for('/readyz', sub { $t->node->admin_http->get('/readyz')->status == 200 });
	# The other worker may not have it yet.
	wait_for('a send, whichever worker it meets', sub { eval { $t->send_text('alice', 'bob', 'now') } });
	is $ws->expect('message')->{message}{content}, 'now', 'and all works once it is there';
	$t->stop;
};

done_testing;
