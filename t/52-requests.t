# SPDX-License-Identifier: BSD-2-Clause
# Proves that requests end whatever becomes of them, and leave nothing behind: the client gone before the answer, the
# database gone, the worker asked to end. A sanitizer tells what is left in a worker when it has ended.
use Tidings;

my $stack = Tidings::stack();
my $t = Tidings->start(workers => 2, conf => {accounts => 'true'});
$t->befriend(qw(alice bob));
my $m = $t->send_text('alice', 'bob', 'the first');
my ($c, $group) = ($m->{conversation_id}, $t->group('alice', ['bob']));
my $n = 0;

# One of each kind that asks the database, by both doors.
sub asked {
	$n++;
	my $send = text_to('bob', 'x' x 2000, client_msg_id => "m$n", extra => {file_name => 'a'}, mentions => ['bob']);
	return (
		[POST => '/messages/send', $send], [POST => '/messages/send', text_in($c, 'by its conversation')], [POST => '/messages/send', text_in($group, 'to all')],
		[GET => '/messages/conversations'], [GET => "/messages/conversations/$c/messages"], [PUT => "/messages/conversations/$c/read", {}],
		[PUT => "/messages/$m->{id}/recall"], [DELETE => "/messages/$m->{id}"], [GET => '/messages/unread-count'],
		[POST => '/messages/sync', {conversations => [{id => $c, seq => 0, change_seq => 0}], since => undef}],
		[POST => '/messages/conversations/create', {user_id => 'bob', source => {kind => 'k', id => '1'}}],
		[POST => '/groups', {name => 'Another', user_ids => ['bob'], client_group_id => "g$n"}], [GET => "/groups/$group"],
		[PUT => "/groups/$group", {about => 'new'}], [GET => "/groups/$group/members?query=b"],
		[POST => "/groups/$group/members", {user_ids => ['bob']}], [POST => "/groups/$group/invites", {}],
		[GET => '/friends'], [POST => '/friends/requests', {user_id => "new$n", note => 'hello'}], [PUT => '/users/carol/block'], [DELETE => '/users/carol/block'],
		[GET => '/users/me'], [PUT => '/users/me', {nickname => "Alice $n"}], [GET => '/notifications'],
		[POST => '/users/register', {user_id => "user$n", password => 'a long secret'}], [POST => '/users/login', {user_id => "user$n", password => 'a long secret'}],
	);
}
sub framed {
	return ({type => 'send', %{text_to('bob', 'by a frame')}}, {type => 'send', %{text_in($c, 'by its conversation')}}, {type => 'watch', user_ids => ['bob', 'carol']},
		{type => 'watch', user_ids => ['bob']}, {type => 'typing', conversation_id => $c}, {type => 'read', conversation_id => $c},
		{type => 'recall', message_id => $m->{id}}, {type => 'delete', message_id => $m->{id}});
}

# All wait for the database, on whose tables somebody has a lock.
sub ask_all {
	my $ws = $t->ws('alice');
	my $dbh = $stack->dbh($t->{database});
	$dbh->do('LOCK TABLES ' . join ', ', map { "$_->[0] WRITE" } @{$dbh->selectall_arrayref('SHOW TABLES')});
	my @asked = asked();
	# Each is asked at once: a connection on which nothing comes is closed.
	my @http;
	for (@asked) {
		push @http, $t->http($_->[1] =~ /register|login/ ? undef : 'alice')->connect;
		$http[-1]->send_request($_->[0], $_->[1], $_->[2] ? (json => $_->[2]) : ());
	}
	my @refs = map { $ws->start(%$_) } framed();
	wait_for('requests that wait', sub { pending() >= 5 });
	return {dbh => $dbh, asked => \@asked, http => \@http, ws => $ws, refs => \@refs};
}
sub pending { return $t->node->ctl_ok('--json', 'status')->{store_pending} }

subtest 'the clients are gone before the answers' => sub {
	my $all = ask_all();
	$_->close for @{$all->{http}};
	$all->{ws}->abort;
	# One more that has not even told all of what it asks.
	my $half = $t->http('alice')->connect;
	$half->raw("POST /messages/send HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer " . $t->token('alice') . "\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{");
	$half->close;
	$all->{dbh}->do('UNLOCK TABLES');
	wait_for('the end of all', sub { pending() == 0 });
	wait_for('the session to be forgotten', sub { $t->node->ctl_ok('--json', 'status')->{sessions} == 0 });
	is $t->http('alice')->get('/messages/unread-count')->status, 200, 'others are served';
};

subtest 'the database is gone before the answers' => sub {
	my $all = ask_all();
	delete $t->{dbh};
	$stack->mariadb_stop('KILL');
	my %answers;
	for my $i (0 .. $#{$all->{asked}}) {
		my $r = $all->{http}[$i]->response;
		$answers{$r->status}++;
		is_deeply [$r->status == 503 ? $r->code : $r->status], ['unavailable'], "$all->{asked}[$i][0] $all->{asked}[$i][1]" if $r->status >= 500;
	}
	is_deeply [grep { $_ != 503 } keys %answers], [], 'each has one answer';
	is $all->{ws}->answer($_)->{type}, 'error', 'and each frame' for @{$all->{refs}};
	is $all->{ws}->request(type => 'ping')->{type}, 'pong', 'the session goes on';
	eval { $all->{dbh}->disconnect };
	$stack->mariadb_start;
	wait_for('/readyz', sub { $t->node->admin_http->get('/readyz')->status == 200 });
	wait_for('a send, whichever worker it meets', sub { eval { $t->send_text('alice', 'bob', 'now') } });
	wait_for('the end of all', sub { pending() == 0 });
	$all->{ws}->close;
};

subtest 'the workers are asked to end before the answers' => sub {
	my $all = ask_all();
	ok $t->node->stop, 'they end in time, with nothing left';
	$all->{dbh}->do('UNLOCK TABLES');
	$t->node->start;
	is $t->http('alice')->get('/messages/unread-count')->status, 200, 'and those after them serve';
};

$t->stop;
done_testing;
