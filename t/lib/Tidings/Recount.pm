# SPDX-License-Identifier: BSD-2-Clause
# What the rows themselves say against what is kept beside them: counters, heads, members. Of groups also whether their
# members are those that their system messages tell of, one after the other.
package Tidings::Recount;
use strict;
use warnings;
use Exporter 'import';
use JSON::PP ();

our @EXPORT_OK = qw(direct_faults group_faults change_faults kept_faults replay_members group_unread);

# What message.keep_days has hidden counts for nothing, whether it is deleted yet or not.
my $of = 'm.id BETWEEN (c.id << 28) + c.kept_seq AND ((c.id << 28) | 268435455)';
my $dense = "last_seq <> c.kept_seq - 1 + (SELECT COUNT(*) FROM messages m WHERE $of) OR last_seq <> (SELECT COALESCE(MAX(m.id & 268435455), c.kept_seq - 1) FROM messages m WHERE $of)";
my $last_time = "last_seq >= kept_seq AND NOT (last_message_time <=> (SELECT MAX(m.created_at) FROM messages m WHERE $of))";

# Each returns one text a fault.
sub direct_faults {
	my ($dbh) = @_;
	my $unread = "(SELECT COUNT(*) FROM messages m WHERE $of AND m.to_user_id = c.user%1\$d_id AND NOT m.is_read AND (m.id & 268435455) > c.user%1\$d_read_seq AND %2\$s)";
	my $cleared = '(m.id & 268435455) < COALESCE(c.user%d_first_seq, 1)';
	my $last = "(SELECT COALESCE(MAX(m.id), 0) FROM messages m WHERE $of AND NOT IF(m.from_user_id = c.user%d_id, m.deleted_by_sender, m.deleted_by_recipient) AND NOT $cleared)";
	my %must = (
		'seq is not dense' => $dense,
		(map { ("unread of side $_" => "user${_}_unread <> " . sprintf($unread, $_, 'NOT m.is_recalled AND NOT m.deleted_by_recipient AND NOT ' . sprintf $cleared, $_),
			"dead of side $_" => "user${_}_dead <> " . sprintf($unread, $_, '(m.is_recalled OR m.deleted_by_recipient OR ' . sprintf($cleared, $_) . ')'),
			"last message of side $_" => "user${_}_last_id <> " . sprintf($last, $_, $_),
			"first message of side $_" => "user${_}_first_seq > last_seq + 1 OR NOT (user${_}_first_seq - 1 <=> (SELECT s.cleared_seq FROM conversation_settings s WHERE s.user_id = c.user${_}_id AND s.conversation_id = c.id))") } 1, 2),
		'last_message_time' => $last_time,
		'the order of sides' => 'user1_id >= user2_id',
		'delivered beyond the last message' => 'EXISTS(SELECT 1 FROM deliveries d WHERE d.conversation_id = c.id AND GREATEST(d.user1_seq, d.user2_seq) > c.last_seq)',
	);
	my @faults;
	for my $what (sort keys %must) {
		push @faults, "conversation $_: $what" for @{$dbh->selectcol_arrayref("SELECT c.id FROM conversations c WHERE $must{$what}")};
	}
	return @faults;
}

# message_type of the server's own messages.
my $is_system = 'm.message_type = 7';

