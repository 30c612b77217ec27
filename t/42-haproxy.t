# SPDX-License-Identifier: BSD-2-Clause
# Proves that contrib/haproxy.cfg does what it says with two nodes behind it: connections reach both, a node that is
# drained loses nobody anything, and one that is killed is replaced by the other for HTTP and WebSocket alike.
use Tidings;
use IO::Socket::UNIX;
use Tidings::Crowd;
use Tidings::HTTP;
use Tidings::Util qw(free_port run signal_and_reap slurp spawn spew);

plan skip_all => 'haproxy is not installed' if !grep { -x "$_/haproxy" } split /:/, $ENV{PATH};

my $dir = Tidings::dir();
my $port = free_port();
my $socket = "$dir/haproxy.sock";
my $example = slurp(Tidings::top() . '/contrib/haproxy.cfg');
my ($status, $out, $err);

# The example itself, its certificate apart.
($status, $out, $err) = run($dir, qw(openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout), "$dir/key.pem", '-out', "$dir/cert.pem");
is $status, 0, 'a certificate' or diag($err);
spew("$dir/tidings.pem", slurp("$dir/cert.pem") . slurp("$dir/key.pem"), 0600);
(my $as_is = $example) =~ s{/etc/haproxy/certs}{$dir};
($status, $out, $err) = run($dir, 'haproxy', '-c', '-f', spew("$dir/as-is.cfg", $as_is));
is $status, 0, 'haproxy takes the example' or diag($out . $err);

my $t = Tidings->start(workers => 2, nodes => 2, conf => {session => {policy => 'device'}, drain_timeout => 3,
	proxy_protocol => 'true', log => {access => "$dir/access.log"}});

# The same with the addresses of this test.
my $cfg = $as_is;
my $changes = 0;
$changes += $cfg =~ s{\tbind :443 ssl .*}{\tbind 127.0.0.1:$port};
$changes += $cfg =~ s{stats socket \S+}{stats socket $socket};
$changes += $cfg =~ s{maxconn 100000}{maxconn 500};
$changes += $cfg =~ s{ check port 8081}{ check};
$changes += $cfg =~ s{slowstart 10s}{};
for my $i (0, 1) {
	my ($admin_port) = $t->node($i)->admin =~ /:(\d+)/;
	my $n = $i + 1;
	$changes += $cfg =~ s{server n$n 10\S+}{"server n$n " . $t->node($i)->address . " port $admin_port"}e;
}
is $changes, 7, 'the example is as this test knows it';
my $haproxy = spawn(log => "$dir/haproxy.log", cmd => ['haproxy', '-db', '-f', spew("$dir/haproxy.cfg", $cfg)]);

sub command {
	my ($line) = @_;
	my $s = IO::Socket::UNIX->new(Peer => $socket) or return '';
	print {$s} "$line\n";
	local $/;
	return scalar(<$s>) // '';
}
# What haproxy thinks of a node: UP, DRAIN, DOWN.
sub state_of {
	my ($name) = @_;
	my ($header, @rows) = split /\n/, command('show stat');
	my @columns = split /,/, $header // '';
	for (@rows) {
		my %row;
		@row{@columns} = split /,/;
		return $row{status} =~ s/ .*//r if ($row{'# pxname'} // '') eq 'tidings' && $row{svname} eq $name;
	}
	return '';
}
sub wait_state { my ($name, $state) = @_; wait_for("haproxy to find $name $state", sub { state_of($name) eq $state }); return }
# The nodes' own count of the WebSockets each has.
sub websockets { return map { $_->{pid} ? $_->ctl_ok('--json', 'status')->{websockets} : 0 } $t->nodes }

wait_state($_, 'UP') for qw(n1 n2);
my @real = map { $_->address } $t->nodes;
# From now on the clients of this test know the balancer alone.
$_->{address} = "127.0.0.1:$port" for $t->nodes;
$t->befriend(qw(alice bob), map { "user$_" } 1 .. 6);

