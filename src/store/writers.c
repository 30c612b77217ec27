/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides what each writer is given and when, and what is answered where none answers. The bytes are writers_io.c's.
 */
#include "core/base.h"
#include "store/writers.h"

#include <event2/event.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "store/route.h"
#include "store/writers_priv.h"

/* All that wait or are under way. */
#define PENDING_MAX 8192
#define PENDING_BYTES_MAX ((size_t)32 * 1024 * 1024)
/* Operations that were answered as uncertain. */
#define UNCERTAIN_MAX 4096
/* Writers in a row that ended while they had an operation; then it may be the cause, and is given up. */
#define ENDED_MAX 5
/* How long an operation waits for a writer, and for one that has it and says nothing at all (SERVE_BEAT_MS). */
#define WAIT_MS 3000
#define SILENCE_MS 3000
/* A writer that died is replaced at once; one that has been missing for so long is not waited for. */
#define MISSING_MS 3000
#define TICK_MS 100

static struct str number_of(const void *item)
{
	const struct handed *h = item;
	return (struct str){(const char *)&h->number, sizeof(h->number)};
}

static void start_tick(struct writers *w)
{
	const struct timeval after = {.tv_usec = TICK_MS * 1000};
	if (!evtimer_pending(w->tick, NULL))
		evtimer_add(w->tick, &after);
}

static void kick(struct writers *w)
{
	event_active(w->kick, 0, 0);
}

/* ---- answers ---- */

/* What the answer says of the conversation of two users. */
static uint64_t conversation_in(enum wire_kind kind, const union wire_result *r)
{
	if (kind == WIRE_SEND)
		return r->sent.message != NULL ? message_id_conversation(r->sent.message->id) : 0;
	return kind == WIRE_CREATE ? r->created.conversation_id : 0;
}

static enum store_status status_of(enum wire_kind kind, const union wire_result *r)
{
	switch (kind) {
	case WIRE_SEND:
		return r->sent.status;
	case WIRE_READ:
		return r->read.r.status;
	case WIRE_CREATE:
		return r->created.status;
	case WIRE_ACT:
	case WIRE_STATE:
	case WIRE_TOLD:
		break;
	}
	return r->change.status;
}

/* Forgets it; then it is answered, and may be followed by another. */
static void answer_last(struct writers *w, struct handed *h, const union wire_result *r)
{
	w->count--;
	w->bytes -= h->len;
	w->told -= h->told;
	route_release(w->routes, &h->pair, conversation_in(h->kind, r));
	h->fn(r, h->arg);
	free(h);
}

/* A user id that is in the arguments, where there is one. */
static void copy_user(char *to, struct str from)
{
	size_t n = from.len <= USER_ID_MAX ? from.len : 0;
	if (n != 0)
		memcpy(to, from.s, n);
	to[n] = '\0';
}

/* The answer that no writer gives. Of an operation whose end is unknown it names those who have to be told. */
static void make_result(const struct handed *h, enum store_status status, union wire_result *r, struct message *m)
{
	union wire_args args;
	struct wire_room room;
	memset(r, 0, sizeof(*r));
	memset(m, 0, sizeof(*m));
	if (wire_take_args(h->kind, (struct str){h->body, h->len}, &args, &room) != 0)
		log_panic(__FILE__, __LINE__, "our own bytes are malformed");
	switch (h->kind) {
	case WIRE_SEND:
		copy_user(m->from, args.send.from);
		copy_user(m->to, args.send.to);
		if (args.send.to.s == NULL)
			m->id = message_id_make(args.send.conversation_id, 0);
		r->sent = (struct store_sent){
			.status = status, .message = status == STORE_UNKNOWN ? m : NULL, .gap_ms = INT64_MAX};
		return;
	case WIRE_ACT:
		m->id = args.act.id;
		copy_user(m->from, args.act.user);
		r->change = (struct store_change){.status = status, .message = status == STORE_UNKNOWN ? m : NULL};
		copy_user(r->change.by, args.act.user);
		return;
	case WIRE_READ:
		r->read.r = (struct store_read){.status = status, .conversation_id = args.read.conversation_id};
		return;
	case WIRE_CREATE:
	case WIRE_STATE:
	case WIRE_TOLD:
		r->created = (struct lane_created){.status = status};
		return;
	}
}

