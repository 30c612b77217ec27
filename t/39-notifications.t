# SPDX-License-Identifier: BSD-2-Clause
# Proves notifications (contract, section 5): the door for other modules, who may use it, the list, counting, reading,
# and that every session of the user gets each once, on whatever node.
use Tidings;
use Tidings::Shape;
use JSON::PP ();

my $t = Tidings->start(workers => 2, nodes => 2, conf => {session => {policy => 'multi'}});
$t->befriend(qw(ann ben));
my $moments = $t->http(undef, token => $t->token('moments', scope => 'read notify'));
my $ann = $t->api('ann');

subtest 'from a comment to every session' => sub {
	my @ws = map { $t->ws('ann', node => $_) } 0, 0, 1, 1;
	my $other = $t->ws('ben');
	my $message = $t->send_text('ben', 'ann', 'look at this');
	my $r = $moments->request('POST', '/notifications', body => '{"user_id":"ann", "kind":"moment_comment", "actor_id":"ben", "ref":{"kind":"moment", "id":"77", "z":[1, 2.50, {}]},'
		. qq("message_id":"$message->{id}", "body":"nice \\ud83d\\udc4d"}));
	is $r->status, 201, 'stored' or diag($r->body);
	my $n = $r->json;
	is_shape $n, $NOTIFICATION, 'answers the notification';
	is_deeply [@{$n}{qw(kind ref message_id body)}, $n->{actor}{user_id}, $n->{actor}{nickname}, $n->{is_read} ? 1 : 0],
		['moment_comment', {kind => 'moment', id => '77', z => [1, 2.5, {}]}, $message->{id}, "nice \x{1F44D}", 'ben', 'Ben', 0], 'with all that was said';
	like $r->body, qr/"ref":\{"kind":"moment","id":"77","z":\[1,2\.50,\{\}\]\}/, 'ref as it was written';
	is_deeply $_->expect('notification')->{notification}, $n, 'pushed' for @ws;
	$_->settle for @ws, $other;
	is_deeply [map { $_->queued('notification') } @ws, $other], [], 'once, and to nobody else';
	my $list = $ann->get('/notifications')->json;
	is_shape $list, {items => [$NOTIFICATION], next_cursor => 'string?'}, 'listed';
	is_deeply $list->{items}, [$n], 'the same';
	is_deeply $t->api('ben')->get('/notifications')->json->{items}, [], 'for her alone';
	is $ann->get('/notifications/unread-count')->json->{unread_count}, 1, 'counted';
	refused 'ben cannot read it for her', $t->api('ben')->put("/notifications/$n->{id}/read"), 404, 'not_found';
	for (1, 2) {
		my $read = $ann->put("/notifications/$n->{id}/read");
		is $read->status, 200, 'read';
		is_deeply $read->json, {%$n, is_read => $read->json->{is_read}}, 'answers it';
		ok $read->json->{is_read}, 'as read';
		is $ann->get('/notifications/unread-count')->json->{unread_count}, 0, 'counted no more';
	}
	ok $ann->get('/notifications')->json->{items}[0]{is_read}, 'in the list, too';
};

subtest 'the least there can be' => sub {
	my $r = $moments->post('/notifications', {user_id => 'new.user', kind => 'welcome', actor_id => undef, ref => undef, message_id => undef, body => undef});
	is $r->status, 201, 'kind alone';
	is_deeply [@{$r->json}{qw(actor ref message_id body)}], [undef, undef, undef, undef], 'all else null';
	is_deeply $t->api('new.user')->get('/notifications')->json->{items}, [$r->json], 'it waits for a user who was never here';
	my $unknown = $moments->post('/notifications', {user_id => 'new.user', kind => 'follow', actor_id => 'no-row'})->json;
	is_deeply $unknown->{actor}, {user_id => 'no-row', nickname => undef, avatar_url => undef, created_at => undef}, 'an actor without a profile';
};

subtest 'who may' => sub {
	my %n = (user_id => 'ann', kind => 'spam');
	refused 'a user', $ann->post('/notifications', \%n), 403, 'forbidden';
	refused "scope '$_'", $t->http(undef, token => $t->token('moments', scope => $_))->post('/notifications', \%n), 403, 'forbidden' for 'notifyx', 'xnotify', 'read', '';
	refused 'nobody', $t->http(undef)->post('/notifications', \%n), 401, 'token_invalid';
	is $t->http(undef, token => $t->token('m', scope => $_))->post('/notifications', {user_id => 'sink', kind => 'ok'})->status, 201, "scope '$_'" for 'notify', 'a notify', 'notify b';
	is $ann->get('/notifications/unread-count')->json->{unread_count}, 0, 'nothing of it was stored';
	my ($status, $token) = $t->node->ctl('token', 'moments', '--scope', 'notify');
	chomp $token;
	is $t->http(undef, token => $token)->post('/notifications', {user_id => 'sink', kind => 'ok'})->status, 201, 'a token of tidingsctl';
};

