# SPDX-License-Identifier: BSD-2-Clause
# Proves that a session which said hello before its worker has reached Redis for the first time is told to catch up
# once it has: what was sent in between was published while nobody here listened.
use Tidings;

my $t = Tidings->start(nodes => 2, workers => 1, start => 0);
$t->befriend(qw(alice bob));
$t->node(0)->start;
my $alice = $t->ws('alice', node => 0);
kill 'STOP', $t->stack->{redis};
END { kill 'CONT', $t->stack->{redis} if $t && $t->stack->{redis} }
$t->node(1)->start(ready => 0);
my $bob = $t->ws('bob', node => 1);
is $alice->request(type => 'send', %{text_to('bob', 'hello')})->{type}, 'ack', 'a message is sent while Redis answers nobody';
kill 'CONT', $t->stack->{redis};
my $event = wait_for('bob to hear of it', sub { $bob->fill(0.1); ($bob->queued('resync'), $bob->queued('message'))[0] });
ok $event, 'a session that was connected before hears of it: ' . $event->{type};
$t->stop;
done_testing;
