# SPDX-License-Identifier: BSD-2-Clause
# Proves that groups survive what dies: while members talk, and come and go, through two nodes, workers are killed, Redis
# forgets all and is killed, and the database is killed. What was acknowledged is there once, everybody who is a member
# has heard it after catching up, and the state is one; also where a worker dies that has committed and told nobody.
use Tidings;
use Tidings::Crowd;
use Tidings::GroupWatch;
use Tidings::Recount;
use Tidings::Util qw(now patience);
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();

my $seed = $ENV{TIDINGS_SEED} // (time ^ $$);
diag("TIDINGS_SEED=$seed");

sub sound { my ($t, $name) = @_; is_deeply [$t->recount_faults], [], "$name: the rows agree"; return }
sub watch {
	my ($t, $user, $id, $node, %o) = @_;
	return Tidings::GroupWatch->new(user => $user, name => "$user on $node", id => $id, open => sub { $t->ws($user, node => $node) },
		http => sub { $t->http($user, node => $node) }, %o);
}
# When all who are members have heard that message, each session heard what it had to.
sub all_heard {
	my ($t, $name, $id, $last, @watches) = @_;
	my %in = map { $_ => 1 } @{$t->dbh->selectcol_arrayref('SELECT user_id FROM members WHERE conversation_id = ?', undef, $id)};
	my @those = grep { $in{$_->user} } @watches;
	my $all = eval { wait_for('the last message everywhere', sub { !grep { !$_->hears($last) } @those }) };
	ok $all, "$name: everybody has heard the last message" or diag(join "\n", map { "$_->{name}: " . substr $_->trace, -200 } grep { !$_->heard->{$last} } @those);
	my ($spans, undef, @faults) = Tidings::Recount::replay_members($t->dbh, $id);
	is_deeply \@faults, [], 'what is told of members makes sense';
	# Who is told to catch up is told slowly: a session that misses something may be told only after it has heard the last.
	my $missed = sub { $_->look for @those; return map { $_->check($spans->{$_->user}, $last) } @watches };
	my @missed;
	eval { wait_for('all to be told', sub { !(@missed = $missed->()) }) };
	is scalar(@missed), 0, 'each session heard what it had to, once and in order' or diag(join "\n", @missed);
	return;
}

# ---- a worker that has committed, and told nobody ----

# Carries what goes between a node and Redis; after USR1 nothing more of what the node sends. A process of its own.
my @relays;
END { local $?; for (@relays) { kill 'KILL', $_; waitpid $_, 0 } }
sub relay {
	my ($path, $to) = @_;
	my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 16) or die "$path: $!\n";
	my $pid = fork // die "fork: $!\n";
	if ($pid) {
		push @relays, $pid;
		return $pid;
	}
	@relays = ();
	$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
	$SIG{PIPE} = 'IGNORE';
	my $held = 0;
	$SIG{USR1} = sub { $held = 1 };
	my $select = IO::Select->new($listener);
	my (%other, %is_node);
	while (1) {
		for my $from ($select->can_read) {
			if ($from == $listener) {
				my ($near, $far) = (scalar $listener->accept, scalar IO::Socket::UNIX->new(Peer => $to));
				next if !$near || !$far;
				@other{$near, $far} = ($far, $near);
				$is_node{$near} = 1;
				$select->add($near, $far);
				next;
			}
			my $peer = $other{$from} // next;
			my $n = sysread $from, my $bytes, 65536;
			next if $n && $held && $is_node{$from};
			next if $n && syswrite $peer, $bytes;
			for ($from, $peer) {
				$select->remove($_);
				delete $other{$_};
				close $_;
			}
		}
	}
}

