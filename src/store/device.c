/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices, and what users set for all of theirs. */
#include "core/base.h"
#include "store/device.h"

#include <stdio.h>

#include "store/device_priv.h"
#include "store/sql.h"
#include "store/store_priv.h"

static const char *const platform_names[] = {
	[DEVICE_WEBPUSH] = "webpush", [DEVICE_FCM] = "fcm", [DEVICE_APNS] = "apns"};
_Static_assert(ARRAY_LEN(platform_names) == DEVICE_PLATFORMS, "each has a name");

const char *device_platform_name(enum device_platform p)
{
	return p > 0 && p < DEVICE_PLATFORMS ? platform_names[p] : NULL;
}

enum device_platform device_platform_of(struct str name)
{
	for (unsigned p = 1; p < DEVICE_PLATFORMS; p++)
		if (str_is(name, platform_names[p]))
			return (enum device_platform)p;
	return 0;
}

/* ---- with logins ---- */

void devices_put_end(struct buf *text, const struct login_gone *gone, size_t count)
{
	bool first = true;
	if (count == 0)
		return;
	sql_next(text);
	sql_lit(text, "DELETE FROM devices WHERE login_id IN (");
	for (size_t i = 0; i < count; i++) {
		sql_comma(text, &first);
		sql_u64(text, gone[i].id);
	}
	buf_append_char(text, ')');
}

void devices_put_end_all(struct buf *text, const struct store_end_logins *e)
{
	sql_next(text);
	sql_lit(text, "DELETE FROM devices WHERE user_id=");
	sql_str(text, e->user);
	if (e->except != 0) {
		sql_lit(text, " AND login_id<>");
		sql_u64(text, e->except);
	}
	/* What came with a token of no login stays, unless such tokens are refused now. */
	if (e->change == USER_STAYS)
		sql_lit(text, " AND login_id<>0");
	if (e->change != USER_ERASE)
		return;
	sql_lit(text, ";DELETE FROM push_settings WHERE user_id=");
	sql_str(text, e->user);
}

/* ---- putting one ---- */

struct put_device {
	struct txn txn;
	store_device_fn *fn;
	void *arg;
	struct store_device d;
	/* What was found. */
	int64_t now_ms, created_ms; /* 0: it is new */
	bool login_lives;
	struct str other[DEVICES_MAX + 1]; /* devices of the user, the longest unused first */
	size_t others;
};

static void put_ask(struct txn *t, struct buf *text)
{
	struct put_device *p = container_of(t, struct put_device, txn);
	p->created_ms = 0;
	p->login_lives = p->d.login == 0;
	p->others = 0;
	sql_lit(text, "SELECT ");
	sql_now(text);
	sql_lit(text, ";SELECT 1 FROM logins WHERE id=");
	sql_u64(text, p->d.login);
	sql_lit(text, " AND user_id=");
	sql_str(text, p->d.user);
	sql_lit(text, " AND ended_at IS NULL FOR UPDATE;SELECT id,created_at FROM devices FORCE INDEX (PRIMARY) WHERE "
		      "user_id=");
	sql_str(text, p->d.user);
	buf_printf(text, " ORDER BY used_at LIMIT %d FOR UPDATE", DEVICES_MAX + 1);
}

static void put_row(struct txn *t, unsigned stmt, struct row *row)
{
	struct put_device *p = container_of(t, struct put_device, txn);
	if (stmt == 0) {
		p->now_ms = row_take_ms(row);
	} else if (stmt == 1) {
		p->login_lives = true;
	} else {
		struct str id = row_take_str(row);
		if (str_equal(id, p->d.id))
			p->created_ms = row_take_ms(row);
		else if (p->others < ARRAY_LEN(p->other))
			p->other[p->others++] = arena_str(&t->arena, id);
	}
}

static void put_too_many(const struct put_device *p, struct buf *text)
{
	bool first = true;
	if (p->others < DEVICES_MAX)
		return;
	sql_lit(text, "DELETE FROM devices WHERE user_id=");
	sql_str(text, p->d.user);
	sql_lit(text, " AND id IN (");
	for (size_t i = 0; i <= p->others - DEVICES_MAX; i++) {
		sql_comma(text, &first);
		sql_str(text, p->other[i]);
	}
	sql_lit(text, ");");
}

static void put_bytes_or_null(struct buf *text, struct str bytes)
{
	if (bytes.s == NULL)
		sql_lit(text, "NULL");
	else
		sql_bytes(text, bytes);
}

