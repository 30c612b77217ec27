/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the outbox for pushes: rows of one stream in order, and makes a job for each user who has a device and may have
 * to be told. Members of groups are read in pages. The last transaction also notes how far the stream is read. After an
 * interruption the same rows are read again; a job that exists stays as it is.
 */
#include "core/base.h"
#include "relay/devices.h"

#include <stdlib.h>

#include "core/clock.h"
#include "relay/relay_priv.h"
#include "store/outbox_items.h"
#include "store/row.h"
#include "store/sql.h"

#define ROWS_MAX 200
#define ITEMS_FULL 2000
#define PAGE_ROWS 500
#define ROOM_MIN 64
/* Ids in one list: from 1000 on MariaDB would make a table of it (in_predicate_conversion_threshold). */
#define IDS_MAX 500
/* Places that one statement looks at. */
#define PLACES_MAX 100
/* A job that waits keeps its time, so that one who writes on and on is told of. */
#define ON_DUPLICATE                                                                                                   \
	" ON DUPLICATE KEY UPDATE version=version+1,message_id=GREATEST(message_id,VALUES(message_id)),"               \
	"since=LEAST(since,VALUES(since))"
#define JOB_COLUMNS "INSERT INTO push_jobs (user_id,conversation_id,message_id,since,due_at) "

bool devices_feed_may(const struct relay *r)
{
	return streams_next_unread(&r->streams, CONSUMER_DEVICE, 0) != NULL;
}

void devices_feed_fini(struct device_feed *f)
{
	free(f->direct);
	free(f->recalled);
	free(f->read);
	free(f->reader);
	free(f->group);
	buf_fini(&f->users);
	buf_fini(&f->values);
}

/* ---- gathering ---- */

static void add_id(uint64_t **ids, size_t *count, size_t *room, uint64_t id)
{
	if (*count == *room) {
		*room = *room != 0 ? 2 * *room : ROOM_MIN;
		*ids = xrealloc(*ids, *room * sizeof(**ids));
	}
	(*ids)[(*count)++] = id;
}

static void add_group(struct device_feed *f, uint64_t message_id)
{
	uint64_t id = message_id_conversation(message_id);
	for (size_t i = f->groups; i-- > 0 && f->groups - i <= ROOM_MIN;) {
		if (f->group[i].id != id)
			continue;
		if (f->group[i].message_id < message_id)
			f->group[i].message_id = message_id;
		return;
	}
	if (f->groups == f->group_room) {
		f->group_room = f->group_room != 0 ? 2 * f->group_room : ROOM_MIN;
		f->group = xrealloc(f->group, f->group_room * sizeof(*f->group));
	}
	f->group[f->groups++] = (struct device_group){.id = id, .message_id = message_id};
}

static void add_reader(struct device_feed *f, uint64_t group_id, struct str user)
{
	if (f->readers == f->reader_room) {
		f->reader_room = f->reader_room != 0 ? 2 * f->reader_room : ROOM_MIN;
		f->reader = xrealloc(f->reader, f->reader_room * sizeof(*f->reader));
	}
	struct device_reader *to = &f->reader[f->readers++];
	to->group_id = group_id;
	memcpy(to->user, user.s, user.len);
	to->user[user.len] = '\0';
}

static void add_user(struct device_feed *f, struct str user)
{
	if (f->users.len != 0)
		buf_append_char(&f->users, ',');
	sql_str(&f->users, user);
}

/* The user after a read is the reader, and those after a change of a group are the ones it concerns. Other users in
 * such rows have done something themselves. */
static void take_user(struct device_feed *f, struct str user)
{
	if (f->reader_of != 0)
		add_reader(f, f->reader_of, user);
	else if (f->of_people)
		add_user(f, user);
}

