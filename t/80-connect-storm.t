# SPDX-License-Identifier: BSD-2-Clause
# Proves that a storm of connections loses none while there is room (more than the channel to a worker holds were once
# accepted, and closed), and that nobody waits in it but for those in front: accepting once paused until a timer came round
# whenever as many as may be were under way to the workers, so a newcomer waited for seconds while nothing was done.
use Tidings;
use IO::Socket::INET;

use constant STORM => 2500;
my $t = Tidings->start(workers => 2, conf => {worker_connections => 4000, limits => {connections_per_address => 0}});
my ($host, $port) = split /:/, $t->node->address;
my $ask = "GET /messages/unread-count HTTP/1.1\r\nHost: $host\r\n\r\n";

sub begin {
	my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Timeout => 20) or die "cannot connect: $!\n";
	syswrite $s, $ask or die "cannot write: $!\n";
	return $s;
}

# The status of the answer; waits for it.
sub status_of {
	my ($s) = @_;
	sysread $s, my $answer, 4096 or return "closed: $!";
	return $answer =~ m{\AHTTP/1\.1 (\d+)} ? $1 : $answer;
}

my $alice = $t->ws('alice');
# While the master does not run they all queue up in front of it; the workers run.
kill 'STOP', $t->node->pid;
my @storm = map { begin() } 1 .. STORM;
my $newcomer = $t->http('bob');
$newcomer->send_request('GET', '/messages/unread-count');
kill 'CONT', $t->node->pid;
# The measure of time: what somebody who is there already is answered meanwhile. And the storm goes on.
my $pings = 0;
until (IO::Select->new($newcomer->socket)->can_read(0)) {
	$alice->request(type => 'ping');
	push @storm, begin() if @storm < 2 * STORM;
	$pings++;
}
my $later = @storm - STORM;
is $newcomer->response->status, 200, 'a newcomer in a storm is served';
note "after $pings pings of another, with $later connections behind";
cmp_ok $pings, '<', STORM, 'without a pause: sooner than another could ask once for each that is in front';
my %got;
$got{status_of($_)}++ for @storm;
is_deeply \%got, {401 => scalar @storm}, 'and so are all the others';
is $t->node->ctl_ok('--json', 'status')->{refused}, 0, 'none was refused';
$t->stop;
done_testing;
