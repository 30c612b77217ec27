# SPDX-License-Identifier: BSD-2-Clause
# Proves the administration API (contract, section 12) as far as it goes: who may, and where; that each call is in the
# audit log before it does anything, whatever dies; sending as others and as `system`; recalling, and groups; finding and erasing users; the figures.
use Tidings;
use Tidings::Shape;
use JSON::PP ();

my $t = Tidings->start(workers => 2);
$t->befriend(qw(ann ben));
my $dbh = $t->dbh;
my ($ann, $ben, $cat) = map { $t->api($_) } qw(ann ben cat);
sub admin {
	my (%claims) = @_;
	my $http = $t->node->admin_http;
	$http->{token} = $t->token('ops', scope => 'admin', %claims);
	return $http;
}
my $ops = admin();
# What the log has of the paths that begin so, newest first.
sub logged {
	my ($begin) = @_;
	return grep { $_->{path} =~ /^\Q$begin\E/ } @{$ops->get('/admin/audit?limit=100')->json->{items}};
}

subtest 'who may, and where' => sub {
	refused 'nobody', $t->node->admin_http->get('/admin/stats'), 401, 'token_invalid';
	refused "scope '$_'", admin(scope => $_)->get('/admin/stats'), 403, 'forbidden' for '', 'notify', 'admins';
	is admin(scope => 'notify admin')->get('/admin/stats')->status, 200, 'one scope of several';
	refused 'an old token', admin(exp => time - 3600)->get('/admin/audit'), 401, 'token_expired';
	refused 'on the public listener', $t->http(undef, token => $t->token('ops', scope => 'admin'))->get('/admin/stats'), 404, 'not_found';
	refused 'what users do is not there', $ops->get('/messages/conversations'), 404, 'not_found';
	refused 'no such path', $ops->get('/admin/nothing'), 404, 'not_found';
	refused 'another method', $ops->put('/admin/stats', {}), 405, 'method_not_allowed';
	my ($status, $token) = $t->node->ctl('token', 'carl', '--scope', 'admin');
	my $carl = $t->node->admin_http;
	$carl->{token} = $token =~ s/\s+//gr;
	is $carl->get('/admin/audit')->status, 200, 'a token of tidingsctl';
	is_deeply [logged('/')], [], 'none of these is in the log';
};

subtest 'figures' => sub {
	my $ws = $t->ws('ann');
	my $stats;
	wait_for('the session to be counted', sub { $stats = $ops->get('/admin/stats')->json; $stats->{websockets} == 1 });
	is_deeply [map { scalar @{$stats->{processes}{$_}} } qw(workers writers relays)], [2, 1, 1], 'each process';
	is $stats->{node_id}, $t->node->ctl_ok('--json', 'status')->{node_id}, 'and whose they are';
	ok $stats->{counters}{sessions_opened} >= 1, 'counters';
};

subtest 'the nodes' => sub {
	my $stats;
	wait_for('both workers to hear each other', sub { $stats = $ops->get('/admin/stats')->json; $stats->{nodes}[0]{workers} == 2 });
	is_deeply $stats->{nodes}, [{node_id => $stats->{node_id}, workers => 2, silent => 0}], 'this one, with its workers';
	ok !$stats->{more_nodes}, 'and no other';
};

