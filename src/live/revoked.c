/* SPDX-License-Identifier: BSD-2-Clause */
/* What is refused, kept in memory; how it comes there, and what becomes of the sessions it concerns. */
#include "core/base.h"
#include "live/revoked.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "live/live.h"
#include "live/push.h"
#include "live/session.h"

/* Places of the table that one reading looks at for logins to forget. */
#define SWEPT_AT_ONCE 16384

struct gone {
	uint64_t id;
	uint32_t until_secs; /* with LOGIN_SKEW_MS */
	uint8_t why;
};

struct barred {
	struct user_state state;
	char id[];
};

static struct str gone_key(const void *item)
{
	return (struct str){(const char *)&((const struct gone *)item)->id, sizeof(uint64_t)};
}

static struct str barred_key(const void *item)
{
	return str_from(((const struct barred *)item)->id);
}

static struct gone *find_gone(const struct live *live, uint64_t id)
{
	return table_find(&live->revoked.logins, (struct str){(const char *)&id, sizeof(id)});
}

/* ---- asking ---- */

static bool refuses(const struct live *live, struct str user_id, uint64_t login, int64_t issued_ms,
		    enum login_end *why_r)
{
	const struct gone *g = login != 0 ? find_gone(live, login) : NULL;
	const struct barred *b = table_find(&live->revoked.users, user_id);
	if (g != NULL) {
		*why_r = (enum login_end)g->why;
		return true;
	}
	if (b == NULL || !user_state_refuses(&b->state, login, issued_ms))
		return false;
	*why_r = b->state.erased_ms != 0 ? LOGIN_ERASED : b->state.disabled ? LOGIN_DISABLED : b->state.why;
	return true;
}

bool revoked_refuses(const struct live *live, struct str user_id, uint64_t login, int64_t issued_ms)
{
	enum login_end why;
	return refuses(live, user_id, login, issued_ms, &why);
}

/* ---- knowing ---- */

/* The time may be anything that came from the bus. */
static uint32_t secs_of(int64_t ms)
{
	const int64_t max_ms = (int64_t)UINT32_MAX * 1000 - LOGIN_SKEW_MS - 999;
	if (ms < 0)
		return 0;
	return ms < max_ms ? (uint32_t)((ms + LOGIN_SKEW_MS + 999) / 1000) : UINT32_MAX;
}

/* True: that is news, as below; also where there is no room for it here. */
static bool know_gone(struct live *live, const struct login_gone *from)
{
	struct table *t = &live->revoked.logins;
	struct gone *g = find_gone(live, from->id);
	if (g != NULL)
		return false;
	if (t->count >= live->revoked.max) {
		log_error_gated("the list of ended logins is full (%u): tokens of logins that end now are not refused "
				"by this worker",
				live->revoked.max);
		return true;
	}
	g = xmalloc(sizeof(*g));
	*g = (struct gone){from->id, secs_of(from->refused_until_ms), (uint8_t)from->why};
	table_add(t, g);
	return true;
}

static void forget_user(struct live *live, struct barred *b)
{
	table_remove(&live->revoked.users, b);
	free(b);
}

/* Where something is said of a user. */
enum source { FROM_TABLE, FROM_WORDS };

static bool is_newer(const struct user_state *s, const struct user_state *known, enum source source)
{
	if (s->changed_ms != known->changed_ms)
		return s->changed_ms > known->changed_ms;
	/* The table is right, whatever was heard. */
	return source == FROM_TABLE && (s->disabled != known->disabled || s->revoked_ms != known->revoked_ms ||
					s->erased_ms != known->erased_ms || s->why != known->why);
}

/* Who is disabled or erased is always known: these are as many as the operator makes. */
static bool has_room(const struct live *live, const struct user_state *s)
{
	if (s->disabled || s->erased_ms != 0 || live->revoked.users.count < live->revoked.max)
		return true;
	log_error_gated("the list of refused users is full (%u): newly refused users are not refused by this worker",
			live->revoked.max);
	return false;
}

