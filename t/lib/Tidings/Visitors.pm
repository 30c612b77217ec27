# SPDX-License-Identifier: BSD-2-Clause
# Well-behaved clients that never rest, for tests of what must not disturb them: kept HTTP connections, new ones for each
# request, and WebSockets that come back when they are told to. Whatever else ends or refuses them is a failure.
package Tidings::Visitors;
use strict;
use warnings;
use IO::Select;
use Tidings::Util qw(now patience);

# kept, new, ws: how many of each kind.
sub new {
	my ($class, $t, %count) = @_;
	my $self = bless {t => $t, all => [], failures => [], moves => 0}, $class;
	for my $kind (qw(kept new ws)) {
		push @{$self->{all}}, map { {kind => $kind, user => "visitor-$kind-$_", served => 0} } 1 .. $count{$kind} // 0;
	}
	return $self;
}

sub failures { return $_[0]{failures} }
# How often one had to go elsewhere, as it was told.
sub moves { return $_[0]{moves} }

# Until the code says so, and then until each has been served twice more: once may have been answered before.
sub run {
	my ($self, $what, $until) = @_;
	my $deadline = now() + patience();
	while (!$until->()) {
		$self->step;
		die "gave up waiting for $what\n" if now() > $deadline;
	}
	my @goal = map { $_->{served} + 2 } @{$self->{all}};
	while (grep { $self->{all}[$_]{served} < $goal[$_] } 0 .. $#goal) {
		$self->step;
		die "somebody is not served after $what\n" if now() > $deadline + patience();
	}
	return;
}

sub step {
	my ($self) = @_;
	for my $v (grep { !$_->{waiting} } @{$self->{all}}) {
		my $ok = eval { $v->{kind} eq 'ws' ? $self->ask_ws($v) : $self->ask_http($v); 1 };
		$self->failed($v, $@) if !$ok;
	}
	my %by = map { fileno(socket_of($_)) => $_ } grep { $_->{waiting} && defined fileno socket_of($_) } @{$self->{all}};
	for my $socket (IO::Select->new(map { socket_of($_) } values %by)->can_read(0.02)) {
		my $v = $by{fileno $socket};
		my $ok = eval { $v->{kind} eq 'ws' ? $self->hear_ws($v) : $self->hear_http($v); 1 };
		$self->failed($v, $@) if !$ok;
	}
	return;
}

sub socket_of { my ($v) = @_; return $v->{ws} ? $v->{ws}{socket} : $v->{http}->socket }

sub failed {
	my ($self, $v, $why) = @_;
	push @{$self->{failures}}, "$v->{user}: $why";
	$v->{http}->close if $v->{http};
	delete @$v{qw(http ws waiting told)};
	return;
}

sub ask_http {
	my ($self, $v) = @_;
	$v->{http} //= $self->{t}->http($v->{user});
	$v->{http}->send_request('GET', '/messages/unread-count') or die "closed\n";
	$v->{waiting} = 1;
	return;
}

sub hear_http {
	my ($self, $v) = @_;
	my $r = $v->{http}->response or die "the connection ended without an answer\n";
	die 'answered ' . $r->status . ' ' . $r->body . "\n" if $r->status != 200;
	my $kept = $v->{http}{socket};
	$self->{moves}++ if $v->{kind} eq 'kept' && !$kept;
	$v->{http}->close if $v->{kind} eq 'new';
	delete $v->{http} if !$kept || $v->{kind} eq 'new';
	$v->{waiting} = 0;
	$v->{served}++;
	return;
}

sub ask_ws {
	my ($self, $v) = @_;
	$v->{ws} //= $self->{t}->ws($v->{user});
	$v->{ws}->start(type => 'ping');
	$v->{waiting} = 1;
	return;
}

sub hear_ws {
	my ($self, $v) = @_;
	my $ws = $v->{ws};
	$ws->fill(now());
	for my $e (splice @{$ws->{events}}) {
		$v->{told} = 1 if $e->{type} eq 'reconnect';
		next if $e->{type} ne 'pong';
		$v->{waiting} = 0;
		$v->{served}++;
	}
	return if !$ws->{ended};
	die 'the WebSocket ended with ' . ($ws->{close} ? $ws->{close}[0] : 'nothing') . "\n"
		if !$v->{told} || !$ws->{close} || $ws->{close}[0] != 1001;
	$self->{moves}++;
	delete @$v{qw(ws told)};
	$v->{waiting} = 0;
	return;
}

sub close {
	my ($self) = @_;
	for my $v (@{$self->{all}}) {
		$v->{http}->close if $v->{http};
		$v->{ws}->abort if $v->{ws};
	}
	return;
}

1;
