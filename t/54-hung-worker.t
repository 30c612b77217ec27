# SPDX-License-Identifier: BSD-2-Clause
# Proves that a worker that hangs is noticed, gets no more connections meanwhile, and is killed and replaced; and that
# neither a clock that jumps nor a master that was stopped itself makes healthy ones look dead.
use Tidings;
use Tidings::Util qw(slurp);

my $t = Tidings->start(workers => 2);
my $node = $t->node;
my $workers = sub { $node->ctl_ok('workers', '--json')->{workers} };
# Good for longer than the clock is moved.
my %token = map { $_ => $t->token($_, exp => time + 100_000) } qw(alice carol);
my $answers = sub { eval { $t->http('carol', token => $token{carol})->get('/messages/unread-count')->status } // $@ };

my @pids = $node->worker_pids;
my $ws = $t->ws('alice', token => $token{alice});
for my $secs (30, 60) {
	$node->clock($secs);
	is $ws->request(type => 'ping')->{type}, 'pong', "$secs s pass at once: it answers";
}
# A machine that was suspended, say: all stop for longer than a worker may be silent, and the master is the first to go on.
# Here time itself has to pass, for the master can be told nothing meanwhile.
sub naps { return slurp("/proc/$_[0]/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m ? $1 : die "no such process\n" }
kill 'STOP', $node->pid, @pids;
my $stopped = now();
wait_for('longer than a worker may be silent', sub { now() > $stopped + 11 });
my $naps = naps($node->pid);
kill 'CONT', $node->pid;
wait_for('the master to have looked', sub { naps($node->pid) > $naps });
kill 'CONT', @pids;
is $answers->(), 200, 'a node that was stopped goes on';
# Aborted ones would have died before they answered this.
is $ws->request(type => 'ping')->{type}, 'pong', 'with its sessions';
is_deeply [$node->worker_pids], \@pids, 'and nobody was killed';
unlike $node->log_text, qr/hangs/, 'nor taken for dead';

# The one that holds the session.
my ($victim) = map { $_->{pid} } grep { $_->{websockets} } @{wait_for('the session to be counted', sub { my $w = $workers->(); (grep { $_->{websockets} } @$w) && $w })};
$node->allow_deaths(1);
kill 'STOP', $victim;
# Long enough for no more to be given to it, not long enough for its end.
$node->clock(5);
is_deeply [grep { $_ ne 200 } map { $answers->() } 1 .. 20], [], 'while it is silent all go to the other';
is_deeply [$node->worker_pids], \@pids, 'it is not given up yet';
$node->clock(10);
wait_for('its end', sub { !grep { $_ == $victim } $node->worker_pids });
like $node->log_text, qr/process $victim, hangs: silent for 1\d s/, 'then it is, with the reason';
is $ws->close_code, 1006, 'its connections end';
wait_for('another in its place', sub { my $w = $workers->(); @$w == 2 && !grep { $_->{state} ne 'ready' } @$w });
wait_for('its rows to be gone', sub { $node->ctl_ok('--json', 'status')->{sessions} == 0 });
pass 'it is replaced, and its sessions are forgotten';
is_deeply [grep { $_ ne 200 } map { $answers->() } 1 .. 10], [], 'and all is well';

# All of them: what connects waits until there is somebody.
$node->allow_deaths(2);
kill 'STOP', $node->worker_pids;
$node->clock(20);
is wait_for('an answer', sub { my $a = $answers->(); $a eq 200 && $a }), 200, 'all at once: all are replaced';

$t->stop;
done_testing;
