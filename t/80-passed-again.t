# SPDX-License-Identifier: BSD-2-Clause
# Proves that connections that were on their way to a worker when it died are served by another: they were once reset.
use Tidings;

my $t = Tidings->start(workers => 2);
my $node = $t->node;

sub workers { return @{$node->ctl_ok('workers', '--json')->{workers}} }
sub passed_to { my ($pid) = @_; return (map { $_->{sockets_passed} } grep { $_->{pid} == $pid } workers())[0] // die "worker $pid is gone\n" }

for my $round (1 .. 3) {
	# Both look the same to a client.
	wait_for('all to have left', sub { !grep { $_->{connections} } workers() });
	my ($victim) = $node->worker_pids;
	my $before = passed_to($victim);
	$node->allow_deaths(1);
	# It takes nothing from its channel any more; the master cannot know that yet.
	kill 'STOP', $victim;
	my @http;
	wait_for('some to be on their way to it', sub {
		push @http, map { $t->http("user$_", new => 1) } 1 .. 20;
		$_->send_request('GET', '/messages/unread-count') for @http[-20 .. -1];
		return passed_to($victim) > $before;
	});
	kill 'KILL', $victim;
	my %got;
	$got{eval { $_->response->status } // "failed: $@"}++ for @http;
	is_deeply \%got, {200 => scalar @http}, "round $round: all are answered";
	wait_for('another in its place', sub { my @w = workers(); @w == 2 && !grep { $_->{state} ne 'ready' } @w });
}
is $node->ctl_ok('--json', 'status')->{refused}, 0, 'none was refused';
$t->stop;
done_testing;
