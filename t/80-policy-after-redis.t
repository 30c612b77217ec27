# SPDX-License-Identifier: BSD-2-Clause
# Proves that sessions which opened while Redis was away come under the policy once it is back: they once were never
# announced, and both stayed.
use Tidings;

my $stack = Tidings::stack();
my $t = Tidings->start(workers => 2, conf => {session => {policy => 'single'}});
my $before = $t->ws('alice', name => 'before');
$stack->redis_stop('KILL');
wait_for('/readyz to notice', sub { $t->node->admin_http->get('/readyz')->status == 503 });
my @ws = ($before, map { $t->ws('alice', name => "away $_") } 1 .. 5);
$stack->redis_start;
is $_->close_code, 4001, "$_->{name} goes" for @ws[0 .. 4];
is $ws[5]->request(type => 'ping')->{type}, 'pong', 'the newest stays';
$t->stop;
done_testing;