/* What another device has of this token goes with REPLACE, by the unique key. */
static void put_decide(struct txn *t, struct buf *text)
{
	const struct put_device *p = container_of(t, struct put_device, txn);
	if (!p->login_lives) {
		t->status = STORE_LOGIN_ENDED;
		return;
	}
	put_too_many(p, text);
	sql_lit(text, "REPLACE INTO devices (user_id,id,login_id,platform,token,token_hash,p256dh,auth,app,locale,"
		      "created_at,used_at) VALUES (");
	sql_str(text, p->d.user);
	buf_append_char(text, ',');
	sql_str(text, p->d.id);
	buf_append_char(text, ',');
	sql_u64(text, p->d.login);
	buf_printf(text, ",%d,", (int)p->d.platform);
	sql_str(text, p->d.token);
	buf_printf(text, ",UNHEX(SHA2(CONCAT('%d ',", (int)p->d.platform);
	sql_str(text, p->d.token);
	sql_lit(text, "),256)),");
	put_bytes_or_null(text, p->d.p256dh);
	buf_append_char(text, ',');
	put_bytes_or_null(text, p->d.auth);
	buf_append_char(text, ',');
	sql_str(text, p->d.app);
	buf_append_char(text, ',');
	sql_str(text, p->d.locale);
	buf_append_char(text, ',');
	sql_time(text, p->created_ms != 0 ? p->created_ms : p->now_ms);
	buf_append_char(text, ',');
	sql_time(text, p->now_ms);
	buf_append_char(text, ')');
}

static void put_answer(struct txn *t)
{
	struct put_device *p = container_of(t, struct put_device, txn);
	p->fn(t->status, p->arg);
}

void store_put_device(struct store *s, const struct store_device *d, store_device_fn *fn, void *arg)
{
	static const struct txn_class class = {"put device", put_ask, put_row, put_decide, put_answer};
	struct put_device *p = txn_new(s->txns, &class, d->user, sizeof(*p));
	struct arena *a = &p->txn.arena;
	p->fn = fn;
	p->arg = arg;
	p->d = *d;
	p->d.user = arena_str(a, d->user);
	p->d.id = arena_str(a, d->id);
	p->d.token = arena_str(a, d->token);
	p->d.p256dh = arena_str(a, d->p256dh);
	p->d.auth = arena_str(a, d->auth);
	p->d.app = arena_str(a, d->app);
	p->d.locale = arena_str(a, d->locale);
	txn_submit(&p->txn);
}

/* ---- removing one ---- */

struct remove_device {
	struct txn txn;
	store_device_fn *fn;
	void *arg;
	struct str user, id;
};

static void remove_ask(struct txn *t, struct buf *text)
{
	(void)t;
	(void)text;
}

static void remove_decide(struct txn *t, struct buf *text)
{
	const struct remove_device *d = container_of(t, struct remove_device, txn);
	sql_lit(text, "DELETE FROM devices WHERE user_id=");
	sql_str(text, d->user);
	sql_lit(text, " AND id=");
	sql_str(text, d->id);
}

static void remove_answer(struct txn *t)
{
	struct remove_device *d = container_of(t, struct remove_device, txn);
	d->fn(t->status, d->arg);
}

void store_remove_device(struct store *s, struct str user, struct str id, store_device_fn *fn, void *arg)
{
	static const struct txn_class class = {
		.name = "remove device", .ask = remove_ask, .decide = remove_decide, .answer = remove_answer};
	struct remove_device *d = txn_new(s->txns, &class, user, sizeof(*d));
	d->fn = fn;
	d->arg = arg;
	d->user = arena_str(&d->txn.arena, user);
	d->id = arena_str(&d->txn.arena, id);
	txn_submit(&d->txn);
}

/* ---- listing them ---- */

struct list_devices {
	struct read read;
	store_devices_fn *fn;
	void *arg;
	struct device_shown item[DEVICES_MAX];
	size_t count;
};

static void list_restart(struct read *r)
{
	container_of(r, struct list_devices, read)->count = 0;
}

static void list_row(struct read *r, unsigned stmt, struct row *row)
{
	struct list_devices *l = container_of(r, struct list_devices, read);
	(void)stmt;
	if (l->count == DEVICES_MAX)
		return;
	struct device_shown *d = &l->item[l->count++];
	d->id = arena_str(&r->arena, row_take_str(row));
	d->login = row_take_u64(row);
	d->platform = (enum device_platform)row_take_u64(row);
	d->app = arena_str(&r->arena, row_take_str(row));
	d->locale = arena_str(&r->arena, row_take_str(row));
	d->created_ms = row_take_ms(row);
	d->used_ms = row_take_ms(row);
}

static void list_done(struct read *r, enum store_status status)
{
	struct list_devices *l = container_of(r, struct list_devices, read);
	l->fn(&(struct store_devices){status, l->item, l->count}, l->arg);
}

void store_list_devices(struct store *s, struct str user, store_devices_fn *fn, void *arg)
{
	struct list_devices *l = read_new(s->pool, user, sizeof(*l));
	struct buf *text = &l->read.text;
	l->read.restart = list_restart;
	l->read.row = list_row;
	l->read.done = list_done;
	l->fn = fn;
	l->arg = arg;
	sql_lit(text, "SELECT id,login_id,platform,app,locale,created_at,used_at FROM devices FORCE INDEX (PRIMARY) "
		      "WHERE user_id=");
	sql_str(text, user);
	sql_lit(text, " ORDER BY used_at DESC LIMIT ");
	sql_u64(text, DEVICES_MAX);
	pool_submit(&l->read);
}

