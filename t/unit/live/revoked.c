/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a worker refuses: for how long it remembers, whose word counts, how much it knows, and that nothing that comes
 * over the bus does any harm.
 */
#include "core/base.h"
#include "live/revoked.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "live/live.h"
#include "live/push.h"
#include "live/session.h"
#include "../log_kit.h"
#include "../tap.h"

#define SINCE_MS INT64_C(1790000000000)

static struct live live;
static struct wheel *wheel;
static _Atomic int64_t shift_ms;
static struct user *user; /* with a session */
static struct session *session;
static unsigned kicked, published;
static char kick_reason[32];

/* The reading under way. */
static store_changes_fn *reading;
static struct changes_cursor *cursor;
static void *reading_arg;

/* ---- what revoked.c calls ---- */

void __wrap_store_read_changes(struct store *s, struct changes_cursor *c, store_changes_fn *fn, void *arg);
void __wrap_store_read_changes(struct store *s, struct changes_cursor *c, store_changes_fn *fn, void *arg)
{
	reading = fn;
	cursor = c;
	reading_arg = arg;
}

void __wrap_push_publish(struct live *l, struct str topic, enum bus_kind kind, struct str data);
void __wrap_push_publish(struct live *l, struct str topic, enum bus_kind kind, struct str data)
{
	published++;
}

struct user *__wrap_user_find(struct live *l, struct str id);
struct user *__wrap_user_find(struct live *l, struct str id)
{
	return str_is(id, user->id) ? user : NULL;
}

void __wrap_session_kick(struct session *s, const char *reason, const char *by_session);
void __wrap_session_kick(struct session *s, const char *reason, const char *by_session)
{
	kicked++;
	snprintf(kick_reason, sizeof(kick_reason), "%s", reason);
}

/* ---- what the tests do ---- */

static void pass(int64_t ms)
{
	shift_ms += ms;
	wheel_advance(wheel, clock_mono_ms());
}

/* Answers the next reading. */
static void answer(struct store_changes c)
{
	while (reading == NULL)
		pass(WHEEL_TICK_MS);
	store_changes_fn *fn = reading;
	reading = NULL;
	cursor->gone_done = cursor->states_done = true;
	fn(&c, reading_arg);
}

/* By the database's clock. */
static void read_at(int64_t now_ms)
{
	answer((struct store_changes){.status = STORE_OK, .now_ms = now_ms});
}

static void read_user(const char *id, struct user_state state)
{
	struct changed_user u = {.state = state};
	snprintf(u.user_id, sizeof(u.user_id), "%s", id);
	answer((struct store_changes){.status = STORE_OK, .now_ms = clock_wall_ms(), .user = &u, .users = 1});
}

static void tell_gone(uint64_t id, int64_t until_ms)
{
	const struct login_gone gone = {id, until_ms, LOGIN_LOGGED_OUT};
	revoked_tell(&live, &(struct login_change){.user_id = "ann", .gone = &gone, .gone_count = 1});
}

static void tell_user(const char *id, struct user_state state)
{
	revoked_tell(&live, &(struct login_change){.user_id = id, .has_state = true, .state = state});
}

static bool refuses_login(uint64_t id)
{
	return revoked_refuses(&live, STR_LIT("ann"), id, 0);
}

static bool refuses_user(const char *id)
{
	return revoked_refuses(&live, str_from(id), 0, 1);
}

static void begin(uint32_t max)
{
	revoked_init(&live);
	live.revoked.max = max;
	revoked_start(&live);
	kicked = published = 0;
}

static void end(void)
{
	revoked_stop(&live);
	revoked_fini(&live);
	live.revoked = (struct revoked){0};
}

/* ---- for how long ---- */

static void test_ready(void)
{
	begin(REVOKED_MAX);
	ok(!revoked_is_ready(&live), "not ready before all was read");
	answer((struct store_changes){.status = STORE_UNAVAILABLE});
	ok(!revoked_is_ready(&live) && log_has("cannot read ended logins: the database is away; until it is back"),
	   "nor where the database is away, which is logged");
	answer((struct store_changes){.status = STORE_OK, .now_ms = clock_wall_ms()});
	ok(revoked_is_ready(&live), "but then");
	end();
}

