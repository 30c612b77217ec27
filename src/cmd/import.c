/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * POST /admin/import: lines of JSON become users, friendships, groups and messages. The body is taken as it comes; what
 * is held of it is a batch of lines of one kind, which the store writes in one transaction, and the beginning of the
 * line after. Meanwhile the body waits. A line that is refused is named in the answer, and hurts no other.
 *
 * What was imported into groups is marked as read at the end, once for each group, for that writes a row of each
 * member: so a group's messages are remembered as a run of seqs, and a run that others have written behind of begins
 * anew.
 *
 * A client that leaves ends it before the next batch; what is written stays. Where the database fails the whole is
 * refused, and can be repeated.
 */
#include "core/base.h"
#include "cmd/cmd.h"
#include "cmd/import.h"

#include <stdlib.h>

#include <sys/queue.h>
#include <uthash.h>

/* Of one worker at a time: each takes about twice the batch, and a mebibyte for runs. */
#define IMPORTS_MAX 2
/* Of the lines in a batch: as text of SQL at most a quarter of what settings.c asks the database to accept. */
#define BATCH_BYTES ((size_t)256 * 1024)
/* What a refused line takes of the batch, beside its bytes. */
#define REFUSED_BYTES 512
#define ERRORS_MAX 100
/* Groups whose messages wait to be marked as read. */
#define RUNS_MAX 16384

struct run {
	UT_hash_handle hh; /* of those that may go on */
	TAILQ_ENTRY(run) entry;
	uint64_t conversation_id, first_seq, last_seq;
};
TAILQ_HEAD(run_list, run);

struct line_error {
	uint64_t line;
	const char *detail;
};

struct import {
	struct request *r; /* has no HTTP request once the client is gone */
	struct buf in;	   /* what of the body is not taken yet */
	size_t at;
	uint64_t line; /* the number of the last one taken */
	bool overlong; /* the rest of that line is dropped */
	bool ended;    /* nothing more comes */
	bool busy;     /* the store calls back */
	bool paused;   /* the body waits */

	/* The batch. */
	struct request *part; /* has its texts; NULL: there is none */
	enum import_kind kind;
	size_t count, bytes;
	uint64_t *number; /* of each line */
	union {
		struct import_user *user;
		struct import_friendship *friendship;
		struct store_group_op *group;
		struct import_message *message;
		void *items;
	};

	struct run *runs;
	struct run_list full; /* that go on no more */

	uint64_t imported[IMPORT_KINDS], skipped;
	struct line_error error[ERRORS_MAX];
	uint64_t errors;
};

/* Messages are the largest that there are many of; a batch has one group. */
_Static_assert(sizeof(struct import_user) <= sizeof(struct import_message) &&
		       sizeof(struct import_friendship) <= sizeof(struct import_message) &&
		       sizeof(struct store_group_op) <= IMPORT_ITEMS_MAX * sizeof(struct import_message),
	       "there is room for each");

static void import_go_on(struct import *im);

/* ---- the end ---- */

static void drop_part(struct import *im)
{
	if (im->part != NULL)
		request_end(im->part, NULL);
	im->part = NULL;
	im->count = im->bytes = 0;
}

/* The request is what is left. */
static struct request *import_free(struct import *im)
{
	struct request *r = im->r;
	struct run *run, *next;
	drop_part(im);
	HASH_ITER (hh, im->runs, run, next) {
		HASH_DEL(im->runs, run);
		free(run);
	}
	while ((run = TAILQ_FIRST(&im->full)) != NULL) {
		TAILQ_REMOVE(&im->full, run, entry);
		free(run);
	}
	r->api->imports--;
	buf_fini(&im->in);
	free(im->number);
	free(im->items);
	free(im);
	return r;
}

static void put_errors(const struct import *im, struct json_out *o)
{
	json_array(o);
	for (size_t i = 0; i < im->errors && i < ERRORS_MAX; i++) {
		json_object(o);
		json_put_u64(o, "line", im->error[i].line);
		json_put_cstr(o, "detail", im->error[i].detail);
		json_object_end(o);
	}
	json_array_end(o);
}

static void import_finish(struct import *im)
{
	struct json_out *o = request_begin(im->r);
	json_key(o, "imported");
	json_object(o);
	for (size_t i = 0; i < IMPORT_KINDS; i++) {
		json_key(o, import_kind_name((enum import_kind)i));
		json_i64(o, (int64_t)im->imported[i]);
	}
	json_object_end(o);
	json_put_u64(o, "skipped", im->skipped);
	json_key(o, "errors");
	put_errors(im, o);
	json_key(o, "errors_omitted");
	json_i64(o, im->errors > ERRORS_MAX ? (int64_t)(im->errors - ERRORS_MAX) : 0);
	request_answer(import_free(im), 200);
}

static void import_fail(struct import *im, enum store_status status)
{
	request_fail_store(import_free(im), status);
}

/* ---- what is read at the end ---- */

static void run_is_full(struct import *im, struct run *run)
{
	HASH_DEL(im->runs, run);
	TAILQ_INSERT_TAIL(&im->full, run, entry);
}

