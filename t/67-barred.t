# SPDX-License-Identifier: BSD-2-Clause
# Proves that a user can be refused (contract, sections 5b and 12): tidingsctl user revoke, disable, enable, and the same over
# /admin/users, on every node of a cluster, with tokens of any issuer, also without Redis; and that accounts can be made there.
use Tidings;
use JSON::PP ();

my $t = Tidings->start(workers => 2, nodes => 2, conf => {account => {registration => 'open'}});
$t->befriend(qw(ann ben));
my $now = time;
sub with { my ($node, %claims) = @_; return $t->http(undef, node => $node, token => $t->token('ben', %claims)) }
sub refused_on {
	my ($node, $token, $name) = @_;
	my $http = $t->http(undef, node => $node, token => $token);
	wait_for("$name", sub { $http->get('/messages/unread-count')->status == 401 });
	refused $name, $http->get('/messages/unread-count'), 401, 'token_revoked';
	return;
}
sub serves { my ($node, $token, $name) = @_; is $t->http(undef, node => $node, token => $token)->get('/messages/unread-count')->status, 200, $name; return }
my $ops = $t->node->admin_http;
$ops->{token} = $t->token('ops', scope => 'admin');

subtest 'revoke' => sub {
	my ($old, $none, $new) = ($t->token('ben', iat => $now - 10), $t->token('ben'), $t->token('ben', iat => $now + 3600));
	serves($_, $old, 'before') for 0, 1;
	my @ws = map { $t->ws('ben', node => $_, claims => {iat => $now - 10}) } 0, 1;
	is $t->node->ctl_ok(qw(user revoke ben)) // '', '', 'says nothing';
	for my $ws (@ws) {
		is $ws->expect('kicked')->{reason}, 'revoked', 'the session is told why';
		is $ws->close_code, 4001, 'and ends';
	}
	refused_on($_, $old, "an old token on node $_") for 0, 1;
	refused_on($_, $none, "one that does not say how old it is, on node $_") for 0, 1;
	serves($_, $new, 'one from afterwards') for 0, 1;
	serves(0, $t->token('ann'), 'others');
};

subtest 'disable and enable' => sub {
	my ($token, $old) = ($t->token('ben', iat => $now + 3600));
	wait_for('the second of the revocation to be over', sub { $t->http(undef, token => $old = $t->token('ben', iat => time))->get('/messages/unread-count')->status == 200 });
	my $ws = $t->ws('ben', node => 1, claims => {iat => $now + 3600});
	$t->node->ctl_ok(qw(user disable ben));
	is $ws->expect('kicked')->{reason}, 'disabled', 'the session is told why';
	is $ws->close_code, 4001, 'and ends';
	refused_on($_, $token, "any token on node $_") for 0, 1;
	is $t->send_text('ann', 'ben', 'for later')->{content}, 'for later', 'messages to them are stored';
	ok $t->node->ctl_ok(qw(--json user show ben))->{disabled}, 'shown';
	$t->node->ctl_ok(qw(user enable ben));
	wait_for('the token to be good again', sub { $t->http(undef, node => $_, token => $token)->get('/messages/unread-count')->status == 200 }) for 0, 1;
	is $t->http(undef, token => $token)->get('/messages/unread-count')->json->{unread_count}, 1, 'and finds what came';
	refused_on($_, $old, "what was issued before stays refused on node $_") for 0, 1;
};

subtest 'a user who is known by tokens alone' => sub {
	my $token = $t->token('guest', iat => $now - 10);
	serves(0, $token, 'is a user');
	$t->node->ctl_ok(qw(user disable guest));
	refused_on(0, $token, 'until disabled');
	my ($status) = $t->node->ctl(qw(user show nobody-at-all));
	is $status, 1, 'one of whom nothing is known is not shown';
};

subtest 'a login that comes while its user is disabled' => sub {
	is $ops->post('/admin/users', {user_id => 'race', password => 'correct horse'})->status, 201, 'made';
	# The login has its row locked, and is not through yet.
	my $holder = $t->{stack}->dbh($t->{database});
	$holder->do('START TRANSACTION');
	$holder->do("SELECT id FROM users WHERE id = 'race' FOR UPDATE");
	my $logs_in = $t->http(undef);
	my $waits = sub { my ($n) = @_; return $holder->selectrow_array("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%FROM users%''race'' FOR UPDATE%' AND id <> CONNECTION_ID()") >= $n };
	$logs_in->send_request('POST', '/users/login', json => {user_id => 'race', password => 'correct horse'});
	wait_for('the login to wait', sub { $waits->(1) });
	my $bars = $t->node(1)->admin_http;
	$bars->{token} = $ops->{token};
	$bars->send_request('PUT', '/admin/users/race', json => {disabled => JSON::PP::true()});
	wait_for('the change to wait behind it', sub { $waits->(2) });
	$holder->do('COMMIT');
	is $bars->response->status, 200, 'disabled';
	my $in = $logs_in->response;
	is $ops->put('/admin/users/race', {disabled => JSON::PP::false()})->status, 200, 'and enabled';
	refused_on($_, $in->json->{token}, "its token stays refused on node $_") for 0, 1;
	refused 'nor is it renewed', $t->http(undef)->post('/users/refresh', {refresh_token => $in->json->{refresh_token}}), 401, 'token_revoked';
};

