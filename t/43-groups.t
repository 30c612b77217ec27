# SPDX-License-Identifier: BSD-2-Clause
# Proves groups themselves (contract, section 7): making one, its profile and settings, what every request refuses, and
# dissolving; who is told of it.
use Tidings;
use Tidings::Shape;

my $t = Tidings->start(workers => 2, conf => {groups => {max_members => 30, max_per_user => 5}});
$t->befriend(qw(alice bob carol));
$t->befriend(qw(alice dave));
my ($alice, $bob, $carol, $dave, $stranger) = map { $t->api($_) } qw(alice bob carol dave stranger);
my $NEW = {%$GROUP, left_out => [{user_id => 'string', code => 'string'}]};
my $url = 'https://pictures.example/a.png';

sub history { my ($http, $id, $query) = @_; return $http->get("/messages/conversations/$id/messages" . ($query // '')) }
sub last_system {
	my ($http, $id) = @_;
	my $m = history($http, $id, '?limit=1')->json->{items}[0];
	return [$m->{message_type}, $m->{from_user_id}, @{$m->{extra}}{qw(event user_ids)}];
}

subtest 'making one' => sub {
	my ($wa, $wb) = ($t->ws('alice'), $t->ws('bob'));
	my $about = "Every Sunday,\nwhatever the weather \x{1F326}";
	my $r = $alice->post('/groups', {name => " Walkers\x{202e} ", user_ids => [qw(bob carol bob)], avatar_url => $url, about => $about, client_group_id => 'walk',
		settings => {join => 'open', history => 'joined', send => 'admins', add => 'admins', slow_mode_seconds => 86400}});
	is $r->status, 201, 'answers 201' or diag($r->body);
	my $g = $r->json;
	is_deeply delete $g->{left_out}, [], 'nobody is left out';
	is_shape $g, $GROUP, 'the conversation';
	cmp_ok $g->{id}, '>=', 17179869184, 'its id tells its kind';
	is_deeply [@{$g->{group}}{qw(name avatar_url about owner_id role member_count dissolved_at)}], ['Walkers', $url, $about, 'alice', 'owner', 3, undef], 'as asked for, the name cleaned';
	is_deeply $g->{group}{settings}, {join => 'open', history => 'joined', send => 'admins', add => 'admins', slow_mode_seconds => 86400}, 'and its settings';
	is_deeply [@$g{qw(kind unread_count mention_count read_seq first_seq change_seq)}], ['group', 0, 0, 1, 1, 0], 'nothing is unread';
	is_deeply last_system($alice, $g->{id}), ['system', 'alice', 'created', [qw(alice bob carol)]], 'a system message tells of all its members';
	is_shape $g->{last_message}, $GROUP_MESSAGE, 'which is the last message';
	for my $ws ($wa, $wb) {
		my $e = $ws->expect('conversation');
		is_shape $e, {type => 'string', conversation => $GROUP}, "a conversation to $ws->{name}";
		is_deeply [@{$e->{conversation}{group}}{qw(name role member_count)}], ['Walkers', $ws->{name} eq 'alice' ? 'owner' : 'member', 3], 'as they see it';
	}
	is_deeply $bob->get("/groups/$g->{id}")->json->{last_message}, $g->{last_message}, 'a member reads it';
	is $bob->get("/groups/$g->{id}")->json->{group}{role}, 'member', 'with a role of their own';
	is_deeply [map { $_->{id} } @{$carol->get('/messages/conversations')->json->{items}}], [$g->{id}], 'it is in the list of a member';

	$r = $alice->post('/groups', {name => 'Another name', user_ids => ['dave'], client_group_id => 'walk'});
	is $r->status, 200, 'the same client_group_id again: 200';
	is_deeply [$r->json->{id}, $r->json->{group}{name}, $r->json->{left_out}], [$g->{id}, 'Walkers', []], 'and the same group';
	refused('a stranger', $dave->get("/groups/$g->{id}"), 404, 'not_found');
	$r = $bob->post('/groups', {name => 'Bob\'s', client_group_id => 'walk'});
	is $r->status, 201, 'the key is the creator\'s own';
	is_deeply [@{$r->json->{group}}{qw(about avatar_url member_count)}, $r->json->{group}{settings}],
		[undef, undef, 1, {join => 'invite', history => 'all', send => 'all', add => 'all', slow_mode_seconds => 0}], 'alone, and with the defaults';
	$_->abort for $wa, $wb;
};

subtest 'left out' => sub {
	$bob->put('/users/dave/block');
	my $r = $dave->post('/groups', {name => 'x', user_ids => [qw(alice bob stranger nobody)]});
	is_shape $r->json, $NEW, 'made all the same' or diag($r->body);
	is_deeply [sort { $a->{user_id} cmp $b->{user_id} } @{$r->json->{left_out}}],
		[{user_id => 'bob', code => 'blocked'}, {user_id => 'nobody', code => 'not_found'}, {user_id => 'stranger', code => 'not_found'}], 'who could not be added, and why';
	is $r->json->{group}{member_count}, 2, 'the others are in';
	$t->dbh->do("INSERT INTO users (id) VALUES ('stranger')");
	is_deeply $alice->post('/groups', {name => 'x', user_ids => ['stranger']})->json->{left_out}, [{user_id => 'stranger', code => 'not_friends'}], 'no friend';
	$bob->delete('/users/dave/block');
	my %of = (alice => $t->group('alice', []), dave => $t->group('dave', []));
	my $adding = sub {
		my ($by, $whom) = @_;
		my $answer = $t->api($by)->post("/groups/$of{$by}/members", {user_ids => [$whom]})->json;
		$t->api($by)->delete("/groups/$of{$by}/members/$whom");
		return @{$answer->{added}}, map { "$_->{user_id} $_->{code}" } @{$answer->{left_out}};
	};
	$alice->put('/users/dave/block');
	is_deeply [$adding->('dave', 'alice')], ['alice blocked'], 'a friend who blocks one cannot be added';
	is_deeply [$adding->('alice', 'dave')], ['dave'], 'a friend whom one blocks can';
	$alice->delete('/users/dave/block');
	$t->set_blocked('alice', 'dave', 1);
	is_deeply [$adding->('dave', 'alice'), $adding->('alice', 'dave')], ['alice blocked', 'dave'], 'and where another system says so';
	$t->set_blocked('alice', 'dave', 0);
	$t->api($_)->delete("/groups/$of{$_}") for keys %of;
};

subtest 'refusals of making one' => sub {
	my @bad = (
		['no name', {}, qr/^name/], ['null', {name => undef}, qr/^name/], ['an empty name', {name => ''}, qr/^name/], ['a number', {name => 7}, qr/^name/],
		['65 characters', {name => "\x{e9}" x 65}, qr/^name/], ['a control character', {name => "a\nb"}, qr/^name/], ['nothing to be seen', {name => " \x{200b}"}, qr/^name/],
		['NUL', {name => "a\0"}, qr/^name/],
		['about of 1,025', {name => 'x', about => 'y' x 1025}, qr/^about/], ['about that is an object', {name => 'x', about => {}}, qr/^about/], ['about with a bell', {name => 'x', about => "\a"}, qr/^about/],
		['a line separator', {name => "a\x{2029}b"}, qr/^name/], ['about with a control of two bytes', {name => 'x', about => "a\x{85}b"}, qr/^about/],
		['a picture elsewhere', {name => 'x', avatar_url => 'ftp://x/'}, qr/^avatar_url/], ['no picture', {name => 'x', avatar_url => 1}, qr/^avatar_url/],
		['user_ids that is a string', {name => 'x', user_ids => 'bob'}, qr/^user_ids/], ['a number in it', {name => 'x', user_ids => ['bob', 7]}, qr/^user_ids\[1\]/],
		['no user id in it', {name => 'x', user_ids => ['b b']}, qr/^user_ids\[0\]/], ['null in it', {name => 'x', user_ids => [undef]}, qr/^user_ids\[0\]/],
		['501 of them', {name => 'x', user_ids => [map { "u$_" } 1 .. 501]}, qr/^user_ids/],
		['settings that are an array', {name => 'x', settings => []}, qr/^settings/], ['another way to join', {name => 'x', settings => {join => 'closed'}}, qr/^settings\.join: must be invite, approval or open/],
		['another history', {name => 'x', settings => {history => 'none'}}, qr/^settings\.history: must be all or joined/], ['true', {name => 'x', settings => {send => JSON::PP::true()}}, qr/^settings\.send/],
		['who adds', {name => 'x', settings => {add => 'nobody'}}, qr/^settings\.add/],
		['a negative slow mode', {name => 'x', settings => {slow_mode_seconds => -1}}, qr/^settings\.slow_mode_seconds/], ['over a day', {name => 'x', settings => {slow_mode_seconds => 86401}}, qr/^settings\.slow_mode_seconds/],
		['half a second', {name => 'x', settings => {slow_mode_seconds => 0.5}}, qr/^settings\.slow_mode_seconds/], ['a text', {name => 'x', settings => {slow_mode_seconds => '5'}}, qr/^settings\.slow_mode_seconds/],
		['an empty key', {name => 'x', client_group_id => ''}, qr/^client_group_id/], ['a long one', {name => 'x', client_group_id => 'x' x 65}, qr/^client_group_id/], ['one that is a number', {name => 'x', client_group_id => 1}, qr/^client_group_id/],
	);
	my $before = $t->dbh->selectrow_array('SELECT COUNT(*) FROM group_heads');
	refused($_->[0], $alice->post('/groups', $_->[1]), 400, 'invalid_argument', $_->[2]) for @bad;
	is $t->dbh->selectrow_array('SELECT COUNT(*) FROM group_heads'), $before, 'none of them made a group';
	is $carol->post('/groups', {name => "\x{1F326}" x 64, about => '', user_ids => undef, avatar_url => undef, settings => undef, client_group_id => undef})->status, 201, 'at the limits; null is absence';
	is $carol->post('/groups', {name => 'x', about => "\x{1F326}" x 1024, user_ids => [], settings => {join => undef, slow_mode_seconds => undef}})->json->{group}{about}, "\x{1F326}" x 1024, 'the longest about';
	$carol->post('/groups', {name => "g$_"}) for 1 .. 2;
	refused('a sixth group', $carol->post('/groups', {name => 'x'}), 409, 'too_many_groups');
	is_deeply $alice->post('/groups', {name => 'x', user_ids => ['carol']})->json->{left_out}, [{user_id => 'carol', code => 'too_many_groups'}], 'nor can another add her';
};

subtest 'profile and settings' => sub {
	my $id = $t->group('bob', ['alice'], about => 'old', avatar_url => $url);
	my ($wa, $wb) = ($t->ws('alice'), $t->ws('bob'));
	$bob->put("/groups/$id", {settings => {send => 'admins'}});
	is $_->expect('message')->{message}{extra}{event}, 'changed', "the settings have changed: $_->{name}" for $wa, $wb;
	$_->expect('conversation') for $wa, $wb;
	my $r = $bob->put("/groups/$id", {name => 'Renamed'});
	is $r->status, 200, 'the owner changes it' or diag($r->body);
	is_shape $r->json, $GROUP, 'and gets the conversation';
	is_deeply [@{$r->json->{group}}{qw(name about avatar_url)}, $r->json->{group}{settings}{send}], ['Renamed', 'old', $url, 'admins'], 'what was not given stays';
	is last_system($alice, $id)->[2], 'renamed', 'a system message';
	for my $ws ($wa, $wb) {
		is $ws->expect('message')->{message}{extra}{event}, 'renamed', "is pushed to $ws->{name}";
		is $ws->expect('conversation')->{conversation}{group}{name}, 'Renamed', 'and how the group looks now';
	}
	$bob->put("/groups/$id", {about => undef, avatar_url => undef});
	is_deeply [@{$alice->get("/groups/$id")->json->{group}}{qw(name about avatar_url)}], ['Renamed', undef, undef], 'null clears';
	is_deeply last_system($alice, $id), ['system', 'bob', 'changed', []], 'another system message';
	my $seq = history($alice, $id, '?limit=1')->json->{items}[0]{seq};
	is $bob->put("/groups/$id", {name => 'Renamed', settings => {send => 'admins'}})->status, 200, 'the same again';
	is $bob->put("/groups/$id", {})->status, 200, 'and nothing';
	is history($alice, $id, '?limit=1')->json->{items}[0]{seq}, $seq, 'tell nobody';
	is_deeply $bob->put("/groups/$id", {settings => {send => undef}})->json->{group}{settings}{send}, 'all', 'null is the default';
	refused('a member', $alice->put("/groups/$id", {name => 'x'}), 403, 'forbidden');
	refused('a stranger', $dave->put("/groups/$id", {name => 'x'}), 404, 'not_found');
	refused('no name', $bob->put("/groups/$id", {name => undef}), 400, 'invalid_argument', qr/^name/);
	refused('no settings', $bob->put("/groups/$id", {settings => undef}), 400, 'invalid_argument', qr/^settings/);
	refused('an unknown join', $bob->put("/groups/$id", {name => 'y', settings => {join => 'x'}}), 400, 'invalid_argument', qr/^settings\.join/);
	is $alice->get("/groups/$id")->json->{group}{name}, 'Renamed', 'and nothing of it is done';
	refused('no body', $bob->request('PUT', "/groups/$id"), 400, 'malformed_json');
	$_->abort for $wa, $wb;
};

subtest 'ids' => sub {
	my $direct = $t->send_text('alice', 'bob', 'hi')->{conversation_id};
	for my $id ($direct, 0, 17179869183, '17179860000000', '18446744073709551615') {
		refused("GET of $id", $alice->get("/groups/$id"), 404, 'not_found');
		refused("its members", $alice->get("/groups/$id/members"), 404, 'not_found');
		refused("leaving it", $alice->delete("/groups/$id/members/alice"), 404, 'not_found');
		refused("joining it", $alice->post("/groups/$id/join", {}), 404, 'not_found');
	}
	refused($_, $alice->get($_), 404, 'not_found') for '/groups/x', '/groups/', '/groups/1/members/', '/groups/07';
	refused('another method', $alice->post('/groups/17179869184', {}), 405, 'method_not_allowed');
	is $alice->post('/groups/17179869184', {})->header('allow'), 'GET, HEAD, PUT, DELETE', 'with what there is';
	is $alice->delete('/groups')->header('allow'), 'POST', 'likewise';
	refused('without a token', $t->http(undef)->get('/groups/17179869184'), 401, 'token_invalid');
};

subtest 'dissolving' => sub {
	$t->befriend(qw(erin frank));
	my ($erin, $frank) = map { $t->api($_) } qw(erin frank);
	my $id = $t->group('erin', ['frank']);
	my $m = $t->say('frank', $id, 'before');
	my ($we, $wf) = ($t->ws('erin'), $t->ws('frank'));
	refused('a member', $frank->delete("/groups/$id"), 403, 'forbidden');
	refused('a stranger', $dave->delete("/groups/$id"), 404, 'not_found');
	is $erin->delete("/groups/$id")->status, 204, 'the owner';
	for my $ws ($we, $wf) {
		is $ws->expect('message')->{message}{extra}{event}, 'dissolved', "a system message to $ws->{name}";
		is_deeply $ws->expect('left'), {type => 'left', conversation_id => $id, reason => 'dissolved'}, 'and left';
	}
	is $erin->delete("/groups/$id")->status, 204, 'again';
	my $g = $frank->get("/groups/$id")->json;
	like $g->{group}{dissolved_at}, qr/^2/, 'it shows';
	is_deeply [map { $_->{content} // $_->{extra}{event} } @{history($frank, $id)->json->{items}}], ['created', 'before', 'dissolved'], 'its history stays';
	refused('sending', $frank->post('/messages/send', text_in($id, 'x')), 409, 'group_dissolved');
	is $wf->request(type => 'send', %{text_in($id, 'x')})->{code}, 'group_dissolved', 'by WebSocket';
	refused($_->[0], $erin->request(@$_[1, 2], json => $_->[3]), 409, 'group_dissolved') for ['changing', 'PUT', "/groups/$id", {name => 'x'}], ['adding', 'POST', "/groups/$id/members", {user_ids => ['frank']}],
		['passing on', 'PUT', "/groups/$id/owner", {user_id => 'frank'}], ['an invite', 'POST', "/groups/$id/invites", {}];
	is $frank->delete("/groups/$id/members/frank")->status, 204, 'a member can leave it still';
	is_deeply $wf->expect('left'), {type => 'left', conversation_id => $id, reason => 'left'}, 'which their sessions are told';
	refused('who then sees nothing', $frank->get("/groups/$id"), 404, 'not_found');
	$_->abort for $we, $wf;
};

$t->stop;
done_testing;
