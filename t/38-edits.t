# SPDX-License-Identifier: BSD-2-Clause
# Proves editing and formatting (contract, section 8): who may edit what and for how long, what the others are told, what
# a repeat of the send answers, mentions and counts, catching up, and that an edit and a recall at once end as one of them.
use Tidings;
use Tidings::Shape;
use JSON::PP ();

my $t = Tidings->start(workers => 2, conf => {message => {edit_window => 3600}});
$t->befriend(qw(alice bob carol));
my ($alice, $bob, $carol, $stranger) = map { $t->api($_) } qw(alice bob carol stranger);
my $dbh = $t->stack->dbh($t->{database});

sub edit { my ($http, $m, $content, %more) = @_; return $http->put("/messages/$m->{id}", {content => $content, %more}) }
sub one { my ($http, $m) = @_; return $http->get("/messages/$m->{id}")->json }
sub make_older { my ($m, $seconds) = @_; return $dbh->do("UPDATE messages SET created_at = created_at - INTERVAL $seconds SECOND WHERE id = ?", undef, $m->{id}) }
sub counts { my ($http) = @_; my $c = $http->get('/messages/unread-count')->json; return [@$c{qw(unread_count mention_count)}] }
my @bold = ({type => 'bold', offset => 0, length => 2});

subtest 'a direct conversation' => sub {
	my @ws = my ($wa, $wa2, $wb) = ($t->ws('alice'), $t->ws('alice', name => 'alice 2'), $t->ws('bob'));
	my $m = $wa->request(type => 'send', %{text_to('bob', 'helo', client_msg_id => 'e1', entities => \@bold)})->{message};
	is_shape $m, $MESSAGE, 'a message';
	is_deeply [@$m{qw(entities edited_at)}], [\@bold, undef], 'with its formatting';
	is_deeply $_->expect('message')->{message}, $m, "as $_->{name} has it" for $wa2, $wb;
	my $r = $wa->request(type => 'edit', message_id => $m->{id}, content => 'hello');
	is $r->{type}, 'result', 'edited' or diag(explain($r));
	my $edited = $r->{message};
	is_deeply {%$edited, edited_at => undef}, {%$m, content => 'hello', entities => undef}, 'nothing else has changed, and without entities there are none';
	ok $edited->{edited_at} ge $m->{created_at}, 'it says when';
	for my $ws ($wa2, $wb) {
		my $e = $ws->expect('edited');
		is_shape $e, {type => 'string', message => $MESSAGE, change_seq => 'int'}, "edited, to $ws->{name}";
		is_deeply [$e->{message}, $e->{change_seq}], [$edited, 1], 'as it is now';
	}
	is_deeply edit($alice, $m, 'hello')->json, $edited, 'the same again: nothing changes';
	$_->settle for @ws;
	is_deeply [map { map { $_->{type} } $_->queued } @ws], [], 'and nobody is told';
	is_deeply one($_, $m), $edited, 'both see it' for $alice, $bob;
	is_deeply $bob->get('/messages/conversations')->json->{items}[0]{last_message}, $edited, 'and in the list';
	my $again = $alice->post('/messages/send', text_to('bob', 'helo', client_msg_id => 'e1', entities => \@bold));
	is_deeply [$again->status, $again->json], [200, $edited], 'a repeat of the send answers the message as it is';
	is $alice->post('/messages/send', text_to('bob', 'quite another', client_msg_id => 'e1'))->status, 200, 'whatever its fields are';
	refused('but not to another', $alice->post('/messages/send', text_to('carol', 'helo', client_msg_id => 'e1')), 409, 'client_msg_id_reused');
	my $by_rest = edit($alice, $m, 'hi', entities => \@bold)->json;
	is_deeply $_->expect('edited'), {type => 'edited', message => $by_rest, change_seq => 2}, "an edit by REST to $_->{name}" for @ws;
	is_deeply counts($bob), [1, 0], 'it is unread as before';
	$_->abort for @ws;
};

