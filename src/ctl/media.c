/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * media show, gc: past the server, on the configured database. Nothing is deleted here: gc only says, or changes, when
 * the relay looks at a file.
 */
#include "core/base.h"
#include "ctl/media.h"

#include "core/clock.h"
#include "core/media_ref.h"
#include "media/files.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

static const char usage[] = "media show ID | check | gc [--now]";

static const char *state_name(enum media_state state)
{
	static const char *const names[] = {"uploading", "ready", "deleting"};
	return names[state];
}

/* ---- show ---- */

struct show {
	struct question ask;
	const char *id;
	bool json;
	const char *path;  /* NULL: there is no media.directory here */
	int64_t file_size; /* -1: it is not there */
	uint64_t message[MEDIA_PAGE];
	size_t messages, shown;
};

/* The file, or what has come of it. */
static void look_at_file(struct show *s, enum media_state state, char path[PATH_MAX])
{
	struct stat st;
	const char *directory = s->ask.ctl->conf->media.directory;
	s->file_size = -1;
	if (directory[0] == '\0' ||
	    !files_path(path, directory, s->id, state == MEDIA_UPLOADING ? FILES_PART : FILES_FINAL))
		return;
	s->path = path;
	if (stat(path, &st) == 0)
		s->file_size = st.st_size;
}

static void put_time(struct json_out *o, const char *key, int64_t ms, bool known)
{
	json_key(o, key);
	if (known)
		json_time(o, ms);
	else
		json_null(o);
}

static void put_number(struct json_out *o, const char *key, int64_t n, bool known)
{
	json_key(o, key);
	if (known)
		json_i64(o, n);
	else
		json_null(o);
}

static void put_text(struct json_out *o, const char *key, struct str s)
{
	json_key(o, key);
	json_str(o, s);
}

static void put_row_json(struct show *s, const struct media_row *r)
{
	struct json_out *o = s->ask.out;
	const struct media *m = &r->media;
	json_object(o);
	put_text(o, "id", str_from(m->id));
	put_text(o, "owner_id", str_from(m->owner));
	put_text(o, "state", str_from(state_name(m->state)));
	put_number(o, "size", (int64_t)m->size, true);
	put_text(o, "content_type", m->content_type);
	put_text(o, "name", m->name);
	put_number(o, "width", m->width, m->width != 0);
	put_number(o, "height", m->height, m->height != 0);
	put_number(o, "duration_ms", m->duration_ms, m->duration_ms >= 0);
	json_put_bool(o, "thumbnail", m->has_thumbnail);
	put_time(o, "created_at", m->created_ms, true);
	put_time(o, "due_at", r->due_ms, r->is_idle);
	put_text(o, "path", s->path != NULL ? str_from(s->path) : STR_NULL);
	put_number(o, "file_size", s->file_size, s->file_size >= 0);
	json_key(o, "messages");
	json_array(o);
}

static void print_row(const struct show *s, const struct media_row *r)
{
	const struct media *m = &r->media;
	char time[CLOCK_RFC3339_LEN + 1];
	clock_format_rfc3339(time, m->created_ms);
	printf("%-10s %s\n", "id", m->id);
	printf("%-10s %s\n", "owner", m->owner);
	printf("%-10s %s\n", "state", state_name(m->state));
	printf("%-10s %" PRIu64 "\n", "size", m->size);
	printf("%-10s %.*s\n", "type", (int)m->content_type.len, m->content_type.s);
	printf("%-10s %.*s\n", "name", (int)m->name.len, m->name.s);
	if (m->width != 0)
		printf("%-10s %" PRIu32 " x %" PRIu32 "\n", "pixels", m->width, m->height);
	if (m->duration_ms >= 0)
		printf("%-10s %" PRId64 ".%03d s\n", "duration", m->duration_ms / 1000, (int)(m->duration_ms % 1000));
	printf("%-10s %s\n", "thumbnail", m->has_thumbnail ? "yes" : "no");
	printf("%-10s %s\n", "created", time);
	if (r->is_idle) {
		clock_format_rfc3339(time, r->due_ms);
		printf("%-10s %s, if no message shows it\n", "deleted", time);
	}
	if (s->path != NULL && s->file_size >= 0)
		printf("%-10s %s, %" PRId64 " bytes\n", "file", s->path, s->file_size);
	else if (s->path != NULL)
		printf("%-10s %s, which is not there\n", "file", s->path);
}

