# SPDX-License-Identifier: BSD-2-Clause
# Proves promises about groups that only an odd but legitimate use meets (contract, sections 1, 2 and 7): the order of
# refusals where a path names no group, friends without a row in `users`, ids that have to be percent-encoded, a prefix and
# other origins, the size at which members may mention everyone, who comes in while their worker has not heard of it, who
# comes back, what stays of a dissolved group, and limits that change while the server runs.
use Tidings;
use Tidings::Shape;

my $t = Tidings->start(workers => 2, conf => {http => {prefix => '/im/v1', cors_origins => ['https://page.example']}});
$t->befriend(qw(alice bob carol dave));
my ($alice, $bob, $carol, $dave) = map { $t->api($_) } qw(alice bob carol dave);

sub word { my ($r) = @_; return $r->status < 400 ? $r->status : $r->status . ' ' . $r->code }
sub sends { my ($http, $id, %more) = @_; return $http->post('/messages/send', text_in($id, 'x', %more)) }
sub counts { my ($http) = @_; my $c = $http->get('/messages/unread-count')->json; return [@$c{qw(unread_count mention_count)}] }

subtest 'refusals in order' => sub {
	my $id = $t->group('alice', ['bob']);
	my @asked = (['PUT', '', '{"name":7}'], ['POST', '/members', '{"user_ids":[]}'], ['DELETE', '/members/bob?ban=maybe'], ['PUT', '/members/bob', '{"role":"king"}'], ['PUT', '/owner', '{}'],
		['POST', '/invites', '{"max_uses":0}'], ['GET', '/members?limit=0'], ['GET', '/bans?limit=101'], ['GET', '/requests?limit=x']);
	for my $of ($id, '17179999999', 12) {
		is_deeply [map { word($carol->request($_->[0], "/groups/$of$_->[1]", defined $_->[2] ? (body => $_->[2]) : ())) } @asked], [('400 invalid_argument') x @asked],
			"group $of: the fields come before who asks, and before whether there is such a group";
		is word($carol->get("/groups/$of/members")), '404 not_found', 'which then is 404';
	}
	is word($carol->request('POST', '/groups/0/join')), '404 not_found', 'and so is joining a group without a number';
	my @typed = (body => 'x', headers => ['Content-Type', 'text/plain']);
	is word($alice->request(@$_, @typed)), '415 unsupported_media_type', "$_->[0] of another type" for ['POST', '/groups'], ['PUT', "/groups/$id"], ['POST', "/groups/$id/join"], ['POST', '/invites/x'];
	is word($alice->request('POST', '/groups', body => '{"name":"' . 'x' x 66000 . '"}')), '413 payload_too_large', 'too large';
	is word($t->http(undef)->request('POST', '/groups', @typed)), '401 token_invalid', 'but the token comes first';
	is word($t->http(undef)->request('PATCH', "/groups/$id")), '405 method_not_allowed', 'before it the method';
	is word($t->http(undef)->request('PATCH', "/groups/$id/nothing")), '404 not_found', 'and before that the path';
};

subtest 'from another origin' => sub {
	my $id = $t->group('alice', ['bob']);
	my @origin = (Origin => 'https://page.example');
	for my $path ("/groups", "/groups/$id", "/groups/$id/members/bob", "/groups/$id/invites/x", '/invites/x', '/messages/mentions') {
		my $r = $t->http(undef)->request('OPTIONS', $path, headers => [@origin, 'Access-Control-Request-Method' => 'PUT', 'Access-Control-Request-Headers' => 'authorization']);
		is_deeply [$r->status, $r->header('access-control-allow-origin')], [204, 'https://page.example'], "a preflight of $path";
	}
	is $alice->request('GET', "/groups/$id", headers => \@origin)->header('access-control-allow-origin'), 'https://page.example', 'and an answer';
	is_deeply [map { $_->request('HEAD', "/groups/$id/members")->status } $alice, $carol], [200, 404], 'HEAD is GET without a body';
};

