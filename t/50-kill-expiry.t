# SPDX-License-Identifier: BSD-2-Clause
# Proves that messages expire in time, once, and that everybody is told or catches up, whatever dies meanwhile: the worker
# that does it before, within and after the transaction, the writer that carries it out, a whole node, Redis, and the
# answer to the COMMIT; and that none of them is needed for it for long.
use Tidings;
use Tidings::Proxy;

my %options = (nodes => 2, conf => {session => {policy => 'device'}});
my $t = Tidings->start(%options, workers => 2);
my $dbh = $t->dbh;
$t->befriend(qw(alice bob));

sub send_some {
	my ($of, $n, $secs, $to) = @_;
	return map { $of->http('alice')->post('/messages/send', {%{$to ? text_in($to, "due $_") : text_to('bob', "due $_")}, expires_in => $secs})->json } 1 .. $n;
}
sub make_due { my ($of, @m) = @_; return $of->make_due(map { $_->{id} } @m) }
sub all_gone {
	my ($h, @m) = @_;
	my $ids = join ',', map { $_->{id} } @m;
	return wait_for('all to expire', sub { $h->selectrow_array("SELECT COUNT(*) FROM messages WHERE id IN ($ids) AND is_recalled = 1 AND content IS NULL") == @m });
}
sub are_once {
	my ($of, $name, @m) = @_;
	my $ids = join ',', map { $_->{id} } @m;
	is_deeply $of->dbh->selectcol_arrayref("SELECT message_id FROM changes WHERE kind = 0 AND message_id IN ($ids) ORDER BY message_id"), [sort { $a <=> $b } map { $_->{id} } @m], "$name: each is recalled once";
	is $of->dbh->selectrow_array("SELECT COUNT(*) FROM expiries WHERE message_id IN ($ids)"), 0, 'and due no more';
	is_deeply [$of->recount_faults], [], 'the counts agree';
	return;
}
# Seconds from their time to their recall, the most.
sub late {
	my ($h, @m) = @_;
	my $ids = join ',', map { $_->{id} } @m;
	return $h->selectrow_array("SELECT MAX(TIMESTAMPDIFF(MICROSECOND, expires_at, recalled_at)) / 1000000 FROM messages WHERE id IN ($ids)");
}
# Each was told to the session, or that it has to catch up.
sub hears {
	my ($ws, @m) = @_;
	return wait_for("$ws->{name} to be told", sub {
		$ws->fill(0);
		my %told = map { $_->{message_id} => 1 } grep { $_->{type} eq 'recalled' } @{$ws->{events}};
		return grep({ $_->{type} eq 'resync' } @{$ws->{events}}) || !grep { !$told{$_->{id}} } @m;
	});
}
sub told_once {
	my ($ws) = @_;
	my %told;
	$told{$_->{message_id}}++ for grep { $_->{type} eq 'recalled' } @{$ws->{events}};
	return is_deeply [grep { $told{$_} > 1 } keys %told], [], "$ws->{name} is told of none twice";
}
# The node of the worker that has the lease.
sub holder { my ($holder) = $dbh->selectrow_array("SELECT holder FROM relay_leases WHERE consumer = 'expiry' AND ends_at > UTC_TIMESTAMP(3)"); return $holder }
sub ready { my ($node) = @_; wait_for("the workers of $node->{name}", sub { (grep { $_->{state} eq 'ready' } @{$node->ctl_ok('--json', 'workers')->{workers}}) == 2 }); return }