my $r = $t->http('alice', from => '127.0.0.9')->get('/messages/unread-count');
is $r->status, 200, 'a request through it';
my $id = $r->header('x-request-id');
wait_for('the access log', sub { slurp("$dir/access.log") =~ /^\S+ 127\.0\.0\.9 GET .* \Q$id\E$/m });
pass 'the nodes know the client by its own address';
ok !eval { Tidings::HTTP->new(address => $real[0])->get('/messages/unread-count') }, 'and take nothing that does not come from the balancer';

my @ws = map { $t->ws("user$_") } 1 .. 6;
wait_for('the sessions to be counted', sub { my @n = websockets(); $n[0] + $n[1] == 6 });
is join(' ', websockets()), '3 3', 'connections are spread over the nodes';

subtest 'draining a node' => sub {
	command('set server tidings/n1 state drain');
	wait_state('n1', 'DRAIN');
	my @new = map { $t->ws("user$_", query => 'device=new') } 1 .. 6;
	wait_for('them to be counted', sub { my @n = websockets(); $n[0] + $n[1] == 12 });
	is join(' ', websockets()), '3 9', 'new connections go to the other node';
	$_->close for @new;
	is scalar(grep { $_->request(type => 'ping')->{type} eq 'pong' } @ws), 6, 'those that it has stay';
	my $crowd = Tidings::Crowd->new($t, 3);
	my $told = 0;
	$crowd->run(sub { $_[0]->acked_count > 200 }, sub {
		return if $told || $_[0]->acked_count < 50;
		$told = 1;
		kill 'TERM', $t->node(0)->pid;
	});
	$crowd->check('while it leaves');
	my @gone = grep { $_->queued('reconnect') || !eval { $_->settle; 1 } } @ws;
	is scalar(@gone), 3, 'its sessions were told to come back';
	is_deeply [map { $_->close_code } @gone], [1001, 1001, 1001], 'and closed';
	ok $t->node(0)->stop, 'it ends well';
	my @back = map { $t->ws($_->{name}) } @gone;
	wait_for('them to be counted', sub { (websockets())[1] >= 6 });
	is scalar(grep { $_->request(type => 'ping')->{type} eq 'pong' } @back), 3, 'they came back to the other one';
	$_->close for @back;
	$t->node(0)->start;
	command('set server tidings/n1 state ready');
	wait_state('n1', 'UP');
	my @both = map { $t->ws("user$_", query => 'device=both') } 1 .. 6;
	wait_for('its first new session', sub { (websockets())[0] > 0 });
	pass 'ready again it gets connections';
	$_->close for @both;
};

subtest 'a node is killed' => sub {
	my $alice = $t->ws('alice');
	my $bob = $t->ws('bob', query => 'device=other');
	my $crowd = Tidings::Crowd->new($t, 3);
	my $killed = 0;
	$crowd->run(sub { $_[0]->acked_count > 300 }, sub {
		return if $killed || $_[0]->acked_count < 50;
		$killed = 1;
		my $node = $t->node(0);
		kill 'KILL', $node->pid, $node->worker_pids;
	});
	$crowd->check('meanwhile');
	wait_state('n1', 'DOWN');
	$t->node(0)->stop(signal => 'KILL', status => 9);
	is_deeply [grep { $_ != 200 } map { $t->http('alice')->get('/messages/unread-count')->status } 1 .. 10], [], 'HTTP goes on through the other one';
	# Whoever was on the node that died comes back.
	for ($alice, $bob) { $_ = $t->ws($_->{name}, query => 'device=again') if !eval { $_->settle; 1 } }
	my $m = $alice->request(type => 'send', %{text_to('bob', 'still here')})->{message};
	is $bob->expect('message', sub { $_[0]{message}{id} eq $m->{id} })->{message}{content}, 'still here', 'and so do WebSockets';
	$t->node(0)->start;
	wait_state('n1', 'UP');
	pass 'started again it is found by itself';
};

signal_and_reap($haproxy, 'TERM');
$t->stop;
done_testing;
