# SPDX-License-Identifier: BSD-2-Clause
# Proves reactions and pins (contract, section 8): who may, what the others are told, lists and their pages, what many at
# once end in, catching up with one entry however many there were, and what a recall leaves of both.
use utf8;
use Tidings;
use Tidings::Shape;

my $t = Tidings->start(workers => 2, conf => {limits => {sends_per_second => 1000, burst => 2000}});
my @crowd = map { "user$_" } 1 .. 8;
$t->befriend(qw(alice bob carol), @crowd);
my ($alice, $bob, $carol, $stranger) = map { $t->api($_) } qw(alice bob carol stranger);
my $dbh = $t->stack->dbh($t->{database});

sub escaped { my ($text) = @_; utf8::encode($text); return $text =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger }
sub react { my ($http, $m, $emoji) = @_; return $http->put("/messages/$m->{id}/reactions/" . escaped($emoji)) }
sub unreact { my ($http, $m, $emoji) = @_; return $http->delete("/messages/$m->{id}/reactions/" . escaped($emoji)) }
sub pin { my ($http, $m) = @_; return $http->put("/messages/$m->{id}/pin") }
sub unpin { my ($http, $m) = @_; return $http->delete("/messages/$m->{id}/pin") }
sub pins { my ($http, $id) = @_; return [map { $_->{id} } @{$http->get("/messages/conversations/$id/pins")->json->{items}}] }
sub one { my ($http, $m) = @_; return $http->get("/messages/$m->{id}")->json }
sub kind { my ($emoji, $count, @users) = @_; return {emoji => $emoji, count => $count, user_ids => \@users} }
sub quiet {
	my ($name, @ws) = @_;
	$_->settle for @ws;
	is_deeply [map { my $ws = $_; map { "$ws->{name}: $_->{type}" } $ws->queued } @ws], [], $name;
	return;
}
# What the table says, against what the message says.
sub recount {
	my ($m) = @_;
	my @kinds = map { kind($_->[0], $_->[1], (split /,/, $_->[2])[0 .. ($_->[1] > 5 ? 4 : $_->[1] - 1)]) }
		@{$dbh->selectall_arrayref('SELECT emoji, COUNT(*), GROUP_CONCAT(user_id ORDER BY n) FROM reactions WHERE message_id = ? GROUP BY emoji', undef, $m->{id})};
	return [sort { $a->{emoji} cmp $b->{emoji} } @kinds];
}
sub same_as_table {
	my ($m, $name) = @_;
	return is_deeply [sort { $a->{emoji} cmp $b->{emoji} } @{one($alice, $m)->{reactions}}], recount($m), $name;
}

subtest 'a direct conversation' => sub {
	my @ws = my ($wa, $wa2, $wb) = ($t->ws('alice'), $t->ws('alice', name => 'alice 2'), $t->ws('bob'));
	my $m = $t->send_text('alice', 'bob', 'hi');
	$_->expect('message') for @ws;
	my $r = $wb->request(type => 'react', message_id => $m->{id}, emoji => '👍');
	is_deeply $r, {type => 'result', ref => $r->{ref}, reactions => [kind('👍', 1, 'bob')]}, 'a reaction';
	my %event = (conversation_id => $m->{conversation_id}, message_id => $m->{id}, seq => 1);
	is_deeply $_->expect('reaction'), {type => 'reaction', %event, change_seq => 1, user_id => 'bob', emoji => '👍', added => JSON::PP::true, count => 1}, "to $_->{name}" for $wa, $wa2;
	is_deeply [react($bob, $m, '👍')->status, react($bob, $m, '👍')->json], [200, {reactions => [kind('👍', 1, 'bob')]}], 'the same again';
	quiet('tells nobody', @ws);
	is_deeply react($alice, $m, '👍')->json->{reactions}, [kind('👍', 2, 'bob', 'alice')], 'another one of that kind';
	is_deeply [@{$_->expect('reaction')}{qw(user_id count change_seq)}], ['alice', 2, 2], "to $_->{name}" for @ws;
	is_deeply react($alice, $m, $_)->status, 200, "a kind of any text: $_" for '❤️', '👩‍👩‍👧‍👦', 'a"b\\c', '+1', '%41', '/';
	is_deeply one($_, $m)->{reactions}, [kind('👍', 2, 'bob', 'alice'), map { kind($_, 1, 'alice') } '❤️', '👩‍👩‍👧‍👦', 'a"b\\c', '+1', '%41', '/'], 'in the order of the first of each' for $alice, $bob;
	is_deeply $bob->get('/messages/conversations')->json->{items}[0]{last_message}, one($bob, $m), 'the list has them';
	is unreact($alice, $m, $_)->status, 200, "and taken back: $_" for '❤️', '👩‍👩‍👧‍👦', 'a"b\\c', '+1', '%41', '/';
	$_->expect('reaction') for map { ($_) x 12 } @ws;
	my $back = $wb->request(type => 'unreact', message_id => $m->{id}, emoji => '👍');
	is_deeply $back->{reactions}, [kind('👍', 1, 'alice')], 'bob takes it back';
	is_deeply [@{$_->expect('reaction')}{qw(added count)}], [JSON::PP::false, 1], "which $_->{name} hears" for $wa, $wa2;
	is unreact($bob, $m, '👍')->status, 200, 'again';
	quiet('which nobody hears', @ws);
	same_as_table($m, 'the message says what the table says');
	my $next = $t->send_text('alice', 'bob', 'again', client_msg_id => 'r1');
	react($bob, $next, '🎉');
	is_deeply $alice->post('/messages/send', text_to('bob', 'again', client_msg_id => 'r1'))->json, one($alice, $next), 'the repeat of a send answers it with its reactions';
	$alice->put("/messages/$next->{id}", {content => 'edited'});
	is_deeply one($alice, $next)->{reactions}, [kind('🎉', 1, 'bob')], 'an edit leaves them';
	$_->abort for @ws;
};

