/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The requests and the system messages are the two sides of a graph, with an edge where a message may tell of a
 * request. It is matched so that each request that was answered has a message, and then each message a request. Such a
 * matching exists if each side alone can be matched (Mendelsohn and Dulmage, 1958), so augmenting paths find it.
 */
#include "core/base.h"
#include "record_changes.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "record_changes_priv.h"
#include "record_groups_priv.h"
#include "record_priv.h"

struct change {
	unsigned party, actor;
	struct event event;
	enum change_outcome outcome;
	uint32_t since_seq;  /* its message comes after this one */
	int64_t answered_ms; /* real; -1: it is not */
	uint32_t before_seq; /* at the end: and before this one */
	unsigned message;    /* the one that tells of it, UINT_MAX: none */
	bool visited;
};

struct claim {
	unsigned party, user, claims;
	uint32_t since_seq, before_seq;
	int64_t answered_ms;
	bool is_true;
	char why[64];
};

unsigned record_change(struct record *r, unsigned party, unsigned actor, const struct event *event)
{
	r->change = xrealloc(r->change, (r->changes + 1) * sizeof(*r->change));
	r->change[r->changes] = (struct change){.party = party,
						.actor = actor,
						.event = *event,
						.since_seq = r->group[party - r->users].talk.last_seq,
						.answered_ms = -1,
						.message = UINT_MAX};
	return r->changes++;
}

void record_change_answered(struct record *r, unsigned change, enum change_outcome outcome, const struct event *event,
			    struct instant now)
{
	struct change *c = &r->change[change];
	c->outcome = outcome;
	if (event != NULL)
		c->event = *event;
	/* It may still be done. */
	c->answered_ms = outcome == CHANGE_UNKNOWN ? -1 : now.real_ms;
	r->tally.changes += outcome == CHANGE_DONE || outcome == CHANGE_AS_ASKED;
	r->tally.changes_refused += outcome == CHANGE_REFUSED;
	r->tally.changes_unknown += outcome == CHANGE_UNKNOWN;
}

void record_claim(struct record *r, unsigned party, unsigned user, unsigned claims, uint32_t since_seq,
		  struct instant now, const char *why)
{
	r->claim = xrealloc(r->claim, (r->claims + 1) * sizeof(*r->claim));
	struct claim *c = &r->claim[r->claims++];
	*c = (struct claim){
		.party = party, .user = user, .claims = claims, .since_seq = since_seq, .answered_ms = now.real_ms};
	snprintf(c->why, sizeof(c->why), "%s", why);
}

void record_changes_free(struct record *r)
{
	free(r->change);
	free(r->claim);
}

/* ---- when it was ---- */

/* The first message that was sent after that time: whatever was done by then comes before it. */
static uint32_t first_sent_after(const struct record *r, const struct talk *t, int64_t ms)
{
	for (uint32_t seq = 1; ms >= 0 && seq <= t->last_seq; seq++) {
		const struct message *m = t->at[seq] != 0 ? &r->message[t->at[seq] - 1] : NULL;
		if (m != NULL && m->event.is == EVENT_NONE && m->sent.real_ms > ms)
			return seq;
	}
	return UINT32_MAX;
}

/* ---- requests and messages ---- */

static bool is_among(unsigned user, const struct event *e)
{
	for (unsigned i = 0; i < e->count; i++)
		if (e->user[i] == user)
			return true;
	return false;
}

static bool may_tell_of(const struct message *m, const struct change *c)
{
	const struct event *told = &m->event, *asked = &c->event;
	bool may_be_fewer = c->outcome != CHANGE_DONE && (asked->is == EVENT_ADDED || asked->is == EVENT_CREATED);
	if (m->to != c->party || m->from != c->actor || told->is != asked->is || c->outcome == CHANGE_REFUSED ||
	    m->seq <= c->since_seq || m->seq >= c->before_seq)
		return false;
	for (unsigned i = 0; i < told->count; i++)
		if (!is_among(told->user[i], asked))
			return false;
	return may_be_fewer || told->count == asked->count;
}

/* By message: the request that it tells of, UINT_MAX: none yet. */
struct matching {
	struct record *record;
	unsigned *change;
};

static bool match_change(struct matching *m, unsigned c)
{
	struct record *r = m->record;
	struct change *change = &r->change[c];
	change->visited = true;
	for (unsigned n = 0; n < r->messages; n++) {
		const struct message *told = &r->message[n];
		if (told->event.is == EVENT_NONE || told->seq == 0 || !may_tell_of(told, change))
			continue;
		unsigned other = m->change[n];
		if (other != UINT_MAX && (r->change[other].visited || !match_change(m, other)))
			continue;
		m->change[n] = c;
		change->message = n;
		return true;
	}
	return false;
}

