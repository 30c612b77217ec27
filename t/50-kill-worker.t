# SPDX-License-Identifier: BSD-2-Clause
# Proves that a worker's death costs its own connections and nothing else: while many send, workers are killed without
# warning; every acknowledged message stands exactly once, others were served all the time, and no ghost stays online.
use Tidings;
use Tidings::Crowd;

sub kill_while_sending {
	my ($t, $workers) = @_;
	my $kills = 4;
	$t->node->allow_deaths($kills);
	my $crowd = Tidings::Crowd->new($t, 12);
	my ($killed, $next) = (0, 200);
	$crowd->run(sub { $killed >= $kills && $_[0]->acked_count >= $next }, sub {
		my ($c) = @_;
		return if $killed >= $kills || $c->acked_count < $next;
		my @pids = $t->node->worker_pids;
		return if @pids < $workers;
		kill 'KILL', $pids[rand @pids];
		$killed++;
		$next = $c->acked_count + 200;
	});
	note($crowd->acked_count . " acknowledged, $crowd->{retries} repeated, refused: " . join ' ', %{$crowd->{refused}});
	cmp_ok $crowd->{retries}, '>', 0, 'some had to be repeated';
	is_deeply [grep { !/^(503|unavailable|overloaded)$/ } keys %{$crowd->{refused}}], [], 'and nothing was refused but for a while';
	$crowd->check('after the deaths');
	wait_for('all workers again', sub { (my @p = $t->node->worker_pids) == $workers });
	$crowd->close;
	return;
}

sub no_ghosts {
	my ($t, $workers) = @_;
	$t->befriend(qw(alice bob));
	$t->node->allow_deaths($workers);
	my $alice = $t->ws('alice');
	$alice->close->close_code;
	my @ws = map { $t->ws('bob', query => "device=d$_", name => "bob/d$_") } 1 .. 2 * $workers;
	kill 'KILL', $t->node->worker_pids;
	is_deeply [map { $_->close_code } @ws], [(1006) x @ws], 'their connections are gone';
	wait_for('workers again', sub { eval { $t->http('alice')->get('/messages/unread-count', timeout => 5)->status == 200 } });
	wait_for('bob to be seen offline', sub {
		!$t->http('alice')->post('/messages/conversations/create', {user_id => 'bob'})->json->{peer}{online};
	});
	pass 'nobody is online who is not';
	wait_for('the hub to be empty', sub { $t->node->ctl_ok('--json', 'status')->{sessions} == 0 });
	pass 'nor in the hub';
	$alice = $t->ws('alice');
	my $bob = $t->ws('bob');
	$bob->request(type => 'send', %{text_to('alice', 'all is well')});
	is $alice->expect('message')->{message}{content}, 'all is well', 'and all works again';
	return;
}

sub others_go_on {
	my ($t, $workers) = @_;
	return if $workers == 1;
	$t->befriend(qw(carol dave));
	my @ws = map { $t->ws('carol', query => "device=d$_", name => "carol/d$_") } 1 .. 2 * $workers;
	$t->node->allow_deaths(1);
	kill 'KILL', pid_by_session($t, 'carol')->{$ws[0]->session_id};
	wait_for('its connections to end', sub { grep { !$_->fill(0) } @ws });
	my @left = grep { eval { $_->settle; 1 } } @ws;
	cmp_ok scalar(@left), '>', 0, 'the other workers keep theirs';
	my $m = wait_for('a send', sub { eval { $t->http('dave')->post('/messages/send', text_to('carol', 'still there?', client_msg_id => 'still'))->json } });
	is $_->expect('message')->{message}{id}, $m->{id}, "$_->{name} hears" for @left;
	# What the dead one had stored, it may not have told.
	is $_->expect('resync')->{type}, 'resync', "$_->{name} is told to catch up" for @left;
	return;
}

# Workers that came a moment ago know who was there before them.
sub newcomers {
	my ($t, $workers) = @_;
	return if $workers == 1;
	my ($elder, @others) = $t->node->worker_pids;
	$t->node->allow_deaths(scalar(@others) + 1);
	kill 'KILL', @others;
	wait_for('new workers', sub { my %ready = map { $_ => 1 } ready_pids($t); keys %ready == $workers && !grep { $ready{$_} } @others });
	my @ws;
	wait_for('sessions of the elder and of others', sub {
		push @ws, $t->ws('erin', query => 'device=d' . @ws, name => 'erin/d' . @ws);
		my %at = %{pid_by_session($t, 'erin')};
		return (grep { $_ == $elder } values %at) && (grep { $_ != $elder } values %at);
	});
	kill 'KILL', $elder;
	wait_for('its connections to end', sub { grep { !$_->fill(0) } @ws });
	my @left = grep { eval { $_->settle; 1 } } @ws;
	cmp_ok scalar(@left), '>', 0, 'sessions of the new workers';
	is $_->expect('resync')->{type}, 'resync', "$_->{name} is told that the old one is missing" for @left;
	return;
}

sub pid_by_session {
	my ($t, $user) = @_;
	my %pid = map { $_->{slot} => $_->{pid} } @{$t->node->ctl_ok('--json', 'workers')->{workers}};
	return {map { $_->{session_id} => $pid{$_->{worker}} } @{$t->node->ctl_ok('--json', 'sessions', $user)->{sessions}}};
}

sub ready_pids {
	my ($t) = @_;
	return map { $_->{pid} } grep { $_->{state} eq 'ready' } @{$t->node->ctl_ok('--json', 'workers')->{workers}};
}

for_workers('worker killed', {conf => {session => {policy => 'device'}}}, sub {
	my ($t, $workers) = @_;
	subtest 'no ghosts' => sub { no_ghosts($t, $workers) };
	subtest 'others go on' => sub { others_go_on($t, $workers); pass };
	subtest 'newcomers' => sub { newcomers($t, $workers); pass };
	subtest 'while sending' => sub { kill_while_sending($t, $workers) };
});

done_testing;
