# SPDX-License-Identifier: BSD-2-Clause
# Proves that any second tidingsd on the same database and Redis is one server with the first: events cross over, both
# may write one conversation at once, and a node that goes takes nothing with it.
use Tidings;
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();

# A process that carries what goes to and from a UNIX socket; while it is stopped, nothing.
my @relays;
END { kill 'KILL', @relays }
sub relay {
	my ($path, $to) = @_;
	my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 16) or die "$path: $!\n";
	my $pid = fork // die "fork: $!\n";
	push @relays, $pid;
	return $pid if $pid;
	$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
	open $_, '>', '/dev/null' or POSIX::_exit(1) for \*STDOUT, \*STDERR;
	my $select = IO::Select->new($listener);
	my %other;
	while (my @ready = $select->can_read) {
		for my $from (@ready) {
			if ($from == $listener) {
				my ($near, $far) = (scalar $listener->accept, scalar IO::Socket::UNIX->new(Peer => $to));
				POSIX::_exit(1) if !$near || !$far;
				@other{$near, $far} = ($far, $near);
				$select->add($near, $far);
			} else {
				POSIX::_exit(0) if !sysread $from, my $bytes, 65536;
				syswrite $other{$from}, $bytes;
			}
		}
	}
	POSIX::_exit(0);
}

my $t = Tidings->start(workers => 2, nodes => 2, conf => {session => {policy => 'device'}});
$t->befriend(qw(alice bob carol));

subtest 'events cross over' => sub {
	my $a = $t->ws('alice', node => 0);
	my $b = $t->ws('bob', node => 1);
	my $a2 = $t->ws('alice', node => 1, query => 'device=ios', name => 'alice/ios');
	my $m = $a->request(type => 'send', %{text_to('bob', 'over there')})->{message};
	is_deeply $_->expect('message')->{message}, $m, "message to $_->{name}" for $b, $a2;
	$b->request(type => 'typing', conversation_id => $m->{conversation_id});
	is $_->expect('typing')->{user_id}, 'bob', "typing to $_->{name}" for $a, $a2;
	$b->request(type => 'read', conversation_id => $m->{conversation_id});
	is $_->expect('read')->{up_to_seq}, 1, "read to $_->{name}" for $a, $a2;
	$t->http('alice', node => 1)->put("/messages/$m->{id}/recall");
	is $_->expect('recalled')->{message_id}, $m->{id}, "recalled to $_->{name}" for $a, $a2, $b;
	$_->settle for $a, $a2, $b;
	is_deeply [map { $_->{type} } map { $_->queued } $a, $a2, $b], [], 'each once';
	$_->close for $a, $a2, $b;
};

subtest 'one conversation written through both' => sub {
	my $n = 150;
	my @ws = ($t->ws('alice', node => 0), $t->ws('bob', node => 1));
	my @hear = map { $t->ws('bob', node => $_, query => "device=d$_", name => "bob/d$_") } 0, 1;
	for my $i (1 .. $n) {
		$ws[0]->start(type => 'send', %{text_to('bob', "a$i", client_msg_id => "two-$i")});
		$ws[1]->start(type => 'send', %{text_to('alice', "b$i", client_msg_id => "two-$i")});
	}
	my @acks = map { my $ws = $_; map { $ws->expect('ack')->{message} } 1 .. $n } @ws;
	my @seqs = sort { $a <=> $b } map { $_->{seq} } @acks;
	is_deeply \@seqs, [$seqs[0] .. $seqs[0] + 2 * $n - 1], 'seq is dense and unique over both';
	for my $ws (@hear) {
		my @got = map { $ws->expect('message')->{message} } 1 .. 2 * $n;
		is_deeply [sort { $a <=> $b } map { $_->{seq} } @got], \@seqs, "$ws->{name} heard each once";
		for my $from (qw(alice bob)) {
			my @of = map { $_->{content} =~ /(\d+)/ } grep { $_->{from_user_id} eq $from } @got;
			is_deeply \@of, [1 .. $n], "and $from\'s in order";
		}
	}
	is_deeply [$t->recount_faults], [], 'the rows agree';
	$_->close for @ws, @hear;
};

