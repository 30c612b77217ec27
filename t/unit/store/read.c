/* SPDX-License-Identifier: BSD-2-Clause */
/* The reads: lists and their pages, who is on the other side, and catching up without losing anything. */
#include "core/base.h"
#include "store/store.h"

#include "core/clock.h"
#include "lists.h"
#include "one_store.h"

static _Atomic int64_t shift_ms;

/* ---- lists ---- */

struct history_answer {
	bool done;
	enum store_status status;
	struct message m[101];
	size_t count;
	bool has_more;
};

static void on_history(const struct store_history *r, void *arg)
{
	struct history_answer *a = arg;
	a->status = r->status;
	a->count = r->count;
	a->has_more = r->has_more;
	for (size_t i = 0; i < r->count; i++)
		a->m[i] = keep_message(&r->item[i]);
	answered(&a->done);
}

static struct history_answer *history(const char *user, uint64_t id, uint64_t before, uint64_t after, unsigned limit)
{
	static struct history_answer a;
	a = (struct history_answer){0};
	store_list_messages(s, str_from(user), id, before, after, limit, on_history, &a);
	wait_for(&a.done);
	return &a;
}

static bool seqs_are(const struct message *m, size_t count, uint64_t first, uint64_t last)
{
	if (count != last - first + 1)
		return false;
	for (size_t i = 0; i < count; i++)
		if (message_id_seq(m[i].id) != first + i)
			return false;
	return true;
}

static void test_conversations(void)
{
	char peer[16];
	uint64_t id[7];
	for (int i = 0; i < 7; i++) {
		/* On both sides of "mm", with equal times among them. */
		snprintf(peer, sizeof(peer), "%c%d", i % 2 ? 'a' : 'z', i);
		db_befriend("mm", peer);
		id[i] = i == 3 ? do_create(s, "mm", peer).c.id
			       : message_id_conversation(do_text(s, peer, "mm", "x", NULL).m.id);
		db_sql("UPDATE conversations SET sort_time='2026-01-01 00:00:0%d'%s WHERE id=%llu", i / 3,
		       i == 3 ? "" : ",last_message_time=sort_time", (unsigned long long)id[i]);
		if (i == 3)
			db_sql("UPDATE conversations SET created_at=sort_time WHERE id=%llu",
			       (unsigned long long)id[i]);
	}
	db_sql("INSERT INTO users (id,nickname,avatar_url) VALUES ('z6','Zoë','https://x/y')");
	db_sql("UPDATE friendships SET blocked=1 WHERE user_id='a5' AND friend_id='mm'");
	struct store_cursor at = {0};
	uint64_t seen[16];
	size_t n = 0;
	for (int pages = 0; pages < 10; pages++) {
		struct list_answer *a = do_list(s, "mm", 2, at);
		for (size_t i = 0; i < a->count; i++)
			seen[n++] = a->c[i].id;
		at = a->next;
		if (!a->has_more)
			break;
	}
	is_int(n, 7, "all pages together give each conversation once");
	int wrong = 0;
	for (size_t i = 0; i < n; i++)
		wrong += seen[i] != id[6 - i];
	is_int(wrong, 0, "in the order of time and id, the newest first");
	struct list_answer *a = do_list(s, "mm", 100, (struct store_cursor){0});
	ok(!a->has_more && a->count == 7, "or all at once");
	ok(str_is(a->c[0].peer_nickname, "Zoë") && str_is(a->c[0].peer_avatar_url, "https://x/y"), "with profiles");
	ok(a->c[1].peer_nickname.s == NULL && a->c[1].peer_avatar_url.s == NULL, "or without");
	ok(!a->c[3].has_last && a->c[3].last_ms == 0 && a->c[2].has_last && a->c[2].unread == 1,
	   "and the last message");
	struct message last = a->c[2].last;
	do_change(ACT_DELETE, s, "mm", last.id);
	a = do_list(s, "mm", 100, (struct store_cursor){0});
	ok(!a->c[2].has_last && a->c[2].last_ms != 0, "one that was deleted is the last no more, but its time stays");
	is_int(do_list(s, "nobody", 5, (struct store_cursor){0})->count, 0, "who has none gets none");
}

