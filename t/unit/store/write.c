/* SPDX-License-Identifier: BSD-2-Clause */
/* Every write of the store, its refusals, repeats, and several in one batch as if one after the other. */
#include "core/base.h"
#include "store/store.h"

#include "core/clock.h"
#include "db.h"
#include "calls.h"
#include "../tap.h"

static struct store *s;
static _Atomic int64_t shift_ms;
static unsigned batches, batch_sends;

static void on_batch(unsigned ops, unsigned sends, uint64_t usecs, void *ctx)
{
	batches++;
	batch_sends += sends;
}

static long long conversations_of(const char *a, const char *b)
{
	return db_sql("SELECT COUNT(*) FROM conversations WHERE (user1_id='%s' AND user2_id='%s') OR "
		      "(user1_id='%s' AND user2_id='%s')",
		      a, b, b, a);
}

static uint64_t conversation_of(const char *a, const char *b)
{
	return (uint64_t)db_sql("SELECT id FROM conversations WHERE user1_id='%s' AND user2_id='%s'", a, b);
}

static void test_send(void)
{
	struct sent_answer a = do_text(s, "alice", "bob", "hi", "first");
	is_int(a.status, STORE_OK, "a friend may be written to");
	ok(!a.replayed, "it is new");
	is_int(message_id_seq(a.m.id), 1, "the first message has seq 1");
	is_int(message_id_conversation(a.m.id), conversation_of("alice", "bob"), "its id tells its conversation");
	is_str(a.m.from, "alice", "from");
	is_str(a.m.to, "bob", "to");
	ok(str_is(a.m.content, "hi") && str_is(a.m.client_msg_id, "first"), "content and client_msg_id");
	ok(a.m.media_url.s == NULL && a.m.extra.s == NULL && a.m.reply_to == 0, "what was not given is absent");
	int64_t off = a.m.created_ms - clock_wall_ms();
	ok(off > -60000 && off < 60000, "created_at is now, in UTC");

	struct store_send p = text_to("bob", "alice", NULL, NULL);
	p.type = MESSAGE_IMAGE;
	p.content = str_from("");
	p.media_url = str_from("https://example.com/ä.png");
	p.extra = str_from("{\"a\":\"\\u00e4'\\\"\"}");
	p.reply_to = a.m.id;
	struct sent_answer b = do_send(s, p);
	is_int(b.status, STORE_OK, "the other way");
	is_int(b.m.id, a.m.id + 1, "takes the next seq of the same conversation");
	ok(str_equal(b.m.extra, p.extra) && b.m.reply_to == a.m.id && b.m.type == MESSAGE_IMAGE, "all fields are kept");
	ok(b.m.content.s != NULL && b.m.content.len == 0, "an empty text is not an absent one");
	ok(b.m.client_msg_id.s == NULL, "a client_msg_id of our own making is not shown");
	is_int(db_sql("SELECT client_msg_id LIKE ' %%' AND LENGTH(client_msg_id)=23 FROM messages WHERE id=%llu",
		      (unsigned long long)b.m.id),
	       1, "but stands");

	char text[512], *at = text;
	for (int i = 0; i < 128; i++)
		*at++ = (char)i;
	memcpy(at, "ä€😀\\'\\\"", sizeof("ä€😀\\'\\\""));
	at += sizeof("ä€😀\\'\\\"") - 1;
	p = text_to("alice", "bob", NULL, "it's;\"\\");
	p.content = (struct str){text, (size_t)(at - text)};
	is_int(do_send(s, p).status, STORE_OK, "any character may be sent");
	a = do_send(s, p);
	ok(a.replayed && str_equal(a.m.content, p.content) && str_equal(a.m.client_msg_id, p.client_msg_id),
	   "and comes back the same");
}

