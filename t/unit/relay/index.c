/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the relay writes of the search index: from the outbox, from a walk through everything, after edits; that it says
 * yes to all that is there, whatever was interrupted; and that the outbox waits for it, but not for ever.
 */
#define CLOCK_KIT_SQL
#include "relay_kit.h"

#include "core/signature.h"
#include "store/search.h"

#define PAIR 5ULL
#define TEXTS_MAX 600

static char texts[TEXTS_MAX][64];

static void put_messages(uint64_t conversation_id, uint64_t first, uint64_t last)
{
	for (uint64_t seq = first; seq <= last; seq++) {
		snprintf(texts[seq], sizeof(texts[seq]), "text%llu of %s", (unsigned long long)seq,
			 seq % 2 ? "alice" : "bob");
		db_sql("INSERT INTO messages "
		       "(id,from_user_id,to_user_id,message_type,content,client_msg_id,created_at) VALUES "
		       "(%llu,'alice','bob',0,'%s','%llu-%llu',UTC_TIMESTAMP(3)+INTERVAL %llu SECOND)",
		       (unsigned long long)message_id_make(conversation_id, seq), texts[seq],
		       (unsigned long long)conversation_id, (unsigned long long)seq, (unsigned long long)seq);
	}
	db_sql("UPDATE conversations SET last_seq=%llu WHERE id=%llu", (unsigned long long)last,
	       (unsigned long long)conversation_id);
}

static void empty(void)
{
	outbox_empty();
	db_sql("DELETE FROM messages");
	db_sql("DELETE FROM search_heads");
	db_sql("DELETE FROM search_blocks");
	db_sql("DELETE FROM search_edits");
	db_sql("UPDATE conversations SET last_seq=0");
}

static long long covered(uint64_t conversation_id)
{
	return db_sql("SELECT COALESCE(MAX(k.covered_seq),0) FROM search_heads k JOIN search_state s ON "
		      "s.generation=k.generation WHERE k.conversation_id=%llu",
		      (unsigned long long)conversation_id);
}

static long long searched(uint64_t stream)
{
	return db_sql("SELECT COALESCE(MAX(n),0) FROM outbox_done WHERE consumer='search' AND stream=%llu",
		      (unsigned long long)stream);
}

static long long state(void)
{
	return db_sql("SELECT state FROM search_state");
}

/* Does the filter of its block say yes to the word? */
static bool may_have(uint64_t conversation_id, uint64_t seq, const char *word)
{
	static char query[256];
	struct needle needle = {0};
	struct signature_probe probe[SIGNATURE_PROBES_MAX];
	bool yes = false;
	needle_read(&needle, str_from(word));
	size_t n = signature_probes(&needle, probe);
	snprintf(query, sizeof(query), "SELECT filter FROM search_blocks WHERE conversation_id=%llu AND block=%llu",
		 (unsigned long long)conversation_id, (unsigned long long)seq >> SEARCH_BLOCK_BITS);
	if (mysql_query(db_handle, query) != 0)
		db_die(mysql_error(db_handle));
	MYSQL_RES *result = mysql_store_result(db_handle);
	MYSQL_ROW row = mysql_fetch_row(result);
	if (row != NULL)
		yes = signature_may_have((struct str){row[0], mysql_fetch_lengths(result)[0]}, probe, n);
	mysql_free_result(result);
	needle_fini(&needle);
	return yes;
}

static unsigned missed(uint64_t conversation_id, uint64_t first, uint64_t last)
{
	unsigned n = 0;
	for (uint64_t seq = first; seq <= last; seq++)
		n += !may_have(conversation_id, seq, texts[seq]);
	return n;
}

/* ---- the outbox ---- */

