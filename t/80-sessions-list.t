# SPDX-License-Identifier: BSD-2-Clause
# Proves that `tidingsctl sessions` ends: it once began its list anew for ever, and the master did nothing else.
use Tidings;

my $t = Tidings->start(workers => 2, conf => {session => {policy => 'device'}});
my @ws = map { $t->ws('alice', query => "device=d$_") } 1 .. 3;
push @ws, $t->ws('bob');
my $list = $t->node->ctl_ok('--json', 'sessions')->{sessions};
is scalar(@$list), 4, 'every session, once';
is_deeply [sort map { $_->{device} // '-' } grep { $_->{user_id} eq 'alice' } @$list], [qw(d1 d2 d3)], 'with its device';
is_deeply [grep { $_->{address} ne '127.0.0.1' } @$list], [], 'its address';
my ($bob) = grep { $_->{user_id} eq 'bob' } @$list;
ok $bob->{since} ge $ws[0]->hello->{server_time} && $bob->{since} le $ws[-1]->hello->{server_time}, 'and since when';
is scalar(@{$t->node->ctl_ok('--json', 'sessions', 'bob')->{sessions}}), 1, 'those of one user';
is scalar(@{$t->node->ctl_ok('--json', 'sessions', 'nobody')->{sessions}}), 0, 'or of nobody';
$t->stop;
done_testing;
