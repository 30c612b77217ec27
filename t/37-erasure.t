# SPDX-License-Identifier: BSD-2-Clause
# Proves that users are erased (contract, section 5b): what goes at once and what follows, what others are told, what
# stays; that the id stays reserved; that sent messages are recalled where the server is set to it; and that all of it is done,
# and nothing twice, whatever dies meanwhile.
use Tidings;
use JSON::PP ();

my $PASSWORD = 'correct horse';
my $t = Tidings->start(workers => 2, nodes => 2, conf => {limits => {logins_per_minute => 0, sends_per_second => 1000, burst => 10000}});
my $dbh = $t->dbh;
my $anyone = $t->http(undef);

sub enter { my ($of, $user) = @_; return $of->http(undef)->post('/users/register', {user_id => $user, password => $PASSWORD, nickname => ucfirst $user, device => 'Phone'})->json }
sub count { my ($h, $sql, @of) = @_; return scalar $h->selectrow_array("SELECT COUNT(*) FROM $sql", undef, @of) }
sub wait_erased {
	my ($of, $user) = @_;
	wait_for("all of $user to be gone", sub { !count($of->dbh, 'erasures WHERE user_id = ?', $user) });
	return;
}
# Where there is anything of the user that has to go.
sub left_of {
	my ($h, $user) = @_;
	my %places = (users => 'id', friendships => 'user_id friend_id', friend_requests => 'from_user_id to_user_id', friend_declines => 'from_user_id to_user_id',
		friend_request_limits => 'user_id', blocks => 'user_id', notifications => 'user_id', members => 'user_id', group_requests => 'user_id', reactions => 'user_id',
		conversation_settings => 'user_id', sticker_installs => 'user_id', upload_limits => 'user_id', user_names => 'user_id');
	my @left = map { my $table = $_; map { count($h, "$table WHERE $_ = ?", $user) ? "$table.$_" : () } split ' ', $places{$table} } sort keys %places;
	push @left, 'logins' if count($h, q{logins WHERE user_id = ? AND (ended_at IS NULL OR device IS NOT NULL OR address <> '')}, $user);
	push @left, 'media_avatars' if count($h, 'media_avatars WHERE holder = ?', "u:$user");
	push @left, 'messages.reactions' if count($h, "messages WHERE reactions LIKE '%$user%'");
	return @left;
}

