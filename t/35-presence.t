# SPDX-License-Identifier: BSD-2-Clause
# Proves who is seen online: watched friends come and go, an absence is told after 5 s and a short one not at all,
# lists say the same, nobody learns of those who are no friends or have blocked them.
use Tidings;
use Tidings::Shape;

sub presence {
	my ($t, $workers) = @_;
	$t->befriend(qw(alice bob));
	$t->befriend(qw(alice carol));
	my $alice = $t->ws('alice');
	my $bob = $t->ws('bob');
	my $r = $alice->request(type => 'watch', user_ids => [qw(bob carol stranger alice nobody)]);
	is_shape $r, {type => 'string', ref => 'string', users => [{user_id => 'string', online => 'bool', last_seen => 'time?'}]}, 'watch answers the present state';
	is_deeply {map { $_->{user_id} => $_->{online} ? 1 : 0 } @{$r->{users}}}, {bob => 1, carol => 0}, 'of friends, others are left out';

	my $carol = $t->ws('carol');
	my $e = $alice->expect('presence');
	is_shape $e, {type => 'string', user_id => 'string', online => 'bool', last_seen => 'time?'}, 'one comes';
	is_deeply [$e->{user_id}, $e->{online} ? 1 : 0], ['carol', 1], 'carol is online';
	ok online($t, 'alice', 'carol'), 'the list says so';

	$carol->close->close_code;
	wait_for('the list to see it', sub { !online($t, 'alice', 'carol') });
	$alice->settle;
	is_deeply [$alice->queued('presence')], [], 'gone, but that is not told yet';
	my $again = $t->ws('carol');
	wait_for('the list to see her again', sub { online($t, 'alice', 'carol') });
	$t->node->clock(7);
	fence($t, $alice, $bob);
	is_deeply [$alice->queued('presence')], [], 'back within 5 s: nothing is told at all';

	$again->close->close_code;
	wait_for('the list to see it', sub { !online($t, 'alice', 'carol') });
	$t->node->clock(6);
	$e = $alice->expect('presence');
	is_deeply [$e->{user_id}, $e->{online} ? 1 : 0], ['carol', 0], 'away for 5 s: told';
	like $e->{last_seen}, qr/^\d{4}-.*Z$/, 'with the time';

	is_deeply $alice->request(type => 'watch', user_ids => ['bob'])->{users}[0]{user_id}, 'bob', 'another set replaces the first';
	$carol = $t->ws('carol');
	wait_for('the list to see her', sub { online($t, 'alice', 'carol') });
	fence($t, $alice, $bob);
	is_deeply [$alice->queued('presence')], [], 'carol is not watched any more';
	is_deeply $alice->request(type => 'watch', user_ids => [])->{users}, [], 'an empty set';

	# Two sessions: the last one's end counts.
	my $bob2 = $t->ws('bob', query => 'device=ios');
	$alice->request(type => 'watch', user_ids => ['bob']);
	$bob->close->close_code;
	$t->node->clock(7);
	fence($t, $alice, $carol);
	is_deeply [$alice->queued('presence')], [], 'one of two sessions ends: nothing';
	$bob2->abort;
	wait_for('the list to see it', sub { !online($t, 'alice', 'bob') });
	$t->node->clock(7);
	is_deeply [map { $_->{user_id}, $_->{online} ? 1 : 0 } $alice->expect('presence')], ['bob', 0], 'the last one without a goodbye: told';

	$t->set_blocked('carol', 'alice', 1);
	is_deeply [map { $_->{online} ? 1 : 0 } @{$alice->request(type => 'watch', user_ids => ['carol'])->{users}}], [0], 'who has blocked me is offline';
	ok !online($t, 'alice', 'carol'), 'in the list too';
	$t->set_blocked('carol', 'alice', 0);
	return;
}

sub online {
	my ($t, $who, $peer) = @_;
	my $c = $t->api($who)->post('/messages/conversations/create', {user_id => $peer})->json;
	return $c->{peer}{online};
}

# What was under way between the two has come when a message has.
sub fence {
	my ($t, $to, $from) = @_;
	$from->request(type => 'send', %{text_to($to->{name}, 'fence')});
	$to->expect('message');
	return;
}

for_workers('presence', {conf => {session => {policy => 'device'}}}, \&presence);

subtest 'between nodes' => sub {
	my $t = Tidings->start(workers => 1, nodes => 2);
	$t->befriend(qw(alice bob));
	my $alice = $t->ws('alice', node => 0);
	$alice->request(type => 'watch', user_ids => ['bob']);
	my $bob = $t->ws('bob', node => 1);
	ok $alice->expect('presence')->{online}, 'a friend on another node';
	$bob->close->close_code;
	wait_for('the list to see it', sub { !online($t, 'alice', 'bob') });
	$_->clock(6) for $t->nodes;
	ok !$alice->expect('presence')->{online}, 'and gone';
	$bob = $t->ws('bob', node => 1);
	ok $alice->expect('presence')->{online}, 'back';
	$t->node(1)->stop(signal => 'KILL', status => 9);
	wait_for('the list to see it', sub { !online($t, 'alice', 'bob') });
	$t->node(0)->clock(60);
	ok !$alice->expect('presence')->{online}, 'a node that is killed leaves no ghost';
	$t->stop;
};

subtest 'session.presence = false' => sub {
	my $t = Tidings->start(workers => 1, conf => {session => {presence => 'false'}});
	$t->befriend(qw(alice bob));
	my $alice = $t->ws('alice');
	my $r = $alice->request(type => 'watch', user_ids => ['bob']);
	note(explain($r));
	my $bob = $t->ws('bob');
	$bob->request(type => 'send', %{text_to('alice', 'fence')});
	$alice->expect('message');
	is_deeply [$alice->queued('presence')], [], 'nothing is told';
	$t->stop;
};

done_testing;
