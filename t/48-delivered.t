# SPDX-License-Identifier: BSD-2-Clause
# Proves what becomes of `delivered` (contract, sections 2, 4, 8): who is told, on which node ever, what is kept, that it
# never goes back, is written at most once a second, and that no send waits for it.
use Tidings;
use Tidings::Shape;

my $t = Tidings->start(nodes => 2, workers => 2, conf => {drain_timeout => 10});
my @pairs = (['alice', 'bob'], ['carol', 'dave'], ['erin', 'frank'], ['gina', 'hugo'], ['ivy', 'john'], ['kim', 'lars'], ['mia', 'noah'], ['rita', 'sven'], ['tom', 'sven'], ['una', 'vic'], ['wim', 'xia']);
$t->befriend(@$_) for @pairs;
my $dbh = $t->dbh;

# Every write of the table, as it was afterwards.
$dbh->do('CREATE TABLE written (n INT AUTO_INCREMENT PRIMARY KEY, conversation_id BIGINT UNSIGNED, user1_seq INT, user1_at DATETIME(3), user2_seq INT, user2_at DATETIME(3))');
$dbh->do("CREATE TRIGGER note_$_ AFTER $_ ON deliveries FOR EACH ROW INSERT INTO written (conversation_id, user1_seq, user1_at, user2_seq, user2_at) VALUES (NEW.conversation_id, NEW.user1_seq, NEW.user1_at, NEW.user2_seq, NEW.user2_at)") for qw(INSERT UPDATE);

sub talk { my ($from, $to, $n) = @_; my @m = map { $t->send_text($from, $to, "text $_") } 1 .. $n; return $m[-1]{conversation_id} }
sub view { my ($user, $id) = @_; return $t->api($user)->get("/messages/conversations/$id")->json }
sub delivered { my ($user, $id) = @_; return view($user, $id)->{peer_delivered_seq} }
sub report { my ($ws, $id, $seq, %more) = @_; $ws->send_json({type => 'delivered', conversation_id => $id, up_to_seq => $seq, %more}); return }
sub written { my ($id) = @_; return scalar $dbh->selectrow_array('SELECT COUNT(*) FROM written WHERE conversation_id = ?', undef, $id) }

