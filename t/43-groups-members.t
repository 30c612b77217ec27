# SPDX-License-Identifier: BSD-2-Clause
# Proves what is done to the members of a group (contract, section 7): adding, leaving, removing, banning, roles, mutes,
# passing it on; what each role may; who is told of it, and what those who went see.
use Tidings;
use Tidings::Shape;

my $t = Tidings->start(workers => 2, conf => {groups => {max_members => 8, max_per_user => 6}});
$t->befriend(qw(alice bob carol dave erin));
my ($alice, $bob, $carol, $dave, $erin, $stranger) = map { $t->api($_) } qw(alice bob carol dave erin stranger);
my $MEMBER = {user => $PROFILE, role => 'string', joined_at => 'time', muted_until => 'time?'};

sub history { my ($http, $id, $query) = @_; return $http->get("/messages/conversations/$id/messages" . ($query // ''))->json->{items} }
sub events { my ($http, $id) = @_; return [map { join ' ', $_->{from_user_id}, $_->{extra}{event}, @{$_->{extra}{user_ids}} } grep { $_->{message_type} eq 'system' } @{history($http, $id)}] }
sub roles { my ($http, $id) = @_; return [map { "$_->{user}{user_id} $_->{role}" } @{$http->get("/groups/$id/members")->json->{items}}] }
sub quiet {
	my ($name, @ws) = @_;
	$_->settle for @ws;
	is_deeply [map { my $ws = $_; map { "$ws->{name}: $_->{type}" } $ws->queued } @ws], [], $name;
	return;
}
# Ends the group, so that nobody is in too many.
sub forget { my ($owner, $id, @others) = @_; $owner->delete("/groups/$id"); $_->delete("/groups/$id/members/" . $_->{user}) for @others; return }

subtest 'the list' => sub {
	my $id = $t->group('carol', [qw(dave alice bob)]);
	$carol->put("/groups/$id/members/dave", {role => 'admin'});
	my $r = $bob->get("/groups/$id/members");
	is_shape $r->json, {items => [$MEMBER], next_cursor => 'string?'}, 'members';
	is_deeply roles($bob, $id), ['carol owner', 'dave admin', 'alice member', 'bob member'], 'owner and admins first';
	is $r->json->{items}[0]{user}{nickname}, 'Carol', 'with their profiles';
	my (@all, $cursor);
	do {
		my $page = $bob->get("/groups/$id/members?limit=1" . (defined $cursor ? "&cursor=$cursor" : ''))->json;
		push @all, map { $_->{user}{user_id} } @{$page->{items}};
		$cursor = $page->{next_cursor};
	} while (defined $cursor && @all < 9);
	is_deeply \@all, [qw(carol dave alice bob)], 'page by page';
	my $found = sub { return [map { $_->{user}{user_id} } @{$bob->get("/groups/$id/members?query=$_[0]")->json->{items}}] };
	is_deeply $found->('da'), ['dave'], 'by the beginning of an id';
	is_deeply $found->('Aro'), ['carol'], 'by a part of a nickname, in any case';
	is_deeply $found->('%25'), [], 'no pattern';
	is_deeply $found->('_'), [], 'nor this one';
	refused('an empty query', $bob->get("/groups/$id/members?query="), 400, 'invalid_argument', qr/^query/);
	refused('NUL', $bob->get("/groups/$id/members?query=%00"), 400, 'invalid_argument', qr/^query/);
	refused('no UTF-8', $bob->get("/groups/$id/members?query=%ff"), 400, 'invalid_argument', qr/^query/);
	refused('a long one', $bob->get("/groups/$id/members?query=" . 'x' x 65), 400, 'invalid_argument', qr/^query/);
	refused("the cursor $_", $bob->get("/groups/$id/members?cursor=$_"), 400, 'invalid_argument', qr/^cursor/) for '', 'bob', '4-bob', '0-bob', '3-', '3-b%20b', '3bob';
	refused("the limit $_", $bob->get("/groups/$id/members?limit=$_"), 400, 'invalid_argument', qr/^limit/) for 0, 101, 'x';
	refused('a stranger', $erin->get("/groups/$id/members"), 404, 'not_found');
	forget($carol, $id);
};

subtest 'adding' => sub {
	my $id = $t->group('alice', ['bob']);
	my $old = $t->say('alice', $id, 'before carol');
	my ($wa, $wb, $wc, $wd) = map { $t->ws($_) } qw(alice bob carol dave);
	my $r = $bob->post("/groups/$id/members", {user_ids => [qw(carol stranger alice dave carol)]});
	is $r->status, 200, 'a member adds friends' or diag($r->body);
	is_deeply [sort @{$r->json->{added}}], [qw(carol dave)], 'who were added';
	is_deeply [sort { $a->{user_id} cmp $b->{user_id} } @{$r->json->{left_out}}], [{user_id => 'alice', code => 'already_member'}, {user_id => 'stranger', code => 'not_found'}], 'and who not, and why';
	is_deeply events($alice, $id), ['alice created alice bob', 'bob added carol dave'], 'in one system message';
	is $_->expect('message')->{message}{extra}{event}, 'added', "which $_->{name} is pushed" for $wa, $wb;
	for my $ws ($wc, $wd) {
		my $e = $ws->expect('conversation');
		is_deeply [$e->{conversation}{id}, @{$e->{conversation}}{qw(read_seq unread_count first_seq)}], [$id, 3, 0, 1], "the new one to $ws->{name}, who has read up to there";
	}
	my $new = $t->say('alice', $id, 'after carol');
	is $_->expect('message', sub { $_[0]{message}{message_type} eq 'text' })->{message}{id}, $new->{id}, "$_->{name} hears what comes then" for $wb, $wc, $wd;
	is_deeply [map { $_->{content} // '-' } @{history($carol, $id)}], ['-', 'before carol', '-', 'after carol'], 'history: all';
	is $carol->get('/messages/unread-count')->json->{unread_count}, 1, 'one is unread';
	is_deeply $bob->post("/groups/$id/members", {user_ids => ['carol']})->json, {added => [], left_out => [{user_id => 'carol', code => 'already_member'}]}, 'again';
	is scalar(@{events($alice, $id)}), 2, 'tells nobody';

	$alice->put("/groups/$id", {settings => {history => 'joined', add => 'admins'}});
	refused('a member, where admins add', $bob->post("/groups/$id/members", {user_ids => ['erin']}), 403, 'forbidden');
	is $alice->post("/groups/$id/members", {user_ids => ['erin']})->status, 200, 'the owner may';
	my $joined = history($alice, $id, '?limit=1')->[0]{seq};
	is_deeply [map { $_->{seq} } @{history($erin, $id)}], [$joined], 'history: joined';
	is $erin->get("/groups/$id")->json->{first_seq}, $joined, 'the first that erin may see';
	refused('none', $alice->post("/groups/$id/members", {user_ids => []}), 400, 'invalid_argument', qr/^user_ids/);
	refused('over a hundred', $alice->post("/groups/$id/members", {user_ids => [map { "u$_" } 1 .. 101]}), 400, 'invalid_argument', qr/^user_ids/);
	refused('null', $alice->post("/groups/$id/members", {user_ids => undef}), 400, 'invalid_argument', qr/^user_ids/);
	refused('no user id', $alice->post("/groups/$id/members", {user_ids => ['..']}), 400, 'invalid_argument', qr/^user_ids\[0\]/);
	refused('a stranger', $stranger->post("/groups/$id/members", {user_ids => ['erin']}), 404, 'not_found');
	$t->befriend('alice', map { "n$_" } 1 .. 5);
	my $many = $alice->post("/groups/$id/members", {user_ids => [map { "n$_" } 1 .. 5]})->json;
	is_deeply [scalar @{$many->{added}}, map { $_->{code} } @{$many->{left_out}}], [3, 'group_full', 'group_full'], 'as many as there is room for';
	$_->abort for $wa, $wb, $wc, $wd;
	forget($alice, $id);
};

subtest 'leaving and removing' => sub {
	my $id = $t->group('alice', [qw(bob carol dave)]);
	$alice->put("/groups/$id/members/bob", {role => 'admin'});
	my ($wa, $wb, $wc, $wc2, $wd) = ($t->ws('alice'), $t->ws('bob'), $t->ws('carol'), $t->ws('carol', name => 'carol 2'), $t->ws('dave'));
	refused('a member removes nobody', $carol->delete("/groups/$id/members/dave"), 403, 'forbidden');
	refused('an admin not the owner', $bob->delete("/groups/$id/members/alice"), 403, 'forbidden');
	refused('the owner cannot leave', $alice->delete("/groups/$id/members/alice"), 409, 'conflict');
	is $carol->delete("/groups/$id/members/carol")->status, 204, 'a member leaves';
	is_deeply $_->expect('left'), {type => 'left', conversation_id => $id, reason => 'left'}, "left, to $_->{name}" for $wc, $wc2;
	is $_->expect('message')->{message}{extra}{event}, 'left', "a system message to $_->{name}" for $wa, $wb, $wd;
	refused('who has left sees nothing', $carol->get($_), 404, 'not_found') for "/groups/$id", "/groups/$id/members", "/messages/conversations/$id/messages";
	refused('sends nothing', $carol->post('/messages/send', text_in($id, 'x')), 404, 'not_found');
	refused('reads nothing', $carol->put("/messages/conversations/$id/read"), 404, 'not_found');
	is_deeply $carol->post('/messages/sync', {conversations => [{id => $id, seq => 1, change_seq => 0}], since => undef})->json->{gone}, [$id], 'and is told so when catching up';
	refused('leaves not again', $carol->delete("/groups/$id/members/carol"), 404, 'not_found');
	my $m = $t->say('alice', $id, 'without carol');
	is $_->expect('message', sub { $_[0]{message}{message_type} eq 'text' })->{message}{id}, $m->{id}, "$_->{name} goes on" for $wb, $wd;
	quiet('carol hears nothing', $wc, $wc2);

	is $bob->delete("/groups/$id/members/dave")->status, 204, 'an admin removes a member';
	is_deeply $wd->expect('left'), {type => 'left', conversation_id => $id, reason => 'removed'}, 'who is told';
	is $bob->delete("/groups/$id/members/dave")->status, 204, 'again';
	is $bob->delete("/groups/$id/members/nobody")->status, 204, 'and one who never was a member';
	refused('no user id', $bob->delete("/groups/$id/members/b%20b"), 404, 'not_found');
	$alice->post("/groups/$id/members", {user_ids => ['carol']});
	is_deeply [map { $_->{content} // '-' } @{history($carol, $id)}], ['-', '-', '-', 'without carol', '-', '-'], 'who comes back sees what the rule gives' or diag explain events($carol, $id);
	is $carol->get("/groups/$id")->json->{unread_count}, 0, 'and has read it';
	is_deeply events($alice, $id), ['alice created alice bob carol dave', 'alice role bob', 'carol left carol', 'bob removed dave', 'alice added carol'], 'all of it is told';
	$_->abort for $wa, $wb, $wc, $wc2, $wd;
	forget($alice, $id);
};

subtest 'alone' => sub {
	my $id = $t->group('dave', []);
	is $dave->delete("/groups/$id/members/dave")->status, 204, 'an owner who is alone leaves';
	refused('and is out', $dave->get("/groups/$id"), 404, 'not_found');
	ok $t->dbh->selectrow_array('SELECT dissolved_at IS NOT NULL FROM group_heads WHERE id = ?', undef, $id), 'it is dissolved';
};

subtest 'bans' => sub {
	my $id = $t->group('alice', [qw(bob carol dave)]);
	$alice->put("/groups/$id/members/bob", {role => 'admin'});
	my $wd = $t->ws('dave');
	is $bob->delete("/groups/$id/members/dave?ban=true")->status, 204, 'an admin bans';
	is_deeply $wd->expect('left'), {type => 'left', conversation_id => $id, reason => 'banned'}, 'who is told';
	is $bob->delete("/groups/$id/members/erin?ban=true")->status, 204, 'also one who is no member';
	my $r = $bob->get("/groups/$id/bans");
	is_shape $r->json, {items => [{user => $PROFILE, banned_by => 'string', created_at => 'time'}], next_cursor => 'string?'}, 'the list';
	is_deeply [map { "$_->{user}{user_id} by $_->{banned_by}" } @{$r->json->{items}}], ['dave by bob', 'erin by bob'], 'of them';
	my $page = $bob->get("/groups/$id/bans?limit=1")->json;
	is_deeply [$page->{next_cursor}, map { $_->{user}{user_id} } @{$bob->get("/groups/$id/bans?limit=1&cursor=$page->{next_cursor}")->json->{items}}], ['dave', 'erin'], 'page by page';
	refused('to a member', $carol->get("/groups/$id/bans"), 403, 'forbidden');
	refused('to a stranger', $stranger->get("/groups/$id/bans"), 404, 'not_found');
	is_deeply $alice->post("/groups/$id/members", {user_ids => ['dave']})->json->{left_out}, [{user_id => 'dave', code => 'banned'}], 'they cannot be added';
	refused('a member lifts none', $carol->delete("/groups/$id/bans/dave"), 403, 'forbidden');
	is $bob->delete("/groups/$id/bans/$_")->status, 204, "lifted: $_" for qw(dave dave nobody);
	is_deeply $alice->post("/groups/$id/members", {user_ids => ['dave']})->json->{added}, ['dave'], 'then they can';
	refused('a ban that is neither', $bob->delete("/groups/$id/members/dave?ban=maybe"), 400, 'invalid_argument', qr/^ban/);
	refused('of oneself', $bob->delete("/groups/$id/members/bob?ban=true"), 400, 'invalid_argument', qr/^ban/);
	is $bob->delete("/groups/$id/members/dave?ban=false")->status, 204, 'false removes';
	is_deeply [map { $_->{user}{user_id} } @{$bob->get("/groups/$id/bans")->json->{items}}], ['erin'], 'alone';
	$wd->abort;
	forget($alice, $id);
};

subtest 'roles' => sub {
	my $id = $t->group('alice', [qw(bob carol dave)]);
	my ($wb, $wc) = ($t->ws('bob'), $t->ws('carol'));
	my $r = $alice->put("/groups/$id/members/bob", {role => 'admin'});
	is_shape $r->json, $MEMBER, 'the member';
	is_deeply [$r->json->{user}{user_id}, $r->json->{role}], ['bob', 'admin'], 'is an admin';
	is $wb->expect('conversation')->{conversation}{group}{role}, 'admin', 'who sees it';
	is $wc->expect('message')->{message}{extra}{event}, 'role', 'others have the system message';
	quiet('and nothing more', $wc);
	is $alice->put("/groups/$id/members/bob", {role => 'admin'})->status, 200, 'again';
	is scalar(grep { /role/ } @{events($alice, $id)}), 1, 'tells nobody';
	is $bob->put("/groups/$id", {about => 'changed by an admin'})->status, 200, 'an admin changes the profile';
	refused('but no roles', $bob->put("/groups/$id/members/carol", {role => 'admin'}), 403, 'forbidden');
	refused('a member even less', $carol->put("/groups/$id/members/dave", {role => 'admin'}), 403, 'forbidden');
	refused('nobody the owner\'s', $alice->put("/groups/$id/members/alice", {role => 'member'}), 403, 'forbidden');
	refused('no member', $alice->put("/groups/$id/members/erin", {role => 'admin'}), 404, 'not_found');
	refused('a stranger', $erin->put("/groups/$id/members/bob", {role => 'member'}), 404, 'not_found');
	refused('the role ' . ($_ // 'null'), $alice->put("/groups/$id/members/bob", {role => $_}), 400, 'invalid_argument', qr/^role/) for 'owner', '', undef, 2;
	is $alice->put("/groups/$id/members/bob", {role => 'member'})->json->{role}, 'member', 'and back';

	refused('passing it on to a stranger', $alice->put("/groups/$id/owner", {user_id => 'erin'}), 404, 'not_found');
	refused('by a member', $bob->put("/groups/$id/owner", {user_id => 'bob'}), 403, 'forbidden');
	refused('to no user id', $alice->put("/groups/$id/owner", {user_id => 'b b'}), 400, 'invalid_argument', qr/^user_id/);
	refused('to nobody', $alice->put("/groups/$id/owner", {}), 400, 'invalid_argument', qr/^user_id/);
	$r = $alice->put("/groups/$id/owner", {user_id => 'carol'});
	is_shape $r->json, $GROUP, 'passed on: the conversation';
	is_deeply [@{$r->json->{group}}{qw(owner_id role)}], ['carol', 'admin'], 'the old owner is an admin';
	is_deeply roles($dave, $id), ['carol owner', 'alice admin', 'bob member', 'dave member'], 'so everybody sees it';
	is $wc->expect('conversation', sub { $_[0]{conversation}{group}{role} eq 'owner' })->{conversation}{group}{owner_id}, 'carol', 'the new owner is told';
	is events($dave, $id)->[-1], 'alice owner carol', 'by one system message';
	is $carol->put("/groups/$id/owner", {user_id => 'carol'})->status, 200, 'to oneself: nothing';
	$_->abort for $wb, $wc;
	forget($carol, $id);
};

subtest 'mutes' => sub {
	my $id = $t->group('alice', [qw(bob carol)]);
	$alice->put("/groups/$id/members/bob", {role => 'admin'});
	my $seq = history($alice, $id, '?limit=1')->[0]{seq};
	my $r = $bob->put("/groups/$id/members/carol", {muted_until => '2099-01-01T08:00:00+08:00'});
	is $r->json->{muted_until}, '2099-01-01T00:00:00.000Z', 'until a time' or diag($r->body);
	is $alice->get("/groups/$id/members?query=carol")->json->{items}[0]{muted_until}, '2099-01-01T00:00:00.000Z', 'which the list shows';
	my $sent = $carol->post('/messages/send', text_in($id, 'x'));
	refused('muted', $sent, 403, 'muted');
	cmp_ok $sent->header('retry-after'), '>', 1e9, 'with the time that is left';
	is_deeply [@{$t->ws('carol', name => 'carol once')->request(type => 'send', %{text_in($id, 'x')})}{qw(type code)}], ['error', 'muted'], 'by WebSocket too';
	is $carol->put("/messages/conversations/$id/read")->status, 200, 'reading goes on';
	is $bob->put("/groups/$id/members/carol", {muted_until => undef})->json->{muted_until}, undef, 'null ends it';
	is $carol->post('/messages/send', text_in($id, 'x'))->status, 201, 'then she may send';
	is $bob->put("/groups/$id/members/carol", {muted_until => '2020-01-01T00:00:00Z'})->json->{muted_until}, undef, 'a time in the past is null';
	is $bob->put("/groups/$id/members/carol", {muted_until => '1960-01-01T00:00:00Z'})->json->{muted_until}, undef, 'however long ago';
	is $bob->put("/groups/$id/members/carol", {})->json->{role}, 'member', 'nothing given changes nothing';
	is history($alice, $id, '?limit=1')->[0]{seq}, $seq + 1, 'no system message tells of it';
	my $soon = $t->dbh->selectrow_array(q{SELECT DATE_FORMAT(UTC_TIMESTAMP() + INTERVAL 1 HOUR, '%Y-%m-%dT%H:%i:%sZ')});
	$alice->put("/groups/$id/members/carol", {muted_until => $soon});
	my $left = $carol->post('/messages/send', text_in($id, 'x'))->header('retry-after');
	ok $left > 3000 && $left <= 3601, 'an hour' or diag($left);
	$t->dbh->do('UPDATE members SET muted_until = UTC_TIMESTAMP(3) WHERE user_id = ? AND conversation_id = ?', undef, 'carol', $id);
	is $carol->post('/messages/send', text_in($id, 'x'))->status, 201, 'it ends by itself';
	refused('an admin cannot mute the owner', $bob->put("/groups/$id/members/alice", {muted_until => $soon}), 403, 'forbidden');
	refused('nor another admin', $bob->put("/groups/$id/members/bob", {muted_until => $soon}), 403, 'forbidden');
	refused('a member nobody', $carol->put("/groups/$id/members/bob", {muted_until => $soon}), 403, 'forbidden');
	is $alice->put("/groups/$id/members/bob", {muted_until => $soon})->status, 200, 'the owner an admin';
	is $bob->post('/messages/send', text_in($id, 'x'))->status, 201, 'whom it does not concern while he is one';
	refused('the time ' . ($_ // 'null'), $alice->put("/groups/$id/members/carol", {muted_until => $_}), 400, 'invalid_argument', qr/^muted_until/)
		for '', 'soon', '2026-01-01', '2026-01-01 00:00:00', '2026-13-01T00:00:00Z', '9999-12-31T23:59:59-01:00', 7, JSON::PP::true(), {};
	forget($alice, $id);
};

$t->stop;
done_testing;