subtest 'sessions' => sub {
	my %ws = map { $_ => $t->ws('dan', query => "device=$_") } qw(web phone pad);
	my $seen = $ops->get('/admin/users/dan/sessions')->json;
	is $seen->{node_id}, $ops->get('/admin/stats')->json->{node_id}, 'of this node';
	ok $seen->{online}, 'the user is online';
	is_deeply {map { $_->{device} => $_->{session_id} } @{$seen->{items}}}, {map { $_ => $ws{$_}->hello->{session_id} } keys %ws}, 'each with its device';
	my (@pages, $next);
	do {
		my $page = $ops->get('/admin/users/dan/sessions?limit=1' . ($next ? "&cursor=$next" : ''))->json;
		push @pages, map { $_->{device} } @{$page->{items}};
		$next = $page->{next_cursor};
	} while defined $next;
	is_deeply [sort @pages], [qw(pad phone web)], 'page by page';
	is_deeply [@{$ops->get('/admin/users/nobody/sessions')->json}{qw(online items)}], [JSON::PP::false(), []], 'nobody has none';
	refused "$_", $ops->get("/admin/users/dan/sessions?$_"), 400, 'invalid_argument' for 'limit=0', 'limit=101', 'cursor=x', 'cursor=4294967296';
	refused 'no session\'s id', $ops->delete("/admin/users/dan/sessions/$_"), 404, 'not_found' for 'x', $ws{web}->hello->{session_id} . '0', '%00' x 8;
	is $ops->delete('/admin/users/ben/sessions/' . $ws{web}->hello->{session_id})->status, 204, 'by another\'s name it is not found';
	is $ops->delete('/admin/users/dan/sessions/' . $ws{web}->hello->{session_id})->status, 204, 'one is ended, whichever worker has it';
	is $ws{web}->expect('kicked')->{reason}, 'kicked', 'and told why';
	is $ws{web}->close_code, 4001, 'and closed';
	is $ops->delete('/admin/users/dan/sessions/' . $ws{web}->hello->{session_id})->status, 204, 'again';
	is_deeply [sort map { $_->{device} } @{$ops->get('/admin/users/dan/sessions')->json->{items}}], [qw(pad phone)], 'the others stay';
	is $ops->delete('/admin/users/dan/sessions')->status, 204, 'all are ended';
	is $ws{$_}->expect('kicked')->{reason}, 'kicked', $_ for qw(phone pad);
	is $t->ws('dan')->hello->{type}, 'hello', 'the user may come back';
	is scalar(grep { $_->{method} eq 'DELETE' } logged('/admin/users/dan/sessions')), 3, 'each is in the log';
	$t->{stack}->redis_stop('KILL');
	wait_for('Redis to be missed', sub { !$ops->get('/admin/stats')->json->{redis} });
	refused 'without Redis not all workers can be told', $ops->delete('/admin/users/dan/sessions'), 503, 'unavailable';
	$t->{stack}->redis_start;
	wait_for('Redis in every worker', sub { $ops->get('/admin/stats')->json->{redis} });
};

subtest 'the server writes to anybody' => sub {
	my $ws = $t->ws('cat');
	my %hi = (to_user_id => 'cat', message_type => 'text', content => 'maintenance at noon', client_msg_id => 'note-1');
	my $r = $ops->post('/admin/messages', \%hi);
	is $r->status, 201, 'a stranger';
	is_shape $r->json, $MESSAGE, 'answers the message';
	is $r->json->{from_user_id}, 'system', 'from the account of the server';
	is $ws->expect('message')->{message}{content}, 'maintenance at noon', 'pushed';
	is $cat->get('/messages/conversations')->json->{items}[0]{unread_count}, 1, 'and unread';
	is $ops->post('/admin/messages', \%hi)->status, 200, 'a repeat is one';
	refused 'with another text it is none', $ops->post('/admin/messages', {%hi, content => 'x'}), 409, 'client_msg_id_reused';
	is $cat->put('/users/system/block')->status, 204, 'who blocks it';
	is $ops->post('/admin/messages', {%hi, client_msg_id => 'note-2'})->status, 201, 'is told all the same';
	refused 'nobody answers it', $cat->post('/messages/send', text_to('system', 'thanks')), 403, 'not_friends';
	my $group = $t->group('ann', ['ben']);
	$ann->put("/groups/$group", {settings => {send => 'admins'}});
	my $seat = $t->ws('ben');
	my $said = $ops->post('/admin/messages', {conversation_id => $group, message_type => 'text', content => 'to all'});
	is $said->status, 201, 'a group, without being in it';
	is $seat->expect('message', sub { $_[0]{message}{message_type} eq 'text' })->{message}{from_user_id}, 'system', 'its members hear it';
	is_deeply $t->group_recount('ben', $group), [1, 0], 'it is unread' or diag explain $t->group_recount('ben', $group);
	is_deeply [map { $_->{user}{user_id} } @{$ann->get("/groups/$group/members")->json->{items}}], [qw(ann ben)], 'and nobody came in';
	refused 'no such group', $ops->post('/admin/messages', {conversation_id => '' . ($group + 99), message_type => 'text', content => 'x'}), 404, 'not_found';
	is_deeply [$t->recount_faults], [], 'all counts are right';
};

subtest 'twenty at once' => sub {
	my @http = map { admin() } 1 .. 20;
	my %same = (to_user_id => 'dan', message_type => 'text', content => 'once', client_msg_id => 'note-20');
	$_->send_request('POST', '/admin/messages', json => \%same) for @http;
	my @r = map { $_->response } @http;
	is_deeply [sort map { $_->status } @r], [(200) x 19, 201], 'the same message is stored once';
	is $t->api('dan')->get('/messages/unread-count')->json->{unread_count}, 1, 'and unread once';
	my $said = $r[0]->json->{id};
	$_->send_request('DELETE', "/admin/messages/$said") for @http;
	is_deeply [map { $_->response->status } @http], [(204) x 20], 'recalled by all of them';
	is $dbh->selectrow_array('SELECT COUNT(*) FROM changes WHERE message_id = ?', undef, $said), 1, 'once';
	is_deeply [$t->recount_faults], [], 'all counts are right';
};

