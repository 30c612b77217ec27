# SPDX-License-Identifier: BSD-2-Clause
# Proves who is seen online: watched friends come and go, an absence is told after 5 s and a short one not at all,
# lists say the same, nobody learns of those who are no friends or have blocked them. Old news and news that got lost do
# no harm, watches are carried out in their order, and a session's end does not wait for the peer's TCP.
use Tidings;
use Tidings::Shape;
use IO::Socket::UNIX;
use Socket qw(SOL_SOCKET SO_ERROR);

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
	my $t = Tidings->start(workers => 1, nodes => 2, conf => {session => {policy => 'single'}});
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
	my $moved = $t->ws('bob', node => 0);
	is $bob->close_code, 4001, 'the session here supersedes the one there';
	superseded($t, $alice);
	$bob = $t->ws('bob', node => 1);
	is $moved->close_code, 4001, 'and the other way round';
	superseded($t, $alice);
	$t->node(1)->stop(signal => 'KILL', status => 9);
	wait_for('the list to see it', sub { !online($t, 'alice', 'bob') });
	$t->node(0)->clock(60);
	ok !$alice->expect('presence')->{online}, 'a node that is killed leaves no ghost';
	$t->stop;
};

# The node that bob left says that he went; it comes behind the news that he is elsewhere.
sub superseded {
	my ($t, $alice) = @_;
	$t->befriend(qw(alice dave));
	$alice->request(type => 'watch', user_ids => [qw(bob dave)]);
	my $dave = $t->ws('dave', node => 1);
	is $alice->expect('presence')->{user_id}, 'dave', 'what was said of bob before has been heard';
	$_->clock(6) for $t->nodes;
	$dave->close->close_code;
	wait_for('the list to see it', sub { !online($t, 'alice', 'dave') });
	$_->clock(6) for $t->nodes;
	is_deeply [map { $_->{user_id}, $_->{online} ? 1 : 0 } $alice->expect('presence')], ['dave', 0], 'and looked into';
	is_deeply [$alice->queued('presence')], [], 'nobody takes bob for gone';
	$alice->request(type => 'watch', user_ids => ['bob']);
	return;
}

# A hint as another worker would send it, on behalf of nobody who is there.
sub hint {
	my ($t, $user, $came) = @_;
	return $t->{stack}->redis_do('PUBLISH', "$t->{database}:p:$user", ($came ? 1 : 0) . 'elsewher');
}

subtest 'old news, and lost ones' => sub {
	my $t = Tidings->start(workers => 1, conf => {session => {policy => 'multi'}});
	$t->befriend('alice', $_) for qw(bob carol dave erin);
	my ($alice, $alice2) = ($t->ws('alice'), $t->ws('alice', name => 'alice 2'));
	$alice->request(type => 'watch', user_ids => [qw(bob carol dave erin)]);
	my $bob = $t->ws('bob');
	is $alice->expect('presence')->{user_id}, 'bob', 'bob is there';

	is hint($t, 'carol', 1), 1, 'heard that carol came, who has left by now';
	is hint($t, 'bob', 0), 1, 'and that bob went, who is there';
	my $dave = $t->ws('dave');
	is $alice->expect('presence')->{user_id}, 'dave', 'only what is true is told';
	$t->node->clock(6);
	my $erin = $t->ws('erin');
	is $alice->expect('presence')->{user_id}, 'erin', 'also when the absence has lasted';
	is_deeply [$alice->queued('presence')], [], 'and nothing besides';

	# Someone of whom no hint tells: a subscriber of the user's topic.
	my $silent = IO::Socket::UNIX->new(Peer => $t->{stack}->redis_socket) or die "redis: $!\n";
	my $topic = "$t->{database}:u:carol";
	print {$silent} "*2\r\n\$9\r\nSUBSCRIBE\r\n\$" . length($topic) . "\r\n$topic\r\n";
	like scalar <$silent>, qr/^\*3/, 'carol is somewhere, and the news of it was lost';
	my $r = $alice2->request(type => 'watch', user_ids => ['carol']);
	ok $r->{users}[0]{online}, 'whoever looks sees her';
	is_deeply [map { $_->{user_id}, $_->{online} ? 1 : 0 } $alice->expect('presence')], ['carol', 1], 'and those who had the old state hear of it';
	is_deeply [$alice2->queued('presence')], [], 'but not the one who has just been told';
	close $silent;
	hint($t, 'carol', 0);
	$dave->close->close_code;
	wait_for('the list to see it', sub { !online($t, 'alice', 'dave') });
	$t->node->clock(6);
	is_deeply [map { $_->{user_id}, $_->{online} ? 1 : 0 } $_->expect('presence', user_id => 'carol')], ['carol', 0], "$_->{name}: gone again" for $alice, $alice2;
	$t->stop;
};