static void test_history(void)
{
	db_befriend("h1", "h2");
	struct sent_answer m[10];
	for (int i = 0; i < 10; i++)
		ask_send(s, text_to(i % 2 ? "h1" : "h2", i % 2 ? "h2" : "h1", "x", NULL), &m[i]);
	wait_for(&m[9].done);
	uint64_t id = message_id_conversation(m[0].m.id);
	struct history_answer *a = history("h1", id, 0, STORE_NO_AFTER, 4);
	ok(seqs_are(a->m, a->count, 7, 10) && a->has_more, "the newest, oldest first");
	a = history("h1", id, 7, STORE_NO_AFTER, 6);
	ok(seqs_are(a->m, a->count, 1, 6) && !a->has_more, "those before, to the beginning");
	a = history("h1", id, 2, STORE_NO_AFTER, 6);
	ok(seqs_are(a->m, a->count, 1, 1) && !a->has_more, "before the second");
	is_int(history("h1", id, 1, STORE_NO_AFTER, 6)->count, 0, "before the first");
	a = history("h2", id, 0, 0, 5);
	ok(seqs_are(a->m, a->count, 1, 5) && a->has_more, "from the beginning on");
	a = history("h2", id, 0, 5, 5);
	ok(seqs_are(a->m, a->count, 6, 10) && !a->has_more, "those after");
	is_int(history("h2", id, 0, 10, 5)->count, 0, "after the last");
	is_int(history("h2", id, 0, UINT64_MAX - 1, 5)->count, 0, "after what cannot be");
	is_int(history("h2", id, UINT64_MAX, STORE_NO_AFTER, 100)->count, 10, "before what cannot be");
	is_int(history("mm", id, 0, 0, 5)->status, STORE_NOT_FOUND, "outsiders get nothing");
	is_int(history("h1", id + 100000, 0, 0, 5)->status, STORE_NOT_FOUND, "nor is there anything elsewhere");
	is_int(history("h1", UINT64_MAX, 0, 0, 5)->status, STORE_NOT_FOUND, "or where nothing can be");
	do_change(ACT_DELETE, s, "h1", m[9].m.id);
	do_change(ACT_RECALL, s, "h2", m[8].m.id);
	a = history("h1", id, 0, STORE_NO_AFTER, 2);
	ok(seqs_are(a->m, a->count, 8, 9) && a->m[1].is_recalled && a->m[1].content.s == NULL,
	   "one's deleted ones are left out, recalled ones keep their place");
	is_int(history("h2", id, 0, STORE_NO_AFTER, 100)->count, 10, "the other side keeps it");
}

/* ---- people ---- */

static void on_peer(const struct store_peer *r, void *arg)
{
	*(struct store_peer *)arg = *r;
	answers_at_once += !loop_running;
}

static struct store_peer peer_of(const char *user, uint64_t id)
{
	static struct store_peer p;
	struct count_answer behind = {0};
	p = (struct store_peer){.status = STORE_OVERLOADED};
	store_find_peer(s, str_from(user), id, on_peer, &p);
	while (p.status == STORE_OVERLOADED) {
		store_ping(s, on_count, &behind);
		wait_for(&behind.done);
		behind.done = false;
	}
	return p;
}

struct friends_answer {
	bool done;
	struct store_friends r;
	struct store_friend item[8];
};

static void on_friends(const struct store_friends *r, void *arg)
{
	struct friends_answer *a = arg;
	a->r = *r;
	for (size_t i = 0; i < r->count; i++)
		a->item[i] = r->item[i];
	answered(&a->done);
}