static void test_refusals(void)
{
	is_int(do_text(s, "alice", "stranger", "hi", NULL).status, STORE_NOT_FRIENDS, "no friendship");
	is_int(do_text(s, "alice", "half", "hi", NULL).status, STORE_NOT_FRIENDS, "half a friendship");
	is_int(do_text(s, "half", "alice", "hi", NULL).status, STORE_NOT_FRIENDS, "the other half");
	is_int(do_text(s, "alice", "blocker", "hi", NULL).status, STORE_BLOCKED, "blocked");
	is_int(do_text(s, "alice", "alice", "hi", NULL).status, STORE_NOT_FRIENDS, "oneself");
	struct store_send p = text_to("alice", "erin", "hi", NULL);
	p.reply_to = 7;
	is_int(do_send(s, p).status, STORE_BAD_REPLY, "a reply where there is nothing");
	is_int(conversations_of("alice", "stranger") + conversations_of("alice", "half") +
		       conversations_of("alice", "blocker") + conversations_of("alice", "erin"),
	       0, "what was refused has made no conversation");
	is_int(do_text(s, "blocker", "alice", "hi", NULL).status, STORE_OK, "who blocks may write");
	uint64_t id = conversation_of("alice", "bob");
	uint64_t last = (uint64_t)db_sql("SELECT last_seq FROM conversations WHERE id=%llu", (unsigned long long)id);
	p = text_to("alice", "bob", "hi", NULL);
	p.reply_to = message_id_make(id, last + 1);
	is_int(do_send(s, p).status, STORE_BAD_REPLY, "a reply to a message to come");
	p.reply_to = message_id_make(id, 0);
	is_int(do_send(s, p).status, STORE_BAD_REPLY, "a reply to seq 0");
	p.reply_to = message_id_make(conversation_of("alice", "blocker"), 1);
	is_int(do_send(s, p).status, STORE_BAD_REPLY, "a reply to another conversation's");
	p.reply_to = message_id_make(id, last);
	is_int(do_send(s, p).status, STORE_OK, "a reply to the last one");

	db_sql("UPDATE friendships SET blocked=1 WHERE user_id='bob' AND friend_id='alice'");
	is_int(do_text(s, "alice", "bob", "hi", NULL).status, STORE_BLOCKED, "a block is seen at once");
	db_sql("UPDATE friendships SET blocked=0 WHERE user_id='bob' AND friend_id='alice'");
	is_int(do_text(s, "alice", "bob", "hi", NULL).status, STORE_OK, "and so is its end");
	db_sql("DELETE FROM friendships WHERE user_id='alice' AND friend_id='bob'");
	is_int(do_text(s, "alice", "bob", "hi", NULL).status, STORE_NOT_FRIENDS, "the end of a friendship too");
	is_int(do_text(s, "alice", "bob", "hi", "first").status, STORE_OK, "but a repeat is looked at before");
	db_befriend("alice", "bob");

	db_befriend("full", "alice");
	is_int(do_text(s, "full", "alice", "hi", NULL).status, STORE_OK, "a conversation");
	db_sql("UPDATE conversations SET last_seq=%llu WHERE user1_id='alice' AND user2_id='full'",
	       (unsigned long long)MESSAGE_SEQ_MAX);
	is_int(do_text(s, "full", "alice", "hi", NULL).status, STORE_FULL, "that is full");
	db_sql("UPDATE conversations SET last_seq=1 WHERE user1_id='alice' AND user2_id='full'");
}