static void on_row(enum store_status status, const struct media_row *r, void *arg)
{
	struct show *s = arg;
	char path[PATH_MAX];
	if (status == STORE_OK) {
		look_at_file(s, r->media.state, path);
		if (s->json)
			put_row_json(s, r);
		else
			print_row(s, r);
		s->path = NULL;
	}
	question_answered(&s->ask, status);
}

static void on_uses(enum store_status status, const uint64_t *message_id, size_t count, void *arg)
{
	struct show *s = arg;
	memcpy(s->message, message_id, count * sizeof(*message_id));
	s->messages = count;
	question_answered(&s->ask, status);
}

static void show_message(struct show *s, uint64_t id)
{
	struct json_out *o = s->ask.out;
	if (!s->json) {
		printf("%-10s %" PRIu64 " of conversation %" PRIu64 "\n", s->shown++ == 0 ? "messages" : "", id,
		       message_id_conversation(id));
		return;
	}
	json_object(o);
	json_put_id(o, "id", id);
	json_put_id(o, "conversation_id", message_id_conversation(id));
	json_object_end(o);
}

static int show_messages(struct show *s)
{
	uint64_t after = 0;
	do {
		store_list_media_uses(s->ask.store, str_from(s->id), after, MEDIA_PAGE, on_uses, s);
		if (question_wait(&s->ask) != 0)
			return 1;
		for (size_t i = 0; i < s->messages; i++)
			show_message(s, after = s->message[i]);
		question_flush(&s->ask);
	} while (s->messages == MEDIA_PAGE);
	if (!s->json && s->shown == 0)
		printf("%-10s none\n", "messages");
	return 0;
}

static int show(const struct ctl *ctl, const char *id)
{
	struct show s = {.id = id, .json = ctl->json};
	question_begin(&s.ask, ctl);
	store_find_media_row(s.ask.store, str_from(id), on_row, &s);
	int status = question_wait(&s.ask);
	if (status == 0 && s.ask.status == STORE_NOT_FOUND)
		status = ctl_fail("there is no file %s", id);
	else if (status == 0)
		status = show_messages(&s);
	if (status == 0 && s.json) {
		json_array_end(s.ask.out);
		json_object_end(s.ask.out);
		question_print(&s.ask);
	}
	question_end(&s.ask);
	return status;
}

/* ---- gc ---- */

struct sum {
	uint64_t files, bytes;
};

struct gc {
	struct question ask;
	bool now;
	struct media_idle item[MEDIA_PAGE];
	size_t count;
	struct sum due, later, used;
};

static void on_idle(enum store_status status, const struct media_idle *item, size_t count, void *arg)
{
	struct gc *g = arg;
	memcpy(g->item, item, count * sizeof(*item));
	g->count = count;
	question_answered(&g->ask, status);
}

static void on_hastened(enum store_status status, void *arg)
{
	struct gc *g = arg;
	question_answered(&g->ask, status);
}

static void show_due(struct gc *g, const struct media_idle *i)
{
	struct json_out *o = g->ask.out;
	char time[CLOCK_RFC3339_LEN + 1];
	if (!g->ask.ctl->json) {
		clock_format_rfc3339(time, i->due_ms);
		printf("%s  %s  %-9s %" PRIu64 "\n", i->id, time, state_name(i->state), i->size);
		return;
	}
	json_object(o);
	put_text(o, "id", str_from(i->id));
	put_time(o, "due_at", i->due_ms, true);
	put_text(o, "state", str_from(state_name(i->state)));
	put_number(o, "size", (int64_t)i->size, true);
	json_object_end(o);
}

