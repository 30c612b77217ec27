# SPDX-License-Identifier: BSD-2-Clause
# Proves that `tidingsctl reload` is answered at once: workers forked meanwhile once kept its connection open.
use Tidings;

my $t = Tidings->start(workers => 2);
my $reply = $t->node->ctl_ok('--json', 'reload');
is $reply->{generation}, 1, 'the new generation is told';
my @held;
for my $pid ($t->node->worker_pids) {
	open my $unix, '<', "/proc/$pid/net/unix" or next;
	my %control = map { /\s(\d+)\s+\S*control\.sock$/ ? ($1 => 1) : () } <$unix>;
	push @held, grep { (readlink($_) // '') =~ /^socket:\[(\d+)\]/ && $control{$1} } glob "/proc/$pid/fd/*";
}
is_deeply \@held, [], 'no worker holds a connection to the control socket';
is wait_for('a request', sub { my $r = $t->http('alice')->get('/messages/unread-count'); $r->status == 200 && $r })->status, 200, 'and it serves';
$t->stop;
done_testing;