static bool know_user(struct live *live, struct str user_id, const struct user_state *state, enum source source)
{
	struct table *t = &live->revoked.users;
	struct barred *b = table_find(t, user_id);
	bool matters = state->disabled || state->revoked_ms != 0 || state->erased_ms != 0;
	if (b != NULL && !is_newer(state, &b->state, source))
		return false;
	if (b != NULL && !matters) {
		forget_user(live, b);
		return true;
	}
	if (b == NULL) {
		if (!matters)
			return false;
		if (!has_room(live, state))
			return true;
		b = xcalloc(1, offsetof(struct barred, id) + user_id.len + 1);
		memcpy(b->id, user_id.s, user_id.len);
		table_add(t, b);
	}
	b->state = *state;
	return true;
}

/* ---- sessions ---- */

static void close_refused(struct live *live, struct str user_id)
{
	const struct user *u = user_find(live, user_id);
	struct session *s;
	enum login_end why;
	if (u == NULL)
		return;
	SLIST_FOREACH (s, &u->sessions, of_user)
		if (refuses(live, user_id, session_login(s), session_issued_ms(s), &why))
			session_kick(s, login_end_name(why), NULL);
}

/* True: that is news. */
static bool know_change(struct live *live, const struct login_change *c, enum source source)
{
	struct str user = str_from(c->user_id);
	bool news = c->has_state && know_user(live, user, &c->state, source);
	for (size_t i = 0; i < c->gone_count; i++)
		news = know_gone(live, &c->gone[i]) || news;
	if (news)
		close_refused(live, user);
	return news;
}

/* ---- others ---- */

static void put_change(struct buf *b, const struct login_change *c)
{
	const struct user_state *s = &c->state;
	buf_append_char(b, c->has_state ? '1' : '0');
	if (c->has_state) {
		const uint64_t numbers[] = {s->disabled, (uint64_t)s->revoked_ms, (uint64_t)s->erased_ms, s->why,
					    (uint64_t)s->changed_ms};
		for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
			push_append_hex(b, numbers[i]);
	}
	for (size_t i = 0; i < c->gone_count; i++) {
		push_append_hex(b, c->gone[i].id);
		push_append_hex(b, (uint64_t)c->gone[i].refused_until_ms);
		push_append_hex(b, c->gone[i].why);
	}
}

static bool take_state(struct str *data, struct user_state *out)
{
	uint64_t disabled, revoked_ms, erased_ms, why, changed_ms;
	if (!push_take_hex(data, &disabled) || !push_take_hex(data, &revoked_ms) || !push_take_hex(data, &erased_ms) ||
	    !push_take_hex(data, &why) || !push_take_hex(data, &changed_ms))
		return false;
	*out = (struct user_state){disabled != 0, (int64_t)revoked_ms, (int64_t)erased_ms, (enum login_end)why,
				   (int64_t)changed_ms};
	return true;
}

static bool take_gone(struct str *data, struct login_gone *out)
{
	uint64_t id, until_ms, why;
	if (!push_take_hex(data, &id) || !push_take_hex(data, &until_ms) || !push_take_hex(data, &why))
		return false;
	*out = (struct login_gone){id, (int64_t)until_ms, (enum login_end)why};
	return true;
}

void revoked_tell(struct live *live, const struct login_change *c)
{
	char topic[TOPIC_MAX];
	if (!know_change(live, c, FROM_WORDS))
		return;
	buf_clear(&live->parts);
	put_change(&live->parts, c);
	push_publish(live, topic_make(topic, TOPIC_USER, str_from(c->user_id)), BUS_REVOKED,
		     (struct str){live->parts.data, live->parts.len});
}

/* One login at a time: what was heard does not have to fit anywhere as a whole. */
void revoked_heard(struct live *live, struct str user, struct str data)
{
	struct user_state state;
	struct login_gone gone;
	if (data.len == 0)
		return;
	bool has_state = data.s[0] == '1';
	data = (struct str){data.s + 1, data.len - 1};
	if (has_state && take_state(&data, &state))
		know_user(live, user, &state, FROM_WORDS);
	while (take_gone(&data, &gone))
		know_gone(live, &gone);
	close_refused(live, user);
}

