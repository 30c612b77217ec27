# SPDX-License-Identifier: BSD-2-Clause
# Proves that what is done to a group is done once, answered and told although the answer to its COMMIT was lost: at once
# where the database is found again, and by a repeat where it stayed away until the asker was refused.
use Tidings;
use Tidings::GroupWatch;
use Tidings::Proxy;
use Tidings::Recount;

my $proxy = Tidings::Proxy->new(dir => Tidings::dir(), to => Tidings::stack()->mariadb_socket);
my $t = Tidings->start(workers => 1, conf => {mysql => {socket => $proxy->socket}});
$t->befriend(qw(alice bob carol dave erin));

sub word { my ($r) = @_; return $r->status < 400 ? $r->status : $r->status . ' ' . $r->code }
sub changes_of { my ($id) = @_; return [map { JSON::PP->new->decode($_)->{event} } @{$t->dbh->selectcol_arrayref('SELECT extra FROM messages WHERE id >> 28 = ? AND message_type = 7 ORDER BY id', undef, $id)}] }
sub ready { wait_for('the database', sub { $t->node->admin_http->get('/readyz')->status == 200 }); return }

# Who asks, for what, what it answers in the end, what a repeat answers that finds it done, and what is told.
my @steps = (
	[add => 'alice', 'POST', '/groups/ID/members', {user_ids => [qw(dave erin)]}, 200, 200, 'added'],
	[remove => 'alice', 'DELETE', '/groups/ID/members/carol', undef, 204, 204, 'removed'],
	[ban => 'alice', 'DELETE', '/groups/ID/members/carol?ban=true', undef, 204, 204, 'removed'],
	[leave => 'carol', 'DELETE', '/groups/ID/members/carol', undef, 204, '404 not_found', 'left'],
	[join => 'dave', 'POST', '/invites/CODE', {}, 200, 200, 'joined'],
	[role => 'alice', 'PUT', '/groups/ID/members/bob', {role => 'admin'}, 200, 200, 'role'],
	['pass on' => 'alice', 'PUT', '/groups/ID/owner', {user_id => 'bob'}, 200, '403 forbidden', 'owner'],
	[change => 'alice', 'PUT', '/groups/ID', {name => 'other'}, 200, 200, 'renamed'],
	[dissolve => 'alice', 'DELETE', '/groups/ID', undef, 204, 204, 'dissolved'],
);

for my $step (@steps) {
	my ($name, $who, $method, $path, $body, $done, $again, $event) = @$step;
	for my $stays_away (0, 1) {
		subtest $name . ($stays_away ? ', and the database stays away' : '') => sub {
			my $id = $t->group('alice', [qw(bob carol)]);
			my $code = $t->api('alice')->post("/groups/$id/invites", {max_uses => 1})->json->{code};
			my $at = $path =~ s/ID/$id/r =~ s/CODE/$code/r;
			my $watch = Tidings::GroupWatch->new(user => 'bob', id => $id, open => sub { $t->ws('bob') }, http => sub { $t->http('bob') });
			wait_for('the session', sub { $watch->look });
			my ($before) = $t->dbh->selectrow_array('SELECT last_seq FROM group_heads WHERE id = ?', undef, $id);
			my $http = $t->http($who);
			$proxy->lose('\x03RELEASE SAVEPOINT whole;COMMIT\z');
			$http->send_request($method, $at, $body ? (json => $body) : ());
			$proxy->lost;
			$proxy->open if !$stays_away;
			my $got = word($http->response);
			if ($stays_away) {
				is $got, '503 unavailable', 'refused, for nobody knows';
				$proxy->open;
				ready();
				$got = word($http->request($method, $at, $body ? (json => $body) : ()));
				is $got, $again, 'asked again, it is found done';
			} else {
				is $got, $done, 'done';
			}
			is_deeply changes_of($id), ['created', $event], 'once, and told once';
			is_deeply [$t->recount_faults], [], 'the rows agree';
			wait_for('the others to hear of it', sub { $watch->hears($before + 1) });
			$watch->ws->settle;
			$watch->look;
			my ($spans) = Tidings::Recount::replay_members($t->dbh, $id);
			is_deeply [$watch->check($spans->{bob}, $before + 1)], [], 'who heard it once';
			$watch->drop;
			ready();
		};
	}
}

subtest 'creating' => sub {
	my $http = $t->http('alice');
	my $body = {name => 'lost', user_ids => [qw(bob carol)], client_group_id => 'lost'};
	$proxy->lose('\x03RELEASE SAVEPOINT whole;COMMIT\z');
	$http->send_request('POST', '/groups', json => $body);
	$proxy->lost;
	is word($http->response), '503 unavailable', 'refused, for nobody knows';
	$proxy->open;
	ready();
	my $r = $http->post('/groups', $body);
	is $r->status, 200, 'asked again with its key, it is found' or diag($r->body);
	is_deeply changes_of($r->json->{id}), ['created'], 'once';
	is $t->dbh->selectrow_array("SELECT COUNT(*) FROM group_profiles WHERE client_group_id = 'lost'"), 1, 'there is no other';
	is_deeply [$t->recount_faults], [], 'the rows agree';
};

$proxy->stop;
$t->stop;
done_testing;
