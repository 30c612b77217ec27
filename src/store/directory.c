/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding users: first those whose id begins with the query, in order of id, then the others whose nickname contains
 * it, in the order of `user_names`. Each is a range of a primary key, of which a page looks at DIRECTORY_SCAN rows at
 * most: so it may have fewer users than were asked for, or none, and others follow all the same.
 */
#include "core/base.h"
#include "store/people_priv.h"

#include <stdio.h>

#include "core/base64url.h"
#include "core/utf8.h"
#include "store/answer.h"
#include "store/names.h"
#include "store/sql.h"
#include "store/store_priv.h"

#define DIRECTORY_SCAN 200

struct find_users {
	struct read read;
	store_directory_fn *fn;
	void *arg;
	unsigned limit;
	struct name_folded query;
	struct str prefix; /* of ids; absent: any */
	bool by_operator;
	bool names_only;   /* the first statement is that of names */
	struct directory_cursor start, place;
	unsigned scanned, scanned_stmt;
	size_t count;
	bool more; /* what is behind `place` is for the next page */
	struct answer answer;
	struct found_user *item;
};

static void find_restart(struct read *r)
{
	struct find_users *f = container_of(r, struct find_users, read);
	f->place = f->start;
	f->scanned = f->scanned_stmt = 0;
	f->count = 0;
	f->more = false;
	f->answer = (struct answer){0};
}

static bool is_shown(const struct find_users *f, bool by_name, bool allowed, const struct profile *p)
{
	struct name_folded n;
	if (!allowed || !by_name)
		return allowed;
	/* The first part has said so of ids; and rows of user_names may be older than the name. */
	if (strncmp(p->user_id, f->prefix.s, f->prefix.len) == 0)
		return false;
	name_fold(&n, p->nickname);
	return name_contains(&n, &f->query);
}

static void find_row(struct read *r, unsigned stmt, struct row *row)
{
	struct find_users *f = container_of(r, struct find_users, read);
	bool by_name = f->names_only || stmt == 1;
	struct directory_cursor here = {.by_name = by_name};
	if (f->more)
		return;
	struct str part = row_take_str(row);
	snprintf(here.part, sizeof(here.part), "%.*s", (int)part.len, part.s != NULL ? part.s : "");
	row_take_user(row, here.user_id);
	bool allowed = row_take_bool(row);
	struct found_user *u = &f->item[f->count];
	struct profile *p = &u->profile;
	u->disabled = row_take_bool(row);
	u->last_seen_ms = row_take_ms(row);
	row_take_profile(row, &r->arena, str_from(here.user_id), p);
	bool shown = is_shown(f, by_name, allowed, p);
	if (shown && (f->count == f->limit || !answer_takes(&f->answer, answer_profile_size(p)))) {
		f->more = true;
		return;
	}
	f->place = here;
	f->count += shown;
	f->scanned = f->scanned_stmt == stmt ? f->scanned + 1 : 1;
	f->scanned_stmt = stmt;
	f->more = f->scanned == DIRECTORY_SCAN;
}

static void find_done(struct read *r, enum store_status status)
{
	struct find_users *f = container_of(r, struct find_users, read);
	struct store_directory out = {.status = status};
	if (status == STORE_OK) {
		out.item = f->item;
		out.count = f->count;
		out.has_more = f->more;
		out.next = f->place;
	}
	f->fn(&out, f->arg);
}

/*
 * May be shown to the user: that u has not blocked, by either table, and that is neither disabled nor erased. And what the
 * operator sees of u, to whom anybody is shown.
 */
static void put_allowed(const struct find_users *f, struct buf *text)
{
	struct str user = f->read.user;
	if (f->by_operator) {
		sql_lit(text, "TRUE,EXISTS(SELECT 1 FROM user_states s WHERE s.user_id=u.id AND s.disabled=1),u.last_seen");
		return;
	}
	sql_lit(text, "NOT EXISTS(SELECT 1 FROM user_states s WHERE s.user_id=u.id AND (s.disabled=1 OR s.erased_at IS "
		      "NOT NULL)) AND NOT EXISTS(SELECT 1 FROM blocks k WHERE k.user_id=u.id AND k.blocked_id=");
	sql_str(text, user);
	sql_lit(text, ") AND NOT EXISTS(SELECT 1 FROM friendships d WHERE d.user_id=u.id AND d.friend_id=");
	sql_str(text, user);
	sql_lit(text, " AND d.blocked=1),FALSE,NULL");
}

static void put_ids(struct find_users *f, struct buf *text)
{
	sql_lit(text, "SELECT '',u.id,");
	put_allowed(f, text);
	sql_lit(text, "," PROFILE_COLUMNS " FROM users u FORCE INDEX (PRIMARY) WHERE u.id>");
	sql_str(text, str_from(f->start.user_id));
	if (f->prefix.s != NULL) {
		sql_lit(text, " AND u.id LIKE ");
		sql_like(text, "", f->prefix, "%");
	}
	buf_printf(text, " ORDER BY u.id LIMIT %d", DIRECTORY_SCAN);
}