subtest 'committed, and nobody told' => sub {
	my $path = Tidings::dir() . '/relay.sock';
	my $relay = relay($path, Tidings::stack()->redis_socket);
	my $t = Tidings->start(workers => 1, nodes => 2, start => 0, conf => {redis => {}});
	$t->node(0)->configure({%{$t->node(0)->{conf}}, redis => {%{$t->node(0)->{conf}{redis}}, socket => $path}});
	$_->start for $t->nodes;
	$t->befriend(qw(alice bob carol dave));
	my $id = $t->group('alice', [qw(bob carol)], settings => {history => 'joined'});
	my @watches = map { watch($t, $_, $id, 1) } qw(bob carol dave);
	wait_for('the sessions', sub { !grep { !$_->look } @watches });
	my $m = $t->say('alice', $id, 'all is well');
	wait_for('the message', sub { !grep { !$_->hears($m->{seq}) } @watches[0, 1] });
	my ($pid) = $t->node(0)->worker_pids;
	my $alice = $t->http('alice');
	is $alice->get("/groups/$id")->status, 200, 'a connection';
	kill 'USR1', $relay;
	is_deeply $alice->post("/groups/$id/members", {user_ids => ['dave']})->json->{added}, ['dave'], 'one is added,';
	is $alice->delete("/groups/$id/members/carol")->status, 204, 'one is removed,';
	my $lost = $alice->post('/messages/send', text_in($id, 'who hears this?', client_msg_id => 'lost'))->json;
	is $lost->{seq}, $m->{seq} + 3, 'and something is said';
	$_->ws->settle, $_->look for @watches;
	is_deeply [grep { $_->heard->{$lost->{seq}} } @watches], [], 'of which the other node knows nothing';
	$t->node(0)->allow_deaths(1);
	kill 'KILL', $pid;
	wait_for('them to catch up', sub { !grep { !$_->hears($lost->{seq}) } @watches[0, 2] });
	pass 'the worker dies, and the members on the other node catch up';
	# The node stays cut off, so what is said now comes through the other one.
	my $bob = $t->http('bob', node => 1);
	my $next = wait_for('a send', sub { my $r = $bob->post('/messages/send', text_in($id, 'and this?', client_msg_id => 'next')); $r->status < 300 && $r->json });
	wait_for('the next message', sub { !grep { !$_->hears($next->{seq}) } @watches[0, 2] });
	# Behind the gap it was told to catch up, until it was read who is in the group.
	my $pushed = sub { my $seq = shift; scalar grep { $_ == $seq } map { @{$_->{pushed}} } @{$watches[2]{parts}} };
	wait_for('a push to who was added', sub {
		my $r = $bob->post('/messages/send', text_in($id, 'and this?'))->json;
		wait_for('it', sub { $watches[2]->hears($r->{seq}) });
		$next = $r;
		return $pushed->($r->{seq});
	});
	pass 'who was added is pushed what comes then';
	wait_for('the last message', sub { !grep { !$_->hears($next->{seq}) } @watches[0, 2] });
	$_->ws->settle, $_->look for @watches;
	is scalar(grep { $_ > $m->{seq} + 2 } keys %{$watches[1]->heard}), 0, 'and who was removed is not';
	all_heard($t, 'then', $id, $next->{seq}, @watches);
	is $bob->post("/groups/$id/members", {user_ids => ['dave']})->json->{left_out}[0]{code}, 'already_member', 'asked again, it is not done twice';
	sound($t, 'then');
	$_->drop for @watches;
	$t->stop;
};

# ---- a crowd ----

my $stack = Tidings::stack();
my $t = Tidings->start(workers => 2, nodes => 2, conf => {groups => {max_members => 40}});
my @extras = map { "extra$_" } 1 .. 6;
my $id;
my $crowd = Tidings::Crowd->new($t, 4, nodes => 2, group => sub {
	my @people = @_;
	$t->befriend('owner', $_) for @people, @extras;
	$id = $t->group('owner', [@people, @extras[0 .. 2]], settings => {history => 'joined', join => 'open'});
	return $id;
});
my @watches = map { my $user = $_; map { watch($t, $user, $id, $_) } 0, 1 } 'owner', $crowd->people, @extras;
wait_for('the sessions', sub { !grep { !$_->look } @watches });