subtest 'what is refused' => sub {
	my $m = $t->send_text('alice', 'bob', 'mine');
	refused('another', edit($bob, $m, 'x'), 403, 'not_sender');
	refused('a stranger', edit($stranger, $m, 'x'), 404, 'not_found');
	refused('none', edit($alice, {id => $m->{id} + 1}, 'x'), 404, 'not_found');
	refused('no id', $alice->put('/messages/99999999999999999999999', {content => 'x'}), 404, 'not_found');
	refused('no text', edit($alice, $m, ''), 400, 'invalid_argument', qr/^content/);
	refused('no content', $alice->put("/messages/$m->{id}", {}), 400, 'invalid_argument', qr/^content: is missing/);
	refused('no string', edit($alice, $m, [1]), 400, 'invalid_argument', qr/^content/);
	refused('NUL', edit($alice, $m, "a\0b"), 400, 'invalid_argument', qr/^content/);
	refused('too long', edit($alice, $m, 'x' x 16385), 400, 'invalid_argument', qr/^content/);
	refused('entities out of bounds', edit($alice, $m, 'x', entities => \@bold), 400, 'invalid_argument', qr/^entities\[0\]/);
	refused('entities of a send', $alice->post('/messages/send', text_to('bob', 'x', entities => [{type => 'bold', offset => 0, length => 1}, {type => 'shout', offset => 0, length => 1}])), 400, 'invalid_argument', qr/^entities\[1\]: type/);
	refused('entities that are none', $alice->post('/messages/send', text_to('bob', 'x', entities => 7)), 400, 'invalid_argument', qr/^entities: /);
	refused('mentions', edit($alice, $m, 'x', mentions => [7]), 400, 'invalid_argument', qr/^mentions\[0\]/);
	is one($alice, $m)->{content}, 'mine', 'it is as it was';
	make_older($m, 3500);
	is edit($alice, $m, 'in time')->status, 200, 'within the window';
	make_older($m, 200);
	refused('after it', edit($alice, $m, 'late'), 409, 'edit_expired');
	is edit($alice, $m, 'in time')->status, 200, 'but the same again is no edit';
	my $recalled = $t->send_text('alice', 'bob', 'gone');
	$alice->put("/messages/$recalled->{id}/recall");
	refused('recalled', edit($alice, $recalled, 'x'), 409, 'conflict');
	my $plain = $alice->post('/messages/send', {to_user_id => 'bob', message_type => 'image', media_url => 'https://x.example/z'})->json;
	is_deeply edit($alice, $plain, '')->json, $plain, 'an empty caption where there is none is no edit';
	my $image = $alice->post('/messages/send', {to_user_id => 'bob', message_type => 'image', media_url => 'https://x.example/y', content => 'cat'})->json;
	is edit($alice, $image, '')->json->{content}, '', 'a caption may become empty';
	is edit($alice, $image, 'dog')->json->{media_url}, 'https://x.example/y', 'the picture stays';
	my $then = $t->send_text('alice', 'carol', 'friends');
	$carol->put('/users/alice/block');
	refused('whom the other blocks', edit($alice, $then, 'x'), 403, 'blocked');
	$carol->delete('/users/alice/block');
	$carol->delete('/friends/alice');
	refused('who is no friend any more', edit($alice, $then, 'x'), 403, 'not_friends');
	is $alice->put("/messages/$then->{id}/recall")->status, 200, 'who can still take it back';
	$t->befriend(qw(alice carol));
	is $t->http(undef)->put("/messages/$m->{id}", {content => 'x'})->status, 401, 'nobody without a token';
};

subtest 'the other side has deleted it' => sub {
	my @ws = my ($wa, $wb) = ($t->ws('alice'), $t->ws('bob'));
	my ($m, $next) = map { $t->send_text('alice', 'bob', $_) } qw(mine next);
	$bob->delete("/messages/$m->{id}");
	$_->expect('message') for map { ($_, $_) } @ws;
	$wb->expect('deleted');
	edit($alice, $m, 'rewritten');
	is $wa->expect('edited')->{message}{content}, 'rewritten', 'its sender is told';
	edit($alice, $next, 'after it');
	is $wb->expect('edited')->{message}{content}, 'after it', 'the other one of nothing but what they see';
	$_->abort for @ws;
};