/* ---- settings ---- */

const struct push_settings push_settings_unset = {.preview = true};

void row_take_push_settings(struct row *row, struct push_settings *out)
{
	out->preview = row_take_bool(row);
	out->has_dnd = !row_next_is_null(row);
	out->dnd_from = (int)row_take_u64(row);
	out->dnd_to = (int)row_take_u64(row);
	struct str zone = row_take_str(row);
	snprintf(out->dnd_zone, sizeof(out->dnd_zone), "%.*s", (int)zone.len, zone.s != NULL ? zone.s : "");
}

static void ask_settings(struct buf *text, struct str user)
{
	sql_lit(text, "SELECT " PUSH_SETTINGS_COLUMNS " FROM push_settings WHERE user_id=");
	sql_str(text, user);
}

struct find_settings {
	struct read read;
	store_push_settings_fn *fn;
	void *arg;
	struct push_settings found;
};

static void find_restart(struct read *r)
{
	container_of(r, struct find_settings, read)->found = push_settings_unset;
}

static void find_row(struct read *r, unsigned stmt, struct row *row)
{
	(void)stmt;
	row_take_push_settings(row, &container_of(r, struct find_settings, read)->found);
}

static void find_done(struct read *r, enum store_status status)
{
	struct find_settings *f = container_of(r, struct find_settings, read);
	f->fn(status, &f->found, f->arg);
}

void store_find_push_settings(struct store *s, struct str user, store_push_settings_fn *fn, void *arg)
{
	struct find_settings *f = read_new(s->pool, user, sizeof(*f));
	f->read.restart = find_restart;
	f->read.row = find_row;
	f->read.done = find_done;
	f->fn = fn;
	f->arg = arg;
	find_restart(&f->read);
	ask_settings(&f->read.text, user);
	pool_submit(&f->read);
}

struct set_push_settings {
	struct txn txn;
	store_push_settings_fn *fn;
	void *arg;
	struct store_push_settings p;
	struct push_settings now;
};

static void set_ask(struct txn *t, struct buf *text)
{
	struct set_push_settings *s = container_of(t, struct set_push_settings, txn);
	s->now = push_settings_unset;
	ask_settings(text, s->p.user);
	sql_lit(text, " FOR UPDATE");
}

static void set_row(struct txn *t, unsigned stmt, struct row *row)
{
	(void)stmt;
	row_take_push_settings(row, &container_of(t, struct set_push_settings, txn)->now);
}

static void put_settings(const struct set_push_settings *s, struct buf *text)
{
	sql_lit(text, "INSERT INTO push_settings (user_id," PUSH_SETTINGS_COLUMNS ") VALUES (");
	sql_str(text, s->p.user);
	buf_printf(text, ",%d,", s->now.preview);
	if (s->now.has_dnd) {
		buf_printf(text, "%d,%d,", s->now.dnd_from, s->now.dnd_to);
		sql_str(text, str_from(s->now.dnd_zone));
	} else {
		sql_lit(text, "NULL,NULL,NULL");
	}
	/* Where the first setting is made twice at once, the row that is there is not the one that was read. */
	sql_lit(text, ") ON DUPLICATE KEY UPDATE ");
	if (s->p.sets_preview)
		sql_lit(text, "preview=VALUES(preview)");
	if (s->p.sets_preview && s->p.sets_dnd)
		buf_append_char(text, ',');
	if (s->p.sets_dnd)
		sql_lit(text, "dnd_from=VALUES(dnd_from),dnd_to=VALUES(dnd_to),dnd_zone=VALUES(dnd_zone)");
}

static void set_decide(struct txn *t, struct buf *text)
{
	struct set_push_settings *s = container_of(t, struct set_push_settings, txn);
	const struct push_settings *to = &s->p.to;
	if (s->p.sets_preview)
		s->now.preview = to->preview;
	if (s->p.sets_dnd) {
		bool preview = s->now.preview;
		s->now = *to;
		s->now.preview = preview;
	}
	if (s->p.sets_preview || s->p.sets_dnd)
		put_settings(s, text);
}

static void set_answer(struct txn *t)
{
	struct set_push_settings *s = container_of(t, struct set_push_settings, txn);
	s->fn(t->status, &s->now, s->arg);
}

void store_set_push_settings(struct store *s, const struct store_push_settings *p, store_push_settings_fn *fn,
			     void *arg)
{
	static const struct txn_class class = {"set push settings", set_ask, set_row, set_decide, set_answer};
	struct set_push_settings *o = txn_new(s->txns, &class, p->user, sizeof(*o));
	o->fn = fn;
	o->arg = arg;
	o->p = *p;
	o->p.user = arena_str(&o->txn.arena, p->user);
	txn_submit(&o->txn);
}
