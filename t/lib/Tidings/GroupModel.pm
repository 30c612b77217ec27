# SPDX-License-Identifier: BSD-2-Clause
# What groups are, in as few words as possible: the same operations on plain Perl data. The tests hold the server
# against it. Each operation returns what REST answers, the status, and the code of a refusal ("403 muted"), in the
# contract's order of refusals, and does what is done then.
package Tidings::GroupModel;
use strict;
use warnings;
use Tidings::Model ();

# known: the users with an account; friends: {"a b" => 1} for a pair in order; blocked: the same, where a blocks b.
sub new {
	my ($class, %o) = @_;
	return bless {max_members => 10000, max_per_user => 2000, %o, groups => [], by_client => {}, by_group_key => {}, by_forward => {}}, $class;
}

sub pair { return join ' ', sort @_ }
sub member { my ($self, $g, $user) = @_; return $g->{members}{$user} }
sub groups_of { my ($self, $user) = @_; return grep { $_->{members}{$user} } @{$self->{groups}} }
# As many as count for the limit: those that are dissolved do not, until they and the others are twice as many.
sub places_of {
	my ($self, $user) = @_;
	my @groups = $self->groups_of($user);
	return scalar @groups if @groups >= 2 * $self->{max_per_user};
	return scalar grep { !$_->{dissolved} } @groups;
}
sub last_seq { my ($self, $g) = @_; return scalar @{$g->{messages}} }
sub is_admin { my ($m) = @_; return $m->{role} ne 'member' }

# ---- what the operations have in common ----

# The refusal of who is less than that role, or ''.
sub may {
	my ($self, $g, $user, $least) = @_;
	my %rank = (owner => 1, admin => 2, member => 3);
	my $m = $g->{members}{$user} or return '404 not_found';
	return $rank{$m->{role}} <= $rank{$least} ? '' : '403 forbidden';
}

sub alive { my ($self, $g) = @_; return $g->{dissolved} ? '409 group_dissolved' : '' }

sub say {
	my ($self, $g, $from, $event, @users) = @_;
	push @{$g->{messages}}, {from => $from, event => $event, users => [@users], seq => 1 + @{$g->{messages}}, deleted => {}, mentions => [], reactions => [], group => $g};
	Tidings::Model::is_written_to($_->{own}) for values %{$g->{members}};
	return;
}

