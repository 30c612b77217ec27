# SPDX-License-Identifier: BSD-2-Clause
# Proves that a reload disturbs nobody: not a request is lost while workers come and go, the old ones serve until the new
# ones are ready, and a rehearsal tells what it would do. And what the service manager hears of it.
use Tidings;
use Tidings::Util qw(free_port run spew slurp);
use Tidings::Visitors;
use IO::Select;
use IO::Socket::UNIX;

subtest 'under load' => sub {
	my $t = Tidings->start(workers => 2, conf => {drain_timeout => 60});
	my $node = $t->node;
	my $visitors = Tidings::Visitors->new($t, kept => 6, new => 4, ws => 6);
	$visitors->run('the first answers', sub { 1 });
	for ([4, 2], [1, 1], [2, 2]) {
		my ($workers, $writers) = @$_;
		my %old = map { $_ => 1 } $node->worker_pids, $node->writer_pids;
		$node->configure({%{$node->{conf}}, workers => $workers, writers => $writers});
		my $moves = $visitors->moves;
		$node->ctl_ok('reload');
		$visitors->run("$workers workers", sub { my @now = $node->worker_pids; @now == $workers && !grep { $old{$_} } @now });
		$visitors->run("$writers writers", sub { my @now = $node->writer_pids; @now == $writers && !grep { $old{$_} } @now });
		is_deeply $visitors->failures, [], "to $workers workers and $writers writers: nobody was disturbed";
		cmp_ok $visitors->moves - $moves, '>=', 12, 'who stayed connected was told to move';
	}
	$visitors->close;
	$t->stop;
};

