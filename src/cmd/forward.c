/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forward: copies of messages to other conversations, or one message that is merged from them. All that is forwarded is
 * looked at before anything is sent. Then each target gets its copies as ordinary messages, by parts of the request
 * (request_new_part()): one after the other, so that they are stored in order, and what is stored when one fails is
 * always a beginning. Targets go on side by side, but for large ones (targets_at_once()). Who hangs up ends
 * nothing: what was begun is done.
 */
#include "core/base.h"
#include "cmd/cmd.h"
#include "cmd/forward.h"

#include "cmd/content.h"
#include "cmd/group.h"
#include "core/clock.h"
#include "hub/bucket.h"
#include "live/live.h"

#include <stdlib.h>

/* An answer has all the copies. So large may one become, and all of this worker's that are under way. */
#define ANSWER_MAX ((size_t)48 * 1024 * 1024)
#define ANSWERS_MAX ((size_t)96 * 1024 * 1024)
/* Merged messages that hold more are sent to one target at a time. */
#define LARGE_PARTS ((uint64_t)256 * 1024)
/* A request waits so long for tokens of groups' fan-out. */
#define FANOUT_WAIT_MS 10000
/* No copy is begun after this time: before_send may take long over each, and a client does not wait forever. */
#define COPIES_MS 30000

/* ---- what was looked up ---- */

static const struct problem *check_source(struct request *r, const struct forwarded *f, const struct message *m,
					  int64_t now_ms)
{
	if (m->is_recalled)
		return request_invalid(r, "message_ids[%zu]: was recalled", f->at);
	if (m->type == MESSAGE_SYSTEM)
		return request_invalid(r, "message_ids[%zu]: is a system message", f->at);
	if (m->expires_ms != 0 && m->expires_ms <= now_ms)
		return request_invalid(r, "message_ids[%zu]: has expired", f->at);
	return NULL;
}

static const struct problem *check_sources(struct forward *f, const struct store_forward_looked *l)
{
	struct request *r = f->r;
	for (size_t i = 0; i < f->message_count; i++)
		if (l->source[i].message == NULL)
			return problem_of_store(STORE_NOT_FOUND);
	const struct problem *p = NULL;
	for (size_t i = 0; i < f->message_count && p == NULL; i++)
		p = check_source(r, &f->message[i], l->source[i].message, l->now_ms);
	return p;
}

static const struct problem *check_key(const struct forward *f, const struct store_forward_looked *l)
{
	for (size_t i = 0; i < l->sent_count; i++)
		if (!forward_id_is_of(&f->key, l->sent[i]))
			return problem_of_store(STORE_REUSED);
	return NULL;
}

/* Once something was sent, a repeat finds it whatever has become of the messages. Only what is missing needs them. */
static const struct problem *make_copies(struct forward *f, const struct store_forward_looked *l)
{
	const struct problem *p = check_sources(f, l) ?: forward_make_copies(f, l->source);
	if (p == NULL || l->sent_count == 0)
		return p;
	f->lost = p;
	forward_count_copies(f);
	return NULL;
}

static bool is_same(const struct forward_target *a, const struct forward_target *b)
{
	return a->to.s != NULL ? str_equal(a->to, b->to) : b->to.s == NULL && a->group == b->group;
}

/* peer: those of the direct conversations among the targets, in order. */
static void find_targets(struct forward *f, const struct forward_peer *peer)
{
	for (size_t i = 0; i < f->target_count; i++) {
		struct forward_target *t = &f->target[i];
		if (t->user.s != NULL)
			t->to = t->user;
		else if (conversation_is_group(t->conversation_id))
			t->group = t->conversation_id;
		else if (peer++->user[0] != '\0')
			t->to = arena_str(&f->r->arena, str_from(peer[-1].user));
		else
			t->problem = problem_of_store(STORE_NOT_FOUND);
		for (size_t j = 0; j < i && t->same == NULL && t->problem == NULL; j++)
			if (f->target[j].problem == NULL && is_same(t, &f->target[j]))
				t->same = f->target[j].same != NULL ? f->target[j].same : &f->target[j];
	}
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(((const struct str *)a)->s, ((const struct str *)b)->s, FORWARD_ID_LEN);
}

static bool is_sent(const struct str *sorted, size_t n, const char id[FORWARD_ID_LEN])
{
	const struct str key = {id, FORWARD_ID_LEN};
	return n != 0 && bsearch(&key, sorted, n, sizeof(key), compare_ids) != NULL;
}