static void test_repeats(void)
{
	struct store_send p = text_to("alice", "bob", "again", "rep");
	p.extra = str_from("{\"n\":1}");
	struct sent_answer a = do_send(s, p), b = do_send(s, p);
	ok(b.status == STORE_OK && b.replayed && b.m.id == a.m.id, "a repeat finds the stored message");
	ok(b.m.created_ms == a.m.created_ms && str_equal(b.m.extra, p.extra), "as it is");
	struct store_send other = p;
	other.content = str_from("Again");
	is_int(do_send(s, other).status, STORE_REUSED, "another content");
	other = p;
	other.type = MESSAGE_FILE;
	is_int(do_send(s, other).status, STORE_REUSED, "another type");
	other = p;
	other.extra = STR_NULL;
	is_int(do_send(s, other).status, STORE_REUSED, "another extra");
	other = p;
	other.media_url = str_from("");
	is_int(do_send(s, other).status, STORE_REUSED, "another media_url");
	other = p;
	other.reply_to = a.m.id;
	is_int(do_send(s, other).status, STORE_REUSED, "another reply_to");
	other = p;
	other.to = str_from("carol");
	is_int(do_send(s, other).status, STORE_REUSED, "another recipient");
	other.to = str_from("stranger");
	is_int(do_send(s, other).status, STORE_REUSED, "a recipient who is no friend either");
	is_int(do_text(s, "bob", "alice", "x", "rep").status, STORE_OK, "another sender's ids are another matter");

	struct sent_answer found = {0};
	store_find_sent(s, &p, on_sent, &found);
	wait_for(&found.done);
	ok(found.status == STORE_OK && found.replayed && found.m.id == a.m.id, "looked for, it is found");
	long long fenced = db_sql("SELECT SUM(n) FROM fences");
	found = (struct sent_answer){0};
	store_find_sent(s, &p, on_sent, &found);
	wait_for(&found.done);
	is_int(db_sql("SELECT SUM(n) FROM fences"), fenced + 1, "and made sure to be on disk");
	other = p;
	other.content = str_from("x");
	found = (struct sent_answer){0};
	store_find_sent(s, &other, on_sent, &found);
	wait_for(&found.done);
	is_int(found.status, STORE_REUSED, "and held against its fields");
	other.client_msg_id = str_from("never");
	found = (struct sent_answer){0};
	store_find_sent(s, &other, on_sent, &found);
	wait_for(&found.done);
	is_int(found.status, STORE_NOT_FOUND, "one that was not sent is not found");
	is_int(db_sql("SELECT SUM(n) FROM fences"), fenced + 2, "and costs no write");

	is_int(do_change(ACT_READ, s, "bob", a.m.id).status, STORE_OK, "read");
	ok(do_send(s, p).m.is_read, "a repeat is answered as the message is now");
	is_int(do_change(ACT_RECALL, s, "alice", a.m.id).status, STORE_OK, "recalled");
	b = do_send(s, other = text_to("alice", "bob", "whatever", "rep"));
	ok(b.status == STORE_OK && b.replayed && b.m.is_recalled && b.m.content.s == NULL,
	   "of a recalled one only the recipient is compared");
	other.to = str_from("carol");
	is_int(do_send(s, other).status, STORE_REUSED, "and that it is");
}

static void test_repeats_in_a_batch(void)
{
	struct sent_answer a, b, c, d;
	ask_send(s, text_to("alice", "bob", "one", "twin"), &a);
	ask_send(s, text_to("alice", "bob", "one", "twin"), &b);
	ask_send(s, text_to("alice", "bob", "two", "twin"), &c);
	ask_send(s, text_to("alice", "carol", "one", "twin"), &d);
	wait_for(&d.done);
	ok(a.status == STORE_OK && !a.replayed, "the first of two twins is new");
	ok(b.status == STORE_OK && b.replayed && b.m.id == a.m.id && str_is(b.m.content, "one"), "the second a repeat");
	is_int(c.status, STORE_REUSED, "with other fields it is refused");
	is_int(d.status, STORE_REUSED, "and to another recipient");

	struct sent_answer e, f;
	db_befriend("alice", "new1");
	db_befriend("alice", "new2");
	ask_send(s, text_to("alice", "new1", "x", "pair"), &e);
	ask_send(s, text_to("alice", "new2", "x", "pair"), &f);
	wait_for(&f.done);
	ok(e.status == STORE_OK && f.status == STORE_REUSED, "twins to two new peers: one stands");
	is_int(conversations_of("alice", "new2"), 0, "and only its conversation");

	ask_send(s, text_to("alice", "stranger", "x", "later"), &e);
	ask_send(s, text_to("alice", "new2", "x", "later"), &f);
	wait_for(&f.done);
	ok(e.status == STORE_NOT_FRIENDS && f.status == STORE_OK && !f.replayed,
	   "what was refused has not used its client_msg_id up");

	struct change_answer r;
	uint64_t next = a.m.id + 1;
	ask_send(s, text_to("alice", "bob", "guess", "guess"), &a);
	ask_change(ACT_RECALL, s, "alice", next, &r);
	ask_send(s, text_to("alice", "bob", "guess", "guess"), &b);
	wait_for(&b.done);
	ok(a.m.id == next && r.done && r.status == STORE_OK && r.changed, "a recall right behind its send");
	ok(b.replayed && b.m.id == next && b.m.is_recalled, "and a repeat behind both sees it");
}