sub group_faults {
	my ($dbh) = @_;
	my $of_group = 'WHERE x.conversation_id = c.id';
	my %head = (
		'seq is not dense' => $dense,
		# An entry of reactions moves with each of them.
		'change_seq' => "(change_seq < (SELECT COUNT(*) FROM changes x $of_group) OR (change_seq > (SELECT COUNT(*) FROM changes x $of_group) AND NOT EXISTS(SELECT 1 FROM changes x $of_group AND x.kind = 4)) OR change_seq <> (SELECT COALESCE(MAX(x.change_seq), 0) FROM changes x $of_group)) AND NOT (kept_seq > 1 AND change_seq >= (SELECT COALESCE(MAX(x.change_seq), 0) FROM changes x $of_group))",
		'uncounted_seq' => "IF(uncounted_seq < kept_seq, 0, uncounted_seq) <> (SELECT COALESCE(MAX(m.id & 268435455), 0) FROM messages m WHERE $of AND (m.is_recalled OR $is_system))",
		'uncounted: too many' => "COALESCE((SELECT SUM(BIT_COUNT(x.bits & IF(x.block = c.kept_seq >> 6, 18446744073709551615 << (c.kept_seq & 63), 18446744073709551615))) FROM uncounted x $of_group AND x.block >= c.kept_seq >> 6), 0) > (SELECT COUNT(*) FROM messages m WHERE $of AND (m.is_recalled OR $is_system))",
		'uncounted: too few' => "EXISTS(SELECT 1 FROM messages m WHERE $of AND (m.is_recalled OR $is_system) AND NOT EXISTS(SELECT 1 FROM uncounted x $of_group AND x.block = (m.id & 268435455) >> 6 AND x.bits >> (m.id & 63) & 1))",
		'all_seq' => "all_seq > last_seq OR all_seq < (SELECT COALESCE(MAX(x.seq), 0) FROM mentions x $of_group AND x.user_id = '*')",
		'member_count' => "member_count <> (SELECT COUNT(*) FROM members x $of_group)",
		'last_message_time' => $last_time,
		'sort_time' => 'sort_time < last_message_time OR active_at < last_message_time',
		'its owner' => "member_count > 0 AND dissolved_at IS NULL AND (SELECT GROUP_CONCAT(x.user_id) FROM members x $of_group AND x.role = 1) <> (SELECT p.owner_id FROM group_profiles p WHERE p.id = c.id)",
		'no owner' => "member_count > 0 AND dissolved_at IS NULL AND NOT EXISTS(SELECT 1 FROM members x $of_group AND x.role = 1)",
		'nobody is in it' => 'member_count = 0 AND dissolved_at IS NULL',
		'no profile' => 'NOT EXISTS(SELECT 1 FROM group_profiles p WHERE p.id = c.id)',
		'dissolved, and may be come into' => "dissolved_at IS NOT NULL AND (EXISTS(SELECT 1 FROM group_requests x $of_group) OR EXISTS(SELECT 1 FROM group_invites x $of_group))",
		'messages after its end' => "dissolved_at IS NOT NULL AND last_seq >= kept_seq AND NOT EXISTS(SELECT 1 FROM messages m WHERE m.id = (c.id << 28) + c.last_seq AND $is_system AND m.extra LIKE '{\"event\":\"dissolved\",%')",
		'over a code\'s uses' => "EXISTS(SELECT 1 FROM group_invites x $of_group AND x.uses > x.max_uses)",
	);
	my $mine = 'x.user_id = c.user_id AND x.conversation_id = c.conversation_id';
	my $deleted = "SELECT COALESCE(MAX(x.last_seq), 0) FROM deletions x WHERE $mine";
	my %member = (
		'joined_seq, first_seq' => 'COALESCE(rule_seq, first_seq) > joined_seq OR (COALESCE(rule_seq, first_seq) <> 1 AND COALESCE(rule_seq, first_seq) <> joined_seq)',
		'what is cleared' => "first_seq < rule_seq OR NOT (IF(rule_seq IS NULL, NULL, first_seq - 1) <=> (SELECT x.cleared_seq FROM conversation_settings x WHERE $mine))",
		'first_seq' => 'first_seq > 1 + (SELECT h.last_seq FROM group_heads h WHERE h.id = c.conversation_id)',
		'read_seq' => 'read_seq < joined_seq OR read_seq > (SELECT h.last_seq FROM group_heads h WHERE h.id = c.conversation_id)',
		'own messages that are unread' => "EXISTS(SELECT 1 FROM messages m WHERE m.id > (c.conversation_id << 28) + c.read_seq AND m.id <= (c.conversation_id << 28) + 268435455 AND m.from_user_id = c.user_id AND NOT ($is_system))",
		'deleted_seq' => "deleted_seq <> ($deleted) AND deleted_seq >= (SELECT h.kept_seq FROM group_heads h WHERE h.id = c.conversation_id)",
		'mention_seq' => "mention_seq < (SELECT COALESCE(MAX(x.seq), 0) FROM mentions x WHERE $mine AND x.seq > c.joined_seq)",
		'banned' => "EXISTS(SELECT 1 FROM group_bans x WHERE $mine)",
		'asks to come in' => "EXISTS(SELECT 1 FROM group_requests x WHERE $mine)",
		'no group' => 'NOT EXISTS(SELECT 1 FROM group_heads h WHERE h.id = c.conversation_id)',
	);
	my @faults;
	for my $what (sort keys %head) {
		push @faults, "group $_: $what" for @{$dbh->selectcol_arrayref("SELECT c.id FROM group_heads c WHERE $head{$what}")};
	}
	for my $what (sort keys %member) {
		push @faults, "member $_: $what" for @{$dbh->selectcol_arrayref("SELECT CONCAT(c.user_id, ' of ', c.conversation_id) FROM members c WHERE $member{$what}")};
	}
	push @faults, "$_: group_counts" for @{$dbh->selectcol_arrayref('SELECT user_id FROM group_counts k WHERE n <> (SELECT COUNT(*) FROM members x WHERE x.user_id = k.user_id)
		UNION SELECT user_id FROM members x WHERE user_id NOT IN (SELECT user_id FROM group_counts)')};
	push @faults, "$_: runs of deletions that touch" for @{$dbh->selectcol_arrayref('SELECT a.user_id FROM deletions a JOIN deletions b USING (user_id, conversation_id)
		WHERE b.first_seq > a.first_seq AND b.first_seq <= a.last_seq + 1 UNION SELECT user_id FROM deletions WHERE last_seq < first_seq')};
	return @faults, map { replay_faults($dbh, $_) } @{$dbh->selectcol_arrayref('SELECT id FROM group_heads WHERE kept_seq = 1')};
}

# Reactions: what a message says of them, its one entry among the changes; and pins of messages that are there.
sub change_faults {
	my ($dbh) = @_;
	my (%rows, %said);
	push @{$rows{$_->[0]}{$_->[1]}}, $_->[2] for @{$dbh->selectall_arrayref('SELECT r.message_id, r.emoji, r.user_id FROM reactions r JOIN messages m ON m.id = r.message_id ORDER BY r.n')};
	for my $row (@{$dbh->selectall_arrayref('SELECT id, reactions FROM messages WHERE reactions IS NOT NULL')}) {
		$said{$row->[0]} = join "\n", sort split /\n/, $row->[1];
	}
	my %counted = map { my $of = $rows{$_}; ($_ => join "\n", sort map { my @u = @{$of->{$_}}; "$_ " . @u . ' ' . join ',', @u > 5 ? @u[0 .. 4] : @u } keys %$of) } keys %rows;
	my @faults = map { "message $_: says ($said{$_})" . ', not (' . ($counted{$_} // '') . ')' } grep { $said{$_} ne ($counted{$_} // '') } sort keys %said;
	push @faults, map { "message $_: says nothing of its reactions" } grep { !defined $said{$_} } sort keys %counted;
	my $entry = 'x.kind = 4 AND x.message_id = m.id AND x.conversation_id = m.id >> 28';
	push @faults, map { "message $_: its entry of reactions" } @{$dbh->selectcol_arrayref("SELECT m.id FROM messages m WHERE m.reaction_seq IS NOT NULL AND (SELECT GROUP_CONCAT(x.change_seq) FROM changes x WHERE $entry) <> m.reaction_seq
		UNION SELECT x.message_id FROM changes x JOIN messages m ON x.kind = 4 AND m.id = x.message_id WHERE m.reaction_seq IS NULL")};
	push @faults, map { "message $_: is pinned" } @{$dbh->selectcol_arrayref('SELECT p.message_id FROM pins p LEFT JOIN messages m ON m.id = p.message_id WHERE m.id IS NULL OR m.is_recalled OR p.conversation_id <> m.id >> 28')};
	return @faults;
}

# What other tables keep of messages until these are recalled: when they expire, and the parts of merged ones.
sub kept_faults {
	my ($dbh) = @_;
	my $is_merged = 'm.message_type = 6 AND NOT m.is_recalled';
	my $parts = 'FROM forwarded p WHERE p.message_id = m.id';
	my %must = (
		'its time' => 'SELECT m.id FROM messages m LEFT JOIN expiries e ON e.message_id = m.id AND e.expires_at = m.expires_at WHERE m.expires_at IS NOT NULL AND m.is_recalled = (e.message_id IS NOT NULL)',
		'a time that it has not' => 'SELECT e.message_id FROM expiries e LEFT JOIN messages m ON m.id = e.message_id AND m.expires_at = e.expires_at WHERE m.id IS NULL',
		# Below the tenth level parts are counted, and not kept.
		'its parts' => "SELECT m.id FROM messages m LEFT JOIN forwards f ON f.message_id = m.id WHERE $is_merged AND (f.parts IS NULL OR f.parts < (SELECT COUNT(*) $parts) OR (f.parts > (SELECT COUNT(*) $parts) AND NOT EXISTS(SELECT 1 $parts AND LENGTH(p.part) = 29)))",
		'parts that it has not' => "SELECT message_id FROM (SELECT message_id FROM forwards UNION SELECT message_id FROM forwarded) f LEFT JOIN messages m ON m.id = f.message_id AND $is_merged WHERE m.id IS NULL",
	);
	return map { my $what = $_; map { "message $_: $what" } @{$dbh->selectcol_arrayref($must{$what})} } sort keys %must;
}

# What a group's system messages tell of its members: {user => [[first seq, last seq or undef], ...]}, in order; faults.
sub replay_members {
	my ($dbh, $id) = @_;
	my (%spans, @faults);
	my $rows = $dbh->selectall_arrayref("SELECT m.id & 268435455, m.from_user_id, m.extra FROM messages m WHERE m.id BETWEEN ? << 28 AND (? << 28) | 268435455 AND $is_system ORDER BY m.id", undef, $id, $id);
	my $dissolved;
	for my $row (@$rows) {
		my ($seq, $from, $extra) = @$row;
		my ($event, $users) = @{JSON::PP->new->decode($extra)}{qw(event user_ids)};
		push @faults, "group $id: $event with seq $seq after it was dissolved" if $dissolved;
		$dissolved ||= $event eq 'dissolved';
		for my $user ($event =~ /\A(?:created|added|joined)\z/ ? @$users : ()) {
			push @faults, "group $id: $user $event twice with seq $seq" if $spans{$user} && !defined $spans{$user}[-1][1];
			push @{$spans{$user}}, [$seq, undef];
		}
		for my $user ($event =~ /\A(?:left|removed)\z/ ? @$users : ()) {
			push @faults, "group $id: $user $event with seq $seq, and was not in" if !$spans{$user} || defined $spans{$user}[-1][1];
			$spans{$user}[-1][1] = $seq;
		}
		# Who keeps the server needs to be in nothing (tidingsctl group).
		my $in = $from eq 'system' || $spans{$from} && (!defined $spans{$from}[-1][1] || $spans{$from}[-1][1] >= $seq);
		push @faults, "group $id: $event with seq $seq is by $from, who was not in" if !$in;
	}
	return (\%spans, $dissolved, @faults);
}

sub replay_faults {
	my ($dbh, $id) = @_;
	my ($spans, $dissolved, @faults) = replay_members($dbh, $id);
	my %stored = map { $_->[0] => $_->[1] } @{$dbh->selectall_arrayref('SELECT user_id, joined_seq FROM members WHERE conversation_id = ?', undef, $id)};
	for my $user (sort keys %$spans) {
		my ($from, $to) = @{$spans->{$user}[-1]};
		push @faults, "group $id: $user is in, and was told to be out" if defined $to && exists $stored{$user};
		# Nobody is told who leaves a dissolved group.
		push @faults, "group $id: $user is out, and was told to be in" if !defined $to && !exists $stored{$user} && !$dissolved;
		push @faults, "group $id: joined_seq of $user is $stored{$user}, not $from" if exists $stored{$user} && $stored{$user} != $from;
	}
	push @faults, "group $id: $_ is in, and nobody was told" for grep { !$spans->{$_} } sort keys %stored;
	return @faults;
}

# What is unread for a member, counted message by message: (unread, of which mention the member or everyone).
sub group_unread {
	my ($dbh, $id, $user) = @_;
	return map { 0 + $_ } $dbh->selectrow_array("SELECT COUNT(*), COALESCE(SUM(JSON_CONTAINS(COALESCE(m.mentions, '[]'), JSON_QUOTE(?)) OR JSON_CONTAINS(COALESCE(m.mentions, '[]'), '\"*\"')), 0)
		FROM members x JOIN group_heads h ON h.id = x.conversation_id JOIN messages m ON m.id > (x.conversation_id << 28) + x.read_seq AND m.id <= (x.conversation_id << 28) + 268435455
		WHERE x.user_id = ? AND x.conversation_id = ? AND (m.id & 268435455) >= GREATEST(x.first_seq, h.kept_seq) AND m.from_user_id <> x.user_id AND NOT m.is_recalled AND NOT ($is_system)
			AND NOT EXISTS(SELECT 1 FROM deletions d WHERE d.user_id = x.user_id AND d.conversation_id = x.conversation_id AND (m.id & 268435455) BETWEEN d.first_seq AND d.last_seq)",
		undef, $user, $user, $id);
}

1;
