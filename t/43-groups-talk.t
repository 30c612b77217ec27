# SPDX-License-Identifier: BSD-2-Clause
# Proves talking in groups (contract, sections 3, 4 and 7): sending to a conversation, what is refused and in which order,
# mentions, reading and receipts, recalling and deleting, typing, catching up; and which sessions are told of each.
use Tidings;
use Tidings::Shape;
use JSON::PP ();

my $t = Tidings->start(workers => 2, conf => {groups => {receipts_max => 4}});
$t->befriend(qw(alice bob carol dave erin));
my ($alice, $bob, $carol, $dave, $erin, $stranger) = map { $t->api($_) } qw(alice bob carol dave erin stranger);

sub history { my ($http, $id, $query) = @_; return $http->get("/messages/conversations/$id/messages" . ($query // ''))->json->{items} }
sub counts { my ($http) = @_; my $c = $http->get('/messages/unread-count')->json; return [@$c{qw(unread_count mention_count)}] }
sub quiet {
	my ($name, @ws) = @_;
	$_->settle for @ws;
	is_deeply [map { my $ws = $_; map { "$ws->{name}: $_->{type}" } $ws->queued } @ws], [], $name;
	return;
}
sub sends { my ($http, $id, %more) = @_; return $http->post('/messages/send', text_in($id, 'x', %more)) }

my $id = $t->group('alice', [qw(bob carol)]);

subtest 'sending' => sub {
	my @ws = ($t->ws('alice'), $t->ws('alice', name => 'alice 2'), $t->ws('bob'), $t->ws('carol'), $t->ws('dave'));
	my ($wa, $wa2, $wb, $wc, $wd) = @ws;
	my $ack = $wa->request(type => 'send', %{text_in($id, 'hi', client_msg_id => 'm1', extra => {k => 1})});
	is_shape $ack, {type => 'string', ref => 'string', message => $GROUP_MESSAGE, replayed => 'bool'}, 'ack';
	is_deeply [@{$ack->{message}}{qw(conversation_id from_user_id to_user_id seq mentions)}], [$id, 'alice', undef, 2, []], 'a message of the group';
	is_deeply $_->expect('message'), {type => 'message', message => $ack->{message}}, "the same to $_->{name}" for $wa2, $wb, $wc;
	my $again = $wa->request(type => 'send', %{text_in($id, 'hi', client_msg_id => 'm1', extra => {k => 1})});
	ok $again->{replayed}, 'a repeat';
	is_deeply $again->{message}, $ack->{message}, 'answers the stored one';
	refused('another text', sends($alice, $id, client_msg_id => 'm1'), 409, 'client_msg_id_reused');
	refused('another recipient', $alice->post('/messages/send', text_to('bob', 'hi', client_msg_id => 'm1', extra => {k => 1})), 409, 'client_msg_id_reused');
	my $rest = $t->say('bob', $id, 'by REST', reply_to => $ack->{message}{id});
	is_deeply $_->expect('message')->{message}, $rest, "REST reaches $_->{name}" for $wa, $wa2, $wb, $wc;
	my $image = $carol->post('/messages/send', {conversation_id => $id, message_type => 'image', media_url => 'https://x.example/y'});
	is $image->status, 201, 'an image';
	$_->expect('message') for $wa, $wa2, $wb, $wc;
	quiet('nothing to others, nothing twice', @ws);

	refused('a stranger', sends($dave, $id), 404, 'not_found');
	refused('no such group', sends($alice, '17179999999'), 404, 'not_found');
	refused('the largest id', sends($alice, '18446744073709551615'), 404, 'not_found');
	refused('no conversation', sends($alice, '12345'), 404, 'not_found');
	refused('both', $alice->post('/messages/send', text_to('bob', 'x', conversation_id => $id)), 400, 'invalid_argument', qr/to_user_id, conversation_id/);
	refused('neither', $alice->post('/messages/send', {message_type => 'text', content => 'x'}), 400, 'invalid_argument', qr/^to_user_id.*conversation_id/);
	refused("the conversation " . JSON::PP->new->allow_nonref->encode($_), sends($alice, $_), 400, 'invalid_argument', qr/^conversation_id/) for 7, 'x', '', '-1', '07', [], "7\0";
	refused('a system message', $alice->post('/messages/send', {conversation_id => $id, message_type => 'system', extra => {event => 'left', user_ids => []}}), 400, 'invalid_argument', qr/^message_type/);
	refused('a reply elsewhere', sends($alice, $id, reply_to => $t->send_text('alice', 'bob', 'direct')->{id}), 400, 'invalid_argument', qr/^reply_to/);
	$_->abort for @ws;
};

subtest 'to a direct conversation by its id' => sub {
	my $first = $t->send_text('alice', 'erin', 'to the user');
	my $cid = $first->{conversation_id};
	my $w = $t->ws('erin');
	my %body = (client_msg_id => 'd1', mentions => [qw(erin bob)], extra => {a => 1});
	my $m = $t->say('alice', $cid, 'to the conversation', %body);
	is_shape $m, $MESSAGE, 'a direct message';
	is_deeply [@$m{qw(to_user_id seq mentions)}], ['erin', 2, ['erin']], 'to the other side; those who are no party are not mentioned';
	is_deeply $w->expect('message')->{message}, $m, 'is pushed';
	is $erin->get('/messages/unread-count')->json->{mention_count}, 1, 'and counts as a mention';
	is sends($alice, $cid, %body, content => 'to the conversation')->status, 200, 'its repeat';
	is $alice->post('/messages/send', text_to('erin', 'to the conversation', %body))->status, 200, 'as to the user';
	$t->unfriend(qw(alice erin));
	refused('no friends any more', sends($alice, $cid), 403, 'not_friends');
	is $alice->post('/messages/send', text_in($cid, 'to the conversation', %body))->status, 200, 'but the repeat is found';
	refused('not one\'s own', sends($bob, $cid), 404, 'not_found');
	$t->befriend(qw(alice erin));
	$w->abort;
};

subtest 'refusals in their order' => sub {
	my $g = $t->group('alice', [qw(bob carol)]);
	my $old = sends($bob, $g, client_msg_id => 'old');
	my @past = (client_msg_id => 'x', mentions => ['*'], reply_to => '5');
	$t->dbh->do('UPDATE members SET last_sent_at = UTC_TIMESTAMP(3) WHERE user_id = ? AND conversation_id = ?', undef, 'bob', $g);
	$alice->put("/groups/$g", {settings => {send => 'admins', slow_mode_seconds => 3600}});
	$alice->put("/groups/$g/members/bob", {muted_until => '2090-01-01T00:00:00Z'});
	# Over twenty members, so that only admins may mention everyone.
	$t->befriend('alice', map { "m$_" } 1 .. 18);
	$alice->post("/groups/$g/members", {user_ids => [map { "m$_" } 1 .. 18]});
	refused('muted comes first', sends($bob, $g, @past), 403, 'muted');
	$alice->put("/groups/$g/members/bob", {muted_until => undef});
	refused('then who may send', sends($bob, $g, @past), 403, 'sending_restricted');
	$alice->put("/groups/$g", {settings => {send => 'all'}});
	refused('then who may mention everyone', sends($bob, $g, @past), 403, 'forbidden', qr/^mentions/);
	my $slow = sends($bob, $g, client_msg_id => 'x', reply_to => '5');
	refused('then slow mode', $slow, 429, 'rate_limited', qr/slow mode/);
	ok $slow->header('retry-after') > 3000 && $slow->header('retry-after') <= 3600, 'with the time to wait' or diag($slow->header('retry-after'));
	is_deeply [@{$t->ws('bob')->request(type => 'send', %{text_in($g, 'x')})}{qw(type code)}], ['error', 'rate_limited'], 'by WebSocket';
	$t->dbh->do('UPDATE members SET last_sent_at = NULL WHERE conversation_id = ?', undef, $g);
	refused('then the reply', sends($bob, $g, client_msg_id => 'x', reply_to => '5'), 400, 'invalid_argument', qr/^reply_to/);
	is sends($bob, $g, client_msg_id => 'x')->status, 201, 'then it is sent';
	refused('the next one has to wait', sends($bob, $g), 429, 'rate_limited');
	is sends($bob, $g, client_msg_id => 'x')->status, 200, 'but not a repeat';
	is sends($alice, $g)->status, 201, "the owner is exempt" for 1 .. 2;
	$alice->put("/groups/$g/members/carol", {role => 'admin'});
	is sends($carol, $g, mentions => ['*'])->status, 201, 'and so is an admin' for 1 .. 2;
	$alice->delete("/groups/$g/members/bob");
	is sends($bob, $g, client_msg_id => 'old')->json->{id}, $old->json->{id}, 'a repeat is answered even to who has left';
	refused('nothing else', sends($bob, $g), 404, 'not_found');
	refused('a change of it neither', sends($bob, $g, client_msg_id => 'old', content => 'y'), 409, 'client_msg_id_reused');
};

subtest 'slow mode, many at once' => sub {
	my $g = $t->group('alice', ['bob'], settings => {join => 'open', slow_mode_seconds => 3600});
	my @http = map { $t->http('bob')->connect } 1 .. 20;
	$_->send_request('POST', '/messages/send', json => text_in($g, 'x')) for @http;
	my %n;
	$n{$_->response->status}++ for @http;
	is_deeply \%n, {201 => 1, 429 => 19}, 'of twenty messages one is sent';
	is $bob->delete("/groups/$g/members/bob")->status, 204, 'who leaves';
	is $bob->post("/groups/$g/join")->status, 200, 'and comes back';
	refused('has to wait as before', sends($bob, $g), 429, 'rate_limited', qr/slow mode/);
};

subtest 'mentions' => sub {
	my $g = $t->group('alice', [qw(bob carol)]);
	my $before = counts($bob);
	my $m = $t->say('alice', $g, 'you two', mentions => [qw(bob dave carol bob nobody)]);
	is_deeply $m->{mentions}, [qw(bob carol)], 'members, each once';
	is_deeply history($bob, $g, '?limit=1')->[0]{mentions}, [qw(bob carol)], 'stored as answered';
	my $all = $t->say('carol', $g, 'all', mentions => ['*', 'bob']);
	is_deeply $all->{mentions}, ['*'], 'everyone';
	is_deeply $t->say('alice', $g, 'none', mentions => ['dave'])->{mentions}, [], 'none of them a member';
	is_deeply counts($bob), [$before->[0] + 3, $before->[1] + 2], 'counted';
	is_deeply [@{$bob->get("/groups/$g")->json}{qw(unread_count mention_count)}], [3, 2], 'in the conversation';
	my $list = $bob->get('/messages/mentions')->json;
	is_shape $list, {items => [$GROUP_MESSAGE], next_cursor => 'string?'}, 'the list';
	is_deeply [map { $_->{id} } @{$list->{items}}], [$all->{id}, $m->{id}], 'the newest first';
	my $page = $bob->get('/messages/mentions?limit=1')->json;
	is_deeply [map { $_->{id} } @{$page->{items}}, @{$bob->get("/messages/mentions?limit=1&cursor=$page->{next_cursor}")->json->{items}}], [$all->{id}, $m->{id}], 'page by page';
	is $alice->get('/messages/mentions?limit=1')->json->{items}[0]{id}, $all->{id}, 'everyone is others, too';
	$carol->put("/messages/$all->{id}/recall");
	is_deeply counts($bob), [$before->[0] + 2, $before->[1] + 1], 'a recalled one is not counted';
	is_deeply [map { $_->{id} } @{$bob->get('/messages/mentions')->json->{items}}], [$m->{id}], 'nor listed';
	$bob->delete("/messages/$m->{id}");
	is_deeply counts($bob), [$before->[0] + 1, $before->[1]], 'nor a deleted one';
	is_deeply $bob->get('/messages/mentions')->json->{items}, [], 'likewise';
	is sends($alice, $g, mentions => ['bob'], client_msg_id => 'q')->status, 201, 'with a key';
	refused('its repeat with others', sends($alice, $g, mentions => ['carol'], client_msg_id => 'q'), 409, 'client_msg_id_reused');
	refused('over fifty', sends($alice, $g, mentions => [map { "u$_" } 1 .. 51]), 400, 'invalid_argument', qr/^mentions/);
	is sends($alice, $g, mentions => [map { "u$_" } 1 .. 50])->status, 201, 'fifty';
	is_deeply sends($alice, $g, mentions => '*')->json->{mentions}, ['*'], 'everyone, in short';
	refused('another text', sends($alice, $g, mentions => 'bob'), 400, 'invalid_argument', qr/^mentions/);
	refused('a number', sends($alice, $g, mentions => [7]), 400, 'invalid_argument', qr/^mentions/);
	refused('no user id', sends($alice, $g, mentions => ['b b']), 400, 'invalid_argument', qr/^mentions/);
	refused("the cursor $_", $bob->get("/messages/mentions?cursor=$_"), 400, 'invalid_argument', qr/^cursor/) for 'x', '1', '1-';
	refused('no limit', $bob->get('/messages/mentions?limit=0'), 400, 'invalid_argument', qr/^limit/);
	is_deeply $stranger->get('/messages/mentions')->json, {items => [], next_cursor => undef}, 'of nobody';
};

subtest 'reading and receipts' => sub {
	my $g = $t->group('alice', [qw(bob carol)]);
	my $m = $t->say('alice', $g, 'one');
	my $next = $t->say('alice', $g, 'two');
	my ($wa, $wb, $wb2, $wc) = ($t->ws('alice'), $t->ws('bob'), $t->ws('bob', name => 'bob 2'), $t->ws('carol'));
	my $r = $wb->request(type => 'read', conversation_id => $g, up_to_seq => $m->{seq});
	is_deeply $r, {type => 'result', ref => $r->{ref}, conversation_id => $g, read_seq => $m->{seq}, marked => 1, unread_count => 1}, 'read: up to one';
	for my $ws ($wa, $wb2, $wc) {
		my $e = $ws->expect('read');
		is_deeply [@$e{qw(conversation_id reader_id up_to_seq message_ids)}], [$g, 'bob', $m->{seq}, undef], "to $ws->{name}";
	}
	quiet('not to the session that asked', $wb);
	my $receipts = $alice->get("/messages/$m->{id}/receipts");
	is_shape $receipts->json, {read_count => 'int', items => [{user_id => 'string', read_at => 'time'}], next_cursor => 'string?'}, 'receipts';
	is_deeply [$receipts->json->{read_count}, map { $_->{user_id} } @{$receipts->json->{items}}], [1, 'bob'], 'who has read it, without its sender';
	is_deeply $carol->get("/messages/$next->{id}/receipts")->json, {read_count => 0, items => [], next_cursor => undef}, 'the next one nobody';
	my $at = $receipts->json->{items}[0]{read_at};
	$bob->put("/messages/conversations/$g/read");
	is $alice->get("/messages/$m->{id}/receipts")->json->{items}[0]{read_at}, $at, 'the time is that of the first read that covered it';
	$t->say('carol', $g, 'sent');
	is_deeply [map { $_->{user_id} } @{$alice->get("/messages/$m->{id}/receipts")->json->{items}}], [qw(bob carol)], 'sending counts as reading';
	my $page = $alice->get("/messages/$m->{id}/receipts?limit=1")->json;
	is_deeply [@$page{qw(read_count next_cursor)}, map { $_->{user_id} } @{$alice->get("/messages/$m->{id}/receipts?limit=1&cursor=$page->{next_cursor}")->json->{items}}], [2, 'bob', 'carol'], 'page by page';
	$wa->expect('message', sub { ($_[0]{message}{content} // '') eq 'sent' });
	$wa->expect('read');
	quiet('no read event tells of a sending', $wa);
	is $carol->get("/groups/$g")->json->{unread_count}, 0, 'which reads all';
	is_deeply $bob->put("/messages/conversations/$g/read", {up_to_seq => 2})->json->{read_seq}, $next->{seq}, 'it never goes back';
	refused('one message', $bob->put("/messages/$m->{id}/read"), 403, 'forbidden');
	refused('a stranger', $dave->put("/messages/conversations/$g/read"), 404, 'not_found');
	refused('whose receipts', $dave->get("/messages/$m->{id}/receipts"), 404, 'not_found');
	refused('of nothing', $alice->get('/messages/' . (($g << 28) + 1000) . '/receipts'), 404, 'not_found');
	refused('a cursor that is none', $alice->get("/messages/$m->{id}/receipts?cursor=.."), 400, 'invalid_argument', qr/^cursor/);
	$_->abort for $wa, $wb, $wb2, $wc;

	my $d = $t->send_text('alice', 'dave', 'direct');
	is_deeply $alice->get("/messages/$d->{id}/receipts")->json, {read_count => 0, items => [], next_cursor => undef}, 'a direct message: unread';
	$dave->put("/messages/conversations/$d->{conversation_id}/read");
	is_deeply [map { $_->{user_id} } @{$alice->get("/messages/$d->{id}/receipts")->json->{items}}], ['dave'], 'read';
	refused('of others', $bob->get("/messages/$d->{id}/receipts"), 404, 'not_found');
};

subtest 'larger groups' => sub {
	my $g = $t->group('alice', [qw(bob carol dave erin)]);
	my ($wa, $wb, $wb2) = ($t->ws('alice'), $t->ws('bob'), $t->ws('bob', name => 'bob 2'));
	my $m = $t->say('alice', $g, 'one');
	$_->expect('message') for $wa, $wb, $wb2;
	is $wb->request(type => 'read', conversation_id => $g)->{unread_count}, 0, 'read';
	is $wb2->expect('read')->{reader_id}, 'bob', 'to the reader\'s own other session';
	is_deeply $wb->request(type => 'typing', conversation_id => $g)->{type}, 'result', 'typing is taken';
	quiet('and nobody is told', $wa, $wb, $wb2);
	refused('there are no receipts', $alice->get("/messages/$m->{id}/receipts"), 409, 'conflict');
	$_->abort for $wa, $wb, $wb2;
};

subtest 'typing' => sub {
	my $g = $t->group('alice', [qw(bob carol)]);
	my ($wa, $wb, $wc, $wd) = map { $t->ws($_) } qw(alice bob carol dave);
	is_deeply $wb->request(type => 'typing', conversation_id => $g)->{type}, 'result', 'a bare result';
	is_deeply $_->expect('typing'), {type => 'typing', conversation_id => $g, user_id => 'bob'}, "to $_->{name}" for $wa, $wc;
	quiet('not to the one who types, nor to others', $wb, $wd);
	is $wd->request(type => 'typing', conversation_id => $g)->{code}, 'not_found', 'a stranger';
	is $wa->request(type => 'typing', conversation_id => $_)->{code}, 'not_found', "nor is there $_" for '17179999999', '18446744073709551615';
	quiet('nobody hears of it', $wa, $wb, $wc);
	$_->abort for $wa, $wb, $wc, $wd;
};

subtest 'recalling and deleting' => sub {
	my $g = $t->group('alice', [qw(bob carol dave)]);
	$alice->put("/groups/$g/members/bob", {role => 'admin'});
	my ($wa, $wb, $wc, $wc2) = ($t->ws('alice'), $t->ws('bob'), $t->ws('carol'), $t->ws('carol', name => 'carol 2'));
	my @of = map { my $user = $_; map { $t->say($user, $g, "$user $_") } 1 .. 2 } qw(alice bob carol);
	for my $ws ($wa, $wb, $wc, $wc2) {
		for my $m (@of) { $ws->expect('message', sub { $_[0]{message}{id} eq $m->{id} }) }
	}
	my $r = $wc->request(type => 'recall', message_id => $of[4]{id});
	is_deeply [@{$r->{message}}{qw(is_recalled content)}], [JSON::PP::true, undef], 'one\'s own';
	for my $ws ($wa, $wb, $wc2) {
		my $e = $ws->expect('recalled');
		is_deeply [sort keys %$e], [sort qw(type conversation_id message_id seq change_seq recalled_at by)], "recalled, to $ws->{name}";
		is_deeply [@$e{qw(conversation_id message_id seq by)}], [$g, $of[4]{id}, $of[4]{seq}, undef], 'by its sender';
	}
	refused('another\'s', $dave->put("/messages/$of[5]{id}/recall"), 403, 'not_sender');
	$t->dbh->do('UPDATE messages SET created_at = created_at - INTERVAL 1 DAY WHERE id = ?', undef, $of[5]{id});
	refused('one\'s own too late', $carol->put("/messages/$of[5]{id}/recall"), 409, 'recall_expired');
	is $bob->put("/messages/$of[5]{id}/recall")->json->{is_recalled}, JSON::PP::true, 'an admin a member\'s, at any time';
	is $_->expect('recalled')->{by}, 'bob', "which $_->{name} is told" for $wa, $wb, $wc, $wc2;
	refused('an admin not the owner\'s', $bob->put("/messages/$of[0]{id}/recall"), 403, 'not_sender');
	is $alice->put("/messages/$of[2]{id}/recall")->json->{is_recalled}, JSON::PP::true, 'the owner anybody\'s';
	is $_->expect('recalled')->{by}, 'alice', "which $_->{name} is told" for $wa, $wb, $wc, $wc2;
	is $alice->put("/messages/$of[2]{id}/recall")->status, 200, 'again';
	my $system = history($alice, $g)->[0];
	refused('a system message', $alice->put("/messages/$system->{id}/recall"), 403, 'forbidden');
	refused('a stranger', $erin->put("/messages/$of[0]{id}/recall"), 404, 'not_found');
	is $wc->request(type => 'delete', message_id => $of[0]{id})->{type}, 'result', 'deleted';
	is_deeply $wc2->expect('deleted'), {type => 'deleted', conversation_id => $g, message_id => $of[0]{id}}, 'which the other session is told';
	quiet('and nobody else', $wa, $wb, $wc, $wc2);
	is scalar(grep { $_->{id} eq $of[0]{id} } @{history($carol, $g)}), 0, 'carol sees it no more';
	is scalar(grep { $_->{id} eq $of[0]{id} } @{history($bob, $g)}), 1, 'the others do';
	is $carol->delete("/messages/$system->{id}")->status, 204, 'a system message can be deleted';
	refused('not by a stranger', $erin->delete("/messages/$of[0]{id}"), 404, 'not_found');
	$_->abort for $wa, $wb, $wc, $wc2;
};

subtest 'catching up' => sub {
	my $g = $t->group('alice', [qw(bob carol)]);
	my @m = map { $t->say('alice', $g, "m$_") } 1 .. 3;
	my $first = $bob->post('/messages/sync', {conversations => [{id => $g, seq => 2, change_seq => 0}], since => undef})->json;
	is_shape $first, {%$SYNC, conversations => [{conversation => $GROUP, messages => [$GROUP_MESSAGE], changes => [$CHANGE], updated => [$GROUP_MESSAGE], has_more => 'bool'}]}, 'a group';
	is_deeply [map { $_->{content} } @{$first->{conversations}[0]{messages}}], [qw(m2 m3)], 'what came after';
	$alice->put("/messages/$m[0]{id}/recall");
	my $gone = $t->group('alice', ['bob']);
	my $back = $t->group('carol', ['bob']);
	$alice->delete("/groups/$gone/members/bob");
	my $then = $bob->post('/messages/sync', {conversations => [{id => $g, seq => 4, change_seq => 0}, map { {id => $_, seq => 0, change_seq => 0} } $gone, '17179999999', '99'], since => $first->{cursor}})->json;
	is_deeply [sort @{$then->{gone}}], [sort $gone, '17179999999', '99'], 'what bob may not see';
	my %by = map { $_->{conversation}{id} => $_ } @{$then->{conversations}};
	is_deeply [map { "$_->{kind} $_->{message_id}" } @{$by{$g}{changes}}], ["recalled $m[0]{id}"], 'a change';
	ok $by{$back}, 'a group that he was added to since';
	ok !$by{$gone}, 'not the other one';
};

$t->stop;

subtest 'the fan-out of a node' => sub {
	my $n = Tidings->start(workers => 2, conf => {groups => {fanout_per_second => 3}});
	$n->befriend(qw(alice bob carol dave));
	my $g = $n->group('alice', [qw(bob carol dave)]);
	my @ws = map { $n->ws($_) } qw(alice bob carol);
	$n->befriend('alice', 'erin');
	my $small = $n->group('dave', []);
	# Until the workers know how many are online.
	my $r;
	wait_for('the limit', sub { $r = $n->api('alice')->post('/messages/send', text_in($g, 'x', client_msg_id => 'k' . rand)); $r->status == 429 });
	is $r->code, 'rate_limited', 'more than the node may pass on';
	ok $r->header('retry-after') >= 1, 'with the time to wait';
	is $n->api('dave')->post('/messages/send', text_in($small, 'x'))->status, 201, 'a group with nobody online costs nothing';
	is $n->api('alice')->post('/messages/send', text_to('erin', 'x'))->status, 201, 'nor does a direct message';
	wait_for('tokens', sub { $n->api('bob')->post('/messages/send', text_in($g, 'b', client_msg_id => 'kept'))->status == 201 });
	wait_for('none', sub { $n->api('alice')->post('/messages/send', text_in($g, 'x', client_msg_id => 'l' . rand))->status == 429 });
	is $n->api('bob')->post('/messages/send', text_in($g, 'b', client_msg_id => 'kept'))->status, 200, 'a repeat is answered all the same';
	wait_for('a change', sub { $n->api('alice')->put("/groups/$g", {name => 'new'})->status == 200 });
	pass 'what tells of a change costs as much, and comes in its turn';
	$_->abort for @ws;
	$n->stop;
};

done_testing;