# What a session has reported before this is decided when this is done: a report of its own is written with it, or later.
sub decided {
	my ($user, $ws) = @_;
	my $peer = "of-$user";
	$t->befriend($user, $peer);
	my $m = $t->send_text($peer, $user, 'x');
	report($ws, $m->{conversation_id}, $m->{seq});
	wait_for('the report after it', sub { (delivered($peer, $m->{conversation_id}) // 0) >= $m->{seq} });
	return;
}

subtest 'told and kept' => sub {
	my $id = talk('alice', 'bob', 3);
	is_shape view('alice', $id), $CONVERSATION, 'a conversation';
	is delivered('alice', $id), 0, 'none is delivered at first';
	my ($alice, $alice2, $bob, $bob2) = map { $t->ws($_->[0], node => $_->[1], name => "$_->[0] at $_->[1]") } ['alice', 0], ['alice', 1], ['bob', 1], ['bob', 0];
	report($bob, $id, 2, ref => 'of bob');
	my $event = {type => 'delivered', conversation_id => $id, user_id => 'bob', up_to_seq => 2};
	is_deeply $_->expect('delivered'), $event, "the sender is told, $_->{name}" for $alice, $alice2;
	is delivered('alice', $id), 2, 'it is kept';
	is delivered('bob', $id), 0, 'as that side\'s';
	is $t->api('alice')->get('/messages/conversations')->json->{items}[0]{peer_delivered_seq}, 2, 'the list has it';
	my $sync = $t->api('alice')->post('/messages/sync', {conversations => [{id => $id, seq => 0, change_seq => 0}], since => undef})->json;
	is_deeply [map { [@{$_->{conversation}}{qw(id peer_delivered_seq)}] } @{$sync->{conversations}}], [[$id, 2]], 'and catching up';
	$_->settle for $alice, $bob, $bob2;
	is_deeply [map { $_->{type} } map { $_->queued } $bob, $bob2, $alice], [], 'there is no answer, and nobody else is told';

	report($bob, $id, 1);
	report($bob, $id, 3);
	is $_->expect('delivered')->{up_to_seq}, 3, "all, $_->{name}" for $alice, $alice2;
	report($bob, $id, 2);
	decided('bob', $bob);
	is delivered('alice', $id), 3, 'it never goes back';
	$_->settle for $alice;
	is_deeply [$alice->queued('delivered')], [], 'and nobody is told of that';

	my $id2 = talk('bob', 'alice', 1);
	is $id2, $id, 'an answer';
	report($alice, $id, 4);
	is_deeply $bob->expect('delivered'), {%$event, user_id => 'alice', up_to_seq => 4}, 'the other way';
	is_deeply [delivered('alice', $id), delivered('bob', $id)], [3, 4], 'each side has its own';
	talk('alice', 'bob', 1);
	report($bob2, $id, 4000000000);
	is $alice->expect('delivered')->{up_to_seq}, 5, 'beyond the last message it is that';
	$_->abort for $alice, $alice2, $bob, $bob2;
};

subtest 'what is read is delivered' => sub {
	my $id = talk('carol', 'dave', 3);
	my ($carol, $dave) = map { $t->ws($_) } qw(carol dave);
	is $t->api('dave')->put("/messages/conversations/$id/read", {up_to_seq => 2})->status, 200, 'read';
	is delivered('carol', $id), 2, 'and so delivered';
	report($dave, $id, 1);
	report($dave, $id, 2);
	decided('dave', $dave);
	is written($id), 0, 'which need not be said, nor written';
	report($dave, $id, 3);
	is $carol->expect('delivered')->{up_to_seq}, 3, 'what is not read is';
	is_deeply [@{view('carol', $id)}{qw(peer_read_seq peer_delivered_seq)}], [2, 3], 'beside what is read';
	$t->api('dave')->put("/messages/conversations/$id/read");
	is_deeply [@{view('carol', $id)}{qw(peer_read_seq peer_delivered_seq)}], [3, 3], 'up to which it is read then';
	$t->send_text('carol', 'dave', 'x');
	$t->api('dave')->put("/messages/conversations/$id/read");
	is delivered('carol', $id), 4, 'reading goes on from there';
	report($carol, $id, 4);
	decided('carol', $carol);
	is_deeply [delivered('dave', $id), written($id)], [0, 1], 'who only sends has received nothing';
	$_->abort for $carol, $dave;
};

subtest 'messages that were read one by one' => sub {
	my ($una, $vic) = map { $t->ws($_) } qw(una vic);
	my @m = map { $t->send_text('una', 'vic', "text $_") } 1 .. 3;
	my $id = $m[0]{conversation_id};
	ok $t->api('vic')->put("/messages/$m[0]{id}/read")->json->{is_read}, 'one is read by itself';
	report($vic, $id, 1);
	is $una->expect('delivered')->{up_to_seq}, 1, 'its delivery counts';
	is $t->api('vic')->put("/messages/$_->{id}/read")->status, 200, 'another' for @m[1, 2];
	$t->send_text('vic', 'una', 'an answer');
	report($vic, $id, 4);
	is $una->expect('delivered')->{up_to_seq}, 4, 'also where all are read, and the newest is one\'s own';
	is_deeply [@{view('una', $id)}{qw(peer_read_seq peer_delivered_seq)}], [0, 4], 'it is kept';
	$t->send_text('vic', 'una', "more $_") for 1 .. 20;
	report($vic, $id, 12);
	decided('vic', $vic);
	is_deeply [delivered('una', $id), $una->settle->queued('delivered')], [4], 'who only sends has received nothing more';
	$t->send_text('una', 'vic', 'x');
	$t->api('vic')->put("/messages/conversations/$id/read", {up_to_seq => 25});
	$t->send_text('una', 'vic', 'y');
	$t->send_text('vic', 'una', "still more $_") for 1 .. 20;
	report($vic, $id, 46);
	is $una->expect('delivered')->{up_to_seq}, 46, 'also where it is far back';
	$_->abort for $una, $vic;
};

subtest 'what is refused' => sub {
	my $id = talk('erin', 'frank', 1);
	my ($erin, $frank, $gina) = map { $t->ws($_) } qw(erin frank gina);
	my $group = $t->group('erin', ['frank']);
	is view('erin', $group)->{peer_delivered_seq}, undef, 'a group has none';
	my @wrong = ([{}, 'conversation_id'], [{conversation_id => $id}, 'up_to_seq'], [{conversation_id => $id, up_to_seq => undef}, 'up_to_seq'],
		map { [{conversation_id => $id, up_to_seq => $_}, 'up_to_seq'] } '1', -1, 1.5, [1], JSON::PP::true);
	for (@wrong) {
		my $e = $frank->request(type => 'delivered', %{$_->[0]});
		is_deeply [@$e{qw(type code)}], ['error', 'invalid_argument'], JSON::PP->new->canonical->encode($_->[0]);
		like $e->{detail}, qr/^$_->[1]/, 'the detail names it';
	}
	sub refuses { my ($ws, $of, $code, $name) = @_; my $e = $ws->request(type => 'delivered', conversation_id => "$of", up_to_seq => 1); return is "$e->{type} $e->{code}", "error $code", $name }
	refuses($gina, $id, 'not_found', 'a stranger\'s');
	refuses($gina, $_, 'not_found', "none: $_") for 999999, 0, 1 << 35, '18446744073709551615';
	refuses($_, $group, 'forbidden', 'a group') for $frank, $gina;
	refuses($gina, $group + 1000, 'forbidden', 'one that does not exist, which is the same');
	report($gina, $id, 1);
	is $gina->expect('error')->{code}, 'not_found', 'also without a ref';
	is_deeply [written($id), delivered('erin', $id)], [0, 0], 'nothing came of any of them';
	report($frank, $id, 1);
	is $erin->expect('delivered')->{up_to_seq}, 1, 'the sessions live';
	$_->abort for $erin, $frank, $gina;
};

subtest 'at most one write a second' => sub {
	my $id = talk('gina', 'hugo', 40);
	my ($gina, $hugo, $hugo2) = map { $t->ws($_->[0], node => $_->[1]) } ['gina', 0], ['hugo', 0], ['hugo', 1];
	for my $round (1 .. 40) {
		report($_, $id, $round) for ($hugo, $hugo2) x 25;
	}
	$_->settle for $hugo, $hugo2;
	wait_for('all to be delivered', sub { delivered('gina', $id) == 40 });
	my @rows = @{$dbh->selectall_arrayref('SELECT user2_seq, user2_at FROM written WHERE conversation_id = ? ORDER BY n', undef, $id)};
	my ($early) = $dbh->selectrow_array('SELECT COUNT(*) FROM written a JOIN written b ON b.conversation_id = a.conversation_id AND b.n = (SELECT MIN(n) FROM written c WHERE c.conversation_id = a.conversation_id AND c.n > a.n) WHERE a.conversation_id = ? AND b.user2_at <= a.user2_at + INTERVAL 1 SECOND', undef, $id);
	is $early, 0, 'of two thousand reports at two nodes none is written within a second of another';
	is_deeply [map { $_->[0] } @rows], [sort { $a <=> $b } map { $_->[0] } @rows], 'each is further than the one before';
	is $rows[-1][0], 40, 'and the last is the newest';
	is_deeply [map { $_->{up_to_seq} } $gina->expect('delivered', sub { $_[0]{up_to_seq} == 40 }), $gina->queued('delivered')], [40, map { $_->[0] } @rows[0 .. $#rows - 1]], 'the sender is told of each';
	is_deeply [map { $_->{type} } $hugo->queued, $hugo2->queued], [], 'there is no answer to any';
	$_->abort for $gina, $hugo, $hugo2;
};

subtest 'and of both sides together' => sub {
	my ($wim, $xia) = map { $t->ws($_->[0], node => $_->[1]) } ['wim', 0], ['xia', 1];
	my $id;
	for my $round (1 .. 3) {
		$id = talk('wim', 'xia', 1);
		my $seq = talk('xia', 'wim', 1) && 2 * $round;
		report($_, $id, $seq) for $wim, $xia;
		wait_for("round $round", sub { delivered('wim', $id) == $seq && delivered('xia', $id) == $seq });
	}
	my @at = map { $_->[0] } @{$dbh->selectall_arrayref('SELECT UNIX_TIMESTAMP(GREATEST(COALESCE(user1_at, user2_at), COALESCE(user2_at, user1_at))) FROM written WHERE conversation_id = ? ORDER BY n', undef, $id)};
	is scalar(@at), 6, 'six reports are written';
	is scalar(grep { $at[$_] - $at[$_ - 1] <= 1 } 1 .. $#at), 0, 'no two within a second';
	$_->abort for $wim, $xia;
};

subtest 'however long a report waits for the lock' => sub {
	$t->befriend(qw(yan zoe));
	my ($yan, $zoe) = map { $t->ws($_) } qw(yan zoe);
	my $id = talk('yan', 'zoe', 2);
	report($zoe, $id, 1);
	wait_for('the first', sub { delivered('yan', $id) == 1 });
	my $other = $t->stack->dbh($t->{database});
	$other->begin_work;
	$other->do('UPDATE deliveries SET user2_at = user2_at - INTERVAL 1 HOUR WHERE conversation_id = ?', undef, $id);
	report($zoe, $id, 2);
	wait_for('the second to wait', sub { ($dbh->selectrow_array("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"))[1] });
	$other->do('UPDATE deliveries SET user2_at = UTC_TIMESTAMP(3) WHERE conversation_id = ?', undef, $id);
	my ($at) = $other->selectrow_array('SELECT user2_at FROM deliveries WHERE conversation_id = ?', undef, $id);
	$other->commit;
	wait_for('the second', sub { delivered('yan', $id) == 2 });
	my ($apart) = $dbh->selectrow_array('SELECT TIMESTAMPDIFF(MICROSECOND, ?, user2_at) FROM deliveries WHERE conversation_id = ?', undef, $at, $id);
	cmp_ok $apart, '>', 1_000_000, 'it is held against the time at which it gets it';
	$_->abort for $yan, $zoe;
};

subtest 'many conversations at once' => sub {
	my @peers = map { "peer$_" } 1 .. 60;
	$t->befriend('pat', $_) for @peers;
	my @ids = map { talk($_, 'pat', 1) } @peers;
	my ($pat, @told) = map { $t->ws($_) } 'pat', @peers[0, 59];
	my $before = $dbh->selectrow_array('SELECT COUNT(*) FROM written');
	report($pat, $_, 1) for @ids;
	is $_->expect('delivered')->{user_id}, 'pat', 'told' for @told;
	wait_for('all to be written', sub { $dbh->selectrow_array('SELECT COUNT(*) FROM written') == $before + 60 });
	is_deeply [grep { delivered($peers[$_], $ids[$_]) != 1 } 0 .. $#ids], [], 'each of its own';
	$_->abort for $pat, @told;
};

subtest 'blocked' => sub {
	my $id = talk('ivy', 'john', 1);
	my ($ivy, $john) = map { $t->ws($_) } qw(ivy john);
	$t->api('john')->put('/users/ivy/block');
	report($john, $id, 1);
	decided('john', $john);
	is_deeply [delivered('ivy', $id), written($id)], [0, 0], 'a blocked user is not shown that the blocker is there';
	$t->api('john')->delete('/users/ivy/block');
	$t->set_blocked('john', 'ivy', 1);
	report($john, $id, 1);
	decided('john', $john);
	is written($id), 0, 'by either table';
	is_deeply [$ivy->settle->queued('delivered')], [], 'nor told';
	$t->set_blocked('john', 'ivy', 0);
	report($john, $id, 1);
	is $ivy->expect('delivered')->{up_to_seq}, 1, 'afterwards they are';
	$t->send_text('john', 'ivy', 'x');
	$t->api('john')->put('/users/ivy/block');
	report($ivy, $id, 2);
	is $john->expect('delivered')->{up_to_seq}, 2, 'the blocker is told of the blocked';
	$_->abort for $ivy, $john;
};

subtest 'a row that somebody else has locked' => sub {
	my $id = talk('kim', 'lars', 1);
	my ($kim, $lars) = map { $t->ws($_) } qw(kim lars);
	report($lars, $id, 1);
	is $kim->expect('delivered')->{up_to_seq}, 1, 'a row';
	my $holder = $t->stack->dbh($t->{database});
	$holder->begin_work;
	$holder->selectall_arrayref("SELECT * FROM deliveries WHERE conversation_id = $id FOR UPDATE");
	talk('kim', 'lars', 1);
	report($lars, $id, 2);
	wait_for('it to be waited for', sub { $dbh->selectrow_array(q{SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%FROM deliveries%FOR UPDATE' AND id <> CONNECTION_ID()}) });
	my $m = $kim->request(type => 'send', %{text_to('lars', 'meanwhile')});
	is_deeply [$m->{type}, $m->{message}{seq}], ['ack', 3], 'no send waits for it';
	is delivered('kim', $id), 1, 'nor a read';
	$holder->commit;
	is $kim->expect('delivered')->{up_to_seq}, 2, 'then it is written';
	$_->abort for $kim, $lars;
};

subtest 'a database that is away' => sub {
	my ($id, $other) = (talk('rita', 'sven', 2), talk('tom', 'sven', 1));
	my ($rita, $sven) = map { $t->ws($_) } qw(rita sven);
	report($sven, $id, 1);
	is $rita->expect('delivered')->{up_to_seq}, 1, 'written';
	report($sven, $id, 2); # too soon
	$sven->settle;
	$t->stack->mariadb_stop('KILL');
	my $e = $sven->request(type => 'delivered', conversation_id => $other, up_to_seq => 1);
	is "$e->{type} $e->{code}", 'error unavailable', 'a report of which nothing is known is refused';
	is_deeply [$sven->settle->queued('error')], [], 'one that is gathered is not';
	# It stays away for a while.
	$t->node->clock(6), $sven->settle for 1 .. 5;
	$t->stack->mariadb_start;
	is $rita->expect('delivered')->{up_to_seq}, 2, 'and is written afterwards';
	wait_for('the other one', sub { view('tom', $other)->{peer_delivered_seq} });
	pass 'as is the other, although it was refused';
	$_->abort for $rita, $sven;
	$dbh = $t->stack->dbh($t->{database});
};

subtest 'a node that goes' => sub {
	my $id = talk('mia', 'noah', 2);
	my ($mia, $noah) = map { $t->ws($_->[0], node => $_->[1]) } ['mia', 0], ['noah', 1];
	report($noah, $id, 1);
	is $mia->expect('delivered')->{up_to_seq}, 1, 'written';
	report($noah, $id, 2);
	$noah->settle;
	$t->node(1)->stop;
	is delivered('mia', $id), 2, 'writes what waits for its time before';
	is $mia->expect('delivered')->{up_to_seq}, 2, 'and tells it';
	$mia->abort;
};

$t->stop;
done_testing;
