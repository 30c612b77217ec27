/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Jobs that are due: Redis is asked who is online, as presence is known everywhere; then all that is needed of the
 * others is read at once, and in one transaction there is a row for each device, and the jobs are gone, but those to
 * which something was added meanwhile.
 *
 * A message is told unless its user is online, has read it, has blocked its sender, or has muted the conversation; a
 * mention passes a mute, unless mute_mentions says otherwise. What is shown is the newest mention that was not shown
 * yet, or else the newest such message. Where there is none and what was shown is read or recalled, that is withdrawn,
 * also of one who is online.
 */
#include "core/base.h"
#include "relay/devices.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/bus.h"
#include "bus/form.h"
#include "core/clock.h"
#include "relay/relay_priv.h"
#include "store/device_priv.h"
#include "store/row.h"
#include "store/sql.h"

/* Until Redis is asked again, where it is away. */
#define UNKNOWN_REST_MS 1000
/* Groups with something unread, of all users of a batch. */
#define UNREADS_MAX 20000
/* Messages among which the one that is shown is looked for. */
#define LOOK_BACK 500

/* ---- its life ---- */

void devices_decide_drop(struct relay *r)
{
	struct device_decide *d = &r->devices.decide;
	if (d->asked_bus)
		bus_count_cancel(r->bus, r);
	d->asked_bus = false;
	d->jobs = 0;
	d->devices = d->unreads = d->count_from = d->count_to = 0;
	arena_clear(&d->arena);
}

void devices_decide_fini(struct device_decide *d)
{
	free(d->device);
	free(d->unread);
	free(d->unread_job);
	arena_fini(&d->arena);
}

bool device_job_is_idle(const struct device_job *j)
{
	return j->online && j->shown_seq == 0;
}

unsigned device_job_first(const struct device_decide *d, unsigned i)
{
	unsigned first = 0;
	while (device_job_is_idle(&d->job[first]) || strcmp(d->job[first].user, d->job[i].user) != 0)
		first++;
	return first;
}

/* ---- which are due ---- */

static void look_ask(struct relay *r, struct buf *text)
{
	devices_decide_drop(r);
	sql_lit(text, "SELECT j.user_id,j.conversation_id,j.version,j.message_id,j.since,s.seq,IF(c.id IS "
		      "NULL,GREATEST(g.read_seq,"
		      "g.first_seq-1),IF(c.user1_id=j.user_id,GREATEST(c.user1_read_seq,COALESCE(c.user1_first_seq,1)-"
		      "1),GREATEST("
		      "c.user2_read_seq,COALESCE(c.user2_first_seq,1)-1))) FROM push_jobs j FORCE INDEX (by_due) LEFT "
		      "JOIN conversations "
		      "c FORCE INDEX (PRIMARY) ON c.id=j.conversation_id LEFT JOIN members g FORCE INDEX (PRIMARY) ON "
		      "g.user_id=j.user_id AND g.conversation_id=j.conversation_id LEFT JOIN push_shown s FORCE INDEX "
		      "(PRIMARY) ON "
		      "s.conversation_id=j.conversation_id AND s.user_id=j.user_id WHERE j.due_at<=");
	sql_now(text);
	buf_printf(text, " ORDER BY j.due_at LIMIT %d;COMMIT", DECIDE_MAX);
}

static void look_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct device_decide *d = &r->devices.decide;
	(void)stmt;
	if (r->devices.step != DEVICES_LOOKING || d->jobs == DECIDE_MAX)
		return;
	struct device_job *j = &d->job[d->jobs++];
	*j = (struct device_job){.settings = push_settings_unset};
	row_take_user(row, j->user);
	j->conversation_id = row_take_u64(row);
	j->version = row_take_u64(row);
	j->message_id = row_take_u64(row);
	j->since_ms = row_take_ms(row);
	j->shown_seq = row_take_u64(row);
	j->is_party = !row_next_is_null(row);
	j->read_seq = row_take_u64(row);
	j->withdraws = j->shown_seq != 0 && (!j->is_party || j->shown_seq <= j->read_seq);
}