subtest 'watches in their order' => sub {
	my $t = Tidings->start(workers => 1);
	my @crowd = map { "friend$_" } 1 .. 400;
	$t->befriend(qw(alice bob));
	$t->befriend('alice', $_) for @crowd;
	my $alice = $t->ws('alice');
	my $wrong = 0;
	for my $round (1 .. 30) {
		# The first takes the database longer than the second, and they are on connections of their own.
		my @refs = map { $alice->start(type => 'watch', user_ids => $_) } \@crowd, ['bob'], [], ['bob'];
		my @came = map { $alice->next_event->{ref} } @refs;
		$wrong++ if "@came" ne "@refs";
	}
	is $wrong, 0, 'parallel watches are answered in the order they came';
	my ($one, $bob) = ($t->ws('friend1'), $t->ws('bob'));
	is $alice->expect('presence')->{user_id}, 'bob', 'the last one counts';
	is_deeply [$alice->queued('presence')], [], 'alone';
	$alice->start(type => 'watch', user_ids => $_) for \@crowd, ['bob'], \@crowd;
	$alice->abort;
	$bob->request(type => 'watch', user_ids => ['alice']);
	wait_for('her end', sub { !online($t, 'bob', 'alice') });
	is $bob->request(type => 'ping')->{type}, 'pong', 'leaving in the middle of them does no harm';
	$t->stop;
};

# The end of a connection takes two seconds where the peer leaves its side open. Whether the server still holds it is
# seen by its taking bytes; a busy machine may be too slow to catch that, but hardly five times.
subtest 'a session ends with the closing handshake' => sub {
	my $t = Tidings->start(workers => 1);
	$t->befriend(qw(alice bob));
	my $held = 0;
	for my $try (1 .. 5) {
		my $bob = $t->ws('bob');
		$bob->close->until('the close frame', sub { $_[0]{close} });
		wait_for('the end of the session', sub { !@{$t->node->ctl_ok('--json', 'sessions', 'bob')->{sessions}} });
		wait_for('the list to see it', sub { !online($t, 'alice', 'bob') });
		$held = takes_bytes($bob->{socket}) and last;
	}
	ok $held, 'offline while the connection is still there';
	$t->stop;
};

# A closed connection answers the first byte with a reset, on which the second one fails.
sub takes_bytes {
	my ($socket) = @_;
	local $SIG{PIPE} = 'IGNORE';
	return 2 == grep { syswrite($socket, 'x') && !unpack 'i', getsockopt $socket, SOL_SOCKET, SO_ERROR } 1 .. 2;
}

subtest 'session.presence = false' => sub {
	my $t = Tidings->start(workers => 1, conf => {session => {presence => 'false'}});
	$t->befriend(qw(alice bob));
	my $alice = $t->ws('alice');
	my $r = $alice->request(type => 'watch', user_ids => ['bob']);
	is_deeply [map { [$_->{user_id}, $_->{online} ? 1 : 0, $_->{last_seen}] } @{$r->{users}}], [['bob', 0, undef]], 'a friend is shown offline';
	my $bob = $t->ws('bob');
	fence($t, $alice, $bob);
	is_deeply [map { $_->{online} ? 1 : 0 } @{$alice->request(type => 'watch', user_ids => ['bob'])->{users}}], [0], 'also when he is there';
	ok !online($t, 'alice', 'bob'), 'in the list too';
	$bob->close->close_code;
	$t->node->clock(7);
	$bob = $t->ws('bob');
	fence($t, $alice, $bob);
	is_deeply [$alice->queued('presence')], [], 'and nothing is told';
	$t->stop;
};

done_testing;