static void test_people(void)
{
	db_befriend("p1", "p2");
	uint64_t id = do_create(s, "p1", "p2").c.id;
	struct store_peer p = peer_of("p1", id);
	ok(p.status == STORE_OK && strcmp(p.peer, "p2") == 0 && p.conversation_id == id, "the peer of one");
	is_str(peer_of("p2", id).peer, "p1", "and of the other");
	is_int(peer_of("mm", id).status, STORE_NOT_FOUND, "not of an outsider");
	is_int(peer_of("p1", UINT64_MAX).status, STORE_NOT_FOUND, "nor of nothing");
	db_sql("UPDATE friendships SET blocked=1 WHERE user_id='p2'");
	is_int(peer_of("p1", id).status, STORE_BLOCKED, "who is blocked");
	is_int(peer_of("p2", id).status, STORE_OK, "who blocks");
	struct friends_answer f = {0};
	db_befriend("p1", "p3");
	db_sql("INSERT INTO users (id,last_seen) VALUES ('p3','2026-01-02 03:04:05.678')");
	db_sql("INSERT INTO friendships (user_id,friend_id) VALUES ('p1','p4')");
	const struct str ids[] = {STR_LIT("p2"), STR_LIT("p3"), STR_LIT("p4"), STR_LIT("p5"), STR_LIT("'")};
	store_find_friends(s, STR_LIT("p1"), ids, ARRAY_LEN(ids), on_friends, &f);
	wait_for(&f.done);
	is_int(f.r.count, 2, "friends are those with both rows");
	int third = strcmp(f.item[0].user_id, "p3") == 0 ? 0 : 1;
	ok(f.item[!third].blocks_user && f.item[!third].last_seen_ms == 0, "one who blocks");
	int64_t want;
	ok(clock_parse_sql(STR_LIT("2026-01-02 03:04:05.678"), &want) == 0 && f.item[third].last_seen_ms == want &&
		   !f.item[third].blocks_user,
	   "one who was seen");
	f = (struct friends_answer){0};
	store_find_friends(s, STR_LIT("p1"), NULL, 0, on_friends, &f);
	wait_for(&f.done);
	ok(f.r.status == STORE_OK && f.r.count == 0, "none of none");
}

/* ---- catching up ---- */

static const struct store_sync_item *item_of(const struct sync_answer *a, uint64_t id)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->item[i].conversation.id == id)
			return &a->item[i];
	return NULL;
}

static void test_sync_listed(void)
{
	db_befriend("s1", "s2");
	struct sent_answer m[12];
	for (int i = 0; i < 12; i++)
		ask_send(s, text_to("s2", "s1", "x", NULL), &m[i]);
	wait_for(&m[11].done);
	uint64_t id = message_id_conversation(m[0].m.id);
	struct sync_answer *a = do_sync(s, "s1", NULL, 0, NULL, 5);
	ok(a->status == STORE_OK && a->count == 0 && !a->more && a->cursor.ms > 0, "nothing known: a first cursor");

	struct store_sync_have have = {id, 3, 0};
	a = do_sync(s, "s1", &have, 1, NULL, 5);
	ok(a->count == 1 && seqs_are(a->item[0].message, a->item[0].message_count, 4, 8) && a->item[0].has_more,
	   "the messages over what is there, oldest first");
	ok(a->item[0].conversation.unread == 12 && a->item[0].conversation.last_seq == 12 && !a->more,
	   "with the conversation");
	have.seq = 8;
	a = do_sync(s, "s1", &have, 1, NULL, 5);
	ok(seqs_are(a->item[0].message, a->item[0].message_count, 9, 12) && !a->item[0].has_more, "the rest");
	have.seq = 12;
	is_int(do_sync(s, "s1", &have, 1, NULL, 5)->count, 0, "and then nothing");
	is_int(do_sync(s, "mm", &have, 1, NULL, 5)->count, 0, "a foreign id is left out");

	do_change(ACT_RECALL, s, "s2", m[0].m.id);
	do_change(ACT_READ, s, "s1", m[1].m.id);
	do_change(ACT_DELETE, s, "s2", m[2].m.id);
	do_change(ACT_DELETE, s, "s1", m[3].m.id);
	a = do_sync(s, "s1", &have, 1, NULL, 5);
	const struct store_sync_item *item = &a->item[0];
	is_int(item->change_count, 3, "changes: all but the other side's deletion");
	ok(item->change[0].kind == CHANGE_RECALLED && item->change[0].message_id == m[0].m.id &&
		   item->change[0].change_seq == 1 && item->change[0].at_ms > 0,
	   "recalled");
	ok(item->change[1].kind == CHANGE_READ && item->change[1].change_seq == 2, "read");
	ok(item->change[2].kind == CHANGE_DELETED && item->change[2].change_seq == 4, "one's own deletion");
	ok(item->message_count == 0 && !item->has_more && item->conversation.change_seq == 4, "and no message");
	a = do_sync(s, "s1", &have, 1, NULL, 2);
	ok(a->item[0].change_count == 2 && a->item[0].has_more, "changes are cut too");
	have.change_seq = 4;
	is_int(do_sync(s, "s1", &have, 1, NULL, 5)->count, 0, "and then nothing");

	/* The newest ones were deleted on another device: they will never come, and must not be waited for. */
	have = (struct store_sync_have){id, 11, 5};
	do_change(ACT_DELETE, s, "s1", m[11].m.id);
	is_int(do_sync(s, "s1", &have, 1, NULL, 5)->count, 0, "what the caller has deleted is not a difference");
	have = (struct store_sync_have){id, 10, 5};
	a = do_sync(s, "s1", &have, 1, NULL, 5);
	ok(a->count == 1 && seqs_are(a->item[0].message, a->item[0].message_count, 11, 11), "the one before is");
}