static void test_feed(void)
{
	put_messages(PAIR, 1, 20);
	for (uint64_t seq = 1; seq <= 14; seq++)
		with_id(OUTBOX_SENT, DIRECT(seq));
	put_row(S1, 1);
	PASS_UNTIL(searched(S1) == 1);
	is_int(covered(PAIR), 0, "no part of a block is complete");
	for (uint64_t seq = 15; seq <= 20; seq++)
		with_id(OUTBOX_SENT, DIRECT(seq));
	with_user("alice");
	with_id(OUTBOX_READ, DIRECT(15));
	put_row(S1, 2);
	PASS_UNTIL(covered(PAIR) == 15);
	is_int(missed(PAIR, 1, 15), 0, "a part is, and its filter has it");
	ok(!may_have(PAIR, 15, "text20") || !may_have(PAIR, 15, "nothing"), "and not what is not there");
	PASS_UNTIL(searched(S1) == 2);
	put_messages(PAIR, 21, 200);
	with_id(OUTBOX_SENT, DIRECT(191));
	put_row(S1, 3);
	PASS_UNTIL(covered(PAIR) == 191);
	is_int(missed(PAIR, 1, 191), 0, "all from where the filters ended is covered");
	is_int(db_sql("SELECT COUNT(*) FROM search_blocks"), 3, "in three blocks");
	is_int(db_sql("SELECT COUNT(*) FROM search_blocks b JOIN messages m ON m.id=(5<<28)+64 WHERE b.block=1 AND "
		      "b.first_at=m.created_at"),
	       1, "which know their times");
	put_bytes(S1, 4, "s\1", 2);
	with_id(OUTBOX_SENT, DIRECT(207));
	put_row(S1, 5);
	put_messages(PAIR, 201, 210);
	PASS_UNTIL(covered(PAIR) == 207);
	ok(true, "malformed items are passed over");
}

/* Rows that others are done with stay until they are read. */
static void test_outbox_waits(void)
{
	empty();
	put_rows(S2, 1, 300);
	told(S2, 300);
	db_sql("RENAME TABLE search_heads TO hidden");
	put_messages(PAIR, 1, 16);
	with_id(OUTBOX_SENT, DIRECT(15));
	put_row(S2, 301);
	told(S2, 301);
	PASS_UNTIL(log_has("asking how far the search index is"));
	pass(20000);
	is_int(db_sql("SELECT COUNT(*) FROM outbox WHERE stream=%llu", S2), 301, "nothing is deleted that is not read");
	/* The streams are surveyed for a while after a day. */
	pass(1000);
	now_ms += INDEX_WAITS_MS;
	PASS_UNTIL(db_sql("SELECT COUNT(*) FROM outbox WHERE stream=%llu", S2) <= 10);
	ok(searched(S2) == 0, "but not for longer than a day");
	db_sql("RENAME TABLE hidden TO search_heads");
	put_messages(PAIR, 17, 33);
	with_id(OUTBOX_SENT, DIRECT(31));
	put_row(S2, 302);
	told(S2, 302);
	PASS_UNTIL(covered(PAIR) == 31);
	is_int(missed(PAIR, 1, 31), 0, "what was not read is covered later");
}

/* ---- edits ---- */

static void edit(uint64_t seq, const char *text, unsigned change_seq)
{
	snprintf(texts[seq], sizeof(texts[seq]), "%s", text);
	db_sql("UPDATE messages SET content='%s' WHERE id=%llu", text, (unsigned long long)DIRECT(seq));
	if (change_seq != 0)
		db_sql("INSERT INTO search_edits VALUES (5,%llu,%u) ON DUPLICATE KEY UPDATE change_seq=%u",
		       (unsigned long long)seq, change_seq, change_seq);
	with_id(OUTBOX_EDITED, DIRECT(seq));
}

