# SPDX-License-Identifier: BSD-2-Clause
# Proves that any second tidingsd on the same database and Redis is one server with the first: events cross over, both
# may write one conversation at once, and a node that goes takes nothing with it.
use Tidings;
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(AF_UNIX PF_UNSPEC SOCK_STREAM);
use Tidings::Util qw(patience);

# A process that carries what goes between a node and Redis. A push with a content like "alice by node 1" waits in it
# until a line in the socket that is returned names that; those of one line go on at once, in that order.
my $relay;
END { kill 'KILL', $relay if $relay }
sub relay {
	my ($path, $to) = @_;
	my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 16) or die "$path: $!\n";
	my ($mine, $its) = IO::Socket->socketpair(AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die "socketpair: $!\n";
	$relay = fork // die "fork: $!\n";
	return $mine if $relay;
	$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
	open $_, '>', '/dev/null' or POSIX::_exit(1) for \*STDOUT, \*STDERR;
	close $mine;
	carry($listener, $its, $to);
	POSIX::_exit(0);
}

sub carry {
	my ($listener, $orders, $to) = @_;
	my $select = IO::Select->new($listener, $orders);
	my (%other, %replies, %held);
	while (my @ready = $select->can_read) {
		for my $from (@ready) {
			if ($from == $listener) {
				my ($near, $far) = (scalar $listener->accept, scalar IO::Socket::UNIX->new(Peer => $to));
				return if !$near || !$far;
				@other{$near, $far} = ($far, $near);
				$replies{$far} = '';
				$select->add($near, $far);
				next;
			}
			return if !sysread $from, my $bytes, 65536;
			if ($from == $orders) {
				my @let = map { delete $held{$_} // return } split /,/, $bytes =~ s/\n//r;
				syswrite $other{$let[0][0]}, join('', map { $_->[1] } @let);
			} elsif (!defined $replies{$from}) {
				syswrite $other{$from}, $bytes;
			} else {
				$replies{$from} .= $bytes;
				while (my $end = reply_end(\$replies{$from}, 0)) {
					my $reply = substr $replies{$from}, 0, $end, '';
					if ($reply =~ /"(\w+ by node \d)"/) {
						$held{$1} = [$from, $reply];
						syswrite $orders, "$1\n";
					} else {
						syswrite $other{$from}, $reply;
					}
				}
			}
		}
	}
	return;
}

# Where the reply of Redis that begins at $at ends; undef: not all of it is there.
sub reply_end {
	my ($bytes, $at) = @_;
	my $eol = index $$bytes, "\r\n", $at;
	return undef if $eol < 0;
	my ($type, $n, $end) = (substr($$bytes, $at, 1), substr($$bytes, $at + 1, $eol - $at - 1), $eol + 2);
	if ($type eq '$' && $n >= 0) {
		$end += $n + 2;
	} elsif ($type eq '*' && $n > 0) {
		for (1 .. $n) {
			$end = reply_end($bytes, $end) // return undef;
		}
	}
	return $end <= length $$bytes ? $end : undef;
}

# What has come to the relay and waits there: so many.
sub waiting {
	my ($socket, $n) = @_;
	my $lines = '';
	while ($lines =~ tr/\n// < $n) {
		IO::Select->new($socket)->can_read(patience()) && sysread $socket, $lines, 4096, length $lines or die "too few came: $lines\n";
	}
	return split /\n/, $lines;
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

# Three messages through three nodes, of which the last is the first to come to a fourth one. They come in one piece, so
# none is given up for lost meanwhile; and the clock of the first node is ahead, so no time is between them.
subtest 'messages that overtake each other' => sub {
	my $late = Tidings->start(workers => 1, nodes => 4, start => 0);
	my $path = Tidings::dir() . '/late.sock';
	my $orders = relay($path, Tidings::stack()->redis_socket);
	my $node = $late->node(3);
	$node->configure({%{$node->{conf}}, redis => {%{$node->{conf}{redis}}, socket => $path}});
	$_->start for $late->nodes;
	$late->node(0)->clock(600);
	for my $case ([0, 1, 0], [0, 0, 1], [1, 1, 0]) {
		my ($silent, @order) = @$case;
		my $name = ($silent ? 'after a minute of silence' : 'in a new conversation') . ", @order";
		my ($from, $to) = map { "$_$silent$order[0]" } qw(alice bob);
		$late->befriend($from, $to);
		my $hears = $late->ws($to, node => 3);
		if ($silent) {
			$late->http($from, node => 2)->post('/messages/send', text_to($to, 'a minute ago'));
			$hears->expect('message');
			my $pings = $hears->settle->{pings};
			$node->clock(61);
			$hears->until('a ping, which comes with all that is due', sub { $_[0]{pings} > $pings });
		}
		my $sent = [map { $late->http($from, node => $_)->post('/messages/send', text_to($to, "$from by node $_"))->json } 0 .. 2];
		is_deeply [sort(waiting($orders, 3))], [map { "$from by node $_" } 0 .. 2], "$name: all are on their way";
		is_deeply [$hears->settle->queued('message')], [], "$name: none has come";
		syswrite $orders, join(',', map { "$from by node $_" } 2, @order) . "\n";
		is_deeply [map { $hears->expect('message')->{message} } @$sent], $sent, "$name: put in order";
		$hears->close->close_code;
	}
	$late->stop;
	kill 'TERM', $relay;
	waitpid $relay, 0;
	undef $relay;
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