static void test_sync_walk(void)
{
	enum { N = 260 };
	static struct sent_answer m[N];
	static int times[N];
	char peer[16];
	struct store_cursor cursor = do_sync(s, "w", NULL, 0, NULL, 5)->cursor;
	for (int i = 0; i < N; i++) {
		snprintf(peer, sizeof(peer), "%c%03d", i % 2 ? 'a' : 'z', i);
		db_befriend("w", peer);
		ask_send(s, text_to(peer, "w", "x", NULL), &m[i]);
		if (i % 20 == 19)
			wait_for(&m[i].done);
	}
	int refused = 0;
	for (int i = 0; i < N; i++)
		refused += m[i].status != STORE_OK;
	is_int(refused, 0, "%d conversations", N);
	int pages = 0;
	struct sync_answer *a;
	do {
		a = do_sync(s, "w", NULL, 0, &cursor, 5);
		for (int i = 0; i < N; i++)
			times[i] += item_of(a, message_id_conversation(m[i].m.id)) != NULL;
		cursor = a->cursor;
		pages++;
		shift_ms = 15000 * pages; /* a client in no hurry */
	} while (a->more && pages < 20);
	shift_ms = 0;
	int missing = 0;
	for (int i = 0; i < N; i++)
		missing += times[i] == 0;
	is_int(missing, 0, "walking since a cursor meets all %d active conversations", N);
	ok(pages == 3, "in three pages");
	ok(cursor.ms <= m[0].m.created_ms && cursor.id == 0,
	   "and ends with a cursor from before the first page, for what had not committed then");
	struct store_sync_have have[STORE_SYNC_LISTED_MAX];
	for (int i = 0; i < STORE_SYNC_LISTED_MAX; i++)
		have[i] = (struct store_sync_have){message_id_conversation(m[i].m.id), 1, 0};
	cursor = (struct store_cursor){m[0].m.created_ms - 1000, 0};
	a = do_sync(s, "w", have, STORE_SYNC_LISTED_MAX, &cursor, 5);
	ok(a->count == N - STORE_SYNC_LISTED_MAX && !a->more, "listed ones that are up to date are not walked to");
	for (int i = 0; i < STORE_SYNC_LISTED_MAX; i++)
		have[i].seq = 0;
	a = do_sync(s, "w", have, STORE_SYNC_LISTED_MAX, &cursor, 5);
	ok(a->count == 100 && a->more, "of 200 that differ 100 come");
	ok(a->cursor.ms == cursor.ms && (a->cursor.id & CONVERSATION_ID_MAX) == cursor.id,
	   "and the walk has not moved");
}

static void test_sync_recalls(void)
{
	/* A hundred and fifty recalls in one conversation, and after them one in another: it must be met. */
	enum { N = 150 };
	static struct sent_answer m[N];
	static struct change_answer r[N];
	db_befriend("v", "v1");
	db_befriend("v", "v2");
	struct sent_answer other = do_text(s, "v2", "v", "y", NULL);
	for (int i = 0; i < N; i++)
		ask_send(s, text_to("v1", "v", "x", NULL), &m[i]);
	wait_for(&m[N - 1].done);
	struct store_cursor cursor = {m[N - 1].m.created_ms, CONVERSATION_ID_MAX};
	for (int i = 0; i < N; i++) {
		shift_ms = 10 * (i + 1);
		ask_change(ACT_RECALL, s, "v1", m[i].m.id, &r[i]);
		wait_for(&r[i].done);
	}
	shift_ms = 20000;
	do_change(ACT_RECALL, s, "v2", other.m.id);
	shift_ms = 60000;
	bool met = false;
	int pages = 0;
	struct sync_answer *a;
	do {
		a = do_sync(s, "v", NULL, 0, &cursor, 5);
		met = met || item_of(a, message_id_conversation(other.m.id)) != NULL;
		cursor = a->cursor;
		pages++;
	} while (a->more && pages < 10);
	ok(met, "many recalls in one conversation do not hide one in another");
	ok(!a->more, "and the walk ends");
	shift_ms = 0;
}

