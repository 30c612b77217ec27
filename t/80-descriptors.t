# SPDX-License-Identifier: BSD-2-Clause
# Proves that a master without a descriptor left rests before it tries again, and says so once: it once turned at full
# speed, and wrote tens of thousands of lines a second. What has connected meanwhile is served afterwards.
use Tidings;
use Tidings::Util qw(run slurp);
use IO::Socket::UNIX;

plan skip_all => 'prlimit is not installed' if !grep { -x "$_/prlimit" } split /:/, $ENV{PATH};
my $t = Tidings->start(workers => 2);
my $node = $t->node;
my $master = $node->pid;

sub limit_files {
	my ($n) = @_;
	my ($status, $out, $err) = run(Tidings::dir(), 'prlimit', '--pid', $master, "--nofile=$n:");
	die "prlimit: $err\n" if $status;
	return;
}
sub naps { return slurp("/proc/$master/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m ? $1 : die "no such process\n" }

my ($before) = slurp("/proc/$master/limits") =~ /^Max open files\s+(\d+)/m;
my $alice = $t->ws('alice');
limit_files(4);
my @http = map { my $h = $t->http("user$_", new => 1); $h->send_request('GET', '/messages/unread-count'); $h } 1 .. 5;
my $since = now();
$node->log_like(qr/cannot accept: Too many open files/);
my $naps = naps();
$alice->request(type => 'ping') for 1 .. 300;
wait_for('the master to sleep again and again', sub { naps() >= $naps + 5 });
# One that asks tidingsctl's door waits as well.
my $control = IO::Socket::UNIX->new(Peer => $node->{conf}{run_dir} . '/control.sock') or die "control.sock: $!\n";
$naps = naps();
wait_for('it to sleep although clients go on connecting', sub { naps() >= $naps + 5 });
my $lines = () = $node->log_text =~ /master: cannot accept/g;
cmp_ok $lines, '<=', 1 + (now() - $since) / 10, 'a line in ten seconds at most';
limit_files($before);
is_deeply [map { $_->response->status } @http], [(200) x 5], 'who has connected meanwhile is served when there are some again';
ok $node->ctl_ok('status'), 'and so is tidingsctl';
$t->stop;
done_testing;