static void take_item(struct device_feed *f, const struct outbox_item *item)
{
	uint64_t id = message_id_conversation(item->id);
	if (item->kind == OUTBOX_USER) {
		take_user(f, item->user);
		return;
	}
	f->reader_of = 0;
	f->of_people = f->of_people && item->kind == OUTBOX_FRIEND;
	switch (item->kind) {
	case OUTBOX_SENT:
		if (conversation_is_group(id))
			add_group(f, item->id);
		else
			add_id(&f->direct, &f->directs, &f->direct_room, item->id);
		break;
	case OUTBOX_READ:
		if (conversation_is_group(id))
			f->reader_of = id;
		else
			add_id(&f->read, &f->reads, &f->read_room, id);
		break;
	case OUTBOX_GROUP:
		f->reader_of = id;
		break;
	case OUTBOX_RECALLED:
		add_id(&f->recalled, &f->recalls, &f->recalled_room, item->id);
		break;
	default:
		break;
	}
}

/* ---- reading ---- */

static void read_ask(struct relay *r, struct buf *text)
{
	struct device_feed *f = &r->devices.feed;
	const struct stream *s = streams_next_unread(&r->streams, CONSUMER_DEVICE, f->stream);
	s = s ?: streams_next_unread(&r->streams, CONSUMER_DEVICE, 0);
	f->directs = f->recalls = f->reads = f->readers = f->groups = f->group_at = 0;
	f->rows = 0;
	f->role = 0;
	f->after[0] = '\0';
	buf_clear(&f->users);
	f->stream = s != NULL ? s->id : 0;
	f->last_n = s != NULL ? s->done_n[CONSUMER_DEVICE] : 0;
	/* What is older than a push that is given up is passed over. */
	sql_lit(text, "SELECT n,IF(at<");
	sql_now(text);
	buf_printf(text, "-INTERVAL %d SECOND,'',items) FROM outbox WHERE stream=", SERVICE_TTL_SECS);
	sql_u64(text, f->stream);
	sql_lit(text, " AND n>");
	sql_u64(text, f->last_n);
	sql_lit(text, " ORDER BY n LIMIT ");
	sql_u64(text, ROWS_MAX);
	sql_lit(text, ";COMMIT");
}

static bool is_full(const struct device_feed *f)
{
	return f->directs + f->recalls + f->reads + f->readers + f->groups + f->users.len / 8 >= ITEMS_FULL;
}

static void read_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct device_feed *f = &r->devices.feed;
	struct outbox_item item;
	size_t at = 0;
	(void)stmt;
	if (r->devices.step != DEVICES_READING || is_full(f))
		return;
	f->last_n = row_take_u64(row);
	f->rows++;
	f->reader_of = 0;
	f->of_people = true;
	struct str items = row_take_str(row);
	/* One that is malformed is told of by those who push. */
	while (outbox_next(items, &at, &item) == 1)
		take_item(f, &item);
}

static void read_done(struct relay *r)
{
	struct device_feed *f = &r->devices.feed;
	if (r->devices.step != DEVICES_READING)
		return;
	if (f->rows != 0) {
		r->devices.step = f->groups != 0 ? DEVICES_PAGING : DEVICES_NOTING;
		return;
	}
	/* Deleted meanwhile. */
	const struct stream *s = streams_find(&r->streams, f->stream);
	if (s != NULL)
		streams_note(&r->streams, CONSUMER_DEVICE, s->id, s->max_n);
	r->devices.step = DEVICES_IDLE;
}

static const struct relay_job read_job = {.name = "reading the outbox for devices",
					  .ask = read_ask,
					  .row = read_row,
					  .done = read_done,
					  .failed = devices_failed};

/* ---- members of groups ---- */

static void put_due(struct buf *text)
{
	sql_now(text);
	buf_printf(text, "+INTERVAL %d SECOND", DEVICES_WAIT_MS / 1000);
}

static void page_ask(struct relay *r, struct buf *text)
{
	struct device_feed *f = &r->devices.feed;
	f->members = 0;
	buf_clear(&f->values);
	sql_lit(text, "SELECT m.role,m.user_id,EXISTS(SELECT 1 FROM devices d FORCE INDEX (PRIMARY) WHERE "
		      "d.user_id=m.user_id) "
		      "FROM members m FORCE INDEX (by_conversation) WHERE m.conversation_id=");
	sql_u64(text, f->group[f->group_at].id);
	buf_printf(text, " AND (m.role>%u OR (m.role=%u AND m.user_id>", f->role, f->role);
	sql_str(text, str_from(f->after));
	buf_printf(text, ")) ORDER BY m.role,m.user_id LIMIT %d;COMMIT", PAGE_ROWS);
}

