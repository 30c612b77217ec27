# SPDX-License-Identifier: BSD-2-Clause
# Proves that the figures of what was sent count what was sent: an event for a session that has no hello yet was once
# counted, and given to nobody.
use Tidings;

my $stack = Tidings::stack();
my $t = Tidings->start(workers => 1);
my $node = $t->node;
sub metric { my ($name) = @_; return $node->admin_http->get('/metrics')->body =~ /^tidings_$name (\d+)$/m ? $1 : die "no $name\n" }
sub sent { return metric('websocket_messages_sent_total') }

$t->befriend(qw(alice bob));
my $bob = $t->ws('bob');
# A worker tells its figures once a second; they include the hello.
wait_for('bob to be counted', sub { sent() == 1 });
my $pushed = metric('events_pushed_total');

# While Redis does not confirm her topic, alice has no hello.
kill 'STOP', $stack->{redis};
my $alice = $t->ws('alice', hello => 0);
wait_for('her session to have begun', sub { $node->ctl_ok('--json', 'sessions', 'alice')->{sessions}[0] });
is $bob->request(type => 'send', %{text_to('alice', 'too early')})->{type}, 'ack', 'bob sends';
kill 'CONT', $stack->{redis};
$alice->expect('hello');
$bob->request(type => 'send', %{text_to('alice', 'in time')});
$alice->expect('message', sub { $_[0]{message}{content} eq 'in time' });
$_->settle for $alice, $bob;

# Each ping of settle() has its pong; what was not expected waits in the queue.
my $messages = 1 + grep { $_->{message}{content} eq 'too early' } $alice->queued('message');
my $other = grep { $_->{type} !~ /^(?:message|pong)$/ } map { $_->queued } $alice, $bob;
# Two times hello, two acks, and a pong for each of the two who settle.
wait_for('all frames to be counted', sub { sent() >= 6 + $messages + $other });
is sent(), 6 + $messages + $other, 'frames';
is metric('events_pushed_total') - $pushed, $messages, 'events';
$t->stop;
done_testing;
