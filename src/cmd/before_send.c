/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "cmd/before_send.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <uthash.h>

#include "core/clock.h"
#include "core/hook_answer.h"
#include "core/hook_sign.h"
#include "core/log.h"
#include "hub/stats.h"
#include "live/session.h"
#include "net/fetch.h"

/* Questions under way, and connections for them. */
#define UNDER_WAY_MAX 256
#define CONNECTIONS_MAX 64
/* Questions of one user under way. The user's others wait, so that one user cannot take all places. */
#define OF_USER_MAX 32
/* After this many failures in a row the server is asked once in this time, until it answers. */
#define FAILURES_MAX 5
#define ASK_AGAIN_MS 1000
/* Of an answer, beside the content that it may have. */
#define ANSWER_MORE 4096

/* Those of a session, in the order in which they were sent. */
struct line {
	struct session *session; /* the key; it lasts as long as its requests */
	TAILQ_HEAD(, question) questions;
	bool goes_on; /* line_go_on() is running */
	UT_hash_handle hh;
};

/* A user about whose messages it is asked. */
struct asker {
	char user[USER_ID_MAX + 1];
	unsigned asked;
	TAILQ_HEAD(, question) waiting;
	UT_hash_handle hh;
};

struct question {
	struct before_send *of;
	struct request *r;
	struct line *line; /* NULL: it is in no order */
	enum { QUESTION_ENTERED, QUESTION_WAITING, QUESTION_ASKED, QUESTION_DECIDED } state;
	struct str text;	 /* QUESTION_WAITING: what is to be asked */
	struct fetch_call *call; /* QUESTION_ASKED */
	int64_t asked_usecs;
	enum message_type type;
	const struct problem *refusal; /* QUESTION_DECIDED */
	struct str content;
	before_send_fn *done;
	void *arg;
	TAILQ_ENTRY(question) entry; /* of all */
	TAILQ_ENTRY(question) in_line;
	TAILQ_ENTRY(question) of_user; /* QUESTION_WAITING */
};

struct before_send {
	struct api *api;
	const struct conf *conf;
	struct fetch *fetch; /* NULL: it could not be made, so nobody can be asked */
	TAILQ_HEAD(, question) all;
	struct line *lines;
	struct asker *askers;
	unsigned under_way;
	unsigned failures; /* in a row */
	int64_t ask_again_ms;
	bool ended;
};

static const struct problem unavailable = {
	PROBLEM_UNAVAILABLE,
	"who decides about messages does not answer; try again, a send with the same client_msg_id"};

/* ---- its order ---- */

static struct line *line_of(struct before_send *b, struct session *s)
{
	struct line *l;
	HASH_FIND(hh, b->lines, &s, sizeof(s), l);
	if (l == NULL) {
		l = xcalloc(1, sizeof(*l));
		l->session = s;
		TAILQ_INIT(&l->questions);
		HASH_ADD(hh, b->lines, session, sizeof(l->session), l);
	}
	return l;
}

/* The request may be gone afterwards, and the session. */
static void question_end(struct question *q)
{
	TAILQ_REMOVE(&q->of->all, q, entry);
	q->done(q->refusal, q->content, q->arg);
}

/* One that ends may let its session send the next one: that waits its turn here. */
static void line_go_on(struct before_send *b, struct line *l)
{
	struct question *q;
	if (l->goes_on)
		return;
	l->goes_on = true;
	while ((q = TAILQ_FIRST(&l->questions)) != NULL && q->state == QUESTION_DECIDED) {
		TAILQ_REMOVE(&l->questions, q, in_line);
		question_end(q);
	}
	l->goes_on = false;
	if (q != NULL)
		return;
	HASH_DEL(b->lines, l);
	free(l);
}

static void question_decided(struct question *q)
{
	q->state = QUESTION_DECIDED;
	if (q->line != NULL)
		line_go_on(q->of, q->line);
	else
		question_end(q);
}

struct question *before_send_enter(struct request *r, before_send_fn *done, void *arg)
{
	struct before_send *b = r->api->before_send;
	struct question *q = arena_alloc(&r->arena, sizeof(*q));
	*q = (struct question){.of = b, .r = r, .state = QUESTION_ENTERED, .done = done, .arg = arg};
	TAILQ_INSERT_TAIL(&b->all, q, entry);
	if (r->session != NULL) {
		q->line = line_of(b, r->session);
		TAILQ_INSERT_TAIL(&q->line->questions, q, in_line);
	}
	return q;
}

void before_send_decide(struct question *q, const struct problem *refusal)
{
	q->refusal = q->of->ended && refusal == NULL ? &unavailable : refusal;
	question_decided(q);
}

/* ---- who is not asked, or does not answer ---- */

static void fall_back(struct question *q)
{
	bool allows = q->of->conf->relay.before_send.on_failure == ON_FAILURE_ALLOW;
	before_send_decide(q, allows ? NULL : &unavailable);
}

