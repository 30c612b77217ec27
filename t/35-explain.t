# SPDX-License-Identifier: BSD-2-Clause
# Proves that the database finds what it is asked by an index: every command of the server's table is driven against
# tables with many rows, the database logs what it is asked, and EXPLAIN shows no scan of a table that grows and no sort of
# its rows. What is not filled, not driven or not asked makes the test fail, so that it grows with the server.
use Tidings;
use JSON::PP ();
use Tidings::Explain qw(log_start log_stop logged statements plan_faults sql_pieces was_asked);
use Tidings::Hook;
use Tidings::Pack qw(png write_pack);
use Tidings::Util qw(run slurp);
use MIME::Base64 qw(encode_base64url);

my $files = Tidings::dir() . '/media';
mkdir $files or die "$files: $!\n";
run(Tidings::dir(), qw(openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out), Tidings::dir() . '/vapid.pem');
my $hook = Tidings::Hook->new(dir => Tidings::dir(), secret => 'x' x 32);
my $t = Tidings->start(workers => 1, start => 0, conf => {account => {erase_messages => 'true'}, websocket => {ping_interval => 3600, idle_timeout => 7200}, relay => {vapid_key_file => Tidings::dir() . '/vapid.pem', webpush_subject => 'mailto:a@example.org', allow_private => 'true', webhook => {crm => {url => $hook->url('/crm'), secret_file => $hook->secret_file, events => [qw(message read user presence)]}}}, media => {directory => $files, quota_per_user => 1 << 40}, groups => {fanout_per_second => 50}, limits => {sends_per_second => 1, burst => 80, logins_per_minute => 0}});
my $dbh = $t->dbh;
my $top = Tidings::top();

# ---- rows ----
# alice has a conversation with each of a0001..a0999, where she is the second, and u0001..u0999, where she is the first;
# they have some among themselves. Half of all times lie ahead, so that half of the rows are after any cursor.