static void test_forgetting(void)
{
	begin(REVOKED_MAX);
	answer((struct store_changes){.status = STORE_OK, .now_ms = clock_wall_ms()});
	const int64_t until_ms = clock_wall_ms() + 60000;
	tell_gone(1, until_ms);
	ok(refuses_login(1) && !refuses_login(2), "a login that has ended is refused");
	read_at(until_ms + LOGIN_SKEW_MS + 2000);
	ok(refuses_login(1), "also after the database's clock has jumped ahead");
	pass(until_ms + LOGIN_SKEW_MS + 2000 - clock_wall_ms());
	answer((struct store_changes){.status = STORE_OK, .now_ms = until_ms});
	ok(refuses_login(1), "or this node's");
	read_at(until_ms + LOGIN_SKEW_MS - 1000);
	ok(refuses_login(1), "until its tokens have run out by any clock");
	read_at(until_ms + LOGIN_SKEW_MS + 2000);
	ok(!refuses_login(1), "and no longer");
	is_int(live.revoked.logins.count, 0, "nothing is left of it");
	end();
}

/* ---- whose word counts ---- */

static void test_order(void)
{
	const struct user_state disabled = {.disabled = true, .why = LOGIN_DISABLED, .changed_ms = SINCE_MS};
	struct user_state enabled = {.why = LOGIN_DISABLED, .changed_ms = SINCE_MS + 1};
	begin(REVOKED_MAX);
	answer((struct store_changes){.status = STORE_OK, .now_ms = clock_wall_ms()});
	tell_user("ann", disabled);
	ok(refuses_user("ann") && !refuses_user("ben"), "who is disabled is refused");
	ok(kicked == 1 && strcmp(kick_reason, "disabled") == 0, "the session is told why");
	tell_user("ann", (struct user_state){.changed_ms = SINCE_MS - 1});
	ok(refuses_user("ann"), "also after an older word");
	read_user("ann", (struct user_state){.changed_ms = SINCE_MS - 1});
	ok(refuses_user("ann"), "or an older row");
	tell_user("ann", (struct user_state){.changed_ms = SINCE_MS});
	ok(refuses_user("ann"), "or a word of the same time");
	read_user("ann", (struct user_state){.revoked_ms = SINCE_MS, .changed_ms = SINCE_MS});
	ok(refuses_user("ann") && !revoked_refuses(&live, STR_LIT("ann"), 0, SINCE_MS + 1000),
	   "of one time the row counts");
	read_user("ann", enabled);
	ok(!refuses_user("ann"), "until a later one");
	is_int(live.revoked.users.count, 0, "nothing is left of it");
	end();
}

static void test_news(void)
{
	const struct user_state revoked = {.revoked_ms = SINCE_MS, .why = LOGIN_REVOKED, .changed_ms = SINCE_MS};
	begin(REVOKED_MAX);
	answer((struct store_changes){.status = STORE_OK, .now_ms = clock_wall_ms()});
	for (int i = 0; i < 3; i++)
		tell_gone(7, clock_wall_ms());
	is_int(published, 1, "the end of a login is told once");
	for (int i = 0; i < 3; i++)
		tell_user("ben", revoked);
	is_int(published, 2, "and so is a revocation");
	revoked_tell(&live, &(struct login_change){0});
	is_int(published, 2, "nothing is told where nothing has changed");
	end();
}

/* ---- how much ---- */