/* The server itself has failed. An answer that does not fit one message is no such failure. */
static void note_down(struct before_send *b, const char *why)
{
	if (++b->failures == FAILURES_MAX)
		log_warn("before_send: fails again and again, and is asked once a second: %s", why);
	if (b->failures >= FAILURES_MAX)
		b->ask_again_ms = clock_mono_ms() + ASK_AGAIN_MS;
}

static void note_well(struct before_send *b)
{
	if (b->failures >= FAILURES_MAX)
		log_info("before_send: answers again");
	b->failures = 0;
}

static bool may_ask(struct before_send *b)
{
	if (b->fetch == NULL || b->under_way >= UNDER_WAY_MAX)
		return false;
	if (b->failures < FAILURES_MAX)
		return true;
	int64_t now_ms = clock_mono_ms();
	if (now_ms < b->ask_again_ms)
		return false;
	b->ask_again_ms = now_ms + ASK_AGAIN_MS;
	return true;
}

/* ---- an answer ---- */

/* As a client's would be looked at (cmd/content.h). */
static const char *content_fault(const struct question *q, const struct hook_answer *a)
{
	const struct conf *conf = q->of->conf;
	if (q->type == MESSAGE_FORWARD)
		return "content: a merged message has none";
	if (q->type == MESSAGE_TEXT && a->content.len == 0)
		return "content: a text needs one that is not empty";
	if (a->content.len > (size_t)conf->message.max_content || a->content_json > (size_t)conf_content_json_max(conf))
		return "content: is too long";
	return NULL;
}

static const char *take_answer(struct question *q, struct str body)
{
	struct hook_answer a;
	const char *fault = hook_answer_parse(q->r->api->doc, body, &a);
	if (fault == NULL && a.action == HOOK_REPLACE)
		fault = content_fault(q, &a);
	if (fault != NULL)
		return fault;
	if (a.action == HOOK_REFUSE) {
		stat_add(STAT_BEFORE_SEND_REFUSED, 1);
		q->refusal = request_problem(q->r, PROBLEM_REFUSED, "%s",
					     a.detail[0] != '\0' ? a.detail : "this message is not taken here");
	} else if (a.action == HOOK_REPLACE) {
		stat_add(STAT_BEFORE_SEND_REPLACED, 1);
		q->content = arena_str(&q->r->arena, a.content);
	}
	return NULL;
}

static struct asker *asker_find(const struct before_send *b, struct str user)
{
	struct asker *a;
	HASH_FIND(hh, b->askers, user.s, user.len, a);
	return a;
}

static struct asker *asker_of(struct before_send *b, struct str user)
{
	struct asker *a = asker_find(b, user);
	if (a != NULL)
		return a;
	a = xcalloc(1, sizeof(*a));
	memcpy(a->user, user.s, user.len);
	TAILQ_INIT(&a->waiting);
	HASH_ADD(hh, b->askers, user, user.len, a);
	return a;
}

static void question_start(struct question *q, struct str text);

/* The next of the user's. A question that ends at once may bring another one of the user's, or end the last. */
static void user_goes_on(struct before_send *b, const char *user)
{
	struct asker *a;
	while ((a = asker_find(b, str_from(user))) != NULL && a->asked < OF_USER_MAX) {
		struct question *next = TAILQ_FIRST(&a->waiting);
		if (next == NULL) {
			if (a->asked != 0)
				return;
			HASH_DEL(b->askers, a);
			free(a);
			return;
		}
		TAILQ_REMOVE(&a->waiting, next, of_user);
		question_start(next, next->text);
	}
}

/* What is wrong with an answer; NULL: it is taken. */
static const char *judge(struct question *q, const struct fetch_answer *a, char status[64])
{
	if (a->error != NULL)
		return a->error;
	snprintf(status, 64, "status %u", a->status);
	return a->status / 100 == 2 ? take_answer(q, a->body) : status;
}

static void on_answer(const struct fetch_answer *a, void *ctx)
{
	struct question *q = ctx;
	struct before_send *b = q->of;
	char status[64], user[USER_ID_MAX + 1];
	const char *fault = judge(q, a, status);
	struct str of = request_user(q->r);
	memcpy(user, of.s, of.len);
	user[of.len] = '\0';
	asker_find(b, of)->asked--;
	q->call = NULL;
	b->under_way--;
	stat_observe(STAT_HIST_BEFORE_SEND, (uint64_t)(clock_usecs() - q->asked_usecs));
	/* A question that found no connection in time says nothing about the server. */
	if (a->status == 0 || a->status / 100 == 5) {
		if (!a->unsent)
			note_down(b, fault);
	} else {
		note_well(b);
	}
	if (fault != NULL) {
		stat_add(STAT_BEFORE_SEND_FAILED, 1);
		log_warn_gated("before_send: %s", fault);
		fall_back(q);
	} else {
		question_decided(q);
	}
	user_goes_on(b, user);
}

/* ---- a question ---- */