/* Which copies are stored already; returns what the others cost. */
static uint64_t find_stored(struct forward *f, const struct store_forward_looked *l)
{
	struct arena *a = &f->r->arena;
	struct str *sorted = arena_alloc(a, (l->sent_count + 1) * sizeof(*sorted));
	uint64_t cost = 0;
	memcpy(sorted, l->sent, l->sent_count * sizeof(*sorted));
	qsort(sorted, l->sent_count, sizeof(*sorted), compare_ids);
	for (size_t i = 0; i < f->target_count; i++) {
		struct forward_target *t = &f->target[i];
		if (t->same != NULL || t->problem != NULL)
			continue;
		t->is_stored = arena_alloc(a, f->copy_count * sizeof(*t->is_stored));
		for (unsigned n = 0; n < f->copy_count; n++) {
			forward_id_make(t->id, &f->key, t->to, t->group, n);
			t->is_stored[n] = is_sent(sorted, l->sent_count, t->id);
			cost += t->is_stored[n] ? 0 : f->cost[n];
		}
	}
	return cost;
}

static const struct problem *check_size(struct forward *f)
{
	struct request *r = f->r;
	size_t bytes = 0;
	for (size_t i = 0; i < f->copy_count; i++)
		bytes += forward_size(&f->copy[i]);
	/* How large the stored ones are is not known; they were within the limit. */
	f->bytes = f->lost != NULL ? ANSWER_MAX : bytes * f->target_count;
	if (f->bytes > ANSWER_MAX)
		return request_problem(r, PROBLEM_PAYLOAD_TOO_LARGE, "the copies have over %zu bytes: forward fewer",
				       ANSWER_MAX);
	return r->api->forwards.bytes + f->bytes <= ANSWERS_MAX ? NULL : problem_of_store(STORE_OVERLOADED);
}

/* All of them count, those too that will fail: nobody finds out for free to whom they may send. */
static const struct problem *take_rate(struct forward *f, uint64_t cost)
{
	struct request *r = f->r;
	const struct conf *conf = r->live->conf;
	r->retry_ms = bucket_take_owing(r->live->hub, BUCKET_SENDS, r->user, cost, conf->limits.sends_per_second,
					conf->limits.burst, clock_mono_ms());
	return r->retry_ms == 0 ? NULL : send_rate_problem(r);
}

/* A writer does one after the other, and others' messages between them: of those that take long never many in a row. */
static unsigned targets_at_once(const struct forward *f)
{
	for (size_t i = 0; i < f->copy_count; i++)
		if (f->copy[i].parts.bytes > LARGE_PARTS)
			return 1;
	return FORWARD_TARGETS_MAX;
}

/* ---- the copies ---- */

static void forward_end(struct forward *f);
static void target_go_on(struct forward_target *t);

static void begin_no_more(struct forward *f)
{
	for (; f->begun < f->target_count; f->begun++)
		if (f->target[f->begun].problem == NULL)
			f->target[f->begun].problem = problem_of_store(STORE_UNAVAILABLE);
}

/* Begins as many as may be under way, and ends it after the last. */
static void go_on(struct forward *f)
{
	/* One that failed at once: it is seen below. */
	if (f->begins)
		return;
	f->begins = true;
	if (f->r->api->forwards.ended)
		begin_no_more(f);
	while (f->begun < f->target_count && f->busy < f->at_once) {
		struct forward_target *t = &f->target[f->begun++];
		if (t->same != NULL || t->problem != NULL)
			continue;
		f->busy++;
		target_go_on(t);
	}
	f->begins = false;
	if (f->busy == 0)
		forward_end(f);
}

static void target_done(struct forward_target *t)
{
	t->forward->busy--;
	go_on(t->forward);
}

static void target_heard(const struct answer *a, int64_t retry_ms, void *arg);

static void target_go_on(struct forward_target *t)
{
	struct forward *f = t->forward;
	if (t->next == f->copy_count) {
		target_done(t);
		return;
	}
	if (f->lost != NULL && !t->is_stored[t->next]) {
		t->problem = f->lost;
		target_done(t);
		return;
	}
	if (!t->is_stored[t->next] && clock_mono_ms() > f->end_ms) {
		t->problem = problem_of_store(STORE_UNAVAILABLE);
		target_done(t);
		return;
	}
	t->p = f->copy[t->next];
	t->p.to = t->to;
	t->p.conversation_id = t->group;
	if (f->has_key) {
		forward_id_make(t->id, &f->key, t->to, t->group, t->next);
		t->p.client_msg_id = (struct str){t->id, sizeof(t->id)};
	}
	send_part(request_new_part(f->r, target_heard, t), &t->p, t->is_stored[t->next]);
}

static void on_waited(struct wheel_timer *timer)
{
	struct forward_target *t = container_of(timer, struct forward_target, timer);
	TAILQ_REMOVE(&t->forward->r->api->forwards.waiting, t, entry);
	target_go_on(t);
}

/* A group's fan-out has no tokens for it now. */
static bool target_waits(struct forward_target *t, int64_t retry_ms)
{
	struct request *r = t->forward->r;
	if (r->api->forwards.ended || retry_ms <= 0 || clock_mono_ms() + retry_ms > t->forward->deadline_ms)
		return false;
	TAILQ_INSERT_TAIL(&r->api->forwards.waiting, t, entry);
	wheel_set(loop_wheel(r->live->loop), &t->timer, retry_ms, on_waited);
	return true;
}