subtest 'how many' => sub {
	my $u = Tidings->start(workers => 2, conf => {session => {policy => 'multi'}, limits => {sends_per_second => 1, burst => 5}});
	$u->befriend(qw(alice bob));
	my $m = $u->send_text('alice', 'bob', 'x');
	my @http = map { $u->http('alice')->connect } 1 .. 4;
	my $ws = $u->ws('alice');
	my (%seen, $last, $n);
	wait_for('edits to be refused and not', sub {
		$_->send_request('PUT', "/messages/$m->{id}", json => {content => 'edit ' . ++$n}) for @http;
		for my $r (map { $_->response } @http) {
			$seen{$r->status}++;
			$last = $r if $r->status != 200;
		}
		return $seen{200} && $seen{429};
	});
	is_deeply [sort keys %seen], [200, 429], 'edits count as sends';
	refused('as rate_limited', $last, 429, 'rate_limited', qr/messages a second/);
	like $last->header('retry-after'), qr/\A[1-9]\d*\z/, 'with Retry-After';
	my $refused;
	wait_for('a frame to be refused', sub {
		my @refs = map { $ws->start(type => 'edit', message_id => $m->{id}, content => "frame $_") } 1 .. 10;
		($refused) = grep { $_->{type} eq 'error' } map { $ws->answer($_) } @refs;
		return $refused;
	});
	is $refused->{code}, 'rate_limited', 'by WebSocket too';
	$ws->abort;
	$u->stop;
};

subtest 'one message, one conversation' => sub {
	my $m = $t->send_text('alice', 'bob', 'look');
	is_deeply one($_, $m), $m, 'both may look at it' for $alice, $bob;
	refused('a stranger', $stranger->get("/messages/$m->{id}"), 404, 'not_found');
	refused('none', $alice->get('/messages/' . ($m->{id} + 1)), 404, 'not_found');
	refused('zero', $alice->get('/messages/0'), 404, 'not_found');
	$bob->put("/messages/conversations/$m->{conversation_id}/read", {});
	ok one($alice, $m)->{is_read}, 'it is read';
	$bob->delete("/messages/$m->{id}");
	refused('who has deleted it', $bob->get("/messages/$m->{id}"), 404, 'not_found');
	is_deeply one($alice, $m)->{content}, 'look', 'the other one has it';
	my ($listed) = grep { $_->{id} eq $m->{conversation_id} } @{$alice->get('/messages/conversations')->json->{items}};
	my $c = $alice->get("/messages/conversations/$m->{conversation_id}");
	is_shape $c->json, $CONVERSATION, 'a conversation';
	is_deeply $c->json, $listed, 'as the list has it';
	refused("a stranger's", $stranger->get("/messages/conversations/$m->{conversation_id}"), 404, 'not_found');
	my $g = $t->group('alice', ['bob']);
	is_shape $alice->get("/messages/conversations/$g")->json, $GROUP, 'a group';
	refused('of others', $carol->get("/messages/conversations/$g"), 404, 'not_found');
};

