# SPDX-License-Identifier: BSD-2-Clause
# Proves the upgrade (USR2): a new binary takes over the sockets and nobody is disturbed, one that cannot start leaves
# the old one serving, and sockets that a service manager made are taken as they are.
use Tidings;
use Tidings::Util qw(spew slurp free_port);
use Tidings::Visitors;
use File::Copy ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;

my $dir = Tidings::dir();

# Puts a binary in the place from which the server was started.
sub install {
	my ($to, $text) = @_;
	if (defined $text) { spew("$to.new", $text) } else { File::Copy::copy(Tidings::Server::program('tidingsd'), "$to.new") or die "copy: $!" }
	chmod 0755, "$to.new";
	rename "$to.new", $to or die "$to: $!";
	return $to;
}

subtest 'a new binary takes over' => sub {
	my $program = install("$dir/tidingsd");
	my $unix = "$dir/public.sock";
	my $t = Tidings->start(workers => 2, start => 0, conf => {drain_timeout => 4});
	my $node = $t->node;
	$node->configure({%{$node->{conf}}, listen => [$node->address, "unix:$unix"]});
	my $manager = IO::Socket::UNIX->new(Local => "$dir/notify", Type => SOCK_DGRAM) or die "$dir/notify: $!";
	my $heard = '';
	my $hear = sub {
		while (IO::Select->new($manager)->can_read(0)) { $manager->recv(my $text, 4096); $heard .= $text }
		return $heard;
	};
	$node->start(program => $program, env => {NOTIFY_SOCKET => "$dir/notify"});
	my $visitors = Tidings::Visitors->new($t, kept => 6, new => 4, ws => 6);
	$visitors->run('the first answers', sub { 1 });
	install($program);
	for my $round (1, 2) {
		my $old = $node->pid;
		kill 'USR2', $old;
		$visitors->run('the old server to leave', sub { !-e "/proc/$old" || slurp("/proc/$old/stat") =~ /\) Z/ });
		$node->follow;
		is_deeply $visitors->failures, [], "upgrade $round: nobody was disturbed";
		cmp_ok $visitors->moves, '>=', 12 * $round, 'who stayed connected was told to move';
		like $hear->(), qr/\AREADY=1\n(?:MAINPID=\d+\nREADY=1\n){$round}\z/, 'the service manager knows its new main process' if $round == 1;
		like $hear->(), qr/MAINPID=@{[$node->pid]}\n/, 'by its number';
		is scalar(my @p = $node->worker_pids), 2, 'with its workers';
		is $t->http('alice', address => "unix:$unix")->get('/messages/unread-count')->status, 200, 'on a UNIX socket, too';
		is $node->admin_http->get('/readyz')->status, 200, 'and for its operator';
	}
	$node->ctl_ok('reload');
	pass 'which can reload';
	$visitors->close;
	$t->stop;
	ok !-e $unix, 'and stop, leaving nothing behind';
	ok !-e "$node->{dir}/run/control.sock", 'at all';
	like $hear->(), qr/STOPPING=1\n\z/, 'which is told';
};

subtest 'one that does not start' => sub {
	my $program = install("$dir/tidingsd-2");
	my $t = Tidings->start(workers => 1, start => 0);
	my $node = $t->node;
	$node->start(program => $program);
	my $pid = $node->pid;
	my $ws = $t->ws('alice');
	my $failures = 0;
	my $fails = sub {
		my ($what, $like, $mend) = @_;
		kill 'USR2', $pid;
		$failures++;
		wait_for('its failure', sub { (() = $node->log_text =~ /upgrade: process \d+ did not start/g) == $failures });
		$mend->() if $mend;
		is $node->ctl_ok('status', '--json')->{pid}, $pid, "$what: the old one serves on";
		is $t->http('alice')->get('/messages/unread-count')->status, 200, 'new connections';
		is $ws->request(type => 'ping')->{type}, 'pong', 'and old ones';
		like $node->log_text, $like, 'and says why' if $like;
	};
	install($program, "#!/bin/sh\nexit 1\n");
	$fails->('a binary that fails');
	install($program, "no binary\n\0\0");
	$fails->('something that is no binary');
	unlink $program;
	$fails->('no binary at all', qr/cannot run \S+tidingsd-2: No such file/);
	install($program);
	my $conf = slurp($node->{conf_path});
	$node->write_conf("$conf\nwrokers = 2\n");
	$fails->('a bad configuration', qr/wrokers/, sub { $node->write_conf($conf) });
	# Alive, but never ready: the old one goes on, and takes it along when it stops.
	install($program, "#!/bin/sh\necho \$\$ > $dir/sleeper\nexec sleep 1000\n");
	kill 'USR2', $pid;
	my $sleeper = wait_for('a binary that hangs', sub { slurp("$dir/sleeper") =~ /(\d+)\n/ && $1 });
	is $t->http('alice')->get('/messages/unread-count')->status, 200, 'one that hangs: the old one serves meanwhile';
	kill 'USR2', $pid;
	$node->log_like(qr/no upgrade: one is under way/);
	pass 'a second one is refused';
	$t->stop;
	wait_for('it to go, too', sub { !kill 0, $sleeper });
	pass 'and stopping stops both';
};

subtest 'sockets of a service manager' => sub {
	local $^F = 100; # so that descriptors live through exec
	my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => free_port(), Listen => 16, ReuseAddr => 1) or die "socket: $!";
	my $unknown = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => free_port(), Listen => 16) or die "socket: $!";
	my $unix = IO::Socket::UNIX->new(Local => "$dir/managed.sock", Listen => 16) or die "socket: $!";
	my $address = '127.0.0.1:' . $socket->sockport;
	my $t = Tidings->start(workers => 1, start => 0);
	my $node = $t->node;
	$node->configure({%{$node->{conf}}, listen => [$node->address, $address, "unix:$dir/managed.sock"]});
	# The way of sd_listen_fds(3): from 3 on, for the process of this number.
	my $script = 'use POSIX; my $n = 0; POSIX::dup2($_, 50 + $n++) for split /,/, shift; POSIX::dup2(50 + $_, 3 + $_) for 0 .. $n - 1;'
		. '$ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = $n; exec @ARGV';
	$node->start(wrap => ['perl', '-e', $script, join ',', map { fileno $_ } $socket, $unknown, $unix]);
	is $t->http('alice', address => $_)->get('/messages/unread-count')->status, 200, "answers on $_" for $address, $node->address, "unix:$dir/managed.sock";
	like $node->log_text, qr/socket 127\.0\.0\.1:@{[$unknown->sockport]} was handed over, and the configuration does not name it/, 'one too many is told of';
	for my $round (1, 2) {
		my $old = $node->pid;
		kill 'USR2', $old;
		wait_for('the old server to leave', sub { !-e "/proc/$old" || slurp("/proc/$old/stat") =~ /\) Z/ });
		$node->follow;
		is $t->http('alice', address => "unix:$dir/managed.sock")->get('/messages/unread-count')->status, 200, "upgrade $round has it";
	}
	$t->stop;
	ok -e "$dir/managed.sock", 'what the manager made stays';
};

done_testing;
