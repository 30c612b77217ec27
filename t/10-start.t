# SPDX-License-Identifier: BSD-2-Clause
# Proves how the server starts and stops: what it says of a bad configuration and where, when it refuses to start,
# where it listens, what its signals do.
use Tidings;
use Tidings::Util qw(run spew slurp free_port spawn reap signal_and_reap);
use IO::Socket::INET;
use IO::Socket::IP;
use IO::Socket::UNIX;

my $dir = Tidings::dir();
my $tidingsd = Tidings::Server::program('tidingsd');
my $secret = spew("$dir/good-secret", 'x' x 32 . "\n", 0600);

# Exit status and what was said, for a configuration given as text.
sub check {
	my ($text, @options) = @_;
	my $file = spew("$dir/check.conf", $text);
	my ($status, $out, $err) = run($dir, $tidingsd, '-c', $file, @options ? @options : '-t');
	return ($status, "$out$err");
}

subtest 'the command line' => sub {
	my ($status, $out, $err) = run($dir, $tidingsd, '-V');
	is $status, 0, '-V';
	like $out, qr/^tidingsd \d+\.\d+\.\d+/, 'its version';
	($status, $out, $err) = run($dir, $tidingsd, '-x');
	isnt $status, 0, 'an unknown option';
	like $err, qr/usage/, 'is told how';
	($status, $out, $err) = run($dir, $tidingsd, '-t', 'more');
	isnt $status, 0, 'an argument too many';
	($status, $out, $err) = run($dir, $tidingsd, '-t', '-c', "$dir/nothing.conf");
	isnt $status, 0, 'no such file';
	like $err, qr/\Q$dir\E\/nothing\.conf/, 'is named';
};

