# SPDX-License-Identifier: BSD-2-Clause
# Proves that a storm of connections loses none while there is room: more than the channel to a worker holds were
# once accepted, and closed.
use Tidings;

my $t = Tidings->start(workers => 2, conf => {worker_connections => 4000});
my ($host, $port) = split /:/, $t->node->address;
my @sockets = map { IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Timeout => 20) } 1 .. 2000;
is scalar(grep { defined } @sockets), 2000, 'all connect';
wait_for('all to be taken', sub { $t->node->ctl_ok('--json', 'status')->{connections} >= 2000 });
is $t->node->ctl_ok('--json', 'status')->{refused}, 0, 'none was refused';
$t->stop;
done_testing;