subtest 'over /admin/users' => sub {
	my $made = $ops->post('/admin/users', {user_id => 'dora', password => 'correct horse', nickname => 'Dora'});
	is $made->status, 201, 'made' or diag $made->body;
	is_deeply [@{$made->json}{qw(user_id nickname disabled last_seen)}], ['dora', 'Dora', JSON::PP::false(), undef], 'answers it';
	my $in = $t->http(undef)->post('/users/login', {user_id => 'dora', password => 'correct horse'});
	is $in->status, 200, 'can log in';
	refused 'twice', $ops->post('/admin/users', {user_id => 'dora'}), 409, 'conflict';
	refused 'a reserved id', $ops->post('/admin/users', {user_id => 'system'}), 400, 'invalid_argument';
	refused 'a short password', $ops->post('/admin/users', {user_id => 'eve', password => 'x'}), 400, 'invalid_argument';
	my $changed = $ops->put('/admin/users/dora', {nickname => 'Theodora', disabled => JSON::PP::true()});
	is_deeply [$changed->status, @{$changed->json}{qw(nickname disabled)}], [200, 'Theodora', JSON::PP::true()], 'changed';
	refused_on($_, $in->json->{token}, "what was issued before, on node $_") for 0, 1;
	refused 'nor can they log in', $t->http(undef)->post('/users/login', {user_id => 'dora', password => 'correct horse'}), 403, 'forbidden';
	refused 'nor renew', $t->http(undef)->post('/users/refresh', {refresh_token => $in->json->{refresh_token}}), 401, 'token_revoked';
	is $ops->put('/admin/users/dora', {disabled => JSON::PP::false()})->json->{disabled}, JSON::PP::false(), 'enabled';
	my $again = $t->http(undef)->post('/users/login', {user_id => 'dora', password => 'correct horse'});
	is $again->status, 200, 'can log in at once';
	refused_on(0, $in->json->{token}, 'but what was issued before stays refused');
	serves(0, $again->json->{token}, 'and is served');
	is $ops->put('/admin/users/dora', {revoke => JSON::PP::true()})->status, 200, 'revoked';
	refused_on(1, $again->json->{token}, 'on the other node, too');
	my $fresh = $t->http(undef)->post('/users/login', {user_id => 'dora', password => 'correct horse'})->json->{token};
	serves(0, $fresh, 'a login right afterwards is good');
	# There nothing was heard yet, perhaps, of the end of the time when she was disabled.
	wait_for('it to be good on the other node', sub { $t->http(undef, node => 1, token => $fresh)->get('/messages/unread-count')->status == 200 });
	refused 'no such user', $ops->get('/admin/users/nobody-here'), 404, 'not_found';
	refused 'nor can one be renamed, and so made', $ops->put('/admin/users/nobody-here', {nickname => 'Typo'}), 404, 'not_found';
	is $t->dbh->selectrow_array('SELECT COUNT(*) FROM users WHERE id = ?', undef, 'nobody-here'), 0, 'there is no row';
	refused 'enabling one is none either', $ops->put('/admin/users/nobody-here', {disabled => JSON::PP::false()}), 404, 'not_found';
	is $t->dbh->selectrow_array('SELECT COUNT(*) FROM user_states WHERE user_id = ?', undef, 'nobody-here'), 0, 'nor is anything said of them';
	refused 'no boolean', $ops->put('/admin/users/dora', {disabled => 'yes'}), 400, 'invalid_argument';
	is $ops->get('/admin/users/ben')->json->{nickname}, 'Ben', 'anybody can be looked at';
};

subtest 'without Redis' => sub {
	my $token = $t->token('ann', iat => $now - 10);
	serves($_, $token, 'before') for 0, 1;
	$t->{stack}->redis_stop;
	$t->node->ctl_ok(qw(user revoke ann));
	refused_on($_, $token, "refused on node $_ all the same") for 0, 1;
	$t->{stack}->redis_start;
	wait_for('the nodes to be ready', sub { $t->node($_)->admin_http->get('/readyz')->status == 200 }) for 0, 1;
};

$t->stop;
done_testing;
