# SPDX-License-Identifier: BSD-2-Clause
# Proves POST /admin/import: what lines make, and that users see it as if it had always been there; that a repeat changes
# nothing, whatever died before; that a line's fault is named and hurts no other; and that nobody is told or has anything unread.
use Tidings;
use Tidings::Util qw(now);
use JSON::PP ();

my $t = Tidings->start(workers => 1, conf => {accounts => 'true'});
my $dbh = $t->dbh;
my $json = JSON::PP->new->canonical->utf8;
sub admin {
	my $http = $t->node->admin_http;
	$http->{token} = $t->token('ops', scope => 'admin');
	return $http;
}
sub lines { return join '', map { (ref $_ ? $json->encode($_) : $_) . "\n" } @_ }
sub import_text { my ($text, %o) = @_; return admin()->request('POST', '/admin/import', headers => ['Content-Type', 'application/x-ndjson'], body => $text, timeout => 120, %o) }
sub import_lines {
	my $r = import_text(lines(@_));
	is $r->status, 200, 'an import' or diag($r->body);
	return $r->json;
}
sub at { my ($n) = @_; return sprintf '2019-03-%02dT%02d:%02d:%02d.%03dZ', 1 + int($n / 86400), int($n / 3600) % 24, int($n / 60) % 60, $n % 60, $n % 1000 }
my $n = 0;
sub message { my (%m) = @_; $n++; return {type => 'message', message_type => 'text', content => "text $n", client_msg_id => "old-$n", created_at => at($n), %m} }
sub is_import { my ($got, $imported, $skipped, $errors, $name) = @_; is_deeply [@$got{qw(imported skipped)}, [map { $_->{line} } @{$got->{errors}}]], [{user => 0, friendship => 0, group => 0, message => 0, %$imported}, $skipped, $errors], $name or diag explain $got }
# Of a member who has something unread before what was imported, that is unread as well, also where it is their own.
sub no_faults { is_deeply [grep { !/^member cat of \d+: own messages that are unread/ } $t->recount_faults], [], 'all counts are right' }

my $ear = $t->ws('ann');
my @people = map { {type => 'user', user_id => $_, nickname => ucfirst $_, avatar_url => "http://pictures.example/$_.png", created_at => '2018-01-02T03:04:05.678Z'} } qw(ann ben cat);
my @friends = map { {type => 'friendship', user_id => $_->[0], friend_id => $_->[1], created_at => '2018-02-02T00:00:00.000Z'} } [qw(ann ben)], [qw(cat ann)];
my @groups = {type => 'group', client_group_id => 'team-1', owner_id => 'ann', name => 'The team', about => 'Old times', settings => {join => 'open'}, members => [{user_id => 'ben', role => 'admin'}, {user_id => 'cat'}, {user_id => 'ann', role => 'owner'}], created_at => '2018-03-03T00:00:00.000Z'};
my @talk = (
	message(from_user_id => 'ann', to_user_id => 'ben', content => 'the oldest of all'),
	message(from_user_id => 'ben', to_user_id => 'ann', reply_to => {from_user_id => 'ann', client_msg_id => 'old-1'}, mentions => ['ann', 'ben', 'cat']),
	message(from_user_id => 'ann', client_group_id => 'team-1', mentions => ['cat', 'ann'], entities => [{type => 'bold', offset => 0, length => 4}]),
	message(from_user_id => 'gone', client_group_id => 'team-1', message_type => 'image', content => undef, media_url => 'https://files.example/a.png', extra => {width => 3}),
	message(from_user_id => 'ben', client_group_id => 'team-1', content => 'a marmalade sandwich'),
);
my @all = (@people, @friends, @groups, @talk);