subtest '-t: good ones' => sub {
	my $jwt = qq(jwt { secret_file = "$secret" }\n);
	my %good = (
		'the least' => $jwt,
		'a secret in place' => 'jwt { secret = "' . 'y' x 32 . qq("}\n),
		'comments' => "# one\n$jwt// two\n/* three */\n",
		'addresses' => qq(listen = {"127.0.0.1:8080", "[::]:8080", "unix:/tmp/x"}\n$jwt),
		'a list by +=' => qq(listen += {"127.0.0.1:9000"}\n$jwt),
		'keys by id' => qq(jwt { secret_file = "$secret" key "a" { secret = ") . 'z' x 32 . qq(" } key "b" { algorithm = HS512 secret_file = "$secret" } }\n),
		'much of what is off by default' => qq(proxy_protocol = true\naccounts = false\nwebsocket { compression = true }\nlog { access = "$dir/access" }\n$jwt),
	);
	for (sort keys %good) {
		my ($status, $said) = check($good{$_});
		is $status, 0, $_ or diag($said);
	}
};

subtest '-t: bad ones' => sub {
	my $jwt = qq(jwt { secret_file = "$secret" }\n);
	my $short = spew("$dir/short", "only 31 bytes, which are too few\n" =~ s/.\n/\n/r, 0600);
	my $empty = spew("$dir/empty", '', 0600);
	spew("$dir/no.pem", "no key at all\n");
	# name, text, the line, what the reason has to name
	my @bad = (
		['a run_dir whose control socket has too long a path', "\n\nrun_dir = \"/tmp/" . 'd' x 95 . "\"\n$jwt", 3, qr/run_dir: the control socket, \S+\/control\.sock, has a path of 113 bytes; a UNIX socket's has up to 107/],
		['more connections than a node can have', "workers = 1024\nworker_connections = 20000\n$jwt", 2, qr/worker_connections: 20000 with workers = 1024 are 20480000 connections; a node holds up to 16777216: lower/],
		['too many workers for the default', "\nworkers = 1024\nworker_connections = 16385\n$jwt", 3, qr/worker_connections/],
		['an unknown option', "\nwrokers = 2\n$jwt", 2, qr/wrokers/],
		['an unknown section', "$jwt\n\nnothing { a = 1 }\n", 4, qr/nothing/],
		['an unknown option in a section', "${jwt}http {\n\tmax_bdoy = 5\n}\n", 3, qr/max_bdoy/],
		['a number that is none', "workers = many\n$jwt", 1, qr/workers/],
		['a number too small', "workers = -1\n$jwt", 1, qr/workers/],
		['a number too big', "${jwt}workers = 100000\n", 2, qr/workers/],
		['a number over 64 bits', "${jwt}workers = 99999999999999999999999\n", 2, qr/workers/],
		['a number in a section out of range', "${jwt}mysql {\n\n\tport = 70000\n}\n", 4, qr/port/],
		['a word that is none of them', "${jwt}session {\n\tpolicy = triple\n}\n", 3, qr/policy/],
		['a level that is none', "log { level = loud }\n$jwt", 1, qr/level/],
		['a truth that is none', "${jwt}accounts = perhaps\n", 2, qr/accounts/],
		['an address without a port', "${jwt}listen = {\"127.0.0.1\"}\n", 2, qr/listen/],
		['an address with a bad port', "${jwt}listen = {\"127.0.0.1:99999\"}\n", 2, qr/listen/],
		['an address that is a name', "${jwt}listen = {\"example.org:80\"}\n", 2, qr/listen/],
		['a bad second address', "${jwt}listen = {\"127.0.0.1:8080\",\n \"nowhere\"}\n", qr/[23]/, qr/listen/],
		['an algorithm that is none', "jwt {\n algorithm = none\n secret_file = \"$secret\" }\n", 2, qr/algorithm/],
		['a prefix without a slash', "${jwt}http { prefix = \"im\" }\n", 2, qr/prefix/],
		['an origin that is none', "${jwt}http { cors_origins = {\"chat.example\"} }\n", 2, qr/origin/],
		['a short secret', "jwt {\n\n secret = \"short\" }\n", qr/\d+/, qr/32/],
		['a short secret in a file', "jwt { secret_file = \"$short\" }\n", qr/\d+/, qr/32/],
		['an empty secret file', "jwt { secret_file = \"$empty\" }\n", qr/\d+/, qr/secret/],
		['no secret file', "jwt { secret_file = \"$dir/nowhere\" }\n", qr/\d+/, qr/nowhere/],
		['no password file', "${jwt}mysql { password_file = \"$dir/nowhere\" }\n", qr/\d+/, qr/nowhere/],
		['a short secret of a key by id', "jwt { secret_file = \"$secret\"\n key \"k\" { secret = \"short\" } }\n", qr/\d+/, qr/32/],
		['a public key that is none', "jwt { secret_file = \"$secret\"\n key \"k\" { algorithm = RS256 public_key_file = \"$dir/no.pem\" } }\n", undef, qr/no\.pem|key/],
		['a string without end', "${jwt}node_id = \"abc\n", undef, qr/./],
		['a brace too few', "jwt { secret_file = \"$secret\"\n", undef, qr/./],
		['a brace too many', "$jwt}\n", 2, qr/./],
	);
	for (@bad) {
		my ($name, $text, $line, $reason) = @$_;
		my ($status, $said) = check($text);
		is $status, 1, $name or diag($said);
		like $said, qr/check\.conf:$line: /, 'the file and the line' if defined $line;
		like $said, qr/check\.conf/, 'the file';
		like $said, $reason, 'the reason';
		unlike $said, qr/y{31}|only 31 bytes/, 'and no secret';
	}
	my ($status, $said) = check("workers = -1\n${jwt}mysql { port = 0 }\n");
	like $said, qr/:1: .*workers.*\n.*:3: .*port/s, 'several faults are told at once';
	($status, $said) = check("workers = 1\n");
	is $status, 1, 'no secret at all: a server cannot start';
	like $said, qr/secret/, 'and says what is missing';
	($status, $said) = check("workers = -1\n$jwt", '-D');
	is $status, 1, 'the start itself is stopped by a bad file';
	($status, $said) = check($jwt, '-t', '-D');
	is $status, 1, 'a daemon that logs to stderr';
	like $said, qr/check\.conf: log\.target: .*-D/, 'is told before it starts';
};

subtest 'refusing to start' => sub {
	my $t = Tidings->start(start => 0, migrate => 0);
	my $try = sub {
		my ($name, $like) = @_;
		my ($status, $out, $err) = run($dir, $tidingsd, '-c', $t->node->{conf_path});
		isnt $status, 0, $name;
		like $err, $like, 'and says why' or diag($err);
	};
	$t->{stack}->dbh->do("CREATE DATABASE $t->{database}");
	$try->('a database without the schema', qr/migrate/);
	$t->migrate;
	$t->dbh->do('CREATE TABLE migrations_before AS SELECT * FROM schema_migrations');
	$t->dbh->do('INSERT INTO schema_migrations SELECT * FROM (SELECT * FROM schema_migrations ORDER BY 1 DESC LIMIT 1) AS m ON DUPLICATE KEY UPDATE schema_migrations.version = m.version + 1000');
	my ($newest) = $t->dbh->selectrow_array('SELECT MAX(version) FROM schema_migrations');
	$try->('a schema of the future', qr/schema/) if $newest > 1000;
	$t->dbh->do('DELETE FROM schema_migrations');
	$t->dbh->do('INSERT INTO schema_migrations SELECT * FROM migrations_before');
	my $holder = IO::Socket::INET->new(LocalAddr => $t->node->address, Listen => 1, ReuseAddr => 1);
	ok $holder, 'a port that another holds';
	my ($port) = $t->node->address =~ /(\d+)$/;
	$try->('an occupied port', qr/$port/);
	close $holder;
	$t->node->start;
	is $t->http('alice')->get('/messages/unread-count')->status, 200, 'free again: starts';
	$try->('a second one with the same run_dir', qr/./);
	$t->stop;
};

subtest 'listeners' => sub {
	my ($v4, $v4b, $v6) = map { free_port() } 1 .. 3;
	my $has_v6 = IO::Socket::IP->new(LocalHost => '::1', LocalPort => $v6, Listen => 1);
	close $has_v6 if $has_v6;
	my $unix = "$dir/public.sock";
	my $t = Tidings->start(conf => {listen => ["127.0.0.1:$v4", "127.0.0.1:$v4b", "unix:$unix", $has_v6 ? "[::1]:$v6" : ()]});
	for my $address ("127.0.0.1:$v4", "127.0.0.1:$v4b", "unix:$unix", $has_v6 ? "[::1]:$v6" : ()) {
		my $h = $t->http('alice', address => $address);
		is $h->get('/messages/unread-count')->status, 200, "answers on $address";
		my $ws = $t->ws('alice', address => $address);
		is $ws->hello->{user_id}, 'alice', 'and a WebSocket there';
	}
	note('no IPv6 here') if !$has_v6;
	my $admin = $t->node->admin_http;
	is $admin->get('/messages/unread-count')->code, 'not_found', 'the admin listener has no API';
	is $admin->get($_)->status, 200, "but $_" for qw(/healthz /readyz /metrics);
	my $metrics = $admin->get('/metrics');
	like $metrics->header('content-type'), qr{^text/plain.*version=0\.0\.4}, 'Prometheus text';
	like $metrics->body, qr/^# HELP tidings_\w+ .*\n# TYPE tidings_\w+ (?:counter|gauge|histogram)\n/m, 'with help and type';
	my @odd = grep { !/^(?:#.*|tidings_\w+(?:\{[^}]*\})? [-+.0-9eInfNa]+)$/ } split /\n/, $metrics->body;
	is_deeply \@odd, [], 'nothing else in it';
	my $count = sub { my ($n) = $admin->get('/metrics')->body =~ /^tidings_http_requests_total\{route="unread",status="200"\} (\d+)/m; $n // 0 };
	my $before = $count->();
	$t->http('alice', address => "127.0.0.1:$v4")->get('/messages/unread-count') for 1 .. 10;
	cmp_ok $count->(), '>=', $before + 10, 'the node\'s figures, whichever worker answers';
	$t->stop;
	ok !-e $unix, 'the UNIX socket is gone afterwards';
	# One left behind by a killed server is no obstacle.
	$t->node->start;
	$t->node->stop(signal => 'KILL', status => 9);
	ok -e $unix, 'one is left behind';
	wait_for('the workers to follow their master', sub { !IO::Socket::UNIX->new(Peer => $unix) });
	$t->node->start;
	is $t->http('alice', address => "unix:$unix")->get('/messages/unread-count')->status, 200, 'and replaced';
	$t->stop;
};

subtest 'signals' => sub {
	my $t = Tidings->start(workers => 2, conf => {drain_timeout => 2, log => {target => "$dir/server.log"}});
	$t->befriend(qw(alice bob));
	my $pid = $t->node->pid;
	my $ws = $t->ws('alice');
	my $idle = $t->http('alice');
	$idle->get('/messages/unread-count');
	ok -s "$dir/server.log", 'logs to its file';
	rename "$dir/server.log", "$dir/server.log.1";
	kill 'USR1', $pid;
	wait_for('the new log file', sub { -e "$dir/server.log" });
	pass 'USR1 opens the log again';

	$t->node->write_conf(slurp($t->node->{conf_path}) . "\nwrokers = 3\n");
	kill 'HUP', $pid;
	wait_for('the reason in the log', sub { slurp("$dir/server.log") =~ /wrokers/ });
	is $t->http('alice')->get('/messages/unread-count')->status, 200, 'HUP with a bad file keeps the running one';
	is $ws->request(type => 'ping')->{type}, 'pong', 'with its connections';
	my %conf = %{$t->node->{conf}};
	$t->node->configure({%conf, workers => 3, message => {max_content => 10}});
	my @old = $t->node->worker_pids;
	my $refused = 0;
	kill 'HUP', $pid;
	wait_for('a new generation', sub {
		my $r = eval { $t->http('alice')->post('/messages/send', text_to('bob', 'over ten bytes')) };
		$refused++ if !$r;
		return $r && $r->status == 400;
	});
	is $refused, 0, 'HUP refuses no connection';
	wait_for('three workers', sub { my %old = map { $_ => 1 } @old; my @now = $t->node->worker_pids; @now == 3 && !grep { $old{$_} } @now });
	pass 'the new configuration counts, with its number of workers';
	is $ws->close_code, 1001, 'who was connected to the old ones was told to come back';
	is scalar($ws->queued('reconnect')), 1, 'and when';

	$ws = $t->ws('alice');
	kill 'TERM', $pid;
	ok $ws->expect('reconnect'), 'TERM drains';
	is $ws->close_code, 1001, 'and closes';
	ok $t->node->stop, 'and ends well';
	$t->node->start;
	$ws = $t->ws('alice');
	ok $t->node->stop(signal => 'QUIT'), 'QUIT ends at once';
	$ws->close_code;
	$t->node->start;
	ok $t->node->stop(signal => 'INT'), 'INT ends as TERM does';
	$t->stop;
	my $log = slurp("$dir/server.log") . slurp("$dir/server.log.1");
	unlike $log, qr/Sanitizer|runtime error/, 'a clean log';
	unlike $log, qr/died/, 'and no deaths';
};

done_testing;
