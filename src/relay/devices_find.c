/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is needed to decide what devices are told: of all jobs at hand together, in one statement for each kind of fact.
 * What a job tells of is nearly always its newest message. Where that may not be shown, or there are mentions, the
 * messages before it are looked at, job by job.
 */
#include "core/base.h"
#include "relay/devices.h"

#include <stdio.h>
#include <stdlib.h>

#include "relay/relay_priv.h"
#include "store/device_priv.h"
#include "store/row.h"
#include "store/sql.h"

/* Groups of which something has to be counted, of all users of a batch. */
#define UNREADS_MAX (400 * DECIDE_MAX)
/* Users whose groups one statement tells of: each may have thousands. */
#define GROUPS_USERS 16
/* Messages among which the one that is shown is looked for. */
#define LOOK_BACK 500

/* ---- whose job is which ---- */

bool device_job_is_idle(const struct device_job *j)
{
	return j->online && j->shown_seq == 0;
}

static int key_compare(struct str user, uint64_t conversation_id, const struct device_job *j)
{
	size_t len = strlen(j->user);
	int order = memcmp(user.s, j->user, user.len < len ? user.len : len);
	if (order == 0)
		order = (user.len > len) - (user.len < len);
	if (order == 0)
		order = (conversation_id > j->conversation_id) - (conversation_id < j->conversation_id);
	return order;
}

static int compare(const void *a, const void *b)
{
	const struct device_job *j = *(struct device_job *const *)a, *k = *(struct device_job *const *)b;
	return key_compare(str_from(j->user), j->conversation_id, k);
}

bool devices_find_begin(struct device_decide *d)
{
	d->keys = 0;
	for (unsigned i = 0; i < d->jobs; i++)
		if (!device_job_is_idle(&d->job[i]))
			d->key[d->keys++] = &d->job[i];
	qsort(d->key, d->keys, sizeof(*d->key), compare);
	return d->keys != 0;
}

