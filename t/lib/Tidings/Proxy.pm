# SPDX-License-Identifier: BSD-2-Clause
# A process between a node and the database that loses the answer to a COMMIT on command: it passes on the packet that
# ends in COMMIT and cuts the node off before the answer comes back, and refuses new connections until told otherwise.
# And one that holds what is asked: packets that match wait until they are released.
# It knows a pattern, not the protocol: what the node sends is looked at as it comes.
#
#	my $proxy = Tidings::Proxy->new(dir => $dir, to => $stack->mariadb_socket);
#	conf => {mysql => {socket => $proxy->socket}}
#	$proxy->lose(qr/INSERT INTO messages.*COMMIT\z/s);	...	$proxy->lost;	...	$proxy->open;
#	$proxy->hold(qr/FROM logins/);	...	$proxy->held;	...	$proxy->release;
package Tidings::Proxy;
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Socket;
use Tidings::Util qw(wait_for signal_and_reap);

sub new {
	my ($class, %o) = @_;
	my $self = bless {path => "$o{dir}/proxy.sock", owner => $$}, $class;
	my $listening = IO::Socket::UNIX->new(Local => $self->{path}, Listen => 64) or die "$self->{path}: $!\n";
	socketpair my $ours, my $theirs, AF_UNIX, SOCK_SEQPACKET, 0 or die "socketpair: $!\n";
	$self->{pid} = fork // die "fork: $!\n";
	if (!$self->{pid}) {
		close $ours;
		eval { serve($listening, $theirs, $o{to}); 1 } or warn $@;
		POSIX::_exit(0);
	}
	close $theirs;
	$self->{control} = $ours;
	return $self;
}

sub socket { return $_[0]{path} }

# The next packet that matches is the last of its connection that gets through.
sub lose { my ($self, $pattern) = @_; return $self->tell("lose $pattern") }
# Waits until it was.
sub lost { my ($self) = @_; wait_for('a packet to be lost', sub { sysread($self->{control}, my $word, 64) }); return }
# New connections are taken again.
sub open { my ($self) = @_; return $self->tell('open') }
# All that match wait, of each connection with what comes behind them.
sub hold { my ($self, $pattern) = @_; return $self->tell("hold $pattern") }
# Waits until one does.
sub held { my ($self) = @_; wait_for('a packet to be held', sub { sysread($self->{control}, my $word, 64) }); return }
sub release { my ($self) = @_; return $self->tell('release') }
sub tell { my ($self, $word) = @_; syswrite $self->{control}, $word or die "proxy: $!\n"; return }

sub stop {
	my ($self) = @_;
	signal_and_reap(delete $self->{pid}, 'KILL') if $self->{pid} && $self->{owner} == $$;
	return;
}
sub DESTROY { local ($?, $!); return $_[0]->stop }

# ---- the process ----

sub write_all {
	my ($to, $bytes) = @_;
	while (length $bytes) {
		my $n = syswrite $to, $bytes;
		return 0 if !defined $n;
		substr $bytes, 0, $n, '';
	}
	return 1;
}

sub serve {
	my ($listening, $control, $to) = @_;
	local $SIG{PIPE} = 'IGNORE';
	my ($pattern, $closed, $holding, %other, %is_client, %held) = (undef, 0);
	my $all = IO::Select->new($listening, $control);
	my $cut = sub { for my $s (@_) { $all->remove($s); delete @$_{$s} for \%other, \%is_client, \%held; close $s } };
	my $obey = sub {
		my ($word) = @_;
		if ($word =~ /\Alose (.*)\z/s) { $pattern = qr/$1/ }
		elsif ($word =~ /\Ahold (.*)\z/s) { $holding = qr/$1/ }
		elsif ($word eq 'open') { $closed = 0 }
		else {
			$holding = undef;
			for my $s (map { $_->[0] } values %held) { write_all($other{$s}, $held{$s}[1]) }
			%held = ();
		}
	};
	while (my @ready = $all->can_read) {
		for my $s (@ready) {
			if ($s == $control) {
				sysread $control, my $word, 4096 or return;
				$obey->($word);
			} elsif ($s == $listening) {
				my $client = $listening->accept or next;
				my $server = $closed ? undef : IO::Socket::UNIX->new(Peer => $to);
				if (!$server) { close $client; next }
				@other{$client, $server} = ($server, $client);
				$is_client{$client} = 1;
				$all->add($client, $server);
			} elsif (my $peer = $other{$s}) {
				my $n = sysread $s, my $bytes, 1 << 20;
				if ($n && $is_client{$s} && ($held{$s} || (defined $holding && $bytes =~ $holding))) {
					syswrite $control, 'held' if !%held;
					$held{$s} = [$s, ($held{$s} ? $held{$s}[1] : '') . $bytes];
					next;
				}
				if (!$n || !write_all($peer, $bytes)) { $cut->($s, $peer); next }
				next if !$is_client{$s} || !defined $pattern || $bytes !~ $pattern;
				($pattern, $closed) = (undef, 1);
				# The database has it all; it answers nobody.
				$cut->($s);
				$peer->shutdown(SHUT_WR);
				1 while sysread $peer, $bytes, 1 << 16;
				$cut->($peer);
				syswrite $control, 'lost';
			}
		}
	}
	return;
}

1;
