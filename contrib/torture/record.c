/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps what was sent and seen; a contradiction is told where it is met. What is overdue: record_check.c. */
#include "core/base.h"
#include "record.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "record_groups_priv.h"
#include "record_priv.h"

struct record *record_new(unsigned users, record_violation_fn *violation, void *arg)
{
	struct record *r = xcalloc(1, sizeof(*r));
	r->users = users;
	r->violation = violation;
	r->violation_arg = arg;
	r->talk = xcalloc((size_t)users * users, sizeof(*r->talk));
	TAILQ_INIT(&r->waits);
	return r;
}

void record_free(struct record **record)
{
	struct record *r = *record;
	struct wait *w;
	if (r == NULL)
		return;
	while ((w = TAILQ_FIRST(&r->waits)) != NULL) {
		TAILQ_REMOVE(&r->waits, w, entry);
		free(w);
	}
	for (size_t i = 0; i < (size_t)r->users * r->users; i++)
		free(r->talk[i].at);
	for (unsigned d = 0; d < r->devices; d++) {
		for (unsigned u = 0; u < r->users + r->groups; u++)
			free(r->device[d].view[u].has);
		free(r->device[d].view);
	}
	for (unsigned m = 0; m < r->messages; m++) {
		struct deletion *del, *next;
		for (del = r->message[m].deletions; del != NULL; del = next) {
			next = del->next;
			free(del);
		}
	}
	record_groups_free(r);
	free(r->tally.calm.ms);
	free(r->tally.faulty.ms);
	free(r->talk);
	free(r->device);
	free(r->message);
	free(r);
	*record = NULL;
}

struct tally *record_tally(struct record *r)
{
	return &r->tally;
}

unsigned record_violations(const struct record *r)
{
	return r->violations;
}

void record_violate(struct record *r, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	r->violations++;
	r->violation(text, r->violation_arg);
}

unsigned record_user_of(struct str id)
{
	unsigned n = 0;
	if (id.len < 2 || id.len > 6 || id.s[0] != 'p')
		return UINT_MAX;
	for (size_t i = 1; i < id.len; i++) {
		if (id.s[i] < '0' || id.s[i] > '9')
			return UINT_MAX;
		n = n * 10 + (unsigned)(id.s[i] - '0');
	}
	return n;
}

struct party_name record_party_name(const struct record *r, unsigned party)
{
	struct party_name name;
	bool is_group = party >= r->users;
	snprintf(name.is, sizeof(name.is), "%c%u", is_group ? 'g' : 'p', is_group ? party - r->users : party);
	return name;
}

void record_text(const struct record *r, unsigned message, bool is_edited, char out[64])
{
	const struct message *m = &r->message[message];
	snprintf(out, 64, "m%u says p%u to %s%s", message, m->from, record_party_name(r, m->to).is,
		 is_edited ? " again" : "");
}

struct talk *record_talk(const struct record *r, unsigned a, unsigned b)
{
	if (a >= r->users || b >= r->users)
		return &r->group[(a > b ? a : b) - r->users].talk;
	return a < b ? &r->talk[(size_t)a * r->users + b] : &r->talk[(size_t)b * r->users + a];
}

unsigned record_add_device(struct record *r, unsigned user)
{
	r->device = xrealloc(r->device, (r->devices + 1) * sizeof(*r->device));
	r->device[r->devices] = (struct device){.user = user};
	r->device[r->devices].view = xcalloc(r->users + r->groups, sizeof(*r->device->view));
	return r->devices++;
}

unsigned record_number(struct record *r, const struct message *m)
{
	if (r->messages == r->message_room) {
		r->message_room = r->message_room == 0 ? 1024 : r->message_room * 2;
		r->message = xrealloc(r->message, r->message_room * sizeof(*r->message));
	}
	r->message[r->messages] = *m;
	return r->messages++;
}

unsigned record_send(struct record *r, unsigned from, unsigned to, unsigned mention, struct instant now)
{
	r->tally.sent++;
	r->tally.group_sent += to >= r->users;
	return record_number(r, &(struct message){.from = from, .to = to, .mention = mention, .sent = now});
}

const struct message *record_message(const struct record *r, unsigned number)
{
	return &r->message[number];
}

unsigned record_messages(const struct record *r)
{
	return r->messages;
}

unsigned record_at(const struct record *r, unsigned a, unsigned b, uint32_t seq)
{
	const struct talk *t = record_talk(r, a, b);
	return seq < t->size && t->at[seq] != 0 ? t->at[seq] - 1 : UINT_MAX;
}

uint32_t record_last_seq(const struct record *r, unsigned a, unsigned b)
{
	return record_talk(r, a, b)->last_seq;
}

uint64_t record_conversation(const struct record *r, unsigned a, unsigned b)
{
	return record_talk(r, a, b)->id;
}