static void look_done(struct relay *r)
{
	struct devices *v = &r->devices;
	if (v->step != DEVICES_LOOKING)
		return;
	v->step = v->decide.jobs != 0 ? DEVICES_ASKING : DEVICES_IDLE;
	if (v->decide.jobs == DECIDE_MAX)
		v->look_ms = 0;
}

static const struct relay_job look_job = {.name = "looking whose devices to tell",
					  .ask = look_ask,
					  .row = look_row,
					  .done = look_done,
					  .failed = devices_failed};

/* ---- who is online ---- */

static void on_counts(const uint32_t *counts, size_t n, void *arg)
{
	struct relay *r = arg;
	struct device_decide *d = &r->devices.decide;
	d->asked_bus = false;
	if (r->devices.step != DEVICES_ASKING || n != d->jobs)
		return;
	/* Nobody knows: everybody who has a session would be told. What is decided already is sent all the same. */
	if (counts == NULL) {
		r->devices.step = DEVICES_IDLE;
		r->devices.look_ms = clock_mono_ms() + UNKNOWN_REST_MS;
		devices_decide_drop(r);
		relay_go_on(r);
		return;
	}
	r->devices.step = DEVICES_WRITING;
	for (size_t i = 0; i < n; i++) {
		d->job[i].online = counts[i] != 0;
		if (!device_job_is_idle(&d->job[i]))
			r->devices.step = DEVICES_FINDING;
	}
	relay_go_on(r);
}

static void ask_bus(struct relay *r)
{
	struct device_decide *d = &r->devices.decide;
	char topic[DECIDE_MAX][TOPIC_MAX];
	struct str topics[DECIDE_MAX];
	for (unsigned i = 0; i < d->jobs; i++)
		topics[i] = topic_make(topic[i], TOPIC_USER, str_from(d->job[i].user));
	d->asked_bus = true;
	bus_count(r->bus, topics, d->jobs, on_counts, r);
}

/* ---- what there is to be told ---- */

enum found {
	FOUND_USER,
	FOUND_DEVICE,
	FOUND_SHOWN,
	FOUND_MESSAGE,
	FOUND_REQUEST,
	FOUND_NOTIFICATION,
	FOUND_DIRECT,
	FOUND_GROUP
};

static void put_head(struct buf *text, enum found what, unsigned job)
{
	buf_printf(text, "%d,%u,", (int)what, job);
}

static void put_user_facts(const struct device_decide *d, unsigned i, struct buf *text)
{
	struct str user = str_from(d->job[i].user);
	char head[32];
	snprintf(head, sizeof(head), "%d,%u,", (int)FOUND_GROUP, i);
	sql_lit(text, "SELECT ");
	put_head(text, FOUND_USER, i);
	sql_now(text);
	sql_lit(text, ",COALESCE(t.disabled,0) OR t.erased_at IS NOT NULL,s.user_id IS NOT "
		      "NULL,s.preview,s.dnd_from,s.dnd_to,"
		      "s.dnd_zone FROM (SELECT 1) o LEFT JOIN push_settings s ON s.user_id=");
	sql_str(text, user);
	sql_lit(text, " LEFT JOIN user_states t ON t.user_id=");
	sql_str(text, user);
	sql_lit(text, ";SELECT ");
	put_head(text, FOUND_DEVICE, i);
	sql_lit(text, "d.id,d.platform,d.token,d.locale FROM devices d FORCE INDEX (PRIMARY) LEFT JOIN logins l ON "
		      "l.id=d.login_id "
		      "WHERE d.user_id=");
	sql_str(text, user);
	sql_lit(text, " AND (d.login_id=0 OR (l.ended_at IS NULL AND l.expires_at>");
	sql_now(text);
	sql_lit(text, "));SELECT ");
	put_head(text, FOUND_DIRECT, i);
	unread_put_direct(text, user);
	buf_append_char(text, ';');
	unread_put_groups(text, head, user);
	buf_append_char(text, ';');
}

