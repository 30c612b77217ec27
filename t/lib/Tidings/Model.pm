# SPDX-License-Identifier: BSD-2-Clause
# What conversations are, in as few words as possible: the same operations on plain Perl data. The tests hold the
# server against it.
package Tidings::Model;
use strict;
use warnings;
use Exporter qw(import);
use JSON::PP ();

our @EXPORT_OK = qw(any_settings);

sub new { my ($class) = @_; return bless {conversations => {}, by_client => {}}, $class }

sub pair { return join ' ', sort @_ }

# The conversation of two users; made where missing.
sub between {
	my ($self, $a, $b) = @_;
	return $self->{conversations}{pair($a, $b)} //= {users => [sort $a, $b], messages => [], pins => [], read_seq => {$a => 0, $b => 0}, cleared => {}, delivered => {$a => 0, $b => 0}, own => {$a => {}, $b => {}}};
}

sub of { my ($self, $user) = @_; return grep { grep { $_ eq $user } @{$_->{users}} } values %{$self->{conversations}} }
sub peer { my ($self, $c, $user) = @_; return (grep { $_ ne $user } @{$c->{users}})[0] }

# Each operation returns the status that REST answers with, and does what it does then.
sub send {
	my ($self, $from, $to, %m) = @_;
	my $known = defined $m{client_msg_id} ? $self->{by_client}{$from}{$m{client_msg_id}} : undef;
	if ($known) {
		my $same = $known->{to} eq $to && ($known->{recalled} || $known->{edited} || ($known->{content} eq $m{content} && ($known->{expires_in} // 0) == ($m{expires_in} // 0)));
		return $same ? (200, $known) : (409);
	}
	my $c = $self->between($from, $to);
	my @mentions = grep { $_ eq '*' || $_ eq $from || $_ eq $to } @{$m{mentions} // []};
	my $message = {from => $from, to => $to, %m, mentions => \@mentions, reactions => [], seq => 1 + @{$c->{messages}}, deleted => {}, read => 0, recalled => 0, conversation => $c};
	push @{$c->{messages}}, $message;
	is_written_to($c->{own}{$to});
	$self->{by_client}{$from}{$m{client_msg_id}} = $message if defined $m{client_msg_id};
	return (201, $message);
}

# ---- what a user sets for themselves of a conversation, by the names of the API ----

# Some of them, at random.
sub any_settings {
	my @flags = (JSON::PP::false, JSON::PP::true);
	my %of = (archived => \@flags, marked_unread => \@flags, pinned => \@flags, muted_until => [undef, '2100-01-01T00:00:00.000Z'], draft => [undef, 'one', 'two']);
	return map { rand() < 0.4 ? ($_ => $of{$_}[rand @{$of{$_}}]) : () } sort keys %of;
}

# Another user has written.
sub is_written_to { my ($own) = @_; $own->{archived} = 0 if !$own->{muted_until}; return }

# From the model, and from an answer.
sub own_text {
	my ($own) = @_;
	my $draft = $own->{draft} // '';
	return join ' ', (grep { $own->{$_} } qw(archived marked_unread muted_until)), $own->{pinned} || $own->{pinned_at} ? 'pinned' : (), $draft ne '' ? "draft $draft" : ();
}

sub set {
	my ($self, $user, $c, %what) = @_;
	my $own = $c->{own}{$user} or return 404;
	%$own = (%$own, %what);
	return 200;
}

# As the list has them: first those that are pinned, and of each kind the one with the newest message.
sub in_list_order {
	return sort { (defined $b->{settings}{pinned_at}) <=> (defined $a->{settings}{pinned_at}) || $b->{last_message_time} cmp $a->{last_message_time} || $b->{id} <=> $a->{id} } @_;
}

# ---- the others ----

# The user has cleared the history that it was in, or is no party to it.
sub is_out { my ($user, $m) = @_; return $m->{from} ne $user && $m->{to} ne $user || $m->{seq} <= ($m->{conversation}{cleared}{$user} // 0) }

sub clear {
	my ($self, $user, $c, $up_to) = @_;
	return 404 if !grep { $_ eq $user } @{$c->{users}};
	my $last = @{$c->{messages}};
	$up_to = $last if !defined $up_to || $up_to > $last;
	$c->{cleared}{$user} = $up_to if $up_to > ($c->{cleared}{$user} // 0);
	return 204;
}

# Whether a list has it.
sub is_listed { my ($self, $user, $c) = @_; return ($c->{cleared}{$user} // 0) < @{$c->{messages}} }

sub recall {
	my ($self, $user, $m) = @_;
	return 404 if is_out($user, $m);
	return 403 if $m->{from} ne $user;
	strip($m, $m->{conversation});
	return 200;
}

# What a recall leaves; `of` is where it is pinned.
sub strip {
	my ($m, $of) = @_;
	@$m{qw(recalled mentions reactions)} = (1, [], []);
	$of->{pins} = [grep { $_ != $m } @{$of->{pins}}];
	return;
}

# A message's reactions: kinds in order, each an emoji and its users in order.
sub has_reacted { my ($m, $user, $emoji) = @_; return scalar grep { $_->[0] eq $emoji && grep { $_ eq $user } @{$_->[1]} } @{$m->{reactions}} }
sub add_reaction {
	my ($m, $user, $emoji) = @_;
	my ($kind) = grep { $_->[0] eq $emoji } @{$m->{reactions}};
	push @{$m->{reactions}}, $kind = [$emoji, []] if !$kind;
	push @{$kind->[1]}, $user;
	return;
}
sub remove_reaction {
	my ($m, $user, $emoji) = @_;
	@{$_->[1]} = grep { $_ ne $user } @{$_->[1]} for grep { $_->[0] eq $emoji } @{$m->{reactions}};
	$m->{reactions} = [grep { @{$_->[1]} } @{$m->{reactions}}];
	return;
}
sub reactions_text { my ($m) = @_; return join '', map { my $u = $_->[1]; " $_->[0]" . @$u . ':' . join ',', @$u > 5 ? @$u[0 .. 4] : @$u } @{$m->{reactions}} }
sub reactions_text_of_answer { my ($m) = @_; return join '', map { " $_->{emoji}$_->{count}:" . join ',', @{$_->{user_ids}} } @{$m->{reactions}} }

sub react {
	my ($self, $user, $m, $emoji, $adds) = @_;
	return 404 if is_out($user, $m) || $m->{deleted}{$user};
	return 409 if $m->{recalled};
	return 200 if !$adds == !has_reacted($m, $user, $emoji);
	$adds ? add_reaction($m, $user, $emoji) : remove_reaction($m, $user, $emoji);
	return 200;
}

# c->{pins}: the last one first.
sub pin {
	my ($self, $user, $m, $pins) = @_;
	return 404 if is_out($user, $m) || $pins && $m->{deleted}{$user};
	my $c = $m->{conversation};
	return 204 if !$pins == !grep { $_ == $m } @{$c->{pins}};
	return 409 if $pins && ($m->{recalled} || @{$c->{pins}} >= 50);
	$c->{pins} = [$pins ? $m : (), grep { $_ != $m } @{$c->{pins}}];
	return 204;
}

sub edit {
	my ($self, $user, $m, $content, @mentions) = @_;
	return 404 if is_out($user, $m);
	return 403 if $m->{from} ne $user;
	return 409 if $m->{recalled};
	return 403 if $m->{author};
	@mentions = grep { $_ eq $m->{from} || $_ eq $m->{to} } @mentions;
	return 200 if $m->{content} eq $content && "@{$m->{mentions}}" eq "@mentions";
	@$m{qw(content mentions edited)} = ($content, \@mentions, 1);
	return 200;
}

# A copy of the message, to another.
sub forward {
	my ($self, $user, $m, $to) = @_;
	return 404 if is_out($user, $m) || $m->{deleted}{$user};
	return 400 if $m->{recalled};
	my ($status, $copy) = $self->send($user, $to, content => $m->{content});
	$copy->{author} = $m->{author} // $m->{from};
	return (200, $copy);
}

sub delete {
	my ($self, $user, $m) = @_;
	return 404 if is_out($user, $m);
	$m->{deleted}{$user} = 1;
	my $c = $m->{conversation};
	$c->{pins} = [grep { $_ != $m } @{$c->{pins}}] if $m->{deleted}{$m->{from}} && $m->{deleted}{$m->{to}};
	return 204;
}

sub read_message {
	my ($self, $user, $m) = @_;
	return 404 if is_out($user, $m);
	return 403 if $m->{to} ne $user;
	$m->{read} = 1;
	return 200;
}

# (status, read_seq, how many became read, how many are unread then)
sub read_conversation {
	my ($self, $user, $c, $up_to) = @_;
	return 404 if !grep { $_ eq $user } @{$c->{users}};
	my $last = @{$c->{messages}};
	$up_to = $last if !defined $up_to || $up_to > $last;
	$c->{read_seq}{$user} = $up_to if $up_to > $c->{read_seq}{$user};
	delete $c->{own}{$user}{marked_unread};
	my @marked = grep { $_->{to} eq $user && !$_->{read} && $_->{seq} <= $up_to } @{$c->{messages}};
	$_->{read} = 1 for @marked;
	return (200, $c->{read_seq}{$user}, scalar(@marked), $self->unread($user, $c));
}

# Undefined where nothing comes of it yet that would not also come of it later.
sub deliver {
	my ($self, $user, $c, $up_to) = @_;
	return 404 if !grep { $_ eq $user } @{$c->{users}};
	return 200 if $up_to <= $self->delivered($user, $c);
	return undef if $up_to > @{$c->{messages}} || !grep { $_->{to} eq $user && $_->{seq} > $self->delivered($user, $c) && $_->{seq} <= $up_to } @{$c->{messages}};
	$c->{delivered}{$user} = $up_to;
	return 200;
}

sub delivered { my ($self, $user, $c) = @_; return (sort { $b <=> $a } $c->{read_seq}{$user}, $c->{delivered}{$user})[0] }

sub unread {
	my ($self, $user, $c) = @_;
	return scalar grep { $_->{to} eq $user && !$_->{read} && !$_->{recalled} } $self->visible($user, $c);
}

# Of messages of the other side: those that mention the user or everyone, in all conversations; and which of them are unread.
sub mentioning { my ($user, @m) = @_; return grep { $_->{to} eq $user && !$_->{recalled} && !is_out($user, $_) && !$_->{deleted}{$user} && grep { $_ eq $user || $_ eq '*' } @{$_->{mentions}} } @m }
sub mentions { my ($self, $user) = @_; return mentioning($user, map { @{$_->{messages}} } $self->of($user)) }
sub unread_mentions { my ($self, $user, $c) = @_; return scalar mentioning($user, grep { !$_->{read} } @{$c->{messages}}) }

sub visible { my ($self, $user, $c) = @_; return grep { !is_out($user, $_) && !$_->{deleted}{$user} } @{$c->{messages}} }

# A message reduced to what the model knows of it, from the model and from an answer.
sub summary {
	my ($self, $m) = @_;
	return join ' ', $m->{seq}, "$m->{from}>$m->{to}", $m->{recalled} ? 'recalled' : "$m->{content} [@{$m->{mentions}}]" . ($m->{edited} ? ' edited' : '') . reactions_text($m) . ($m->{author} ? " of $m->{author}" : ''), $m->{read} ? 'read' : 'unread';
}

sub summary_of_answer {
	my ($self, $m) = @_;
	return join ' ', $m->{seq}, "$m->{from_user_id}>$m->{to_user_id}", $m->{is_recalled} ? 'recalled' : "$m->{content} [@{$m->{mentions}}]" . ($m->{edited_at} ? ' edited' : '') . reactions_text_of_answer($m) . ($m->{forwarded_from} ? " of $m->{forwarded_from}{user_id}" : ''), $m->{is_read} ? 'read' : 'unread';
}

1;