subtest 'pages' => sub {
	my @ids = map { $moments->post('/notifications', {user_id => 'many', kind => 'k', body => "$_"})->json->{id} } 1 .. 25;
	my $many = $t->api('many');
	my ($cursor, @seen) = ('');
	for (1 .. 10) {
		my $page = $many->get('/notifications?limit=10' . ($cursor ne '' ? "&cursor=$cursor" : ''))->json;
		push @seen, map { $_->{id} } @{$page->{items}};
		$cursor = $page->{next_cursor} // last;
	}
	my %made = map { $_->{id} => $_->{body} } map { @{$_->json->{items}} } $many->get('/notifications?limit=100');
	is_deeply [sort @seen], [sort @ids], 'each once';
	is_deeply [map { length($_) . $_ } @seen], [reverse sort map { length($_) . $_ } @seen], 'the newest first';
	is scalar(keys %made), 25, 'or all at once';
	is $many->get('/notifications/unread-count')->json->{unread_count}, 25, 'all unread';
	$many->put("/notifications/$_/read") for @ids[0 .. 9];
	is $many->get('/notifications/unread-count')->json->{unread_count}, 15, 'ten read';
	refused $_, $many->get($_), 400, 'invalid_argument' for '/notifications?limit=0', '/notifications?limit=101', '/notifications?cursor=x', '/notifications?cursor=-1';
};

subtest 'thousands' => sub {
	# They are counted some at a time.
	for my $unread (999, 1000, 1001, 3500) {
		my $dbh = $t->dbh;
		$dbh->do("DELETE FROM notifications WHERE user_id = 'cid'");
		$dbh->do("INSERT INTO notifications (id, user_id, kind, is_read, created_at) SELECT (seq + 1000) << 20, 'cid', 'kind', seq > $unread, UTC_TIMESTAMP(3) FROM seq_1_to_4000");
		is $t->api('cid')->get('/notifications/unread-count')->json->{unread_count}, $unread, "$unread are unread";
	}
};

subtest 'bad input' => sub {
	my @bad = (
		[{kind => 'k'}, qr/user_id/], [{user_id => 'a b', kind => 'k'}, qr/user_id/], [{user_id => 'sink'}, qr/kind/], [{user_id => 'sink', kind => ''}, qr/kind/],
		[{user_id => 'sink', kind => 'k' x 65}, qr/kind/], [{user_id => 'sink', kind => 'a b'}, qr/kind/], [{user_id => 'sink', kind => "\x{e9}"}, qr/kind/], [{user_id => 'sink', kind => 3}, qr/kind/],
		[{user_id => 'sink', kind => 'k', actor_id => 'x y'}, qr/actor_id/], [{user_id => 'sink', kind => 'k', ref => 'moment'}, qr/ref/], [{user_id => 'sink', kind => 'k', ref => [1]}, qr/ref/],
		[{user_id => 'sink', kind => 'k', ref => {x => "\0"}}, qr/ref/], [{user_id => 'sink', kind => 'k', ref => {x => 'y' x 4096}}, qr/ref/],
		[{user_id => 'sink', kind => 'k', message_id => 5}, qr/message_id/], [{user_id => 'sink', kind => 'k', message_id => 'x'}, qr/message_id/], [{user_id => 'sink', kind => 'k', message_id => '99999999999999999999'}, qr/message_id/],
		[{user_id => 'sink', kind => 'k', body => {}}, qr/body/], [{user_id => 'sink', kind => 'k', body => 'b' x 4097}, qr/body/], [{user_id => 'sink', kind => 'k', body => "b\0"}, qr/body/],
	);
	my $before = $t->api('sink')->get('/notifications?limit=100')->json;
	refused substr(JSON::PP->new->canonical->ascii->encode($_->[0]), 0, 60), $moments->post('/notifications', $_->[0]), 400, 'invalid_argument', $_->[1] for @bad;
	is_deeply $t->api('sink')->get('/notifications?limit=100')->json, $before, 'nothing of it was stored';
	refused 'no such one', $ann->put('/notifications/12345/read'), 404, 'not_found';
	refused 'no id', $ann->put('/notifications/xyz/read'), 404, 'not_found';
	my $r = $ann->put('/notifications');
	refused 'another method', $r, 405, 'method_not_allowed';
	is $r->header('allow'), 'GET, HEAD, POST', 'with Allow';
};

$t->stop;
done_testing;
