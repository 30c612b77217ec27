# SPDX-License-Identifier: BSD-2-Clause
# Many senders at once that never give up: each keeps one message in the air, by REST or WebSocket, and repeats it with
# its client_msg_id until it is acknowledged, whatever happens to the server meanwhile. Afterwards every acknowledged
# message has to stand exactly once.
package Tidings::Crowd;
use strict;
use warnings;
use IO::Select;
use Test::More;
use Tidings::Util qw(now patience);

my $crowds = 0;

# Each crowd has people of its own. t; pairs: the number of pairs of friends, one of each sends by REST, the other by WebSocket.
# group: makes one of those people, and answers the id of the group that all send to; otherwise they send to one another.
# nodes: their number.
sub new {
	my ($class, $t, $pairs, %o) = @_;
	my $self = bless {t => $t, name => 'crowd' . ++$crowds, senders => [], acked => {}, refused => {}, retries => 0}, $class;
	for my $i (1 .. $pairs) {
		my ($a, $b) = ("$self->{name}-a$i", "$self->{name}-b$i");
		$t->befriend($a, $b);
		push @{$self->{senders}}, {user => $a, to => {to_user_id => $b}, by => 'rest', n => 0}, {user => $b, to => {to_user_id => $a}, by => 'ws', n => 0};
	}
	my $group = $o{group} ? $o{group}->($self->people) : undef;
	my $i = 0;
	for my $s (@{$self->{senders}}) {
		$s->{node} = $i++ % ($o{nodes} // 1);
		$s->{to} = {conversation_id => $group} if $group;
	}
	return $self;
}

sub people { my ($self) = @_; return map { $_->{user} } @{$self->{senders}} }

# Each sender, until `enough` says so, and then until what is in the air is acknowledged. during->() is called each round.
sub run {
	my ($self, $enough, $during) = @_;
	my $deadline = now() + 3 * patience();
	my $stopping = 0;
	while (1) {
		$during->($self) if $during && !$stopping;
		$stopping ||= $enough->($self);
		my @busy = grep { !$stopping || $_->{waiting} } @{$self->{senders}};
		return if !@busy;
		die "senders were not answered in time\n" if now() > $deadline;
		$self->push_on($_) for @busy;
		$self->collect(@busy);
	}
}

sub acked_count { my ($self) = @_; return scalar map { @$_ } values %{$self->{acked}} }

# The next message, or again the one that was not acknowledged.
sub push_on {
	my ($self, $s) = @_;
	return if $s->{in_air};
	return if $s->{not_before} && now() < $s->{not_before};
	if (!$s->{waiting}) {
		my $n = ++$s->{n};
		$s->{waiting} = {%{$s->{to}}, message_type => 'text', content => "$s->{user} $n", client_msg_id => "$s->{user}-$n"};
	} else {
		$self->{retries}++;
	}
	my $sent = eval {
		if ($s->{by} eq 'rest') {
			$s->{http} //= $self->{t}->http($s->{user}, node => $s->{node});
			$s->{http}->send_request('POST', '/messages/send', json => $s->{waiting}) or die "closed\n";
		} else {
			$s->{ws} //= $self->{t}->ws($s->{user}, node => $s->{node}, query => 'device=crowd');
			$s->{ws}->send_json({type => 'send', ref => $s->{waiting}{client_msg_id}, %{$s->{waiting}}}) or die "closed\n";
		}
		1;
	};
	$s->{in_air} = now();
	$self->lost($s) if !$sent;
	return;
}

sub lost {
	my ($self, $s) = @_;
	$s->{http}->close if $s->{http};
	delete @$s{qw(http ws in_air)};
	$s->{not_before} = now() + 0.05;
	return;
}

# Reads what has come, from all.
sub collect {
	my ($self, @senders) = @_;
	my %by = map { fileno($_->[0]) => $_->[1] } grep { defined fileno($_->[0]) } map { [$_->{http} ? $_->{http}->socket : $_->{ws}{socket}, $_] }
		grep { $_->{in_air} } @senders;
	my $select = IO::Select->new(map { $by{$_}{http} ? $by{$_}{http}->socket : $by{$_}{ws}{socket} } keys %by);
	for my $socket ($select->can_read(0.05)) {
		my $s = $by{fileno $socket};
		my $alive = eval { $s->{by} eq 'rest' ? $self->take_rest($s) : $self->take_ws($s) };
		$self->lost($s) if !$alive;
	}
	return;
}

sub take_rest {
	my ($self, $s) = @_;
	my $r = $s->{http}->response or return 0;
	$self->answered($s, $r->status, $r->status < 300 ? $r->json : undef, $r);
	return 1;
}

sub take_ws {
	my ($self, $s) = @_;
	$s->{ws}->fill(now()) or return 0;
	return 0 if $s->{ws}{close};
	for my $e (splice @{$s->{ws}{events}}) {
		next if $e->{type} ne 'ack' && $e->{type} ne 'error';
		next if ($e->{ref} // '') ne $s->{waiting}{client_msg_id};
		$self->answered($s, $e->{type} eq 'ack' ? 200 : $e->{code}, $e->{message}, undef);
	}
	return 1;
}

sub answered {
	my ($self, $s, $status, $message, $r) = @_;
	delete $s->{in_air};
	if ($message) {
		push @{$self->{acked}{$s->{user}}}, [@$message{qw(id seq client_msg_id content conversation_id)}];
		delete $s->{waiting};
		return;
	}
	# Only "come back later" may be said to a good message.
	$self->{refused}{$status}++;
	$self->{without_retry_after}++ if $r && !$r->header('retry-after');
	$s->{not_before} = now() + 0.05;
	return;
}

# Every acknowledged message stands once, as acknowledged, and nothing else of theirs; seq is dense.
sub check {
	my ($self, $name) = @_;
	my $t = $self->{t};
	my (@lost, @changed, @doubled, %rows);
	for my $row (@{$t->dbh->selectall_arrayref("SELECT id, from_user_id, client_msg_id, content FROM messages WHERE from_user_id LIKE '$self->{name}-%' AND message_type <> 7")}) {
		push @{$rows{$row->[2]}}, $row;
	}
	for my $user (sort keys %{$self->{acked}}) {
		my %seen;
		for my $ack (@{$self->{acked}{$user}}) {
			my ($id, $seq, $client, $content) = @$ack;
			my $stands = delete $rows{$client};
			push @lost, $client if !$stands && !$seen{$client};
			push @doubled, $client if $stands && @$stands > 1;
			push @changed, $client if $stands && ($stands->[0][0] ne $id || $stands->[0][3] ne $content);
			$seen{$client} = 1;
		}
	}
	is_deeply \@lost, [], "$name: nothing acknowledged is lost";
	is_deeply \@doubled, [], "$name: nothing stands twice";
	is_deeply \@changed, [], "$name: everything is what was acknowledged";
	is_deeply [sort keys %rows], [], "$name: nothing stands that was not acknowledged in the end";
	is_deeply [$t->recount_faults], [], "$name: seq is dense and the counters are right";
	return;
}

sub close { my ($self) = @_; $self->lost($_) for @{$self->{senders}}; return }

1;
