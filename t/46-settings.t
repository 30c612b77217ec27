# SPDX-License-Identifier: BSD-2-Clause
# Proves what users set for themselves of a conversation (contract, section 8): muting, pinning, archiving, marking as
# unread and drafts; that nobody else sees it, that the user's other sessions do, and a client that was away; and the
# order and the pages of the list.
use Tidings;
use Tidings::Shape;
use JSON::PP ();

my $t = Tidings->start(workers => 2);
my @peers = map { sprintf 'p%02d', $_ } 1 .. 12;
$t->befriend('alice', 'bob', @peers);
my ($alice, $bob, $stranger) = map { $t->api($_) } qw(alice bob stranger);
my $dbh = $t->dbh;
my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my $far = '2100-01-01T00:00:00.000Z';
my %none = (muted_until => undef, pinned_at => undef, archived => $false, marked_unread => $false, draft => undef, mute_mentions => $false, expires_in => undef);

sub set { my ($http, $id, %what) = @_; return $http->put("/messages/conversations/$id/settings", \%what) }
sub settings_of { my ($http, $id) = @_; return $http->get("/messages/conversations/$id")->json->{settings} }
sub list { my ($http, $query) = @_; return map { $_->{id} } @{$http->get('/messages/conversations?limit=100' . ($query // ''))->json->{items}} }
sub sync { my ($http, $since, @have) = @_; return $http->post('/messages/sync', {conversations => [map { {id => $_->{id}, seq => $_->{read_seq} + $_->{unread_count}, change_seq => $_->{change_seq}} } @have], since => $since})->json }
# A cursor that all that was done so far is before.
sub cursor_now {
	my ($ms) = $dbh->selectrow_array("SELECT CAST(1 + 1000 * TIMESTAMPDIFF(MICROSECOND, '1970-01-01', GREATEST(UTC_TIMESTAMP(3), (SELECT at FROM activity))) / 1000000 AS UNSIGNED)");
	wait_for('the next millisecond', sub { $dbh->selectrow_array("SELECT 1000 * TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) / 1000000 > ?", undef, $ms) });
	return "$ms-0";
}
sub with { my ($user, $peer) = @_; return $t->send_text($peer, $user, 'hi')->{conversation_id} }

my $direct = with('alice', 'bob');
my $group = $t->group('alice', ['bob', 'p01']);

for my $case (['a direct conversation', $direct], ['a group', $group]) {
	my ($name, $id) = @$case;
	subtest $name => sub {
		my @ws = my ($one, $two, $other) = (map({ $t->ws('alice', name => "alice $_") } 1, 2), $t->ws('bob'));
		is_deeply settings_of($alice, $id), \%none, 'nothing is set at first';
		my $r = set($alice, $id, muted_until => $far, pinned => $true, archived => $true, marked_unread => $true, draft => "Half a th\x{f6}ught\n", mute_mentions => $true);
		is $r->status, 200, 'all at once' or diag($r->body);
		my $c = $r->json;
		is_shape $c, $id == $group ? $GROUP : $CONVERSATION, 'answers the conversation';
		like delete $c->{settings}{pinned_at}, qr/^20/, 'with the time of pinning';
		is_deeply $c->{settings}, {muted_until => $far, archived => $true, marked_unread => $true, draft => "Half a th\x{f6}ught\n", mute_mentions => $true, expires_in => undef}, 'and all else that is set';
		for my $ws ($one, $two) {
			my $e = $ws->expect('conversation');
			is $e->{conversation}{settings}{draft}, $c->{settings}{draft}, "$ws->{name} is told";
		}
		my $now = settings_of($alice, $id);
		is_deeply $alice->get('/messages/conversations?archived=true')->json->{items}[0]{settings}, $now, 'the list says the same';
		is_deeply set($alice, $id)->json->{settings}, $now, 'what is not given stays';
		is_deeply set($alice, $id, muted_until => $far, pinned => $true, draft => $now->{draft}, unknown => 1)->json->{settings}, $now, 'and the same again changes nothing';
		$_->settle for @ws;
		is_deeply [map { map { $_->{type} } $_->queued } @ws], [], 'nobody is told, least of all the other side';
		is_deeply settings_of($bob, $id), \%none, 'who has set nothing';
		is_deeply set($alice, $id, muted_until => undef, pinned => undef, archived => undef, marked_unread => undef, draft => undef, mute_mentions => undef)->json->{settings}, \%none, 'null clears';
		$_->expect('conversation') for $one, $two;
		set($alice, $id, draft => 'x', pinned => $true);
		is_deeply set($alice, $id, draft => '', pinned => $false)->json->{settings}, \%none, 'an empty draft is none, and so are false ones';
		$_->settle for @ws;
		is_deeply [map { scalar $_->queued('conversation') } @ws], [2, 2, 0], 'each change is told once';
		$_->abort for @ws;
	};
}

subtest 'what is refused' => sub {
	refused('of a stranger', set($stranger, $_, pinned => $true), 404, 'not_found') for $direct, $group, $direct + 1000, $group + 1000, 0, '18446744073709551615';
	refused('no number', $alice->put('/messages/conversations/x/settings', {}), 404, 'not_found');
	refused('another verb', $alice->post("/messages/conversations/$direct/settings", {}), 405, 'method_not_allowed');
	refused('no body', $alice->put("/messages/conversations/$direct/settings"), 400, 'malformed_json');
	refused("$_->[0]", set($stranger, $direct, @$_), 400, 'invalid_argument', qr/\A$_->[0]:/)
		for [muted_until => 'tomorrow'], [muted_until => 5], [muted_until => '9999-12-31T23:59:59-12:00'], [pinned => 1], [archived => 'true'], [marked_unread => []], [mute_mentions => {}], [draft => 5],
			[draft => 'x' x 4097], [draft => "\x{4e2d}" x 1366], [draft => "a\0b"];
	refused('archived is true or false', $alice->get('/messages/conversations?archived=yes'), 400, 'invalid_argument', qr/archived/);
	is set($alice, $direct, draft => "\x{4e2d}" x 1365)->status, 200, 'a draft has up to 4 KiB';
	is set($alice, $direct, draft => undef, muted_until => '2020-01-01T00:00:00Z')->json->{settings}{muted_until}, undef, 'a mute in the past is none';
};

subtest 'reading clears the mark' => sub {
	for my $id ($direct, $group) {
		$alice->put("/messages/conversations/$id/read", {});
		my ($ws, $other) = map { $t->ws('alice') } 1, 2;
		for my $how (
			sub { return $alice->put("/messages/conversations/$id/read", {})->json },
			sub { return $alice->put("/messages/conversations/$id/read", {up_to_seq => 1})->json },
			sub { my $r = $ws->request(type => 'read', conversation_id => "$id"); return {map { $_ => $r->{$_} } qw(conversation_id read_seq marked unread_count)} },
		) {
			is settings_of($alice, $id)->{marked_unread}, $false, 'not marked';
			is set($alice, $id, marked_unread => $true)->json->{settings}{marked_unread}, $true, 'marked';
			$_->expect('conversation') for $ws, $other;
			my $read = $how->();
			is_deeply [@$read{qw(marked unread_count)}], [0, 0], 'a read where nothing is unread';
			is $other->expect('conversation')->{conversation}{settings}{marked_unread}, $false, 'clears it, and the other sessions are told';
			$ws->settle;
			@{$ws->{events}} = (); # by REST this one is another, too
		}
		set($alice, $id, marked_unread => $true);
		my $m = $id == $direct ? $t->send_text('bob', 'alice', 'x') : $t->say('bob', "$group", 'x');
		is $alice->put("/messages/conversations/$id/read", {})->json->{marked}, 1, 'a read that marks a message';
		is settings_of($alice, $id)->{marked_unread}, $false, 'clears it as well';
		$_->abort for $ws, $other;
	}
};

subtest 'archived' => sub {
	for my $id ($direct, $group) {
		my ($to, $from) = $id == $direct ? (sub { $t->send_text('bob', 'alice', 'x') }, sub { $t->send_text('alice', 'bob', 'x') }) : (sub { $t->say('bob', "$group", 'x') }, sub { $t->say('alice', "$group", 'x') });
		my $before = $alice->get('/messages/unread-count')->json->{unread_count};
		ok set($alice, $id, archived => $true)->json->{settings}{archived}, 'archived';
		ok !grep({ $_ == $id } list($alice)), 'it is not in the list';
		is_deeply [list($alice, '&archived=true')], [$id], 'but alone in the other one';
		$from->() for 1 .. 3;
		ok settings_of($alice, $id)->{archived}, 'one\'s own messages leave it so';
		$to->();
		ok !settings_of($alice, $id)->{archived}, 'another\'s ends it';
		is +(list($alice))[0], $id, 'and it is in the list again';
		is_deeply [list($alice, '&archived=true')], [], 'and in the other no more';
		$from->();
		ok !settings_of($alice, $id)->{archived}, 'which one\'s own leaves so';
		set($alice, $id, archived => $true, muted_until => $far);
		$to->(), $from->(), $to->();
		ok settings_of($alice, $id)->{archived}, 'unless it is muted';
		is_deeply [list($alice, '&archived=true')], [$id], 'in the list as well';
		is $alice->get('/messages/unread-count')->json->{unread_count}, $before + ($id == $direct ? 3 : 1), 'it counts in the total';
		ok set($alice, $id, muted_until => undef)->json->{settings}{archived}, 'it stays so when the mute ends';
		$to->();
		ok !settings_of($alice, $id)->{archived}, 'until the next message';
		ok !set($alice, $id, muted_until => $far)->json->{settings}{archived}, 'which a later mute does not undo';
		set($alice, $id, muted_until => undef);
		$alice->put("/messages/conversations/$id/read", {});
	}
};

subtest 'a mute ends' => sub {
	for my $id ($direct, $group) {
		my $to = $id == $direct ? sub { $t->send_text('bob', 'alice', 'x') } : sub { $t->say('bob', "$group", 'x') };
		set($alice, $id, archived => $true, muted_until => rfc3339(time + 3600));
		ok settings_of($alice, $id)->{muted_until}, 'muted for an hour';
		$to->();
		ok settings_of($alice, $id)->{archived}, 'archived all the same';
		$dbh->do('UPDATE conversation_settings SET muted_until = UTC_TIMESTAMP(3) WHERE muted_until IS NOT NULL');
		is_deeply settings_of($alice, $id), {%none, archived => $true}, 'after the hour it is still archived, but not muted';
		is_deeply [list($alice, '&archived=true'), grep { $_ == $id } list($alice)], [$id], 'as the lists say';
		is_deeply set($alice, $id, draft => 'x', muted_until => undef)->json->{settings}, {%none, archived => $true, draft => 'x'}, 'whatever else is set';
		$to->();
		ok !settings_of($alice, $id)->{archived}, 'until the next message';
		is_deeply [list($alice, '&archived=true'), (list($alice))[0]], [$id], 'as the lists say';
		ok !set($alice, $id, muted_until => $far)->json->{settings}{archived}, 'which a later mute does not undo';
		set($alice, $id, archived => $false, muted_until => undef, draft => undef);
		$alice->put("/messages/conversations/$id/read", {});
	}
};

subtest 'the order of the list, and its pages' => sub {
	my @ids = reverse map { with('alice', $_) } @peers;
	my @all = list($alice);
	is_deeply [@all[0 .. 11]], \@ids, 'newest first';
	set($alice, $_, pinned => $true) for @ids[4, 9, 11], $group;
	my %pinned = map { $_ => 1 } @ids[4, 9, 11], $group;
	my @sorted = ((grep { $pinned{$_} } @all), (grep { !$pinned{$_} } @all));
	is_deeply [list($alice)], \@sorted, 'the pinned ones first';
	set($alice, $_, archived => $true) for @ids[2, 3, 9];
	my %archived = map { $_ => 1 } @ids[2, 3, 9];
	my @shown = grep { !$archived{$_} } @sorted;
	is_deeply [list($alice, '&archived=false')], \@shown, 'without archived ones';
	my @archive = (@ids[9, 2, 3]);
	is_deeply [list($alice, '&archived=true')], \@archive, 'which have the same order';
	for my $of (['', @shown], ['&archived=true', @archive]) {
		my ($query, @whole) = @$of;
		for my $limit (1 .. @whole) {
			my ($cursor, @got, @sizes) = ('');
			do {
				my $page = $alice->get("/messages/conversations?limit=$limit$query$cursor")->json;
				push @got, map { $_->{id} } @{$page->{items}};
				push @sizes, scalar @{$page->{items}};
				$cursor = defined $page->{next_cursor} ? "&cursor=$page->{next_cursor}" : undef;
			} while (defined $cursor);
			is_deeply \@got, \@whole, "pages of $limit" or diag(explain(\@got, \@whole));
			is_deeply [grep { $_ != $limit } @sizes[0 .. $#sizes - 1]], [], 'all full but the last';
		}
	}
	my $fresh = $t->send_text('p05', 'alice', 'newer')->{conversation_id};
	is +(list($alice))[4 - 1], $fresh, 'a new message brings one before all but the pinned ones';
	set($alice, $_, pinned => $false, archived => $false) for @ids, $group;
	is_deeply [list($alice)], [$fresh, grep { $_ != $fresh } @all], 'without pins and archive as before';
};

subtest 'no more than a hundred are pinned' => sub {
	my @many = map { sprintf 'm%03d', $_ } 1 .. 103;
	$t->befriend('alice', $_) for @many;
	my @ids = map { with('alice', $_) } @many;
	is_deeply [grep { set($alice, $_, pinned => $true)->status != 200 } @ids[0 .. 97]], [], 'ninety-eight';
	my @http = map { $t->http('alice') } 1 .. 5;
	$http[$_]->send_request('PUT', "/messages/conversations/$ids[98 + $_]/settings", json => {pinned => $true}) for 0 .. 4;
	my %count;
	$count{$_->response->status}++ for @http;
	is_deeply \%count, {200 => 2, 409 => 3}, 'of five at once just two get in';
	my ($out) = grep { !defined settings_of($alice, $_)->{pinned_at} } @ids;
	refused('one too many', set($alice, $out, pinned => $true), 409, 'conflict');
	is set($alice, $ids[0], pinned => $true)->status, 200, 'one that is pinned is so again';
	is set($alice, $ids[0], pinned => $false)->status, 200, 'where one is not pinned any more';
	is set($alice, $out, pinned => $true)->status, 200, 'there is room';
	is_deeply [(list($alice))[0 .. 99]], [reverse grep { $_ != $ids[0] && defined settings_of($alice, $_)->{pinned_at} } @ids], 'all of them come first';
	$dbh->do('DELETE FROM conversation_settings');
};

subtest 'catching up' => sub {
	for my $id ($direct, $group) {
		my $c = $alice->get("/messages/conversations/$id")->json;
		$c->{read_seq} = $c->{last_message}{seq};
		$c->{unread_count} = 0;
		my $since = cursor_now();
		my @quiet = grep { $_->{conversation}{id} == $id } @{sync($alice, $since, $c)->{conversations}};
		is_deeply \@quiet, [], 'nothing has changed';
		set($alice, $id, draft => 'elsewhere');
		my ($got) = grep { $_->{conversation}{id} == $id } @{sync($alice, $since, $c)->{conversations}};
		is_deeply [$got->{conversation}{settings}{draft}, $got->{messages}, $got->{changes}, $got->{has_more}], ['elsewhere', [], [], $false], 'what was set elsewhere is answered though the client lists the conversation';
		($got) = grep { $_->{conversation}{id} == $id } @{sync($alice, $since)->{conversations}};
		is $got->{conversation}{settings}{draft}, 'elsewhere', 'and where it does not';
		my $bobs = $bob->get("/messages/conversations/$id")->json;
		$bobs->{read_seq} = $bobs->{last_message}{seq};
		$bobs->{unread_count} = 0;
		is_deeply [grep { $_->{conversation}{id} == $id } @{sync($bob, $since, $bobs)->{conversations}}], [], 'to the other side it is nothing';
		set($alice, $id, marked_unread => $true, draft => undef);
		$since = cursor_now();
		is_deeply [grep { $_->{conversation}{id} == $id } @{sync($alice, $since, $c)->{conversations}}], [], 'then nothing again';
		$alice->put("/messages/conversations/$id/read", {});
		($got) = grep { $_->{conversation}{id} == $id } @{sync($alice, $since, $c)->{conversations}};
		is $got->{conversation}{settings}{marked_unread}, $false, 'a mark that a read has cleared';
	}
	# More than one answer holds: the cursor goes on, and all come in the end.
	my @ids = map { $_->{id} } @{$alice->get('/messages/conversations?limit=100')->json->{items}};
	my $since = cursor_now();
	my @have = map { my $c = $alice->get("/messages/conversations/$_")->json; {id => $_, read_seq => $c->{last_message}{seq}, unread_count => 0, change_seq => $c->{change_seq}} } list($alice), list($alice);
	set($alice, $_, draft => "of $_") for @ids;
	my (%seen, $rounds, $more);
	do {
		my $answer = sync($alice, $since, @have);
		$seen{$_->{conversation}{id}} = $_->{conversation}{settings}{draft} for @{$answer->{conversations}};
		($since, $more) = @$answer{qw(cursor more)};
	} while ($more && ++$rounds < 10);
	is_deeply \%seen, {map { $_ => "of $_" } @ids}, 'many at once';
	set($alice, $_, draft => undef) for @ids;
};

subtest 'who leaves a group leaves nothing' => sub {
	my $p = $t->api('p01');
	set($p, $group, pinned => $true, draft => 'x', marked_unread => $true, archived => $true);
	$p->delete("/groups/$group/members/p01");
	refused('it is gone', set($p, $group, draft => 'y'), 404, 'not_found');
	is_deeply $dbh->selectall_arrayref("SELECT * FROM conversation_settings WHERE user_id = 'p01' AND conversation_id = $group"), [], 'and so is what was set of it';
	$alice->post("/groups/$group/members", {user_ids => ['p01']});
	is_deeply settings_of($p, $group), \%none, 'who comes back begins anew';
};

sub clear { my ($http, $id, $up_to) = @_; return $http->delete("/messages/conversations/$id" . (defined $up_to ? "?up_to_seq=$up_to" : '')) }
sub history { my ($http, $id) = @_; return map { $_->{seq} } @{$http->get("/messages/conversations/$id/messages?limit=100")->json->{items}} }
sub unread { my ($http, $id) = @_; my $c = $http->get("/messages/conversations/$id")->json; return [@$c{qw(unread_count mention_count first_seq)}, $c->{last_message} && $c->{last_message}{seq}] }

for my $case (['a direct conversation', 'q1'], ['a group', undef]) {
	my ($name, $peer) = @$case;
	subtest "clearing $name" => sub {
		$t->befriend('alice', 'bob', 'q1');
		my $id = $peer ? with('alice', $peer) : $t->group('alice', ['bob', 'p01', 'q1']);
		my $q = $t->api('q1');
		my $to = sub { return $t->say('q1', "$id", 'x', @_) };
		my $from = sub { return $t->say('alice', "$id", 'mine') };
		$to->() for 1 .. 4;
		$from->();
		$to->(mentions => ['alice']) for 1 .. 3;
		$to->();
		my $last = $q->get("/messages/conversations/$id")->json->{last_message}{seq};
		my ($before, $total) = (unread($alice, $id), $alice->get('/messages/unread-count')->json);
		my @ws = my ($one, $two, $other) = (map({ $t->ws('alice', name => "alice $_") } 1, 2), $t->ws('q1'));
		my $since = cursor_now();
		is clear($alice, $id, 3)->status, 204, 'the first three';
		is_deeply [history($alice, $id)], [4 .. $last], 'are not seen any more';
		is_deeply unread($alice, $id), [$peer ? 6 : 4, 3, 4, $last], 'and do not count';
		is $_->expect('conversation')->{conversation}{first_seq}, 4, "$_->{name} is told" for $one, $two;
		ok grep({ $_ == $id } list($alice)), 'with something left it is in the list';
		is clear($alice, $id, $_)->status, 204, 'again' for 3, 2, 0;
		$_->settle for @ws;
		is_deeply [map { map { $_->{type} } $_->queued } @ws], [], 'nothing more comes of that';
		is clear($alice, $id, $last - 1)->status, 204, 'all but the last';
		is_deeply unread($alice, $id), [1, 0, $last, $last], 'one is left';
		is $alice->get('/messages/unread-count')->json->{unread_count}, $total->{unread_count} - $before->[0] + 1, 'in the total, too';
		is clear($alice, $id)->status, 204, 'all of it';
		is_deeply unread($alice, $id), [0, 0, $last + 1, undef], 'nothing is left';
		is_deeply [history($alice, $id), grep { $_ == $id } list($alice), list($alice, '&archived=true')], [], 'nor is it listed';
		refused("message $_", $alice->get('/messages/' . (($id << 28) + $_)), 404, 'not_found') for 1, $last;
		refused('nor can that be done', $_, 404, 'not_found') for $alice->put('/messages/' . (($id << 28) + 2) . '/read'), $alice->delete('/messages/' . (($id << 28) + 2)), $alice->put('/messages/' . (($id << 28) + 2) . '/reactions/x');
		is_deeply [grep { $_->{conversation_id} == $id } @{$alice->get('/messages/mentions?limit=100')->json->{items}}], [], 'no mention is left';
		is_deeply $alice->get('/messages/unread-count')->json, {unread_count => $total->{unread_count} - $before->[0], mention_count => $total->{mention_count} - $before->[1]}, 'nor anything in the totals';
		is_deeply [history($q, $id)], [1 .. $last], 'the other side keeps it';
		my $theirs = $q->get("/messages/conversations/$id")->json;
		is $theirs->{peer_read_seq}, $peer ? 0 : undef, 'and is not told that anything was read';
		my $receipts = $q->get('/messages/' . (($id << 28) + $last) . '/receipts');
		is $receipts->json->{read_count}, 0, 'nor has it been';
		$other->settle;
		is_deeply [map { $_->{type} } $other->queued], [], 'nothing tells them';
		my ($got) = grep { $_->{conversation}{id} == $id } @{sync($alice, $since)->{conversations}};
		is_deeply [$got->{conversation}{first_seq}, $got->{messages}], [$last + 1, []], 'catching up tells of it';
		($got) = grep { $_->{conversation}{id} == $id } @{$alice->post('/messages/sync', {conversations => [{id => "$id", seq => 0, change_seq => 0}], since => $since})->json->{conversations}};
		is_deeply [$got->{conversation}{first_seq}, $got->{messages}, $got->{changes}, $got->{updated}], [$last + 1, [], [], []], 'also a client that lists it';
		is_deeply [$t->recount_faults], [], 'counters equal a recount';
		my $next = $to->();
		is +(list($alice))[0], $id, 'the next message brings it back';
		is_deeply unread($alice, $id), [1, 0, $last + 1, $last + 1], 'with that alone';
		$q->put("/messages/$next->{id}/recall");
		$q->put('/messages/' . (($id << 28) + $last) . '/recall');
		is_deeply unread($alice, $id), [0, 0, $last + 1, $last + 1], 'recalls count once';
		$alice->delete("/messages/$next->{id}");
		is_deeply unread($alice, $id), [0, 0, $last + 1, undef], 'and behind a deleted one there is none';
		is $alice->put("/messages/conversations/$id/read", {})->json->{unread_count}, 0, 'it can be read';
		if (!$peer) {
			is $q->get('/messages/' . (($id << 28) + $last - 1) . '/receipts')->json->{read_count}, 1, 'a reader who cleared it is one still';
			$alice->put("/groups/$id/owner", {user_id => 'bob'});
			$alice->delete("/groups/$id/members/alice");
			$bob->post("/groups/$id/members", {user_ids => ['alice']});
			is $alice->get("/messages/conversations/$id")->json->{first_seq}, 1, 'who comes back sees what the rule gives';
		}
		is_deeply [$t->recount_faults], [], 'and again';
		$_->abort for @ws;
	};
}

subtest 'clearing: what is refused, and what is empty' => sub {
	refused('of a stranger', clear($stranger, $_), 404, 'not_found') for $direct, $group, $direct + 1000, $group + 1000, 0;
	refused("up_to_seq $_", $alice->delete("/messages/conversations/$direct?up_to_seq=$_"), 400, 'invalid_argument', qr/up_to_seq/) for '-1', 'x', '1.5';
	$t->befriend('alice', 'fresh');
	my $id = $alice->post('/messages/conversations/create', {user_id => 'fresh'})->json->{id};
	is +(list($alice))[0], $id, 'one without messages is listed';
	is clear($alice, $id)->status, 204, 'and can be cleared';
	ok !grep({ $_ == $id } list($alice)), 'then it is not';
	is $alice->get("/messages/conversations/$id")->json->{first_seq}, 1, 'it is there all the same';
	ok grep({ $_ == $id } list($t->api('fresh'))), 'the other side sees it';
	$t->send_text('alice', 'fresh', 'now');
	is +(list($alice))[0], $id, 'one\'s own message brings it back, too';
	is_deeply [$t->recount_faults], [], 'counters equal a recount';
};

subtest 'what is cleared is neither found nor forwarded' => sub {
	my $in_group = $t->group('alice', ['bob']);
	for my $m ($t->send_text('bob', 'alice', 'unmistakable'), $t->say('bob', "$in_group", 'unmistakable')) {
		my $found = sub { my $r = $_[0]->get('/messages/search?q=unmistakable&conversation_id=' . $m->{conversation_id}); return $r->status == 200 ? scalar @{$r->json->{items}} : 0 };
		wait_for('it to be found', sub { $found->($alice) });
		clear($alice, $m->{conversation_id});
		is_deeply [map { $found->($_) } $alice, $bob], [0, 1], 'who has cleared it does not find it, the other one does';
		refused('nor can they forward it', $alice->post('/messages/forward', {message_ids => [$m->{id}], to => [{user_id => 'bob'}]}), 404, 'not_found');
	}
};

subtest 'clearing far into a long conversation' => sub {
	$t->befriend('alice', 'long');
	my $id = with('alice', 'long');
	my $n = 20000;
	# Every third one is the user's own, every fifth was recalled, every seventh deleted by the user.
	$dbh->do("INSERT INTO messages (id, from_user_id, to_user_id, message_type, content, client_msg_id, created_at, is_recalled, deleted_by_sender, deleted_by_recipient)
		SELECT ($id << 28) + seq, IF(seq % 3, 'long', 'alice'), IF(seq % 3, 'alice', 'long'), 0, 'x', CONCAT('l', seq), UTC_TIMESTAMP(3), seq % 5 = 0, seq % 7 = 0 AND seq % 3 = 0, seq % 7 = 0 AND seq % 3 <> 0 FROM seq_2_to_$n");
	my $side = $dbh->selectrow_array("SELECT IF(user1_id = 'alice', 1, 2) FROM conversations WHERE id = $id");
	my $other = 3 - $side;
	$dbh->do("UPDATE conversations SET last_seq = $n, user${side}_unread = 1 + (SELECT COUNT(*) FROM messages WHERE id > ($id << 28) + 1 AND id <= ($id << 28) + $n AND to_user_id = 'alice' AND is_recalled = 0 AND deleted_by_recipient = 0),
		user${side}_dead = (SELECT COUNT(*) FROM messages WHERE id > ($id << 28) + 1 AND id <= ($id << 28) + $n AND to_user_id = 'alice' AND (is_recalled = 1 OR deleted_by_recipient = 1)),
		user${other}_unread = (SELECT COUNT(*) FROM messages WHERE id > ($id << 28) AND id <= ($id << 28) + $n AND to_user_id = 'long' AND is_recalled = 0),
		user${other}_dead = (SELECT COUNT(*) FROM messages WHERE id > ($id << 28) AND id <= ($id << 28) + $n AND to_user_id = 'long' AND is_recalled = 1),
		user1_last_id = ($id << 28) + $n, user2_last_id = ($id << 28) + $n, last_message_time = (SELECT created_at FROM messages WHERE id = ($id << 28) + $n) WHERE id = $id");
	is_deeply [$t->recount_faults], [], 'the rows are sound';
	my @clears = map { $t->http('alice') } 1 .. 3;
	my @up_to = (9000, 12345, 7);
	$clears[$_]->send_request('DELETE', "/messages/conversations/$id?up_to_seq=$up_to[$_]") for 0 .. 2;
	$t->send_text('long', 'alice', 'meanwhile') for 1 .. 20;
	is_deeply [map { $_->response->status } @clears], [204, 204, 204], 'several at once, while messages arrive';
	is $alice->get("/messages/conversations/$id")->json->{first_seq}, 12346, 'the furthest counts';
	is_deeply [$t->recount_faults], [], 'counters equal a recount';
	$alice->put("/messages/conversations/$id/read", {up_to_seq => 12400});
	is_deeply [$t->recount_faults], [], 'also when some of what is left is read';
	is clear($alice, $id)->status, 204, 'all of it';
	is_deeply [$t->recount_faults], [], 'and then';
};

subtest 'all at once' => sub {
	# Settings, messages, reads and lists of the same conversations by many connections: nothing fails, and in the end all counts.
	for my $id ($direct, $group) {
		my @http = map { $t->http($_) } (('alice') x 6, ('bob') x 3);
		for my $round (1 .. 12) {
			my @put = map { ['PUT', "/messages/conversations/$id/settings", $_] } {draft => "$round"}, {pinned => $round % 2 ? $true : $false}, {archived => $true}, {marked_unread => $true};
			my @ask = (@put, $round % 3 ? ['PUT', "/messages/conversations/$id/read", {}] : ['DELETE', "/messages/conversations/$id" . ($round % 2 ? '' : '?up_to_seq=' . 10 * $round)], ['GET', '/messages/conversations?limit=100'], map { ['POST', '/messages/send', text_in("$id", "$round $_")] } 1 .. 3);
			$http[$_]->send_request(@{$ask[$_]}[0, 1], $ask[$_][2] ? (json => $ask[$_][2]) : ()) for 0 .. 8;
			is_deeply [grep { $_->status >= 300 } map { $_->response } @http], [], "round $round";
		}
		is settings_of($alice, $id)->{draft}, 12, 'the last draft';
		my $c = $alice->get("/messages/conversations/$id")->json;
		ok !grep({ $_ == $id } list($alice, '&archived=' . ($c->{settings}{archived} ? 'false' : 'true'))), 'it is in one list alone';
		is_deeply [$t->recount_faults], [], 'counters equal a recount';
	}
};

$t->stop;
done_testing;

sub rfc3339 { my ($time) = @_; my @t = gmtime $time; return sprintf '%04d-%02d-%02dT%02d:%02d:%02d.000Z', $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0] }
