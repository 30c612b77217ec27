# SPDX-License-Identifier: BSD-2-Clause
# Proves that a worker whose connections have closed gets the next ones: the master hears of it though that worker is
# given nothing new meanwhile.
use Tidings;

my $t = Tidings->start(workers => 2, conf => {session => {policy => 'device'}});
$t->befriend(qw(alice bob));

# Session by session, the worker that holds it.
sub holders { return map { $_->{session_id} => $_->{worker} } @{$t->node->ctl_ok('--json', 'sessions', 'alice')->{sessions}} }

sub connections_of {
	my ($slot) = @_;
	my ($w) = grep { $_->{slot} == $slot } @{$t->node->ctl_ok('--json', 'workers')->{workers}};
	return $w->{connections};
}

my @ws = map { $t->ws('alice', query => "device=d$_", name => "alice/d$_") } 1 .. 8;
my %at = holders();
# Of two that seem to have as many the first gets the next one, so it is the second that is left.
my $left = 1;
my @leave = grep { $at{$_->session_id} == $left } @ws;
is scalar(@leave), 4, 'both workers hold half of them';
$_->close->close_code for @leave;
wait_for('them to have left', sub { connections_of($left) == 0 });
# By its next answer the master has heard what the worker wrote before its figures.
connections_of($left);

my @next = map { $t->ws('alice', query => "device=n$_", name => "alice/n$_") } 1 .. @leave;
%at = holders();
is_deeply [map { $at{$_->session_id} } @next], [($left) x @next], 'the next ones come to the worker that they have left';
$t->stop;
done_testing;