subtest 'the node that does it dies' => sub {
	my @ws = map { $t->ws('bob', node => $_, name => "bob at $_", query => "device=d$_") } 0, 1;
	my @first = send_some($t, 3, 3600);
	make_due($t, @first);
	my $has = wait_for('one to have the lease', sub { holder() });
	all_gone($dbh, @first);
	my @second = send_some($t, 3, 3600);
	my ($dies) = grep { index($has, "$t->{nodes}[$_]{conf}{node_id}:") == 0 } 0, 1;
	ok defined $dies, "it is one of theirs ($has)";
	# So that it has it at the moment of its death.
	make_due($t, @second);
	wait_for('the lease', sub { (holder() // '') ne '' });
	$t->node($dies)->stop(signal => 'KILL', status => 9);
	my @third = send_some_at($t, 1 - $dies, 3, 3600);
	make_due($t, @third);
	all_gone($dbh, @second, @third);
	cmp_ok late($dbh, @third), '<', 5, 'the other one is there in time';
	hears($ws[1 - $dies], @third);
	$t->node($dies)->start;
	are_once($t, 'a node dies', @first, @second, @third);
	$_->abort for @ws;
};

sub send_some_at {
	my ($of, $node, $n, $secs) = @_;
	return map { $of->http('alice', node => $node)->post('/messages/send', text_to('bob', "due $_", expires_in => $secs))->json } 1 .. $n;
}

subtest 'workers and writers are killed while many expire' => sub {
	my $g = $t->group('alice', ['bob']);
	my @ws = map { $t->ws('bob', node => $_, name => "bob at $_", query => "device=d$_") } 0, 1;
	my @m = map { (send_some_at($t, $_ % 2, 10, 3600), send_some($t, 10, 3600, $g)) } 1 .. 10;
	my $deaths = 6;
	$_->allow_deaths(2 * $deaths) for $t->nodes;
	for my $round (1 .. $deaths) {
		make_due($t, splice @m, 0, 20);
		my $started = $dbh->selectrow_array("SELECT COUNT(*) FROM changes WHERE kind = 0");
		wait_for('some to be recalled', sub { $dbh->selectrow_array("SELECT COUNT(*) FROM changes WHERE kind = 0") > $started });
		my $node = $t->node($round % 2);
		my @pids = $round % 3 ? $node->worker_pids : $node->writer_pids;
		kill 'KILL', $pids[rand @pids];
		make_due($t, splice @m, 0, 10) if @m > 60;
	}
	ready($_) for $t->nodes;
	make_due($t, @m) if @m;
	wait_for('all to expire', sub { !$dbh->selectrow_array('SELECT COUNT(*) FROM expiries') });
	is $dbh->selectrow_array('SELECT COUNT(*) FROM messages WHERE expires_at IS NOT NULL AND (is_recalled = 0 OR content IS NOT NULL)'), 0, 'none is left';
	is_deeply $dbh->selectcol_arrayref('SELECT message_id FROM changes WHERE kind = 0 GROUP BY message_id HAVING COUNT(*) > 1'), [], 'none is recalled twice';
	is_deeply [$t->recount_faults], [], 'the counts agree';
	told_once($_), $_->abort for @ws;
};

# The transaction is under way when they die: its COMMIT waits, and is carried out after their death. Whoever does it has to
# have the lease before, which is written by a COMMIT as well: a first message sees to that. Returns the messages.
sub under_way_while {
	my ($to, $code) = @_;
	for my $try (1 .. 20) {
		wait_for('the lease to end', sub { !defined holder() });
		my ($first, @m) = send_some($t, 3, 3600, $to);
		make_due($t, $first);
		all_gone($dbh, $first);
		# What was told is noted by a COMMIT, too.
		wait_for('it to be noted', sub { !$dbh->selectrow_array(q{SELECT 1 FROM outbox o LEFT JOIN outbox_done d ON d.consumer = 'push' AND d.stream = o.stream WHERE o.n > COALESCE(d.n, 0) LIMIT 1}) });
		make_due($t, @m);
		my $lock = $t->{stack}->dbh($t->{database});
		$lock->do("BACKUP STAGE $_") for qw(START FLUSH BLOCK_DDL BLOCK_COMMIT);
		my $until = now() + 3;
		my $waits;
		while (!$waits && now() < $until) {
			select undef, undef, undef, 0.2; # asked more often, MariaDB answers the same for ever
			($waits) = @{$lock->selectcol_arrayref("SELECT 1 FROM information_schema.processlist p JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = p.id WHERE p.db = ? AND p.state = 'Waiting for backup lock' AND p.info LIKE '%COMMIT%' AND x.trx_rows_modified > 4", undef, $t->{database})};
		}
		$code->() if $waits;
		$lock->do('BACKUP STAGE END');
		$lock->disconnect;
		return @m if $waits;
		note("try $try came too late");
		all_gone($dbh, @m);
	}
	die "the transaction never waited\n";
}

subtest 'they die between the transaction and the event' => sub {
	my $g = $t->group('alice', ['bob']);
	for my $case (['the workers', sub { $_[0]->worker_pids }], ['the writers', sub { $_[0]->writer_pids }]) {
		my ($what, $pids) = @$case;
		for my $where (undef, $g) {
			$_->allow_deaths(4) for $t->nodes;
			my @m = under_way_while($where, sub { kill 'KILL', map { $pids->($_) } $t->nodes });
			wait_for("$what to be replaced", sub { eval { $t->http('bob', node => $_)->get('/messages/unread-count', timeout => 5)->status == 200 } || return for 0, 1; 1 });
			# Who comes now has missed it, and catches up; who is told of it by the relay does so once more.
			my $ws = $t->ws('bob', node => 1);
			all_gone($dbh, @m);
			are_once($t, "$what die", @m);
			$ws->abort;
		}
	}
};

subtest 'sessions elsewhere hear of what dead workers have done' => sub {
	ready($_) for $t->nodes;
	my @listens = map { $t->ws('bob', node => $_, name => "bob at $_", query => "device=d$_") } 0, 1;
	$_->allow_deaths(4) for $t->nodes;
	my $dies;
	my @m = under_way_while(undef, sub {
		($dies) = grep { index(holder() // '', "$t->{nodes}[$_]{conf}{node_id}:") == 0 } 0, 1;
		kill 'KILL', $t->node($dies)->worker_pids if defined $dies;
	});
	all_gone($dbh, @m);
	hears($_, @m) for defined $dies ? $listens[1 - $dies] : @listens;
	are_once($t, 'and', @m);
	ready($_) for $t->nodes;
	$_->abort for @listens;
};

subtest 'Redis is away' => sub {
	my @ws = map { $t->ws('bob', node => $_, name => "bob at $_", query => "device=d$_") } 0, 1;
	my @m = send_some($t, 3, 3600);
	$t->{stack}->redis_stop;
	make_due($t, @m);
	all_gone($dbh, @m);
	cmp_ok late($dbh, @m), '<', 5, 'they expire in time';
	$t->{stack}->redis_start;
	hears($_, @m) for @ws;
	are_once($t, 'without it', @m);
	told_once($_), $_->abort for @ws;
};
$t->stop;

subtest 'the answer to the COMMIT is lost' => sub {
	my $proxy = Tidings::Proxy->new(dir => Tidings::dir(), to => Tidings::stack()->mariadb_socket);
	my $u = Tidings->start(workers => 1, conf => {mysql => {socket => $proxy->socket}});
	$u->befriend(qw(alice bob));
	for my $to (undef, $u->group('alice', ['bob'])) {
		my @m = send_some($u, 3, 3600, $to);
		my $ws = $u->ws('bob');
		$proxy->lose('is_recalled=1.*COMMIT\z');
		make_due($u, @m);
		$proxy->lost;
		$proxy->open;
		all_gone($u->dbh, @m);
		hears($ws, @m);
		are_once($u, 'without an answer', @m);
		told_once($ws);
		$ws->abort;
		wait_for('the database', sub { $u->node->admin_http->get('/readyz')->status == 200 });
	}
	$u->stop;
	$proxy->stop;
};

done_testing;
