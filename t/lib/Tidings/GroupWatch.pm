# SPDX-License-Identifier: BSD-2-Clause
# What one session hears of one group, held against what happened to it: the pushes of a member come once and in the
# order of seq, none from before the member could see it, none after they were out, and none is missing but where the
# session was told to catch up and did. It does what doc/api.md asks a client to: a session that begins, or is told
# `resync`, syncs; nothing else reads.
package Tidings::GroupWatch;
use strict;
use warnings;
use Tidings::Recount;
use Tidings::Util qw(now wait_for);

# sees_all: who comes in sees what was before. open: makes the session; http: makes a connection of that user for the syncs. Both may die while a server is away.
sub new {
	my ($class, %o) = @_;
	return bless {%o, faults => [], parts => [], covered => 0, gone => 0}, $class;
}

sub user { return $_[0]{user} }
sub ws { return $_[0]{ws} }

# A session, if there is none. False while there cannot be one.
sub connect {
	my ($self) = @_;
	return 1 if $self->{ws};
	$self->{ws} = eval { $self->{open}->() } or return 0;
	$self->{sessions}++;
	$self->{behind} = 1;
	return 1;
}

sub drop {
	my ($self) = @_;
	my $ws = delete $self->{ws};
	$ws->abort if $ws;
	return;
}

# Takes what has come, and catches up where it has to.
sub look {
	my ($self) = @_;
	return 0 if !$self->connect;
	my $alive = eval { while (Tidings::HTTP::can_read($self->{ws}{socket}, 0)) { $self->{ws}->fill(now()) or last } 1 };
	$self->take($_) for splice @{$self->{ws}{events}};
	if (!$alive || $self->{ws}{ended} || $self->{ws}{close}) {
		$self->drop;
		return 0;
	}
	return $self->{behind} ? $self->catch_up : 1;
}

sub take {
	my ($self, $e) = @_;
	my $type = $e->{type};
	$self->note($e);
	if ($type eq 'resync') {
		$self->{resyncs}++;
		$self->{behind} = 1;
		$self->{parts}[-1]{resynced} = 1 if $self->{parts}[-1];
		push @{$self->{parts}}, {pushed => []};
	}
	$self->{behind} = 1 if $type eq 'hello';
	push @{$self->{parts}[-1]{pushed}}, $e->{message}{seq} if $type eq 'message' && $e->{message}{conversation_id} eq $self->{id} && $self->{parts}[-1];
	$self->{recalled}{$e->{seq}}++ if $type eq 'recalled' && $e->{conversation_id} eq $self->{id};
	$self->{left} = $e->{reason} if $type eq 'left' && $e->{conversation_id} eq $self->{id};
	if ($type eq 'conversation' && $e->{conversation}{id} eq $self->{id}) {
		delete $self->{left};
		$self->{left} = 'dissolved' if $e->{conversation}{group}{dissolved_at};
		# What the conversation shows is not told again.
		push @{$self->{shown}}, [$e->{conversation}{first_seq}, $e->{conversation}{last_message} ? $e->{conversation}{last_message}{seq} : 0];
	}
	return;
}

# What came of the group, for those who look for a fault.
sub note {
	my ($self, $e) = @_;
	my $of = $e->{message} // $e->{conversation} // $e;
	my $id = $of->{conversation_id} // $of->{id};
	push @{$self->{trace}}, $e->{type} . ($of->{seq} // $of->{reason} // (ref $of->{last_message} ? "..$of->{last_message}{seq}" : '')) if !defined $id || $id eq $self->{id};
	return;
}
sub trace { return join ' ', map { s/\Amessage//r } @{$_[0]{trace}} }

# From the beginning of a part on, pushes are in order and without gaps.
sub catch_up {
	my ($self) = @_;
	$self->{behind} = 0;
	push @{$self->{parts}}, {pushed => []};
	my $done = eval {
		$self->{http_now} //= $self->{http}->();
		my $r = $self->{http_now}->post('/messages/sync', {conversations => [{id => $self->{id}, seq => $self->{covered}, change_seq => 0}], since => undef, limit => 100}, timeout => 20) or die "closed\n";
		die "sync: " . $r->status . "\n" if $r->status != 200;
		my $entry = $r->json->{conversations}[0];
		push @{$self->{synced}}, map { $_->{seq} } $entry ? @{$entry->{messages}} : ();
		$self->{behind} = 1 if $entry && $entry->{has_more} && @{$entry->{messages}};
		$self->{covered} = $entry->{messages}[-1]{seq} if $entry && @{$entry->{messages}};
		1;
	};
	if (!$done) {
		$self->{behind} = 1;
		(delete $self->{http_now})->close if $self->{http_now};
	}
	return $done && !$self->{behind};
}

sub heard {
	my ($self) = @_;
	my %heard = map { $_ => 1 } @{$self->{synced} // []}, map { @{$_->{pushed}} } @{$self->{parts}};
	return \%heard;
}

sub hears { my ($self, $seq) = @_; return $self->look && $self->heard->{$seq} }

# Against the rows. spans: when the user was a member, of Recount's replay_members; last: the group's last seq.
sub check {
	my ($self, $spans, $last) = @_;
	my @faults;
	my $who = $self->{name} // $self->{user};
	for my $part (@{$self->{parts}}) {
		my $before = 0;
		for my $seq (@{$part->{pushed}}) {
			push @faults, "$who: $seq pushed after $before" if $seq <= $before;
			$before = $seq;
			# Where Redis was away, who is out was not told; the session was told to catch up then.
			next if $part->{resynced} && $self->{redis_was_away};
			# Who comes in and may see all may be given what was on its way before.
			push @faults, "$who: $seq pushed, and not a member" if !grep { ($self->{sees_all} || $seq >= $_->[0]) && (!defined $_->[1] || $seq <= $_->[1]) } @{$spans // []};
		}
	}
	my $heard = $self->heard;
	for my $span (@{$spans // []}) {
		my ($from, $to) = @$span;
		# Who is out cannot catch up any more.
		next if defined $to && ($self->{resyncs} || ($self->{sessions} // 1) > 1);
		# News of being in again may overtake messages of before, which the user cannot see then: what is heard has no gaps.
		($to) = sort { $b <=> $a } $from, grep { $_ >= $from && $_ <= $to } keys %$heard if defined $to;
		my @missing = grep { !$heard->{$_} } $from + 1 .. $to // $last;
		@missing = grep { my $seq = $_; !grep { $_->[0] <= $from && $seq <= $_->[1] || $_->[0] == $from && $seq <= $_->[1] } @{$self->{shown} // []} } @missing;
		push @faults, "$who: @missing never came of $from.." . ($to // '') . "\n" . $self->trace if @missing;
	}
	return @faults;
}

1;