static void all_runs_are_full(struct import *im)
{
	struct run *run, *next;
	HASH_ITER (hh, im->runs, run, next)
		run_is_full(im, run);
}

static void note_run(struct import *im, uint64_t conversation_id, uint64_t seq)
{
	struct run *run;
	HASH_FIND(hh, im->runs, &conversation_id, sizeof(conversation_id), run);
	if (run != NULL && seq >= run->first_seq && seq <= run->last_seq + 1) {
		run->last_seq = seq > run->last_seq ? seq : run->last_seq;
		return;
	}
	if (run != NULL)
		run_is_full(im, run);
	else if (HASH_COUNT(im->runs) == RUNS_MAX)
		all_runs_are_full(im);
	run = xcalloc(1, sizeof(*run));
	run->conversation_id = conversation_id;
	run->first_seq = run->last_seq = seq;
	HASH_ADD(hh, im->runs, conversation_id, sizeof(run->conversation_id), run);
}

static void on_read(enum store_status status, void *arg)
{
	struct import *im = arg;
	im->busy = false;
	if (status != STORE_OK)
		import_fail(im, status);
	else
		import_go_on(im);
}

static void read_run(struct import *im)
{
	struct run *run = TAILQ_FIRST(&im->full);
	TAILQ_REMOVE(&im->full, run, entry);
	im->busy = true;
	store_import_read(im->r->live->store, request_user(im->r), run->conversation_id, run->first_seq, run->last_seq,
			  on_read, im);
	free(run);
}

/* ---- what becomes of a line ---- */

/* Those of the first lines are kept, in order: the store tells of a line after others behind it were read. */
static void note_error(struct import *im, uint64_t line, const char *detail)
{
	size_t count = im->errors < ERRORS_MAX ? im->errors : ERRORS_MAX, at = count;
	im->errors++;
	while (at > 0 && im->error[at - 1].line > line)
		at--;
	if (at == ERRORS_MAX)
		return;
	size_t after = (count < ERRORS_MAX ? count : ERRORS_MAX - 1) - at;
	memmove(&im->error[at + 1], &im->error[at], after * sizeof(im->error[0]));
	im->error[at] = (struct line_error){line, arena_str(&im->r->arena, str_from(detail)).s};
}

static void note_result(struct import *im, size_t i, const struct import_result *result)
{
	switch (result->outcome) {
	case IMPORT_DONE:
		im->imported[im->kind]++;
		break;
	case IMPORT_SKIPPED:
		im->skipped++;
		break;
	case IMPORT_REFUSED:
		note_error(im, im->number[i], result->why);
		return;
	}
	if (im->kind == IMPORT_LINE_MESSAGE && result->conversation_id != 0)
		note_run(im, result->conversation_id, result->seq);
}

static void on_batch(enum store_status status, const struct import_result *result, void *arg)
{
	struct import *im = arg;
	im->busy = false;
	if (status != STORE_OK) {
		import_fail(im, status);
		return;
	}
	for (size_t i = 0; i < im->count; i++)
		note_result(im, i, &result[i]);
	drop_part(im);
	import_go_on(im);
}

static const char *group_fault(struct request *r, const struct store_group_done *d)
{
	switch (d->status) {
	case STORE_GROUP_DISSOLVED:
		return "client_group_id: the group was dissolved";
	case STORE_FULL:
		return "the group has as many messages as one can have";
	case STORE_FORBIDDEN:
		return "created_at: is in the future";
	case STORE_DISABLED:
		return "owner_id: was erased here";
	case STORE_GROUP_FULL:
		return "members: the group would have more than groups.max_members";
	case STORE_TOO_MANY_GROUPS:
		return request_invalid(r, "members: %s is in groups.max_per_user groups",
				       d->left_out_count != 0 ? d->left_out[0].user_id : "one")
			->detail;
	default:
		return NULL;
	}
}

static void on_group(const struct store_group_done *d, void *arg)
{
	struct import *im = arg;
	struct import_result result = {d->in_count != 0 ? IMPORT_DONE : IMPORT_SKIPPED};
	enum store_status status = d->status;
	if (status != STORE_OK)
		result.why = group_fault(im->part, d);
	if (result.why != NULL) {
		result.outcome = IMPORT_REFUSED;
		status = STORE_OK;
	}
	on_batch(status, &result, im);
}

static void submit(struct import *im)
{
	struct store *store = im->r->live->store;
	struct str asker = request_user(im->r);
	im->busy = true;
	switch (im->kind) {
	case IMPORT_LINE_USER:
		store_import_users(store, asker, im->user, im->count, on_batch, im);
		return;
	case IMPORT_LINE_FRIENDSHIP:
		store_import_friendships(store, asker, im->friendship, im->count, on_batch, im);
		return;
	case IMPORT_LINE_GROUP:
		store_change_group(store, im->group, on_group, im);
		return;
	case IMPORT_LINE_MESSAGE:
		store_import_messages(store, asker, im->message, im->count, on_batch, im);
		return;
	}
}