static void test_edits(void)
{
	empty();
	put_messages(PAIR, 1, 100);
	with_id(OUTBOX_SENT, DIRECT(95));
	put_row(S1, 1);
	PASS_UNTIL(covered(PAIR) == 95);
	edit(3, "changed first", 1);
	edit(70, "changed second", 2);
	edit(99, "changed third", 3);
	put_row(S1, 2);
	PASS_UNTIL(searched(S1) == 2);
	is_int(missed(PAIR, 1, 95), 0, "blocks are made anew");
	is_int(db_sql("SELECT COUNT(*) FROM search_edits"), 0,
	       "and the edits are forgotten, also of what is not covered");
	edit(5, "changed without a note", 0);
	put_row(S1, 3);
	PASS_UNTIL(searched(S1) == 3);
	is_int(missed(PAIR, 1, 95), 0, "as an earlier release writes them");
	/* One that comes after the edits were looked at, before the block is written. */
	edit(6, "changed once", 4);
	put_row(S1, 4);
	db_sql("CREATE TRIGGER again BEFORE INSERT ON search_blocks FOR EACH ROW UPDATE search_edits SET change_seq=5");
	PASS_UNTIL(searched(S1) == 4);
	is_int(db_sql("SELECT MAX(change_seq) FROM search_edits"), 5, "an edit in between stays");
	db_sql("DROP TRIGGER again");
	edit(6, "changed twice", 5);
	put_row(S1, 5);
	PASS_UNTIL(searched(S1) == 5);
	is_int(db_sql("SELECT COUNT(*) FROM search_edits"), 0, "until it is taken");
	is_int(missed(PAIR, 1, 95), 0, "all is there");
}

/* Of which no row of the outbox tells any more: of what is covered, and of a conversation that nothing is of; and more
 * of them than are taken at a time. */
static void test_old_notes(void)
{
	uint64_t n = 5;
	edit(7, "changed unheard", 6);
	buf_clear(&items);
	db_sql("INSERT INTO search_edits SELECT 6,seq,1 FROM seq_1_to_2500");
	for (int round = 0; round < 2; round++) {
		with_user("alice");
		put_row(S1, ++n);
		PASS_UNTIL(searched(S1) == (long long)n);
	}
	is_int(db_sql("SELECT COUNT(*) FROM search_edits"), 0, "edits are taken that the outbox does not tell of");
	is_int(missed(PAIR, 1, 95), 0, "and are in the filters");
}

/* ---- the walk ---- */

static void test_walk(void)
{
	empty();
	put_messages(PAIR, 1, 500);
	put_messages(6, 1, 40);
	db_sql("INSERT INTO conversations (id,user1_id,user2_id,created_at,sort_time) SELECT "
	       "seq,CONCAT('x',seq),'y',UTC_TIMESTAMP(3),UTC_TIMESTAMP(3) FROM seq_100_to_1700");
	db_sql("INSERT INTO group_heads (id,last_seq,sort_time,active_at,created_at) VALUES "
	       "(17179869184,20,UTC_TIMESTAMP(3),UTC_TIMESTAMP(3),UTC_TIMESTAMP(3))");
	db_sql("INSERT INTO messages (id,from_user_id,to_user_id,message_type,content,client_msg_id,created_at) SELECT "
	       "(17179869184<<28)+seq,'alice','',0,CONCAT('group',seq),CONCAT('g',seq),UTC_TIMESTAMP(3) FROM "
	       "seq_1_to_20");
	long long generation = db_sql("SELECT generation FROM search_state");
	db_sql("UPDATE search_state SET generation=generation+1,state=0,walked_id=0");
	PASS_UNTIL(state() == SEARCH_READY);
	is_int(covered(PAIR), 495, "a long conversation is covered,");
	is_int(covered(6), 31, "a short one,");
	is_int(covered(GROUP_ID), 15, "and a group");
	is_int(missed(PAIR, 1, 495), 0, "whole");
	ok(may_have(GROUP_ID, 3, "group3"), "the group's, too");
	is_int(db_sql("SELECT generation FROM search_state"), generation + 1, "once");
	/* Of rules that no longer hold. */
	db_sql("UPDATE search_state SET format=1");
	db_sql("UPDATE search_blocks SET filter=''");
	if (SIGNATURE_FORMAT > 1)
		PASS_UNTIL(state() == SEARCH_BUILDING);
	db_sql("UPDATE search_state SET format=9,generation=generation+1,state=0,walked_id=0");
	pass(5000);
	is_int(state(), SEARCH_BUILDING, "one of a newer release is left alone");
	ok(log_has("of a newer release"), "which is logged");
	put_rows(S1 + 3, 1, 300);
	told(S1 + 3, 300);
	pass(20000);
	is_int(db_sql("SELECT COUNT(*) FROM outbox WHERE stream=%llu", S1 + 3), 300,
	       "the outbox waits for another relay");
	now_ms += INDEX_WAITS_MS;
	PASS_UNTIL(db_sql("SELECT COUNT(*) FROM outbox WHERE stream=%llu", S1 + 3) <= 10);
	ok(true, "but not for longer than a day");
	db_sql("UPDATE search_state SET format=0");
	PASS_UNTIL(state() == SEARCH_READY);
	is_int(missed(PAIR, 1, 495), 0, "made anew");
}