static void test_limit(void)
{
	char id[16];
	struct user_state state = {.revoked_ms = SINCE_MS, .why = LOGIN_REVOKED, .changed_ms = SINCE_MS};
	begin(100);
	answer((struct store_changes){.status = STORE_OK, .now_ms = clock_wall_ms()});
	for (uint64_t i = 1; i <= 101; i++)
		tell_gone(i, clock_wall_ms());
	is_int(live.revoked.logins.count, 100, "so many ended logins are known");
	ok(refuses_login(100) && !refuses_login(101), "and no more");
	ok(log_has("the list of ended logins is full (100)"), "which is logged");
	for (int i = 0; i <= 100; i++) {
		snprintf(id, sizeof(id), "u%d", i);
		tell_user(id, state);
	}
	ok(refuses_user("u99") && !refuses_user("u100"), "as many users who are revoked");
	ok(log_has("the list of refused users is full (100)"), "which is logged, too");
	is_int(published, 202, "others are told all the same");
	state.disabled = true;
	tell_user("u100", state);
	ok(refuses_user("u100"), "who is disabled always has room");
	tell_user("u101", (struct user_state){.erased_ms = SINCE_MS, .changed_ms = SINCE_MS});
	ok(refuses_user("u101"), "and so has who is erased");
	end();
}

/* ---- what comes over the bus ---- */

static void hear(const char *text)
{
	/* Of its very length, so that a look beyond it is found. */
	size_t len = strlen(text);
	char *copy = xmalloc(len + 1);
	memcpy(copy, text, len);
	char *exact = len != 0 ? realloc(copy, len) : copy;
	revoked_heard(&live, STR_LIT("ann"), (struct str){exact, len});
	free(exact);
}

#define ZERO "0000000000000000"
#define NINE "0000000000000009"
#define HUGE "ffffffffffffffff"
#define MOST "7fffffffffffffff"

static void test_heard(void)
{
	static const char *const bad[] = {"",
					  "0",
					  "1",
					  "x",
					  "1" NINE,
					  "1" NINE NINE NINE NINE,
					  "1" ZERO ZERO ZERO ZERO "000000000000000",
					  "1xxxxxxxxxxxxxxxx" ZERO ZERO ZERO ZERO,
					  "0" NINE,
					  "0" NINE ZERO,
					  "0" NINE ZERO "000000000000000g"};
	begin(REVOKED_MAX);
	answer((struct store_changes){.status = STORE_OK, .now_ms = clock_wall_ms()});
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		hear(bad[i]);
	is_int(live.revoked.users.count + live.revoked.logins.count, 0, "what is no word says nothing");
	hear("0" NINE MOST HUGE);
	hear("0000000000000000a" HUGE ZERO);
	hear("0000000000000000b8000000000000000" ZERO);
	ok(refuses_login(9) && refuses_login(10) && refuses_login(11), "numbers may be as large as they are");
	is_int(live.revoked.logins.count, 3, "and are of one login each");
	hear("0000000000000000c" MOST NINE "xxx");
	ok(refuses_login(12), "what comes behind a word is not read");
	kicked = 0;
	hear("1" HUGE ZERO ZERO HUGE ZERO);
	ok(refuses_user("ann") && kicked == 1 && strcmp(kick_reason, "disabled") == 0,
	   "a reason that is none has a name");
	is_int(published, 0, "what was heard is told nobody");
	end();
}

int main(void)
{
	char dir[] = "/tmp/tidings-revoked-XXXXXX";
	if (mkdtemp(dir) == NULL)
		return 1;
	log_begin(dir);
	clock_share_shift(&shift_ms);
	live.loop = loop_new();
	wheel = loop_wheel(live.loop);
	user = xcalloc(1, sizeof(*user) + 8);
	memcpy(user->id, "ann", 4);
	session = xcalloc(1, sizeof(*session) + 1);
	session->user = user;
	session->live = &live;
	session->token = 1000; /* its iat */
	SLIST_INSERT_HEAD(&user->sessions, session, of_user);
	test_ready();
	test_forgetting();
	test_order();
	test_news();
	test_limit();
	test_heard();
	buf_fini(&live.parts);
	free(session);
	free(user);
	loop_free(&live.loop);
	log_end();
	rmdir(dir);
	return done_testing();
}
