/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is in the groups, and who has to be given what of them; see record_groups.h. */
#include "core/base.h"
#include "record_groups.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/id.h"
#include "core/json.h"
#include "record_changes_priv.h"
#include "record_groups_priv.h"
#include "record_priv.h"

static struct group *group_at(const struct record *r, unsigned party)
{
	return &r->group[party - r->users];
}

unsigned record_add_group(struct record *r, unsigned owner, bool from_joining)
{
	/* The views of devices have a place for each party. */
	if (r->devices != 0)
		abort();
	r->group = xrealloc(r->group, (r->groups + 1) * sizeof(*r->group));
	struct group *g = &r->group[r->groups];
	*g = (struct group){.owner = owner, .from_joining = from_joining, .gap_ms = -1};
	group_state_init(&g->state, r->users);
	g->span = xcalloc(r->users, sizeof(struct span *));
	g->leave_asked = xcalloc(r->users, sizeof(*g->leave_asked));
	return r->users + r->groups++;
}

void record_groups_free(struct record *r)
{
	for (unsigned i = 0; i < r->groups; i++) {
		struct group *g = &r->group[i];
		for (unsigned u = 0; u < r->users; u++) {
			struct span *span, *before;
			for (span = g->span[u]; span != NULL; span = before) {
				before = span->before;
				free(span);
			}
		}
		group_state_fini(&g->state);
		free(g->span);
		free(g->leave_asked);
		free(g->talk.at);
	}
	free(r->group);
	free(r->suspect);
	record_changes_free(r);
}

unsigned record_groups(const struct record *r)
{
	return r->groups;
}

unsigned record_group_of(const struct record *r, uint64_t conversation_id)
{
	for (unsigned i = 0; i < r->groups; i++)
		if (r->group[i].talk.id == conversation_id)
			return r->users + i;
	return UINT_MAX;
}

void record_group_made(struct record *r, unsigned party, uint64_t conversation_id)
{
	struct talk *t = &group_at(r, party)->talk;
	if (t->id != 0 && t->id != conversation_id)
		record_violate(r, "%s was made twice: as %" PRIu64 " and as %" PRIu64, record_party_name(r, party).is,
			       t->id, conversation_id);
	t->id = conversation_id;
}

const struct group_state *record_group_state(const struct record *r, unsigned party)
{
	return &group_at(r, party)->state;
}

enum rank record_rank(const struct record *r, unsigned party, unsigned user)
{
	return (enum rank)group_at(r, party)->state.rank[user];
}

uint32_t record_first_seq(const struct record *r, unsigned party, unsigned user)
{
	const struct group *g = group_at(r, party);
	if (g->state.rank[user] == RANK_NONE)
		return 0;
	return g->from_joining ? g->state.joined_seq[user] : 1;
}

void record_leave_asked(struct record *r, unsigned party, unsigned user)
{
	group_at(r, party)->leave_asked[user] = true;
}

bool record_may_have_left(const struct record *r, unsigned party, unsigned user)
{
	const struct group *g = group_at(r, party);
	return g->leave_asked[user] && g->state.dissolved_seq != 0;
}

void record_refused(struct record *r, unsigned message)
{
	struct message *m = &r->message[message];
	if (m->acked || m->refused)
		return;
	m->refused = true;
	r->tally.sent--;
	r->tally.group_sent--;
	r->tally.group_refused++;
}

static void forget_suspects(struct record *r);

/* ---- who is in it ---- */

static void span_begin(struct group *g, unsigned user, uint32_t seq)
{
	struct span *span = xcalloc(1, sizeof(*span));
	*span = (struct span){.from = seq, .to = UINT32_MAX, .before = g->span[user]};
	g->span[user] = span;
}

static void note_spans(struct record *r, struct group *g, const struct message *m)
{
	for (unsigned i = 0; i < m->event.count; i++) {
		unsigned u = m->event.user[i];
		switch (m->event.is) {
		case EVENT_CREATED:
		case EVENT_ADDED:
		case EVENT_JOINED:
			span_begin(g, u, m->seq);
			break;
		case EVENT_LEFT:
		case EVENT_REMOVED:
			if (g->span[u] != NULL)
				g->span[u]->to = m->seq;
			/* They cannot catch up any more. */
			record_forget_waits(r, u, m->to, UINT_MAX);
			break;
		default:
			break;
		}
	}
}

static void check_mention(struct record *r, const struct group *g, unsigned n)
{
	const struct message *m = &r->message[n];
	unsigned expected = m->mention;
	/* Who is no member is dropped. */
	if (expected < r->users && g->state.rank[expected] == RANK_NONE)
		expected = MENTION_NONE;
	if (m->event.is == EVENT_NONE && m->mentioned_known && m->mentioned != expected)
		record_violate(r, "m%u (seq %u of %s): mentions %d, expected %d", n, m->seq,
			       record_party_name(r, m->to).is, (int)m->mentioned, (int)expected);
}