static void page_row(struct relay *r, unsigned stmt, struct row *row)
{
	struct device_feed *f = &r->devices.feed;
	struct buf *v = &f->values;
	(void)stmt;
	if (r->devices.step != DEVICES_PAGING)
		return;
	f->role = (unsigned)row_take_u64(row);
	row_take_user(row, f->after);
	f->members++;
	if (!row_take_bool(row))
		return;
	buf_append_char(v, v->len != 0 ? ',' : ' ');
	buf_append_char(v, '(');
	sql_str(v, str_from(f->after));
	buf_append_char(v, ',');
	sql_u64(v, f->group[f->group_at].id);
	buf_append_char(v, ',');
	sql_u64(v, f->group[f->group_at].message_id);
	buf_append_char(v, ',');
	sql_now(v);
	buf_append_char(v, ',');
	put_due(v);
	buf_append_char(v, ')');
}

static void next_page(struct relay *r)
{
	struct device_feed *f = &r->devices.feed;
	if (f->members == PAGE_ROWS) {
		r->devices.step = DEVICES_PAGING;
		return;
	}
	f->role = 0;
	f->after[0] = '\0';
	f->group_at++;
	r->devices.step = f->group_at < f->groups ? DEVICES_PAGING : DEVICES_NOTING;
}

static void page_done(struct relay *r)
{
	if (r->devices.step != DEVICES_PAGING)
		return;
	if (r->devices.feed.values.len != 0)
		r->devices.step = DEVICES_PUTTING;
	else
		next_page(r);
}

static const struct relay_job page_job = {.name = "reading members for devices",
					  .ask = page_ask,
					  .row = page_row,
					  .done = page_done,
					  .failed = devices_failed};

static void put_ask(struct relay *r, struct buf *text)
{
	const struct buf *v = &r->devices.feed.values;
	sql_lit(text, JOB_COLUMNS "VALUES");
	buf_append(text, v->data, v->len);
	sql_lit(text, ON_DUPLICATE ";COMMIT");
}

static void put_done(struct relay *r)
{
	if (r->devices.step == DEVICES_PUTTING)
		next_page(r);
}

static const struct relay_job put_job = {
	.name = "noting members with devices", .ask = put_ask, .done = put_done, .failed = devices_failed};

/* ---- the rest, and how far it is read ---- */

static void put_ids(struct buf *text, const uint64_t *ids, size_t count)
{
	bool first = true;
	buf_append_char(text, '(');
	for (size_t i = 0; i < count; i++) {
		sql_comma(text, &first);
		sql_u64(text, ids[i]);
	}
	buf_append_char(text, ')');
}

static size_t ids_from(size_t i, size_t count)
{
	return count - i < IDS_MAX ? count - i : IDS_MAX;
}

static void put_directs(const uint64_t *ids, size_t count, struct buf *text)
{
	sql_lit(text, JOB_COLUMNS "SELECT m.to_user_id,m.id>>28,m.id,m.created_at,");
	put_due(text);
	sql_lit(text, " FROM messages m FORCE INDEX (PRIMARY) WHERE m.id IN ");
	put_ids(text, ids, count);
	sql_lit(text,
		" AND EXISTS(SELECT 1 FROM devices d FORCE INDEX (PRIMARY) WHERE d.user_id=m.to_user_id)" ON_DUPLICATE
		";");
}

/* ---- what may have to be taken away ---- */

static void begin_shown(struct buf *text, const char *index)
{
	sql_lit(text, JOB_COLUMNS "SELECT s.user_id,s.conversation_id,0,");
	sql_now(text);
	buf_append_char(text, ',');
	sql_now(text);
	buf_printf(text, " FROM push_shown s FORCE INDEX (%s) WHERE ", index);
}