/* Of messages AS m. */
static void put_may_be_shown(struct buf *text, struct str user)
{
	buf_printf(text,
		   " AND m.is_recalled=0 AND m.is_read=0 AND m.deleted_by_recipient=0 AND m.message_type<>%d AND "
		   "m.from_user_id<>",
		   MESSAGE_SYSTEM);
	sql_str(text, user);
	sql_lit(text, " AND (m.expires_at IS NULL OR m.expires_at>");
	sql_now(text);
	sql_lit(text, ") AND NOT EXISTS(SELECT 1 FROM blocks b WHERE b.user_id=");
	sql_str(text, user);
	sql_lit(text, " AND b.blocked_id=m.from_user_id) AND NOT EXISTS(SELECT 1 FROM friendships f WHERE f.user_id=");
	sql_str(text, user);
	sql_lit(text, " AND f.friend_id=m.from_user_id AND f.blocked=1)");
}

/* What was not read and not shown yet; of a lot, the end. */
static uint64_t choice_after(const struct device_job *j)
{
	uint64_t after = j->read_seq > j->shown_seq ? j->read_seq : j->shown_seq,
		 newest = message_id_seq(j->message_id);
	return newest > LOOK_BACK && newest - LOOK_BACK > after ? newest - LOOK_BACK : after;
}

static void put_mention(const struct device_job *j, struct buf *text, struct str whom)
{
	sql_lit(text,
		"(SELECT m.id FROM mentions n FORCE INDEX (PRIMARY) STRAIGHT_JOIN messages m FORCE INDEX (PRIMARY) ON "
		"m.id=(n.conversation_id<<28)+n.seq WHERE n.user_id=");
	sql_str(text, whom);
	sql_lit(text, " AND n.conversation_id=");
	sql_u64(text, j->conversation_id);
	sql_lit(text, " AND n.seq>");
	sql_u64(text, choice_after(j));
	sql_lit(text, " AND n.seq<=");
	sql_u64(text, message_id_seq(j->message_id));
	put_may_be_shown(text, str_from(j->user));
	sql_lit(text, " ORDER BY n.seq DESC LIMIT 1)");
}

/*
 * Sets @id: the message that is shown, and @at, where it mentions the user; NULL: there is none. The ends of ranges are
 * constants, so that no more is read than is in them.
 */
static void put_choice(const struct device_job *j, struct buf *text)
{
	sql_lit(text, "SET @at=NULLIF(GREATEST(COALESCE(");
	put_mention(j, text, str_from(j->user));
	sql_lit(text, ",0),COALESCE(");
	put_mention(j, text, STR_LIT("*"));
	sql_lit(text, ",0)),0);SET @id=COALESCE(@at,(SELECT m.id FROM messages m FORCE INDEX (PRIMARY) WHERE m.id>");
	sql_u64(text, message_id_make(j->conversation_id, choice_after(j)));
	sql_lit(text, " AND m.id<=");
	sql_u64(text, j->message_id);
	put_may_be_shown(text, str_from(j->user));
	sql_lit(text, " ORDER BY m.id DESC LIMIT 1));");
}

