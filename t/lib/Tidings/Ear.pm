# SPDX-License-Identifier: BSD-2-Clause
# Hears what relays say to users and groups: sessions catch up for other reasons, too, as where a clock is moved.
#
#	my $ear = Tidings::Ear->new($t, qw(u:alice c:17179869184));	...	is $ear->heard, 'u:alice';
package Tidings::Ear;
use strict;
use warnings;
use IO::Socket::UNIX;

sub new {
	my ($class, $t, @topics) = @_;
	my $prefix = $t->{conf}{redis}{prefix};
	my $socket = IO::Socket::UNIX->new(Peer => $t->{stack}->redis_socket) or die "Redis: $!\n";
	my $self = bless {socket => $socket, in => '', prefix => $prefix}, $class;
	syswrite $socket, join(' ', 'SUBSCRIBE', map { "$prefix$_" } @topics) . "\r\n";
	$self->heard;
	return $self;
}

# The topics on which they have spoken since the last call, in order of their names.
sub heard {
	my ($self) = @_;
	syswrite $self->{socket}, "PING\r\n";
	while ($self->{in} !~ s/\*2\r\n\$4\r\npong\r\n.*//s) { sysread $self->{socket}, $self->{in}, 65536, length $self->{in} or die "Redis is gone\n" }
	my %topics;
	while ($self->{in} =~ /\$7\r\nmessage\r\n\$\d+\r\n\Q$self->{prefix}\E(\S+)\r\n\$\d+\r\n\@1\+[UY]--relay-/g) { $topics{$1} = 1 }
	$self->{in} = '';
	return join ' ', sort keys %topics;
}

1;