static void replay_one(struct record *r, struct group *g, unsigned n, struct instant now)
{
	/* What is waited for must not be found out by the number, which moves the messages. */
	const struct message *m = &r->message[n];
	check_mention(r, g, n);
	const char *wrong = group_state_apply(&g->state, m->seq, m->from, &m->event);
	if (wrong != NULL)
		record_violate(r, "m%u (%s by p%u, seq %u of %s) %s", n,
			       m->event.is == EVENT_NONE ? "a message" : group_event_name(m->event.is), m->from, m->seq,
			       record_party_name(r, m->to).is, wrong);
	g->replayed = m->seq;
	record_all_wait(r, n, HAS_MESSAGE, now);
	for (enum mark mark = 0; mark < MARKS; mark++)
		if (m->marks & MARK_BIT(mark))
			record_all_wait(r, n, HAS_MARK(mark), now);
	note_spans(r, g, m);
	if (g->state.dissolved_seq == 0)
		return;
	for (unsigned u = 0; u < r->users; u++)
		if (g->leave_asked[u])
			record_forget_waits(r, u, m->to, UINT_MAX);
}

void record_group_grown(struct record *r, unsigned group, struct instant now)
{
	struct group *g = &r->group[group];
	const struct talk *t = &g->talk;
	uint32_t before = g->replayed;
	if (t->last_seq > g->reaches)
		g->reaches = t->last_seq;
	while (g->replayed + 1 < t->size && t->at[g->replayed + 1] != 0)
		replay_one(r, g, t->at[g->replayed + 1] - 1, now);
	if (g->replayed != before)
		forget_suspects(r);
	if (g->replayed == g->reaches)
		g->gap_ms = -1;
	else if (g->gap_ms < 0 || g->replayed != before)
		g->gap_ms = now.fair_ms;
}

void record_group_reaches(struct record *r, unsigned party, uint32_t seq, struct instant now)
{
	struct group *g = group_at(r, party);
	if (seq > g->reaches)
		g->reaches = seq;
	if (g->gap_ms < 0 && g->replayed < g->reaches)
		g->gap_ms = now.fair_ms;
}

bool record_group_has_replayed(const struct record *r, const struct message *m)
{
	return m->seq != 0 && m->seq <= group_at(r, m->to)->replayed;
}

bool record_group_concerns(const struct record *r, unsigned user, const struct message *m)
{
	const struct group *g = group_at(r, m->to);
	/* Who comes in or goes out by it may be given it, or not. */
	if (g->state.rank[user] == RANK_NONE || record_may_have_left(r, m->to, user))
		return false;
	return g->state.joined_seq[user] < m->seq;
}

/* ---- who may see it ---- */

bool record_may_see(const struct record *r, unsigned party, unsigned user, uint32_t seq)
{
	const struct group *g = group_at(r, party);
	for (const struct span *span = g->span[user]; span != NULL; span = span->before)
		if (seq <= span->to && (!g->from_joining || seq >= span->from))
			return true;
	return false;
}

void record_group_given(struct record *r, unsigned device, unsigned message, struct instant now)
{
	const struct message *m = &r->message[message];
	if (record_may_see(r, m->to, r->device[device].user, m->seq))
		return;
	r->suspect = xrealloc(r->suspect, (r->suspects + 1) * sizeof(*r->suspect));
	r->suspect[r->suspects++] = (struct suspect){device, message, now.fair_ms};
}

static void tell_suspect(struct record *r, const struct suspect *s, int64_t now_ms)
{
	const struct message *m = &r->message[s->message];
	unsigned user = r->device[s->device].user;
	const struct span *span = group_at(r, m->to)->span[user];
	record_violate(r,
		       "m%u (seq %u of %s) was given to device %u of p%u %" PRId64
		       " ms ago, who was in the group from seq %u to seq %u",
		       s->message, m->seq, record_party_name(r, m->to).is, s->device, user, now_ms - s->since_ms,
		       span != NULL ? span->from : 0, span != NULL ? span->to : 0);
}

/* Those who turn out to have had the right, as more is known. */
static void forget_suspects(struct record *r)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < r->suspects; i++) {
		struct suspect s = r->suspect[i];
		const struct message *m = &r->message[s.message];
		if (!record_may_see(r, m->to, r->device[s.device].user, m->seq))
			r->suspect[kept++] = s;
	}
	r->suspects = kept;
}

static void check_suspects(struct record *r, int64_t limit_ms, int64_t now_ms)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < r->suspects; i++) {
		struct suspect s = r->suspect[i];
		if (now_ms - s.since_ms < limit_ms)
			r->suspect[kept++] = s;
		else
			tell_suspect(r, &s, now_ms);
	}
	r->suspects = kept;
}