static void test_order(void)
{
	enum { N = 700 };
	static struct sent_answer a[N];
	char text[16];
	unsigned before = batches, sends_before = batch_sends;
	db_befriend("u1", "u2");
	db_befriend("u1", "u3");
	for (int i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "%d", i);
		ask_send(s,
			 i % 3 == 0   ? text_to("u1", "u2", text, NULL)
			 : i % 3 == 1 ? text_to("u2", "u1", text, NULL)
				      : text_to("u1", "u3", text, NULL),
			 &a[i]);
	}
	ok(!a[0].done, "no answer before the loop runs");
	for (int i = 0; i < N; i++)
		wait_for(&a[i].done);
	uint64_t seq[2] = {0, 0};
	int wrong = 0;
	for (int i = 0; i < N; i++) {
		wrong += a[i].status != STORE_OK || message_id_seq(a[i].m.id) != ++seq[i % 3 == 2];
		wrong += i > 2 && a[i].m.created_ms < a[i - 3].m.created_ms;
	}
	is_int(wrong, 0, "%d sends of one turn have their seqs in the order they were made", N);
	ok(batches - before <= 4, "in few batches");
	is_int(batch_sends - sends_before, N, "which the counters know");
}

static void test_read(void)
{
	db_befriend("r1", "r2");
	struct sent_answer m[5];
	for (int i = 0; i < 5; i++)
		m[i] = do_text(s, i == 2 ? "r2" : "r1", i == 2 ? "r1" : "r2", "x", NULL);
	uint64_t id = conversation_of("r1", "r2");
	is_int(do_count(s, "r2").count, 4, "four are unread");
	is_int(do_change(ACT_RECALL, s, "r1", m[0].m.id).status, STORE_OK, "one is recalled");
	is_int(do_change(ACT_DELETE, s, "r2", m[1].m.id).status, STORE_OK, "one is deleted by its recipient");
	is_int(do_count(s, "r2").count, 2, "two are left");
	struct store_read r = do_read(s, "r2", id, 2);
	ok(r.status == STORE_OK && r.changed && r.read_seq == 2 && r.up_to_seq == 2, "read up to the second");
	is_int(r.marked, 2, "marks the recalled and the deleted one too");
	is_int(r.unread, 2, "which did not count");
	is_str(r.peer, "r1", "and knows the peer");
	r = do_read(s, "r2", id, 1);
	ok(r.status == STORE_OK && !r.changed && r.read_seq == 2 && r.marked == 0, "it never goes back");
	r = do_read(s, "r2", id, 4);
	ok(r.changed && r.marked == 1 && r.unread == 1, "one's own message in between does not count");
	r = do_read(s, "r2", id, UINT64_MAX);
	ok(r.changed && r.read_seq == 5 && r.up_to_seq == 5 && r.marked == 1 && r.unread == 0, "all of it");
	ok(r.read_ms > 0 && r.conversation_id == id, "with its time");
	r = do_read(s, "r2", id, UINT64_MAX);
	ok(r.status == STORE_OK && !r.changed && r.marked == 0 && r.read_seq == 5, "again: nothing");
	is_int(do_read(s, "r1", id, UINT64_MAX).marked, 1, "the other side has its own");
	is_int(do_read(s, "alice", id, 1).status, STORE_NOT_FOUND, "outsiders have none");
	is_int(do_read(s, "r1", 999999, 1).status, STORE_NOT_FOUND, "nor has what is not there");
	is_int(do_read(s, "r1", UINT64_MAX, 1).status, STORE_NOT_FOUND, "or cannot be");
	is_int(db_sql("SELECT change_seq FROM conversations WHERE id=%llu", (unsigned long long)id), 2,
	       "reading a conversation is no change");

	db_sql("UPDATE conversations SET user1_read_seq=0 WHERE id=%llu", (unsigned long long)id);
	ok(do_read(s, "r1", id, UINT64_MAX).status == STORE_OK, "a read_seq that was set back can be moved again");

	struct sent_answer a, b;
	struct read_answer x, y, z;
	ask_send(s, text_to("r1", "r2", "a", NULL), &a);
	ask_read(s, "r2", id, UINT64_MAX, &x);
	ask_send(s, text_to("r1", "r2", "b", NULL), &b);
	ask_read(s, "r1", id, UINT64_MAX, &y);
	ask_read(s, "r2", id, UINT64_MAX, &z);
	wait_for(&z.done);
	ok(x.r.marked == 1 && x.r.read_seq == 6 && x.r.unread == 0, "a read sees the send before it in the batch");
	ok(y.r.changed && y.r.marked == 0 && y.r.read_seq == 7, "the other side's read too");
	ok(z.r.marked == 1 && z.r.read_seq == 7, "and a second one what came after the first");
}