subtest 'what goes, and what stays' => sub {
	my $login = enter($t, 'ann');
	enter($t, $_) for qw(ben cat dan eve fay jay kim lou);
	$t->befriend(qw(ann ben cat));
	my %http = map { $_ => $t->api($_) } qw(ann ben cat dan eve fay jay kim lou);
	$http{ann}{token} = $login->{token};
	is $http{ann}->post('/friends/requests', {user_id => 'dan'})->status, 201, 'a request of theirs';
	is $http{eve}->post('/friends/requests', {user_id => 'ann'})->status, 201, 'and one to them';
	for my $pair (['ann', 'kim'], ['lou', 'ann']) {
		my ($from, $to) = @$pair;
		is $http{$from}->post('/friends/requests', {user_id => $to})->status, 201, "$from asks $to";
		is $http{$to}->put("/friends/requests/$from/decline")->status, 204, 'in vain';
	}
	is $http{ann}->put('/users/fay/block')->status, 204, 'they block somebody';
	is $http{jay}->put('/users/ann/block')->status, 204, 'and somebody blocks them';
	is $t->http(undef, token => $t->token('module', scope => 'notify'))->post('/notifications', {user_id => 'ann', kind => 'kind', body => 'x'})->status, 201, 'a notification';
	# Of groups: one passes to an admin, one to the oldest member, one ends; of one they are a member.
	my ($to_admin, $to_oldest, $alone) = ($t->group('ann', ['cat', 'ben']), $t->group('ann', ['ben']), $t->group('ann', []));
	is $http{ann}->put("/groups/$to_admin/members/ben", {role => 'admin'})->status, 200, 'an admin';
	my $of_ben = $t->group('ben', ['ann', 'cat']);
	my $left = $t->group('ben', ['ann']);
	$t->set_blocked('cat', 'ann', 1);
	my ($said, $in_group, $in_left) = ($t->send_text('ben', 'ann', 'hello'), $t->say('ben', $of_ben, 'all'), $t->say('ben', $left, 'bye'));
	my $sent = $t->send_text('ann', 'ben', 'from ann');
	is $http{ann}->put("/messages/$_->{id}/reactions/x")->status, 200, 'a reaction' for $said, $in_group, $in_left;
	is $http{ann}->delete("/groups/$left/members/ann")->status, 204, 'also in a group that they left';
	is $http{ann}->put("/messages/conversations/$said->{conversation_id}/settings", {draft => 'never sent', pinned => JSON::PP::true})->status, 200, 'a draft';
	$dbh->do("INSERT INTO media (id, owner_id, state, size, name, content_type, created_at) VALUES (MD5('a'), 'ann', 1, 1, 'a', 'image/png', UTC_TIMESTAMP(3))");
	$dbh->do("UPDATE users SET avatar_url = CONCAT('tidings:media/', MD5('a'), '/a.png') WHERE id = 'ann'");
	$dbh->do("INSERT INTO media_avatars (holder, media_id) VALUES ('u:ann', MD5('a'))");
	is_deeply [left_of($dbh, 'ann')], [qw(blocks.user_id conversation_settings.user_id friend_declines.from_user_id friend_declines.to_user_id friend_request_limits.user_id friend_requests.from_user_id
		friend_requests.to_user_id friendships.user_id friendships.friend_id members.user_id notifications.user_id reactions.user_id user_names.user_id users.id logins media_avatars
		messages.reactions)], 'there is much of them';

	my @ws = map { $t->ws('ann', node => $_, token => $login->{token}) } 0, 1;
	my $ben = $t->ws('ben', node => 1);
	refused 'a wrong password', $http{ann}->request('DELETE', '/users/me', json => {password => 'wrong horse'}), 403, 'forbidden';
	refused 'none', $http{ann}->request('DELETE', '/users/me', json => {}), 400, 'invalid_argument', qr/password/;
	is $http{ben}->get('/users/ann')->status, 200, 'erase nobody';
	is $http{ann}->request('DELETE', '/users/me', json => {password => $PASSWORD})->status, 204, 'the right one does';

	refused 'the profile is gone at once', $http{ben}->get('/users/ann'), 404, 'not_found';
	for my $ws (@ws) {
		is $ws->expect('kicked')->{reason}, 'erased', 'sessions are told why';
		is $ws->close_code, 4001, 'and end';
	}
	for my $node (0, 1) {
		my $http = $t->http(undef, node => $node, token => $login->{token});
		wait_for("node $node to know", sub { $http->get('/messages/unread-count')->status == 401 });
		refused "the token on node $node", $http->get('/messages/unread-count'), 401, 'token_revoked';
		refused "one of another issuer on node $node", $t->http('ann', node => $node)->get('/messages/unread-count'), 401, 'token_revoked';
	}
	refused 'the refresh token', $anyone->post('/users/refresh', {refresh_token => $login->{refresh_token}}), 401, 'token_revoked';
	refused 'logging in', $anyone->post('/users/login', {user_id => 'ann', password => $PASSWORD}), 401, 'credentials_invalid';
	refused 'registering the id', $anyone->post('/users/register', {user_id => 'ann', password => $PASSWORD}), 409, 'conflict';
	is $ben->expect('notification')->{notification}{kind}, 'friend_removed', 'friends are told';
	wait_erased($t, 'ann');
	is_deeply [left_of($dbh, 'ann')], [], 'nothing is left';
	is count($dbh, 'media_idle WHERE media_id = MD5(?)', 'a'), 1, 'the picture will be looked at';
	refused 'sending to them', $http{ben}->post('/messages/send', text_to('ann', 'still there?')), 403, 'not_friends';
	refused 'notifying them', $t->http(undef, token => $t->token('module', scope => 'notify'))->post('/notifications', {user_id => 'ann', kind => 'kind'}), 404, 'not_found';
	refused 'asking them', $http{fay}->post('/friends/requests', {user_id => 'ann'}), 404, 'not_found';
	is $http{jay}->get('/users/blocked')->json->{items}[0]{user_id}, 'ann', 'who blocked them still does';

	is_deeply [map { my $g = $http{ben}->get("/groups/$_")->json->{group}; "$g->{owner_id} $g->{member_count}" } $to_admin, $to_oldest, $of_ben], ['ben 2', 'ben 1', 'ben 2'], 'groups are passed on, and left';
	ok $dbh->selectrow_array('SELECT dissolved_at IS NOT NULL AND member_count = 0 FROM group_heads WHERE id = ?', undef, $alone), 'one without others is dissolved';
	is_deeply $http{ben}->get("/messages/$_->{id}")->json->{reactions}, [], 'reactions are gone' for $said, $in_group, $in_left;
	wait_for('ben to be told', sub { $ben->fill(0); $ben->queued('reaction') >= 3 });
	is_deeply [map { $_->{added} ? 'added' : $_->{user_id} } $ben->queued('reaction')], [('ann') x 3], 'and that was told';
	my $kept = $http{ben}->get("/messages/$sent->{id}")->json;
	is_deeply [@$kept{qw(from_user_id content is_recalled)}], ['ann', 'from ann', JSON::PP::false()], 'what they sent stays';
	is $http{ben}->get("/messages/conversations/$sent->{conversation_id}")->json->{peer}{nickname}, undef, 'from nobody who is known';
	is_deeply [$t->recount_faults], [], 'the counts agree';
	$ben->abort;
};

