# SPDX-License-Identifier: BSD-2-Clause
# Proves that a writer's death costs nothing but a moment: while many send, writers are killed without warning; every
# acknowledged message exists exactly once, with and without a client_msg_id, every request is answered, who listens is
# given each message once and in order, and what the dead one had under way is found out before it is done again. So for
# a writer that hangs, and while it is missing reads go on.
use Tidings;
use Tidings::Crowd;
use POSIX ();
use Socket qw(:DEFAULT sockaddr_family);

# The master replaces one that was ready at once. One that dies before counts as a failed start and may be put off for
# longer than clients are kept waiting.
sub ready_writers {
	my ($t) = @_;
	return map { $_->{pid} } grep { $_->{state} eq 'ready' } @{$t->node->ctl_ok('workers', '--json')->{writers}};
}

sub kill_one {
	my ($t, @pids) = @_;
	$t->node->allow_deaths(1);
	my $pid = $pids[rand @pids];
	kill 'KILL', $pid;
	return $pid;
}

sub kill_while_sending {
	my ($t, $writers) = @_;
	my ($kills, $killed, $next, $last) = (10, 0, 50, 0);
	my $crowd = Tidings::Crowd->new($t, 12);
	$crowd->run(sub { $killed >= $kills && $_[0]->acked_count >= $next }, sub {
		my ($c) = @_;
		return if $killed >= $kills || $c->acked_count < $next;
		my @pids = ready_writers($t);
		return if @pids < $writers || grep { $_ == $last } @pids;
		$last = kill_one($t, @pids);
		$killed++;
		$next = $c->acked_count + 30 + int rand 100;
	});
	note($crowd->acked_count . " acknowledged, $crowd->{retries} repeated, refused: " . join ' ', %{$crowd->{refused}});
	is_deeply [grep { !/^(503|unavailable|overloaded)$/ } keys %{$crowd->{refused}}], [], 'nothing was refused but for a while';
	$crowd->check('after the deaths');
	$crowd->close;
	wait_for('all writers again', sub { (my @p = $t->node->writer_pids) == $writers });
	is $t->node->ctl_ok('--json', 'status')->{writer_restarts}, $kills, 'each was replaced';
	return;
}

# The messages of alice in the order of seq, as bob's WebSocket was given them: all, once, unless told to catch up.
sub check_heard {
	my ($ws, $sent) = @_;
	my %times;
	my @heard = map { $_->{message} } grep { $_->{type} eq 'message' } @{$ws->{events}};
	my $resync = grep { $_->{type} eq 'resync' } @{$ws->{events}};
	$times{$_->{id}}++ for @heard;
	is_deeply [grep { $times{$_} > 1 } keys %times], [], "$ws->{name} is given none twice";
	is_deeply [map { $_->{seq} } @heard], [sort { $a <=> $b } map { $_->{seq} } @heard], 'in the order of seq';
	my @missed = grep { !$times{$_} } @$sent;
	ok !@missed || $resync, 'and each, or is told to catch up';
	return;
}