unsigned record_find(const struct record *r, uint64_t id)
{
	uint64_t conversation = id >> 28;
	uint32_t seq = (uint32_t)(id & 0xfffffff);
	for (size_t i = 0; i < (size_t)r->users * r->users + r->groups; i++) {
		size_t pairs = (size_t)r->users * r->users;
		const struct talk *t = i < pairs ? &r->talk[i] : &r->group[i - pairs].talk;
		if (t->id == conversation && seq < t->size && t->at[seq] != 0)
			return t->at[seq] - 1;
	}
	/* Were an id ever made otherwise. */
	for (unsigned m = 0; m < r->messages; m++)
		if (r->message[m].id == id)
			return m;
	return UINT_MAX;
}

/* ---- what each device has ---- */

static unsigned peer_of(const struct record *r, unsigned device, const struct message *m)
{
	return m->to >= r->users || r->device[device].user == m->from ? m->to : m->from;
}

bool record_has(const struct record *r, unsigned device, unsigned message, uint8_t what)
{
	const struct message *m = &r->message[message];
	const struct view *v = &r->device[device].view[peer_of(r, device, m)];
	return m->seq < v->size && (v->has[m->seq] & what) != 0;
}

static void view_grow(struct view *v, uint32_t seq)
{
	if (seq < v->size)
		return;
	uint32_t size = seq + 256;
	v->has = xrealloc(v->has, size);
	memset(v->has + v->size, 0, size - v->size);
	v->size = size;
}

static void remove_wait(struct record *r, struct wait *w)
{
	TAILQ_REMOVE(&r->waits, w, entry);
	free(w);
}

void record_device_got(struct record *r, unsigned device, unsigned message, uint8_t what, struct instant now)
{
	const struct message *m = &r->message[message];
	struct view *v = &r->device[device].view[peer_of(r, device, m)];
	struct wait *w, *next;
	view_grow(v, m->seq + 1);
	if (what & HAS_MARK(MARK_RECALLED))
		what |= HAS_MARKS(MARK_BIT(MARKS) - 1);
	if ((v->has[m->seq] & what) == what)
		return;
	if (m->to >= r->users && !(v->has[m->seq] & HAS_MESSAGE))
		record_group_given(r, device, message, now);
	v->has[m->seq] |= what;
	while (v->has[v->contiguous + 1] & HAS_MESSAGE) {
		v->contiguous++;
		view_grow(v, v->contiguous + 1);
	}
	for (w = TAILQ_FIRST(&r->waits); w != NULL; w = next) {
		next = TAILQ_NEXT(w, entry);
		if (w->device == device && w->message == message && (w->what & what))
			remove_wait(r, w);
	}
}

static bool concerns(const struct record *r, unsigned user, const struct message *m)
{
	return m->to >= r->users ? record_group_concerns(r, user, m) : user == m->from || user == m->to;
}

void record_all_wait(struct record *r, unsigned message, uint8_t what, struct instant now)
{
	const struct message *m = &r->message[message];
	for (unsigned d = 0; d < r->devices; d++) {
		unsigned user = r->device[d].user;
		if (!concerns(r, user, m) || record_has(r, d, message, what))
			continue;
		/* Who has deleted it does not see it any more. */
		if (record_deletion(r, message, user) != NULL)
			continue;
		struct wait *w = xcalloc(1, sizeof(*w));
		*w = (struct wait){.device = d, .message = message, .what = what, .known_ms = now.fair_ms};
		TAILQ_INSERT_TAIL(&r->waits, w, entry);
	}
}

void record_forget_waits(struct record *r, unsigned user, unsigned party, unsigned message)
{
	struct wait *w, *next;
	for (w = TAILQ_FIRST(&r->waits); w != NULL; w = next) {
		next = TAILQ_NEXT(w, entry);
		bool is = message != UINT_MAX ? w->message == message : r->message[w->message].to == party;
		if (is && r->device[w->device].user == user)
			remove_wait(r, w);
	}
}

/* ---- what a message is ---- */

static unsigned number_of(const struct record *r, struct str client_msg_id)
{
	unsigned n = 0;
	if (client_msg_id.s == NULL || client_msg_id.len < 2 || client_msg_id.len > 10 || client_msg_id.s[0] != 'm')
		return UINT_MAX;
	for (size_t i = 1; i < client_msg_id.len; i++)
		n = n * 10 + (unsigned)(client_msg_id.s[i] - '0');
	return n < r->messages ? n : UINT_MAX;
}