# As if others had done something behind the stages that are over, before they knew.
subtest 'another round where the last one has found something' => sub {
	$dbh->do($_) for "INSERT INTO friendships (user_id, friend_id) VALUES ('ann', 'ben'), ('ben', 'ann')",
		"INSERT INTO notifications (id, user_id, kind, created_at) SELECT seq, 'ann', 'kind', UTC_TIMESTAMP(3) FROM seq_1_to_1200",
		"INSERT INTO erasures (user_id, erased_at, due_at, stage) VALUES ('ann', UTC_TIMESTAMP(3) - INTERVAL 1 HOUR, UTC_TIMESTAMP(3), 4)";
	wait_erased($t, 'ann');
	is_deeply [left_of($dbh, 'ann')], [], 'nothing is left, of many rows neither';
	$dbh->do("INSERT INTO friendships (user_id, friend_id) VALUES ('ben', 'ann')");
	$dbh->do("INSERT INTO erasures (user_id, erased_at, due_at, stage, found) VALUES ('ann', UTC_TIMESTAMP(3) - INTERVAL 1 HOUR, UTC_TIMESTAMP(3), 4, 1)");
	wait_erased($t, 'ann');
	is_deeply [left_of($dbh, 'ann')], [], 'nor where it was an earlier stage that found something';
};

subtest 'only those who have a password' => sub {
	$t->befriend(qw(gil ben));
	refused 'an account of another system', $t->http('gil')->request('DELETE', '/users/me', json => {password => 'any'}), 403, 'forbidden';
	$t->node->ctl_ok(qw(user erase gil));
	wait_erased($t, 'gil');
	is_deeply [left_of($dbh, 'gil')], [], 'but the administrator may';
	like +($t->node->ctl(qw(user erase nobody)))[2], qr/no user nobody/, 'not one who is not there';
	ok $t->node->ctl_ok(qw(--json user show gil))->{erased_at}, 'shown as erased';
};

subtest 'guesses are counted' => sub {
	my $u = Tidings->start(workers => 1, conf => {limits => {logins_per_minute => 3}});
	my $http = $u->http(undef, token => enter($u, 'hal')->{token});
	my @status = map { $http->request('DELETE', '/users/me', json => {password => 'wrong horse'})->status } 1 .. 6;
	is_deeply [@status[0, -1]], [403, 429], 'there cannot be many';
	is $u->http('ann')->get('/users/hal')->status, 200, 'and the user is still there';
	$u->stop;
};

subtest 'one who cannot be erased now keeps no other waiting' => sub {
	enter($t, $_) for qw(mia noa);
	$t->befriend(qw(mia noa));
	my $m = $t->send_text('noa', 'mia', 'hello');
	is $t->api('mia')->put("/messages/$m->{id}/reactions/x")->status, 200, 'a reaction';
	my $lock = $t->stack->dbh($t->{database});
	$lock->begin_work;
	$lock->do("SELECT 1 FROM conversations WHERE id = $m->{conversation_id} FOR UPDATE");
	$t->node->ctl_ok(qw(user erase mia));
	wait_for('it to be tried', sub { count($dbh, q{erasures WHERE user_id = 'mia' AND stage = 2}) });
	$t->node->ctl_ok(qw(user erase noa));
	wait_erased($t, 'noa');
	is count($dbh, q{erasures WHERE user_id = 'mia'}), 1, 'while the other one has to wait';
	$lock->rollback;
	$lock->disconnect;
	wait_erased($t, 'mia');
	is_deeply [left_of($dbh, 'mia'), left_of($dbh, 'noa')], [], 'and is erased when that is over';
};