subtest 'what is refused' => sub {
	my $m = $t->send_text('alice', 'bob', 'mine');
	for my $case (['of 65 bytes', 'x' x 65], ['of 65 bytes in 17 characters', '👍' x 16 . 'a'], ['with a space', 'a b'], ['with another white space', "a\x{3000}"], ['with a line feed', "a\n"], ['with a control character', "\x7f"], ['with NUL', "a\0"], ['that turns the direction', "a\x{202E}b"]) {
		my ($name, $emoji) = @$case;
		refused($name, react($bob, $m, $emoji), 400, 'invalid_argument', qr/^emoji: /);
		refused("$name, taken back", unreact($bob, $m, $emoji), 400, 'invalid_argument', qr/^emoji: /);
	}
	refused('that is no UTF-8', $bob->put("/messages/$m->{id}/reactions/%FF%FE"), 400, 'invalid_argument', qr/^emoji: /);
	is react($bob, $m, 'x' x 64)->status, 200, 'of 64 bytes is fine';
	unreact($bob, $m, 'x' x 64);
	my $ws = $t->ws('bob');
	for my $bad ({}, {emoji => 7}, {emoji => undef}, {emoji => ''}, {emoji => 'a b'}) {
		my $e = $ws->request(type => 'react', message_id => $m->{id}, %$bad);
		is_deeply [$e->{type}, $e->{code}, $e->{detail} =~ /^emoji/ ? 1 : $e->{detail}], ['error', 'invalid_argument', 1], 'a frame with ' . JSON::PP->new->canonical->encode($bad);
	}
	$ws->abort;
	refused('a stranger', react($stranger, $m, '👍'), 404, 'not_found');
	refused('none', react($bob, {id => $m->{id} + 1}, '👍'), 404, 'not_found');
	is $bob->put("/messages/$m->{id}/reactions/")->status, 404, 'no path without one';
	is $bob->post("/messages/$m->{id}/reactions/x", {})->status, 405, 'other methods are refused';
	is $t->http(undef)->put("/messages/$m->{id}/reactions/x")->status, 401, 'nobody without a token';
	react($bob, $m, "k$_") for 1 .. 20;
	refused('the 21st kind', react($bob, $m, 'k21'), 409, 'conflict', qr/kinds/);
	is react($alice, $m, 'k7')->status, 200, 'one more of a kind that is there';
	unreact($bob, $m, 'k20');
	is react($bob, $m, 'k21')->status, 200, 'and a new one in place of another';
	same_as_table($m, 'the message says what the table says');
	my $hidden = $t->send_text('alice', 'bob', 'hidden');
	$bob->delete("/messages/$hidden->{id}");
	refused('who has deleted it', react($bob, $hidden, '👍'), 404, 'not_found');
	my $then = $t->send_text('alice', 'carol', 'friends');
	react($carol, $then, '👍');
	$alice->put('/users/carol/block');
	refused('whom the other blocks', react($carol, $then, '🎉'), 403, 'blocked');
	is unreact($carol, $then, '👍')->status, 200, 'but it can be taken back';
	$alice->delete('/users/carol/block');
	$alice->delete('/friends/carol');
	refused('who is no friend any more', react($carol, $then, '🎉'), 403, 'not_friends');
	$t->befriend(qw(alice carol));
};

