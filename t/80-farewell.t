# SPDX-License-Identifier: BSD-2-Clause
# Proves that a worker that leaves, be it for a drain or a reload, takes leave of the others: they do not take it for dead,
# which would have every session of the cluster catch up.
use Tidings;

my $t = Tidings->start(workers => 1, nodes => 3);
my ($staying, $leaving, $last) = $t->nodes;
my $bob = $t->ws('bob');

# Each has heard of the others once a message has come by the bus, for a beat was sent before.
sub known {
	my ($from, $user) = @_;
	$t->befriend($user, 'bob');
	my $ws = $t->ws($user, node => $from);
	is $ws->request(type => 'send', %{text_to('bob', "from $user")})->{type}, 'ack', "$user sends";
	$bob->expect('message', sub { $_[0]{message}{from_user_id} eq $user });
	$ws->close;
	return;
}

known(1, 'alice');
known(2, 'carol');
$leaving->stop;
# This one dies without a goodbye, later than the other one left. If the other had been taken for dead, the log would
# have said so before.
$last->allow_deaths(1);
kill 'KILL', $last->worker_pids;
$staying->log_like(qr/of the cluster fell silent/);
is scalar(() = $staying->log_text =~ /fell silent/g), 1, 'only the one that was killed fell silent';
$t->stop;
done_testing;