subtest 'a group' => sub {
	my $g = $t->group('alice', [qw(bob carol)]);
	my $m = $t->say('bob', $g, 'hi all', mentions => ['carol']);
	my $before = $t->say('bob', $g, 'before');
	my $was = counts($carol);
	my @ws = my ($wa, $wb, $wb2, $wc) = ($t->ws('alice'), $t->ws('bob'), $t->ws('bob', name => 'bob 2'), $t->ws('carol'));
	my $r = $wb->request(type => 'edit', message_id => $m->{id}, content => 'hi alice', mentions => ['alice', 'stranger']);
	is_shape $r->{message}, $GROUP_MESSAGE, 'edited';
	is_deeply [@{$r->{message}}{qw(content mentions)}], ['hi alice', ['alice']], 'only members are mentioned';
	is_deeply $_->expect('edited')->{message}, $r->{message}, "to $_->{name}" for $wa, $wb2, $wc;
	is_deeply counts($carol), [$was->[0], $was->[1] - 1], 'who is not mentioned any more has a mention less';
	is_deeply [map { $_->{id} } @{$alice->get('/messages/mentions')->json->{items}}], [$m->{id}], 'who is now has one';
	is_deeply [map { $_->{id} } @{$carol->get('/messages/mentions')->json->{items}}], [], 'and the other none';
	is edit($bob, $m, 'hi alice', mentions => ['alice', 'stranger'])->json->{edited_at}, $r->{message}{edited_at}, 'the same again';
	edit($bob, $m, 'all of you', mentions => ['*']);
	is_deeply counts($carol), $was, 'everyone is mentioned';
	edit($bob, $m, 'none of you');
	is_deeply counts($carol), [$was->[0], $was->[1] - 1], 'and nobody';
	refused('an admin may not put words into mouths', edit($alice, $m, 'x'), 403, 'not_sender');
	$alice->put("/groups/$g/members/bob", {muted_until => '2099-01-01T00:00:00Z'});
	refused('one who is muted', edit($bob, $m, 'x'), 403, 'muted');
	$alice->put("/groups/$g/members/bob", {muted_until => undef});
	$alice->put("/groups/$g", {settings => {send => 'admins'}});
	refused('where admins alone write', edit($bob, $m, 'x'), 403, 'sending_restricted');
	$alice->put("/groups/$g", {settings => {send => 'all', history => 'joined', slow_mode_seconds => 3600}});
	is edit($bob, $m, 'slowly')->status, 200, 'slow mode is about new messages';
	my ($system) = grep { $_->{message_type} eq 'system' } @{$bob->get("/messages/conversations/$g/messages")->json->{items}};
	refused('a system message', edit($alice, $system, 'x'), 403, 'forbidden');
	$_->abort for @ws;

	$t->befriend(qw(alice dave));
	$alice->post("/groups/$g/members", {user_ids => ['dave']});
	my ($wd, $wc2) = ($t->ws('dave'), $t->ws('carol'));
	edit($bob, $before, 'of before');
	is $wc2->expect('edited')->{message}{content}, 'of before', 'who was there is told';
	my $last = $t->say('alice', $g, 'now');
	is $wd->expect('message')->{message}{content}, 'now', 'who came later is told of what came later alone';
	refused('and does not see the other', $t->api('dave')->get("/messages/$before->{id}"), 404, 'not_found');
	$alice->delete("/groups/$g/members/bob");
	refused('who has left', edit($bob, $m, 'x'), 404, 'not_found');
	$alice->delete("/groups/$g");
	refused('a dissolved group', edit($alice, $last, 'x'), 409, 'group_dissolved');
	$_->abort for $wd, $wc2;
};

subtest 'catching up' => sub {
	my @m = map { $t->send_text('alice', 'bob', "m$_") } 1 .. 4;
	my $cid = $m[0]{conversation_id};
	my %have = (id => $cid, seq => $m[3]{seq}, change_seq => $bob->get("/messages/conversations/$cid")->json->{change_seq});
	my $since = $bob->post('/messages/sync', {conversations => [], since => undef})->json->{cursor};
	edit($alice, $m[0], 'once');
	edit($alice, $m[1], 'other');
	edit($alice, $m[0], 'twice', entities => \@bold);
	$alice->put("/messages/$m[2]{id}/recall");
	$bob->put("/messages/$m[3]{id}/read");
	edit($alice, $m[3], 'deleted then');
	$bob->delete("/messages/$m[3]{id}");
	my $sync = sub { my ($http, $limit, %had) = @_; return $http->post('/messages/sync', {conversations => [{%have, %had}], since => undef, limit => $limit})->json->{conversations}[0] };
	my $e = $sync->($bob, 50);
	is_shape $e, $SYNC->{conversations}[0], 'an entry';
	is_deeply [map { $_->{kind} } @{$e->{changes}}], [qw(edited edited edited recalled read edited deleted)], 'each change';
	is_deeply [map { [$_->{seq}, $_->{content}, $_->{is_recalled} ? 1 : 0] } @{$e->{updated}}],
		[[$m[0]{seq}, 'twice', 0], [$m[1]{seq}, 'other', 0], [$m[2]{seq}, undef, 1]], 'and each message once, as it is now; not what bob has deleted';
	is_deeply $e->{updated}[0], one($bob, $m[0]), 'whole';
	my $of_alice = $sync->($alice, 50);
	is_deeply [map { one($alice, $_) } @{$of_alice->{updated}}], $of_alice->{updated}, 'as the other side sees them, with what was read';
	my $first = $sync->($bob, 2);
	is_deeply [[map { $_->{kind} } @{$first->{changes}}], [map { $_->{seq} } @{$first->{updated}}], $first->{has_more} ? 1 : 0], [[qw(edited edited)], [$m[0]{seq}, $m[1]{seq}], 1], 'as many changes as were asked for';
	my $rest = $sync->($bob, 50, change_seq => $first->{changes}[-1]{change_seq});
	is_deeply [map { $_->{kind} } @{$rest->{changes}}], [qw(edited recalled read edited deleted)], 'and the rest';
	my ($unlisted) = grep { $_->{conversation}{id} eq $cid } @{$bob->post('/messages/sync', {conversations => [], since => $since})->json->{conversations}};
	ok $unlisted, 'an edit counts as activity';
	is_deeply $unlisted->{updated}, [], 'who lists nothing of it is given the messages alone';
};

