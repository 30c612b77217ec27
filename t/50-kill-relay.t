# SPDX-License-Identifier: BSD-2-Clause
# Proves that what is in the outbox and was not told of is told, no matter what happens to the relay: killed at each step of its
# work, stopped until it is taken for dead, with Redis away, on a node that goes; and that clients miss nothing while
# there is none. What was told is left alone.
use Tidings;
use Tidings::Ear;

my $conf = {websocket => {ping_interval => 3600, idle_timeout => 7200}, session => {policy => 'device'}};
# Good for longer than the clocks are moved.
sub session { my ($t, $user, %o) = @_; return $t->ws($user, token => $t->token($user, exp => time + 100_000), %o) }

# ---- the outbox ----

sub user_item { my ($user) = @_; return 'u' . chr(length $user) . $user }
sub id_item { my ($kind, $conversation, $seq) = @_; return $kind . pack 'Q>', $conversation << 28 | $seq }

my %last; # n of each stream
sub put {
	my ($t, $stream, @items) = @_;
	$t->dbh->do('INSERT INTO outbox (stream, n, at, items) VALUES (?, ?, UTC_TIMESTAMP(3), ?)', undef, $stream, ++$last{$stream}, join '', @items);
	return $last{$stream};
}
sub note_told {
	my ($t, $stream) = @_;
	$t->dbh->do(q{INSERT INTO outbox_done (consumer, stream, n, at) VALUES ('push', ?, ?, UTC_TIMESTAMP(3)) ON DUPLICATE KEY UPDATE n = GREATEST(n, VALUES(n))}, undef, $stream, $last{$stream});
	return;
}
sub is_done { my ($t, $stream) = @_; return (($t->dbh->selectrow_array(q{SELECT n FROM outbox_done WHERE consumer = 'push' AND stream = ?}, undef, $stream))[0] // 0) >= $last{$stream} }
# Before the clock is moved: what clients have done is told by the workers, and noted a moment later.
sub all_told {
	my ($t) = @_;
	wait_for('all to be told', sub {
		!$t->dbh->selectrow_array(q{SELECT 1 FROM outbox o LEFT JOIN outbox_done d ON d.consumer = 'push' AND d.stream = o.stream WHERE o.n > COALESCE(d.n, 0) LIMIT 1});
	});
	return;
}
sub conversation { my ($t, $a, $b) = @_; $t->dbh->do('INSERT INTO conversations (user1_id, user2_id, created_at, sort_time) VALUES (?, ?, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))', undef, $a, $b); return $t->dbh->last_insert_id }

# Time passes on these nodes; the relay looks each second.
sub pass_until {
	my ($what, $nodes, $code) = @_;
	return wait_for($what, sub { $_->clock(1) for @$nodes; $code->() });
}
sub forget { $_->settle, $_->{events} = [] for @_; return }

my $ear; # of the present server's

# ---- the relay ----

sub lease_ends { my ($t) = @_; $t->dbh->do('UPDATE relay_leases SET ends_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND'); return }
sub status { my ($node) = @_; return $node->ctl_ok('--json', 'status') }
sub leads { my ($node) = @_; my $s = status($node); return $s->{relay} eq 'ready' && $s->{relay_role} eq 'leads' }
sub wait_leads { my ($t, $node) = @_; return pass_until("the relay of $node->{name} to lead", [$node], sub { leads($node) }) }

# Without a warning, and without waiting for the end of its lease.
sub kill_relay {
	my ($t, $node) = @_;
	my ($pid) = $node->relay_pids;
	$node->allow_deaths(1);
	kill 'KILL', $pid;
	wait_for('another relay', sub { my @now = $node->relay_pids; @now == 1 && $now[0] != $pid });
	lease_ends($t);
	return;
}

sub told {
	my ($t, $alice, $bob, $carol, $group) = @_;
	my $node = $t->node;
	wait_leads($t, $node);
	put($t, 11, user_item('carol'));
	note_told($t, 11);
	put($t, 12, id_item('s', conversation($t, 'alice', 'bob'), 1));
	cmp_ok wait_for('the row to be seen', sub { my $s = status($node); $s->{relay_rows} && $s })->{relay_lag_ms}, '>=', 0, 'status tells what is not told';
	pass_until('the repair', [$node], sub { is_done($t, 12) });
	$_->expect('resync') for $alice, $bob;
	is $ear->heard, 'u:alice u:bob', 'of a conversation both users are told, and nobody who was told already';
	put($t, 12, id_item('s', $group, 5), id_item('g', $group, 6), user_item('dave'));
	pass_until('the repair', [$node], sub { is_done($t, 12) });
	$_->expect('resync') for $alice, $bob, $carol;
	is $ear->heard, "c:$group u:dave", 'of a group all members';
	put($t, 12, "s\0\0", user_item('carol'));
	put($t, 12, user_item('alice'));
	pass_until('the repair', [$node], sub { is_done($t, 12) });
	is $ear->heard, 'u:alice', 'what follows is told';
	like $node->log_text, qr/relay 0: the outbox: row 3 of stream 12 has malformed items/, 'what is no item is logged, and stepped over';
	my $status = pass_until('all to be told', [$node], sub { my $s = status($node); $s->{relay_rows} == 0 && $s });
	is $status->{counters}{relay_repairs}, 4, 'status counts them';
	like $node->admin_http->get('/metrics')->body, qr/^tidings_relay_repairs_total 4$/m, 'as do the metrics';
	is $node->ctl_ok('--json', 'workers')->{relays}[0]{repairs}, 4, 'and the list of processes';
	return;
}

# What holds the relay up in the middle of a statement: what another connection does, how that statement begins, and how
# it is let go.
my @steps = (
	['looking', 'LOCK TABLES outbox WRITE', 'SELECT s.stream', 'UNLOCK TABLES'],
	['looking users up', 'LOCK TABLES conversations WRITE', 'SELECT user1_id', 'UNLOCK TABLES'],
	['noting', "START TRANSACTION;INSERT INTO outbox_done (consumer, stream, n, at) VALUES ('push', STREAM, 0, UTC_TIMESTAMP(3))", 'INSERT INTO outbox_done', 'ROLLBACK'],
	['renewing its lease', 'START TRANSACTION;SELECT * FROM relay_leases FOR UPDATE', 'INSERT INTO relay_leases', 'ROLLBACK'],
);

sub killed {
	my ($t, $alice, $bob) = @_;
	my $node = $t->node;
	my $direct = $t->dbh->selectrow_array('SELECT id FROM conversations');
	for my $step (@steps) {
		my ($name, $hold, $statement, $free) = @$step;
		my $stream = 20 + keys %last;
		wait_leads($t, $node);
		forget($alice, $bob);
		put($t, $stream, id_item('r', $direct, 1));
		my $other = $t->{stack}->dbh($t->{database});
		$other->do($_) for split /;/, $hold =~ s/STREAM/$stream/r;
		pass_until("the relay to be $name", [$node], sub { $other->selectrow_array('SELECT 1 FROM information_schema.processlist WHERE db = ? AND info LIKE ?', undef, $t->{database}, "$statement%") });
		my ($pid) = $node->relay_pids;
		$node->allow_deaths(1);
		kill 'KILL', $pid;
		wait_for('another relay', sub { my @now = $node->relay_pids; @now == 1 && $now[0] != $pid });
		$other->do($free);
		$other->disconnect;
		lease_ends($t);
		pass_until('the repair', [$node], sub { is_done($t, $stream) });
		$_->expect('resync') for $alice, $bob;
		is $ear->heard, 'u:alice u:bob', "killed while $name: it is told all the same";
	}
	is status($node)->{relay_restarts}, scalar @steps, 'each was replaced';
	unlike $node->log_text, qr/failed to start/, 'none was put off';
	return;
}

# The master notices, clients do not.
sub hung {
	my ($t, $alice, $bob) = @_;
	my $node = $t->node;
	wait_leads($t, $node);
	forget($alice, $bob);
	my ($pid) = $node->relay_pids;
	kill 'STOP', $pid;
	is $node->admin_http->get('/readyz')->status, 200, 'a node whose relay hangs is ready';
	is $bob->request(type => 'send', %{text_to('alice', 'hello')})->{type}, 'ack', 'and serves';
	$alice->expect('message');
	all_told($t);
	put($t, 40, user_item('alice'));
	$node->allow_deaths(1);
	$node->clock(20);
	wait_for('its end', sub { !grep { $_ == $pid } $node->relay_pids });
	like $node->log_text, qr/relay 0, process $pid, hangs/, 'until it is killed';
	lease_ends($t);
	pass_until('the repair', [$node], sub { is_done($t, 40) });
	$alice->expect('resync');
	is $ear->heard, 'u:alice', 'then its successor tells what it has not';
	return;
}

sub redis_away {
	my ($t, $alice, $bob) = @_;
	my $node = $t->node;
	wait_leads($t, $node);
	$t->{stack}->redis_stop('KILL');
	wait_for('/metrics to notice', sub { $node->admin_http->get('/metrics')->body =~ /^tidings_relay_up 0$/m });
	put($t, 50, user_item('alice'));
	$node->clock(1), status($node) for 1 .. 12;
	ok !is_done($t, 50), 'without Redis nothing is done';
	kill_relay($t, $node);
	wait_leads($t, $node);
	$t->{stack}->redis_start;
	$ear = Tidings::Ear->new($t, 'u:alice', 'u:bob');
	$_->expect('resync') for $alice, $bob;
	forget($alice, $bob);
	pass_until('the repair', [$node], sub { is_done($t, 50) });
	$alice->expect('resync');
	is $ear->heard, 'u:alice', 'but what is left when it is back';
	return;
}

# Reloads wait for no relay. One that hangs keeps its place until the master has killed it, then the present one starts.
sub hung_in_reloads {
	my ($t) = @_;
	my $node = $t->node;
	wait_leads($t, $node);
	my ($hung) = $node->relay_pids;
	kill 'STOP', $hung;
	$node->reload;
	my ($next) = wait_for('the next relay beside it', sub { my @next = grep { $_ != $hung } $node->relay_pids; @next == 1 && $next[0] });
	$node->reload;
	is_deeply [sort { $a <=> $b } $node->relay_pids], [sort { $a <=> $b } $hung, $next], 'two reloads while a relay hangs: there are no more than two';
	put($t, 55, user_item('alice'));
	$node->allow_deaths(1);
	$node->clock(20);
	wait_for('the relay of the second reload alone', sub { my @now = $node->relay_pids; @now == 1 && $now[0] != $hung && $now[0] != $next });
	lease_ends($t);
	pass_until('the repair', [$node], sub { is_done($t, 55) });
	is $ear->heard, 'u:alice', 'the relay of the second one works';
	return;
}

# A reload and an upgrade change the process, and leave one.
sub renewed {
	my ($t, $alice) = @_;
	my $node = $t->node;
	for my $how ('a reload', 'an upgrade') {
		my ($old) = $node->relay_pids;
		if ($how eq 'a reload') { $node->reload } else { kill 'USR2', $node->pid; $node->follow }
		wait_for("one other relay after $how", sub { my @now = $node->relay_pids; @now == 1 && $now[0] != $old });
		wait_leads($t, $node);
		pass "$how: the next one has the lease at once";
	}
	return;
}

{
	my $t = Tidings->start(workers => 2, conf => $conf);
	$t->befriend(qw(alice bob carol));
	my $group = $t->group('alice', [qw(bob carol)]);
	my @ws = map { session($t, $_) } qw(alice bob carol);
	forget(@ws);
	all_told($t);
	$ear = Tidings::Ear->new($t, "c:$group", map { "u:$_" } qw(alice bob carol dave));
	subtest 'told' => sub { told($t, @ws, $group) };
	subtest 'killed' => sub { killed($t, @ws) };
	subtest 'hung' => sub { hung($t, @ws) };
	subtest 'Redis away' => sub { redis_away($t, @ws) };
	subtest 'hung in reloads' => sub { hung_in_reloads($t) };
	subtest 'renewed' => sub { renewed($t, @ws) };
	$t->stop;
	is $t->dbh->selectrow_array('SELECT COUNT(*) FROM relay_leases'), 0, 'a node that stops gives the lease back';
}

# A message commits, and the worker that was to push it has died meanwhile.
sub never_pushed {
	my ($t, @nodes) = @_;
	$t->befriend(qw(erin frank));
	my ($erin, $frank) = map { session($t, $_->[0], node => $_->[1]) } ['erin', 0], ['frank', 1];
	$ear = Tidings::Ear->new($t, 'u:erin', 'u:frank');
	my $other = $t->{stack}->dbh($t->{database});
	$other->do($_) for 'SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED', map { "BACKUP STAGE $_" } qw(START FLUSH BLOCK_DDL BLOCK_COMMIT);
	$erin->start(type => 'send', %{text_to('frank', 'never pushed')});
	my $stored = sub { return scalar $other->selectrow_array("SELECT COUNT(*) FROM messages WHERE content = 'never pushed'") };
	wait_for('the message to wait for its COMMIT', $stored);
	my ($worker) = $nodes[0]->worker_pids;
	$nodes[0]->allow_deaths(1);
	kill 'KILL', $worker;
	wait_for('another worker', sub { my @now = $nodes[0]->worker_pids; @now == 1 && $now[0] != $worker });
	$other->do('BACKUP STAGE END');
	my %heard;
	pass_until('the relay to tell both', \@nodes, sub { $heard{$_}++ for split / /, $ear->heard; $heard{'u:erin'} && $heard{'u:frank'} });
	is $stored->(), 1, 'what was stored and not pushed is told to both';
	$frank->expect('resync');
	is $t->http('frank', token => $t->token('frank', exp => time + 100_000), node => 1)->get('/messages/conversations')->json->{items}[0]{last_message}{content},
		'never pushed', 'who find it';
	all_told($t);
	$_->close for $frank;
	return;
}

subtest 'two nodes' => sub {
	%last = ();
	my $t = Tidings->start(workers => 1, nodes => 2, conf => $conf);
	my ($first, $second) = $t->nodes;
	subtest 'never pushed' => sub { never_pushed($t, $t->nodes) };
	my $alice = session($t, 'alice', node => 1);
	$ear = Tidings::Ear->new($t, 'u:alice');
	($first, $second) = ($second, $first) if wait_for("one to lead", sub { leads($first) ? 1 : leads($second) ? 2 : 0 }) == 2;
	is status($second)->{relay_role}, 'waits', 'one leads, the other waits';
	my ($pid) = $first->relay_pids;
	kill 'STOP', $pid;
	put($t, 60, user_item('alice'));
	lease_ends($t);
	wait_leads($t, $second);
	pass_until('the repair', [$second], sub { is_done($t, 60) });
	$alice->expect('resync');
	is $ear->heard, 'u:alice', 'the second one takes over from one that is stopped';
	kill 'CONT', $pid;
	pass_until('the first one to find out', [$first], sub { !leads($first) && leads($second) });
	put($t, 60, user_item('alice'));
	pass_until('the repair', [$first, $second], sub { is_done($t, 60) });
	is $ear->heard, 'u:alice', 'and all is told';
	$alice->close;
	$second->stop;
	pass_until('the first one to lead', [$first], sub { leads($first) });
	pass 'and takes over when the other node stops, without waiting for the end of its lease';
	$first->stop(signal => 'KILL', status => 9);
	wait_for('the lease to be gone', sub { !$t->dbh->selectrow_array('SELECT 1 FROM relay_leases') });
	pass 'a relay whose master is killed gives its lease back, too';
	$t->stop;
};

done_testing;