/* ---- what the tables have ---- */

/*
 * When a token has run out is told by this node's clock, and when its login is forgotten by the slower of both: where
 * one of them jumps ahead, nothing is forgotten that is still valid by the other.
 */
static void forget_some(struct live *live)
{
	struct revoked *r = &live->revoked;
	int64_t wall_ms = clock_wall_ms(), now_ms = r->now_ms < wall_ms ? r->now_ms : wall_ms;
	uint32_t until = r->sweep + SWEPT_AT_ONCE;
	struct gone *g;
	while (r->sweep < until) {
		g = table_next(&r->logins, &r->sweep);
		if (g == NULL) {
			r->sweep = 0;
			return;
		}
		if ((int64_t)g->until_secs * 1000 >= now_ms)
			continue;
		table_remove(&r->logins, g);
		r->sweep--;
		free(g);
	}
}

static void read_next(struct live *live);

static void on_timer(struct wheel_timer *t)
{
	read_next(container_of(t, struct live, revoked.timer));
}

static void read_later(struct live *live)
{
	/* What was revoked before is not refused until it is known. */
	int64_t after_ms = live->revoked.ready ? REVOKED_READ_MS : REVOKED_RETRY_MS;
	wheel_set(loop_wheel(live->loop), &live->revoked.timer, after_ms, on_timer);
}

static void on_unread(struct live *live, enum store_status status)
{
	struct revoked *r = &live->revoked;
	/* Too much to read at once is no reason to worry anybody: the next reading brings the same. */
	if (!r->told_away && status != STORE_OVERLOADED) {
		log_warn("cannot read ended logins: the database is away%s",
			 r->ready ? "" : "; until it is back, this worker does not know what was revoked before");
		r->told_away = true;
	}
	read_later(live);
}

static void take_page(struct live *live, const struct store_changes *c)
{
	for (size_t i = 0; i < c->logins; i++)
		know_change(live,
			    &(struct login_change){
				    .user_id = c->login[i].user_id, .gone = &c->login[i].gone, .gone_count = 1},
			    FROM_TABLE);
	for (size_t i = 0; i < c->users; i++)
		know_change(live,
			    &(struct login_change){
				    .user_id = c->user[i].user_id, .has_state = true, .state = c->user[i].state},
			    FROM_TABLE);
}

static void on_read(const struct store_changes *c, void *arg)
{
	struct live *live = arg;
	struct revoked *r = &live->revoked;
	if (r->stopped)
		return;
	if (c->status != STORE_OK) {
		on_unread(live, c->status);
		return;
	}
	r->told_away = false;
	r->now_ms = c->now_ms;
	take_page(live, c);
	if (!r->cursor.gone_done || !r->cursor.states_done) {
		read_next(live);
		return;
	}
	r->ready = true;
	forget_some(live);
	read_later(live);
}

static void read_next(struct live *live)
{
	store_read_changes(live->store, &live->revoked.cursor, on_read, live);
}

/* ---- from outside ---- */

void revoked_init(struct live *live)
{
	live->revoked.max = REVOKED_MAX;
	table_init(&live->revoked.logins, gone_key);
	table_init(&live->revoked.users, barred_key);
}

void revoked_start(struct live *live)
{
	read_next(live);
}

void revoked_stop(struct live *live)
{
	live->revoked.stopped = true;
	wheel_cancel(&live->revoked.timer);
}

void revoked_fini(struct live *live)
{
	uint32_t at = 0;
	void *item;
	while ((item = table_next(&live->revoked.logins, &at)) != NULL)
		free(item);
	table_fini(&live->revoked.logins);
	at = 0;
	while ((item = table_next(&live->revoked.users, &at)) != NULL)
		free(item);
	table_fini(&live->revoked.users);
}

bool revoked_is_ready(const struct live *live)
{
	return live->revoked.ready;
}
