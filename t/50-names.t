# SPDX-License-Identifier: BSD-2-Clause
# Proves that database and Redis are found by name: every address of a name is tried, a name that moves is followed at
# the next connection, one that comes late is found soon, and none of it needs a restart. A primary that was made a
# replica is left although it keeps its connections.
use Tidings;
use IO::Socket::INET;
use Tidings::DNS;
use Tidings::Stack;
use Tidings::Util qw(free_port spew slurp);

# Two sets of servers with the same ports, on two addresses: the second is where a name may move to.
my ($sql_port, $redis_port) = (free_port(), free_port());
sub options {
	my ($address) = @_;
	return (mariadb_options => ['--skip-networking=0', "--port=$sql_port", "--bind-address=$address", '--skip-name-resolve'],
		redis_options => ['--port', $redis_port, '--bind', $address]);
}
my $first = Tidings::stack(options('127.0.0.1'));
mkdir Tidings::dir() . '/2' or die "2: $!\n";
my $second = Tidings::Stack->new(Tidings::dir() . '/2', options('127.0.0.2'));
END { $second->stop if $second }

my $hosts = Tidings::dir() . '/hosts';
sub hosts {
	my (%address) = @_;
	my $text = join '', map { my $name = $_; map { "$_ $name\n" } @{$address{$name}} } sort keys %address;
	spew("$hosts.new", $text);
	rename "$hosts.new", $hosts or die "$hosts: $!\n";
	return;
}
sub both { my (@address) = @_; return hosts('db.tidings.test' => [@address], 'redis.tidings.test' => [@address]) }
both('127.0.0.1');

# tidingsctl and the server find names there, in place of /etc/hosts.
$ENV{CARES_HOSTS} = $hosts;

sub conf {
	return {mysql => {socket => undef, host => 'db.tidings.test', port => $sql_port, user => $first->mortal_user},
		redis => {socket => undef, host => 'redis.tidings.test', port => $redis_port}};
}

# Sends from one, to another who hears of it; both perhaps on different workers.
sub talks {
	my ($t, $name) = @_;
	my $ws = wait_for('a WebSocket', sub { my $ws = eval { $t->ws('bob') }; $ws });
	my $n = 0;
	my $heard = wait_for("$name: a message arrives", sub {
		my $r = eval { $t->http('alice')->post('/messages/send', text_to('bob', "$name " . ++$n)) };
		return 0 if !$r || $r->status != 201;
		return $ws->wait_event('the message, or a resync', sub { $_[0]{type} eq 'resync' || $_[0]{type} eq 'message' && $_[0]{message}{content} eq "$name $n" })->{type} eq 'message';
	});
	ok $heard, "$name: messages are stored and pushed";
	$ws->close;
	return;
}

sub messages_in { my ($stack, $t, $like) = @_; return $stack->dbh($t->{database})->selectrow_array('SELECT COUNT(*) FROM messages WHERE content LIKE ?', undef, "$like%") }
sub cut {
	my $dbh = $first->dbh;
	for my $id (@{$dbh->selectcol_arrayref("SELECT id FROM information_schema.processlist WHERE user = 'mortal'")}) { eval { $dbh->do("KILL $id") } }
	return;
}
sub connections_to { my ($stack) = @_; return $stack->dbh->selectrow_array("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'mortal'") }