/* Its place, seen for the first time. */
bool record_place_is_free(struct record *r, unsigned n, const struct sight *s, const char *where)
{
	struct talk *t = record_talk(r, s->from, s->to);
	if (t->id != 0 && t->id != s->conversation_id) {
		record_violate(r, "m%u %s: p%u and %s have the conversations %" PRIu64 " and %" PRIu64, n, where,
			       s->from, record_party_name(r, s->to).is, t->id, s->conversation_id);
		return false;
	}
	if (s->seq == 0 || s->seq > 1000000) {
		record_violate(r, "m%u %s: has seq %u", n, where, s->seq);
		return false;
	}
	if (s->seq < t->size && t->at[s->seq] != 0) {
		record_violate(r, "m%u %s: has the seq %u of m%u", n, where, s->seq, t->at[s->seq] - 1);
		return false;
	}
	return true;
}

void record_take_place(struct record *r, unsigned n, const struct sight *s, struct instant now)
{
	struct message *m = &r->message[n];
	struct talk *t = record_talk(r, s->from, s->to);
	if (s->seq >= t->size) {
		uint32_t size = s->seq + 256;
		t->at = xrealloc(t->at, size * sizeof(*t->at));
		memset(t->at + t->size, 0, (size - t->size) * sizeof(*t->at));
		t->size = size;
	}
	t->id = s->conversation_id;
	t->at[s->seq] = n + 1;
	if (s->seq > t->last_seq)
		t->last_seq = s->seq;
	m->id = s->id;
	m->conversation_id = s->conversation_id;
	m->seq = s->seq;
	m->known = now;
	if (m->to >= r->users)
		record_group_grown(r, m->to - r->users, now);
	else
		record_all_wait(r, n, HAS_MESSAGE, now);
}

static void note_mention(struct record *r, unsigned n, const struct sight *s, const char *where)
{
	struct message *m = &r->message[n];
	/* A recalled message mentions nobody. */
	if (m->to < r->users || (s->marks & MARK_BIT(MARK_RECALLED)))
		return;
	if (m->mentioned_known && m->mentioned != s->mention)
		record_violate(r, "m%u %s: mentions another than before", n, where);
	m->mentioned = s->mention;
	m->mentioned_known = true;
}

unsigned record_identify(struct record *r, const struct sight *s, const char *where, struct instant now)
{
	char text[64];
	if (s->event.is != EVENT_NONE)
		return record_identify_event(r, s, where, now);
	unsigned n = number_of(r, s->client_msg_id);
	if (n == UINT_MAX) {
		record_violate(r, "a message that nobody sent, %s: id %" PRIu64 ", client_msg_id '%.*s'", where, s->id,
			       (int)s->client_msg_id.len, s->client_msg_id.s != NULL ? s->client_msg_id.s : "");
		return UINT_MAX;
	}
	struct message *m = &r->message[n];
	if (m->from != s->from || m->to != s->to) {
		record_violate(r, "m%u %s: was sent by p%u to %s, and is from p%u to %s", n, where, m->from,
			       record_party_name(r, m->to).is, s->from, record_party_name(r, s->to).is);
		return UINT_MAX;
	}
	if (m->id == 0) {
		if (!record_place_is_free(r, n, s, where))
			return UINT_MAX;
		note_mention(r, n, s, where);
		record_take_place(r, n, s, now);
		m = &r->message[n];
	} else if (m->id != s->id || m->seq != s->seq || m->conversation_id != s->conversation_id) {
		record_violate(r,
			       "m%u is stored twice: as %" PRIu64 " with seq %u, and, %s, as %" PRIu64 " with seq %u",
			       n, m->id, m->seq, where, s->id, s->seq);
		return UINT_MAX;
	} else {
		note_mention(r, n, s, where);
	}
	record_text(r, n, s->marks & MARK_BIT(MARK_EDITED), text);
	if ((s->marks & MARK_BIT(MARK_RECALLED)) ? s->content.s != NULL : !str_is(s->content, text))
		record_violate(r, "m%u %s: its text is '%.*s'", n, where, (int)s->content.len,
			       s->content.s != NULL ? s->content.s : "");
	record_note_marks(r, n, s->marks, where, now);
	return n;
}

/* ---- a session ---- */

static void forget_order(struct record *r, unsigned device)
{
	for (unsigned u = 0; u < r->users + r->groups; u++)
		r->device[device].view[u].last_push = 0;
}

void record_session_opened(struct record *r, unsigned device, struct instant now)
{
	struct device *d = &r->device[device];
	d->open = true;
	d->synced = false;
	d->opened = now;
	d->session++;
	r->tally.sessions++;
	forget_order(r, device);
}

void record_session_synced(struct record *r, unsigned device, struct instant now)
{
	struct device *d = &r->device[device];
	r->tally.syncs++;
	if (d->synced)
		return;
	d->synced = true;
	d->synced_at = now;
}

void record_session_closed(struct record *r, unsigned device)
{
	r->device[device].open = r->device[device].synced = false;
}

void record_resync(struct record *r, unsigned device)
{
	r->tally.resyncs++;
	forget_order(r, device);
}