subtest 'what is large, and what is odd' => sub {
	my $long = 'x' x 16384;
	is $ops->post('/admin/messages', {to_user_id => 'eve', message_type => 'text', content => $long})->status, 201, 'as large a text as users send';
	refused 'a body over http.max_body', admin()->post('/admin/messages', {to_user_id => 'eve', message_type => 'text', content => 'x' x 70000}), 413, 'payload_too_large';
	$ops = admin();
	is $ops->delete('/%61dmin/messages/12345')->status, 404, 'a path that is written in another way';
	is((logged('/admin/messages/12345'))[0]{method}, 'DELETE', 'is found by its name');
	my $group = $t->group('ann', ['ben']);
	my $said = $t->say('ben', $group, 'hello');
	my $r = $ops->post('/admin/messages', {conversation_id => $group, message_type => 'text', content => 'a reply', reply_to => $said->{id}, mentions => '*'});
	is_deeply [$r->status, $r->json->{reply_to}, $r->json->{mentions}], [201, $said->{id}, ['*']], 'a reply that mentions everybody';
	is $ben->get("/messages/conversations/$group")->json->{mention_count}, 1, 'counted';
	my ($synced) = grep { $_->{conversation}{id} eq $group } @{$ben->post('/messages/sync', {conversations => [], since => '1-0'})->json->{conversations}};
	is $synced->{messages}[-1]{content}, 'a reply', 'and synced';
	is_deeply [$t->recount_faults], [], 'all counts are right';
};

subtest 'many at once' => sub {
	my @http = map { admin() } 1 .. 100;
	$http[$_]->send_request('POST', '/admin/messages', json => {from_user_id => 'ann', %{text_to('ben', "burst $_")}}) for 0 .. $#http;
	my %got;
	$got{$_->response->status}++ for @http;
	is_deeply [grep { !/^(201|503)$/ } keys %got], [], 'are done, or refused';
	is_deeply [grep { !defined $_->{status} } logged('/')], [], 'none is left without its status';
	is $ann->put('/messages/conversations/' . $ann->get('/messages/conversations')->json->{items}[0]{id} . '/settings', {pinned => JSON::PP::true()})->status, 200, 'and she whose name was used is not refused';
};

subtest 'whoever dies' => sub {
	my $group = $t->group('ann', ['ben']);
	my %ws = map { $_ => $t->ws($_) } qw(ben fay);
	$t->node->allow_deaths(2);
	my @asked;
	for my $i (1 .. 20) {
		for my $to ({conversation_id => "$group"}, {to_user_id => 'fay'}) {
			my %say = (%$to, message_type => 'text', content => "$i", client_msg_id => "died-$i-" . join '', values %$to);
			push @asked, \%say;
			my $r;
			wait_for('it to be stored', sub { $r = eval { admin()->post('/admin/messages', \%say, timeout => 10) }; $r && $r->status < 300 });
		}
		kill 'KILL', $t->node->writer_pids if $i == 7 || $i == 14;
	}
	for my $user (qw(ben fay)) {
		my @got = map { $ws{$user}->expect('message', sub { $_[0]{message}{from_user_id} eq 'system' && $_[0]{message}{message_type} eq 'text' })->{message}{content} } 1 .. 20;
		is_deeply \@got, [1 .. 20], "$user was told of each, once and in order";
	}
	is $dbh->selectrow_array("SELECT COUNT(*) FROM messages WHERE client_msg_id LIKE 'died-%'"), 40, 'each is stored once';
	is_deeply [$t->recount_faults], [], 'all counts are right';
};

subtest 'as another user' => sub {
	my $ws = $t->ws('ben');
	my $r = $ops->post('/admin/messages', {from_user_id => 'ann', %{text_to('ben', 'by a bot')}});
	is $r->json->{from_user_id}, 'ann', 'in her name';
	is $ws->expect('message')->{message}{content}, 'by a bot', 'pushed';
	refused 'with her rights alone', $ops->post('/admin/messages', {from_user_id => 'ann', %{text_to('cat', 'hi')}}), 403, 'not_friends';
	refused 'no id', $ops->post('/admin/messages', {from_user_id => 'a b', %{text_to('cat', 'hi')}}), 400, 'invalid_argument';
	is((logged('/admin/messages'))[1]{actor}, 'ops', 'the log says who asked');
	is((logged('/admin/messages'))[1]{status}, 403, 'and what came of it');
	is $ops->post('/admin/messages', {from_user_id => 'ann', %{text_to('ben', "$_")}})->status, 201, 'no limit of a user counts' for 1 .. 5;
};