static void put_question(struct question *q, const struct message *m, struct buf *out)
{
	struct json_out *o = q->r->live->out;
	buf_clear(out);
	json_begin(o, out);
	json_object(o);
	json_key(o, "message");
	render_asked_message(o, m);
	if (m->created_ms != 0)
		json_put_bool(o, "edit", true);
	json_object_end(o);
}

static struct fetch_call *call_start(struct question *q, struct str body)
{
	const struct conf *conf = q->of->conf;
	char signature[HOOK_SIGNATURE_MAX], header[sizeof("Tidings-Signature: ") + HOOK_SIGNATURE_MAX];
	hook_sign((struct str){conf->relay.before_send.secret, conf->relay.before_send.secret_len},
		  clock_wall_ms() / 1000, body, signature);
	snprintf(header, sizeof(header), "Tidings-Signature: %s", signature);
	const char *const headers[] = {"Content-Type: application/json", header};
	const struct fetch_request f = {.method = FETCH_POST,
					.url = conf->relay.before_send.url,
					.headers = headers,
					.header_count = ARRAY_LEN(headers),
					.body = body,
					.timeout_ms = (unsigned)conf->relay.before_send.timeout_ms,
					.answer_max = (size_t)conf_content_json_max(conf) + ANSWER_MORE,
					.done = on_answer,
					.ctx = q};
	return fetch_start(q->of->fetch, &f);
}

static void question_start(struct question *q, struct str text)
{
	struct before_send *b = q->of;
	q->asked_usecs = clock_usecs();
	q->call = may_ask(b) ? call_start(q, text) : NULL;
	if (q->call == NULL) {
		stat_add(STAT_BEFORE_SEND_UNASKED, 1);
		fall_back(q);
		return;
	}
	q->state = QUESTION_ASKED;
	b->under_way++;
	asker_of(b, request_user(q->r))->asked++;
	stat_add(STAT_BEFORE_SEND_ASKED, 1);
}

void before_send_ask(struct question *q, const struct message *m)
{
	struct before_send *b = q->of;
	if (b->ended) {
		before_send_decide(q, &unavailable);
		return;
	}
	struct buf *scratch = &q->r->live->scratch;
	struct asker *a = asker_find(b, request_user(q->r));
	q->type = m->type;
	put_question(q, m, scratch);
	struct str text = {scratch->data, scratch->len};
	if (a == NULL || a->asked < OF_USER_MAX) {
		question_start(q, text);
		return;
	}
	q->state = QUESTION_WAITING;
	q->text = arena_str(&q->r->arena, text);
	TAILQ_INSERT_TAIL(&a->waiting, q, of_user);
}

/* ---- its life ---- */

struct before_send *before_send_new(struct api *api)
{
	const struct conf *conf = api->live->conf;
	const struct fetch_options options = {.ca_file = conf->relay.ca_file,
					      .allow_private = conf->relay.allow_private,
					      .parallel = CONNECTIONS_MAX,
					      .parallel_host = CONNECTIONS_MAX,
					      .waiting = UNDER_WAY_MAX};
	char *why = NULL;
	if (conf->relay.before_send.url[0] == '\0')
		return NULL;
	struct before_send *b = xcalloc(1, sizeof(*b));
	b->api = api;
	b->conf = conf;
	TAILQ_INIT(&b->all);
	b->fetch = fetch_new(api->live->loop, &options, &why);
	if (b->fetch == NULL)
		log_error("before_send cannot be asked: %s", why);
	free(why);
	return b;
}

static struct question *decided_in_no_order(struct before_send *b)
{
	struct question *q;
	TAILQ_FOREACH (q, &b->all, entry)
		if (q->line == NULL && q->state == QUESTION_DECIDED)
			return q;
	return NULL;
}

/*
 * Whom the store is asked about first, and who waits for one of them, end with the store's answer: nothing is stored
 * any more, so what was decided already is refused, too.
 */
void before_send_stop(struct before_send *b)
{
	struct question *q;
	if (b == NULL)
		return;
	b->ended = true;
	TAILQ_FOREACH (q, &b->all, entry) {
		if (q->state == QUESTION_ENTERED)
			continue;
		fetch_cancel(&q->call);
		q->refusal = q->refusal ?: &unavailable;
		q->state = QUESTION_DECIDED;
	}
	b->under_way = 0;
	while ((q = decided_in_no_order(b)) != NULL)
		question_end(q);
	struct line *l, *following;
	HASH_ITER (hh, b->lines, l, following)
		line_go_on(b, l);
}

void before_send_free(struct before_send **bp)
{
	struct before_send *b = *bp;
	struct asker *a, *next;
	if (b == NULL)
		return;
	ASSERT(TAILQ_EMPTY(&b->all));
	HASH_ITER (hh, b->askers, a, next) {
		HASH_DEL(b->askers, a);
		free(a);
	}
	fetch_free(&b->fetch);
	free(b);
	*bp = NULL;
}

bool before_send_is_idle(const struct before_send *b)
{
	return b == NULL || TAILQ_EMPTY(&b->all);
}