# Three messages through three nodes, of which the last is the first to come.
subtest 'messages that overtake each other' => sub {
	my $late = Tidings->start(workers => 1, nodes => 3, start => 0);
	my @relay;
	for my $i (0, 1) {
		my $path = Tidings::dir() . "/late-$i.sock";
		push @relay, relay($path, Tidings::stack()->redis_socket);
		my $node = $late->node($i);
		$node->configure({%{$node->{conf}}, redis => {%{$node->{conf}{redis}}, socket => $path}});
	}
	$_->start for $late->nodes;
	for my $case ([0, 1, 0], [0, 0, 1], [1, 1, 0]) {
		my ($silent, $first, $second) = @$case;
		my ($sent, $got);
		# They are waited for so long and no longer: a machine that is slower than that proves nothing.
		for my $try (1 .. 10) {
			my ($from, $to) = map { "$_-$silent$first-$try" } qw(alice bob);
			$late->befriend($from, $to);
			my $hears = $late->ws($to, node => 2);
			my $types = $late->ws($from, node => $first);
			if ($silent) {
				$late->http($from, node => 2)->post('/messages/send', text_to($to, 'a minute ago'));
				$hears->expect('message');
				$_->clock(61) for $late->nodes;
			}
			$_->settle for $hears, $types;
			my @http = map { $late->http($from, node => $_)->connect } 0 .. 2;
			kill 'STOP', @relay;
			my $begun = now();
			$sent = [map { $http[$_]->post('/messages/send', text_to($to, "by node $_"))->json } 0 .. 2];
			kill 'CONT', $relay[$first];
			$types->request(type => 'typing', conversation_id => $sent->[0]{conversation_id});
			$hears->expect('typing');
			kill 'CONT', $relay[$second];
			$got = [map { $hears->expect('message')->{message} } @$sent];
			last if now() - $begun < 0.8;
		}
		is_deeply $got, $sent, ($silent ? 'after a minute of silence' : 'in a new conversation') . ", that of node $first second, are put in order";
	}
	$late->stop;
	kill 'TERM', @relay;
	waitpid $_, 0 for splice @relays;
};

subtest 'the same client_msg_id through both at once' => sub {
	for my $i (1 .. 10) {
		my @http = map { $t->http('alice', node => $_ % 2)->connect } 1 .. 6;
		$_->send_request('POST', '/messages/send', json => text_to('carol', "dup $i", client_msg_id => "dup-$i")) for @http;
		my @r = map { $_->response } @http;
		is join(' ', sort map { $_->status } @r), '200 200 200 200 200 201', 'one is new';
		is scalar(keys %{{map { $_->json->{id} => 1 } @r}}), 1, 'and all the same';
	}
};

subtest 'a node leaves' => sub {
	my $a = $t->ws('alice', node => 0);
	my $b = $t->ws('bob', node => 1);
	my $pid = $t->node(1)->pid;
	kill 'TERM', $pid;
	my $e = $b->expect('reconnect');
	like $e->{after_ms}, qr/^\d+$/, 'reconnect says when to come back';
	is $b->close_code, 1001, 'then 1001';
	ok $t->node(1)->stop, 'it ends well';
	my $m = $a->request(type => 'send', %{text_to('bob', 'while you were away')})->{message};
	my $again = $t->ws('bob', node => 0);
	my $history = $t->http('bob')->get("/messages/conversations/$m->{conversation_id}/messages?limit=1")->json;
	is $history->{items}[0]{id}, $m->{id}, 'the other one serves on';
	$t->node(1)->start;
	my $back = $t->ws('carol', node => 1);
	$a->request(type => 'send', %{text_to('carol', 'welcome')});
	is $back->expect('message')->{message}{content}, 'welcome', 'and the first is back';
};

$t->stop;
done_testing;