subtest 'many at once, and the list' => sub {
	my $g = $t->group('alice', ['bob', @crowd]);
	my $m = $t->say('alice', $g, 'party?');
	my %http = map { $_ => $t->http($_)->connect } @crowd;
	my $ws = $t->ws('alice');
	my $all = sub {
		my ($method, $emoji, @users) = @_;
		$http{$_}->send_request($method, "/messages/$m->{id}/reactions/" . escaped($emoji)) for @users;
		return map { $http{$_}->response } @users;
	};
	is_deeply [map { $_->status } $all->('PUT', '🎉', @crowd)], [(200) x 8], 'eight people react at once';
	my ($kind) = @{one($alice, $m)->{reactions}};
	is_deeply [$kind->{count}, scalar @{$kind->{user_ids}}], [8, 5], 'all count, five are shown';
	is_deeply [sort map { $ws->expect('reaction')->{count} } 1 .. 8], [1 .. 8], 'each is told with its count';
	same_as_table($m, 'the message says what the table says');
	my @order = map { $_->{user_id} } @{$alice->get("/messages/$m->{id}/reactions?limit=100")->json->{items}};
	is_deeply [@order[0 .. 4]], $kind->{user_ids}, 'the list begins with those';
	is_deeply [sort @order], [@crowd], 'and has everybody';
	is_deeply [map { $_->status } $all->('DELETE', '🎉', @order[0, 2, 4])], [(200) x 3], 'three of the first take it back at once';
	is_deeply one($alice, $m)->{reactions}, [kind('🎉', 5, @order[1, 3, 5, 6, 7])], 'others take their places';
	$all->('PUT', '🎉', @order[4, 2]);
	$all->('PUT', '👍', @order[0 .. 2]);
	same_as_table($m, 'the message says what the table says');
	my ($cursor, @pages) = '';
	while (defined $cursor) {
		my $page = $bob->get("/messages/$m->{id}/reactions?limit=4$cursor")->json;
		push @pages, $page->{items};
		is_deeply [grep { !/\A\d{4}-\d\d-\d\dT.*Z\z/ } map { $_->{at} } @{$page->{items}}], [], 'each with its time';
		$cursor = defined $page->{next_cursor} ? "&cursor=$page->{next_cursor}" : undef;
	}
	is_deeply [map { scalar @$_ } @pages], [4, 4, 2], 'in pages';
	my @all = map { @$_ } @pages;
	is_deeply [map { $_->{at} } @all], [sort map { $_->{at} } @all], 'in order of time';
	is_deeply [map { $_->{user_id} } grep { $_->{emoji} eq '👍' } @all], [map { $_->{user_id} } @{$bob->get("/messages/$m->{id}/reactions?emoji=" . escaped('👍'))->json->{items}}], 'or of one kind';
	is_deeply $bob->get("/messages/$m->{id}/reactions?emoji=none")->json, {items => [], next_cursor => undef}, 'of none';
	my $of = sub { my ($user, $more) = @_; return [map { "$_->{user_id} $_->{emoji}" } @{$bob->get("/messages/$m->{id}/reactions?user_id=$user" . ($more // ''))->json->{items}}] };
	my $wanted = sub { my ($user) = @_; return [map { "$_->{user_id} $_->{emoji}" } grep { $_->{user_id} eq $user } @all] };
	is_deeply [map { $of->($_) } @crowd], [map { $wanted->($_) } @crowd], 'or of one user';
	is_deeply $of->($order[0], '&emoji=' . escaped('👍')), ["$order[0] 👍"], 'of one user and kind';
	is_deeply [$of->($order[7], '&emoji=' . escaped('👍')), $of->('nobody')], [[], []], 'who has none of it, or none at all';
	refused("no user: $_", $bob->get("/messages/$m->{id}/reactions?user_id=$_"), 400, 'invalid_argument', qr/^user_id/) for '', '.', 'x' x 65;
	refused('a stranger', $stranger->get("/messages/$m->{id}/reactions"), 404, 'not_found');
	refused('no emoji', $bob->get("/messages/$m->{id}/reactions?emoji="), 400, 'invalid_argument', qr/^emoji/);
	refused('no limit', $bob->get("/messages/$m->{id}/reactions?limit=101"), 400, 'invalid_argument', qr/^limit/);
	refused('no cursor', $bob->get("/messages/$m->{id}/reactions?cursor=x"), 400, 'invalid_argument', qr/^cursor/);
	is_deeply [map { scalar @{$_->{changes}} } @{$bob->post('/messages/sync', {conversations => [{id => $g, seq => 0, change_seq => 0}]})->json->{conversations}}], [1], 'all of them are one entry for whoever was away';
	$ws->abort;
};

subtest 'a group' => sub {
	my $g = $t->group('alice', [qw(bob carol)]);
	my $m = $t->say('alice', $g, 'hi all');
	my @ws = my ($wa, $wb, $wc) = map { $t->ws($_) } qw(alice bob carol);
	react($bob, $m, '👍');
	is_deeply [@{$_->expect('reaction')}{qw(user_id seq)}], ['bob', $m->{seq}], "to $_->{name}" for @ws;
	my ($system) = grep { $_->{message_type} eq 'system' } @{$bob->get("/messages/conversations/$g/messages")->json->{items}};
	refused('to a system message', react($bob, $system, '👍'), 403, 'forbidden');
	$alice->put("/groups/$g/members/bob", {muted_until => '2099-01-01T00:00:00Z'});
	refused('who is muted', react($bob, $m, '🎉'), 403, 'muted');
	is unreact($bob, $m, '👍')->status, 200, 'may take back';
	$alice->put("/groups/$g/members/bob", {muted_until => undef});
	$alice->put("/groups/$g", {settings => {send => 'admins', slow_mode_seconds => 3600}});
	is react($bob, $m, '🎉')->status, 200, 'where admins alone send others may react, as often as they like';
	is react($bob, $m, '👍')->status, 200, 'in slow mode, too';
	$bob->delete("/messages/$m->{id}");
	refused('who has deleted it', react($bob, $m, '❤️'), 404, 'not_found');
	$alice->put("/groups/$g", {settings => {send => 'all', slow_mode_seconds => 0}});

	refused('a member pins nothing', pin($carol, $m), 403, 'forbidden');
	is pin($alice, $m)->status, 204, 'an admin does';
	is_deeply $wc->expect('pinned'), {type => 'pinned', conversation_id => $g, message_id => $m->{id}, pinned => JSON::PP::true, by => 'alice', change_seq => $alice->get("/messages/conversations/$g")->json->{change_seq}}, 'members are told';
	is_deeply pins($carol, $g), [$m->{id}], 'and find it';
	is_deeply pins($bob, $g), [], 'but who has deleted it';
	refused('a member takes none away', unpin($carol, $m), 403, 'forbidden');
	refused('a system message', pin($alice, $system), 403, 'forbidden');
	refused('pins of others', $stranger->get("/messages/conversations/$g/pins"), 404, 'not_found');
	my $later = $t->say('alice', $g, 'the end');
	$alice->delete("/groups/$g");
	refused('a dissolved group', react($carol, $m, '👍'), 409, 'group_dissolved');
	refused('nor pins', pin($alice, $later), 409, 'group_dissolved');
	is_deeply pins($carol, $g), [$m->{id}], 'its pins can be looked at';
	$_->abort for @ws;
};

subtest 'pins' => sub {
	my @ws = my ($wa, $wb) = map { $t->ws($_) } qw(alice bob);
	my @m = map { $t->send_text('alice', 'bob', "m$_") } 1 .. 52;
	my $cid = $m[0]{conversation_id};
	$_->expect('message') for map { ($_) x 52 } @ws;
	is pin($bob, $m[0])->status, 204, 'either side of a direct conversation may';
	is_deeply [@{$_->expect('pinned')}{qw(message_id pinned by)}], [$m[0]{id}, JSON::PP::true, 'bob'], "$_->{name} is told" for @ws;
	is pin($alice, $m[0])->status, 204, 'again';
	quiet('tells nobody', @ws);
	pin($alice, $m[$_]) for 1 .. 49;
	refused('the 51st', pin($bob, $m[50]), 409, 'conflict', qr/pinned/);
	is_deeply pins($bob, $cid), [map { $_->{id} } reverse @m[0 .. 49]], 'the last one comes first';
	is_deeply [map { $_->{content} } @{$alice->get("/messages/conversations/$cid/pins")->json->{items}}[0 .. 1]], ['m50', 'm49'], 'whole messages';
	is unpin($bob, $m[3])->status, 204, 'either side takes away the pin of the other';
	is unpin($bob, $m[3])->status, 204, 'again';
	is pin($bob, $m[50])->status, 204, 'then there is room';
	refused('a stranger', pin($stranger, $m[0]), 404, 'not_found');
	refused('none', pin($alice, {id => $m[51]{id} + 1}), 404, 'not_found');
	my @http = map { $t->http($_)->connect } qw(alice bob);
	unpin($alice, $m[$_]) for 5 .. 10;
	for my $i (5 .. 12) {
		$http[$i % 2]->send_request('PUT', "/messages/$m[$i == 12 ? 51 : $i]{id}/pin");
		$http[$i % 2]->response if $i % 2;
		$http[$i % 2]->response if !($i % 2);
	}
	is scalar @{pins($alice, $cid)}, 50, 'never more than fifty';
	$_->abort for @ws;
};

subtest 'a recall' => sub {
	my @m = map { $t->send_text('alice', 'bob', "gone $_") } 1 .. 2;
	my $cid = $m[0]{conversation_id};
	unpin($alice, {id => $_}) for @{pins($alice, $cid)};
	for my $m (@m) {
		react($bob, $m, '👍');
		pin($bob, $m);
	}
	$alice->put("/messages/$m[0]{id}/recall");
	is_deeply one($bob, $m[0])->{reactions}, [], 'has no reactions';
	is_deeply recount($m[0]), [], 'anywhere';
	is_deeply pins($bob, $cid), [$m[1]{id}], 'and is not pinned';
	refused('nor gets one', react($bob, $m[0], '👍'), 409, 'conflict', qr/recalled/);
	refused('nor gives one back', unreact($bob, $m[0], '👍'), 409, 'conflict', qr/recalled/);
	refused('nor a pin', pin($bob, $m[0]), 409, 'conflict', qr/recalled/);
	is unpin($bob, $m[0])->status, 204, 'it has none';
	is_deeply $bob->get("/messages/$m[0]{id}/reactions")->json->{items}, [], 'nobody has reacted';
	my @http = map { $t->http($_)->connect } qw(alice bob bob);
	for my $round (1 .. 20) {
		my $m = $t->send_text('alice', 'bob', "race $round");
		$http[0]->send_request('PUT', "/messages/$m->{id}/recall");
		$http[1]->send_request('PUT', "/messages/$m->{id}/reactions/x");
		$http[2]->send_request('PUT', "/messages/$m->{id}/pin");
		my @status = map { $_->response->status } @http;
		my $now = one($alice, $m);
		next if $status[0] == 200 && $now->{is_recalled} && !@{$now->{reactions}} && !@{recount($m)} && !grep { $_ eq $m->{id} } @{pins($alice, $cid)};
		fail "round $round: @status";
	}
	pass 'a recall, a reaction and a pin at once end as a recalled message without either';
};

subtest 'pins that nobody sees' => sub {
	my ($m, $other) = map { $t->send_text('alice', 'bob', $_) } qw(one other);
	my $cid = $m->{conversation_id};
	unpin($alice, {id => $_}) for @{pins($alice, $cid)};
	pin($alice, $_) for $m, $other;
	$alice->delete("/messages/$m->{id}");
	is_deeply [pins($alice, $cid), pins($bob, $cid)], [[$other->{id}], [$other->{id}, $m->{id}]], 'who has deleted it does not see it';
	is unpin($alice, $m)->status, 204, 'but can take the pin away';
	is_deeply pins($bob, $cid), [$other->{id}], 'for both';
	$_->delete("/messages/$other->{id}") for $alice, $bob;
	is_deeply $dbh->selectcol_arrayref('SELECT message_id FROM pins WHERE conversation_id = ?', undef, $cid), [], 'one that both have deleted is not pinned any more';
	my $old = $t->send_text('alice', 'bob', 'recalled by an old node');
	pin($alice, $old);
	$dbh->do('UPDATE messages SET is_recalled = 1 WHERE id = ?', undef, $old->{id});
	is_deeply pins($alice, $cid), [], 'one that another program has recalled is not shown';
	is unpin($alice, $old)->status, 204, 'and can be taken away';
	is_deeply $dbh->selectcol_arrayref('SELECT message_id FROM pins WHERE conversation_id = ?', undef, $cid), [], 'which leaves no row';
	$dbh->do('UPDATE messages SET is_recalled = 0 WHERE id = ?', undef, $old->{id});
};

subtest 'what is large' => sub {
	my @m = map { $t->send_text('alice', 'bob', chr(1) x 8000) } 1 .. 50;
	my $cid = $m[0]{conversation_id};
	unpin($alice, {id => $_}) for @{pins($alice, $cid)};
	pin($alice, $_) for @m;
	my $first = $bob->get("/messages/conversations/$cid/pins");
	cmp_ok length $first->body, '<', 1_100_000, 'pins of many large messages come in pages';
	my ($cursor, @all) = '';
	while (defined $cursor) {
		my $page = $bob->get("/messages/conversations/$cid/pins?$cursor")->json;
		push @all, map { $_->{id} } @{$page->{items}};
		$cursor = defined $page->{next_cursor} ? "cursor=$page->{next_cursor}" : undef;
	}
	is_deeply \@all, [map { $_->{id} } reverse @m], 'each once';
	refused('no cursor', $bob->get("/messages/conversations/$cid/pins?cursor=x"), 400, 'invalid_argument', qr/^cursor/);
	my $full = join "\n", map { my $k = $_; 'x' x 62 . $k . ' 5 ' . join ',', map { 'u' x 60 . "$k$_" } 1 .. 5 } 10 .. 29;
	$dbh->do('UPDATE messages SET reactions = ?, content = ? WHERE id >> 28 = ?', undef, $full, 'x', $cid);
	my $history = $bob->get("/messages/conversations/$cid/messages?limit=100");
	cmp_ok length $history->body, '<', 1_100_000, 'what reactions take counts in a page';
	is $history->json->{has_more}, JSON::PP::true, 'which has fewer messages then';
	my @large = $t->send_text('alice', 'bob', 'many');
	$dbh->do('INSERT INTO reactions (message_id, user_id, emoji, n, at) SELECT ?, CONCAT(\'u\', seq), \'x\', 1, UTC_TIMESTAMP(3) FROM seq_1_to_3000', undef, $large[0]{id});
	$dbh->do('UPDATE messages SET reactions = ? WHERE id = ?', undef, 'x 3000 u1,u2,u3,u4,u5', $large[0]{id});
	is $alice->put("/messages/$large[0]{id}/recall")->status, 200, 'a message with thousands of reactions is recalled';
	wait_for('all of them to be deleted', sub { !$dbh->selectrow_array('SELECT COUNT(*) FROM reactions WHERE message_id = ?', undef, $large[0]{id}) && !$dbh->selectrow_array('SELECT COUNT(*) FROM reaction_erasures') });
	$dbh->do('UPDATE messages SET reactions = NULL WHERE id >> 28 = ?', undef, $cid);
	unpin($alice, $_) for @m;
};

subtest 'catching up' => sub {
	my @m = map { $t->send_text('alice', 'bob', "m$_") } 1 .. 3;
	my $cid = $m[0]{conversation_id};
	my %have = (id => $cid, seq => $m[2]{seq}, change_seq => $bob->get("/messages/conversations/$cid")->json->{change_seq});
	react($alice, $m[0], $_) for '👍', '🎉';
	unreact($alice, $m[0], '👍');
	pin($alice, $m[1]);
	react($alice, $m[0], '❤️');
	unpin($alice, $m[1]);
	my ($entry) = @{$bob->post('/messages/sync', {conversations => [\%have]})->json->{conversations}};
	is_deeply [map { my $c = $_; [$c->{kind}, grep { $m[$_]{id} eq $c->{message_id} } 0 .. 2] } @{$entry->{changes}}], [['pinned', 1], ['reaction', 0], ['unpinned', 1]], 'one entry of a message tells of all its reactions, where the last one was';
	is_deeply [map { $_->{id} } @{$entry->{updated}}], [$m[1]{id}, $m[0]{id}], 'with the messages' or diag explain $entry->{updated};
	is_deeply $entry->{updated}[1]{reactions}, [kind('🎉', 1, 'alice'), kind('❤️', 1, 'alice')], 'as they are now';
	is $entry->{conversation}{change_seq}, $have{change_seq} + 6, 'the conversation has counted each';
};

$t->stop;
done_testing;