static bool batch_is_full(const struct import *im)
{
	return im->count == IMPORT_ITEMS_MAX || im->bytes >= BATCH_BYTES ||
	       (im->count != 0 && im->kind == IMPORT_LINE_GROUP);
}

static void add_line(struct import *im, const struct import_line *l)
{
	size_t i = im->count++;
	im->kind = l->kind;
	im->number[i] = im->line;
	switch (l->kind) {
	case IMPORT_LINE_USER:
		im->user[i] = l->user;
		return;
	case IMPORT_LINE_FRIENDSHIP:
		im->friendship[i] = l->friendship;
		return;
	case IMPORT_LINE_GROUP:
		im->group[i] = l->group;
		return;
	case IMPORT_LINE_MESSAGE:
		im->message[i] = l->message;
		return;
	}
}

static bool is_blank(struct str line)
{
	while (line.len != 0 && strchr(" \t\r", line.s[line.len - 1]) != NULL)
		line.len--;
	return line.len == 0;
}

/* False: it is of another kind than the batch, which has to be written first. */
static bool take(struct import *im, struct str line)
{
	struct import_line l;
	if (im->part == NULL)
		im->part = request_new_part(im->r, NULL, NULL);
	const struct problem *p = import_line_read(im->part, line, &l);
	if (p == NULL && im->count != 0 && l.kind != im->kind)
		return false;
	im->line++;
	im->bytes += line.len;
	if (p == NULL) {
		add_line(im, &l);
	} else {
		note_error(im, im->line, p->detail);
		im->bytes += REFUSED_BYTES;
	}
	return true;
}

/* ---- the body ---- */

static size_t line_max(const struct import *im)
{
	return (size_t)im->r->live->conf->http.max_body;
}

/* The next line is `len` bytes and its line feed; false: it is not whole yet. */
static bool find_line(const struct import *im, size_t *len_r)
{
	size_t left = im->in.len - im->at;
	*len_r = left;
	if (left == 0)
		return false;
	const char *start = im->in.data + im->at, *end = memchr(start, '\n', left);
	if (end != NULL)
		*len_r = (size_t)(end - start);
	return end != NULL || im->ended;
}

/* False: there is no line to be taken now. */
static bool next_line(struct import *im)
{
	size_t len;
	bool whole = find_line(im, &len), passes = true;
	if (len > line_max(im) && !im->overlong) {
		im->overlong = true;
		note_error(im, ++im->line, "the line is over http.max_body bytes");
	}
	if (im->overlong)
		im->overlong = !whole;
	else if (!whole)
		return false;
	else if (is_blank((struct str){im->in.data + im->at, len}))
		im->line++;
	else
		passes = take(im, (struct str){im->in.data + im->at, len});
	if (!passes)
		submit(im);
	else
		im->at += im->at + len < im->in.len ? len + 1 : len;
	return whole;
}

static void wait_for_body(struct import *im)
{
	if (im->at != 0)
		buf_consume(&im->in, im->at);
	im->at = 0;
	if (im->paused && im->r->http != NULL) {
		im->paused = false;
		http_body_resume(im->r->http);
	}
}

static void import_go_on(struct import *im)
{
	while (!im->busy) {
		if (!TAILQ_EMPTY(&im->full)) {
			read_run(im);
		} else if (batch_is_full(im)) {
			if (im->count != 0)
				submit(im);
			else
				drop_part(im);
		} else if (next_line(im)) {
			continue;
		} else if (!im->ended) {
			wait_for_body(im);
			return;
		} else if (im->count != 0) {
			submit(im);
		} else if (im->runs != NULL) {
			all_runs_are_full(im);
		} else {
			import_finish(im);
			return;
		}
	}
	if (!im->paused && !im->ended) {
		im->paused = true;
		http_body_pause(im->r->http);
	}
}

static void import_part(struct request *r, struct str part)
{
	struct import *im = r->sink_arg;
	buf_append_str(&im->in, part);
	import_go_on(im);
}

static void import_end(struct request *r)
{
	struct import *im = r->sink_arg;
	im->ended = true;
	import_go_on(im);
}

/* What is written is marked as read; of what is not, nothing is. */
static void import_aborted(struct request *r)
{
	struct import *im = r->sink_arg;
	im->ended = true;
	im->at = im->in.len;
	if (im->busy)
		return;
	drop_part(im);
	import_go_on(im);
}

void import_proceed(struct request *r, const union command_args *a)
{
	static const struct body_sink sink = {import_part, import_end, import_aborted};
	(void)a;
	if (r->api->imports == IMPORTS_MAX) {
		request_fail(r,
			     request_problem(r, PROBLEM_OVERLOADED, "this worker has %d imports to do", IMPORTS_MAX));
		return;
	}
	r->api->imports++;
	struct import *im = xcalloc(1, sizeof(*im));
	im->r = r;
	im->number = xcalloc(IMPORT_ITEMS_MAX, sizeof(*im->number));
	im->items = xcalloc(IMPORT_ITEMS_MAX, sizeof(*im->message));
	TAILQ_INIT(&im->full);
	r->sink = &sink;
	r->sink_arg = im;
	im->paused = true;
	wait_for_body(im);
}