# After the message that tells of it.
sub let_in {
	my ($self, $g, %role) = @_;
	my $seq = $self->last_seq($g);
	for my $user (keys %role) {
		$g->{members}{$user} = {role => $role{$user}, joined_seq => $seq, read_seq => $seq, muted => 0, own => {}, %{delete $g->{leavers}{$user} // {}},
			first_seq => $g->{settings}{history} eq 'joined' && $seq > 1 ? $seq : 1};
		delete $g->{requests}{$user};
	}
	return;
}

# A mute, and having sent in slow mode, are still so when they come back.
sub let_out {
	my ($self, $g, $user) = @_;
	my $m = delete $g->{members}{$user} or return;
	$g->{leavers}{$user} = {muted => $m->{muted}, sent => $m->{sent}} if $m->{muted} || $g->{settings}{slow_mode_seconds} && $m->{sent};
	return;
}

sub no_room {
	my ($self, $g, $user, $more) = @_;
	return '409 too_many_groups' if $self->places_of($user) >= $self->{max_per_user};
	return keys(%{$g->{members}}) + ($more // 0) >= $self->{max_members} ? '409 group_full' : '';
}

# Who of these can be added by that user, and why the others cannot: ([user, ...], {user => code}).
sub screen {
	my ($self, $g, $by, $users, $before) = @_;
	my (@in, %out, %seen);
	for my $user (grep { !$seen{$_}++ } @$users) {
		my $pair = pair($by, $user);
		$out{$user} = !$self->{known}{$user} ? 'not_found' : $g->{members}{$user} ? 'already_member' : $g->{bans}{$user} ? 'banned'
			: $self->{blocked}{"$user $by"} ? 'blocked' : !$self->{friends}{$pair} ? 'not_friends' : $self->no_room($g, $user, $before + @in) =~ s/^409 //r;
		push @in, $user if $out{$user} eq '';
	}
	delete @out{@in};
	return (\@in, \%out);
}

# ---- the group ----

# (status, group, {left out => why})
sub create {
	my ($self, $user, $users, $settings, $key, $name) = @_;
	if (defined $key && (my $g = $self->{by_group_key}{$user}{$key})) {
		return $g->{members}{$user} ? (200, $g, {}) : ('404 not_found');
	}
	return ('409 too_many_groups') if $self->places_of($user) >= $self->{max_per_user};
	my $g = {name => $name, settings => {join => 'invite', history => 'all', send => 'all', add => 'all', slow_mode_seconds => 0, %$settings},
		members => {}, messages => [], pins => [], bans => {}, requests => {}, invites => {}, dissolved => 0};
	my ($in, $out) = $self->screen($g, $user, [grep { $_ ne $user } @$users], 1);
	$self->say($g, $user, 'created', $user, @$in);
	$self->let_in($g, $user => 'owner', map { $_ => 'member' } @$in);
	push @{$self->{groups}}, $g;
	$self->{by_group_key}{$user}{$key} = $g if defined $key;
	return (201, $g, $out);
}

sub change {
	my ($self, $g, $user, $name, $settings) = @_;
	my $no = $self->may($g, $user, 'admin') || $self->alive($g);
	return $no if $no;
	my $renamed = defined $name && $name ne $g->{name};
	my $changed = grep { $g->{settings}{$_} ne $settings->{$_} } keys %$settings;
	$g->{name} = $name if $renamed;
	$g->{settings} = {%{$g->{settings}}, %$settings};
	$self->say($g, $user, $changed ? 'changed' : 'renamed') if $renamed || $changed;
	return 200;
}

sub dissolve {
	my ($self, $g, $user) = @_;
	my $no = $self->may($g, $user, 'owner');
	return $no if $no;
	$self->end($g, $user) if !$g->{dissolved};
	return 204;
}

sub end {
	my ($self, $g, $user) = @_;
	$self->say($g, $user, 'dissolved');
	@$g{qw(dissolved requests invites)} = (1, {}, {});
	return;
}

# ---- members ----

# (status, [added], {left out => why})
sub add {
	my ($self, $g, $user, $users) = @_;
	my $no = $self->may($g, $user, $g->{settings}{add} eq 'admins' ? 'admin' : 'member') || $self->alive($g);
	return ($no) if $no;
	my ($in, $out) = $self->screen($g, $user, $users, 0);
	if (@$in) {
		$self->say($g, $user, 'added', @$in);
		$self->let_in($g, map { $_ => 'member' } @$in);
	}
	return (200, $in, $out);
}

sub leave {
	my ($self, $g, $user) = @_;
	my $m = $g->{members}{$user} or return '404 not_found';
	my $alone = keys(%{$g->{members}}) == 1;
	return '409 conflict' if $m->{role} eq 'owner' && !$alone && !$g->{dissolved};
	if (!$g->{dissolved}) {
		$m->{role} eq 'owner' ? $self->end($g, $user) : $self->say($g, $user, 'left', $user);
	}
	$self->let_out($g, $user);
	return 204;
}

# Whether the peer, a member or not, is under the user.
sub is_over {
	my ($self, $g, $user, $peer) = @_;
	my ($m, $p) = @{$g->{members}}{$user, $peer};
	return !$p || ($p->{role} ne 'owner' && ($m->{role} eq 'owner' || $p->{role} eq 'member'));
}

sub remove {
	my ($self, $g, $user, $peer, $ban) = @_;
	return $self->leave($g, $user) if $peer eq $user;
	my $no = $self->may($g, $user, 'admin') || ($self->is_over($g, $user, $peer) ? $self->alive($g) : '403 forbidden');
	return $no if $no;
	if ($ban) {
		$g->{bans}{$peer} = $user if !$g->{bans}{$peer};
		delete $g->{requests}{$peer};
	}
	if ($g->{members}{$peer}) {
		$self->say($g, $user, 'removed', $peer);
		delete $g->{invites}{$_} for grep { $g->{invites}{$_}{by} eq $peer } keys %{$g->{invites}};
	}
	$self->let_out($g, $peer);
	return 204;
}

sub unban {
	my ($self, $g, $user, $peer) = @_;
	my $no = $self->may($g, $user, 'admin') || $self->alive($g);
	return $no if $no;
	delete $g->{bans}{$peer};
	return 204;
}

# to: {role => ...} or {muted => 0 or 1}
sub set_member {
	my ($self, $g, $user, $peer, $to) = @_;
	my $no = $self->may($g, $user, exists $to->{role} ? 'owner' : 'admin') || ($self->is_over($g, $user, $peer) ? $self->alive($g) : '403 forbidden');
	return $no if $no;
	my $p = $g->{members}{$peer} or return '404 not_found';
	my $role = $p->{role};
	$p->{$_} = $to->{$_} for keys %$to;
	$self->say($g, $user, 'role', $peer) if $p->{role} ne $role;
	return 200;
}

sub pass_on {
	my ($self, $g, $user, $peer) = @_;
	my $no = $self->may($g, $user, 'owner') || $self->alive($g);
	return $no if $no;
	my $p = $g->{members}{$peer} or return '404 not_found';
	return 200 if $peer eq $user;
	$g->{members}{$user}{role} = 'admin';
	$p->{role} = 'owner';
	$self->say($g, $user, 'owner', $peer);
	return 200;
}

# ---- coming in ----

# (status, invite without its code)
sub invite {
	my ($self, $g, $user, $max_uses) = @_;
	my $no = $self->may($g, $user, $g->{settings}{add} eq 'admins' ? 'admin' : 'member') || $self->alive($g);
	return ($no) if $no;
	my $of = $g->{invites};
	my @used_up = grep { defined $of->{$_}{max_uses} && $of->{$_}{uses} >= $of->{$_}{max_uses} } keys %$of;
	return ('409 conflict') if keys(%$of) - @used_up >= 100;
	delete @$of{@used_up};
	return (201, {max_uses => $max_uses, uses => 0, by => $user});
}

sub revoke {
	my ($self, $g, $user, $code) = @_;
	my $no = $self->may($g, $user, $g->{settings}{add} eq 'admins' ? 'admin' : 'member') || $self->alive($g);
	return $no if $no;
	return delete $g->{invites}{$code} ? 204 : '404 not_found';
}

# code: undef where the group is open.
sub join {
	my ($self, $g, $user, $code) = @_;
	my $invite = defined $code ? $g->{invites}{$code} : undef;
	return '404 not_found' if defined $code && !$invite;
	return 200 if $g->{members}{$user};
	my $approval = $g->{settings}{join} eq 'approval';
	return 202 if $approval && $g->{requests}{$user};
	return '404 not_found' if $g->{dissolved};
	return '404 not_found' if $invite ? defined $invite->{max_uses} && $invite->{uses} >= $invite->{max_uses} : $g->{settings}{join} eq 'invite';
	return '403 forbidden' if $g->{bans}{$user};
	my $no = $approval ? '' : $self->no_room($g, $user);
	return $no if $no;
	$invite->{uses}++ if $invite;
	if ($approval) {
		$g->{requests}{$user} = 1;
		return 202;
	}
	$self->say($g, $user, 'joined', $user);
	$self->let_in($g, $user => 'member');
	return 200;
}

sub answer_request {
	my ($self, $g, $user, $peer, $accept) = @_;
	my $no = $self->may($g, $user, 'admin') || $self->alive($g) || ($g->{requests}{$peer} ? '' : '404 not_found') || ($accept ? $self->no_room($g, $peer) : '');
	return $no if $no;
	if (!$accept) {
		delete $g->{requests}{$peer};
		return 204;
	}
	$self->say($g, $user, 'added', $peer);
	$self->let_in($g, $peer => 'member');
	return 200;
}

# ---- messages ----

sub may_write {
	my ($self, $g, $me, $mentions) = @_;
	return '' if is_admin($me);
	return '403 muted' if $me->{muted};
	return '403 sending_restricted' if $g->{settings}{send} eq 'admins';
	return keys(%{$g->{members}}) > 20 && grep({ $_ eq '*' } @{$mentions // []}) ? '403 forbidden' : '';
}

sub in_group {
	my ($g, $asked) = @_;
	my %seen;
	my @mentions = grep { !$seen{$_}++ && ($_ eq '*' || $g->{members}{$_}) } @{$asked // []};
	return grep({ $_ eq '*' } @mentions) ? ('*') : @mentions;
}

# (status, message); m: content, mentions, reply_to (a seq), client_msg_id
sub send {
	my ($self, $g, $user, %m) = @_;
	my $known = defined $m{client_msg_id} ? $self->{by_client}{$user}{$m{client_msg_id}} : undef;
	if ($known) {
		my $same = $known->{group} == $g && ($known->{recalled} || $known->{edited} || $known->{asked} eq asked(%m));
		return $same ? (200, $known) : ('409 client_msg_id_reused');
	}
	my $me = $g->{members}{$user} or return ('404 not_found');
	my $no = $self->alive($g);
	$no ||= $self->may_write($g, $me, $m{mentions});
	$no ||= '429 rate_limited' if !is_admin($me) && $g->{settings}{slow_mode_seconds} && $me->{sent};
	$no ||= '400 invalid_argument' if defined $m{reply_to} && ($m{reply_to} < $me->{first_seq} || $m{reply_to} > $self->last_seq($g));
	return ($no) if $no;
	my @mentions = in_group($g, $m{mentions});
	my $message = {%m, from => $user, mentions => \@mentions, reactions => [], asked => asked(%m), seq => 1 + @{$g->{messages}}, deleted => {}, recalled => 0, group => $g};
	push @{$g->{messages}}, $message;
	Tidings::Model::is_written_to($g->{members}{$_}{own}) for grep { $_ ne $user } keys %{$g->{members}};
	@$me{qw(sent read_seq)} = (1, $message->{seq});
	$self->{by_client}{$user}{$m{client_msg_id}} = $message if defined $m{client_msg_id};
	return (201, $message);
}

# Messages of any groups to others, as copies or merged into one: (status, [[copies, the code of a refusal or ''], ...]), one
# for each target.
sub forward {
	my ($self, $user, $messages, $to, $merged, $key) = @_;
	my $request = CORE::join ' ', $merged, (map { $_->{id} } @$to), 'of', map { ($_->{group}{id} << 28) + $_->{seq} } @$messages;
	my $known = defined $key ? $self->{by_forward}{$user}{$key} : undef;
	return $known->{request} eq $request ? (200, $known->{results}) : ('409 client_msg_id_reused') if $known;
	return ('404 not_found') if grep { !$self->sees($user, $_) } @$messages;
	return ('400 invalid_argument') if grep { $_->{recalled} || defined $_->{event} } @$messages;
	my @parts = map { part_of($_) } @$messages;
	return ('400 invalid_argument') if $merged && count_parts(\@parts) > 1000;
	my @copies = $merged ? {content => '', parts => \@parts} : map { {%$_, author => $_->{author} // $_->{from}} } @parts;
	my %of;
	my @results = map { $of{$_->{id}} //= $self->send_all($_, $user, @copies) } @$to;
	# What is missing would be sent by a repeat.
	$self->{by_forward}{$user}{$key} = {request => $request, results => \@results} if defined $key && !grep { $_->[1] } @results;
	return (200, \@results);
}

# One after the other: what is sent when one is refused is a beginning.
sub send_all {
	my ($self, $g, $user, @m) = @_;
	my @sent;
	for my $m (@m) {
		my ($status, $message) = $self->send($g, $user, %$m);
		return [\@sent, $status =~ s/^\d+ //r] if !$message;
		push @sent, $message;
	}
	return [\@sent, ''];
}

# A message as it is now, in another.
sub part_of { my ($m) = @_; return {map { exists $m->{$_} ? ($_ => $m->{$_}) : () } qw(from content author parts)} }
sub count_parts { my ($parts) = @_; my $n = @$parts; $n += count_parts($_->{parts}) for grep { $_->{parts} } @$parts; return $n }
# All that is in a merged message, down to the level where no more is kept.
sub parts_text {
	my ($parts, $levels) = @_;
	return '' if $levels == 0;
	return CORE::join '', map { "($_->{from} $_->{content}" . ($_->{author} ? " of $_->{author}" : '') . ($_->{parts} ? ' ' . parts_text($_->{parts}, $levels - 1) : '') . ')' } @$parts;
}

sub asked { my (%m) = @_; return CORE::join "\0", $m{content}, $m{reply_to} // '', $m{expires_in} // '', @{$m{mentions} // []} }

sub recall {
	my ($self, $user, $m) = @_;
	my $g = $m->{group};
	my $me = $g->{members}{$user};
	return '404 not_found' if !$me || $m->{seq} < $me->{first_seq};
	return '403 forbidden' if defined $m->{event};
	my $author = $g->{members}{$m->{from}};
	my $may = $m->{from} eq $user || $me->{role} eq 'owner' || ($me->{role} eq 'admin' && (!$author || $author->{role} eq 'member'));
	return '403 not_sender' if !$may;
	Tidings::Model::strip($m, $g);
	return 200;
}

# Why a member may not change what others see without words; "" where they may.
sub may_change {
	my ($self, $g, $me) = @_;
	return $self->alive($g) || (!is_admin($me) && $me->{muted} ? '403 muted' : '');
}

sub react {
	my ($self, $user, $m, $emoji, $adds) = @_;
	my $g = $m->{group};
	my $me = $g->{members}{$user};
	return '404 not_found' if !$me || $m->{seq} < $me->{first_seq} || $m->{deleted}{$user};
	return '403 forbidden' if defined $m->{event};
	return '409 conflict' if $m->{recalled};
	return 200 if !$adds == !Tidings::Model::has_reacted($m, $user, $emoji);
	my $no = $adds ? $self->may_change($g, $me) : '';
	return $no if $no;
	$adds ? Tidings::Model::add_reaction($m, $user, $emoji) : Tidings::Model::remove_reaction($m, $user, $emoji);
	return 200;
}

sub pin {
	my ($self, $user, $m, $pins) = @_;
	my $g = $m->{group};
	my $me = $g->{members}{$user};
	return '404 not_found' if !$me || $m->{seq} < $me->{first_seq} || $pins && $m->{deleted}{$user};
	return '403 forbidden' if !is_admin($me);
	return 204 if !$pins == !grep { $_ == $m } @{$g->{pins}};
	return '403 forbidden' if $pins && defined $m->{event};
	my $no = $pins ? $self->may_change($g, $me) : '';
	$no ||= '409 conflict' if $pins && ($m->{recalled} || @{$g->{pins}} >= 50);
	return $no if $no;
	$g->{pins} = [$pins ? $m : (), grep { $_ != $m } @{$g->{pins}}];
	return 204;
}

sub pinned { my ($self, $g, $user) = @_; return grep { $_->{seq} >= $g->{members}{$user}{first_seq} && !$_->{deleted}{$user} } @{$g->{pins}} }

sub edit {
	my ($self, $user, $m, $content, $mentions) = @_;
	my $g = $m->{group};
	my $me = $g->{members}{$user};
	return '404 not_found' if !$me || $m->{seq} < $me->{first_seq};
	return '403 forbidden' if defined $m->{event};
	return '403 not_sender' if $m->{from} ne $user;
	return '409 conflict' if $m->{recalled};
	return '403 forbidden' if $m->{author} || $m->{parts};
	my @mentions = in_group($g, $mentions);
	return 200 if $m->{content} eq $content && "@{$m->{mentions}}" eq "@mentions";
	my $no = $self->alive($g) || $self->may_write($g, $me, $mentions);
	return $no if $no;
	@$m{qw(content mentions edited)} = ($content, \@mentions, 1);
	return 200;
}

sub delete {
	my ($self, $user, $m) = @_;
	my $me = $m->{group}{members}{$user};
	return '404 not_found' if !$me || $m->{seq} < $me->{first_seq};
	$m->{deleted}{$user} = 1;
	return 204;
}

# (status, read_seq, how many became read, how many are unread then)
sub read_up_to {
	my ($self, $g, $user, $up_to) = @_;
	my $me = $g->{members}{$user} or return ('404 not_found');
	my $last = $self->last_seq($g);
	$up_to = $last if !defined $up_to || $up_to > $last;
	my $marked = grep { $_->{seq} <= $up_to } $self->unread($g, $user);
	$me->{read_seq} = $up_to if $up_to > $me->{read_seq};
	delete $me->{own}{marked_unread};
	return (200, $me->{read_seq}, $marked, scalar $self->unread($g, $user));
}

sub clear {
	my ($self, $g, $user, $up_to) = @_;
	my $me = $g->{members}{$user} or return '404 not_found';
	my $last = $self->last_seq($g);
	$up_to = $last if !defined $up_to || $up_to > $last;
	$me->{first_seq} = $up_to + 1 if $up_to >= $me->{first_seq};
	return 204;
}

sub set {
	my ($self, $g, $user, %what) = @_;
	my $me = $g->{members}{$user} or return '404 not_found';
	%{$me->{own}} = (%{$me->{own}}, %what);
	return 200;
}

# ---- what one sees ----

# Whether a list has it.
sub is_listed { my ($self, $g, $user) = @_; return $g->{members}{$user}{first_seq} <= $self->last_seq($g) }

sub sees { my ($self, $user, $m) = @_; my $me = $m->{group}{members}{$user}; return $me && $m->{seq} >= $me->{first_seq} && !$m->{deleted}{$user} }

sub merged { my ($self, $g) = @_; return grep { $_->{parts} } @{$g->{messages}} }
# What they hold, for whom asks.
sub parts_seen { my ($self, $user, $m) = @_; return $self->sees($user, $m) && !$m->{recalled} ? parts_text($m->{parts}, 10) : '404 not_found' }

sub visible { my ($self, $g, $user) = @_; return grep { $_->{seq} >= $g->{members}{$user}{first_seq} && !$_->{deleted}{$user} } @{$g->{messages}} }

sub unread {
	my ($self, $g, $user) = @_;
	return grep { $_->{seq} > $g->{members}{$user}{read_seq} && !defined $_->{event} && !$_->{recalled} && $_->{from} ne $user } $self->visible($g, $user);
}

sub mentions_user { my ($m, $user) = @_; return scalar grep { $_ eq $user || $_ eq '*' } @{$m->{mentions}} }
sub mentioned { my ($self, $g, $user) = @_; return grep { mentions_user($_, $user) } $self->unread($g, $user) }

# The messages that name the user, without their own, or everyone.
sub mentions_of {
	my ($self, $user) = @_;
	return grep { mentions_user($_, $_->{from} eq $user ? '*' : $user) } map { $self->visible($_, $user) } $self->groups_of($user);
}

# Owner and admins first.
sub members_in_order {
	my ($self, $g) = @_;
	my $m = $g->{members};
	my %rank = (owner => 1, admin => 2, member => 3);
	return map { "$_ $m->{$_}{role}" . ($m->{$_}{muted} ? ' muted' : '') } sort { $rank{$m->{$a}{role}} <=> $rank{$m->{$b}{role}} || $a cmp $b } keys %$m;
}

# A message reduced to what the model knows of it, from the model and from an answer.
sub summary {
	my ($self, $m) = @_;
	return "$m->{seq} $m->{from} " . (defined $m->{event} ? "($m->{event} @{$m->{users}})" : $m->{recalled} ? 'recalled' : ($m->{parts} ? preview(map { [@$_{qw(from content)}] } @{$m->{parts}}) : $m->{content}) . " [@{$m->{mentions}}]" . ($m->{edited} ? ' edited' : '') . ($m->{author} ? " of $m->{author}" : '') . Tidings::Model::reactions_text($m));
}

sub preview { return CORE::join ',', map { "<$_->[0] " . ($_->[1] // '') . '>' } @_ }

sub summary_of_answer {
	my ($self, $m) = @_;
	my $content = $m->{message_type} eq 'forward' && !$m->{is_recalled} ? preview(map { [@$_{qw(user_id content)}] } @{$m->{extra}{items}}) : $m->{content};
	my $what = $m->{message_type} eq 'system' ? "($m->{extra}{event} @{$m->{extra}{user_ids}})" : $m->{is_recalled} ? 'recalled' : "$content [@{$m->{mentions}}]" . ($m->{edited_at} ? ' edited' : '') . ($m->{forwarded_from} ? " of $m->{forwarded_from}{user_id}" : '') . Tidings::Model::reactions_text_of_answer($m);
	return "$m->{seq} $m->{from_user_id} $what";
}

1;