subtest 'recalling' => sub {
	my $old = $t->send_text('ann', 'ben', 'long ago');
	$t->send_text('ann', 'ben', 'since then');
	$dbh->do('UPDATE messages SET created_at=created_at-INTERVAL 1 YEAR WHERE id=?', undef, $old->{id});
	my $ws = $t->ws('ben');
	is $ops->delete("/admin/messages/$old->{id}")->status, 204, 'however old';
	is $ws->expect('recalled')->{message_id}, $old->{id}, 'told';
	is $ben->get("/messages/$old->{id}")->json->{content}, undef, 'it is gone';
	is $ops->delete("/admin/messages/$old->{id}")->status, 204, 'again';
	my $group = $t->group('ann', ['ben']);
	my $said = $t->say('ann', $group, 'by the owner');
	is $ops->delete("/admin/messages/$said->{id}")->status, 204, 'an owner\'s';
	is $ws->expect('recalled', sub { $_[0]{message_id} eq $said->{id} })->{by}, 'system', 'by the server';
	my ($created) = map { $_->{id} } grep { $_->{message_type} eq 'system' } @{$ann->get("/messages/conversations/$group/messages")->json->{items}};
	refused 'a system message', $ops->delete("/admin/messages/$created"), 403, 'forbidden';
	refused 'no such message', $ops->delete('/admin/messages/' . ($said->{id} + 1000)), 404, 'not_found';
	is_deeply [$t->recount_faults], [], 'all counts are right';
};

subtest 'groups' => sub {
	my $group = $t->group('ann', ['ben']);
	$t->say('ben', $group, 'hello');
	$ann->put("/messages/conversations/$group/settings", {draft => 'secret'});
	my $seen = $ops->get("/admin/groups/$group");
	is_shape $seen->json, $GROUP, 'as a conversation';
	is_deeply [@{$seen->json->{group}}{qw(owner_id member_count role)}, $seen->json->{settings}{draft}, $seen->json->{unread_count}], ['ann', 2, 'owner', undef, 0], 'without what is the owner\'s own';
	my $ws = $t->ws('ben');
	my $r = $ops->put("/admin/groups/$group", {name => 'Renamed', settings => {send => 'admins'}});
	is $r->status, 200, 'changed';
	is_deeply [$r->json->{group}{name}, $r->json->{group}{settings}{send}], ['Renamed', 'admins'], 'as asked';
	is $ws->expect('message')->{message}{from_user_id}, 'system', 'members are told by whom';
	refused 'no name', $ops->put("/admin/groups/$group", {name => undef}), 400, 'invalid_argument';
	is $ops->delete("/admin/groups/$group")->status, 204, 'dissolved' for 1, 2;
	refused 'for good', $ops->put("/admin/groups/$group", {name => 'x'}), 409, 'group_dissolved';
	$ann->delete("/groups/$group/members/ann");
	is $ops->get("/admin/groups/$group")->status, 200, 'shown also where its owner has left';
	refused 'no such group', $ops->get('/admin/groups/' . ($group + 99)), 404, 'not_found';
	refused 'a direct conversation', $ops->get('/admin/groups/1'), 404, 'not_found';
	is_deeply [map { "$_->{method} $_->{status}" } reverse logged("/admin/groups/$group")], ['GET 200', 'PUT 200', 'PUT 400', 'DELETE 204', 'DELETE 204', 'PUT 409', 'GET 200'], 'all in the log, in order';
	refused 'a malformed body', $ops->request('POST', '/admin/messages', body => '{'), 400, 'malformed_json';
	is((logged('/admin/messages'))[0]{status}, 400, 'is in it, too');
};

