# SPDX-License-Identifier: BSD-2-Clause
# Proves that an announcement that is lost with the link which publishes it is made again: once both sessions stayed, for
# only a new subscription had it repeated.
use Tidings;
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Tidings::Util qw(signal_and_reap);

# Carries what goes between a node and Redis, and ends the first connection that is to carry an announcement.
my $relay;
END { local $?; signal_and_reap($relay, 'KILL') if $relay }
sub relay {
	my ($path, $to) = @_;
	my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 16) or die "$path: $!\n";
	pipe my $lost, my $says or die "pipe: $!\n";
	$relay = fork // die "fork: $!\n";
	if ($relay) {
		close $says;
		return $lost;
	}
	undef $relay;
	$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
	$SIG{PIPE} = 'IGNORE';
	carry($listener, $says, $to);
	POSIX::_exit(0);
}

sub carry {
	my ($listener, $says, $to) = @_;
	my $select = IO::Select->new($listener);
	my (%other, %is_node);
	while (my @ready = $select->can_read) {
		for my $from (@ready) {
			if ($from == $listener) {
				my ($near, $far) = (scalar $listener->accept, scalar IO::Socket::UNIX->new(Peer => $to));
				return if !$near || !$far;
				@other{$near, $far} = ($far, $near);
				$is_node{$near} = 1;
				$select->add($near, $far);
			} elsif (my $peer = $other{$from}) {
				my $n = sysread $from, my $bytes, 65536;
				my $announces = $n && $says && $is_node{$from} && $bytes =~ /PUBLISH\r\n\$\d+\r\n\S*u:alice\r\n\S+\r\nA/;
				next if $n && !$announces && syswrite $peer, $bytes;
				if ($announces) {
					syswrite $says, "lost\n";
					undef $says;
				}
				for ($from, $peer) {
					$select->remove($_);
					delete $other{$_};
					close $_;
				}
			}
		}
	}
	return;
}

my $path = Tidings::dir() . '/relay.sock';
my $lost = relay($path, Tidings::stack()->redis_socket);
my $t = Tidings->start(workers => 1, nodes => 2, start => 0, conf => {session => {policy => 'single'}});
my $node = $t->node(0);
$node->configure({%{$node->{conf}}, redis => {%{$node->{conf}{redis}}, socket => $path}});
$_->start for $t->nodes;
my $old = $t->ws('alice', node => 1, name => 'old');
my $new = $t->ws('alice', node => 0, name => 'new');
is scalar(<$lost>), "lost\n", 'the announcement is lost';
is $old->close_code, 4001, 'the older session goes all the same';
is $new->request(type => 'ping')->{type}, 'pong', 'the newer one stays';
$t->stop;
done_testing;