static void answer_with(struct writers *w, struct handed *h, enum store_status status)
{
	union wire_result r;
	struct message m;
	make_result(h, status, &r, &m);
	answer_last(w, h, &r);
}

/* It is in no list any more. */
static void give_up(struct writers *w, struct handed *h)
{
	answer_with(w, h, h->uncertain && wire_tells(h->kind) ? STORE_UNKNOWN : STORE_UNAVAILABLE);
}

static void tell_uncertain(struct writers *w, struct handed *h)
{
	union wire_result r;
	struct message m;
	h->told = true;
	w->told++;
	make_result(h, STORE_UNCERTAIN, &r, &m);
	h->fn(&r, h->arg);
}

void writers_answered(struct writers *w, struct writer *at, uint64_t number, enum wire_kind kind,
		      const union wire_result *r)
{
	struct handed *h = table_find(&w->under_way, (struct str){(const char *)&number, sizeof(number)});
	if (h == NULL || h->kind != kind || h->writer != at) {
		/* It was given up. Others may have to be told of what was refused, too: of the first steps of a read.
		 */
		at->unsure = true;
		return;
	}
	if (status_of(kind, r) == STORE_UNCERTAIN) {
		at->open -= !h->told;
		if (!h->told)
			tell_uncertain(w, h);
		return;
	}
	table_remove(&w->under_way, h);
	TAILQ_REMOVE(&at->given, h, entry);
	at->open -= !h->told;
	answer_last(w, h, r);
	if (!TAILQ_EMPTY(&at->waiting))
		kick(w);
}

/* ---- time ---- */

/* Too long with a writer, or waiting for one after another had it. */
static void be_uncertain(struct writers *w, struct writer *at, struct handed *h, struct handed_queue *from)
{
	h->uncertain = true;
	if (wire_tells(h->kind) && w->told < UNCERTAIN_MAX) {
		at->open -= from == &at->given;
		tell_uncertain(w, h);
		return;
	}
	TAILQ_REMOVE(from, h, entry);
	if (from == &at->given) {
		at->open--;
		table_remove(&w->under_way, h);
	}
	give_up(w, h);
}

static bool is_away(const struct writer *at, int64_t now)
{
	return at->fd < 0 ? now - at->missing_since_ms >= MISSING_MS : at->state.away || at->state.read_only;
}

static void expire(struct writers *w, struct writer *at, int64_t now)
{
	struct handed *h, *next;
	bool hopeless = is_away(at, now);
	bool silent = now - at->heard_ms >= SILENCE_MS;
	for (h = TAILQ_FIRST(&at->waiting); h != NULL; h = next) {
		next = TAILQ_NEXT(h, entry);
		if (h->told || (!hopeless && now - h->since_ms < WAIT_MS))
			continue;
		if (h->uncertain) {
			be_uncertain(w, at, h, &at->waiting);
		} else {
			TAILQ_REMOVE(&at->waiting, h, entry);
			give_up(w, h);
		}
	}
	for (h = TAILQ_FIRST(&at->given); h != NULL; h = next) {
		next = TAILQ_NEXT(h, entry);
		if (!h->told && silent && now - h->given_ms >= SILENCE_MS)
			be_uncertain(w, at, h, &at->given);
	}
}