static void put_reads(const uint64_t *ids, size_t count, struct buf *text)
{
	begin_shown(text, "PRIMARY");
	sql_lit(text, "s.conversation_id IN ");
	put_ids(text, ids, count);
	sql_lit(text, ON_DUPLICATE ";");
}

/* Only of the user who has read: a large group has many others. */
static void put_readers(const struct device_feed *f, struct buf *text)
{
	for (size_t i = 0; i < f->readers; i++) {
		const struct device_reader *to = &f->reader[i];
		if (i % PLACES_MAX == 0)
			begin_shown(text, "PRIMARY");
		else
			sql_lit(text, " OR ");
		sql_lit(text, "(s.conversation_id=");
		sql_u64(text, to->group_id);
		sql_lit(text, " AND s.user_id=");
		sql_str(text, str_from(to->user));
		buf_append_char(text, ')');
		if (i % PLACES_MAX == PLACES_MAX - 1 || i + 1 == f->readers)
			sql_lit(text, ON_DUPLICATE ";");
	}
}

static void put_recalls(const struct device_feed *f, struct buf *text)
{
	for (size_t i = 0; i < f->recalls; i++) {
		uint64_t id = f->recalled[i];
		if (i % PLACES_MAX == 0)
			begin_shown(text, "by_message");
		else
			sql_lit(text, " OR ");
		sql_lit(text, "(s.conversation_id=");
		sql_u64(text, message_id_conversation(id));
		sql_lit(text, " AND s.seq=");
		sql_u64(text, message_id_seq(id));
		buf_append_char(text, ')');
		if (i % PLACES_MAX == PLACES_MAX - 1 || i + 1 == f->recalls)
			sql_lit(text, ON_DUPLICATE ";");
	}
}

/* ---- people ---- */

/* A friend request or a notification may be what was done to them: those of the last seconds are looked at. */
static void put_users(const struct device_feed *f, struct buf *text)
{
	if (f->users.len == 0)
		return;
	sql_lit(text, JOB_COLUMNS "SELECT DISTINCT d.user_id,0,0,o.at-INTERVAL 5 SECOND,");
	put_due(text);
	sql_lit(text, " FROM devices d FORCE INDEX (PRIMARY) JOIN outbox o WHERE o.stream=");
	sql_u64(text, f->stream);
	sql_lit(text, " AND o.n=");
	sql_u64(text, f->last_n - f->rows + 1);
	sql_lit(text, " AND d.user_id IN (");
	buf_append(text, f->users.data, f->users.len);
	sql_lit(text, ")" ON_DUPLICATE ";");
}

static void note_ask(struct relay *r, struct buf *text)
{
	const struct device_feed *f = &r->devices.feed;
	for (size_t i = 0; i < f->directs; i += IDS_MAX)
		put_directs(f->direct + i, ids_from(i, f->directs), text);
	for (size_t i = 0; i < f->reads; i += IDS_MAX)
		put_reads(f->read + i, ids_from(i, f->reads), text);
	put_readers(f, text);
	put_recalls(f, text);
	put_users(f, text);
	relay_put_done(text, CONSUMER_DEVICE, &(struct cursor){f->stream, f->last_n}, 1);
	sql_lit(text, ";COMMIT");
}

static void note_done(struct relay *r)
{
	const struct device_feed *f = &r->devices.feed;
	relay_note_done(r, CONSUMER_DEVICE, &(struct cursor){f->stream, f->last_n}, 1);
	r->devices.step = DEVICES_IDLE;
}

static const struct relay_job note_job = {
	.name = "noting whose devices to tell", .ask = note_ask, .done = note_done, .failed = devices_failed};

const struct relay_job *devices_feed_job(struct relay *r)
{
	switch (r->devices.step) {
	case DEVICES_READING:
		return &read_job;
	case DEVICES_PAGING:
		return &page_job;
	case DEVICES_PUTTING:
		return &put_job;
	default:
		return &note_job;
	}
}