/* Whatever dies in the middle, another one ends it; and it writes nothing after it was replaced. */
static void test_deaths(void)
{
	unsigned died = 0;
	for (int at = 1; at < 40; at += 3) {
		db_sql("DELETE FROM search_blocks");
		db_sql("UPDATE search_state SET generation=generation+1,state=0,walked_id=0");
		for (int i = 0; i < at && state() != SEARCH_READY; i++) {
			pass(WHEEL_TICK_MS);
			kit_turn();
		}
		died += state() != SEARCH_READY;
		relay_dies(0);
		lease_ends();
		relay_begin(0);
		PASS_UNTIL(state() == SEARCH_READY);
		if (missed(PAIR, 1, 495) != 0 || covered(PAIR) != 495)
			ok(false, "killed after %d ticks", at);
	}
	ok(died > 3, "killed in the middle %u times", died);
	relay_begin(1);
	db_sql("UPDATE search_state SET generation=generation+1,state=0,walked_id=0");
	pass(1100);
	db_sql("UPDATE search_state SET holder='another',writes=writes+1");
	PASS_UNTIL(state() == SEARCH_READY);
	is_int(missed(PAIR, 1, 495), 0, "one that is not the holder any more takes it again");
	db_sql("UPDATE search_state SET generation=generation+1,state=0,walked_id=0");
	pass(1000);
	lease_ends();
	PASS_UNTIL(state() == SEARCH_READY);
	is_int(missed(PAIR, 1, 495), 0, "two that work for a moment do no harm");
	relay_goes(1);
}

static void test_off(void)
{
	relay_goes(0);
	conf->search.backend = SEARCH_BACKEND_OFF;
	relay_begin(0);
	PASS_UNTIL(state() == SEARCH_OFF);
	put_rows(S1 + 5, 1, 300);
	told(S1 + 5, 300);
	PASS_UNTIL(db_sql("SELECT COUNT(*) FROM outbox WHERE stream=%llu", S1 + 5) <= 10);
	ok(true, "while search is off nothing waits for it");
	relay_goes(0);
	conf->search.backend = SEARCH_BACKEND_AUTO;
	db_sql("UPDATE search_blocks SET filter=''");
	relay_begin(0);
	PASS_UNTIL(state() == SEARCH_READY);
	is_int(missed(PAIR, 1, 495), 0, "with search on again all is made anew");
}

int main(void)
{
	kit_backend = SEARCH_BACKEND_AUTO;
	kit_start();
	relay_begin(0);
	is_int(state(), SEARCH_READY, "the index of no messages is there");
	pass(1000);
	test_feed();
	test_outbox_waits();
	test_edits();
	test_old_notes();
	test_walk();
	test_deaths();
	test_off();
	kit_stop();
	return done_testing();
}