void record_groups_check(struct record *r, int64_t limit_ms, int64_t now_ms)
{
	check_suspects(r, limit_ms, now_ms);
	for (unsigned i = 0; i < r->groups; i++) {
		struct group *g = &r->group[i];
		if (g->gap_ms < 0 || g->gap_told || now_ms - g->gap_ms < limit_ms)
			continue;
		g->gap_told = true;
		record_violate(r,
			       "seq %u of g%u reached nobody for %" PRId64
			       " ms, and there are messages up to seq %u: expected a push or a resync",
			       g->replayed + 1, i, now_ms - g->gap_ms, g->reaches);
	}
}

unsigned record_group_gaps(const struct record *r, int64_t before_ms)
{
	unsigned n = r->suspects;
	for (unsigned i = 0; i < r->groups; i++)
		n += r->group[i].gap_ms >= 0 && r->group[i].gap_ms <= before_ms;
	return n;
}

void record_groups_end(struct record *r)
{
	for (unsigned i = 0; i < r->groups; i++)
		if (r->group[i].replayed < r->group[i].reaches)
			record_violate(r, "g%u has messages up to seq %u, and nobody has seen seq %u", i,
				       r->group[i].reaches, r->group[i].replayed + 1);
	check_suspects(r, 0, INT64_MAX);
	record_changes_end(r);
}

/* ---- what is read ---- */

/* `extra` of a system message. */
static bool read_event(struct record *r, const struct json *extra, struct event *out_r)
{
	const struct json *name = json_get(extra, "event"), *users = json_get(extra, "user_ids");
	out_r->is = name != NULL ? group_event_of(name->text) : EVENT_NONE;
	for (const struct json *u = users != NULL ? users->child : NULL; u != NULL; u = u->next) {
		unsigned user = record_user_of(u->text);
		if (user >= r->users || out_r->count == EVENT_USERS_MAX)
			return false;
		out_r->user[out_r->count++] = (unsigned short)user;
	}
	return out_r->is != EVENT_NONE;
}

static bool read_mention(struct record *r, const struct json *mentions, unsigned *out_r)
{
	const struct json *first = mentions != NULL ? mentions->child : NULL;
	if (mentions == NULL || mentions->type != JSON_ARRAY || mentions->count > 1)
		return false;
	if (first != NULL)
		*out_r = str_is(first->text, "*") ? MENTION_ALL : record_user_of(first->text);
	return first == NULL || *out_r == MENTION_ALL || *out_r < r->users;
}

bool record_read_group_sight(struct record *r, const struct json *message, struct sight *out_r)
{
	const struct json *type = json_get(message, "message_type");
	bool is_event = type != NULL && str_is(type->text, "system");
	if (out_r->from >= r->users || !read_mention(r, json_get(message, "mentions"), &out_r->mention) ||
	    (is_event && !read_event(r, json_get(message, "extra"), &out_r->event))) {
		record_violate(r, "not a message of a group: %.*s", (int)message->raw.len, message->raw.s);
		return false;
	}
	/* Others may hear of a new group before its maker is answered. */
	for (unsigned i = 0; out_r->event.is == EVENT_CREATED && i < r->groups; i++)
		if (r->group[i].talk.id == 0 && r->group[i].owner == out_r->from)
			r->group[i].talk.id = out_r->conversation_id;
	out_r->to = record_group_of(r, out_r->conversation_id);
	if (out_r->to == UINT_MAX)
		record_violate(r, "a message of a group that nobody has made: %.*s", (int)message->raw.len,
			       message->raw.s);
	return out_r->to != UINT_MAX;
}

unsigned record_identify_event(struct record *r, const struct sight *s, const char *where, struct instant now)
{
	const struct talk *t = &group_at(r, s->to)->talk;
	unsigned n = s->seq < t->size && t->at[s->seq] != 0 ? t->at[s->seq] - 1 : UINT_MAX;
	if (n == UINT_MAX) {
		struct message m = {
			.from = s->from, .to = s->to, .event = s->event, .mention = MENTION_NONE, .sent = now};
		n = record_number(r, &m);
		if (!record_place_is_free(r, n, s, where))
			return UINT_MAX;
		record_take_place(r, n, s, now);
		return n;
	}
	const struct message *m = &r->message[n];
	const struct event *a = &m->event, *b = &s->event;
	if (m->from != s->from || m->id != s->id || a->is != b->is || a->count != b->count ||
	    memcmp(a->user, b->user, a->count * sizeof(a->user[0])) != 0) {
		record_violate(r, "seq %u of %s, %s, is another message than before (m%u)", s->seq,
			       record_party_name(r, s->to).is, where, n);
		return UINT_MAX;
	}
	if (s->content.s != NULL || s->marks != 0)
		record_violate(r, "m%u %s: a system message with a text, or with something done to it", n, where);
	return n;
}