subtest 'what lines make' => sub {
	is_import import_lines(@all), {user => 3, friendship => 2, group => 1, message => 5}, 0, [], 'each line is done';
	my ($ann, $ben, $cat) = map { $t->api($_) } qw(ann ben cat);
	is_deeply $ann->get('/users/me')->json, {user_id => 'ann', nickname => 'Ann', avatar_url => 'http://pictures.example/ann.png', created_at => '2018-01-02T03:04:05.678Z'}, 'a user';
	is_deeply [map { [$_->{user}{user_id}, $_->{since}] } @{$ann->get('/friends')->json->{items}}], [map { [$_, '2018-02-02T00:00:00.000Z'] } qw(ben cat)], 'friends';
	my @list = @{$ann->get('/messages/conversations')->json->{items}};
	is_deeply [map { [$_->{kind}, $_->{last_message_time}, $_->{unread_count}, $_->{mention_count}] } @list], [['group', at(5), 0, 0], ['direct', at(2), 0, 0]], 'conversations, in the order of their old times, with nothing unread';
	my ($group, $direct) = @list;
	is_deeply [@{$group->{group}}{qw(name about owner_id role member_count)}, $group->{settings}{draft}, $group->{created_at}], ['The team', 'Old times', 'ann', 'owner', 3, undef, '2018-03-03T00:00:00.000Z'], 'a group';
	is $group->{group}{settings}{join}, 'open', 'with its settings';
	is_deeply {map { $_->{user}{user_id} => $_->{role} } @{$ann->get("/groups/$group->{id}/members")->json->{items}}}, {ann => 'owner', ben => 'admin', cat => 'member'}, 'and its members';
	my @said = @{$cat->get("/messages/conversations/$group->{id}/messages")->json->{items}};
	is_deeply [map { [$_->{seq}, $_->{from_user_id}, $_->{created_at}] } @said], [[1, 'ann', '2018-03-03T00:00:00.000Z'], [2, 'ann', at(3)], [3, 'gone', at(4)], [4, 'ben', at(5)]], 'its messages, in order, with their old times';
	is_deeply [$said[1]{mentions}, $said[1]{entities}, @{$said[2]}{qw(message_type media_url)}, $said[2]{extra}], [['cat'], [{type => 'bold', offset => 0, length => 4}], 'image', 'https://files.example/a.png', {width => 3}], 'as they were';
	my @talked = @{$ben->get("/messages/conversations/$direct->{id}/messages")->json->{items}};
	is_deeply [map { [@$_{qw(content is_read read_at reply_to)}] } @talked], [['the oldest of all', JSON::PP::true, at(1), undef], ['text 2', JSON::PP::true, at(2), $talked[0]{id}]], 'between two they are read, and a reply finds what it answers';
	is_deeply $talked[1]{mentions}, ['ann'], 'who is no party is not mentioned';
	for my $user (qw(ann ben cat)) {
		is_deeply $t->api($user)->get('/messages/unread-count')->json, {unread_count => 0, mention_count => 0}, "$user has nothing unread";
	}
	my $found = $cat->get('/messages/search?q=marmalade')->json->{items};
	is_deeply [map { $_->{message}{id} } @$found], [$said[3]{id}], 'search finds it';
	is $ear->request(type => 'ping')->{type}, 'pong', 'and nobody was told';
	is_deeply [grep { $_->{type} ne 'hello' } @{$ear->{events} // []}], [], 'of anything';
	no_faults();
};

subtest 'a repeat changes nothing' => sub {
	my $before = $dbh->selectall_arrayref('SELECT * FROM messages ORDER BY id');
	is_import import_lines(@all), {}, scalar @all, [], 'all of it is skipped';
	is_import import_lines(@all[0 .. 3], @all, @people), {}, 4 + @all + @people, [], 'also twice in one';
	is_deeply $dbh->selectall_arrayref('SELECT * FROM messages ORDER BY id'), $before, 'nothing is doubled';
	my ($last) = map { $_->{id} } @{$t->api('ben')->get('/messages/conversations')->json->{items}}[1];
	my $page = $t->api('ben')->get("/messages/conversations/$last/messages")->json->{items};
	is $t->api('ben')->put("/messages/$page->[1]{id}/recall")->status, 409, 'an old message is as old as it is';
	is admin()->delete("/admin/messages/$page->[1]{id}")->status, 204, 'recalled';
	is_import import_lines($talk[1]), {}, 1, [], 'it does not come back';
	no_faults();
};

subtest 'it goes on where people chat' => sub {
	my ($ann, $ben) = map { $t->api($_) } qw(ann ben);
	my $said = $t->send_text('ann', 'ben', 'hello again');
	my ($group, $direct) = map { $_->{id} } sort { $a->{kind} eq 'group' ? -1 : 1 } @{$ann->get('/messages/conversations')->json->{items}};
	$t->say('ann', $group, 'hello all');
	is_import import_lines(map { message(from_user_id => 'cat', %$_) } {client_group_id => 'team-1'}, {to_user_id => 'ben'}, {client_group_id => 'team-1'}), {message => 3}, 0, [], 'imported behind that';
	is_import import_lines(message(from_user_id => 'ann', to_user_id => 'ben')), {message => 1}, 0, [], 'and there';
	my $b = $ben->get("/messages/conversations/$direct")->json;
	is_deeply [@$b{qw(unread_count last_message_time)}], [1, $said->{created_at}], 'what was unread is so, and the latest time is the latest';
	is $b->{last_message}{seq}, $said->{seq} + 1, 'seq goes on';
	is $t->api('cat')->get("/messages/conversations/$group")->json->{unread_count}, 3, 'who had not read all before it finds it unread';
	is $ann->get("/messages/conversations/$group")->json->{unread_count}, 0, 'who had does not';
	my $sync = $ben->post('/messages/sync', {conversations => [], since => '1-0'})->json;
	is_deeply [grep { $_ eq $direct } map { $_->{conversation}{id} } @{$sync->{conversations}}], [$direct], 'who catches up finds it';
	is $ben->put("/messages/conversations/$direct/read")->json->{unread_count}, 0, 'and it can be read';
};

subtest 'who was erased stays so' => sub {
	my @lines = ((map { {type => 'user', user_id => $_} } qw(eli flo gus)), {type => 'friendship', user_id => 'eli', friend_id => 'flo'}, {type => 'friendship', user_id => 'gus', friend_id => 'eli'},
		{type => 'group', client_group_id => 'team-2', owner_id => 'eli', name => 'Two', members => [{user_id => 'flo'}, {user_id => 'gus', role => 'admin'}]});
	is_import import_lines(@lines), {user => 3, friendship => 2, group => 1}, 0, [], 'people';
	is admin()->delete('/admin/users/eli')->status, 204, 'one of whom is erased';
	wait_for('all of it to be gone', sub { !$dbh->selectrow_array('SELECT COUNT(*) FROM erasures') });
	my $left = sub { return [map { $dbh->selectrow_array("SELECT COUNT(*) FROM $_") } q{friendships WHERE 'eli' IN (user_id, friend_id)}, q{members WHERE user_id = 'eli'}, q{users WHERE id = 'eli'}] };
	is_deeply $left->(), [0, 0, 0], 'is gone';
	is_import import_lines(@lines), {}, 3, [1, 4, 5], 'a repeat names the lines';
	is_deeply $left->(), [0, 0, 0], 'and brings nothing back';
	is_import import_lines({type => 'group', client_group_id => 'team-3', owner_id => 'flo', name => 'Three', members => [{user_id => 'eli'}, {user_id => 'gus'}]}, {type => 'group', client_group_id => 'team-4', owner_id => 'eli', name => 'Four'}), {group => 1}, 0, [2], 'nor does another group';
	is_deeply $left->(), [0, 0, 0], 'though it is made for the others';
	is_deeply $dbh->selectcol_arrayref(q{SELECT m.user_id FROM members m JOIN group_profiles p ON p.id = m.conversation_id WHERE p.client_group_id = 'team-3' ORDER BY 1}), [qw(flo gus)], 'who are in it';
	no_faults();
};

subtest 'a fault hurts no other line' => sub {
	my $good = sub { return message(from_user_id => 'ann', to_user_id => 'cat') };
	my @bad = (
		'{', '[]', '17', '{"type":"user"', '{"type":"user","user_id":"\u0000"}', "{\"type\":\"user\",\"user_id\":\"a\xff\"}",
		{type => 'planet'}, {user_id => 'x'}, {type => 7},
		{type => 'user'}, {type => 'user', user_id => 'a b'}, {type => 'user', user_id => 'me'}, {type => 'user', user_id => 'x', nickname => "a\nb"},
		{type => 'user', user_id => 'x', nickname => 'x' x 65}, {type => 'user', user_id => 'x', avatar_url => 'javascript:1'}, {type => 'user', user_id => 'x', created_at => 'yesterday'},
		{type => 'user', user_id => 'y', created_at => '2999-01-01T00:00:00Z'},
		{type => 'friendship', user_id => 'ann'}, {type => 'friendship', user_id => 'ann', friend_id => 'ann'}, {type => 'friendship', user_id => 'p', friend_id => 'q', created_at => '2999-01-01T00:00:00Z'},
		{type => 'group', owner_id => 'ann', name => 'x'}, {type => 'group', client_group_id => 'g', name => 'x'}, {type => 'group', client_group_id => 'g', owner_id => 'ann'},
		{type => 'group', client_group_id => 'g', owner_id => 'ann', name => 'x', members => {}}, {type => 'group', client_group_id => 'g', owner_id => 'ann', name => 'x', members => ['ben']},
		{type => 'group', client_group_id => 'g', owner_id => 'ann', name => 'x', members => [{user_id => 'ben', role => 'owner'}]}, {type => 'group', client_group_id => 'g', owner_id => 'ann', name => 'x', members => [{user_id => 'ben', role => 'king'}]},
		{type => 'group', client_group_id => 'g', owner_id => 'ann', name => 'x', members => [map { {user_id => "m$_"} } 1 .. 501]}, {type => 'group', client_group_id => 'g', owner_id => 'ann', name => 'x', created_at => '2999-01-01T00:00:00Z'},
		{type => 'group', client_group_id => 'g', owner_id => 'ann', name => 'x', avatar_url => 'tidings:media/0123456789abcdef0123456789abcdef'},
		message(from_user_id => 'ann'), message(to_user_id => 'ann'), message(from_user_id => 'ann', to_user_id => 'ann'), message(from_user_id => 'ann', to_user_id => 'cat', client_group_id => 'team-1'),
		message(from_user_id => 'ann', client_group_id => 'no-such'), message(from_user_id => 'ann', to_user_id => 'cat', content => ''), message(from_user_id => 'ann', to_user_id => 'cat', content => 'x' x 16385),
		message(from_user_id => 'ann', to_user_id => 'cat', message_type => 'system'), message(from_user_id => 'ann', to_user_id => 'cat', message_type => 'sticker', extra => {pack => 'a', sticker => 'b'}),
		message(from_user_id => 'ann', to_user_id => 'cat', client_msg_id => undef), message(from_user_id => 'ann', to_user_id => 'cat', created_at => undef), message(from_user_id => 'ann', to_user_id => 'cat', created_at => '2999-01-01T00:00:00Z'),
		message(from_user_id => 'ann', to_user_id => 'cat', expires_in => 60), message(from_user_id => 'ann', to_user_id => 'cat', message_type => 'image', media_url => 'tidings:media/0123456789abcdef0123456789abcdef'),
		message(from_user_id => 'ann', to_user_id => 'cat', reply_to => '17'), message(from_user_id => 'ann', to_user_id => 'cat', reply_to => {from_user_id => 'ann', client_msg_id => 'never'}), message(from_user_id => 'ann', to_user_id => 'cat', reply_to => {from_user_id => 'ann', client_msg_id => 'old-3'}),
		message(from_user_id => 'ann', to_user_id => 'cat', client_msg_id => 'old-1', created_at => at(1)), message(from_user_id => 'ann', to_user_id => 'ben', client_msg_id => 'old-1'),
		message(from_user_id => 'ann', to_user_id => 'cat', entities => [{type => 'bold', offset => 0, length => 400}]), message(from_user_id => 'ann', to_user_id => 'cat', mentions => {}),
		'{"type":"user","user_id":"long","x":"' . 'x' x 70000 . '"}',
	);
	my @mixed = map { ($_, $good->()) } @bad;
	my $got = import_lines(@mixed, '', '   ', $good->());
	is_import $got, {message => @bad + 1}, 0, [map { 2 * $_ + 1 } 0 .. $#bad], 'the bad ones are named, the good ones are done';
	is_deeply [grep { !length $_->{detail} } @{$got->{errors}}], [], 'each with what is wrong';
	like $got->{errors}[9]{detail}, qr/^user_id: /, 'by the name of its member';
	is_deeply $dbh->selectcol_arrayref("SELECT id FROM users WHERE id IN ('x', 'y', 'long', 'p')"), [], 'nothing of a bad one is there';
	is_deeply $dbh->selectall_arrayref("SELECT created_by FROM group_profiles WHERE client_group_id = 'g'"), [], 'no group either';
	my $many = import_lines(map { '{' } 1 .. 1000);
	is_deeply [scalar @{$many->{errors}}, $many->{errors_omitted}], [100, 900], 'many errors are counted';
	is_import import_text(join "\r\n", map { $json->encode($good->()) } 1 .. 3)->json, {message => 3}, 0, [], 'other line ends, and none at the end';
	is_deeply import_text('')->json->{imported}, {user => 0, friendship => 0, group => 0, message => 0}, 'an empty body';
	no_faults();
};

subtest 'who, and what' => sub {
	refused 'a user', $t->http('ann')->request('POST', '/admin/import', headers => ['Content-Type', 'application/x-ndjson'], body => ''), 404, 'not_found';
	my $http = $t->node->admin_http;
	$http->{token} = $t->token('ann');
	refused 'without the scope', $http->request('POST', '/admin/import', headers => ['Content-Type', 'application/x-ndjson'], body => '{}'), 403, 'forbidden';
	refused 'JSON', admin()->post('/admin/import', {type => 'user', user_id => 'x'}), 415, 'unsupported_media_type';
	my $large = admin();
	$large->raw($large->render('POST', '/admin/import', headers => ['Content-Type', 'application/x-ndjson', 'Content-Length', 64 * 1024 * 1024 + 1]));
	refused 'over 64 MiB', $large->response, 413, 'payload_too_large';
	is((grep { $_->{path} eq '/admin/import' } @{admin()->get('/admin/audit?limit=100')->json->{items}})[0]{status}, 200, 'it is in the audit log');
};

# A large group, whose members come by several lines, and its messages; and many pairs.
my @large = ((map { my $part = $_; {type => 'group', client_group_id => 'large', owner_id => 'u1', name => 'Large', members => [map { {user_id => "u$_"} } $part * 400 + 1 .. $part * 400 + 400], created_at => '2018-01-01T00:00:00Z'} } 0 .. 2),
	map { message(from_user_id => 'u' . (1 + $_ % 1200), $_ % 3 ? (client_group_id => 'large') : (to_user_id => 'v' . ($_ % 40))) } 1 .. 6000);

sub is_whole {
	my ($name) = @_;
	my ($group) = $dbh->selectrow_array("SELECT id FROM group_profiles WHERE client_group_id = 'large'");
	is_deeply $dbh->selectall_arrayref('SELECT COUNT(*), MIN(read_seq) = MAX(read_seq) FROM members WHERE conversation_id = ?', undef, $group), [[1200, 1]], "$name: its members have read alike";
	my $in_order = $dbh->selectcol_arrayref("SELECT client_msg_id FROM messages WHERE id BETWEEN $group << 28 AND ($group << 28) + 268435455 AND message_type = 0 ORDER BY id");
	is_deeply $in_order, [map { $_->{client_msg_id} } grep { $_->{client_group_id} } @large[3 .. $#large]], 'in the order of the lines';
	is $t->api('u7')->get("/messages/conversations/$group")->json->{unread_count}, 0, 'nothing is unread';
	is $dbh->selectrow_array("SELECT COUNT(*) FROM messages WHERE client_msg_id LIKE 'old-%' AND to_user_id LIKE 'v%'"), 2000, 'and nothing between two is missing';
	no_faults();
	return;
}

subtest 'who leaves half-way' => sub {
	my $text = lines(@large);
	my $http = admin();
	$http->raw($http->render('POST', '/admin/import', headers => ['Content-Type', 'application/x-ndjson', 'Content-Length', length $text], body => substr $text, 0, length($text) / 2));
	wait_for('a batch', sub { $dbh->selectrow_array("SELECT COUNT(*) FROM messages WHERE to_user_id = 'v3'") });
	$http->close;
	# The call has ended once it has a status.
	wait_for('the end', sub { $dbh->selectrow_array("SELECT status FROM audit WHERE path = '/admin/import' ORDER BY id DESC LIMIT 1") });
	my $there = $dbh->selectrow_array("SELECT COUNT(*) FROM messages WHERE from_user_id LIKE 'u%'");
	cmp_ok $there, '<', 6000, 'what came is there';
	no_faults();
};

subtest 'a worker that dies half-way' => sub {
	my $text = lines(@large);
	$t->node->allow_deaths(1);
	my $http = admin();
	$http->raw($http->render('POST', '/admin/import', headers => ['Content-Type', 'application/x-ndjson', 'Content-Length', length $text], body => $text));
	my $before = $dbh->selectrow_array('SELECT COUNT(*) FROM messages');
	wait_for('a batch', sub { $dbh->selectrow_array('SELECT COUNT(*) FROM messages') > $before });
	kill 'KILL', $t->node->worker_pids;
	ok !eval { defined $http->response }, 'no answer';
	my $got;
	wait_for('the next worker', sub { $got = eval { import_text($text) }; $got && $got->status == 200 });
	is_deeply [$got->json->{errors}, $got->json->{skipped} + $got->json->{imported}{message} + $got->json->{imported}{group}], [[], scalar @large], 'the repeat is done';
	is_whole('repeated');
	is_import import_text($text)->json, {}, scalar @large, [], 'once more: all is there';
	is_whole('once more');
};

subtest 'two at once, in pieces' => sub {
	my @more = map { message(from_user_id => 'u' . (1 + $_ % 50), $_ % 2 ? (client_group_id => 'large') : (to_user_id => 'w' . ($_ % 7))) } 1 .. 3000;
	my $text = lines(@more);
	my @http = map { admin() } 1 .. 2;
	$_->raw($_->render('POST', '/admin/import', headers => ['Content-Type', 'application/x-ndjson', 'Content-Length', length $text])) for @http;
	for (my $at = 0; $at < length $text; $at += 9999) {
		$_->raw(substr $text, $at, 9999) for @http;
	}
	my @got = map { $_->response(timeout => 120)->json } @http;
	is $got[0]{imported}{message} + $got[1]{imported}{message}, 3000, 'each message by one of them';
	is $got[0]{skipped} + $got[1]{skipped}, 3000, 'and found by the other';
	is_deeply [map { $_->{errors} } @got], [[], []], 'without a fault';
	no_faults();
	my @three = map { admin() } 1 .. 3;
	$_->raw($_->render('POST', '/admin/import', headers => ['Content-Type', 'application/x-ndjson', 'Content-Length', 100])) for @three;
	my $refused = wait_for('one of three to be refused', sub { for (@three) { my $r = eval { $_->response(timeout => 0.2) }; return $r if $r } return });
	refused 'three at once are too many', $refused, 503, 'overloaded';
};

subtest 'a database that fails' => sub {
	my @some = map { message(from_user_id => 'ann', to_user_id => 'ben', created_at => at(50000 + $_)) } 1 .. 500;
	my $there = sub { $dbh->selectrow_array('SELECT COUNT(*) FROM messages') };
	my $before = $there->();
	$dbh->do('RENAME TABLE recalls TO recalls_away');
	refused 'what cannot be written', import_text(lines({type => 'user', user_id => 'fay'}, @some)), 503, 'unavailable';
	$dbh->do('RENAME TABLE recalls_away TO recalls');
	is_deeply [$there->(), $dbh->selectrow_array("SELECT COUNT(*) FROM users WHERE id = 'fay'")], [$before, 1], 'is not there in part, and what was written before stays';
	is_import import_lines({type => 'user', user_id => 'fay'}, @some), {message => 500}, 1, [], 'and is done by a repeat';
	no_faults();
};

subtest 'the index has it' => sub {
	my ($group) = $dbh->selectrow_array("SELECT id FROM group_profiles WHERE client_group_id = 'large'");
	my ($last) = $dbh->selectrow_array('SELECT last_seq FROM group_heads WHERE id = ?', undef, $group);
	wait_for('it to be indexed', sub { ($dbh->selectrow_array('SELECT covered_seq FROM search_heads WHERE conversation_id = ?', undef, $group) // 0) > $last - 17 });
	is_deeply [map { $_->{message}{client_msg_id} } @{$t->api('u7')->get("/messages/search?q=$large[-1]{content}&conversation_id=$group")->json->{items}}], [$large[-1]{client_msg_id}], 'and finds it' if $large[-1]{client_group_id};
	pass 'covered';
};

$t->stop;
done_testing;