subtest 'friends that the table of users does not know' => sub {
	my @ids = ('a@b:c.d_e-f', '-', 'x' x 64);
	for my $user (@ids) {
		$t->dbh->do('INSERT INTO friendships (user_id, friend_id) VALUES (?, ?), (?, ?)', undef, 'alice', $user, $user, 'alice');
	}
	my $r = $alice->post('/groups', {name => 'Odd', user_ids => [@ids, 'nobody']});
	is_deeply $r->json->{left_out}, [{user_id => 'nobody', code => 'not_found'}], 'they can be in a new group';
	my $id = $r->json->{id};
	is_deeply [sort map { $_->{user}{user_id} } @{$alice->get("/groups/$id/members")->json->{items}}], [sort 'alice', @ids], 'and are listed';
	for my $user (@ids) {
		my $encoded = join '', map { sprintf '%%%02X', ord } split //, $user;
		is $alice->put("/groups/$id/members/$encoded", {role => 'admin'})->json->{role}, 'admin', "$user: found by an encoded path";
		is $t->api($user)->delete("/groups/$id/members/$encoded")->status, 204, 'leaves by one';
		is_deeply $alice->post("/groups/$id/members", {user_ids => [$user]})->json->{added}, [$user], 'and can be added later';
	}
};

subtest 'everyone' => sub {
	my @others = map { "u$_" } 1 .. 20;
	$t->befriend('alice', $_) for @others;
	my $id = $t->group('alice', [@others[0 .. 18]]);
	is word(sends($t->api('u1'), $id, mentions => ['*'])), 201, 'in a group of 20 anyone mentions everyone';
	$alice->post("/groups/$id/members", {user_ids => ['u20']});
	is word(sends($t->api('u1'), $id, mentions => $_)), '403 forbidden', 'in one of 21 no member does' for ['*'], '*', ['u2', '*'];
	is word(sends($alice, $id, mentions => ['*'])), 201, 'but the owner';
};

subtest 'who comes in and whose worker has not heard of it' => sub {
	my $id = $t->group('alice', ['bob']);
	my ($wb, $wc) = ($t->ws('bob'), $t->ws('carol'));
	is $wc->request(type => 'typing', conversation_id => $id)->{code}, 'not_found', 'a stranger does not type';
	$t->dbh->do('INSERT INTO members (user_id, conversation_id, role, joined_seq, first_seq, read_seq, joined_at) VALUES (?, ?, 3, 1, 1, 1, UTC_TIMESTAMP(3))', undef, 'carol', $id);
	is $wc->request(type => 'typing', conversation_id => $id)->{type}, 'result', 'a member types';
	is $wb->expect('typing')->{user_id}, 'carol', 'and the others see it';
	$t->dbh->do('DELETE FROM members WHERE user_id = ? AND conversation_id = ?', undef, 'carol', $id);
	$_->abort for $wb, $wc;
};

subtest 'who leaves and comes back' => sub {
	my $id = $t->group('alice', [qw(bob carol)], settings => {history => 'joined'});
	my $before = counts($bob);
	my $own = sends($bob, $id)->json;
	my $m = $t->say('alice', $id, 'for bob', mentions => ['bob']);
	is_deeply counts($bob), [$before->[0] + 1, $before->[1] + 1], 'a mention is unread';
	$bob->delete("/groups/$id/members/bob");
	is_deeply counts($bob), $before, 'but not for who has left';
	is scalar(grep { $_->{id} eq $m->{id} } @{$bob->get('/messages/mentions')->json->{items}}), 0, 'nor is it listed';
	my @own = (['PUT', "/messages/$own->{id}/recall"], ['DELETE', "/messages/$own->{id}"], ['GET', "/messages/$own->{id}/receipts"], ['PUT', "/messages/$own->{id}/read"]);
	is_deeply [map { word($bob->request(@$_)) } @own], [('404 not_found') x @own], 'his own messages are not his any more';
	is_deeply $t->say('alice', $id, 'to carol', mentions => [qw(bob carol)])->{mentions}, ['carol'], 'he cannot be mentioned';
	$alice->post("/groups/$id/members", {user_ids => ['bob']});
	my $c = $bob->get("/groups/$id")->json;
	is_deeply [@$c{qw(first_seq read_seq unread_count mention_count)}], [($c->{last_message}{seq}) x 2, 0, 0], 'back again he begins with his coming';
	is_deeply [map { $_->{seq} } @{$bob->get("/messages/conversations/$id/messages?$_")->json->{items}}], [$c->{first_seq}], "history: $_" for 'limit=5', 'after=0', "before=" . ($c->{first_seq} + 1);
	is_deeply [map { word($bob->request(@$_)) } @own], [('404 not_found') x @own], 'and sees nothing of before';
	is word(sends($bob, $id, reply_to => $own->{id})), '400 invalid_argument', 'nor replies to it';
	is scalar(grep { $_->{id} eq $m->{id} } @{$bob->get('/messages/mentions')->json->{items}}), 0, 'nor finds its mentions';
	my $sync = $bob->post('/messages/sync', {conversations => [{id => $id, seq => 1, change_seq => 0}], since => undef})->json;
	is_deeply [map { $_->{seq} } @{$sync->{conversations}[0]{messages}}], [$c->{first_seq}], 'nor when catching up';
};