subtest 'a request that is under way makes nobody anew' => sub {
	enter($t, 'ida');
	my $http = $t->http('ida');
	my $lock = $t->stack->dbh($t->{database});
	$lock->begin_work;
	$lock->do("SELECT 1 FROM users WHERE id = 'ida' FOR UPDATE");
	$http->send_request('PUT', '/users/me', json => {nickname => 'Still here'});
	# Asked more often, MariaDB answers the same for ever.
	wait_for('it to wait for the row', sub { select undef, undef, undef, 0.2; count($dbh, "information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'") });
	$lock->do("DELETE FROM users WHERE id = 'ida'");
	$lock->do("INSERT INTO user_states (user_id, erased_at, changed_at) VALUES ('ida', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))");
	$lock->commit;
	refused 'it finds no user', $http->response, 404, 'not_found';
	is count($dbh, "users WHERE id = 'ida'"), 0, 'and makes none';
	$lock->disconnect;
};
$t->stop;

subtest 'messages are recalled, whatever dies' => sub {
	my $u = Tidings->start(workers => 2, nodes => 2, conf => {account => {erase_messages => 'true'}, session => {policy => 'device'}, limits => {sends_per_second => 10000, burst => 10000, requests_per_second => 0}});
	my $h = $u->dbh;
	my @friends = map { "f$_" } 10 .. 39;
	my $login = enter($u, 'ann');
	$u->befriend('ann', @friends);
	my $ann = $u->api('ann');
	my @groups = map { $u->group('ann', [@friends[$_, $_ + 1, $_ + 2]]) } 0 .. 9;
	my (@sent, @reacted);
	for my $to (@friends) {
		push @sent, map { $u->send_text('ann', $to, "to $to $_")->{id} } 1 .. 5;
		push @reacted, $u->send_text($to, 'ann', 'to ann')->{id};
	}
	push @sent, map { my $g = $_; map { $u->say('ann', $g, "in $g $_")->{id} } 1 .. 20 } @groups;
	is $ann->put("/messages/$_/reactions/x")->status, 200, 'a reaction' for @reacted;
	my @ws = map { $u->ws($friends[0], node => $_, name => "at $_", query => "device=d$_") } 0, 1;
	is $u->http(undef, token => $login->{token})->request('DELETE', '/users/me', json => {password => $PASSWORD})->status, 204, 'erased';
	my $deaths = 6;
	$_->allow_deaths(4 * $deaths) for $u->nodes;
	my $steps = sub { return join ' ', $h->selectrow_array('SELECT stage, after, due_at FROM erasures') };
	for my $round (1 .. $deaths) {
		my $at = $steps->() or last;
		wait_for('it to go on', sub { $steps->() ne $at });
		my $node = $u->node($round % 2);
		kill 'KILL', $round % 3 ? $node->worker_pids : $node->writer_pids;
	}
	wait_erased($u, 'ann');
	is_deeply [left_of($h, 'ann')], [], 'nothing is left';
	my $ids = join ',', @sent;
	is count($h, "messages WHERE id IN ($ids) AND is_recalled = 1 AND content IS NULL"), scalar @sent, 'all messages are recalled';
	is count($h, "messages WHERE from_user_id = 'ann' AND message_type <> 7 AND is_recalled = 0"), 0, 'and none is left out';
	is_deeply $h->selectcol_arrayref('SELECT message_id FROM changes WHERE kind = 0 GROUP BY message_id HAVING COUNT(*) > 1'), [], 'none twice';
	is_deeply $h->selectcol_arrayref("SELECT id FROM group_profiles p WHERE owner_id = 'ann' OR NOT EXISTS (SELECT 1 FROM members m WHERE m.conversation_id = p.id AND m.user_id = p.owner_id AND m.role = 1)"), [], 'each group has an owner';
	is_deeply [$u->recount_faults], [], 'the counts agree';
	for my $ws (@ws) {
		wait_for("$ws->{name} to be told", sub {
			$ws->fill(0);
			return $ws->{ended} || grep({ $_->{type} eq 'resync' } @{$ws->{events}}) || 5 <= grep { $_->{type} eq 'recalled' } @{$ws->{events}};
		});
		$ws->abort;
	}
	$u->stop;
};

done_testing;