/* Those of the page that no message shows and that are not due yet. */
static int hasten_page(struct gc *g)
{
	struct str id[MEDIA_PAGE];
	size_t ids = 0;
	for (size_t i = 0; i < g->count; i++)
		if (!g->item[i].is_due && !g->item[i].is_used)
			id[ids++] = str_from(g->item[i].id);
	if (ids == 0)
		return 0;
	store_hasten_media(g->ask.store, id, ids, on_hastened, g);
	return question_wait(&g->ask);
}

static void count_page(struct gc *g)
{
	for (size_t i = 0; i < g->count; i++) {
		const struct media_idle *m = &g->item[i];
		bool due = !m->is_used && (m->is_due || g->now);
		struct sum *sum = m->is_used ? &g->used : due ? &g->due : &g->later;
		sum->files++;
		sum->bytes += m->size;
		if (due)
			show_due(g, m);
	}
	question_flush(&g->ask);
}

static void put_sum(struct json_out *o, const char *key, struct sum sum)
{
	json_key(o, key);
	json_object(o);
	put_number(o, "files", (int64_t)sum.files, true);
	put_number(o, "bytes", (int64_t)sum.bytes, true);
	json_object_end(o);
}

static void show_sums(struct gc *g)
{
	struct json_out *o = g->ask.out;
	if (!g->ask.ctl->json) {
		printf("%" PRIu64 " files, %" PRIu64 " bytes, are due: a relay deletes them within seconds\n",
		       g->due.files, g->due.bytes);
		printf("%" PRIu64 " files, %" PRIu64 " bytes, are looked at later: no message shows them yet\n",
		       g->later.files, g->later.bytes);
		return;
	}
	json_array_end(o);
	put_sum(o, "due", g->due);
	put_sum(o, "later", g->later);
	json_object_end(o);
	question_print(&g->ask);
}

static int walk_idle(struct gc *g)
{
	struct media_idle last;
	bool begun = false;
	do {
		store_list_media_idle(g->ask.store, begun ? &last : NULL, MEDIA_PAGE, on_idle, g);
		if (question_wait(&g->ask) != 0 || (g->now && hasten_page(g) != 0))
			return 1;
		count_page(g);
		if (g->count != 0)
			last = g->item[g->count - 1];
		begun = true;
	} while (g->count == MEDIA_PAGE);
	return 0;
}

static int gc(const struct ctl *ctl, bool now)
{
	struct gc g = {.now = now};
	question_begin(&g.ask, ctl);
	json_object(g.ask.out);
	json_key(g.ask.out, "files");
	json_array(g.ask.out);
	int status = walk_idle(&g);
	if (status == 0)
		show_sums(&g);
	question_end(&g.ask);
	return status;
}

static int check(const struct ctl *ctl)
{
	struct question q;
	if (ctl->conf->media.directory[0] == '\0')
		return ctl_fail("there are no files here: media.directory is empty");
	question_begin(&q, ctl);
	int status = media_check(&q);
	question_end(&q);
	return status;
}

int ctl_media(const struct ctl *ctl)
{
	const char *what = ctl->argc > 0 ? ctl->argv[0] : "";
	bool now = ctl->argc == 2 && strcmp(ctl->argv[1], "--now") == 0;
	if (strcmp(what, "check") == 0 && ctl->argc == 1)
		return check(ctl);
	if (strcmp(what, "gc") == 0 && ctl->argc == 1 + now)
		return gc(ctl, now);
	if (strcmp(what, "show") != 0 || ctl->argc != 2)
		return ctl_usage(usage);
	if (!media_id_valid(str_from(ctl->argv[1])))
		return ctl_misuse("'%s' is no file's id: 32 digits of hexadecimal in lower case", ctl->argv[1]);
	return show(ctl, ctl->argv[1]);
}
