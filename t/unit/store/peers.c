/* SPDX-License-Identifier: BSD-2-Clause */
/* What a user is shown of those they speak with. */
#include "core/base.h"
#include "store/store.h"

#include "groups.h"
#include "one_store.h"

/* ---- who is online ---- */

struct shown_answer {
	bool done;
	enum store_status status;
	bool shown[8];
	size_t n;
};

static void on_shown(enum store_status status, const bool *shown, size_t n, void *arg)
{
	struct shown_answer *a = arg;
	a->status = status;
	a->n = n;
	for (size_t i = 0; i < n && i < ARRAY_LEN(a->shown); i++)
		a->shown[i] = shown[i];
	answered(&a->done);
}

static void test_shown(void)
{
	const struct str ids[] = {STR_LIT("blocks"), STR_LIT("friend"), STR_LIT("half"),
				  STR_LIT("both"),   STR_LIT("'"),	STR_LIT("friend")};
	struct shown_answer a = {0};
	db_befriend("me", "friend");
	db_befriend("me", "blocks");
	db_befriend("me", "both");
	db_sql("INSERT INTO friendships (user_id,friend_id) VALUES ('me','half')");
	db_sql("INSERT INTO friendships (user_id,friend_id,blocked) VALUES ('stranger','me',0)");
	db_sql("UPDATE friendships SET blocked=1 WHERE user_id='blocks'");
	db_sql("INSERT INTO blocks (user_id,blocked_id) VALUES ('both','me'),('me','friend'),('friend','half')");
	store_find_shown(s, STR_LIT("me"), ids, ARRAY_LEN(ids), on_shown, &a);
	wait_for(&a.done);
	is_int(a.status, STORE_OK, "who is shown online");
	is_int(a.n, ARRAY_LEN(ids), "one answer for each");
	ok(a.shown[1] && a.shown[5], "a friend is");
	ok(!a.shown[0], "but not one who blocks the user as a friend");
	ok(!a.shown[3], "or otherwise");
	ok(!a.shown[2] && !a.shown[4], "nor who is no friend");
	a = (struct shown_answer){0};
	store_find_shown(s, STR_LIT("me"), NULL, 0, on_shown, &a);
	wait_for(&a.done);
	ok(a.status == STORE_OK && a.n == 0, "of nobody, nobody");
}

/* ---- profiles ---- */

enum { PEERS = 20 };

static const char *name_of(int i)
{
	static const char *const names[] = {"Ann", "');DROP TABLE users;-- \"\\%s", "\xd7\xa0 \xf0\x9f\x92\xa3", ""};
	return names[i % (int)ARRAY_LEN(names)];
}

struct profiles_answer {
	bool done;
	size_t count;
	unsigned wrong;
	int round;
};

/* p01 has no row. The others have the names of that round, and p03, p06 … no picture. */
static bool is_right(const struct conversation *c, int round)
{
	int i = atoi(c->peer + 1);
	if (conversation_is_group(c->id) || i == 1)
		return c->peer_nickname.s == NULL && c->peer_avatar_url.s == NULL;
	char url[32];
	snprintf(url, sizeof(url), "https://x/%d", i);
	return c->peer_nickname.s != NULL && str_is(c->peer_nickname, name_of(i + round)) &&
	       (i % 3 == 0 ? c->peer_avatar_url.s == NULL : str_is(c->peer_avatar_url, url));
}

static void on_list(const struct store_conversations *r, void *arg)
{
	struct profiles_answer *a = arg;
	a->count = r->count;
	for (size_t i = 0; i < r->count; i++)
		a->wrong += !is_right(&r->item[i], a->round);
	answered(&a->done);
}

static void on_sync(const struct store_synced *r, void *arg)
{
	struct profiles_answer *a = arg;
	a->count = r->count;
	for (size_t i = 0; i < r->count; i++)
		a->wrong += !is_right(&r->item[i].conversation, a->round);
	answered(&a->done);
}

static void on_one(enum store_status status, const struct conversation *c, void *arg)
{
	struct profiles_answer *a = arg;
	a->count = status == STORE_OK;
	a->wrong = c == NULL || !is_right(c, a->round);
	answered(&a->done);
}

/* The list, catching up and a conversation alone, at once after another system has written the rows. */
static void check_profiles(int round)
{
	struct store_sync_have have[PEERS];
	for (int i = 1; i <= PEERS; i++) {
		have[i - 1].id = (uint64_t)db_sql("SELECT id FROM conversations WHERE user1_id='p%02d'", i);
		have[i - 1].seq = have[i - 1].change_seq = 0;
		db_sql("UPDATE users SET nickname=%s WHERE id='p%02d'", "NULL", i);
	}
	for (int i = 2; i <= PEERS; i++) {
		char hex[128] = "";
		for (const char *c = name_of(i + round); *c != '\0'; c++)
			snprintf(hex + strlen(hex), 3, "%02x", (unsigned char)*c);
		db_sql("REPLACE INTO users (id,nickname,avatar_url) SELECT "
		       "'p%02d',X'%s',IF(%d%%3=0,NULL,'https://x/%d')",
		       i, hex, i, i);
	}
	struct profiles_answer a = {.round = round};
	store_list_conversations(s, STR_LIT("viewer"), false, 100, (struct store_cursor){0}, on_list, &a);
	wait_for(&a.done);
	ok(a.count == PEERS + 1 && a.wrong == 0, "the list has all profiles as they are, round %d", round);
	a = (struct profiles_answer){.round = round};
	const struct store_sync_request p = {
		.user = STR_LIT("viewer"), .have = have, .have_count = PEERS, .has_since = false, .limit = 1};
	store_sync(s, &p, on_sync, &a);
	wait_for(&a.done);
	ok(a.count == PEERS && a.wrong == 0, "so has catching up");
	a = (struct profiles_answer){.round = round};
	store_find_conversation(s, STR_LIT("viewer"), have[6].id, on_one, &a);
	wait_for(&a.done);
	ok(a.count == 1 && a.wrong == 0, "and one conversation");
}

static void test_profiles(void)
{
	char peer[16];
	for (int i = 1; i <= PEERS; i++) {
		snprintf(peer, sizeof(peer), "p%02d", i);
		db_befriend("viewer", peer);
		do_text(s, peer, "viewer", "x", NULL);
	}
	uint64_t group = group_make("owner");
	db_sql("INSERT INTO group_profiles (id,owner_id,name,created_by) VALUES (%llu,'owner','g','owner')",
	       ull(group));
	group_add(group, "viewer", GROUP_MEMBER);
	db_sql("INSERT INTO users (id,nickname) VALUES ('p01','gone'),('owner','Owner');DELETE FROM users WHERE "
	       "id='p01'");
	check_profiles(0);
	check_profiles(1);
}

int main(void)
{
	one_store_begin(NULL);
	test_shown();
	test_profiles();
	return one_store_end();
}
