# SPDX-License-Identifier: BSD-2-Clause
# Proves that each transaction of which others have to be told leaves one row in the outbox that names what it did, and
# others none; and that it is noted when they were told, also when Redis was away meanwhile.
use Tidings;

my $t = Tidings->start(workers => 2, conf => {writers => 2});
$t->befriend(qw(alice bob carol));
$t->befriend(qw(dave carol));

# The relay deletes rows that are done.
$t->dbh->do('CREATE TABLE written (id BIGINT AUTO_INCREMENT PRIMARY KEY, stream BIGINT UNSIGNED, n BIGINT UNSIGNED, items BLOB)');
$t->dbh->do('CREATE TRIGGER copy AFTER INSERT ON outbox FOR EACH ROW INSERT INTO written (stream,n,items) VALUES (NEW.stream,NEW.n,NEW.items)');

sub items {
	my ($bytes) = @_;
	my @items;
	while (length $bytes) {
		my $kind = substr $bytes, 0, 1, '';
		if ($kind eq 'u') {
			my $len = ord substr $bytes, 0, 1, '';
			push @items, 'u ' . substr $bytes, 0, $len, '';
		} else {
			push @items, "$kind " . unpack 'Q>', substr $bytes, 0, 8, '';
		}
	}
	return @items;
}

my $last = 0;
# The rows since the last call.
sub written {
	my $rows = $t->dbh->selectall_arrayref('SELECT id, items FROM written WHERE id > ? ORDER BY id', undef, $last);
	$last = $rows->[-1][0] if @$rows;
	return [map { join ', ', items($_->[1]) } @$rows];
}

sub untold {
	return $t->dbh->selectrow_array(q{SELECT COUNT(*) FROM outbox o LEFT JOIN outbox_done d ON d.consumer = 'push' AND d.stream = o.stream WHERE o.n > COALESCE(d.n, 0)});
}

subtest 'what is in it' => sub {
	my ($alice, $bob) = map { $t->api($_) } qw(alice bob);
	my $m = $t->send_text('alice', 'bob', 'one');
	is_deeply written(), ["s $m->{id}"], 'a message';
	$alice->post('/messages/send', {to_user_id => 'stranger', message_type => 'text', content => 'x'});
	is_deeply written(), [], 'nothing of one that is refused';
	$bob->put("/messages/$m->{id}/read");
	$alice->put("/messages/$m->{id}/recall");
	is_deeply written(), ["m $m->{id}", "r $m->{id}"], 'its reading and its recall';
	$alice->put("/messages/$m->{id}/recall");
	is_deeply written(), [], 'nothing of what was so before';
	$bob->delete("/messages/$m->{id}");
	is_deeply written(), ["d $m->{id}"], 'its deletion';
	my $next = $t->send_text('alice', 'bob', 'two');
	written();
	$bob->put("/messages/conversations/$next->{conversation_id}/read");
	is_deeply written(), ["m $next->{id}, u bob"], 'the reading of a conversation';
	my $group = $t->group('alice', ['bob']);
	is_deeply written(), ['g ' . (($group << 28) + 1) . ', u alice, u bob'], 'a group that is made, and who is in it';
	$alice->post("/groups/$group/members", {user_ids => ['carol']});
	my ($system) = $t->dbh->selectrow_array('SELECT MAX(id) FROM messages WHERE id >> 28 = ?', undef, $group);
	is_deeply written(), ["g $system, u alice, u carol"], 'who comes in';
	$alice->delete("/groups/$group/members/carol");
	is_deeply written(), ['g ' . ($system + 1) . ', u alice, u carol'], 'who is removed';
	$alice->put("/groups/$group", {name => 'other'});
	is_deeply written(), ['g ' . ($system + 2) . ', u alice'], 'another name';
	my $in = $alice->post('/messages/send', {conversation_id => $group, message_type => 'text', content => 'x'})->json;
	$bob->put("/messages/conversations/$group/read");
	is_deeply written(), ["s $in->{id}", "m $in->{id}, u bob"], 'a message to a group, and its reading';
	$bob->get("/groups/$group");
	$bob->get('/messages/conversations');
	is_deeply written(), [], 'nothing of what is only read';
	$alice->post('/friends/requests', {user_id => 'dave'});
	is_deeply written(), ['f 1, u alice, u dave'], 'a request to be friends';
};

subtest 'what is noted' => sub {
	wait_for('all to be noted', sub { !untold() });
	my @ws = map { $t->ws($_) } qw(alice bob);
	$t->{stack}->redis_do('CLIENT', 'PAUSE', 60_000, 'WRITE');
	my $m = $t->send_text('alice', 'bob', 'nobody hears it yet');
	is untold(), 1, 'while Redis answers nobody it is not known that others were told';
	$t->{stack}->redis_do('CLIENT', 'UNPAUSE');
	wait_for('it to be noted', sub { !untold() });
	ok $ws[1]->wait_event('the message', sub { $_[0]{type} eq 'message' && $_[0]{message}{id} eq $m->{id} }), 'and was given';
	is_deeply [grep { $_->{type} eq 'resync' } map { @{$_->{events}} } @ws], [], 'nobody had to catch up';
};

subtest 'rows are counted without a gap' => sub {
	is_deeply $t->dbh->selectall_arrayref('SELECT stream FROM written GROUP BY stream HAVING MAX(n) <> COUNT(*) OR MIN(n) <> 1'), [], 'in each stream';
};

done_testing;