my $time = 'UTC_TIMESTAMP(3) + INTERVAL (CAST(seq AS SIGNED) - 500) SECOND';
my $other = q{CONCAT(IF(seq % 2, 'a', 'u'), LPAD(1 + seq DIV 2 % 999, 4, '0'))};
my $group = 1 << 34; # the first one's id
my @fill = (
	users => "INSERT INTO users (id, nickname) SELECT CONCAT(k, LPAD(seq, 4, '0')), 'Nick' FROM seq_1_to_999 JOIN (SELECT 'a' AS k UNION SELECT 'u') kinds",
	users => "INSERT INTO users (id, nickname) VALUES ('alice', 'Alice')",
	friendships => "INSERT INTO friendships (user_id, friend_id) SELECT 'alice', id FROM users WHERE id <> 'alice' UNION SELECT id, 'alice' FROM users WHERE id <> 'alice'",
	friendships => "INSERT INTO friendships (user_id, friend_id) SELECT a.id, b.id FROM users a JOIN users b WHERE a.id <> b.id AND a.id <> 'alice' AND b.id <> 'alice' AND RIGHT(a.id, 3) = RIGHT(b.id, 3)",
	conversations => "INSERT INTO conversations (user1_id, user2_id, last_seq, change_seq, sort_time, last_message_time, created_at) SELECT LEAST('alice', $other), GREATEST('alice', $other), 20, 5, $time, $time, $time FROM seq_0_to_1997",
	conversations => "INSERT INTO conversations (user1_id, user2_id, last_seq, change_seq, sort_time, last_message_time, created_at) SELECT CONCAT('a', LPAD(seq % 999 + 1, 4, '0')), CONCAT('u', LPAD((seq * 7 + seq DIV 999) % 999 + 1, 4, '0')), 20, 5, $time, $time, $time FROM seq_0_to_3995",
	messages => "INSERT INTO messages (id, from_user_id, to_user_id, message_type, content, client_msg_id, created_at) SELECT c.id << 28 | seq, IF(seq % 2, user1_id, user2_id), IF(seq % 2, user2_id, user1_id), 0, 'text', CONCAT(c.id, ':', seq), c.created_at FROM conversations c JOIN seq_1_to_20",
	changes => "INSERT INTO changes (conversation_id, change_seq, kind, message_id, user_id, at) SELECT id, seq, seq % 3, id << 28 | seq, user1_id, created_at FROM conversations JOIN seq_1_to_5",
	reactions => "INSERT INTO reactions (message_id, user_id, emoji, n, at) SELECT id << 28 | 12, user1_id, 'x', 1, created_at FROM conversations UNION ALL SELECT id << 28 | 12, user2_id, 'x', 2, created_at FROM conversations UNION ALL SELECT ($group << 28) + 12, id, 'x', 10, created_at FROM users",
	pins => 'INSERT INTO pins (conversation_id, message_id, n, user_id, at) SELECT id, id << 28 | seq, seq, user1_id, created_at FROM conversations JOIN (SELECT 9 AS seq UNION SELECT 11) seqs',
	friend_requests => "INSERT INTO friend_requests (from_user_id, to_user_id, pair, created_at) SELECT CONCAT('f', seq), 'alice', CONCAT('alice f', seq), $time FROM seq_1_to_1000",
	friend_requests => "INSERT INTO friend_requests (from_user_id, to_user_id, pair, created_at) SELECT 'alice', CONCAT('g', seq), CONCAT('alice g', seq), $time FROM seq_1_to_1000",
	friend_requests => "INSERT INTO friend_requests (from_user_id, to_user_id, pair, created_at) SELECT CONCAT('f', seq), CONCAT('g', seq), CONCAT('f', seq, ' g', seq), $time FROM seq_1_to_5000",
	blocks => "INSERT INTO blocks (user_id, blocked_id) SELECT CONCAT(k, seq), CONCAT('b', seq) FROM seq_1_to_1000 JOIN (SELECT 'a' AS k UNION SELECT 'u') kinds UNION SELECT 'alice', CONCAT('b', seq) FROM seq_1_to_100",
	friend_declines => "INSERT INTO friend_declines (from_user_id, to_user_id, declined_at) SELECT CONCAT('a', seq), CONCAT('b', seq), $time FROM seq_1_to_1000",
	friend_request_limits => "INSERT INTO friend_request_limits (user_id, full_at) SELECT CONCAT('a', seq), UTC_TIMESTAMP(3) FROM seq_1_to_1000",
	notifications => "INSERT INTO notifications (id, user_id, kind, actor_id, is_read, created_at) SELECT seq << 20, IF(seq % 4, $other, 'alice'), 'kind', 'a0001', seq % 3 = 0, $time FROM seq_1_to_10000",
	deliveries => "INSERT INTO deliveries (conversation_id, user1_seq, user1_at, user2_seq, user2_at) SELECT id, 2, created_at, 3, created_at FROM conversations",
	read_marks => "INSERT INTO read_marks SELECT id, user2_id, seq, created_at FROM conversations JOIN seq_1_to_5",
	deletions => "INSERT INTO deletions SELECT user_id, id, seq * 5, seq * 5 + 1 FROM (SELECT user1_id AS user_id, id FROM conversations UNION ALL SELECT user2_id, id FROM conversations) sides JOIN seq_1_to_3 WHERE user_id <> 'alice'",
	recalls => "INSERT INTO recalls (user_id, recalled_at, conversation_id) SELECT user1_id, sort_time, id FROM conversations UNION SELECT user2_id, sort_time, id FROM conversations",
	# alice is in every second group, and in the first of them is everyone.
	group_heads => "INSERT INTO group_heads (id, last_seq, change_seq, uncounted_seq, all_seq, member_count, last_message_time, sort_time, active_at, created_at) SELECT $group + seq, 20, 5, 18, 17, 12, $time, $time, $time, $time FROM seq_0_to_1997",
	group_profiles => 'INSERT INTO group_profiles (id, owner_id, name, created_by, client_group_id) SELECT id, \'u0001\', \'Name\', \'u0001\', id FROM group_heads',
	members => "INSERT INTO members (user_id, conversation_id, role, joined_seq, first_seq, read_seq, deleted_seq, mention_seq, joined_at) SELECT 'alice', $group + 2 * seq, IF(seq, 3, 1), 1, 1, 10, IF(seq % 5, 0, 20), 15, UTC_TIMESTAMP(3) FROM seq_0_to_998",
	members => "INSERT INTO members (user_id, conversation_id, role, joined_seq, first_seq, read_seq, joined_at) SELECT u.id, $group, 3, 1, 1, 20, UTC_TIMESTAMP(3) FROM users u WHERE u.id <> 'alice' UNION SELECT CONCAT('u', LPAD(r.seq, 4, '0')), $group + g.seq, IF(r.seq = 1, 1, 3), 1, 1, 20, UTC_TIMESTAMP(3) FROM seq_1_to_1997 g JOIN seq_1_to_10 r",
	# Some of alice's are pinned, some archived, and of these some both.
	conversation_settings => "INSERT INTO conversation_settings (user_id, conversation_id, pinned_at, archived, changed_at) SELECT 'alice', id, IF(id % 60 = 1, sort_time, NULL), id % 13 = 1, sort_time FROM conversations WHERE 'alice' IN (user1_id, user2_id) UNION ALL SELECT 'alice', conversation_id, IF(conversation_id % 100 = 2, joined_at, NULL), conversation_id % 13 = 2, joined_at + INTERVAL 1 HOUR FROM members WHERE user_id = 'alice'",
	conversation_settings => "INSERT INTO conversation_settings (user_id, conversation_id, draft, changed_at) SELECT user2_id, id, 'draft', sort_time FROM conversations WHERE user1_id <> 'alice' AND user2_id <> 'alice'",
	group_counts => 'INSERT INTO group_counts (user_id, n) SELECT user_id, COUNT(*) FROM members GROUP BY user_id',
	messages => "INSERT INTO messages (id, from_user_id, to_user_id, message_type, content, client_msg_id, created_at) SELECT h.id << 28 | seq, 'u0001', '', IF(seq = 1, 7, 0), IF(seq = 1, NULL, 'text'), CONCAT(IF(seq = 1, ' ', ''), h.id, ':', seq), h.created_at FROM group_heads h JOIN seq_1_to_20",
	changes => 'INSERT INTO changes (conversation_id, change_seq, kind, message_id, user_id, at) SELECT id, seq, seq % 3, id << 28 | seq, \'u0001\', created_at FROM group_heads JOIN seq_1_to_5',
	uncounted => 'INSERT INTO uncounted (conversation_id, block, bits) SELECT id, 0, 0x66666 FROM group_heads',
	mentions => 'INSERT INTO mentions (user_id, conversation_id, seq, at) SELECT user_id, id, seq, created_at FROM (SELECT \'alice\' AS user_id UNION SELECT \'*\' UNION SELECT \'u0001\') whom JOIN group_heads JOIN (SELECT 13 AS seq UNION SELECT 15 UNION SELECT 17) places',
	deletions => "INSERT INTO deletions (user_id, conversation_id, first_seq, last_seq) SELECT m.user_id, m.conversation_id, r.seq * 5, r.seq * 5 + IF(r.seq = 4, 0, 1) FROM members m JOIN seq_1_to_4 r WHERE m.deleted_seq <> 0 OR m.user_id = 'u0002'",
	read_marks => 'INSERT INTO read_marks (conversation_id, user_id, up_to_seq, at) SELECT conversation_id, user_id, 15, joined_at FROM members WHERE read_seq > 15',
	group_bans => "INSERT INTO group_bans (conversation_id, user_id, banned_by, created_at) SELECT $group + g.seq, CONCAT('b', b.seq), 'u0001', UTC_TIMESTAMP(3) FROM seq_0_to_99 g JOIN seq_1_to_50 b",
	group_leavers => "INSERT INTO group_leavers (conversation_id, user_id, muted_until, ends_at) SELECT $group + g.seq, CONCAT('l', l.seq), '2100-01-01', '2100-01-01' FROM seq_0_to_99 g JOIN seq_1_to_50 l",
	group_requests => "INSERT INTO group_requests (conversation_id, user_id, created_at) SELECT $group + g.seq, CONCAT('r', r.seq), UTC_TIMESTAMP(3) FROM seq_0_to_99 g JOIN seq_1_to_50 r",
	forwards => "INSERT INTO forwards (message_id, parts, bytes) SELECT id, 20, 200 FROM messages WHERE id >= $group << 28 AND message_type = 0 LIMIT 2000",
	forwarded => "INSERT INTO forwarded (message_id, part, from_user_id, message_type, content, created_at) SELECT message_id, CONCAT(LPAD(seq DIV 4, 2, '0'), IF(seq % 4, CONCAT('.0', seq % 4), '')), 'u0001', IF(seq % 4, 0, 6), 'text', UTC_TIMESTAMP(3) FROM forwards JOIN seq_0_to_19",
	outbox => "INSERT INTO outbox (stream, n, at, items) SELECT s.seq, n.seq, UTC_TIMESTAMP(3), CONCAT('u', CHAR(5), 'u0001') FROM seq_1001_to_2500 s JOIN seq_1_to_20 n",
	outbox_done => "INSERT INTO outbox_done (consumer, stream, n, at) SELECT 'push', seq, 20, UTC_TIMESTAMP(3) FROM seq_1001_to_2500 UNION ALL SELECT 'search', seq, 20, UTC_TIMESTAMP(3) FROM seq_1001_to_2500 UNION ALL SELECT 'files', seq, 20, UTC_TIMESTAMP(3) FROM seq_1001_to_2500",
	sticker_packs => "INSERT INTO sticker_packs (id, title, sticker_count, updated_at) SELECT CONCAT('p', LPAD(seq, 4, '0')), 'Title', 5, $time FROM seq_1_to_1000",
	stickers => "INSERT INTO stickers (pack_id, position, id, emoji, picture, width, height) SELECT p.id, seq, CONCAT('s', seq), 'x', CONCAT(LPAD(seq, 32, '0'), '.png'), 4, 3 FROM sticker_packs p JOIN seq_0_to_4",
	sticker_pictures => "INSERT INTO sticker_pictures (pack_id, name, content) SELECT pack_id, picture, 'content' FROM stickers",
	sticker_installs => "INSERT INTO sticker_installs (user_id, pack_id, installed_at) SELECT u.id, p.id, $time FROM (SELECT 'alice' AS id UNION SELECT 'u0001') u JOIN sticker_packs p JOIN seq_1_to_1 WHERE p.id <= 'p0050' UNION SELECT CONCAT('u', seq), CONCAT('p', LPAD(seq, 4, '0')), $time FROM seq_1_to_1000",
	sticker_installs => "INSERT INTO sticker_installs (user_id, pack_id, installed_at) VALUES ('alice', 'gone', UTC_TIMESTAMP(3))",
	expiries => 'INSERT INTO expiries (expires_at, message_id) SELECT UTC_TIMESTAMP(3) + INTERVAL 1 DAY, id FROM messages WHERE id & 268435455 = 20',
	# The index has the first half of each conversation; in the largest group there is more.
	search_heads => "INSERT INTO search_heads (conversation_id, generation, covered_seq) SELECT id, 1, 15 FROM conversations UNION ALL SELECT id, 1, 15 FROM group_heads",
	search_blocks => "INSERT INTO search_blocks (conversation_id, block, first_at, last_at, filter) SELECT id, 0, created_at, created_at, REPEAT(CHAR(255), 32) FROM conversations UNION ALL SELECT id, 0, created_at, created_at, REPEAT(CHAR(255), 32) FROM group_heads",
	search_edits => "INSERT INTO search_edits (conversation_id, seq, change_seq) SELECT id, 3, 1 FROM conversations UNION ALL SELECT id, 3, 1 FROM group_heads",
	# Files of alice's and of others; one message in twenty shows one. None is due before the test is over.
	spent_sends => "INSERT INTO spent_sends (from_user_id, client_msg_id) SELECT $other, CONCAT('spent', seq) FROM seq_1_to_5000",
	audit => "INSERT INTO audit (id, at, actor, method, path) SELECT seq, UTC_TIMESTAMP(3), 'ops', 'GET', '/admin/groups/1' FROM seq_1_to_2000",
	media => "INSERT INTO media (id, owner_id, state, size, name, content_type, created_at) SELECT MD5(seq), IF(seq % 4, $other, 'alice'), IF(seq % 10, 1, 0), 100, 'name', 'text/plain', UTC_TIMESTAMP(3) FROM seq_1_to_4000",
	media_uses => "INSERT INTO media_uses (media_id, message_id) SELECT MD5(1 + (id >> 28) % 4000), id FROM messages WHERE id & 268435455 = 16 AND (id >> 28) % 4000 % 10 <> 9",
	media_avatars => "INSERT INTO media_avatars (holder, media_id) SELECT CONCAT('u:x', seq), MD5(seq) FROM seq_1_to_1000",
	media_idle => "INSERT INTO media_idle (media_id, due_at) SELECT id, UTC_TIMESTAMP(3) + INTERVAL 1 DAY FROM media",
	upload_limits => "INSERT INTO upload_limits (user_id, full_at) SELECT CONCAT('a', LPAD(seq, 4, '0')), UTC_TIMESTAMP(3) FROM seq_1_to_2000",
	# A tenth of them ended, some lately; and a tenth has run out.
	logins => "INSERT INTO logins (id, user_id, address, created_at, last_used_at, expires_at, tokens_until, token_key, token_hash, ended_at, end_reason, refused_until) SELECT seq, IF(seq % 100, $other, 'alice'), '', $time, $time, UTC_TIMESTAMP(3) + INTERVAL (CAST(seq AS SIGNED) - 500) HOUR, UTC_TIMESTAMP(3) - INTERVAL 1 DAY, REPEAT('k', 32), REPEAT('h', 32), IF(seq % 10 = 0, $time, NULL), IF(seq % 10 = 0, 1, NULL), IF(seq % 10 = 0, $time, NULL) FROM seq_1_to_5000",
	user_names => "INSERT INTO user_names (part, user_id) SELECT SUBSTR('nick', seq), id FROM users JOIN seq_1_to_4 WHERE nickname = 'Nick' UNION SELECT SUBSTR('alice', seq), 'alice' FROM seq_1_to_5",
	devices => "INSERT INTO devices (user_id, id, login_id, platform, token, token_hash, created_at, used_at) SELECT u.id, CONCAT('d', seq), 0, 2, CONCAT(u.id, '-', seq), UNHEX(SHA2(CONCAT(u.id, '-', seq), 256)), UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) FROM (SELECT id FROM users WHERE id IN ('alice', 'u0001') UNION SELECT CONCAT('x', seq) FROM seq_1_to_500) u JOIN seq_1_to_20",
	push_jobs => "INSERT INTO push_jobs (user_id, conversation_id, message_id, since, due_at) SELECT CONCAT('x', seq), seq % 7, 0, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) + INTERVAL 1 DAY FROM seq_1_to_5000",
	push_sends => "INSERT INTO push_sends (user_id, device_id, conversation_id, version, lane, payload, made_at, due_at) SELECT CONCAT('x', seq), 'd', 1, 1, 1 + seq % 19, '{}', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) + INTERVAL 1 DAY FROM seq_1_to_5000",
	push_shown => "INSERT INTO push_shown (conversation_id, user_id, seq) SELECT 1 + seq % 500, CONCAT('x', seq), 20 FROM seq_1_to_5000",
	# None of them is online, so they are told to be offline.
	presence_told => "INSERT INTO presence_told (user_id) SELECT CONCAT('x', seq) FROM seq_1_to_1500",
	push_settings => "INSERT INTO push_settings (user_id, preview) SELECT id, 0 FROM users WHERE id <> 'alice'",
	user_states => "INSERT INTO user_states (user_id, disabled, reason, changed_at) SELECT CONCAT('d', seq), 1, 6, $time FROM seq_1_to_3000",
	erasures => "INSERT INTO erasures (user_id, erased_at, due_at) SELECT CONCAT('e', seq), UTC_TIMESTAMP(3), '2100-01-01' FROM seq_1_to_1000",
	group_invites => "INSERT INTO group_invites (code, conversation_id, created_by, created_at) SELECT LPAD(i.seq * 1000 + g.seq, 16, 'c'), $group + g.seq, 'u0001', UTC_TIMESTAMP(3) FROM seq_0_to_99 g JOIN seq_1_to_50 i",
);
# Which stay small, whatever happens.
my %small = map { $_ => 1 } qw(activity fences hooks reaction_erasures relay_leases schema_migrations search_state);