subtest 'finding and erasing users' => sub {
	is $ops->post('/admin/users', {user_id => $_, password => 'correct horse', nickname => "The \u$_"})->status, 201, "$_ is made" for qw(dirk dora doug);
	is $ops->put('/admin/users/dora', {disabled => JSON::PP::true()})->status, 200, 'one is disabled';
	my $pages = sub {
		my ($query, @items) = @_;
		my $cursor = '';
		do {
			my $page = $ops->get("/admin/users?limit=2$query$cursor")->json;
			push @items, @{$page->{items}};
			$cursor = defined $page->{next_cursor} ? "&cursor=$page->{next_cursor}" : '';
		} while ($cursor);
		return @items;
	};
	my @all = $pages->('');
	is_deeply [map { $_->{user_id} } @all], $dbh->selectcol_arrayref('SELECT id FROM users ORDER BY id'), 'all are listed in order of id';
	is_deeply [map { $_->{disabled} ? $_->{user_id} : () } @all], ['dora'], 'with whether they are disabled';
	my ($dirk) = grep { $_->{user_id} eq 'dirk' } @all;
	is_deeply $dirk, $ops->get('/admin/users/dirk')->json, 'as each is shown';
	is_deeply [map { $_->{user_id} } $pages->('&query=do')], [qw(dora doug)], 'found by id, disabled or not';
	is_deeply [map { $_->{user_id} } $pages->('&query=the%20d')], [qw(dirk dora doug)], 'by nickname';
	is_deeply [map { $_->{user_id} } @{$t->http('ben')->get('/users?query=do')->json->{items}}], ['doug'], 'users do not find her';
	refused "query=$_", $ops->get("/admin/users?query=$_"), 400, 'invalid_argument', qr/query/ for 'd', 'd' x 65;
	refused 'a cursor of our own', $ops->get('/admin/users?cursor=x'), 400, 'invalid_argument', qr/cursor/;

	my $ws = $t->ws('doug');
	is $ops->delete('/admin/users/doug')->status, 204, 'erased' for 1, 2;
	is $ws->expect('kicked')->{reason}, 'erased', 'at once';
	refused 'gone', $ops->get('/admin/users/doug'), 404, 'not_found';
	refused 'nor made again', $ops->post('/admin/users', {user_id => 'doug'}), 409, 'conflict';
	is_deeply [map { $_->{user_id} } $pages->('&query=do')], ['dora'], 'not found any more';
	refused 'nobody', $ops->delete('/admin/users/nobody-here'), 404, 'not_found';
	is((logged('/admin/users/doug'))[-1]{method}, 'DELETE', 'the log says so');
	wait_for('nothing to be left', sub { !$dbh->selectrow_array('SELECT COUNT(*) FROM erasures') });
	is_deeply [$t->recount_faults], [], 'the counts agree';
};

subtest 'pages of the log' => sub {
	my (@all, $next);
	do {
		my $page = $ops->get('/admin/audit?limit=3' . ($next ? "&cursor=$next" : ''))->json;
		push @all, @{$page->{items}};
		$next = $page->{next_cursor};
	} while defined $next;
	is @all, $dbh->selectrow_array('SELECT COUNT(*) FROM audit'), 'are the whole';
	is_deeply [@all[0 .. 99]], $ops->get('/admin/audit?limit=100')->json->{items}, 'each once, in order';
	is_deeply [grep { $_->{path} =~ m{audit|stats} } @all], [], 'looking at it is not in it';
	refused "limit=$_", $ops->get("/admin/audit?limit=$_"), 400, 'invalid_argument' for 0, 101, 'x';
};

subtest 'nothing is done that the log does not know' => sub {
	my $m = $t->send_text('ann', 'ben', 'stays');
	$dbh->do('RENAME TABLE audit TO audit_away');
	refused 'a log that cannot be written', $ops->delete("/admin/messages/$m->{id}"), 503, 'unavailable';
	$dbh->do('RENAME TABLE audit_away TO audit');
	is $ben->get("/messages/$m->{id}")->json->{content}, 'stays', 'nothing was done';
	my $other = $t->{stack}->dbh($t->{database});
	$other->do('START TRANSACTION');
	$other->do('SELECT * FROM messages WHERE id=? FOR UPDATE', undef, $m->{id});
	my $slow = admin();
	$slow->send_request('DELETE', "/admin/messages/$m->{id}");
	wait_for('the call to be noted', sub { (logged("/admin/messages/$m->{id}"))[0] });
	is((logged("/admin/messages/$m->{id}"))[0]{status}, undef, 'before it is done');
	$t->node->allow_deaths(2);
	kill 'KILL', $t->node->worker_pids;
	$other->do('ROLLBACK');
	wait_for('what was under way to be done', sub { eval { $t->http('ben')->get("/messages/$m->{id}", timeout => 5)->json->{is_recalled} } });
	$ops = admin();
	is((logged("/admin/messages/$m->{id}"))[0]{status}, undef, 'who died has told nobody');
};

$t->stop;
done_testing;
