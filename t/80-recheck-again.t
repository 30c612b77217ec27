# SPDX-License-Identifier: BSD-2-Clause
# Proves that a friend who is blocked sees the other go offline even if the database does not answer when the block is
# heard of: once the failed read was not repeated, and they went on seeing who came and went.
use Tidings;
use Tidings::Proxy;

my $proxy = Tidings::Proxy->new(dir => Tidings::dir(), to => Tidings::stack()->mariadb_socket);
my $t = Tidings->start(workers => 1, nodes => 2, start => 0);
my $node = $t->node(1);
$node->configure({%{$node->{conf}}, mysql => {%{$node->{conf}{mysql}}, socket => $proxy->socket, connections => 2}});
$_->start for $t->nodes;
$t->befriend(qw(alice bob));
my $alice = $t->ws('alice', node => 0);
my $bob = $t->ws('bob', node => 1);
ok $bob->request(type => 'watch', user_ids => ['alice'])->{users}[0]{online}, 'bob sees alice online';

# The node asks what bob may see, and has no answer; nor has it a connection any more.
$proxy->lose('friendships');
is $t->http('alice')->put('/friends/bob/block')->status, 200, 'alice blocks him, by the other node';
$proxy->lost;
# This one is read after it.
is $t->http('bob', node => 1)->get('/friends')->status, 503, 'the read fails';
is_deeply [$bob->settle->queued('presence')], [], 'bob does not know yet';
$proxy->open;
my $e = $bob->expect('presence');
is_deeply [$e->{user_id}, $e->{online} ? 1 : 0], ['alice', 0], 'once the database is back he sees her offline';
$t->stop;
done_testing;
