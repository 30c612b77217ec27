# SPDX-License-Identifier: BSD-2-Clause
# A name server for one name after the other, in a process of its own, on port 53 of an address of 127.0.0.0/8 that
# nobody else uses. What it says is in a file that it reads for each question; what it was asked goes into another.
package Tidings::DNS;
use strict;
use warnings;
use IO::Socket::INET;
use Socket qw(inet_pton AF_INET AF_INET6);
use Tidings::Util qw(slurp spew);

# undef where that port cannot be bound: only root may.
sub new {
	my ($class, $dir) = @_;
	my $self = bless {dir => $dir, owner => $$}, $class;
	$self->{address} = sprintf '127.53.%d.%d', $$ >> 8 & 255, 1 + $$ % 254;
	my $socket = IO::Socket::INET->new(LocalAddr => $self->{address}, LocalPort => 53, Proto => 'udp') or return undef;
	$self->tell({});
	spew("$dir/asked", '');
	$self->{pid} = fork // die "fork: $!\n";
	if ($self->{pid} == 0) {
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
		eval { $self->serve($socket) };
		require POSIX;
		POSIX::_exit(0);
	}
	return $self;
}

# {name => [addresses]}; undef: silence.
sub tell {
	my ($self, $names) = @_;
	my $text = $names ? join '', map { "$_ @{$names->{$_}}\n" } sort keys %$names : "silent\n";
	spew("$self->{dir}/names.new", $text);
	rename "$self->{dir}/names.new", "$self->{dir}/names" or die "names: $!\n";
	return;
}

# How many questions there were.
sub asked { my ($self) = @_; return length slurp("$self->{dir}/asked") }

# The content for /etc/resolv.conf.
sub resolv_conf { my ($self) = @_; return "nameserver $self->{address}\n" }

sub serve {
	my ($self, $socket) = @_;
	open my $asked, '>>', "$self->{dir}/asked" or die "asked: $!\n";
	$asked->autoflush(1);
	while (1) {
		defined(my $from = $socket->recv(my $packet, 512)) or last;
		last if getppid() != $self->{owner};
		print {$asked} '.';
		my $answer = $self->answer($packet);
		$socket->send($answer, 0, $from) if defined $answer;
	}
	return;
}

sub answer {
	my ($self, $packet) = @_;
	my ($id) = unpack 'n', $packet;
	my ($at, @labels) = (12);
	while (my $len = ord substr $packet, $at, 1) {
		push @labels, substr $packet, $at + 1, $len;
		$at += 1 + $len;
	}
	my $type = unpack 'n', substr $packet, $at + 1, 2;
	my $names = slurp("$self->{dir}/names");
	return undef if $names =~ /^silent$/m;
	my ($addresses) = $names =~ /^\Q@{[lc join '.', @labels]}\E (.*)$/m;
	my @packed = map { my $p = inet_pton($type == 1 ? AF_INET : AF_INET6, $_); $p // () } $type == 1 || $type == 28 ? split ' ', $addresses // '' : ();
	return pack('nnnnnn', $id, defined $addresses ? 0x8180 : 0x8183, 1, scalar @packed, 0, 0) . substr($packet, 12, $at + 5 - 12)
		. join '', map { pack('nnnNn/a', 0xc00c, $type, 1, 0, $_) } @packed;
}

sub DESTROY {
	my ($self) = @_;
	return if $self->{owner} != $$ || !$self->{pid};
	local $?;
	kill 'KILL', $self->{pid};
	waitpid $self->{pid}, 0;
	return;
}

1;