static void test_sync_bytes(void)
{
	/* Big messages: an answer is cut, and all comes in the end. The second has a recall at the very end of the
	 * walk. */
	enum { N = 12, EACH = 12 };
	static char big[16000];
	static uint64_t got[N], id[N];
	struct sent_answer m;
	char peer[16];
	memset(big, 'b', sizeof(big) - 1);
	int64_t begun = 0;
	for (int i = 0; i < N; i++) {
		snprintf(peer, sizeof(peer), "x%d", i);
		db_befriend("x", peer);
		shift_ms = i * 1000;
		struct sent_answer first = do_text(s, peer, "x", big, NULL);
		begun = i == 0 ? first.m.created_ms : begun;
		for (int k = 1; k < EACH; k++)
			m = do_text(s, peer, "x", big, NULL);
		id[i] = message_id_conversation(m.m.id);
		if (i == 1)
			db_sql("INSERT INTO recalls (user_id,recalled_at,conversation_id) "
			       "SELECT 'x',DATE_ADD(created_at,INTERVAL 30 SECOND),%llu FROM messages WHERE id=%llu",
			       (unsigned long long)id[i], (unsigned long long)m.m.id);
	}
	shift_ms = 100000;
	struct store_cursor cursor = {begun - 1, 0};
	struct sync_answer *a;
	size_t largest = 0;
	int pages = 0;
	do {
		a = do_sync(s, "x", NULL, 0, &cursor, 100);
		size_t bytes = 0;
		for (size_t i = 0; i < a->count; i++) {
			for (size_t k = 0; k < a->item[i].message_count; k++)
				bytes += a->item[i].message[k].content.len;
			for (int j = 0; j < N; j++)
				if (id[j] == a->item[i].conversation.id && a->item[i].message_count > got[j])
					got[j] = a->item[i].message_count;
		}
		largest = bytes > largest ? bytes : largest;
		cursor = a->cursor;
		pages++;
	} while (a->more && pages < 20);
	int missing = 0;
	for (int j = 0; j < N; j++)
		missing += got[j] == 0;
	is_int(missing, 0, "what does not fit into one answer comes in the next");
	ok(pages > 2 && !a->more, "in several pages");
	ok(largest <= 1100000, "none much over a mebibyte");

	/* One conversation alone has more than that. */
	static struct sent_answer many[100];
	db_befriend("y", "y1");
	for (int i = 0; i < 100; i++)
		ask_send(s, text_to("y1", "y", big, NULL), &many[i]);
	wait_for(&many[99].done);
	struct store_sync_have have = {message_id_conversation(many[0].m.id), 0, 0};
	pages = 0;
	do {
		a = do_sync(s, "y", &have, 1, NULL, 100);
		if (a->count == 0)
			break;
		size_t n = a->item[0].message_count;
		ok(n * sizeof(big) <= 1100000 && n > 0 && seqs_are(a->item[0].message, n, have.seq + 1, have.seq + n),
		   "a long stretch comes in parts");
		have.seq += n;
	} while (++pages < 5);
	is_int(have.seq, 100, "to its end");
	cursor = (struct store_cursor){many[0].m.created_ms - 1000, 0};
	a = do_sync(s, "y", NULL, 0, &cursor, 100);
	size_t n = a->count == 1 ? a->item[0].message_count : 0;
	ok(n > 0 && a->item[0].has_more && seqs_are(a->item[0].message, n, 101 - n, 100),
	   "of one not listed the newest come");
	shift_ms = 0;
}

/* The loop's turns until a statement waits for that table, which another connection has locked. */
static void run_until_blocked(void)
{
	while (db_sql("SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table%%'") ==
	       0) {
		loop_running = true;
		event_base_loop(base, EVLOOP_NONBLOCK);
		loop_running = false;
		db_sleep_ms(1);
	}
}

