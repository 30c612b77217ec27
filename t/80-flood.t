# SPDX-License-Identifier: BSD-2-Clause
# Proves that clients who have sent a great many small requests at once do not hold up another one of the same worker: it
# is answered after a few of theirs, not after all.
use Tidings;
use IO::Select;

my ($FLOODERS, $REQUESTS) = (30, 5000);
my $request = '{"type":"ping"}';
my $frame = pack('CCN', 0x81, 0x80 | length $request, 0) . $request; # its mask is zero

sub flood {
	my ($what, $send, $answers) = @_;
	subtest $what => sub {
		my $t = Tidings->start(workers => 1, conf => {session => {policy => 'multi'}});
		my ($worker) = $t->node->worker_pids;
		my @flooders = map { $send->($t, $_) } 1 .. $FLOODERS;
		my $other = $t->ws('other');
		# All of it lies in the sockets when the worker looks.
		kill 'STOP', $worker;
		syswrite($_->{to}, $_->{bytes}) == length $_->{bytes} or die "send: $!" for @flooders;
		$other->send_text('{"type":"ping","ref":"mine"}');
		kill 'CONT', $worker;
		is $other->answer('mine')->{type}, 'pong', 'the other one is answered';
		kill 'STOP', $worker;
		my ($early, $all) = (0, $FLOODERS * $REQUESTS);
		$early += $answers->(received($_->{to})) for @flooders;
		kill 'CONT', $worker;
		cmp_ok $early, '<', $all / 2, 'long before the others are through' or diag("$early of $all");
		is scalar(@{[$t->node->worker_pids]}), 1, 'by the worker that there was';
		close $_->{to} for @flooders;
		$t->stop;
	};
}

# What has come so far.
sub received {
	my ($socket) = @_;
	my $text = '';
	1 while IO::Select->new($socket)->can_read(0) && sysread $socket, $text, 1 << 20, length $text;
	return $text;
}

flood('frames', sub {
	my ($t, $n) = @_;
	return {to => $t->ws("flooder-$n")->{socket}, bytes => $frame x $REQUESTS};
}, sub { return scalar(() = $_[0] =~ /"pong"/g) });

flood('requests', sub {
	my ($t, $n) = @_;
	my $http = $t->http("flooder-$n");
	$http->get('/messages/unread-count');
	return {to => $http->socket, bytes => "GET / HTTP/1.1\r\nHost: x\r\n\r\n" x $REQUESTS};
}, sub { return scalar(() = $_[0] =~ m{^HTTP/1.1 }mg) });

done_testing;