static void test_read_message(void)
{
	struct sent_answer m = do_text(s, "r1", "r2", "x", NULL);
	is_int(do_change(ACT_READ, s, "r1", m.m.id).status, STORE_FORBIDDEN, "not the sender");
	is_int(do_change(ACT_READ, s, "alice", m.m.id).status, STORE_NOT_FOUND, "not an outsider");
	is_int(do_change(ACT_READ, s, "r2", m.m.id + 1).status, STORE_NOT_FOUND, "not one to come");
	is_int(do_change(ACT_READ, s, "r2", 0).status, STORE_NOT_FOUND, "not id 0");
	is_int(do_change(ACT_READ, s, "r2", UINT64_MAX).status, STORE_NOT_FOUND, "not the largest id");
	struct change_answer r = do_change(ACT_READ, s, "r2", m.m.id);
	ok(r.status == STORE_OK && r.changed && r.m.is_read && r.m.read_ms != 0, "the recipient may");
	is_int(r.change_seq, 3, "it is a change");
	is_int(do_count(s, "r2").count, 0, "it counts no more");
	struct change_answer again = do_change(ACT_READ, s, "r2", m.m.id);
	ok(again.status == STORE_OK && !again.changed && again.m.read_ms == r.m.read_ms && again.change_seq == 3,
	   "again: nothing");
	is_int(db_sql("SELECT user2_read_seq FROM conversations WHERE id=%llu",
		      (unsigned long long)message_id_conversation(m.m.id)),
	       7, "read_seq stays");
}

/* For how many sides the newest recall in its conversation is that of this message. */
static long long recalls_at(uint64_t id)
{
	return db_sql("SELECT COUNT(*) FROM recalls r JOIN messages m ON m.recalled_at=r.recalled_at "
		      "WHERE m.id=%llu AND r.conversation_id=m.id>>28",
		      (unsigned long long)id);
}