static void put_message_facts(const struct device_job *j, unsigned i, struct buf *text)
{
	struct str user = str_from(j->user);
	put_choice(j, text);
	sql_lit(text, "SELECT ");
	put_head(text, FOUND_SHOWN, i);
	sql_lit(text, "1 FROM messages WHERE (is_recalled=1 OR is_read=1) AND id=");
	sql_u64(text, message_id_make(j->conversation_id, j->shown_seq));
	sql_lit(text, ";SELECT ");
	put_head(text, FOUND_MESSAGE, i);
	sql_lit(text, "m.id,@at IS NOT NULL,COALESCE(s.muted_until>");
	sql_now(text);
	sql_lit(text,
		",0),COALESCE(s.mute_mentions,0),m.message_type,m.content,COALESCE(u.nickname,m.from_user_id),p.name "
		"FROM messages m FORCE INDEX (PRIMARY) LEFT JOIN users u ON u.id=m.from_user_id LEFT JOIN "
		"group_profiles p ON "
		"p.id=m.id>>28 LEFT JOIN conversation_settings s FORCE INDEX (PRIMARY) ON s.user_id=");
	sql_str(text, user);
	sql_lit(text, " AND s.conversation_id=");
	sql_u64(text, j->conversation_id);
	sql_lit(text, " WHERE m.id=CAST(@id AS UNSIGNED);");
}

static void put_other_facts(const struct device_job *j, unsigned i, struct buf *text)
{
	struct str user = str_from(j->user);
	sql_lit(text, "SELECT ");
	put_head(text, FOUND_REQUEST, i);
	sql_lit(text, "COALESCE(u.nickname,q.from_user_id) FROM (SELECT from_user_id,created_at FROM friend_requests "
		      "FORCE INDEX "
		      "(incoming) WHERE to_user_id=");
	sql_str(text, user);
	sql_lit(text, " ORDER BY id DESC LIMIT 1) q LEFT JOIN users u ON u.id=q.from_user_id WHERE q.created_at>=");
	sql_time(text, j->since_ms);
	sql_lit(text, ";SELECT ");
	put_head(text, FOUND_NOTIFICATION, i);
	sql_lit(text, "n.message_id,n.body FROM (SELECT message_id,body,is_read,created_at FROM notifications FORCE "
		      "INDEX (by_user) "
		      "WHERE user_id=");
	sql_str(text, user);
	sql_lit(text, " ORDER BY id DESC LIMIT 1) n WHERE n.is_read=0 AND n.created_at>=");
	sql_time(text, j->since_ms);
	buf_append_char(text, ';');
}

static void find_ask(struct relay *r, struct buf *text)
{
	struct device_decide *d = &r->devices.decide;
	for (unsigned i = 0; i < d->jobs; i++) {
		const struct device_job *j = &d->job[i];
		if (device_job_is_idle(j))
			continue;
		if (device_job_first(d, i) == i)
			put_user_facts(d, i, text);
		if (j->is_party)
			put_message_facts(j, i, text);
		else if (j->conversation_id == 0)
			put_other_facts(j, i, text);
	}
	sql_lit(text, "COMMIT");
}

static bool may_be_disturbed(const struct device_job *j, int64_t now_ms)
{
	const struct push_settings *s = &j->settings;
	int minute = s->has_dnd ? zone_minute(str_from(s->dnd_zone), now_ms / 1000) : -1;
	return minute < 0 || !minute_is_within(minute, s->dnd_from, s->dnd_to);
}

static void take_user(struct device_decide *d, struct device_job *j, struct row *row)
{
	d->now_ms = row_take_ms(row);
	j->may = !row_take_bool(row);
	if (row_take_bool(row))
		row_take_push_settings(row, &j->settings);
	j->may = j->may && may_be_disturbed(j, d->now_ms);
}