subtest 'many rows' => sub {
	while (my ($table, $sql) = splice @fill, 0, 2) {
		$dbh->do($sql);
	}
	$dbh->do(q(UPDATE messages SET extra = '{"event":"created","user_ids":[]}' WHERE message_type = 7));
	$dbh->do("UPDATE messages SET reactions = 'x 2 a0001,u0001' WHERE id & 268435455 = 12");
	$dbh->do("UPDATE messages SET reactions = 'x 1998 a0001,a0002,a0003,a0004,a0005' WHERE id IN (($group << 28) + 12, ($group << 28) + 19)");
	$dbh->do('UPDATE group_profiles SET owner_id = \'alice\' WHERE id = ?', undef, $group);
	$dbh->do('UPDATE conversations SET user1_unread = 10, user2_unread = 10, user1_last_id = id << 28 | 20, user2_last_id = id << 28 | 20');
	$dbh->do("UPDATE conversations c JOIN conversation_settings s ON s.conversation_id = c.id AND s.user_id = 'alice' SET c.user1_archived_seq = IF(c.user1_id = 'alice', 20, NULL), c.user2_archived_seq = IF(c.user1_id = 'alice', NULL, 20) WHERE s.archived = 1");
	$dbh->do('UPDATE members g JOIN conversation_settings s ON s.conversation_id = g.conversation_id AND s.user_id = g.user_id SET g.archived_seq = 20 WHERE s.archived = 1');
	for my $table (@{$dbh->selectcol_arrayref('SHOW TABLES')}) {
		$dbh->selectall_arrayref("ANALYZE TABLE $table");
		next if $small{$table};
		my ($rows) = $dbh->selectrow_array("SELECT COUNT(*) FROM $table");
		cmp_ok $rows, '>=', 1000, "$table is filled";
	}
};

# ---- commands ----

$t->node->start;
my ($alice, $anyone, $ws) = ($t->api('alice'), $t->http(undef), $t->ws('alice'));
my $ops = $t->node->admin_http;
$ops->{token} = $t->token('ops', scope => 'admin');
my $holder = $t->stack->dbh($t->{database});
log_start($dbh);