static void test_recall(void)
{
	struct sent_answer m = do_text(s, "r1", "r2", "secret", NULL), late = do_text(s, "r1", "r2", "x", NULL);
	is_int(do_count(s, "r2").count, 2, "two unread");
	is_int(do_change(ACT_RECALL, s, "r2", m.m.id).status, STORE_NOT_SENDER, "not the recipient");
	is_int(do_change(ACT_RECALL, s, "alice", m.m.id).status, STORE_NOT_FOUND, "not an outsider");
	shift_ms = 119000;
	struct change_answer r = do_change(ACT_RECALL, s, "r1", m.m.id);
	ok(r.status == STORE_OK && r.changed && r.m.is_recalled && r.m.content.s == NULL, "in time");
	ok(r.m.recalled_ms - r.m.created_ms >= 119000, "by the database's clock, moved as ours is");
	is_int(do_count(s, "r2").count, 1, "it counts no more");
	is_int(db_sql("SELECT COUNT(*) FROM messages WHERE content='secret'"), 0, "its content is gone from the disk");
	is_int(recalls_at(m.m.id), 2, "both sides will hear of it");
	shift_ms = 125000;
	is_int(do_change(ACT_RECALL, s, "r1", late.m.id).status, STORE_RECALL_EXPIRED, "too late");
	struct change_answer again = do_change(ACT_RECALL, s, "r1", m.m.id);
	ok(again.status == STORE_OK && !again.changed && again.m.recalled_ms == r.m.recalled_ms,
	   "what is recalled stays so");
	shift_ms = 0;
	struct sent_answer next = do_text(s, "r1", "r2", "x", NULL);
	ok(next.m.created_ms >= late.m.created_ms, "the times of a conversation never go back");
	is_int(do_change(ACT_DELETE, s, "r2", next.m.id).status, STORE_OK, "deleted by its recipient");
	uint64_t unread = do_count(s, "r2").count;
	is_int(do_change(ACT_RECALL, s, "r1", next.m.id).changed, true, "and recalled");
	is_int(do_count(s, "r2").count, unread, "is not taken off twice");
	is_int(db_sql("SELECT COUNT(*) FROM recalls r JOIN messages m ON r.recalled_at>m.recalled_at WHERE m.id=%llu "
		      "AND r.conversation_id=m.id>>28",
		      (unsigned long long)m.m.id),
	       2, "and comes after the first one although the clock was set back");
}

static void test_delete(void)
{
	db_befriend("d1", "d2");
	struct sent_answer m[4];
	for (int i = 0; i < 4; i++)
		m[i] = do_text(s, "d1", "d2", "x", NULL);
	is_int(do_change(ACT_DELETE, s, "alice", m[0].m.id).status, STORE_NOT_FOUND, "not an outsider");
	struct change_answer d = do_change(ACT_DELETE, s, "d2", m[3].m.id);
	ok(d.status == STORE_OK && d.changed && d.change_seq == 1, "the recipient may");
	is_int(do_count(s, "d2").count, 3, "what is deleted is not unread");
	d = do_change(ACT_DELETE, s, "d2", m[3].m.id);
	ok(d.status == STORE_OK && !d.changed, "again: nothing");
	ok(do_change(ACT_DELETE, s, "d1", m[3].m.id).changed, "the sender for himself");
	struct change_answer x, y, z;
	ask_change(ACT_DELETE, s, "d1", m[2].m.id, &x);
	ask_change(ACT_DELETE, s, "d1", m[1].m.id, &y);
	ask_change(ACT_DELETE, s, "d1", m[0].m.id, &z);
	wait_for(&z.done);
	ok(x.changed && y.changed && z.changed && z.change_seq == 5, "several at once");
	is_int(db_sql("SELECT user1_last_id FROM conversations WHERE user1_id='d1' AND user2_id='d2'"), 0,
	       "who has deleted all sees none as the last");
	is_int(db_sql("SELECT user2_last_id FROM conversations WHERE user1_id='d1' AND user2_id='d2'"), m[2].m.id,
	       "the other side its own");
	struct sent_answer a;
	ask_send(s, text_to("d2", "d1", "x", NULL), &a);
	ask_change(ACT_DELETE, s, "d2", m[2].m.id, &x);
	wait_for(&x.done);
	is_int(db_sql("SELECT user2_last_id FROM conversations WHERE user1_id='d1' AND user2_id='d2'"), a.m.id,
	       "a new message is the last one");
}