static void take_device(struct relay *r, unsigned job, struct row *row)
{
	struct device_decide *d = &r->devices.decide;
	if (d->devices == d->device_room) {
		d->device_room = d->device_room != 0 ? 2 * d->device_room : DECIDE_MAX;
		d->device = xrealloc(d->device, d->device_room * sizeof(*d->device));
	}
	struct device_found *f = &d->device[d->devices];
	f->job = job;
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

static void take_unread(struct device_decide *d, unsigned job, struct row *row)
{
	struct unread u = {.user = str_from(d->job[job].user)};
	unread_take_group(row, &u);
	/* Mentions count as any message here. */
	u.mention_seq = u.all_seq = 0;
	if (unread_is_known(&u) || d->unreads == UNREADS_MAX) {
		d->job[job].badge += unread_in_group(&u);
		return;
	}
	if (d->unreads == d->unread_room) {
		d->unread_room = d->unread_room != 0 ? 2 * d->unread_room : DECIDE_MAX;
		d->unread = xrealloc(d->unread, d->unread_room * sizeof(*d->unread));
		d->unread_job = xrealloc(d->unread_job, d->unread_room * sizeof(*d->unread_job));
	}
	d->unread[d->unreads] = u;
	d->unread_job[d->unreads++] = job;
}

static void find_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct device_decide *d = &r->devices.decide;
	(void)stmt;
	enum found what = (enum found)row_take_u64(row);
	unsigned i = (unsigned)row_take_u64(row);
	if (r->devices.step != DEVICES_FINDING || i >= d->jobs)
		return;
	struct device_job *j = &d->job[i];
	switch (what) {
	case FOUND_USER:
		take_user(d, j, row);
		break;
	case FOUND_DEVICE:
		take_device(r, i, row);
		break;
	case FOUND_SHOWN:
		j->withdraws = j->shown_seq != 0;
		break;
	case FOUND_MESSAGE:
		take_message(d, j, row);
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
	case FOUND_DIRECT:
		j->badge += row_take_u64(row);
		break;
	case FOUND_GROUP:
		take_unread(d, i, row);
		break;
	}
}

static void find_done(struct relay *r)
{
	if (r->devices.step == DEVICES_FINDING)
		r->devices.step = r->devices.decide.unreads != 0 ? DEVICES_COUNTING : DEVICES_WRITING;
}

static const struct relay_job find_job = {.name = "reading what to tell devices",
					  .ask = find_ask,
					  .row = find_row,
					  .done = find_done,
					  .failed = devices_failed};

/* ---- what has to be counted of groups ---- */

static void counts_ask(struct relay *r, struct buf *text)
{
	struct device_decide *d = &r->devices.decide;
	struct unread_stmt stmt;
	unsigned asked = 0;
	unread_begin(&stmt, text);
	for (d->count_from = d->count_to; d->count_to < d->unreads && asked < UNREAD_CHUNK; d->count_to++)
		asked += unread_put(&stmt, d->count_to, &d->unread[d->count_to]);
	if (unread_end(&stmt))
		buf_append_char(text, ';');
	sql_lit(text, "COMMIT");
}

static void counts_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct device_decide *d = &r->devices.decide;
	(void)stmt;
	size_t tag = unread_take_tag(row);
	if (r->devices.step == DEVICES_COUNTING && tag >= d->count_from && tag < d->count_to)
		unread_take(row, &d->arena, &d->unread[tag]);
}

static void counts_done(struct relay *r)
{
	struct device_decide *d = &r->devices.decide;
	if (r->devices.step != DEVICES_COUNTING || d->count_to < d->unreads)
		return;
	for (size_t i = 0; i < d->unreads; i++)
		d->job[d->unread_job[i]].badge += unread_in_group(&d->unread[i]);
	r->devices.step = DEVICES_WRITING;
}

static const struct relay_job counts_job = {.name = "counting what is unread for devices",
					    .ask = counts_ask,
					    .row = counts_row,
					    .done = counts_done,
					    .failed = devices_failed};

const struct relay_job *devices_decide_job(struct relay *r)
{
	switch (r->devices.step) {
	case DEVICES_LOOKING:
		return &look_job;
	case DEVICES_ASKING:
		if (!r->devices.decide.asked_bus)
			ask_bus(r);
		return NULL;
	case DEVICES_FINDING:
		return &find_job;
	case DEVICES_COUNTING:
		return &counts_job;
	default:
		return &devices_note_job;
	}
}