/* After the conversation was read, but before its content is, a message and a change come: the answer has neither. */
static void test_sync_moment(void)
{
	db_befriend("k", "k1");
	struct sent_answer m = do_text(s, "k1", "k", "x", NULL);
	unsigned long long id = message_id_conversation(m.m.id);
	const struct store_sync_have have = {id, 0, 0};
	const struct store_sync_request p = {.user = STR_LIT("k"), .have = &have, .have_count = 1, .limit = 100};
	static struct sync_answer a;
	do_change(ACT_READ, s, "k", m.m.id);
	MYSQL *holder = mysql_init(NULL);
	if (mysql_real_connect(holder, NULL, "root", "", "tidings", 0, db_socket, 0) == NULL ||
	    mysql_query(holder, "LOCK TABLES changes WRITE") != 0)
		db_die("LOCK TABLES");
	store_sync(s, &p, on_synced, &a);
	run_until_blocked();
	char change[160];
	snprintf(change, sizeof(change),
		 "INSERT INTO changes (conversation_id,change_seq,kind,message_id,user_id,at) VALUES "
		 "(%llu,2,1,(%llu<<28)+2,'k',UTC_TIMESTAMP())",
		 id, id);
	if (mysql_query(holder, change) != 0)
		db_die(change);
	db_sql("INSERT INTO messages (id,from_user_id,to_user_id,message_type,content,client_msg_id,created_at) "
	       "SELECT (id<<28)+2,'k1','k',0,'y','k2',last_message_time FROM conversations WHERE id=%llu;"
	       "UPDATE conversations SET last_seq=2,change_seq=2,user1_last_id=(id<<28)+2,user2_last_id=(id<<28)+2 "
	       "WHERE id=%llu",
	       id, id);
	mysql_close(holder);
	wait_for(&a.done);
	const struct store_sync_item *item = item_of(&a, id);
	ok(item != NULL && item->conversation.change_seq == 1 && item->conversation.last_seq == 1, "as it was read");
	if (item == NULL)
		return;
	ok(item->change_count == 1 && item->change[0].change_seq == 1, "no change is beyond its change_seq");
	ok(item->message_count == 1 && item->message[0].id == item->conversation.last.id, "nor a message its last one");
	ok(!item->has_more, "and what came later is not missed");
}

static long long rows_read(void)
{
	return db_sql("SELECT SUM(VARIABLE_VALUE) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME IN "
		      "('HANDLER_READ_NEXT','HANDLER_READ_PREV','HANDLER_READ_KEY','HANDLER_READ_RND_NEXT')");
}

/* The total looks at the conversations with something unread, and at no others. */
static void test_unread_of_many(void)
{
	enum { CONVERSATIONS = 5000, WAITING = 7 };
	db_sql("INSERT INTO conversations (user1_id,user2_id,last_seq,user1_unread,user2_unread,sort_time,created_at) "
	       "SELECT IF(seq%%2,CONCAT('a',seq),'many'),IF(seq%%2,'many',CONCAT('p',seq)),9,IF(seq%%2=0 AND "
	       "seq<=4,3,0),"
	       "IF(seq%%2 AND seq<=10,2,0),UTC_TIMESTAMP(3),UTC_TIMESTAMP(3) FROM seq_1_to_%d",
	       CONVERSATIONS);
	/* What asking for the status reads itself. */
	long long before = rows_read(), asking = rows_read() - before;
	before = rows_read();
	is_int(do_count(s, "many").count, 2 * 3 + 5 * 2, "what is unread in %d of %d conversations", WAITING,
	       CONVERSATIONS);
	long long rows = rows_read() - before - asking;
	ok(rows <= 3 * WAITING, "is found by reading %lld rows", rows);
	db_sql("UPDATE conversations SET user1_unread=0 WHERE user1_id='many'");
	is_int(do_count(s, "many").count, 5 * 2, "also after another program has written the counters");
	db_sql("DELETE FROM conversations WHERE 'many' IN (user1_id,user2_id)");
}

int main(void)
{
	clock_share_shift(&shift_ms);
	one_store_begin(NULL);
	test_conversations();
	test_history();
	test_people();
	test_sync_listed();
	test_sync_walk();
	test_sync_recalls();
	test_sync_bytes();
	test_sync_moment();
	test_unread_of_many();
	return one_store_end();
}