static void answer_refused(struct writers *w)
{
	/* Only those of now: who is answered may ask again. */
	struct handed_queue refused = TAILQ_HEAD_INITIALIZER(refused);
	struct handed *h;
	TAILQ_CONCAT(&refused, &w->refused, entry);
	while ((h = TAILQ_FIRST(&refused)) != NULL) {
		TAILQ_REMOVE(&refused, h, entry);
		answer_with(w, h, h->refused_as);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct writers *w = arg;
	int64_t now = clock_mono_ms();
	(void)fd;
	(void)what;
	for (unsigned i = 0; i < w->count_writers; i++)
		expire(w, &w->writer[i], now);
	writers_note_state(w);
	if (w->count > 0 || !writers_are_up(w))
		start_tick(w);
}

/* ---- giving ---- */

static void give(struct writers *w, struct writer *at)
{
	struct handed *h;
	int64_t now = clock_mono_ms();
	while (at->fd >= 0 && at->open < WRITERS_WINDOW && (h = TAILQ_FIRST(&at->waiting)) != NULL) {
		TAILQ_REMOVE(&at->waiting, h, entry);
		TAILQ_INSERT_TAIL(&at->given, h, entry);
		table_add(&w->under_way, h);
		h->given_ms = now;
		at->open += !h->told;
		struct wire_head head = {
			.kind = (uint8_t)h->kind,
			.past = h->told	       ? LANE_SETTLING
				: h->uncertain ? LANE_INHERITED
					       : LANE_FRESH,
			.route = h->route,
			.number = h->number,
		};
		wire_put_body(&at->out, head, (struct str){h->body, h->len});
	}
	writer_flush(at);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct writers *w = arg;
	(void)fd;
	(void)what;
	answer_refused(w);
	for (unsigned i = 0; i < w->count_writers; i++)
		give(w, &w->writer[i]);
}

/* What it had comes before all that wait, in its order. */
void writers_lost(struct writers *w, struct writer *at)
{
	struct handed *h;
	while ((h = TAILQ_LAST(&at->given, handed_queue)) != NULL) {
		TAILQ_REMOVE(&at->given, h, entry);
		table_remove(&w->under_way, h);
		h->uncertain = true;
		if (++h->ended < ENDED_MAX) {
			TAILQ_INSERT_HEAD(&at->waiting, h, entry);
			continue;
		}
		log_error_gated("store: a %s is given up: %d writers in a row have ended with it",
				wire_kind_name(h->kind), ENDED_MAX);
		give_up(w, h);
	}
	at->open = 0;
	at->missing_since_ms = clock_mono_ms();
	at->state = (struct wire_state){0};
	at->was_known = false;
	start_tick(w);
	if (w->obs != NULL && w->obs->writer_lost != NULL)
		w->obs->writer_lost(w->obs_ctx);
}

static struct handed *handed_new(struct writers *w, enum wire_kind kind, const union wire_args *args, writers_fn *fn,
				 void *arg)
{
	buf_clear(&w->scratch);
	wire_put_args(&w->scratch, (struct wire_head){.kind = (uint8_t)kind}, args);
	size_t len = w->scratch.len - sizeof(struct wire_head);
	struct handed *h = xmalloc(sizeof(*h) + len);
	*h = (struct handed){.number = ++w->last_number, .kind = kind, .fn = fn, .arg = arg, .len = len};
	memcpy(h->body, w->scratch.data + sizeof(struct wire_head), len);
	h->since_ms = clock_mono_ms();
	w->count++;
	w->bytes += len;
	buf_shrink(&w->scratch, WIRE_BODY_MAX);
	return h;
}

static void refuse(struct writers *w, struct handed *h, enum store_status status)
{
	h->refused_as = status;
	TAILQ_INSERT_TAIL(&w->refused, h, entry);
	kick(w);
}

void writers_refuse(struct writers *w, enum wire_kind kind, const union wire_args *args, enum store_status status,
		    writers_fn *fn, void *arg)
{
	refuse(w, handed_new(w, kind, args, fn, arg), status);
}

void writers_submit(struct writers *w, enum wire_kind kind, const union wire_args *args, const struct str users[2],
		    uint64_t conversation_id, writers_fn *fn, void *arg)
{
	struct handed *h = handed_new(w, kind, args, fn, arg);
	if (w->ending) {
		refuse(w, h, STORE_UNAVAILABLE);
		return;
	}
	if (w->count > PENDING_MAX || w->bytes > PENDING_BYTES_MAX) {
		refuse(w, h, STORE_OVERLOADED);
		return;
	}
	h->route = conversation_id != 0 ? route_by_id(conversation_id)
					: route_by_pair(w->routes, users[0], users[1], &h->pair);
	h->writer = &w->writer[route_writer(h->route, w->count_writers)];
	if (is_away(h->writer, h->since_ms)) {
		refuse(w, h, STORE_UNAVAILABLE);
		return;
	}
	TAILQ_INSERT_TAIL(&h->writer->waiting, h, entry);
	start_tick(w);
	if (h->writer->fd >= 0 && h->writer->open < WRITERS_WINDOW)
		kick(w);
}

/* ---- how they are ---- */

bool writers_are_up(const struct writers *w)
{
	for (unsigned i = 0; i < w->count_writers; i++)
		if (w->writer[i].fd < 0 || !w->writer[i].state.up)
			return false;
	return true;
}

bool writers_are_away(const struct writers *w)
{
	int64_t now = clock_mono_ms();
	for (unsigned i = 0; i < w->count_writers; i++)
		if (is_away(&w->writer[i], now))
			return true;
	return false;
}

bool writers_are_read_only(const struct writers *w)
{
	for (unsigned i = 0; i < w->count_writers; i++)
		if (w->writer[i].state.read_only)
			return true;
	return false;
}

uint64_t writers_missing(const struct writers *w)
{
	uint64_t missing = 0;
	for (unsigned i = 0; i < w->count_writers; i++)
		missing |= w->writer[i].fd < 0 ? (uint64_t)1 << i : 0;
	return missing;
}

size_t writers_pending(const struct writers *w)
{
	return w->count;
}

/* That a writer is being replaced says nothing of the database. */
static bool is_known_down(const struct writers *w)
{
	for (unsigned i = 0; i < w->count_writers; i++)
		if (w->writer[i].was_known && !w->writer[i].state.up)
			return true;
	return writers_are_away(w);
}

void writers_note_state(struct writers *w)
{
	bool up = writers_are_up(w);
	if (up == w->was_up || (!up && !is_known_down(w)))
		return;
	w->was_up = up;
	if (w->obs != NULL && w->obs->link != NULL)
		w->obs->link(up, w->obs_ctx);
}

/* ---- what others were told of ---- */

void writers_cut(struct writers *w)
{
	for (unsigned i = 0; i < w->count_writers; i++) {
		struct writer *at = &w->writer[i];
		at->cut = at->answers;
		at->cut_unsure |= at->unsure;
		at->unsure = false;
	}
}

void writers_told(struct writers *w)
{
	for (unsigned i = 0; i < w->count_writers; i++) {
		struct writer *at = &w->writer[i];
		if (at->fd < 0 || at->cut == at->told)
			continue;
		at->told = at->cut;
		wire_put_told(&at->out, &(struct wire_told){.answers = at->told, .unsure = at->cut_unsure});
		at->cut_unsure = false;
		writer_flush(at);
	}
}

bool writers_have_told(const struct writers *w)
{
	for (unsigned i = 0; i < w->count_writers; i++)
		if (w->writer[i].fd >= 0 && w->writer[i].told != w->writer[i].answers)
			return false;
	return true;
}

/* ---- from outside ---- */

struct writers *writers_new(struct event_base *base, unsigned count, const struct store_observer *obs, void *ctx)
{
	struct writers *w = xcalloc(1, sizeof(*w));
	w->base = base;
	w->obs = obs;
	w->obs_ctx = ctx;
	w->count_writers = count;
	w->writer = xcalloc(count, sizeof(*w->writer));
	for (unsigned i = 0; i < count; i++)
		writer_init(&w->writer[i], w);
	w->routes = routes_new();
	table_init(&w->under_way, number_of);
	TAILQ_INIT(&w->refused);
	w->kick = event_new(base, -1, 0, on_kick, w);
	w->tick = evtimer_new(base, on_tick, w);
	ASSERT(w->kick != NULL && w->tick != NULL);
	start_tick(w);
	return w;
}

void writers_free(struct writers **wp)
{
	struct writers *w = *wp;
	struct handed *h;
	if (w == NULL)
		return;
	w->ending = true;
	w->obs = NULL;
	for (unsigned i = 0; i < w->count_writers; i++) {
		writer_fini(&w->writer[i]);
		while ((h = TAILQ_FIRST(&w->writer[i].waiting)) != NULL) {
			TAILQ_REMOVE(&w->writer[i].waiting, h, entry);
			give_up(w, h);
		}
	}
	while (!TAILQ_EMPTY(&w->refused))
		answer_refused(w);
	routes_free(&w->routes);
	table_fini(&w->under_way);
	event_free(w->kick);
	event_free(w->tick);
	buf_fini(&w->scratch);
	free(w->writer);
	free(w);
	*wp = NULL;
}

void writers_take(struct writers *w, unsigned index, int fd)
{
	ASSERT(index < w->count_writers);
	writer_take(&w->writer[index], fd);
	kick(w);
}