static const struct problem *keep_problem(struct request *r, const struct answer *a)
{
	static const struct problem recalled = {PROBLEM_CONFLICT, "a message that is merged was recalled meanwhile"};
	if (a == NULL)
		return problem_of_store(STORE_UNAVAILABLE);
	if (a->problem == problem_of_store(STORE_RECALLED))
		return &recalled;
	return request_problem(r, a->problem->code, "%s", a->problem->detail);
}

static void target_heard(const struct answer *a, int64_t retry_ms, void *arg)
{
	struct forward_target *t = arg;
	if (a != NULL && a->problem == NULL) {
		buf_append_char(&t->messages, t->messages.len != 0 ? ',' : '[');
		buf_append_str(&t->messages, a->json);
		t->next++;
		target_go_on(t);
		return;
	}
	if (a != NULL && a->problem == &group_fanout_problem && target_waits(t, retry_ms))
		return;
	t->problem = keep_problem(t->forward->r, a);
	/* The others would wait as long, one after the other. */
	if (t->problem->code == PROBLEM_UNAVAILABLE)
		begin_no_more(t->forward);
	target_done(t);
}

/* ---- the answer ---- */

static void put_result(struct json_out *o, const struct forward_target *t)
{
	const struct forward_target *of = t->same != NULL ? t->same : t;
	json_object(o);
	json_key(o, "to");
	json_object(o);
	json_key(o, t->user.s != NULL ? "user_id" : "conversation_id");
	if (t->user.s != NULL)
		json_str(o, t->user);
	else
		json_id(o, t->conversation_id);
	json_object_end(o);
	if (of->problem == NULL || of->messages.len != 0) {
		json_key(o, "messages");
		json_raw(o, (struct str){of->messages.data, of->messages.len});
	}
	if (of->problem != NULL) {
		json_key(o, "error");
		json_object(o);
		json_put_cstr(o, "code", problem_code_name(of->problem->code));
		json_put_cstr(o, "detail", of->problem->detail);
		json_object_end(o);
	}
	json_object_end(o);
}

static void forward_end(struct forward *f)
{
	struct request *r = f->r;
	struct json_out *o = r->live->out;
	struct buf text = {0};
	for (size_t i = 0; i < f->target_count; i++)
		if (f->target[i].messages.len != 0)
			buf_append_char(&f->target[i].messages, ']');
	json_begin(o, &text);
	json_object(o);
	json_key(o, "results");
	json_array(o);
	for (size_t i = 0; i < f->target_count; i++)
		put_result(o, &f->target[i]);
	json_array_end(o);
	json_object_end(o);
	for (size_t i = 0; i < f->target_count; i++)
		buf_fini(&f->target[i].messages);
	r->api->forwards.bytes -= f->bytes;
	request_end(r, &(struct answer){.http_status = 200, .json = {text.data, text.len}});
	buf_fini(&text);
}

/* ---- the command ---- */

static void on_looked(const struct store_forward_looked *l, void *arg)
{
	struct forward *f = arg;
	struct request *r = f->r;
	if (l->status != STORE_OK) {
		request_fail_store(r, l->status);
		return;
	}
	const struct problem *p = check_key(f, l) ?: make_copies(f, l);
	if (p == NULL) {
		find_targets(f, l->peer);
		p = check_size(f) ?: take_rate(f, find_stored(f, l));
	}
	if (p != NULL) {
		request_fail(r, p);
		return;
	}
	r->api->forwards.bytes += f->bytes;
	f->deadline_ms = clock_mono_ms() + FANOUT_WAIT_MS;
	f->end_ms = clock_mono_ms() + COPIES_MS;
	f->at_once = targets_at_once(f);
	go_on(f);
}

void forward_proceed(struct request *r, const union command_args *a)
{
	struct forward *f = a->forward;
	uint64_t direct[FORWARD_TARGETS_MAX];
	size_t n = 0;
	for (size_t i = 0; i < f->target_count; i++)
		if (f->target[i].user.s == NULL && !conversation_is_group(f->target[i].conversation_id))
			direct[n++] = f->target[i].conversation_id;
	const struct store_forward_look look = {
		.user = request_user(r),
		.message_id = f->message_id,
		.message_count = f->message_count,
		.conversation_id = direct,
		.conversation_count = n,
		.key = f->has_key ? &f->key : NULL,
	};
	store_look_forward(r->live->store, &look, on_looked, f);
}

void forwards_init(struct api *api)
{
	TAILQ_INIT(&api->forwards.waiting);
}

void forwards_fini(struct api *api)
{
	struct forward_target *t;
	api->forwards.ended = true;
	while ((t = TAILQ_FIRST(&api->forwards.waiting)) != NULL) {
		TAILQ_REMOVE(&api->forwards.waiting, t, entry);
		wheel_cancel(&t->timer);
		t->problem = problem_of_store(STORE_UNAVAILABLE);
		target_done(t);
	}
}
