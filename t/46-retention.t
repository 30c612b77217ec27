# SPDX-License-Identifier: BSD-2-Clause
# Proves that messages and notifications older than keep_days are deleted with all that other tables have of them; that
# everything else stays as it was, and every count equals a recount, at each step and also where the relay is killed; that
# a repeated send is not stored anew; and that keep_days can be changed by a reload.
use Tidings;

my $directory = Tidings::dir() . '/files';
mkdir $directory or die "$directory: $!\n";
my $t = Tidings->start(nodes => 2, workers => 1, conf => {limits => {sends_per_second => 100000, burst => 100000, requests_per_second => 0}, media => {directory => $directory}});
my $dbh = $t->dbh;
$t->befriend(qw(alice bob carol));
my ($alice, $bob, $carol) = map { $t->api($_) } qw(alice bob carol);
my $group = $t->group('alice', ['bob']);

sub age { my ($id, $seq, $days) = @_; $days //= 40; return $dbh->do("UPDATE messages SET created_at = created_at - INTERVAL $days DAY WHERE id BETWEEN $id << 28 AND ($id << 28) + $seq") }
sub left { my ($id) = @_; return $dbh->selectrow_array("SELECT COUNT(*) FROM messages WHERE id BETWEEN $id << 28 AND ($id << 28) + 268435455") }
sub conversation { my ($api, $id) = @_; return $api->get("/messages/conversations/$id")->json }
sub history { my ($api, $id, $query) = @_; return $api->get("/messages/conversations/$id/messages?" . ($query // 'limit=100'))->json }
sub texts { return [map { $_->{content} } @{$_[0]}] }
sub found { my ($api, $q) = @_; return scalar @{$api->get("/messages/search?q=$q")->json->{items}} }
sub synced { my ($api, @have) = @_; return $api->post('/messages/sync', {conversations => [map { {id => "$_->[0]", seq => $_->[1], change_seq => $_->[2] // 0} } @have], limit => 100})->json->{conversations} }
sub keep {
	my (%days) = @_;
	for my $n ($t->nodes) {
		$n->configure({%{$n->{conf}}, map { $_ => {keep_days => $days{$_}} } keys %days});
		$n->ctl_ok('reload');
	}
	return;
}
sub counted { my ($name) = @_; my $n = 0; $n += $_->ctl_ok('--json', 'status')->{counters}{$name} for $t->nodes; return $n }
sub agrees { my ($name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return is_deeply [$t->recount_faults], [], $name }

my (@pair, @room);
push @pair, $t->send_text('alice', 'bob', "apple $_", client_msg_id => "p$_") for 1 .. 150;
push @pair, $t->send_text('alice', 'bob', "banana $_", reply_to => $pair[3]{id}) for 1 .. 5;
push @room, $t->say('alice', $group, "cherry $_", mentions => ['bob']) for 1 .. 150;
push @room, $t->say('alice', $group, "damson $_", mentions => $_ % 2 ? ['bob'] : ['*']) for 1 .. 5;
my $cid = $pair[0]{conversation_id};
my $file = $bob->request('POST', '/media?name=note.txt', headers => ['Content-Type', 'text/plain'], body => 'a note')->json->{id};

subtest 'what there is' => sub {
	is $bob->put("/messages/$pair[0]{id}/read", {})->status, 200, 'bob reads one';
	is $alice->put("/messages/$pair[1]{id}/recall", {})->status, 200, 'alice recalls one';
	is $bob->delete("/messages/$pair[2]{id}")->status, 204, 'and bob deletes one';
	is $alice->put("/messages/$room[1]{id}/recall", {})->status, 200, 'alice recalls one in the group';
	is $bob->delete("/messages/$room[2]{id}")->status, 204, 'bob deletes one there';
	for my $m ($pair[5], $room[5]) {
		is $bob->put("/messages/$m->{id}/reactions/x", {})->status, 200, 'a reaction';
		is $alice->put("/messages/$m->{id}/pin", {})->status, 204, 'and a pin';
		is $alice->put("/messages/$m->{id}", {content => 'elderberry'})->status, 200, 'and an edit';
	}
	my $r = $bob->post('/messages/forward', {message_ids => [map { $_->{id} } @pair[10 .. 12]], to => [{user_id => 'carol'}], merged => JSON::PP::true});
	is $r->status, 200, 'bob forwards some';
	$dbh->do(q{INSERT INTO notifications (id, user_id, kind, created_at) SELECT seq, 'bob', 'like', UTC_TIMESTAMP(3) - INTERVAL IF(seq <= 500, 91, 89) DAY FROM seq_1_to_502});
	is found($bob, 'apple'), 20, 'a page is found of what was written';
	agrees('the counts');
};

my $forwards = $dbh->selectrow_array("SELECT id >> 28 FROM messages WHERE message_type = 6");
$t->send_text('bob', 'alice', 'see', message_type => 'file', media_url => "tidings:media/$file");

subtest 'the old ones go' => sub {
	my $total = $bob->get('/messages/unread-count')->json;
	age($cid, 150);
	age($group, 151);
	age($forwards, 1);
	is conversation($bob, $cid)->{unread_count}, 152, 'what is unread before';
	is conversation($bob, $group)->{mention_count}, 152, 'and mentions';
	keep(message => 30);
	wait_for('the old ones to go', sub { left($cid) == 6 && left($group) == 5 && !left($forwards) });
	my ($after, $of_group) = (conversation($bob, $cid), conversation($bob, $group));
	is $after->{unread_count}, 5, 'what is unread is what is left';
	is $after->{first_seq}, 151, 'the first that is seen';
	is $of_group->{unread_count}, 5, 'of the group, too';
	is $of_group->{mention_count}, 5, 'and mentions';
	is $of_group->{first_seq}, 152, 'and the first that is seen';
	is $of_group->{last_message}{id}, $room[-1]{id}, 'the last message stays';
	is $bob->get('/messages/unread-count')->json->{unread_count}, 10, 'of all';
	isnt $total->{unread_count}, 10, 'which is another number than before';
	my $page = history($bob, $cid);
	is_deeply [map { $_->{seq} } @{$page->{items}}], [151 .. 156], 'history has what is left';
	ok !$page->{has_more}, 'and nothing before it';
	is_deeply history($bob, $cid, 'after=0&limit=2')->{items}[0]{seq}, 151, 'forwards, too';
	$page = history($bob, $group);
	is_deeply [map { $_->{seq} } @{$page->{items}}], [152 .. 156], 'that of the group, too';
	ok !$page->{has_more}, 'and nothing before it';
	is $bob->get("/messages/$_->{id}")->status, 404, 'one that is gone is not found' for $pair[5], $room[5];
	is_deeply $bob->get("/messages/conversations/$_/pins")->json->{items}, [], 'its pin is gone' for $cid, $group;
	is_deeply [map { scalar @{$_->{messages}} } synced($bob, [$cid, 10], [$group, 10])->@*], [6, 5], 'catching up gives what is left';
	is found($bob, 'apple') + found($bob, 'cherry') + found($bob, 'elderberry'), 0, 'nothing of it is found';
	is found($bob, 'banana') + found($bob, 'damson'), 10, 'and all that is left';
	is scalar @{$bob->get('/messages/mentions?limit=100')->json->{items}}, 5, 'mentions are those of what is left';
	is $dbh->selectrow_array("SELECT COUNT(*) FROM $_"), 0, "nothing is left in $_" for qw(reactions pins changes forwards forwarded search_edits);
	is $dbh->selectrow_array('SELECT COUNT(*) FROM deletions WHERE conversation_id = ?', undef, $cid), 0, 'nor of what one has deleted';
	is $dbh->selectrow_array('SELECT COUNT(*) FROM mentions'), 5, 'and of mentions what is left';
	agrees('the counts agree');
	is counted('messages_too_old'), 302, 'they were counted';
	like join('', map { $_->admin_http->get('/metrics')->body } $t->nodes), qr/^tidings_messages_too_old_total 302$/m, 'in the metrics, too';
};

subtest 'notifications' => sub {
	is_deeply $dbh->selectrow_arrayref('SELECT COUNT(*), MIN(id) FROM notifications'), [2, 501], 'those of more than 90 days are gone, others are not';
	is counted('notifications_too_old'), 500, 'they were counted';
	keep(notifications => 0);
	$dbh->do('UPDATE notifications SET created_at = created_at - INTERVAL 10 YEAR WHERE id = 501');
	keep(notifications => 80);
	wait_for('it to go', sub { $dbh->selectrow_array('SELECT COUNT(*) FROM notifications') == 0 });
	ok 1, 'keep_days is changed by a reload';
	keep(message => 30, notifications => 90);
};

subtest 'a send that is repeated' => sub {
	for my $guess (0, 1) {
		my $r = $alice->post('/messages/send', text_to('bob', 'apple 7', client_msg_id => 'p7'));
		is $r->status . ' ' . $r->json->{code}, '409 client_msg_id_reused', 'is refused';
		is $alice->post('/messages/send', text_to('bob', 'fig', client_msg_id => "after$guess"))->status, 201, 'another one is not';
	}
	my $r = $alice->post('/messages/send', text_to('bob', 'fig', client_msg_id => 'after0'));
	is $r->status, 200, 'nor is the repeat of one that is kept';
	is left($cid), 8, 'nothing else is stored';
	$r = $bob->post('/messages/forward', {message_ids => [$pair[151]{id}], to => [{user_id => 'carol'}], client_msg_id => 'once'});
	is $r->status, 200, 'one that was forwarded';
	my ($id, $seq) = @{$r->json->{results}[0]{messages}[0]}{qw(conversation_id seq)};
	age($id, $seq);
	keep(message => 29);
	wait_for('it to go', sub { !left($id) });
	$r = $bob->post('/messages/forward', {message_ids => [$pair[151]{id}], to => [{user_id => 'carol'}], client_msg_id => 'once'});
	is $r->json->{results}[0]{error}{code}, 'client_msg_id_reused', 'is not forwarded anew';
	agrees('the counts agree');
};

subtest 'all of a conversation' => sub {
	my $last = $pair[-1]{seq} + 3;
	my $time = conversation($bob, $cid)->{last_message_time};
	age($cid, $last);
	age($group, 156);
	keep(message => 28);
	wait_for('them to go', sub { left($cid) + left($group) == 0 });
	for my $id ($cid, $group) {
		my $c = conversation($bob, $id);
		is $c->{last_message}, undef, 'there is no last message';
		is $c->{unread_count} + $c->{mention_count}, 0, 'nothing is unread';
		is_deeply history($bob, $id), {items => [], has_more => JSON::PP::false}, 'there is no history';
		is_deeply [grep { @{$_->{messages}} || $_->{has_more} } synced($bob, [$id, 10, 0])->@*], [], 'and nothing to catch up with';
		is scalar(grep { $_->{id} eq $id } @{$bob->get('/messages/conversations')->json->{items}}), 1, 'it is listed';
	}
	is conversation($bob, $cid)->{last_message_time}, $time, 'the time of the last message stays';
	agrees('the counts agree');
	is $alice->put("/messages/conversations/$cid/read", {})->status, 200, 'it can be read';
	is $bob->delete("/messages/conversations/$cid")->status, 204, 'and cleared';
	is scalar(grep { $_->{id} eq $cid } @{$bob->get('/messages/conversations')->json->{items}}), 0, 'then it is listed no more';
	is $t->send_text('alice', 'bob', 'grape')->{seq}, $last + 1, 'seq goes on';
	is conversation($bob, $cid)->{unread_count}, 1, 'and is counted';
	is $t->say('alice', $group, 'grape')->{seq}, 157, 'also in the group';
	is conversation($bob, $group)->{unread_count}, 1, 'and is counted';
	is $alice->post("/groups/$group/members", {user_ids => ['carol']})->status, 200, 'somebody comes in';
	is conversation($carol, $group)->{first_seq}, 157, 'and sees what is kept';
	is_deeply texts(history($carol, $group)->{items}), ['grape', undef], 'alone';
	agrees('the counts agree');
};

subtest 'the file that was shown' => sub {
	wait_for('it to go', sub { !$dbh->selectrow_array('SELECT COUNT(*) FROM media WHERE id = ?', undef, $file) });
	is $bob->get("/media/$file/info")->status, 404, 'is gone';
};

# Whatever it was doing: all is as it has to be, and the next relay goes on with it.
subtest 'the relay is killed' => sub {
	my @m = map { $t->send_text('alice', 'bob', "honey $_") } 1 .. 1200;
	my @of_group = map { $t->say('alice', $group, "honey $_", mentions => ['bob']) } 1 .. 300;
	is $bob->put("/messages/conversations/$cid/read", {up_to_seq => $m[100]{seq}})->status, 200, 'some are read';
	age($cid, $m[-2]{seq});
	age($group, $of_group[-2]{seq});
	keep(message => 27);
	my $killed = 0;
	for (my $left = left($cid); $left > 1; $left = left($cid)) {
		agrees("the counts agree with $left") if $killed < 10;
		if ($killed++ < 5) {
			for my $n ($t->nodes) {
				my @pids = $n->relay_pids;
				$n->allow_deaths(scalar @pids);
				kill 'KILL', @pids;
			}
			$dbh->do('UPDATE relay_leases SET ends_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND');
		}
		wait_for('some to go', sub { left($cid) < $left });
	}
	wait_for('all to go', sub { left($cid) == 1 && left($group) == 1 });
	cmp_ok $killed, '>', 1, 'it was killed in between';
	is conversation($bob, $_)->{unread_count}, 1, 'the one that is kept is unread' for $cid, $group;
	is $bob->put("/messages/conversations/$cid/read", {})->json->{marked}, 1, 'and is marked as read';
	agrees('the counts agree');
};

# Much of what may have been done to messages before, and is done to those that are left.
subtest 'what meets it' => sub {
	$t->befriend(qw(dave eve frank));
	my ($dave, $eve, $frank) = map { $t->api($_) } qw(dave eve frank);
	my $late = $t->group('dave', ['eve'], settings => {history => 'joined'});
	my @pair = map { $t->send_text('dave', 'eve', "nut $_", $_ == 12 ? (expires_in => 3600) : ()) } 1 .. 30;
	my @late = map { $t->say('dave', $late, "nut $_", mentions => ['*']) } 1 .. 10;
	is $dave->post("/groups/$late/members", {user_ids => ['frank']})->status, 200, 'somebody comes in late';
	push @late, map { $t->say('dave', $late, "nut $_", mentions => ['frank']) } 11 .. 20;
	my ($pair) = $pair[0]{conversation_id};
	is $eve->delete("/messages/conversations/$pair?up_to_seq=3")->status, 204, 'some are cleared';
	is $eve->put("/messages/conversations/$pair/read", {up_to_seq => 6})->status, 200, 'some are read';
	is $eve->put("/messages/$pair[$_]{id}/read", {})->status, 200, 'one is, by itself' for 8, 20;
	is $dave->put("/messages/$pair[$_]{id}/recall", {})->status, 200, 'one is recalled' for 2, 9, 21;
	is $eve->delete("/messages/$pair[$_]{id}")->status, 204, 'one is deleted' for 10, 13, 14, 29;
	is $frank->delete("/messages/$late[$_]{id}")->status, 204, 'and in the group' for 11, 19;
	agrees('the counts agree');
	age($pair, 15);
	age($late, $late[14]{seq});
	# Behind a newer one, as an import makes it: too old, and kept for the newer one's sake.
	is $dbh->do('UPDATE messages SET created_at = created_at - INTERVAL 50 DAY WHERE id = ?', undef, $pair[19]{id}), 1, 'an old one among the new';
	keep(message => 24);
	wait_for('the old ones to go', sub { left($pair) == 15 && left($late) == 22 - $late[14]{seq} });
	agrees('the counts agree');
	is_deeply [map { $_->{seq} } @{history($dave, $pair)->{items}}], [16 .. 30], 'what is newer, or behind that, is kept';
	is $dbh->selectrow_array('SELECT COUNT(*) FROM expiries e WHERE e.message_id >> 28 = ?', undef, $pair), 0, 'what has gone does not expire';
	is conversation($eve, $pair)->{unread_count}, 15 - 3, 'what is left counts, but for one read, one recalled and one deleted';
	is conversation($frank, $late)->{unread_count}, 4, 'in the group, too';
	is $eve->put("/messages/conversations/$pair/read", {up_to_seq => 9})->status, 200, 'reading up to one that is gone';
	is conversation($eve, $pair)->{unread_count}, 12, 'changes nothing';
	is $eve->put("/messages/conversations/$pair/read", {up_to_seq => 20})->json->{unread_count}, 7, 'reading on counts on';
	is $eve->delete("/messages/conversations/$pair?up_to_seq=10")->status, 204, 'clearing up to one that is gone';
	is $dave->put("/messages/$pair[24]{id}/recall", {})->status, 200, 'one of those left is recalled';
	is $eve->delete("/messages/$pair[15]{id}")->status, 204, 'the first of them is deleted, beside a run that has gone';
	is conversation($eve, $pair)->{unread_count}, 6, 'and all of it counts';
	is $frank->put("/messages/conversations/$late/read", {up_to_seq => $late[4]{seq}})->status, 200, 'in the group, too';
	agrees('the counts agree');
};

subtest 'an import that is repeated' => sub {
	my $admin = $t->node->admin_http;
	$admin->{token} = $t->token('ops', scope => 'admin');
	my $import = sub {
		my $text = join '', map { JSON::PP->new->encode($_) . "\n" } @_;
		my $got = $admin->request('POST', '/admin/import', headers => ['Content-Type', 'application/x-ndjson'], body => $text)->json;
		return [@{$got->{imported}}{qw(group message)}, $got->{skipped}, scalar @{$got->{errors}}];
	};
	my $old = sub { my ($id, %m) = @_; return {type => 'message', from_user_id => 'dora', message_type => 'text', content => "old $id", client_msg_id => $id, created_at => '2019-03-01T08:00:00Z', %m} };
	my @lines = ({type => 'group', client_group_id => 'team', owner_id => 'alice', name => 'The team', members => [{user_id => 'bob'}], created_at => '2019-03-01T08:00:00Z'},
		$old->('to-erin', to_user_id => 'erin'), $old->('to-team', client_group_id => 'team'));
	is_deeply $import->(@lines), [1, 2, 0, 0], 'old messages';
	my ($pair) = $dbh->selectrow_array("SELECT id FROM conversations WHERE user1_id = 'dora' AND user2_id = 'erin'");
	my ($team) = $dbh->selectrow_array("SELECT id FROM group_profiles WHERE client_group_id = 'team'");
	$team = "$team"; # as an id is in JSON
	keep(message => 26);
	wait_for('them to go', sub { left($pair) + left($team) == 0 });
	is_deeply $import->(@lines), [0, 0, 3, 0], 'do not come back';
	is left($pair) + left($team), 0, 'nor does anything else';
	my ($now) = $dbh->selectrow_array(q{SELECT DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%dT%H:%i:%sZ')});
	my $reply = $old->('reply', to_user_id => 'erin', created_at => $now, reply_to => {from_user_id => 'dora', client_msg_id => 'to-erin'});
	is_deeply $import->($reply), [0, 1, 0, 0], 'what answers one of them is imported';
	is_deeply [map { [@$_{qw(content reply_to)}] } @{history($t->api('erin'), $pair)->{items}}], [['old reply', undef]], 'without it';
	# What is deleted, or cleared, is unread for nobody, though it was never read.
	$t->say('alice', $team, 'lime');
	age($team, 3);
	keep(message => 25);
	wait_for('it to go', sub { left($team) == 0 });
	is_deeply $import->($old->('kept-1', client_group_id => 'team', created_at => $now)), [0, 1, 0, 0], 'one behind what was deleted unread';
	is conversation($bob, $team)->{unread_count}, 0, 'is read';
	$t->say('alice', $team, 'mango');
	is $bob->delete("/messages/conversations/$team")->status, 204, 'bob clears the group';
	is_deeply $import->($old->('kept-2', client_group_id => 'team', created_at => $now)), [0, 1, 0, 0], 'one behind what was cleared unread';
	is conversation($bob, $team)->{unread_count}, 0, 'is read';
	agrees('the counts agree');
};

# What the relay does to one message, held open: the repeat waits for its end, or finds the message as it still is. The
# last, for it leaves gaps and counters as no relay does.
subtest 'a send that is repeated while the first is deleted' => sub {
	my $lock = $t->stack->dbh($t->{database});
	my $statuses = {};
	for my $n (1 .. 5) {
		my $m = $t->send_text('alice', 'carol', "kiwi $n", client_msg_id => "kiwi$n");
		$t->send_text('alice', 'carol', 'lemon') for 1 .. 3;
		$lock->begin_work;
		$lock->do("INSERT INTO spent_sends (from_user_id, client_msg_id) VALUES ('alice', 'kiwi$n')");
		$lock->do('DELETE FROM messages WHERE id = ?', undef, $m->{id});
		my $http = $t->http('alice');
		$http->send_request('POST', '/messages/send', json => text_to('carol', "kiwi $n", client_msg_id => "kiwi$n"));
		my $r;
		# Asked more often, MariaDB answers the same for ever.
		wait_for('it to wait, or its answer', sub { $r = eval { $http->response(timeout => 0.2) }; $r || $dbh->selectrow_array(q{SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'}) });
		$lock->commit;
		$r //= $http->response;
		$statuses->{$r->status}++;
	}
	is_deeply [grep { !/^(200|409)$/ } keys %$statuses], [], 'is answered as repeated, or as used' or diag explain $statuses;
	is $dbh->selectrow_array(q{SELECT COUNT(*) FROM messages WHERE client_msg_id LIKE 'kiwi%'}), 0, 'and stores nothing';
	$lock->disconnect;
};

$t->stop;
done_testing;