/* The first that is not before it; d->keys: none. */
static unsigned key_search(const struct device_decide *d, struct str user, uint64_t conversation_id)
{
	unsigned from = 0, to = d->keys;
	while (from < to) {
		unsigned middle = (from + to) / 2;
		if (key_compare(user, conversation_id, d->key[middle]) > 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* NULL: none. */
static struct device_job *first_of(const struct device_decide *d, struct str user)
{
	unsigned i = key_search(d, user, 0);
	return i < d->keys && str_equal(str_from(d->key[i]->user), user) ? d->key[i] : NULL;
}

static struct device_job *job_of(const struct device_decide *d, struct str user, uint64_t conversation_id)
{
	unsigned i = key_search(d, user, conversation_id);
	return i < d->keys && key_compare(user, conversation_id, d->key[i]) == 0 ? d->key[i] : NULL;
}

struct device_job *device_job_first(const struct device_decide *d, const struct device_job *j)
{
	return first_of(d, str_from(j->user));
}

static enum devices_step next_step(const struct device_decide *d)
{
	return d->unreads != 0 ? DEVICES_COUNTING : DEVICES_WRITING;
}

/* ---- what is asked ---- */

/* What a row tells; it begins with that, and with the user, where no other key is named. */
enum found {
	FOUND_NOW, /* of nobody */
	FOUND_SETTINGS,
	FOUND_BARRED,
	FOUND_DEVICE,
	FOUND_DIRECT,
	FOUND_GROUP,
	FOUND_NEWEST,	 /* and the conversation */
	FOUND_MENTIONED, /* or "*", and the conversation */
	FOUND_GONE,	 /* a message */
	FOUND_REQUEST,
	FOUND_NOTIFICATION,
};

static void put_select(struct buf *text, enum found kind, const char *user)
{
	buf_printf(text, "SELECT %d,%s,", (int)kind, user);
}

/* " IN (…)", so many from the i-th key on; returns the key after them. */
static unsigned put_some_users(const struct device_decide *d, struct buf *text, unsigned i, unsigned max)
{
	sql_lit(text, " IN (");
	bool first = true;
	for (unsigned n = 0; i < d->keys; i++) {
		if (i != 0 && strcmp(d->key[i]->user, d->key[i - 1]->user) == 0)
			continue;
		if (n++ == max)
			break;
		sql_comma(text, &first);
		sql_str(text, str_from(d->key[i]->user));
	}
	buf_append_char(text, ')');
	return i;
}

static void put_users(const struct device_decide *d, struct buf *text)
{
	put_some_users(d, text, 0, DECIDE_MAX);
}

static void put_user_facts(const struct device_decide *d, struct buf *text)
{
	char before[32];
	put_select(text, FOUND_NOW, "''");
	sql_now(text);
	buf_append_char(text, ';');
	put_select(text, FOUND_SETTINGS, "user_id");
	sql_lit(text, "preview,dnd_from,dnd_to,dnd_zone FROM push_settings FORCE INDEX (PRIMARY) WHERE user_id");
	put_users(d, text);
	buf_append_char(text, ';');
	put_select(text, FOUND_BARRED, "user_id");
	sql_lit(text, "1 FROM user_states FORCE INDEX (PRIMARY) WHERE (disabled<>0 OR erased_at IS NOT NULL) AND "
		      "user_id");
	put_users(d, text);
	buf_append_char(text, ';');
	put_select(text, FOUND_DEVICE, "d.user_id");
	sql_lit(text, "d.id,d.platform,d.token,d.locale FROM devices d FORCE INDEX (PRIMARY) LEFT JOIN logins l ON "
		      "l.id=d.login_id WHERE (d.login_id=0 OR (l.ended_at IS NULL AND l.expires_at>");
	sql_now(text);
	sql_lit(text, ")) AND d.user_id");
	put_users(d, text);
	buf_append_char(text, ';');
	snprintf(before, sizeof(before), "%d,", (int)FOUND_DIRECT);
	for (int side = 1; side <= 2; side++) {
		unread_put_direct(text, before, side);
		put_users(d, text);
		buf_printf(text, " GROUP BY user%d_id;", side);
	}
	snprintf(before, sizeof(before), "%d,g.user_id,", (int)FOUND_GROUP);
	for (unsigned i = 0; i < d->keys;) {
		unread_put_groups(text, before);
		i = put_some_users(d, text, i, GROUPS_USERS);
		buf_append_char(text, ';');
	}
}

/* Of messages AS m; user: an expression. */
static void put_may_be_shown(struct buf *text, struct str user)
{
	buf_printf(text,
		   " AND m.is_recalled=0 AND m.is_read=0 AND m.deleted_by_recipient=0 AND m.message_type<>%d AND "
		   "m.from_user_id<>",
		   MESSAGE_SYSTEM);
	buf_append_str(text, user);
	sql_lit(text, " AND (m.expires_at IS NULL OR m.expires_at>");
	sql_now(text);
	sql_lit(text, ") AND b.user_id IS NULL AND f.user_id IS NULL");
}

/* What put_may_be_shown() looks at, too: whether the user has blocked the sender. */
static void put_block_joins(struct buf *text, struct str user)
{
	sql_lit(text, " LEFT JOIN blocks b FORCE INDEX (PRIMARY) ON b.blocked_id=m.from_user_id AND b.user_id=");
	buf_append_str(text, user);
	sql_lit(text, " LEFT JOIN friendships f FORCE INDEX (PRIMARY) ON f.friend_id=m.from_user_id AND f.blocked=1 "
		      "AND f.user_id=");
	buf_append_str(text, user);
}

/* What take_message() takes after the conversation; mentioned: an expression. */
static void put_message_columns(struct buf *text, const char *mentioned)
{
	buf_printf(text, "m.id,%s,COALESCE(s.muted_until>", mentioned);
	sql_now(text);
	sql_lit(text,
		",0),COALESCE(s.mute_mentions,0),m.message_type,m.content,COALESCE(u.nickname,m.from_user_id),p.name");
}

static void put_message_joins(struct buf *text, struct str user)
{
	sql_lit(text, " LEFT JOIN users u ON u.id=m.from_user_id LEFT JOIN group_profiles p ON p.id=m.id>>28 LEFT JOIN "
		      "conversation_settings s FORCE INDEX (PRIMARY) ON s.conversation_id=m.id>>28 AND s.user_id=");
	buf_append_str(text, user);
}

/* " OR " before all but the first. */
static void put_or(struct buf *text, bool *any)
{
	if (*any)
		sql_lit(text, " OR ");
	*any = true;
}

/* What was not read and not shown yet; of a lot, the end. */
static uint64_t choice_after(const struct device_job *j)
{
	uint64_t after = j->read_seq > j->shown_seq ? j->read_seq : j->shown_seq,
		 newest = message_id_seq(j->message_id);
	return newest > LOOK_BACK && newest - LOOK_BACK > after ? newest - LOOK_BACK : after;
}

/* Of mentions, whose columns begin with `of`: those of the user, or "*", that the job may tell of. */
static void put_range(struct buf *text, bool *any, const char *of, struct str user, const struct device_job *j)
{
	put_or(text, any);
	buf_printf(text, "(%suser_id=", of);
	sql_str(text, user);
	buf_printf(text, " AND %sconversation_id=", of);
	sql_u64(text, j->conversation_id);
	buf_printf(text, " AND %sseq>", of);
	sql_u64(text, choice_after(j));
	buf_printf(text, " AND %sseq<=", of);
	sql_u64(text, message_id_seq(j->message_id));
	buf_append_char(text, ')');
}

/* There are messages of which something is to be told, perhaps. */
static bool has_news(const struct device_job *j)
{
	return j->is_party && choice_after(j) < message_id_seq(j->message_id);
}

/* By the row of the job: where it has changed since, it is decided again. */
static void put_newest(const struct device_decide *d, struct buf *text)
{
	bool any = false;
	put_select(text, FOUND_NEWEST, "j.user_id");
	sql_lit(text, "j.conversation_id,");
	put_message_columns(text, "0");
	sql_lit(text, " FROM push_jobs j FORCE INDEX (PRIMARY) STRAIGHT_JOIN messages m FORCE INDEX (PRIMARY) ON "
		      "m.id=j.message_id");
	put_message_joins(text, STR_LIT("j.user_id"));
	put_block_joins(text, STR_LIT("j.user_id"));
	sql_lit(text, " WHERE (");
	for (unsigned i = 0; i < d->keys; i++) {
		if (!has_news(d->key[i]))
			continue;
		put_or(text, &any);
		sql_lit(text, "(j.user_id=");
		sql_str(text, str_from(d->key[i]->user));
		sql_lit(text, " AND j.conversation_id=");
		sql_u64(text, d->key[i]->conversation_id);
		buf_append_char(text, ')');
	}
	if (!any)
		buf_append_char(text, '0');
	buf_append_char(text, ')');
	put_may_be_shown(text, STR_LIT("j.user_id"));
	buf_append_char(text, ';');
}

static void put_mentioned(const struct device_decide *d, struct buf *text)
{
	bool any = false;
	put_select(text, FOUND_MENTIONED, "user_id");
	sql_lit(text, "conversation_id,MAX(seq) FROM mentions FORCE INDEX (PRIMARY) WHERE ");
	for (unsigned i = 0; i < d->keys; i++) {
		const struct device_job *j = d->key[i];
		if (!has_news(j))
			continue;
		put_range(text, &any, "", str_from(j->user), j);
		put_range(text, &any, "", STR_LIT("*"), j);
	}
	if (!any)
		buf_append_char(text, '0');
	sql_lit(text, " GROUP BY user_id,conversation_id;");
}

/* Of what is shown: what is to be withdrawn. */
static void put_gone(const struct device_decide *d, struct buf *text)
{
	bool first = true;
	buf_printf(text,
		   "SELECT %d,'',id FROM messages FORCE INDEX (PRIMARY) WHERE (is_recalled=1 OR is_read=1) AND id IN (",
		   (int)FOUND_GONE);
	for (unsigned i = 0; i < d->keys; i++) {
		const struct device_job *j = d->key[i];
		if (j->shown_seq == 0)
			continue;
		sql_comma(text, &first);
		sql_u64(text, message_id_make(j->conversation_id, j->shown_seq));
	}
	if (first)
		buf_append_char(text, '0');
	sql_lit(text, ");");
}

static void put_other_facts(const struct device_job *j, struct buf *text)
{
	struct str user = str_from(j->user);
	put_select(text, FOUND_REQUEST, "q.to_user_id");
	sql_lit(text, "COALESCE(u.nickname,q.from_user_id) FROM (SELECT to_user_id,from_user_id,created_at FROM "
		      "friend_requests FORCE INDEX (incoming) WHERE to_user_id=");
	sql_str(text, user);
	sql_lit(text, " ORDER BY id DESC LIMIT 1) q LEFT JOIN users u ON u.id=q.from_user_id WHERE q.created_at>=");
	sql_time(text, j->since_ms);
	buf_append_char(text, ';');
	put_select(text, FOUND_NOTIFICATION, "n.user_id");
	sql_lit(text, "n.message_id,n.body FROM (SELECT user_id,message_id,body,is_read,created_at FROM notifications "
		      "FORCE INDEX (by_user) WHERE user_id=");
	sql_str(text, user);
	sql_lit(text, " ORDER BY id DESC LIMIT 1) n WHERE n.is_read=0 AND n.created_at>=");
	sql_time(text, j->since_ms);
	buf_append_char(text, ';');
}

static void find_ask(struct relay *r, struct buf *text)
{
	const struct device_decide *d = &r->devices.decide;
	put_user_facts(d, text);
	put_newest(d, text);
	put_mentioned(d, text);
	put_gone(d, text);
	for (unsigned i = 0; i < d->keys; i++)
		if (!d->key[i]->is_party && d->key[i]->conversation_id == 0)
			put_other_facts(d->key[i], text);
	sql_lit(text, "COMMIT");
}

/* ---- what is found ---- */

static void take_device(struct relay *r, struct device_job *j, struct row *row)
{
	struct device_decide *d = &r->devices.decide;
	if (d->devices == d->device_room) {
		d->device_room = d->device_room != 0 ? 2 * d->device_room : DECIDE_MAX;
		d->device = xrealloc(d->device, d->device_room * sizeof(*d->device));
	}
	struct device_found *f = &d->device[d->devices];
	f->job = j;
	f->id = arena_str(&d->arena, row_take_str(row));
	f->platform = (enum device_platform)row_take_u64(row);
	f->token = arena_str(&d->arena, row_take_str(row));
	f->locale = arena_str(&d->arena, row_take_str(row));
	d->devices += services_have(&r->devices.services, f->platform);
}

static void take_message(struct device_decide *d, struct device_job *j, struct row *row)
{
	struct push_text *t = &j->text;
	t->message_id = row_take_u64(row);
	bool mentioned = row_take_bool(row), muted = row_take_bool(row), mute_mentions = row_take_bool(row);
	t->kind = mentioned ? PUSH_MENTION : PUSH_MESSAGE;
	t->type = row_take_type(row);
	t->content = arena_str(&d->arena, row_take_str(row));
	t->from = arena_str(&d->arena, row_take_str(row));
	t->group = arena_str(&d->arena, row_take_str(row));
	t->conversation_id = j->conversation_id;
	j->has_text = !muted || (mentioned && !mute_mentions);
}

static void take_newest(struct device_decide *d, struct str user, struct row *row)
{
	struct device_job *j = job_of(d, user, row_take_u64(row));
	if (j == NULL)
		return;
	take_message(d, j, row);
	j->has_newest = j->text.message_id == j->message_id;
	j->has_text = j->has_text && j->has_newest;
}

static void take_mention(struct device_decide *d, struct str user, struct row *row)
{
	uint64_t conversation_id = row_take_u64(row), seq = row_take_u64(row);
	bool all = str_equal(user, STR_LIT("*"));
	for (unsigned i = 0; i < d->keys; i++) {
		struct device_job *j = d->key[i];
		if (j->conversation_id == conversation_id && (all || str_equal(user, str_from(j->user))) &&
		    seq > choice_after(j))
			j->is_mentioned = true;
	}
}

static void take_gone(struct device_decide *d, struct row *row)
{
	uint64_t id = row_take_u64(row);
	for (unsigned i = 0; i < d->keys; i++) {
		struct device_job *j = d->key[i];
		if (j->shown_seq != 0 && message_id_make(j->conversation_id, j->shown_seq) == id)
			j->withdraws = true;
	}
}

static void take_unread(struct device_decide *d, struct device_job *j, struct row *row)
{
	struct unread u = {.user = str_from(j->user)};
	unread_take_group(row, &u);
	/* Mentions count as any message here. */
	u.mention_seq = u.all_seq = 0;
	if (unread_is_known(&u) || d->unreads == UNREADS_MAX) {
		j->badge += unread_in_group(&u);
		return;
	}
	if (d->unreads == d->unread_room) {
		d->unread_room = d->unread_room != 0 ? 2 * d->unread_room : DECIDE_MAX;
		d->unread = xrealloc(d->unread, d->unread_room * sizeof(*d->unread));
		d->unread_job = xrealloc(d->unread_job, d->unread_room * sizeof(*d->unread_job));
	}
	d->unread[d->unreads] = u;
	d->unread_job[d->unreads++] = j;
}

static void take_of_user(struct relay *r, enum found what, struct device_job *j, struct row *row)
{
	struct device_decide *d = &r->devices.decide;
	switch (what) {
	case FOUND_SETTINGS:
		row_take_push_settings(row, &j->settings);
		break;
	case FOUND_BARRED:
		j->may = false;
		break;
	case FOUND_DEVICE:
		take_device(r, j, row);
		break;
	case FOUND_DIRECT:
		j->badge += row_take_u64(row);
		break;
	case FOUND_GROUP:
		take_unread(d, j, row);
		break;
	case FOUND_REQUEST:
		j->has_asked = true;
		j->asked = (struct push_text){.kind = PUSH_FRIEND_REQUEST};
		j->asked.from = arena_str(&d->arena, row_take_str(row));
		break;
	case FOUND_NOTIFICATION:
		j->has_text = true;
		j->text = (struct push_text){.kind = PUSH_NOTIFICATION};
		j->text.message_id = row_take_u64(row);
		j->text.content = arena_str(&d->arena, row_take_str(row));
		break;
	default:
		break;
	}
}

static void find_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct device_decide *d = &r->devices.decide;
	(void)stmt;
	enum found what = (enum found)row_take_u64(row);
	struct str user = row_take_str(row);
	if (r->devices.step != DEVICES_FINDING)
		return;
	/* Friend requests and notifications have a job of their own, which is the first of the user: its conversation
	 * is 0. */
	struct device_job *first = first_of(d, user);
	if (what == FOUND_NOW)
		d->now_ms = row_take_ms(row);
	else if (what == FOUND_NEWEST)
		take_newest(d, user, row);
	else if (what == FOUND_MENTIONED)
		take_mention(d, user, row);
	else if (what == FOUND_GONE)
		take_gone(d, row);
	else if (first != NULL)
		take_of_user(r, what, first, row);
}

static bool may_be_disturbed(const struct device_job *j, int64_t now_ms)
{
	const struct push_settings *s = &j->settings;
	int minute = s->has_dnd ? zone_minute(str_from(s->dnd_zone), now_ms / 1000) : -1;
	return minute < 0 || !minute_is_within(minute, s->dnd_from, s->dnd_to);
}

static void find_done(struct relay *r)
{
	struct device_decide *d = &r->devices.decide;
	bool looks_back = false;
	if (r->devices.step != DEVICES_FINDING)
		return;
	for (unsigned i = 0; i < d->keys; i++) {
		struct device_job *j = d->key[i];
		j->may = j->may && may_be_disturbed(j, d->now_ms);
		j->looks_back =
			has_news(j) &&
			(j->is_mentioned || (!j->has_newest && choice_after(j) + 1 < message_id_seq(j->message_id)));
		looks_back |= j->looks_back;
	}
	r->devices.step = looks_back ? DEVICES_LOOKING_BACK : next_step(d);
}

const struct relay_job devices_find_job = {.name = "reading what to tell devices",
					   .ask = find_ask,
					   .row = find_row,
					   .done = find_done,
					   .failed = devices_failed};

/* ---- messages before the newest ---- */

static void put_mention(const struct device_job *j, struct buf *text, struct str user, struct str whom)
{
	bool any = false;
	sql_lit(text,
		"(SELECT m.id FROM mentions n FORCE INDEX (PRIMARY) STRAIGHT_JOIN messages m FORCE INDEX (PRIMARY) "
		"ON m.id=(n.conversation_id<<28)+n.seq");
	put_block_joins(text, user);
	sql_lit(text, " WHERE ");
	put_range(text, &any, "n.", whom, j);
	put_may_be_shown(text, user);
	sql_lit(text, " ORDER BY n.seq DESC LIMIT 1)");
}

/*
 * Sets @id: the message that is shown, and @at, where it mentions the user; NULL: there is none. The ends of ranges are
 * constants, so that no more is read than is in them.
 */
static void put_choice(const struct device_job *j, struct buf *text, struct str user)
{
	sql_lit(text, "SET @at=NULLIF(GREATEST(COALESCE(");
	put_mention(j, text, user, str_from(j->user));
	sql_lit(text, ",0),COALESCE(");
	put_mention(j, text, user, STR_LIT("*"));
	sql_lit(text, ",0)),0);SET @id=COALESCE(@at,(SELECT m.id FROM messages m FORCE INDEX (PRIMARY)");
	put_block_joins(text, user);
	sql_lit(text, " WHERE m.id>");
	sql_u64(text, message_id_make(j->conversation_id, choice_after(j)));
	sql_lit(text, " AND m.id<=");
	sql_u64(text, j->message_id);
	put_may_be_shown(text, user);
	sql_lit(text, " ORDER BY m.id DESC LIMIT 1));");
}

static void look_back_ask(struct relay *r, struct buf *text)
{
	struct device_decide *d = &r->devices.decide;
	struct buf user = {0};
	for (unsigned i = 0; i < d->keys; i++) {
		struct device_job *j = d->key[i];
		if (!j->looks_back)
			continue;
		j->has_text = false;
		buf_clear(&user);
		sql_str(&user, str_from(j->user));
		put_choice(j, text, (struct str){user.data, user.len});
		buf_printf(text, "SELECT %u,", i);
		put_message_columns(text, "@at IS NOT NULL");
		sql_lit(text, " FROM messages m FORCE INDEX (PRIMARY)");
		put_message_joins(text, (struct str){user.data, user.len});
		sql_lit(text, " WHERE m.id=CAST(@id AS UNSIGNED);");
	}
	buf_fini(&user);
	sql_lit(text, "COMMIT");
}

static void look_back_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct device_decide *d = &r->devices.decide;
	uint64_t i = row_take_u64(row);
	(void)stmt;
	if (r->devices.step == DEVICES_LOOKING_BACK && i < d->keys)
		take_message(d, d->key[i], row);
}

static void look_back_done(struct relay *r)
{
	if (r->devices.step == DEVICES_LOOKING_BACK)
		r->devices.step = next_step(&r->devices.decide);
}

const struct relay_job devices_look_back_job = {.name = "looking back for what to tell devices",
						.ask = look_back_ask,
						.row = look_back_row,
						.done = look_back_done,
						.failed = devices_failed};