/* Of a user whom several rows find, the least one counts. */
static void put_names(struct find_users *f, struct buf *text, struct str part)
{
	sql_next(text);
	sql_lit(text, "SELECT n.part,n.user_id,u.id IS NOT NULL AND NOT EXISTS(SELECT 1 FROM user_names o FORCE INDEX "
		      "(by_user) WHERE o.user_id=n.user_id AND o.part LIKE ");
	sql_like(text, "", part, "%");
	sql_lit(text, " AND o.part<n.part) AND ");
	put_allowed(f, text);
	sql_lit(text, "," PROFILE_COLUMNS " FROM (SELECT part,user_id FROM user_names FORCE INDEX (PRIMARY) WHERE ");
	if (f->start.by_name) {
		sql_lit(text, "(part=");
		sql_str(text, str_from(f->start.part));
		sql_lit(text, " AND user_id>");
		sql_str(text, str_from(f->start.user_id));
		sql_lit(text, ") OR (part>");
		sql_str(text, str_from(f->start.part));
		sql_lit(text, " AND part LIKE ");
		sql_like(text, "", part, "%");
		buf_append_char(text, ')');
	} else {
		sql_lit(text, "part LIKE ");
		sql_like(text, "", part, "%");
	}
	buf_printf(text,
		   " ORDER BY part,user_id LIMIT %d) n LEFT JOIN users u ON u.id=n.user_id ORDER BY n.part,n.user_id",
		   DIRECTORY_SCAN);
}

/* Ids are ASCII; the database compares them with nothing else. */
static bool may_begin_id(struct str query)
{
	for (size_t i = 0; i < query.len; i++) {
		if ((unsigned char)query.s[i] >= 0x80)
			return false;
	}
	return true;
}

void store_find_users(struct store *s, const struct store_directory_ask *ask, store_directory_fn *fn, void *arg)
{
	struct find_users *f = read_new(s->pool, ask->user, sizeof(*f));
	struct buf *text = &f->read.text;
	f->read.restart = find_restart;
	f->read.row = find_row;
	f->read.done = find_done;
	f->fn = fn;
	f->arg = arg;
	f->limit = ask->limit;
	f->by_operator = ask->by_operator;
	f->start = ask->after;
	f->prefix = arena_str(&f->read.arena, ask->query);
	f->item = arena_alloc(&f->read.arena, (ask->limit + 1) * sizeof(*f->item));
	name_fold(&f->query, ask->query);
	find_restart(&f->read);
	struct str part = name_part(&f->query, 0);
	f->names_only = f->start.by_name || !may_begin_id(f->prefix);
	if (!f->names_only)
		put_ids(f, text);
	if (part.len != 0)
		put_names(f, text, part);
	if (text->len == 0)
		pool_refuse(&f->read, STORE_OK);
	else
		pool_submit(&f->read);
}

/* ---- cursors ---- */

/* "n" or "i", the user id, and of a name a line feed and the part: in base64url. */
_Static_assert(NAME_PART_BYTES == DIRECTORY_PART_MAX, "one size");
#define CURSOR_BYTES (1 + USER_ID_MAX + 1 + NAME_PART_BYTES)

struct str directory_cursor_write(char out[DIRECTORY_CURSOR_LEN], const struct directory_cursor *c)
{
	char text[CURSOR_BYTES + 1];
	_Static_assert(BASE64URL_DIGITS(CURSOR_BYTES) < DIRECTORY_CURSOR_LEN, "room");
	int len = snprintf(text, sizeof(text), "%c%s%s%s", c->by_name ? 'n' : 'i', c->user_id, c->by_name ? "\n" : "",
			   c->part);
	base64url_encode(text, (size_t)len, out);
	return str_from(out);
}

int directory_cursor_read(struct str text, struct directory_cursor *out)
{
	char bytes[CURSOR_BYTES];
	size_t len;
	*out = (struct directory_cursor){0};
	if (BASE64URL_BYTES(text.len) > sizeof(bytes) || base64url_decode(text, bytes, &len) != 0)
		return -1;
	const char *end = memchr(bytes, '\n', len);
	out->by_name = bytes[0] == 'n';
	if ((bytes[0] != 'n' && bytes[0] != 'i') || out->by_name != (end != NULL))
		return -1;
	struct str user = {bytes + 1, (size_t)((end != NULL ? end : bytes + len) - bytes) - 1};
	if (!id_user_valid(user))
		return -1;
	memcpy(out->user_id, user.s, user.len);
	if (end == NULL)
		return 0;
	struct str part = {end + 1, (size_t)(bytes + len - end) - 1};
	if (part.len == 0 || part.len > NAME_PART_BYTES || !utf8_valid(part.s, part.len) ||
	    memchr(part.s, '\0', part.len) != NULL)
		return -1;
	memcpy(out->part, part.s, part.len);
	return 0;
}
