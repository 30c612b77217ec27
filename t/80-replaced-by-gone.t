# SPDX-License-Identifier: BSD-2-Clause
# Proves that a client which leaves before hello replaces nobody: its session once was announced all the same when Redis
# answered again, and closed the one that the client had opened elsewhere meanwhile (4001: do not come back).
use Tidings;

my $t = Tidings->start(nodes => 2, workers => 1, conf => {session => {policy => 'single'}});
$t->befriend(qw(alice bob));
my ($redis, $worker) = ($t->stack->{redis}, $t->node(0)->worker_pids);
END { kill 'CONT', grep { $_ } $redis, $worker }

kill 'STOP', $redis;
my $first = $t->ws('alice', node => 0, hello => 0, name => 'the first');
$first->abort;
# The worker sees the end of the first before this request, which came later.
is $t->http('bob')->get('/messages/unread-count')->status, 200, 'the first waits for its hello, and its client leaves';
my $second = $t->ws('alice', node => 1, hello => 0, name => 'the second');
# The second one's announcement is to come first.
kill 'STOP', $worker;
kill 'CONT', $redis;
$second->expect('hello');
is $second->request(type => 'ping')->{type}, 'pong', 'it opens another session elsewhere';
kill 'CONT', $worker;

# On its way behind whatever the first node says of the first.
my $bob = $t->ws('bob', node => 0);
is $bob->request(type => 'send', %{text_to('alice', 'still there?')})->{type}, 'ack', 'the first node goes on';
ok eval { $second->expect('message') }, 'the second session stays' or diag($@);
is $second->request(type => 'ping')->{type}, 'pong', 'and is answered';
$t->stop;
done_testing;
