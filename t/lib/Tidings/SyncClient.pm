# SPDX-License-Identifier: BSD-2-Clause
# What a client knows that catches up by POST /messages/sync alone, no matter what it knew before, as doc/api.md asks it
# to: messages are merged by seq, changes change them, what is gone is forgotten.
package Tidings::SyncClient;
use strict;
use warnings;

sub new { my ($class) = @_; return bless {cursor => undef, known => {}}, $class }

# known: {id => {conversation, messages => {seq => message}}}.
sub known { return $_[0]{known} }

sub catch_up {
	my ($self, $http) = @_;
	my $begins = !defined $self->{cursor};
	my $answer = $self->ask($http, [map { $self->place($_) } sort keys %{$self->{known}}]);
	# A first cursor brings nothing: what there is then is listed.
	$self->list($http, $_) for $begins ? ('&archived=true', '') : ();
	$answer = $self->ask($http, []) while $answer->{more};
	return $self;
}

sub place {
	my ($self, $id) = @_;
	my $k = $self->{known}{$id};
	my ($seq) = sort { $b <=> $a } 0, keys %{$k->{messages}};
	return {id => $id, seq => $seq, change_seq => $k->{conversation}{change_seq}};
}

# limit is small, so that much has to be asked for twice.
sub ask {
	my ($self, $http, $places) = @_;
	my $answer = $http->post('/messages/sync', {conversations => $places, since => $self->{cursor}, limit => 7})->json;
	$self->{cursor} = $answer->{cursor};
	delete $self->{known}{$_} for @{$answer->{gone}};
	$self->take($http, $_) for @{$answer->{conversations}};
	return $answer;
}

sub take {
	my ($self, $http, $entry) = @_;
	my $c = $entry->{conversation};
	my $k = $self->{known}{$c->{id}};
	# One that is new, or was come into again: what is before its end is not known.
	return $self->read_whole($http, $c) if !$k || $k->{conversation}{first_seq} != $c->{first_seq};
	$k->{messages}{$_->{seq}} = $_ for @{$entry->{messages}};
	for my $change (@{$entry->{changes}}) {
		my ($seq) = grep { $k->{messages}{$_}{id} eq $change->{message_id} } keys %{$k->{messages}};
		next if !defined $seq;
		delete $k->{messages}{$seq} if $change->{kind} eq 'deleted';
	}
	for my $m (@{$entry->{updated}}) {
		$k->{messages}{$m->{seq}} = $m if $k->{messages}{$m->{seq}};
	}
	my $cut = $entry->{has_more};
	my $changed = @{$entry->{changes}} ? $entry->{changes}[-1]{change_seq} : $k->{conversation}{change_seq};
	$k->{conversation} = {%$c, $cut ? (change_seq => $changed) : ()};
	return if !$cut;
	my $next = $http->post('/messages/sync', {conversations => [$self->place($c->{id})], since => undef, limit => 7})->json;
	delete $self->{known}{$_} for @{$next->{gone}};
	$self->take($http, $_) for @{$next->{conversations}};
	return;
}

sub read_whole {
	my ($self, $http, $c) = @_;
	my ($before, %messages) = '';
	while (1) {
		my $page = $http->get("/messages/conversations/$c->{id}/messages?limit=100$before")->json;
		$messages{$_->{seq}} = $_ for @{$page->{items}};
		last if !$page->{has_more};
		$before = "&before=$page->{items}[0]{seq}";
	}
	$self->{known}{$c->{id}} = {conversation => $c, messages => \%messages};
	return;
}

sub list {
	my ($self, $http, $which) = @_;
	my $cursor = '';
	while (1) {
		my $page = $http->get("/messages/conversations?limit=100$which$cursor")->json;
		$self->read_whole($http, $_) for @{$page->{items}};
		last if !defined $page->{next_cursor};
		$cursor = "&cursor=$page->{next_cursor}";
	}
	return;
}

1;