sub conversation_with { my ($user) = @_; return $dbh->selectrow_array("SELECT id FROM conversations WHERE 'alice' IN (user1_id, user2_id) AND ? IN (user1_id, user2_id)", undef, $user) }
my $cid = conversation_with('u0001');
sub message { my ($seq, $id) = @_; return (($id // $cid) << 28) + $seq }
my ($made, $code);

# A conversation's row that somebody else locks for long is skipped from then on, which is a statement of its own.
sub send_past_lock {
	my $locked = conversation_with('u0500');
	$holder->do('START TRANSACTION');
	$holder->do("SELECT id FROM conversations WHERE id = $locked FOR UPDATE");
	my $stuck = $t->http('alice');
	$stuck->send_request('POST', '/messages/send', json => text_to('u0500', 'stuck'));
	wait_for('the locked row to be skipped', sub { grep { /SKIP LOCKED/ } logged($dbh, $holder) });
	$holder->do('COMMIT');
	$stuck->response; # which may have been too late
	return;
}

# The first two of a list.
sub pages {
	my ($path) = @_;
	my $first = $alice->get($path);
	return ($first, $alice->get("$path&cursor=" . $first->json->{next_cursor}));
}

# Over the limit only what was sent before is answered, which is a read.
sub repeat_over_limit {
	my $http = $t->api('u0002');
	my @in_group = text_in("$group", 'again', client_msg_id => 'again-too', mentions => ['alice']);
	return map { $http->post('/messages/send', $_) } @in_group, (text_to('alice', 'again', client_msg_id => 'again')) x 100, @in_group;
}

sub is_good { my ($answer) = @_; return ref $answer eq 'HASH' ? $answer->{type} ne 'error' : $answer->status < 300 }

# What alice uploads: its answer.
sub upload { my ($name) = @_; return $alice->request('POST', "/media?name=$name", headers => ['Content-Type', 'text/plain'], body => 'a file') }
sub tus { my ($method, $path, $body, @headers) = @_; return $alice->request($method, $path, headers => ['Tus-Resumable', '1.0.0', @headers], defined $body ? (body => $body) : ()) }
my ($upload, $place, $file);

# By the names in the table of commands. Each returns its answers, which have to be good ones.
my @drive = (
	send => sub {
		return ((map { $alice->post('/messages/send', text_to($_, 'x', client_msg_id => "new $_" =~ tr/ /-/r)) } qw(a0001 u0001)),
			$alice->post('/messages/send', text_to('u0001', 'x', reply_to => message(1) . '')), repeat_over_limit(), send_past_lock(),
			$t->api('u0001')->post('/messages/send', text_to('alice', 'x', mentions => ['alice'])),
			(map { $alice->post('/messages/send', text_in("$_", 'x', client_msg_id => "new-$_", mentions => ['u0001'])) } $cid, $group, $group + 2),
			(map { $alice->post('/messages/send', text_in("$_", 'x', expires_in => 3600)) } $cid, $group),
			$alice->post('/messages/send', text_in("$group", 'x', mentions => ['*'], reply_to => message(2, $group) . '')));
	},
	create => sub {
		$dbh->do("INSERT INTO friendships (user_id, friend_id) VALUES ('alice', 'new'), ('new', 'alice')");
		return map { $alice->post('/messages/conversations/create', {user_id => $_}) } qw(new u0001);
	},
	conversations => sub {
		my ($peer) = grep { $_ } map { $_->{peer} } @{$alice->get('/messages/conversations?limit=50')->json->{items}};
		my $online = $t->ws($peer->{user_id}); # whose friendship is looked at
		return (pages('/messages/conversations?limit=50'), (map { $t->api($_)->get('/messages/conversations?limit=50') } qw(a0001 u0003)), pages('/messages/conversations?limit=5'), pages('/messages/conversations?limit=5&archived=true'));
	},
	set_settings => sub {
		my %all = (muted_until => '2090-01-01T00:00:00Z', pinned => JSON::PP::true, archived => JSON::PP::true, marked_unread => JSON::PP::true, mute_mentions => JSON::PP::true, draft => 'x');
		return ((map { my $id = $_; map { $alice->put("/messages/conversations/$id/settings", $_) } {draft => 'y'}, {pinned => JSON::PP::false, archived => JSON::PP::false}, \%all } $cid, $group),
			(map { my $id = $_; map { $alice->put("/messages/conversations/$id/settings", {expires_in => $_}) } 3600, undef } $cid, conversation_with('a0001'), $group),
			# These are read, and written to by alice, who has archived them.
			(map { my $id = $_; ($alice->put("/messages/conversations/$id/read", {}), $alice->post('/messages/send', text_in("$id", 'mine'))) } $cid, $group));
	},
	clear => sub {
		my $far = conversation_with('u0007');
		return ((map { $alice->delete("/messages/conversations/$_") } "$far?up_to_seq=5", $far, $far, $group + 6 . '?up_to_seq=4', $group + 6), $alice->get('/messages/conversations?limit=50'));
	},
	history => sub { return map { my $id = $_; map { $alice->get("/messages/conversations/$id/messages$_") } '', '?before=15&limit=5', '?after=5' } $cid, $group },
	read_message => sub { return map { $alice->put('/messages/' . message(2) . '/read') } 1 .. 2 },
	read => sub { return map { my $id = $_; map { $alice->put("/messages/conversations/$id/read", $_) } {up_to_seq => 12}, {} } $cid, $group, $group + 4 },
	delivered => sub {
		$ws->send_json({type => 'delivered', conversation_id => "$_", up_to_seq => 20}) for map { conversation_with($_) } qw(u0003 u0004 a0005);
		wait_for('deliveries to be written', sub { grep { /INTO deliveries/ } logged($dbh, $holder) });
		return {type => 'written'};
	},
	recall => sub {
		my $m = $alice->post('/messages/send', text_to('u0001', 'x'))->json;
		$alice->put("/messages/$m->{id}/reactions/x");
		return map { $alice->put("/messages/$_/recall") } message(19, $group), $m->{id}, $m->{id}, message(8, $group), message(8, $group);
	},
	message => sub { return map { $alice->get("/messages/$_") } message(2), message(7, $group) },
	conversation => sub { return map { $alice->get("/messages/conversations/$_") } $cid, $group },
	edit => sub {
		# Nothing is remembered of that conversation.
		$alice->put('/messages/' . message(3, conversation_with('u0020')) . '/reactions/x');
		my @m = map { $_->json->{id} } map { $alice->post('/messages/send', $_) } text_to('u0001', 'x', mentions => ['u0001']), text_in("$group", 'x', mentions => ['u0001', '*']);
		return ((map { my $id = $_; map { $alice->put("/messages/$id", $_) } {content => 'y'}, {content => 'y', mentions => ['u0001']} } @m), $ws->request(type => 'edit', message_id => $m[0], content => 'z'));
	},
	react => sub {
		return ((map { my $id = $_; map { $_->put("/messages/$id/reactions/x") } $alice, $t->api('u0001'), $alice } message(2), message(7, $group)), $ws->request(type => 'react', message_id => message(2) . '', emoji => 'y'));
	},
	unreact => sub {
		# One who is shown, so that another takes the place.
		return ($t->api('a0001')->delete('/messages/' . message(12, $group) . '/reactions/x'), (map { my $id = $_; map { $alice->delete("/messages/$id/reactions/x") } 1 .. 2 } message(2), message(7, $group)), $ws->request(type => 'unreact', message_id => message(2) . '', emoji => 'y'));
	},
	reactions => sub { return map { pages("/messages/$_/reactions?limit=1"), $alice->get("/messages/$_/reactions?emoji=x"), $alice->get("/messages/$_/reactions?user_id=a0003") } message(12), message(12, $group) },
	pin => sub { return map { my $id = $_; map { $alice->put("/messages/$id/pin") } 1 .. 2 } message(2), message(7, $group), message(9) },
	pins => sub { return map { $alice->get("/messages/conversations/$_/pins") } $cid, $group },
	unpin => sub { return map { my $id = $_; map { $alice->delete("/messages/$id/pin") } 1 .. 2 } message(2), message(7, $group) },
	forward => sub {
		my @m = map { '' . message($_, $group) } 12 .. 14;
		$dbh->do('UPDATE messages SET message_type = 6, content = NULL, extra = ?, client_msg_id = CONCAT(" ", client_msg_id) WHERE id = ?', undef,
			'{"items":[{"user_id":"u0001","nickname":null,"message_type":"text","content":"text","created_at":"2026-11-23T03:01:21.123Z"}]}', $m[2]);
		my @answers = map { $alice->post('/messages/forward', {message_ids => \@m, to => [{user_id => 'a0001'}, {conversation_id => "$cid"}, {conversation_id => "$group"}], client_msg_id => 'forward', %$_}) }
			{comment => 'x'}, {comment => 'x'}, {client_msg_id => 'merge', merged => JSON::PP::true()};
		return @answers, map { {type => $_->{error} ? 'error' : 'sent'} } map { @{$_->json->{results} // []} } @answers;
	},
	forwarded => sub {
		my ($m) = $alice->post('/messages/forward', {message_ids => [map { '' . message($_, $group) } 13, 14], to => [{user_id => 'a0002'}], merged => JSON::PP::true()})->json->{results}[0]{messages}[0]{id};
		return (pages("/messages/$m/forwarded?limit=1"), (map { $alice->get("/messages/$m/forwarded?part=$_") } '01', '01.00'), $alice->put("/messages/$m/recall"));
	},
	delete => sub {
		my @newest = map { $alice->post('/messages/send', text_to('u0001', 'x'))->json->{id} } 1 .. 2;
		# So the last one that alice sees was read together with later ones.
		my $read = $t->api('u0001')->put("/messages/conversations/$cid/read", {});
		return ($read, (map { $alice->delete("/messages/$_") } message(3), message(5), message(4), message(6), message(8), reverse(@newest), map({ message($_, $group + 2) } 2, 4, 3, 7)),
			map { $alice->get("/messages/conversations$_") } '', "/$cid/messages?before=7&limit=1", "/$cid/messages?after=2&limit=1");
	},
	unread => sub { return $alice->get('/messages/unread-count') },
	sync => sub {
		my @have = map { {id => conversation_with($_) . '', seq => 5, change_seq => 1} } qw(u0001 u0002 a0003);
		my $first = $alice->post('/messages/sync', {conversations => [], since => undef});
		push @have, {id => "$group", seq => 5, change_seq => 1};
		return ($first, map { $alice->post('/messages/sync', {conversations => $_, since => $first->json->{cursor}, limit => 10}) } [], \@have);
	},
	mentions => sub { return pages('/messages/mentions?limit=5') },
	search => sub {
		my @first = pages('/messages/search?q=text&limit=5');
		return (@first, map({ my $id = $_; map { $alice->get("/messages/search?q=text%20te&conversation_id=$id$_") } '', '&before=2090-01-01T00:00:00Z', '&after=2020-01-01T00:00:00Z&from=u0001&type=text&limit=100' } $cid, $group),
			$alice->get('/messages/search?q=nothing'), $alice->get('/messages/search?q=text&after=2020-01-01T00:00:00Z'));
	},
	receipts => sub { return pages('/messages/' . message(9, $group + 2) . '/receipts?limit=2'), $alice->get('/messages/' . message(10) . '/receipts') },
	create_group => sub {
		$dbh->do($_) for "INSERT INTO users (id) VALUES ('fresh')", "INSERT INTO friendships (user_id, friend_id) VALUES ('alice', 'fresh'), ('fresh', 'alice')";
		my @answers = map { $alice->post('/groups', {name => 'Made', user_ids => [qw(u0001 u0002 fresh)], client_group_id => 'made', settings => {join => 'approval'}}) } 1 .. 2;
		$made = $answers[0]->json->{id};
		return @answers;
	},
	group => sub { return map { $alice->get("/groups/$_") } $made, $group },
	change_group => sub { return map { $alice->put("/groups/$made", $_) } {name => 'Changed', about => 'x', settings => {send => 'admins'}}, {} },
	members => sub { return pages("/groups/$group/members?limit=50"), map { $alice->get("/groups/$group/members?query=$_") } 'u00', 'alice' },
	add_members => sub { return $alice->post("/groups/$made/members", {user_ids => [qw(u0003 u0004 u0005 u0001 nobody)]}) },
	change_member => sub { return map { $alice->put("/groups/$made/members/u0003", $_) } {role => 'admin'}, {muted_until => '2090-01-01T00:00:00Z'}, {} },
	remove_member => sub {
		return ((map { $alice->delete("/groups/$made/members/$_") } 'u0004', 'u0004', 'u0005?ban=true', 'u0006?ban=true'), $t->api('u0002')->delete("/groups/$made/members/u0002"));
	},
	bans => sub { return pages("/groups/$group/bans?limit=20") },
	lift_ban => sub { return map { $alice->delete("/groups/$made/bans/u0005") } 1 .. 2 },
	create_invite => sub {
		my $r = $alice->post("/groups/$made/invites", {max_uses => 3});
		$code = $r->json->{code};
		return $r;
	},
	invites => sub { return $alice->get("/groups/$group/invites") },
	look_at_invite => sub { return $t->api('a0001')->get("/invites/$code") },
	accept_invite => sub { return map { $t->api($_)->post("/invites/$code", {}) } qw(a0001 u0001) },
	join_group => sub { return map { $t->api($_)->post("/groups/$made/join", {}) } qw(a0002 a0003 u0001) },
	join_requests => sub { return pages("/groups/$group/requests?limit=20") },
	accept_member => sub { return $alice->put("/groups/$made/requests/a0001/accept") },
	decline_member => sub { return $alice->put("/groups/$made/requests/a0002/decline") },
	revoke_invite => sub { return $alice->delete("/groups/$made/invites/$code") },
	pass_on_group => sub { return $alice->put("/groups/$made/owner", {user_id => 'u0003'}) },
	dissolve_group => sub { return map { $t->api('u0003')->delete("/groups/$made") } 1 .. 2 },
	sticker_packs => sub { return pages('/stickers/packs?limit=50') },
	sticker_pack => sub { return $alice->get('/stickers/packs/p0007') },
	install_pack => sub { return map { $alice->put('/stickers/packs/p0070/installed') } 1 .. 2 },
	uninstall_pack => sub { return map { $alice->delete('/stickers/packs/p0007/installed') } 1 .. 2 },
	installed_packs => sub { return pages('/stickers/installed?limit=20') },
	sticker_picture => sub { return $anyone->get('/stickers/pictures/p0007/' . ('0' x 31) . '1.png') },
	send_sticker => sub { return $alice->post('/messages/send', {to_user_id => 'u0001', message_type => 'sticker', extra => {pack => 'p0007', sticker => 's3'}}) },
	upload => sub {
		my @answers = (upload('whole'), tus('POST', '/media', undef, 'Upload-Length', 6), $alice->post('/media', {name => 'declared', size => 6}));
		($file, $upload, $place) = ($answers[0]->json, $answers[1]->header('location'), $answers[2]->json);
		return @answers;
	},
	upload_patch => sub { return tus('PATCH', $upload, 'a fi', 'Content-Type', 'application/offset+octet-stream', 'Upload-Offset', 0) },
	upload_offset => sub { return tus('HEAD', $upload) },
	upload_put => sub { return $anyone->request('PUT', $place->{upload}{url}, headers => ['Content-Type', 'text/plain'], body => 'a file') },
	upload_complete => sub { return $alice->post("/media/$place->{id}/complete") },
	media_info => sub {
		my @sent = map { $alice->post('/messages/send', {%$_, message_type => 'file', media_url => "tidings:media/$file->{id}"}) } {to_user_id => 'u0001'}, {conversation_id => "$group"};
		my @seen = map { $_->get("/media/$file->{id}/info") } $alice, map { $t->api($_) } qw(u0001 u0003);
		# Others that many messages show, too.
		$dbh->do("INSERT INTO media_uses (media_id, message_id) SELECT ?, 6917529027641081856 + seq FROM seq_1_to_200", undef, $file->{id});
		push @seen, map { $t->api($_)->get("/media/$file->{id}/info") } qw(u0001 u0003);
		$dbh->do("DELETE FROM media_uses WHERE media_id = ? AND message_id > 6917529027641081856", undef, $file->{id});
		my $merged = $alice->post('/messages/forward', {message_ids => [$sent[1]->json->{id}], to => [{user_id => 'a0001'}], merged => JSON::PP::true()});
		return @sent, @seen, $merged, $alice->put('/messages/' . $sent[0]->json->{id} . '/recall');
	},
	media => sub { return $anyone->get($file->{url}), map { $t->api($_)->get($file->{url} =~ s/\?.*//r) } qw(alice u0003) },
	delete_media => sub { return $alice->delete('/media/' . upload('deleted')->json->{id}) },
	tidingsctl_media => sub {
		my $shown = upload('unused')->json->{id};
		# Most of those that were filled in have no files.
		my $missing = () = ($t->node->ctl('media', 'check'))[1] =~ /^missing_file/mg;
		return map({ {type => $t->node->ctl_ok('media', @$_) =~ /$shown/ ? 'shown' : 'error'} } ['show', $shown], ['gc', '--now']), {type => $missing > 3000 ? 'missed' : 'error'};
	},
	sweep => sub {
		wait_for('unused files to be deleted', sub { !$dbh->selectrow_array("SELECT COUNT(*) FROM media WHERE name IN ('deleted', 'unused')") });
		return {type => 'deleted'};
	},
	tidingsctl => sub { return map { {type => $t->node->ctl_ok('group', $_, $group) =~ /alice/ ? $_ : 'error'} } qw(show members) },
	tidingsctl_stickers => sub {
		my @imports = map { ['import', write_pack(Tidings::dir() . "/pack$_", id => 'pack', title => "Title $_", files => {'a.png' => png(1)}, stickers => [[a => 'a.png', 'x']])] } 1, 2;
		return map { {type => $t->node->ctl_ok('stickers', @$_) =~ /pack|p0007/ ? 'done' : 'error'} } @imports, $imports[1], ['list'], ['remove', 'pack', '--erase'];
	},
	register => sub { return $anyone->post('/users/register', {user_id => 'newcomer', password => 'long enough'}) },
	login => sub { return $anyone->post('/users/login', {user_id => 'newcomer', password => 'long enough'}) },
	refresh => sub {
		my $login = $anyone->post('/users/login', {user_id => 'newcomer', password => 'long enough'})->json;
		return map { $anyone->post('/users/refresh', {refresh_token => $login->{refresh_token}}) } 1 .. 2;
	},
	logins => sub { return $alice->get('/users/me/logins') },
	end_login => sub {
		my $login = $anyone->post('/users/login', {user_id => 'newcomer', password => 'long enough'})->json;
		return $t->http('newcomer')->delete("/users/me/logins/$login->{login_id}");
	},
	change_password => sub { return $t->http('newcomer')->put('/users/me/password', {old_password => 'long enough', new_password => 'longer than that'}) },
	logout => sub {
		my $login = $anyone->post('/users/login', {user_id => 'newcomer', password => 'longer than that'})->json;
		my $http = $t->http(undef, token => $login->{token});
		return map { $http->post('/users/logout', {all => $_}) } JSON::PP::true();
	},
	me => sub { return $alice->get('/users/me') },
	change_me => sub {
		my @pictures = map { $alice->request('POST', '/media?name=p.png', headers => ['Content-Type', 'image/png'], body => png($_))->json->{id} } 1, 2;
		return $alice->put('/users/me', {nickname => 'Al'}), map { $alice->put('/users/me', {avatar_url => $_}) } map({ "tidings:media/$_" } @pictures), undef;
	},
	user => sub { return $alice->get('/users/u0001') },
	friends => sub { return pages('/friends?limit=50') },
	friend_requests => sub { return map { pages("/friends/requests?limit=50&direction=$_") } qw(in out) },
	request_friend => sub {
		$dbh->do("INSERT INTO users (id) VALUES ('another')");
		return map { $alice->post('/friends/requests', {user_id => $_}) } qw(newcomer f1 another);
	},
	accept_friend => sub { return $alice->put('/friends/requests/f2/accept') },
	decline_friend => sub { return $alice->put('/friends/requests/f3/decline') },
	end_friend => sub {
		$dbh->do("UPDATE friendships SET blocked = 1 WHERE user_id = 'f2' AND friend_id = 'alice'");
		return $alice->delete('/friends/f2');
	},
	block => sub { return map { $alice->put('/friends/u0009/block') } 1 .. 2 },
	unblock => sub { return $alice->delete('/friends/u0009/block') },
	block_user => sub { return map { $alice->put("/users/$_/block") } 'nobody', 'nobody', 'u0010' },
	users => sub { return pages('/users?query=a0&limit=50'), pages('/users?query=nick&limit=50') },
	names => sub {
		$dbh->do("UPDATE users SET nickname = 'Renamed' WHERE id = 'a0007'");
		wait_for('names to be compared and put right', sub { $dbh->selectrow_array("SELECT COUNT(*) FROM user_names WHERE user_id = 'a0007' AND part = 'renamed'") });
		return {type => 'mended'};
	},
	blocked => sub { return pages('/users/blocked?limit=50') },
	unblock_user => sub { return map { $alice->delete("/users/$_/block") } qw(nobody u0010) },
	notify => sub {
		my $module = $t->http(undef, token => $t->token('module', scope => 'notify'));
		return $module->post('/notifications', {user_id => 'alice', kind => 'kind', actor_id => 'u0001', ref => {id => 1}, body => 'x'});
	},
	notifications => sub { return pages('/notifications?limit=50') },
	read_notification => sub { return map { $alice->put('/notifications/' . (4 << 20) . '/read') } 1 .. 2 },
	count_notifications => sub { return $alice->get('/notifications/unread-count') },
	put_device => sub {
		my $point = encode_base64url(substr((run(Tidings::dir(), 'sh', '-c', 'openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | openssl pkey -pubout -outform DER'))[1], -65));
		my $subscription = {endpoint => 'https://push.example/', keys => {p256dh => $point, auth => encode_base64url('a' x 16)}};
		return $alice->put('/devices/new', {platform => 'webpush', subscription => $subscription}), $alice->put('/devices/new', {platform => 'fcm', token => 'new', app => 'app', locale => 'en'});
	},
	devices => sub { return $alice->get('/devices') },
	remove_device => sub { return $alice->delete('/devices/new') },
	vapid => sub { return $alice->get('/devices/vapid') },
	set_push_settings => sub { return map { $alice->put('/users/me/settings', $_) } {push_preview => JSON::PP::false}, {dnd => {from => '22:00', to => '07:00', zone => 'UTC'}}, {dnd => undef, push_preview => undef} },
	push_settings => sub { return $alice->get('/users/me/settings') },
	erase_me => sub {
		my $login = $anyone->post('/users/login', {user_id => 'newcomer', password => 'longer than that'})->json;
		# What there is to be erased: some of all that has steps of its own.
		$dbh->do($_) for "INSERT INTO friendships (user_id, friend_id) VALUES ('newcomer', 'u0001'), ('u0001', 'newcomer')",
			"INSERT INTO members (user_id, conversation_id, role, joined_seq, first_seq, read_seq, joined_at) SELECT 'newcomer', conversation_id, 3, 1, 1, 0, UTC_TIMESTAMP(3) FROM members WHERE conversation_id = $group AND role = 1",
			"UPDATE group_heads SET member_count = member_count + 1 WHERE id = $group",
			"INSERT INTO group_counts (user_id, n) VALUES ('newcomer', 1)",
			"INSERT INTO reactions (message_id, user_id, emoji, n, at) VALUES (" . message(12) . ", 'newcomer', 'x', 1, UTC_TIMESTAMP(3))",
			"UPDATE messages SET from_user_id = 'newcomer' WHERE id = " . message(8),
			"INSERT INTO notifications (id, user_id, kind, created_at) VALUES (77, 'newcomer', 'kind', UTC_TIMESTAMP(3))";
		my $r = $t->http(undef, token => $login->{token})->request('DELETE', '/users/me', json => {password => 'longer than that'});
		wait_for('all to be erased', sub { !$dbh->selectrow_array("SELECT COUNT(*) FROM erasures WHERE user_id = 'newcomer'") });
		return $r;
	},
	typing => sub { return map { $ws->request(type => 'typing', conversation_id => "$_") } $cid, $group },
	watch => sub { return $ws->request(type => 'watch', user_ids => [qw(u0001 a0001 nobody)]) },
	ping => sub { return $ws->request(type => 'ping') },
	audit => sub { return map { $ops->get("/admin/audit?limit=50$_") } '', '&cursor=1000' },
	node_stats => sub { return $ops->get('/admin/stats') },
	add_user => sub { return $ops->post('/admin/users', {user_id => 'made-by-ops', password => 'correct horse'}) },
	any_users => sub { return map { $ops->get("/admin/users?limit=50$_") } '', '&query=nick' },
	any_user => sub { return $ops->get('/admin/users/u0001') },
	change_any_user => sub { return map { $ops->put('/admin/users/made-by-ops', $_) } {nickname => 'New', revoke => JSON::PP::true}, {disabled => JSON::PP::true}, {disabled => JSON::PP::false} },
	any_sessions => sub { return $ops->get('/admin/users/alice/sessions') },
	end_any_sessions => sub { return $ops->delete('/admin/users/u0002/sessions') },
	end_any_session => sub { return $ops->delete('/admin/users/u0002/sessions/' . '0' x 11 . 'a' x 8 . '00000') },
	erase_any_user => sub { return map { $ops->delete('/admin/users/made-by-ops') } 1 .. 2 },
	export => sub { return map { $ops->get("/admin/users/$_/export") } qw(a0500 u0500) },
	send_as => sub { return map { $ops->post('/admin/messages', {message_type => 'text', content => 'news', %$_}) } {to_user_id => 'nobody-yet'}, {conversation_id => "$group"} },
	import => sub {
		my @lines = ((map { {type => 'user', user_id => "imported$_", created_at => '2019-01-01T00:00:00Z'} } 1 .. 2), (map { {type => 'friendship', user_id => $_, friend_id => 'imported2'} } qw(imported1 u0001)),
			{type => 'group', client_group_id => 'imported', owner_id => 'imported1', name => 'Imported', members => [{user_id => 'imported2'}, {user_id => 'u0001', role => 'admin'}]},
			(map { {type => 'message', from_user_id => 'imported1', message_type => 'text', content => 'old', client_msg_id => "imported-$_", created_at => '2019-01-01T00:00:00Z', ($_ % 3 ? (to_user_id => $_ % 2 ? 'u0001' : 'imported2') : (client_group_id => 'imported')), ($_ > 3 && $_ % 3 == 0 ? (reply_to => {from_user_id => 'imported1', client_msg_id => 'imported-3'}) : ())} } 1 .. 30));
		my $text = join '', map { JSON::PP->new->encode($_) . "\n" } @lines;
		return map { $ops->request('POST', '/admin/import', headers => ['Content-Type', 'application/x-ndjson'], body => $text) } 1 .. 2;
	},
	recall_any => sub { return map { $ops->delete('/admin/messages/' . $_) } message(9), message(9, $group) },
	trace => sub { return $ops->get('/admin/messages/' . message(9) . '/trace') },
	any_group => sub { return $ops->get("/admin/groups/$group") },
	change_any_group => sub { return $ops->put("/admin/groups/$group", {about => 'By the operator'}) },
	dissolve_any_group => sub { return $ops->delete('/admin/groups/' . ($group + 98)) },
	index => sub {
		$dbh->do('UPDATE search_blocks SET last_at = first_at WHERE conversation_id = ?', undef, $cid);
		my $made = $t->node->ctl_ok('search', 'status');
		$t->node->ctl_ok('search', 'rebuild');
		$dbh->do("INSERT INTO outbox (stream, n, at, items) SELECT 5003, 1, UTC_TIMESTAMP(3), CONCAT('s', UNHEX(LPAD(HEX(($cid << 28) + 15), 16, '0')), 'e', UNHEX(LPAD(HEX(($cid << 28) + 3), 16, '0')))");
		wait_for('the index to be built', sub { $dbh->selectrow_array("SELECT state = 1 AND EXISTS (SELECT 1 FROM outbox_done WHERE consumer = 'search' AND stream = 5003) FROM search_state") });
		return {type => $made =~ /ready since/ ? 'built' : 'error'};
	},
	devices_told => sub {
		my $point = encode_base64url(substr((run(Tidings::dir(), 'openssl', 'pkey', '-in', Tidings::dir() . '/vapid.pem', '-pubout', '-outform', 'DER'))[1], -65));
		my $put = $t->api('u0001')->put('/devices/browser', {platform => 'webpush', subscription => {endpoint => 'https://127.0.0.1:1/', keys => {p256dh => $point, auth => encode_base64url('a' x 16)}}});
		my $sent = $alice->post('/messages/send', {to_user_id => 'u0001', message_type => 'text', content => 'told'});
		wait_for('a push to be tried', sub { $dbh->selectrow_array("SELECT COUNT(*) FROM push_sends WHERE user_id = 'u0001' AND tries > 0") });
		$dbh->do("INSERT INTO push_sends (user_id, device_id, conversation_id, version, lane, payload, made_at, due_at) VALUES ('u0001', 'none', 1, 1, 1, '{}', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))");
		wait_for('what is for no device to go', sub { !$dbh->selectrow_array("SELECT COUNT(*) FROM push_sends WHERE device_id = 'none'") });
		my $read = $t->api('u0001')->put("/messages/conversations/$cid/read");
		wait_for('it to be withdrawn', sub { !$dbh->selectrow_array("SELECT COUNT(*) FROM push_shown WHERE user_id = 'u0001' AND conversation_id = ?", undef, $sent->json->{conversation_id}) });
		return $put, $sent, $read;
	},
	# A stream that begins before what is asked for, far enough that the place is looked for.
	hooks => sub {
		my $ctl = sub { $t->node->ctl_ok('hooks', @_); return };
		$dbh->do('DELETE FROM hooks');
		wait_for('the webhook to be known', sub { $dbh->selectrow_array('SELECT 1 FROM hooks') });
		$ctl->(qw(pause crm));
		$ctl->(qw(resume crm));
		$dbh->do("INSERT INTO outbox (stream, n, at, items) SELECT 5004, seq, UTC_TIMESTAMP(3) - INTERVAL (3000 - seq) SECOND, IF(seq > 2990, CONCAT('s', UNHEX(LPAD(HEX(($cid << 28) + 15), 16, '0'))), '') FROM seq_1_to_3000");
		$ctl->('replay', 'crm', '--since', $dbh->selectrow_array(q{SELECT DATE_FORMAT(at, '%Y-%m-%dT%H:%i:%sZ') FROM outbox WHERE stream = 5004 AND n = 2980}));
		wait_for('it to be delivered', sub { $dbh->selectrow_array(q{SELECT 1 FROM outbox_done WHERE consumer = 'hook:crm' AND stream = 5004 AND n = 3000}) });
		my %sent = map { $_->{id} => 1 } grep { $_->{id} =~ /\A5004-/ } $hook->events('/crm');
		return {type => $t->node->ctl_ok('hooks', 'list') =~ /crm/ && keys %sent == 10 ? 'delivered' : 'error'};
	},
	presence => sub {
		my $session = $t->ws('u0002');
		wait_for('who comes to be told', sub { $dbh->selectrow_array("SELECT 1 FROM presence_told WHERE user_id = 'u0002'") });
		wait_for('who is not there to be told', sub { !$dbh->selectrow_array("SELECT COUNT(*) FROM presence_told WHERE user_id LIKE 'x%'") });
		$session->abort;
		return {type => 'told'};
	},
	relay => sub {
		$dbh->do($_) for "INSERT INTO outbox (stream, n, at, items) SELECT 5000, seq, UTC_TIMESTAMP(3), CONCAT('s', UNHEX(LPAD(HEX(($cid << 28) + seq), 16, '0'))) FROM seq_1_to_2",
			"INSERT INTO outbox (stream, n, at, items) SELECT 5001, seq, UTC_TIMESTAMP(3) - INTERVAL 4 DAY, '' FROM seq_1_to_500",
			"INSERT INTO outbox (stream, n, at, items) SELECT 5005, 1, UTC_TIMESTAMP(3), CONCAT('r', UNHEX(LPAD(HEX(($cid << 28) + 16), 16, '0')))",
			"INSERT INTO outbox_done (consumer, stream, n, at) VALUES ('push', 5001, 500, UTC_TIMESTAMP(3)), ('push', 5002, 1, UTC_TIMESTAMP(3) - INTERVAL 2 DAY)";
		wait_for('the relay to have done all it does', sub {
			$t->node->clock(1);
			$dbh->selectrow_array("SELECT (SELECT n FROM outbox_done WHERE consumer = 'push' AND stream = 5000) = 2 AND (SELECT MIN(n) FROM outbox WHERE stream = 5001) > 1 AND NOT EXISTS (SELECT 1 FROM outbox_done WHERE stream = 5002) AND EXISTS (SELECT 1 FROM outbox_done WHERE consumer = 'files' AND stream = 5005)");
		});
		return {type => 'told'};
	},
	expiry => sub {
		for my $what ('id = ' . message(11), "id & 268435455 = 12 AND id >> 28 <= $cid + 300", 'id = ' . message(11, $group)) {
			$dbh->do("UPDATE messages SET expires_at = UTC_TIMESTAMP(3) - INTERVAL 1 HOUR WHERE $what");
			$dbh->do("INSERT INTO expiries (expires_at, message_id) SELECT expires_at, id FROM messages WHERE $what");
			wait_for('them to expire', sub { !$dbh->selectrow_array('SELECT COUNT(*) FROM expiries WHERE expires_at < UTC_TIMESTAMP(3)') });
		}
		return {type => 'expired'};
	},
	# Some messages of a pair, and of a group so many that what its members have noted of them goes, too.
	retention => sub {
		my $old = $group + 96;
		$dbh->do('UPDATE group_heads SET kept_seq = 1000, last_seq = 1040 WHERE id = ?', undef, $old);
		$dbh->do("INSERT INTO messages (id, from_user_id, to_user_id, message_type, content, client_msg_id, created_at) SELECT ($old << 28) + seq, 'u0001', '', 0, 'text', CONCAT('old', seq), UTC_TIMESTAMP(3) FROM seq_1000_to_1040");
		$dbh->do("UPDATE messages SET created_at = created_at - INTERVAL 3 YEAR WHERE id BETWEEN ($cid << 28) + 1 AND ($cid << 28) + 3 OR id BETWEEN ($old << 28) + 1 AND ($old << 28) + 1030");
		$t->node->configure({%{$t->node->{conf}}, message => {keep_days => 365}})->ctl_ok('reload');
		wait_for('them to go', sub { !$dbh->selectrow_array("SELECT COUNT(*) FROM messages WHERE created_at < UTC_TIMESTAMP(3) - INTERVAL 2 YEAR AND id >> 28 IN ($cid, $old)") });
		my $http = $t->http('u0001');
		return map { $http->post('/messages/send', text_to('alice', 'later', client_msg_id => "later$_")) } 1 .. 3;
	},
	readyz => sub { return $t->node->admin_http->get('/readyz') },
);

subtest 'every command' => sub {
	my @commands = slurp("$top/src/cmd/table.c") =~ /^\t\{"(\w+)", VERB_/mg;
	my %drive = @drive;
	is_deeply [grep { !$drive{$_} } @commands], [], 'every row of the table is driven';
	while (my ($name, $code) = splice @drive, 0, 2) {
		is_deeply [map { ref eq 'HASH' ? $_ : $_->body } grep { !is_good($_) } $code->()], [], $name;
	}
};

# When a user was seen last is written after the end of the session, with a new row only where this server keeps accounts.
sub leave {
	my ($session) = @_;
	my $writes = () = grep { /last_seen=/ } logged($dbh, $holder);
	$session->abort;
	wait_for('the user to be seen', sub { grep({ /last_seen=/ } logged($dbh, $holder)) > $writes });
	return;
}

subtest 'last seen' => sub {
	# That of before may have been silent for too long, on a busy machine.
	$ws->abort;
	leave($t->ws('alice'));
	$t->node->stop;
	$t->node->configure({%{$t->node->{conf}}, accounts => 'false'})->start;
	leave($t->ws('alice'));
	pass 'written both ways';
};

subtest 'without presence' => sub {
	$dbh->do("INSERT IGNORE INTO presence_told (user_id) SELECT CONCAT('x', seq) FROM seq_1_to_1500");
	my $relay = $t->node->{conf}{relay};
	$t->node->configure({%{$t->node->{conf}}, relay => {%$relay, webhook => {crm => {%{$relay->{webhook}{crm}}, events => ['message']}}}})->reload;
	wait_for('what was told to be forgotten', sub { !$dbh->selectrow_array('SELECT COUNT(*) FROM presence_told') });
	# Statements are explained beside many more rows than the users they name.
	$dbh->do("INSERT INTO presence_told (user_id) SELECT CONCAT('x', seq) FROM seq_1_to_20000");
	$dbh->selectall_arrayref('ANALYZE TABLE presence_told');
	pass 'nothing is left of it';
};

# A change of a group asks this when the answer to its COMMIT was lost; senders to several groups are written together.
my @texts = (logged($dbh, $holder), "DELETE FROM devices WHERE user_id='u0001' AND id='d1' AND token='x'", "DELETE FROM devices WHERE user_id='u0001' AND login_id<>5 AND login_id<>0", "DELETE FROM push_settings WHERE user_id='u0001'",
	"SELECT id FROM messages FORCE INDEX (by_client) WHERE from_user_id='alice' AND client_msg_id=' x'",
	"UPDATE members FORCE INDEX (PRIMARY) SET read_seq=ELT(FIELD(conversation_id,$group,@{[$group + 2]}),30,40) WHERE (user_id,conversation_id) IN (('alice',$group),('u0001',@{[$group + 2]}))");
log_stop($dbh);

# ---- statements ----

subtest 'every statement of the sources was asked' => sub {
	# tidingsctl's; the connection's own.
	my @files = grep { !m{/(?:migrate|link|probe)\.c\z} } glob "$top/src/{store,relay}/*.c";
	my @pieces = sql_pieces(@files);
	cmp_ok scalar(@pieces), '>', 20, 'there are pieces of SQL';
	is_deeply [map { join '%', @$_ } grep { !was_asked(\@texts, $_) } @pieces], [], 'each was seen';
};

subtest 'none scans or sorts what grows' => sub {
	is_deeply [plan_faults($dbh, "SELECT id FROM messages WHERE content = 'x'")], ['messages: reads all rows'], 'a scan is told';
	is_deeply [plan_faults($dbh, 'SELECT COUNT(*) FROM messages WHERE client_msg_id > 5')], ['messages: reads all of index by_client'], 'one of an index';
	is_deeply [plan_faults($dbh, "SELECT id FROM messages WHERE from_user_id = 'a0001' ORDER BY content")], ['messages: Using filesort'], 'a sort';
	my %shapes;
	for my $statement (statements(@texts)) {
		my $shape = $statement =~ s/'(?:[^'\\]|\\.)*'|\b\d+\b/?/gr =~ s/\?(?:,\?)+/?/gr =~ s/\(\?\)(?:,\(\?\))+/(?)/gr;
		push @{$shapes{$shape}}, plan_faults($dbh, $statement);
	}
	cmp_ok scalar(keys %shapes), '>', 20, 'there are statements';
	# These are bounded otherwise: by their LIMIT, a user has up to 20 devices, and a message has few files.
	my %bounded = ('presence_told: reads all of index PRIMARY' => qr/FROM presence_told (?:WHERE user_id>\? )?(?:ORDER BY user_id )?LIMIT \?/,
		'push_jobs: reads all of index by_due' => qr/FROM push_jobs LIMIT \?/, 'push_sends: reads all of index by_due' => qr/FROM push_sends LIMIT \?/,
		'media_uses: Using temporary; Using filesort' => qr/FROM media_uses FORCE INDEX \(by_message\) WHERE message_id IN \(\?\) ORDER BY media_id/,
		'devices: Using filesort' => qr/FROM devices FORCE INDEX \(PRIMARY\) WHERE user_id=\? ORDER BY used_at/);
	for my $shape (sort keys %shapes) {
		my %faults = map { $_ => 1 } grep { !$bounded{$_} || $shape !~ $bounded{$_} } @{$shapes{$shape}};
		is_deeply [sort keys %faults], [], length $shape > 150 ? substr($shape, 0, 150) . '...' : $shape or diag($shape);
	}
};

$t->stop;
done_testing;