# One change at a time, through any node, asked for until it is answered for good: (what the group has to be then).
my (%is_in, $change, %answers);
$is_in{$_} = 1 for @extras[0 .. 2];
sub change_on {
	if ($change && $change->{in_air}) {
		my $http = $change->{http};
		my $status = eval {
			Tidings::HTTP::can_read($http->socket, 0) or die "nothing yet\n";
			my $r = $http->response(timeout => 10) or die "closed\n";
			$r->status;
		};
		return if !defined $status && $@ eq "nothing yet\n" && now() < $change->{in_air} + patience();
		$answers{$status // 'lost'}++;
		if (defined $status && $status != 503 && $status != 429) {
			$is_in{$change->{who}} = $change->{comes};
			undef $change;
			return;
		}
		$http->close;
		delete @$change{qw(http in_air)};
		$change->{not_before} = now() + 0.05;
	}
	if (!$change) {
		my $who = $extras[rand @extras];
		my $comes = $is_in{$who} ? 0 : 1;
		my $by = rand() < 0.5 ? 'owner' : $who;
		my @ask = $comes ? ($by eq 'owner' ? ('POST', "/groups/$id/members", {user_ids => [$who]}) : ('POST', "/groups/$id/join", {})) : ('DELETE', "/groups/$id/members/$who");
		$change = {who => $who, by => $by, comes => $comes, ask => \@ask};
	}
	return if now() < ($change->{not_before} // 0);
	my ($method, $path, $body) = @{$change->{ask}};
	my $sent = eval {
		$change->{http} = $t->http($change->{by}, node => int rand 2);
		$change->{http}->send_request($method, $path, defined $body ? (json => $body) : ());
	};
	$sent ? ($change->{in_air} = now()) : ($change->{not_before} = now() + 0.05);
	return;
}

sub trouble {
	my ($name, $times, $do) = @_;
	subtest $name => sub {
		srand $seed;
		my $next = $crowd->acked_count + 60;
		my $done = 0;
		my %before = %answers;
		$crowd->run(sub { $done >= $times && $_[0]->acked_count >= $next && !$change }, sub {
			$_->look for @watches;
			change_on() if $change || $done < $times || $crowd->acked_count < $next;
			return if $done >= $times || $crowd->acked_count < $next;
			$do->() or return;
			$done++;
			$next = $crowd->acked_count + 60;
		});
		note('changes: ' . join ', ', map { "$answers{$_} of $_" } sort keys %answers);
		my $last = wait_for('a last message', sub { my $r = eval { $t->http('owner')->post('/messages/send', text_in($id, 'the end', client_msg_id => "end-of-" . $name =~ tr{ }{-}r)) }; $r && $r->status < 300 && $r->json });
		all_heard($t, $name, $id, $last->{seq}, @watches);
		$crowd->check($name);
		my %in = map { $_ => 1 } @{$t->dbh->selectcol_arrayref('SELECT user_id FROM members WHERE conversation_id = ?', undef, $id)};
		is_deeply [sort grep { $in{$_} } @extras], [sort grep { $is_in{$_} } @extras], 'and those are members who were told so';
	};
	return;
}

trouble('workers killed', 4, sub {
	my $node = $t->node(int rand 2);
	my @pids = $node->worker_pids;
	return 0 if @pids < 2;
	$node->allow_deaths(1);
	kill 'KILL', $pids[rand @pids];
	return 1;
});
trouble('Redis forgets all', 2, sub { return ($stack->redis_do('FLUSHALL') // '') eq 'OK' });
$_->{redis_was_away} = 1 for @watches;
trouble('Redis killed', 2, sub { $stack->redis_stop('KILL'); $stack->redis_start; return 1 });
trouble('the database killed', 2, sub { $stack->mariadb_stop('KILL'); $stack->mariadb_start; delete $t->{dbh}; return 1 });

$crowd->close;
$_->drop for @watches;
$t->stop;
done_testing;