# Without a client_msg_id nobody can repeat a message: the workers must answer even if the writer dies.
sub nameless {
	my ($t, $writers) = @_;
	$t->befriend(map { ("from$_", "to$_") } 1 .. 6);
	my @from = map { $t->ws("from$_") } 1 .. 6;
	my @to = map { $t->ws("to$_") } 1 .. 6;
	my ($n, %acked, %refused) = (0);
	for my $round (1 .. 15) {
		my @asked;
		for my $i (0 .. $#from) {
			push @asked, [$i, "nameless " . ++$n] for 1 .. 8;
			$_->[2] //= $from[$i]->start(type => 'send', %{text_to('to' . ($i + 1), $_->[1])}) for grep { $_->[0] == $i } @asked;
		}
		my @pids = ready_writers($t);
		kill_one($t, @pids) if $round % 2 && @pids == $writers;
		for (@asked) {
			my ($i, $content, $ref) = @$_;
			my $e = $from[$i]->answer($ref);
			$e->{type} eq 'ack' ? $acked{$content} = $e->{message}{id} : $refused{$e->{code}}++;
		}
	}
	wait_for('all writers again', sub { ready_writers($t) == $writers });
	note(keys(%acked) . " of $n acknowledged, refused: " . join ' ', %refused);
	is_deeply [grep { $_ ne 'unavailable' } keys %refused], [], 'all are answered, none with a fault';
	my %stored;
	push @{$stored{$_->[1]}}, $_->[0] for @{$t->dbh->selectall_arrayref("SELECT id, content FROM messages WHERE content LIKE 'nameless %'")};
	is_deeply [grep { @{$stored{$_}} > 1 } keys %stored], [], 'none is stored twice';
	is_deeply [grep { !$stored{$_} || $stored{$_}[0] ne $acked{$_} } keys %acked], [], 'those acknowledged are stored';
	is_deeply [$t->recount_faults], [], 'seq is dense and the counters are right';
	for my $i (0 .. $#from) {
		# What is on its way comes before it.
		$t->send_text("from" . ($i + 1), "to" . ($i + 1), 'the end');
		wait_for('the end', sub { $to[$i]->fill(0); grep { ($_->{message}{content} // '') eq 'the end' } @{$to[$i]{events}} });
		my $ids = $t->dbh->selectcol_arrayref('SELECT id FROM messages WHERE from_user_id = ?', undef, "from" . ($i + 1));
		check_heard($to[$i], $ids);
	}
	return;
}

# What is asked is under way in the server when the writers die: its COMMIT waits, and is carried out after their death.
sub under_way_while {
	my ($t, $writers, $ask) = @_;
	my $dbh = $t->{stack}->dbh($t->{database});
	$dbh->do("BACKUP STAGE $_") for qw(START FLUSH BLOCK_DDL BLOCK_COMMIT);
	my $ref = $ask->();
	wait_for('the transaction to wait', sub {
		select undef, undef, undef, 0.2; # asked more often, MariaDB answers the same for ever
		@{$dbh->selectcol_arrayref("SELECT 1 FROM information_schema.processlist p JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = p.id WHERE p.db = ? AND p.state = 'Waiting for backup lock' AND p.info LIKE '%COMMIT%' AND x.trx_rows_modified > 2", undef, $t->{database})};
	});
	my %old = map { $_ => 1 } $t->node->writer_pids;
	$t->node->allow_deaths(scalar keys %old);
	kill 'KILL', keys %old;
	wait_for('others', sub { my @now = $t->node->writer_pids; @now == $writers && !grep { $old{$_} } @now });
	$dbh->do('BACKUP STAGE END');
	return $ref;
}

sub under_way {
	my ($t, $writers) = @_;
	$t->befriend(qw(alice bob carol));
	my ($alice, $bob, $carol) = map { $t->ws($_) } qw(alice bob carol);
	$alice->request(type => 'send', %{text_to('bob', 'before')});
	is $bob->expect('message')->{message}{seq}, 1, 'they have talked';
	for (['a conversation that is there', $bob, 2], ['one that this message makes', $carol, 1]) {
		my ($what, $to, $seq) = @$_;
		my $ref = under_way_while($t, $writers, sub { $alice->start(type => 'send', %{text_to($to->{name}, 'under way')}) });
		my $e = $alice->answer($ref);
		note("$what: $e->{type} " . ($e->{code} // ''));
		is $to->expect('message')->{message}{content}, 'under way', "$what: who it is for is given it";
		is_deeply $t->dbh->selectcol_arrayref("SELECT id & 268435455 FROM messages WHERE from_user_id = 'alice' AND to_user_id = ? AND content = 'under way'", undef, $to->{name}),
			[$seq], 'and it is stored once';
		if ($e->{type} eq 'ack') {
			is $e->{message}{seq}, $seq, 'its sender is told';
			ok !$e->{replayed}, 'not as of a repeat';
		} else {
			is $e->{code}, 'unavailable', 'it took too long for its sender';
			is $alice->expect('message')->{message}{seq}, $seq, 'who hears of it all the same';
		}
	}
	is_deeply [$t->recount_faults], [], 'seq is dense and the counters are right';
	# The fence: nothing more has come for bob but this.
	$alice->request(type => 'send', %{text_to('bob', 'after')});
	is $bob->expect('message')->{message}{content}, 'after', 'given once';
	return;
}

# Whether the others were told of it, nobody knows then: all who are concerned hear of it, or catch up.
sub under_way_in_a_group {
	my ($t, $writers) = @_;
	$t->befriend(qw(ida jim kay));
	my $group = $t->group('ida', [qw(jim kay)]);
	my ($ida, $jim) = map { $t->ws($_) } qw(ida jim);
	my $message = wait_for('a message', sub { my $e = $ida->request(type => 'send', conversation_id => $group, message_type => 'text', content => 'x'); $e->{message} });
	$jim->expect('message');
	for ([$ida, 'recall', 'recalled', message_id => $message->{id}], [$jim, 'read', 'read', conversation_id => $group]) {
		my ($who, $what, $event, @body) = @$_;
		my $other = $who == $ida ? $jim : $ida;
		my $ref = under_way_while($t, $writers, sub { $who->start(type => $what, @body) });
		ok $other->wait_event("a $what", sub { $_[0]{type} =~ /\A(?:$event|resync)\z/ }), "all hear of a $what, or catch up";
		note("$what: " . $who->answer($ref)->{type});
	}
	is_deeply [$t->recount_faults], [], 'the counters are right';
	return;
}

# Carried out once, although the writer that did it has told nobody: who repeats it is answered and changes nothing, and all
# who are concerned hear of it, or catch up.
sub under_way_after_sending {
	my ($t, $writers) = @_;
	$t->befriend(qw(nina otto pia));
	my $dbh = $t->dbh;
	my $count = sub { my ($rows) = @_; return scalar $dbh->selectrow_array("SELECT COUNT(*) FROM $rows") };
	my $group = $t->group('nina', [qw(otto pia)]);
	for my $to ({to_user_id => 'otto'}, {conversation_id => $group}) {
		my ($nina, $otto) = map { $t->http($_) } qw(nina otto);
		my $ws = $t->ws('otto', name => $to->{to_user_id} ? 'otto, of two' : 'otto, of a group');
		my $m = wait_for('a message', sub { my $r = $nina->post('/messages/send', {message_type => 'text', content => 'before', %$to}); $r->status == 201 && $r->json });
		my ($path, $reaction) = ("/messages/$m->{id}", "/messages/$m->{id}/reactions/%F0%9F%91%8D");
		my $change = sub { return "changes WHERE message_id = $m->{id} AND kind = $_[0]" };
		my $copy = "messages WHERE from_user_id = 'nina' AND forwarded_from IS NOT NULL AND id >> 28 = $m->{conversation_id}";
		for (
			['a reaction', 'reaction', "reactions WHERE message_id = $m->{id}", 1, PUT => $reaction],
			['a reaction taken back', 'reaction', "reactions WHERE message_id = $m->{id}", 0, DELETE => $reaction],
			['a pin', 'pinned', $change->(5), 1, PUT => "$path/pin"],
			['a pin taken away', 'pinned', $change->(6), 1, DELETE => "$path/pin"],
			['an edit', 'edited', $change->(3), 1, PUT => $path, {content => 'after'}],
			['a forward', 'message', $copy, 1, POST => '/messages/forward', {message_ids => [$m->{id}], to => [$to->{conversation_id} ? $to : {user_id => 'otto'}], client_msg_id => "forward $m->{conversation_id}" =~ tr/ /-/r}],
		) {
			my ($what, $event, $rows, $n, $method, $where, $json) = @$_;
			$ws->settle->{events} = [];
			my @request = ($method, $where, $json ? (json => $json) : ());
			under_way_while($t, $writers, sub { $nina->send_request(@request) });
			my $name = "$ws->{name}: $what";
			ok $ws->wait_event($what, sub { $_[0]{type} =~ /\A(?:$event|resync)\z/ }), "$name is heard of, or to be caught up with";
			note("$name: " . $nina->response->status);
			wait_for("an answer to $what", sub { $nina->request(@request)->status < 300 });
			is $count->($rows), $n, "$name is done once";
		}
		$ws->abort;
	}
	is_deeply [$t->recount_faults], [], 'seq is dense and the counters are right';
	return;
}

# The other session of who clears hears of it, or catches up.
sub under_way_clearing {
	my ($t, $writers) = @_;
	$t->befriend(qw(lea max));
	my $group = $t->group('lea', ['max']);
	my $direct = wait_for('a message', sub { my $r = $t->http('max')->post('/messages/send', text_to('lea', 'x')); $r->status == 201 && $r->json->{conversation_id} });
	for my $id ($direct, $group) {
		my $ws = $t->ws('lea');
		my $http = $t->http('lea');
		under_way_while($t, $writers, sub { $http->send_request('DELETE', "/messages/conversations/$id") });
		ok $ws->wait_event('the clearing', sub { $_[0]{type} =~ /\A(?:conversation|resync)\z/ }), 'another session hears of a clearing, or catches up';
		note('clearing: ' . $http->response->status);
		my $c = wait_for('the conversation', sub { my $r = $t->http('lea')->get("/messages/conversations/$id"); $r->status == 200 && $r->json });
		is_deeply [@$c{qw(unread_count last_message)}], [0, undef], 'it is cleared';
		$ws->abort;
	}
	is_deeply [$t->recount_faults], [], 'the counters are right';
	return;
}

sub hung {
	my ($t, $writers) = @_;
	$t->befriend(qw(erin frank));
	my $token = $t->token('erin', exp => time + 100_000);
	my ($erin, $frank) = ($t->ws('erin', token => $token), $t->ws('frank', token => $t->token('frank', exp => time + 100_000)));
	$erin->request(type => 'send', %{text_to('frank', 'first')});
	$frank->expect('message');
	my @pids = $t->node->writer_pids;
	$t->node->allow_deaths(scalar @pids);
	kill 'STOP', @pids;
	my @refs = map { $erin->start(type => 'send', %{text_to('frank', "hung $_")}) } 1 .. 3;
	is $t->http('erin', token => $token)->get('/messages/conversations')->json->{items}[0]{peer}{user_id}, 'frank', 'reads go on';
	is_deeply [map { my $e = $erin->answer($_); "$e->{type} $e->{code}" } @refs], [('error unavailable') x 3], 'what it does not answer is refused in time';
	$t->node->clock(20);
	wait_for('others', sub { my %old = map { $_ => 1 } @pids; my @now = $t->node->writer_pids; @now == $writers && !grep { $old{$_} } @now });
	# Whether they were stored nobody could tell; now they are found out not to be, or those who are concerned are told.
	my $m = wait_for('a send', sub { my $e = $erin->request(type => 'send', %{text_to('frank', 'again', client_msg_id => 'again')}); $e->{type} eq 'ack' && $e->{message} });
	is $m->{seq}, 2, 'none of them was stored';
	wait_for('the message', sub { $frank->fill(0); grep { $_->{type} eq 'message' && $_->{message}{content} eq 'again' } @{$frank->{events}} });
	is_deeply [$t->recount_faults], [], 'and the counters are right';
	wait_for('nothing to be open', sub { $t->node->ctl_ok('--json', 'status')->{store_pending} == 0 });
	return;
}

# The sockets of the process to others on this machine that were made as pairs: those between workers and writers.
sub pairs_of {
	my ($pid) = @_;
	my $pidfd = syscall(434, $pid, 0); # pidfd_open
	my @sockets;
	for my $n (map { m{(\d+)$} } grep { (readlink($_) // '') =~ /^socket:/ } glob "/proc/$pid/fd/*") {
		my $fd = syscall(438, $pidfd, $n + 0, 0); # pidfd_getfd
		die "pidfd_getfd: $!\n" if $fd < 0;
		open my $h, '+<&=', $fd or die "$fd: $!\n";
		my $peer = getpeername $h;
		push @sockets, $h if $peer && sockaddr_family($peer) == AF_UNIX && length $peer == 2
			&& unpack('i', getsockopt $h, SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
	}
	POSIX::close($pidfd);
	return @sockets;
}

# What one of the two does not understand ends their socket. Neither dies of it, and they get another.
sub nonsense {
	my ($t) = @_;
	my $node = $t->node;
	$t->befriend(map { ("f$_", "g$_") } 0 .. 3);
	my @ws = map { $t->ws("f$_") } 0 .. 3;
	my @pids = ($node->worker_pids, $node->writer_pids);
	my $n = 0;
	for (['a worker', $node->worker_pids], ['a writer', $node->writer_pids]) {
		my ($who, @who) = @$_;
		syswrite $_, "\xff" x 64 for map { pairs_of($_) } @who;
		my $times = 2 * ++$n;
		wait_for("$who to be misunderstood", sub { (() = $node->log_text =~ /a (?:worker|writer) says what cannot be/g) >= $times });
		my @refs = map { $ws[$_]->start(type => 'send', %{text_to("g$_", "after $who")}) } 0 .. 3;
		is_deeply [map { my $e = $ws[$_]->answer($refs[$_]); $e->{code} // $e->{message}{seq} } 0 .. 3], [($n) x 4], "nonsense of $who ends no more than a socket";
	}
	is_deeply [$node->worker_pids, $node->writer_pids], \@pids, 'nobody died';
	return;
}

# The old workers serve until the new ones are ready. Their writer is not replaced in its generation, so they turn to one of
# the new ones.
sub of_a_former_generation {
	my ($t) = @_;
	my $node = $t->node;
	$t->befriend(qw(gina hugo));
	my @old = $node->writer_pids;
	my %old = map { $_ => 1 } $node->worker_pids;
	# A worker is not ready before it has read which logins have ended.
	my $lock = $t->stack->dbh($t->{database});
	$lock->do('LOCK TABLES logins WRITE, user_states WRITE');
	$node->ctl_ok('reload');
	my @new;
	my $listed = sub { $node->ctl_ok('workers', '--json')->{$_[0]} };
	wait_for('new workers, and a writer for them', sub { @new = grep { !$old{$_} } $node->worker_pids; @new == 2 && 2 == grep { $_->{state} eq 'ready' } @{$listed->('writers')} });
	kill 'STOP', @new;
	$lock->do('UNLOCK TABLES');
	$lock->disconnect;
	is_deeply [sort map { $_->{pid} } grep { $_->{state} eq 'ready' } @{$listed->('workers')}], [sort keys %old], 'new workers are not ready yet';
	my $gina = $t->ws('gina');
	is $gina->request(type => 'send', %{text_to('hugo', 'before')})->{message}{seq}, 1, 'a session of the former generation';
	$node->allow_deaths(1);
	kill 'KILL', @old;
	is $gina->request(type => 'send', %{text_to('hugo', "after $_")})->{message}{seq}, 1 + $_, 'is served by a new writer' for 1, 2;
	is scalar(my @w = $node->writer_pids), 1, 'and none is started for it';
	kill 'CONT', @new;
	wait_for('the new generation', sub { $node->worker_pids == 2 });
	is $t->send_text('gina', 'hugo', 'later')->{seq}, 4, 'which goes on';
	return;
}

# Workers that drain wait for what they have asked their writer; one that dies then is replaced, although all is to end.
sub while_draining {
	my ($t) = @_;
	my $node = $t->node;
	$t->befriend(map { ("d$_", "e$_") } 0 .. 19);
	my @ws = map { $t->ws("d$_") } 0 .. 19;
	my ($writer) = $node->writer_pids;
	$node->allow_deaths(1);
	kill 'STOP', $writer;
	my @refs = map { $ws[$_]->start(type => 'send', %{text_to("e$_", 'last')}) } 0 .. 19;
	kill 'TERM', $node->pid;
	wait_for('the drain', sub { (() = $node->log_text =~ /worker \d+: draining/g) >= 2 });
	kill 'KILL', $writer;
	my %answer;
	$answer{$_->{type} . ' ' . ($_->{code} // '')}++ for map { $ws[$_]->answer($refs[$_]) } 0 .. 19;
	note(join ', ', map { "$_: $answer{$_}" } keys %answer);
	is_deeply [grep { !/^(ack |error unavailable)\z/ } keys %answer], [], 'all are answered, acknowledged or, after 3 s, refused for a while';
	ok $node->stop(signal => 0), 'and the node ends well';
	my $stored = $t->dbh->selectcol_arrayref("SELECT COUNT(*) FROM messages WHERE content = 'last'")->[0];
	cmp_ok $stored, '>=', $answer{'ack '} // 0, 'what was acknowledged is stored';
	is_deeply [$t->recount_faults], [], 'and the counters are right';
	return;
}

{
	my $t = Tidings->start(workers => 2, conf => {drain_timeout => 8, session => {policy => 'device'}});
	subtest 'nonsense' => sub { nonsense($t) };
	subtest 'of a former generation' => sub { of_a_former_generation($t) };
	subtest 'while draining' => sub { while_draining($t) };
	$t->stop;
}

for_workers('writer killed', {conf => {session => {policy => 'device'}}}, sub {
	my ($t, $workers) = @_;
	subtest 'while sending' => sub { kill_while_sending($t, 1) };
	subtest 'without client_msg_id' => sub { nameless($t, 1) };
	subtest 'under way' => sub { under_way($t, 1) } if $workers != 4;
	subtest 'under way in a group' => sub { under_way_in_a_group($t, 1) } if $workers == 2;
	subtest 'under way: what is done after sending' => sub { under_way_after_sending($t, 1) } if $workers == 2;
	subtest 'under way: clearing' => sub { under_way_clearing($t, 1) } if $workers == 2;
	subtest 'hung' => sub { hung($t, 1) } if $workers == 2;
	unlike $t->node->log_text, qr/failed to start/, 'none was put off';
});

{
	my $t = Tidings->start(workers => 2, conf => {writers => 2, session => {policy => 'device'}});
	subtest 'two writers: while sending' => sub { kill_while_sending($t, 2) };
	subtest 'two writers: without client_msg_id' => sub { nameless($t, 2) };
	subtest 'two writers: under way' => sub { under_way($t, 2) };
	$t->stop;
}

done_testing;