subtest 'receipts' => sub {
	my $id = $t->group('alice', [qw(bob carol)]);
	my $m = $t->say('alice', $id, 'one');
	my $w = $t->ws('alice');
	$bob->put("/messages/conversations/$id/read");
	my $at = $w->expect('read')->{read_at};
	my $sent = $t->say('carol', $id, 'two')->{created_at};
	is_deeply [map { "$_->{user_id} $_->{read_at}" } @{$alice->get("/messages/$m->{id}/receipts")->json->{items}}], ["bob $at", "carol $sent"], 'the times are those of the event, and of the sending';
	my $d = $t->send_text('alice', 'bob', 'direct');
	my $read = $bob->put("/messages/$d->{id}/read")->json;
	is_deeply $_->get("/messages/$d->{id}/receipts")->json, {read_count => 1, items => [{user_id => 'bob', read_at => $read->{read_at}}], next_cursor => undef}, 'one message that was read by itself, for both sides' for $alice, $bob;
	my $other = $t->group('alice', ['bob']);
	$t->say('bob', $id, 'x', client_msg_id => 'once');
	is word(sends($bob, $other, client_msg_id => 'once')), '409 client_msg_id_reused', 'a key that was used in another group';
	$w->abort;
};

subtest 'ways in and out' => sub {
	my $id = $t->group('alice', [], settings => {join => 'approval'});
	is $dave->post("/groups/$id/join")->status, 202, 'one who waits';
	is_deeply $alice->post("/groups/$id/members", {user_ids => ['dave']})->json->{added}, ['dave'], 'can be added by a friend';
	is_deeply $alice->get("/groups/$id/requests")->json->{items}, [], 'and waits no more';
	my $w = $t->ws('dave');
	my $alone = $t->group('dave', []);
	$dave->delete("/groups/$alone/members/dave");
	is_deeply $w->expect('left'), {type => 'left', conversation_id => $alone, reason => 'left'}, 'an owner who leaves alone is told of leaving';
	$w->abort;

	my $m = $t->say('alice', $id, 'before the end');
	$alice->delete("/groups/$id");
	is_deeply [map { $_->{id} eq $id ? $_->{last_message}{extra}{event} : () } @{$dave->get('/messages/conversations?limit=100')->json->{items}}], ['dissolved'], 'a dissolved group stays in the list';
	is_deeply [map { $_->{content} // $_->{extra}{event} } @{$dave->post('/messages/sync', {conversations => [{id => $id, seq => $m->{seq} - 1, change_seq => 0}], since => undef})->json->{conversations}[0]{messages}}],
		['before the end', 'dissolved'], 'is caught up on';
	is_deeply [map { word($dave->request(@$_)) } ['GET', "/groups/$id/members"], ['PUT', "/messages/conversations/$id/read"], ['GET', "/messages/$m->{id}/receipts"]], [200, 200, 200], 'can be read';
	is_deeply [map { word($dave->request(@$_)) } ['POST', "/groups/$id/join"], ['PUT', "/groups/$id", json => {name => 'x'}]], [200, '403 forbidden'], 'and is no other one for its members';
	is word($carol->post("/groups/$id/join")), '404 not_found', 'nobody comes in';
};

subtest 'limits that change' => sub {
	my $id = $t->group('alice', [qw(bob carol)]);
	my $m = $t->say('alice', $id, 'x');
	my $n = $t->node;
	my $limit = sub { $n->configure({%{$n->{conf}}, groups => {@_}})->reload; return };
	$limit->(max_members => 3, receipts_max => 2);
	is $t->http('alice')->post("/groups/$id/members", {user_ids => ['dave']})->json->{left_out}[0]{code}, 'group_full', 'fewer members';
	is word($t->http('alice')->get("/messages/$m->{id}/receipts")), '409 conflict', 'fewer receipts';
	$limit->(max_members => 4, max_per_user => 1);
	is word($t->http('alice')->post('/groups', {name => 'x'})), '409 too_many_groups', 'fewer groups';
	$limit->(max_members => 4);
	is_deeply $t->http('alice')->post("/groups/$id/members", {user_ids => ['dave']})->json->{added}, ['dave'], 'and more again';
	is word($t->http('alice')->get("/messages/$m->{id}/receipts")), 200, 'of both';
};

$t->stop;
done_testing;