# Connections to it are made, and never answered.
my @mute = map { IO::Socket::INET->new(LocalAddr => '127.0.0.3', LocalPort => $_, Listen => 128, ReuseAddr => 1) // die "127.0.0.3:$_: $!\n" } $sql_port, $redis_port;

subtest 'names, and all their addresses' => sub {
	for my $addresses (['127.0.0.1'], ['::1', '127.0.0.1'], ['127.0.0.1', '::1'], ['127.0.0.77', '::1', '127.0.0.1'], ['127.0.0.3', '127.0.0.1']) {
		both(@$addresses);
		my $t = Tidings->start(conf => conf());
		pass "@$addresses: migrated, started, ready";
		$t->befriend(qw(alice bob));
		talks($t, "by @$addresses");
		like $t->node->ctl_ok('user', 'show', 'alice'), qr/alice/, 'tidingsctl user';
		$t->stop;
	}
	both('127.0.0.1');
};

subtest 'a name that moves' => sub {
	my $t = Tidings->start(conf => conf());
	$second->mortal_user;
	{
		hosts('db.tidings.test' => ['127.0.0.2'], 'redis.tidings.test' => ['127.0.0.1']);
		$t->migrate;
		both('127.0.0.1');
	}
	for my $stack ($first, $second) {
		my $dbh = $stack->dbh($t->{database});
		$dbh->do("INSERT INTO users (id) VALUES ('alice'), ('bob')");
		$dbh->do("INSERT INTO friendships (user_id, friend_id) VALUES ('alice', 'bob'), ('bob', 'alice')");
	}
	talks($t, 'before');
	is messages_in($second, $t, 'before'), 0, 'all in the first database';

	# Both die, and the names lead to others.
	both('127.0.0.2');
	$first->mariadb_stop('KILL');
	$first->redis_stop('KILL');
	wait_for('/readyz', sub { $t->node->admin_http->get('/readyz')->status == 200 });
	talks($t, 'moved');
	ok messages_in($second, $t, 'moved'), 'now in the second database';
	cmp_ok $second->redis_do('PUBSUB', 'NUMPAT') // -1, '>=', 0, 'the second Redis answers';

	# Nobody dies: the second database is made a replica of the first, and keeps every connection.
	$first->redis_start;
	$first->mariadb_start;
	hosts('db.tidings.test' => ['127.0.0.1'], 'redis.tidings.test' => ['127.0.0.2']);
	ok connections_to($second) > 0, 'connections to the second database';
	$second->dbh->do('SET GLOBAL read_only = 1');
	wait_for('the second database to be left', sub { connections_to($second) == 0 });
	wait_for('/readyz', sub { $t->node->admin_http->get('/readyz')->status == 200 });
	talks($t, 'back');
	ok messages_in($first, $t, 'back'), 'again in the first database';
	is messages_in($second, $t, 'back'), 0, 'and not in the replica';
	$second->dbh->do('SET GLOBAL read_only = 0');
	$t->stop;
};

subtest 'one of two addresses is a replica' => sub {
	both('127.0.0.2', '127.0.0.1');
	$second->dbh->do('SET GLOBAL read_only = 1');
	my $t = Tidings->start(conf => conf(), migrate => 0, start => 0);
	hosts('db.tidings.test' => ['127.0.0.1'], 'redis.tidings.test' => ['127.0.0.1']);
	$t->migrate;
	both('127.0.0.2', '127.0.0.1');
	$t->node->start;
	$t->befriend(qw(alice bob));
	$t->send_text('alice', 'bob', "replica $_") for 1 .. 5;
	is messages_in($first, $t, 'replica'), 5, 'the other one is written to';
	is $t->api('bob')->get('/messages/conversations')->status, 200, 'and read from';
	$second->dbh->do('SET GLOBAL read_only = 0');
	both('127.0.0.1');
	$t->stop;
};

subtest 'names that nobody knows yet' => sub {
	hosts();
	my $t = Tidings->start(conf => conf(), migrate => 0, start => 0);
	$t->node->start(ready => 0);
	is $t->node->admin_http->get('/readyz')->status, 503, 'alive, not ready';
	like $t->node->log_like(qr/writing.*db\.tidings\.test/) && $t->node->log_text, qr/host db\.tidings\.test: /, 'the log names the host';
	$t->node->log_like(qr/host redis\.tidings\.test: /);
	both('127.0.0.1');
	$t->migrate;
	wait_for('/readyz', sub { $t->node->admin_http->get('/readyz')->status == 200 });
	$t->befriend(qw(alice bob));
	talks($t, 'late');
	$t->stop;
};

subtest 'name servers' => sub {
	my $dir = Tidings::dir() . '/dns';
	mkdir $dir or die "$dir: $!\n";
	plan skip_all => 'only root may give a process its own /etc/resolv.conf' if $> != 0;
	plan skip_all => 'no mount namespaces here' if system('unshare', '-m', 'true') != 0;
	my $dns = Tidings::DNS->new($dir) or plan skip_all => "port 53: $!";
	# Nobody answers there.
	spew("$dir/resolv.conf", "nameserver 127.53.255.254\n");
	spew("$dir/hosts", '');
	# The addresses that stay in place for what starts the server.
	my $t = Tidings->start(conf => conf(), start => 0);
	delete local $ENV{CARES_HOSTS};
	$t->node->start(ready => 0, wrap => ['unshare', '-m', 'sh', '-c', 'mount --bind "$0/resolv.conf" /etc/resolv.conf && mount --bind "$0/hosts" /etc/hosts && exec "$@"', $dir]);
	$t->node->log_like(qr/host db\.tidings\.test: /);
	is $t->node->admin_http->get('/readyz')->status, 503, 'no name server';
	is $dns->asked, 0, 'this one is not known';
	spew("$dir/resolv.conf", $dns->resolv_conf);
	wait_for('a question', sub { $dns->asked });
	pass '/etc/resolv.conf is read again';
	# Asked again and again, not once in half a minute: each process asks for A and AAAA of two names.
	wait_for('many questions', sub { $dns->asked >= 100 });
	$dns->tell({'db.tidings.test' => ['::1', '127.0.0.1'], 'redis.tidings.test' => ['::1', '127.0.0.1']});
	wait_for('/readyz', sub { $t->node->admin_http->get('/readyz')->status == 200 });
	# Each worker has addresses of its own to fall back on; one answers /readyz.
	wait_for('both workers', sub { !grep { !$_->{database} || !$_->{redis} } @{$t->node->ctl_ok('--json', 'workers')->{workers}} });
	$t->befriend(qw(alice bob));
	talks($t, 'by DNS');
	my $asked = $dns->asked;
	talks($t, 'still by DNS');
	is $dns->asked, $asked, 'nobody is asked while the connections stay';

	# The name servers are silent: the former addresses do.
	$dns->tell(undef);
	cut();
	$first->redis_do('CLIENT', 'KILL', 'TYPE', 'normal');
	wait_for('questions without an answer', sub { $dns->asked > $asked });
	talks($t, 'without DNS');

	spew("$dir/hosts", "127.0.0.1 db.tidings.test redis.tidings.test\n");
	cut();
	talks($t, 'by /etc/hosts');
	$t->stop;
};

done_testing;