subtest 'old workers serve until new ones are ready' => sub {
	my $t = Tidings->start(workers => 2);
	my $node = $t->node;
	my $good = $node->{conf};
	my @new;
	wait_for('new workers that are not ready yet', sub {
		$node->configure($good);
		$node->reload;
		my %old = map { $_ => 1 } $node->worker_pids;
		# Without a database a worker takes a second before it says that it is ready: in it they are stopped.
		$node->configure({%$good, mysql => {%{$good->{mysql}}, socket => Tidings::dir() . '/nowhere'}});
		$node->ctl_ok('reload');
		@new = grep { !$old{$_} } $node->worker_pids;
		kill 'STOP', @new;
		my %state = map { $_->{pid} => $_->{state} } @{$node->ctl_ok('workers', '--json')->{workers}};
		return 1 if @new == 2 && !grep { ($state{$_} // '') ne 'starting' } @new;
		kill 'CONT', @new;
		return 0;
	});
	is_deeply [map { $t->http('alice')->get('/messages/unread-count')->status } 1 .. 5], [(200) x 5], 'served meanwhile, by those who can';
	kill 'CONT', @new;
	wait_for('the new configuration to count', sub { $t->http('alice')->get('/messages/unread-count')->status == 503 });
	$t->stop;
};

subtest 'a rehearsal' => sub {
	my $t = Tidings->start(workers => 2, conf => {limits => {sends_per_second => 10, burst => 20, logins_per_minute => 30}});
	my $node = $t->node;
	my %conf = %{$node->{conf}};
	my $generation = sub { $node->ctl_ok('status', '--json')->{generation} };
	like $node->ctl_ok('reload', '--dry-run'), qr/nothing/, 'nothing has changed';
	my $other = spew(Tidings::dir() . '/other-secret', 'o' x 40, 0600);
	$node->configure({%conf, workers => 3, node_id => 'other', accounts => 'false', session => {policy => 'single'}, http => {cors_origins => ['https://a.example', 'https://b.example']},
		jwt => {%{$conf{jwt}}, key => {next => {secret_file => $other}}}, mysql => {%{$conf{mysql}}, password => 'a better one'}});
	my $reply = $node->ctl_ok('reload', '--dry-run', '--json');
	is_deeply [map { [@$_{qw(option from to needs)}] } @{$reply->{changes}}], [
		['workers', 2, 3, 'reload'],
		['node_id', $conf{node_id}, 'other', 'restart'],
		['accounts', 'true', 'false', 'reload'],
		['mysql.password', '(secret)', '(secret)', 'reload'],
		['http.cors_origins', '', 'https://a.example, https://b.example', 'reload'],
		['session.policy', 'multi', 'single', 'reload'],
		['jwt.key "next"', '', 'HS256', 'reload'],
	], 'tells what would change, what it needs, and no secret';
	my $text = $node->ctl_ok('reload', '--dry-run');
	like $text, qr/^restart +node_id +\S+ +other/m, 'for people, too';
	unlike $text, qr/a better one|oooo/, 'nor there a secret';
	is $generation->(), 0, 'and does nothing';
	# The same file, with another secret in it.
	my $secret = slurp(Tidings::dir() . '/secret');
	$node->configure(\%conf);
	spew(Tidings::dir() . '/secret', 's' x 40, 0600);
	is_deeply [map { $_->{option} } @{$node->ctl_ok('reload', '--dry-run', '--json')->{changes}}], ['jwt: its own key'], 'a secret changed in its file';
	spew(Tidings::dir() . '/secret', $secret, 0600);
	$node->write_conf("workers = 2\nwrokers = 3\n");
	# tidingsctl cannot read it either.
	my ($status, $out, $err) = $node->ctl('reload', '--dry-run');
	is $status, 1, 'a bad file';
	like $err, qr/:2: .*wrokers/, 'is named with the line';
	$node->configure(\%conf);
	is +($node->ctl('reload', $_))[0], 2, "a usage: reload $_" for qw(--dry now);
	$t->stop;
};

# What only a restart changes keeps its running value, and the rest of the file has to fit that: no worker could start.
subtest 'a file that does not fit what stays' => sub {
	my $dir = Tidings::dir();
	my ($status, undef, $err) = run($dir, qw(openssl req -x509 -nodes -days 2 -subj /CN=localhost -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout), "$dir/tls.key", '-out', "$dir/tls.pem");
	is $status, 0, 'a certificate' or diag($err);
	my $t = Tidings->start(workers => 1, conf => {tls => {listen => ['127.0.0.1:' . free_port()], certificate => "$dir/tls.pem", key => "$dir/tls.key"}});
	my $node = $t->node;
	my @workers = $node->worker_pids;
	my %conf = %{$node->{conf}};
	delete $conf{tls};
	$node->configure(\%conf);
	for my $options (['--dry-run'], []) {
		($status, undef, $err) = $node->ctl('reload', @$options);
		is $status, 1, "reload @$options without the section tls";
		like $err, qr/running values of tls\.listen stay.*tls\.certificate: needed/, 'says what it needs';
	}
	is_deeply [$node->worker_pids], \@workers, 'and nobody was replaced';
	$t->stop;
};

subtest 'room for more workers' => sub {
	my $t = Tidings->start(workers => 1, conf => {worker_connections => 10, drain_timeout => 0});
	my $node = $t->node;
	my @max = (sub { map { $node->admin_http->get('/metrics')->body =~ /^tidings_${_}_max (\d+)/m ? $1 : undef } qw(connections sessions) },
		sub { $node->ctl_ok('status', '--json')->{sessions_max} });
	is_deeply [map { $_->() } @max], [10, 10, 10], 'connections and sessions of one worker';
	$node->configure({%{$node->{conf}}, workers => 2});
	$node->reload;
	wait_for('the old worker to leave', sub { my @now = $node->worker_pids; @now == 2 });
	is_deeply [map { $_->() } @max], [20, 20, 20], 'of two';
	my @ws = map { $t->ws("user$_") } 1 .. 20;
	is $node->ctl_ok('status', '--json')->{sessions}, 20, 'and there is';
	my ($r, $h) = Tidings::WS::handshake(address => $node->address, token => $t->token('too-many'));
	is $r->status, 503, 'one session too many';
	is $r->code, 'overloaded', 'is refused in words';
	like $r->body, qr/holds no more connections/, 'with the reason';
	ok $r->header('retry-after'), 'and when to come back';
	$h->close;
	is_deeply [map { $_->request(type => 'ping')->{type} } @ws], [('pong') x @ws], 'the others are served';
	is $node->ctl_ok('status', '--json')->{counters}{sessions_refused}, 1, 'it is counted';
	$ws[0]->close->close_code;
	ok wait_for('room', sub { eval { $t->ws('too-many') } }), 'who leaves makes room';
	$t->stop;
};

subtest 'a daemon' => sub {
	my $t = Tidings->start(workers => 1, start => 0, conf => {log => {target => Tidings::dir() . '/daemon.log'}});
	my $node = $t->node;
	my ($status, $out, $err) = run(Tidings::dir(), Tidings::Server::program('tidingsd'), '-D', '-c', $node->{conf_path});
	is $status, 0, 'started' or diag("$out$err");
	$node->{pid} = 0;
	$node->follow;
	$node->configure({%{$node->{conf}}, log => {target => 'stderr'}});
	($status, undef, $err) = $node->ctl('reload');
	is $status, 1, 'a reload that takes its log away';
	like $err, qr/log\.target: a daemon/, 'is refused';
	$t->stop;
};

subtest 'a limit of the system is no change' => sub {
	plan skip_all => 'setpriv is not installed' if !grep { -x "$_/setpriv" } split /:/, $ENV{PATH};
	my $t = Tidings->start(workers => 1, start => 0, conf => {worker_connections => 5000});
	my $node = $t->node;
	my @caps = $> == 0 ? ('setpriv', '--bounding-set', '-sys_resource', '--inh-caps', '-sys_resource') : ();
	$node->start(wrap => [@caps, 'sh', '-c', 'ulimit -n 2000 && exec "$@"', 'sh']);
	like $node->log_text, qr/worker_connections is lowered to \d+/, 'it takes what it may';
	like $node->ctl_ok('reload', '--dry-run'), qr/nothing/, 'which is no change';
	$node->ctl_ok('reload');
	unlike $node->log_text, qr/restart is needed/, 'nor a reason for a restart';
	$t->stop;
};

subtest 'what the service manager hears' => sub {
	my $path = Tidings::dir() . '/notify';
	my $manager = IO::Socket::UNIX->new(Local => $path, Type => SOCK_DGRAM) or die "$path: $!";
	my $hear = sub {
		IO::Select->new($manager)->can_read(Tidings::Util::patience()) or die "the manager hears nothing\n";
		$manager->recv(my $text, 4096);
		return $text;
	};
	my $t = Tidings->start(workers => 1, start => 0);
	my $node = $t->node;
	$node->start(env => {NOTIFY_SOCKET => $path});
	is $hear->(), "READY=1\n", 'ready';
	$node->ctl_ok('reload');
	my ($usecs) = $hear->() =~ /\ARELOADING=1\nMONOTONIC_USEC=(\d+)\n\z/;
	ok defined $usecs, 'reloading, with the time';
	is $hear->(), "READY=1\n", 'and ready again';
	$t->stop;
	is $hear->(), "STOPPING=1\n", 'stopping';
};

done_testing;