static void test_create(void)
{
	struct created_answer c, d;
	is_int(do_create(s, "alice", "stranger").status, STORE_NOT_FRIENDS, "friends only");
	is_int(do_create(s, "alice", "alice").status, STORE_NOT_FRIENDS, "not with oneself");
	is_int(conversations_of("alice", "stranger"), 0, "nothing was made");
	db_befriend("alice", "frank");
	db_sql("INSERT INTO users (id,nickname) VALUES ('frank','Frank')");
	ask_create(s, "frank", "alice", "moment", "m'1", &c);
	ask_create(s, "alice", "frank", "moment", "other", &d);
	wait_for(&c.done);
	wait_for(&d.done);
	ok(c.status == STORE_OK && c.created, "a new one");
	ok(d.status == STORE_OK && !d.created && d.c.id == c.c.id, "the second finds it");
	ok(str_is(c.c.source_kind, "moment") && str_is(d.c.source_id, "m'1"), "with its source");
	is_str(c.c.peer, "alice", "as its caller sees it");
	ok(str_is(d.c.peer_nickname, "Frank") && !d.c.has_last && d.c.last_ms == 0 && d.c.created_ms > 0,
	   "with the peer's name, and empty");
	struct sent_answer a, b;
	db_befriend("alice", "gina");
	ask_send(s, text_to("gina", "alice", "x", NULL), &a);
	ask_create(s, "alice", "gina", NULL, NULL, &c);
	ask_send(s, text_to("alice", "gina", "y", NULL), &b);
	wait_for(&c.done);
	ok(a.status == STORE_OK && b.status == STORE_OK && b.m.id == a.m.id + 1, "sends that make a conversation");
	ok(c.status == STORE_OK && !c.created && c.c.id == message_id_conversation(a.m.id), "and a create among them");
	ok(c.c.has_last && c.c.unread == 1, "as it stands after the batch");
	db_sql("DELETE FROM friendships WHERE user_id='gina'");
	ok(do_create(s, "alice", "gina").status == STORE_OK, "it stays theirs when the friendship ends");
	db_befriend("alice", "gina");
	db_sql("UPDATE friendships SET blocked=1 WHERE user_id='gina'");
	is_int(do_create(s, "alice", "gina").status, STORE_BLOCKED, "but not where one blocks the other");
	ok(do_create(s, "gina", "alice").status == STORE_OK, "who may herself");
}

static void test_bad_data(void)
{
	enum { N = 9 };
	struct sent_answer a[N];
	char url[5001];
	memset(url, 'u', sizeof(url) - 1);
	url[sizeof(url) - 1] = '\0';
	for (int i = 0; i < N; i++) {
		struct store_send p = text_to("u1", "u2", "x", NULL);
		if (i == 4)
			p.media_url = str_from(url);
		ask_send(s, p, &a[i]);
	}
	for (int i = 0; i < N; i++)
		wait_for(&a[i].done);
	int good = 0;
	for (int i = 0; i < N; i++)
		good += i != 4 && a[i].status == STORE_OK;
	is_int(good, N - 1, "one that the database refuses does not spoil the others");
	is_int(a[4].status, STORE_UNAVAILABLE, "and is given up");
	is_int(a[8].m.id, a[0].m.id + N - 2, "without a gap");
}

static void test_overload(void)
{
	enum { N = 8192 + 100 };
	struct sent_answer *a = xcalloc(N, sizeof(*a));
	for (int i = 0; i < N; i++)
		ask_send(s, text_to("u1", "u2", "x", NULL), &a[i]);
	is_int(store_pending(s), N, "all are pending");
	int fine = 0, overloaded = 0;
	for (int i = 0; i < N; i++) {
		wait_for(&a[i].done);
		fine += a[i].status == STORE_OK;
		overloaded += a[i].status == STORE_OVERLOADED;
	}
	is_int(fine, 8192, "the queue takes 8,192");
	is_int(overloaded, 100, "and refuses the others at once");
	is_int(store_pending(s), 0, "nothing is pending");
	free(a);
}