static bool match_message(struct matching *m, unsigned n)
{
	struct record *r = m->record;
	for (unsigned c = 0; c < r->changes; c++) {
		struct change *change = &r->change[c];
		if (change->visited || !may_tell_of(&r->message[n], change))
			continue;
		change->visited = true;
		if (change->message != UINT_MAX && !match_message(m, change->message))
			continue;
		m->change[n] = c;
		change->message = n;
		return true;
	}
	return false;
}

static void forget_visits(struct record *r)
{
	for (unsigned c = 0; c < r->changes; c++)
		r->change[c].visited = false;
}

static void event_text(const struct record *r, const struct event *e, unsigned party, unsigned actor, char out[160])
{
	int n = snprintf(out, 160, "'%s' of %s by p%u:", group_event_name(e->is), record_party_name(r, party).is,
			 actor);
	for (unsigned i = 0; i < e->count && n < 150; i++)
		n += snprintf(out + n, (size_t)(160 - n), " p%u", e->user[i]);
}

static void check_changes(struct record *r)
{
	char text[160];
	struct matching m = {r, xcalloc(r->messages + 1, sizeof(unsigned))};
	for (unsigned n = 0; n < r->messages; n++)
		m.change[n] = UINT_MAX;
	for (unsigned c = 0; c < r->changes; c++) {
		const struct change *change = &r->change[c];
		forget_visits(r);
		if (change->outcome != CHANGE_DONE || match_change(&m, c))
			continue;
		/* Of who leaves a dissolved group nobody is told. */
		if (change->event.is == EVENT_LEFT && record_may_have_left(r, change->party, change->actor))
			continue;
		event_text(r, &change->event, change->party, change->actor, text);
		record_violate(r, "%s was answered, and is not in the history after seq %u", text, change->since_seq);
	}
	for (unsigned n = 0; n < r->messages; n++) {
		const struct message *told = &r->message[n];
		if (told->event.is == EVENT_NONE || told->seq == 0 || m.change[n] != UINT_MAX)
			continue;
		forget_visits(r);
		if (match_message(&m, n))
			continue;
		event_text(r, &told->event, told->to, told->from, text);
		record_violate(r, "seq %u tells of %s, which nobody asked for, or which is there twice", told->seq,
			       text);
	}
	free(m.change);
}

/* ---- how it was ---- */

static void check_claims_of(struct record *r, unsigned party)
{
	const struct talk *t = &r->group[party - r->users].talk;
	struct group_state s;
	group_state_init(&s, r->users);
	for (uint32_t seq = 0; seq <= t->last_seq; seq++) {
		const struct message *m = seq != 0 && t->at[seq] != 0 ? &r->message[t->at[seq] - 1] : NULL;
		if (m != NULL)
			group_state_apply(&s, seq, m->from, &m->event);
		for (unsigned i = 0; i < r->claims; i++) {
			struct claim *c = &r->claim[i];
			if (c->party != party || seq < c->since_seq || seq >= c->before_seq)
				continue;
			bool is_dissolved = s.dissolved_seq != 0 && (c->claims & CLAIM_DISSOLVED) != 0;
			c->is_true |= is_dissolved || (c->claims & CLAIM(s.rank[c->user])) != 0;
		}
	}
	group_state_fini(&s);
}

void record_changes_end(struct record *r)
{
	for (unsigned c = 0; c < r->changes; c++) {
		struct change *change = &r->change[c];
		change->before_seq = first_sent_after(r, &r->group[change->party - r->users].talk, change->answered_ms);
	}
	for (unsigned c = 0; c < r->claims; c++)
		r->claim[c].before_seq =
			first_sent_after(r, &r->group[r->claim[c].party - r->users].talk, r->claim[c].answered_ms);
	for (unsigned g = 0; g < r->groups; g++)
		check_claims_of(r, r->users + g);
	for (unsigned i = 0; i < r->claims; i++) {
		const struct claim *c = &r->claim[i];
		if (!c->is_true && !((c->claims & CLAIM_OUT) && record_may_have_left(r, c->party, c->user)))
			record_violate(r, "%s: between seq %u and seq %" PRIu64 " of %s p%u was not so at any moment",
				       c->why, c->since_seq, (uint64_t)c->before_seq, record_party_name(r, c->party).is,
				       c->user);
	}
	check_changes(r);
}
