# SPDX-License-Identifier: BSD-2-Clause
# Proves that what was committed is told although everyone who knew of it has died: a whole node is killed while its
# COMMIT waits in the database, which carries it out afterwards. Nobody is left who would tell of it but the relay of
# another node.
use Tidings;
use Tidings::Ear;

my $t = Tidings->start(workers => 2, nodes => 2, conf => {websocket => {ping_interval => 3600, idle_timeout => 7200}});
my ($dying, $left) = $t->nodes;
$t->befriend(qw(alice bob carol));
my $group = $t->group('alice', [qw(bob carol)]);

sub stored { my ($content) = @_; return scalar $t->dbh->selectrow_array('SELECT COUNT(*) FROM messages WHERE content = ?', undef, $content) }

sub all_noted {
	return wait_for('all to be noted', sub {
		!$t->dbh->selectrow_array(q{SELECT 1 FROM outbox o LEFT JOIN outbox_done d ON d.consumer = 'push' AND d.stream = o.stream WHERE o.n > COALESCE(d.n, 0) LIMIT 1});
	});
}

# Time passes for the node that is left.
sub pass_until {
	my ($what, $code) = @_;
	return wait_for($what, sub { $left->clock(1); $code->() });
}

sub kill_node {
	my @pids = ($dying->pid, $dying->worker_pids, $dying->writer_pids, $dying->relay_pids);
	kill 'STOP', @pids;
	kill 'KILL', @pids[1 .. $#pids];
	$dying->stop(signal => 'KILL', status => 9);
	return;
}

for (['a message to one', 'u:alice u:bob', to_user_id => 'bob'], ['a message to a group', "c:$group", conversation_id => $group]) {
	my ($what, $topics, @to) = @$_;
	subtest $what => sub {
		my $token = $t->token('bob', exp => time + 100_000);
		my ($alice, $bob) = ($t->ws('alice'), $t->ws('bob', node => 1, token => $token));
		my $before = $alice->request(type => 'send', message_type => 'text', content => "before $what", @to)->{message};
		$bob->wait_event('the first message', sub { $_[0]{type} eq 'message' && $_[0]{message}{id} eq $before->{id} });
		all_noted();
		my $ear = Tidings::Ear->new($t, split / /, $topics);
		my $dbh = $t->{stack}->dbh($t->{database});
		$dbh->do("BACKUP STAGE $_") for qw(START FLUSH BLOCK_DDL BLOCK_COMMIT);
		$alice->start(type => 'send', message_type => 'text', content => $what, @to);
		wait_for('the COMMIT to wait', sub {
			select undef, undef, undef, 0.2; # asked more often, MariaDB answers the same for ever
			@{$dbh->selectcol_arrayref("SELECT 1 FROM information_schema.processlist p JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = p.id WHERE p.db = ? AND p.state = 'Waiting for backup lock' AND p.info LIKE '%COMMIT%' AND x.trx_rows_modified > 2", undef, $t->{database})};
		});
		kill_node();
		is stored($what), 0, 'it is not there yet';
		# Before the database gives up to wait.
		$dbh->do('BACKUP STAGE END');
		wait_for('it to be stored', sub { stored($what) });
		$t->dbh->do('UPDATE relay_leases SET ends_at = UTC_TIMESTAMP(3)'); # of the relay that has died
		$bob->settle;
		@{$bob->{events}} = ();
		my $heard = '';
		pass_until('the relay to tell of it', sub {
			$heard = $ear->heard || $heard;
		});
		is $heard, $topics, 'then the relay tells those whom it concerns';
		ok $bob->wait_event('to be told to catch up', sub { $_[0]{type} eq 'resync' }), 'who are told to catch up';
		my $id = $before->{conversation_id};
		is $t->http('bob', node => 1, token => $token)->get("/messages/conversations/$id/messages")->json->{items}[-1]{content}, $what, 'and find it';
		$dying->start;
	};
}

done_testing;