static void test_another_database(struct conf *c)
{
	/* As after restoring a backup under a running server: what it remembers of pairs no longer holds. */
	db_sql("DELETE FROM messages;DELETE FROM deletions;DELETE FROM changes;DELETE FROM conversations;ALTER TABLE "
	       "conversations "
	       "AUTO_INCREMENT=5000");
	struct sent_answer a = do_text(s, "u1", "u2", "x", NULL);
	ok(a.status == STORE_OK && message_id_conversation(a.m.id) >= 5000 && message_id_seq(a.m.id) == 1,
	   "a conversation that vanished is made anew");
	uint64_t id = message_id_conversation(a.m.id);
	db_sql("DELETE FROM messages;DELETE FROM deletions;DELETE FROM conversations;INSERT INTO conversations "
	       "(id,user1_id,user2_id,sort_time,created_at) VALUES (%llu,'u1','u3',UTC_TIMESTAMP(),UTC_TIMESTAMP())",
	       (unsigned long long)id);
	struct read_answer r;
	ask_send(s, text_to("u1", "u2", "x", NULL), &a);
	ask_read(s, "u3", id, 1, &r);
	wait_for(&a.done);
	wait_for(&r.done);
	ok(a.status == STORE_OK && message_id_conversation(a.m.id) != id, "one whose id is another pair's now too");
	is_int(r.r.status, STORE_OK, "and who names it by its id finds it");
	/* And then it is a third pair's: two pairs are remembered with the same one. */
	id = message_id_conversation(a.m.id);
	struct sent_answer b, first[2], second[2];
	db_befriend("u4", "u5");
	db_sql("DELETE FROM messages;DELETE FROM deletions;DELETE FROM conversations;INSERT INTO conversations "
	       "(id,user1_id,user2_id,sort_time,created_at) VALUES (%llu,'u4','u5',UTC_TIMESTAMP(),UTC_TIMESTAMP())",
	       (unsigned long long)id);
	b = do_text(s, "u4", "u5", "x", NULL);
	is_int(message_id_conversation(b.m.id), id, "another pair's now");
	for (int i = 0; i < 2; i++)
		ask_send(s, text_to(i == 0 ? "u1" : "u2", i == 0 ? "u2" : "u1", "x", NULL), &first[i]);
	for (int i = 0; i < 2; i++)
		ask_send(s, text_to(i == 0 ? "u4" : "u5", i == 0 ? "u5" : "u4", "x", NULL), &second[i]);
	for (int i = 0; i < 2; i++) {
		wait_for(&first[i].done);
		wait_for(&second[i].done);
	}
	ok(first[0].status == STORE_OK && first[1].status == STORE_OK && second[0].status == STORE_OK &&
		   second[1].status == STORE_OK,
	   "both pairs can send at once");
	is_int(message_id_conversation(second[1].m.id), id, "the one in its conversation");
	ok(message_id_conversation(first[1].m.id) != id, "the other in another");
	is_int(db_wrong(), 0, "and every counter is right");
	ask_send(s, text_to("u1", "u2", "x", NULL), &b);
	store_free(&s);
	ok(b.done && b.status == STORE_UNAVAILABLE && s == NULL, "what is in progress at the end is answered");
}

int main(void)
{
	static const struct store_observer obs = {.batch = on_batch};
	db_start();
	struct conf *c = db_conf("tidings");
	db_migrate(c);
	clock_share_shift(&shift_ms);
	db_befriend("alice", "bob");
	db_befriend("alice", "carol");
	db_befriend("alice", "erin");
	db_befriend("alice", "blocker");
	db_sql("UPDATE friendships SET blocked=1 WHERE user_id='blocker'");
	db_sql("INSERT INTO friendships (user_id,friend_id) VALUES ('alice','half')");
	base = event_base_new();
	s = store_new(base, c, &obs, NULL);
	wait_up(s);

	test_send();
	test_refusals();
	test_repeats();
	test_repeats_in_a_batch();
	test_order();
	test_read();
	test_read_message();
	test_recall();
	test_delete();
	test_create();
	test_bad_data();
	is_int(db_wrong(), 0, "every counter is what a recount gives");
	test_overload();
	is_int(db_wrong(), 0, "still");
	test_another_database(c);
	is_int(answers_at_once, 1, "no answer came but from the loop, and from store_free");

	event_base_free(base);
	arena_fini(&kept);
	conf_free(&c);
	return done_testing();
}