subtest 'the time by which others catch up is not moved for each' => sub {
	my $m = $t->send_text('alice', 'bob', 'again and again');
	my ($user, $n) = ('bob', 0);
	my $moves = sub {
		my ($from) = @_;
		$dbh->do("UPDATE recalls SET recalled_at = $from WHERE user_id = ? AND conversation_id = ?", undef, $user, $m->{conversation_id});
		my $of = 'SELECT TIMESTAMPDIFF(MICROSECOND, ?, recalled_at) DIV 1000 FROM recalls WHERE user_id = ? AND conversation_id = ?';
		my ($before) = $dbh->selectrow_array('SELECT recalled_at FROM recalls WHERE user_id = ? AND conversation_id = ?', undef, $user, $m->{conversation_id});
		edit($alice, $m, 'edit ' . $n++);
		return $dbh->selectrow_array($of, undef, $before, $user, $m->{conversation_id});
	};
	edit($alice, $m, 'the first');
	# However busy the machine is: it is as it was, or more than two seconds have passed.
	my $moved = $moves->('UTC_TIMESTAMP(3)');
	ok $moved == 0 || $moved > 2000, "a moment later it stays ($moved ms)";
	cmp_ok $moves->('UTC_TIMESTAMP(3) - INTERVAL 2001000 MICROSECOND'), '>', 2000, 'two seconds later it moves';
	is $moves->('UTC_TIMESTAMP(3) + INTERVAL 1 HOUR'), 0, 'never back';
};

subtest 'at once' => sub {
	my @http = map { $t->http('alice') } 1 .. 8;
	my ($edited, $recalled) = (0, 0);
	for my $round (1 .. 10) {
		my $m = $t->send_text('alice', 'bob', 'race');
		my $seq = $bob->get("/messages/conversations/$m->{conversation_id}")->json->{change_seq};
		$_->send_request('PUT', "/messages/$m->{id}", json => {content => 'edit ' . $_}) for @http[0 .. 6];
		$http[7]->send_request('PUT', "/messages/$m->{id}/recall");
		my @r = map { $_->response } @http;
		is $r[7]->status, 200, 'recalled';
		my @ok = grep { $r[$_]->status == 200 } 0 .. 6;
		is_deeply [grep { $_ ne '200' && $_ ne '409 conflict' } map { $_->status < 400 ? $_->status : $_->status . ' ' . $_->code } @r[0 .. 6]], [], 'each edit came before it or not at all';
		my $end = one($bob, $m);
		is_deeply [@$end{qw(content entities)}, $end->{is_recalled} ? 1 : 0], [undef, undef, 1], 'nothing of it is left';
		my $e = $bob->post('/messages/sync', {conversations => [{id => $m->{conversation_id}, seq => $m->{seq}, change_seq => $seq}], since => undef})->json->{conversations}[0];
		is_deeply [map { $_->{kind} } @{$e->{changes}}], [('edited') x @ok, 'recalled'], 'as the changes tell';
		$edited += @ok;
	}
	note "$edited of 70 edits came before the recall";
};

$t->stop;
done_testing;