static void add_latency(struct latencies *l, int64_t ms)
{
	if (l->count == l->size) {
		l->size = l->size == 0 ? 4096 : l->size * 2;
		l->ms = xrealloc(l->ms, l->size * sizeof(*l->ms));
	}
	l->ms[l->count++] = ms < 0 ? 0 : (uint32_t)ms;
}

void record_pushed(struct record *r, unsigned device, const struct sight *s, bool faulty, struct instant now)
{
	char where[64];
	struct device *d = &r->device[device];
	snprintf(where, sizeof(where), "pushed to session %u.%u of p%u", device, d->session, d->user);
	unsigned n = record_identify(r, s, where, now);
	if (n == UINT_MAX)
		return;
	const struct message *m = &r->message[n];
	if (m->to < r->users && d->user != m->from && d->user != m->to) {
		record_violate(r, "m%u %s, whom it does not concern", n, where);
		return;
	}
	struct view *v = &d->view[peer_of(r, device, m)];
	r->tally.pushes++;
	if (record_has(r, device, n, HAS_MESSAGE)) {
		/* Allowed: clients merge by seq. */
		r->tally.doubled_pushes++;
	} else {
		if (s->seq < v->last_push)
			record_violate(r,
				       "m%u %s: seq %u of the conversation with %s comes after seq %u, without a "
				       "resync between",
				       n, where, s->seq, record_party_name(r, peer_of(r, device, m)).is, v->last_push);
		add_latency(faulty ? &r->tally.faulty : &r->tally.calm, now.real_ms - m->sent.real_ms);
	}
	if (s->seq > v->last_push)
		v->last_push = s->seq;
	record_device_got(r, device, n, HAS_MESSAGE | HAS_MARKS(s->marks), now);
}

/* ---- answers ---- */

void record_acked(struct record *r, unsigned device, unsigned message, const struct sight *s, bool replayed,
		  struct instant now)
{
	unsigned n = record_identify(r, s, "acknowledged", now);
	if (n == UINT_MAX)
		return;
	if (n != message) {
		record_violate(r, "m%u was sent, and m%u acknowledged", message, n);
		return;
	}
	r->tally.replayed += replayed;
	r->tally.acked += !r->message[n].acked;
	r->message[n].acked = true;
	if (device != UINT_MAX)
		record_device_got(r, device, n, HAS_MESSAGE | HAS_MARKS(s->marks), now);
}

void record_answered(struct record *r, unsigned device, const struct sight *s, struct instant now)
{
	unsigned n = record_identify(r, s, "acknowledged", now);
	if (n != UINT_MAX)
		record_device_got(r, device, n, HAS_MESSAGE | HAS_MARKS(s->marks), now);
}

void record_synced(struct record *r, unsigned device, const struct sight *s, struct instant now)
{
	char where[64];
	snprintf(where, sizeof(where), "in a sync of device %u of p%u", device, r->device[device].user);
	unsigned n = record_identify(r, s, where, now);
	if (n == UINT_MAX)
		return;
	/* A client asks what is pinned among the messages that are new to it. */
	uint8_t pinned = record_has(r, device, n, HAS_MESSAGE) ? 0 : HAS_MARK(MARK_PINNED);
	record_device_got(r, device, n, HAS_MESSAGE | HAS_MARKS(s->marks) | pinned, now);
}

void record_seen(struct record *r, const struct sight *s, struct instant now)
{
	record_identify(r, s, "in a history", now);
}

static struct deletion *find_deletion(const struct record *r, unsigned message, unsigned user)
{
	struct deletion *del = r->message[message].deletions;
	while (del != NULL && del->user != user)
		del = del->next;
	return del;
}

const struct deletion *record_deletion(const struct record *r, unsigned message, unsigned user)
{
	return find_deletion(r, message, user);
}

void record_delete_tried(struct record *r, unsigned message, unsigned user)
{
	struct deletion *del = xcalloc(1, sizeof(*del));
	*del = (struct deletion){.user = user, .next = r->message[message].deletions};
	r->message[message].deletions = del;
	/* Whether that user's devices still get it is open. */
	record_forget_waits(r, user, UINT_MAX, message);
}

void record_deleted(struct record *r, unsigned message, unsigned user)
{
	find_deletion(r, message, user)->done = true;
	r->tally.deletes++;
}

uint32_t record_contiguous(const struct record *r, unsigned device, unsigned peer)
{
	return r->device[device].view[peer].contiguous;
}

void record_settle(struct record *r, unsigned device, unsigned peer, uint32_t seq)
{
	struct view *v = &r->device[device].view[peer];
	if (seq <= v->contiguous)
		return;
	v->contiguous = seq;
	view_grow(v, seq + 1);
	while (v->has[v->contiguous + 1] & HAS_MESSAGE) {
		v->contiguous++;
		view_grow(v, v->contiguous + 1);
	}
}
