/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts the history of a group again, as one of its members sees it; see history.h. */
#include "core/base.h"
#include "history.h"

#include <inttypes.h>
#include <limits.h>

#include "record_groups.h"

/* What the history gives, seq by seq. */
struct recount {
	int64_t unread, mentions;
	uint32_t own_seq; /* the last one that this user has sent */
};

static void check_seen(const struct history *h, unsigned n, uint8_t seen)
{
	const struct message *m = record_message(h->record, n);
	const struct deletion *deletion = record_deletion(h->record, n, h->user);
	struct party_name group = record_party_name(h->record, h->peer);
	if (seen == 0 && deletion == NULL)
		record_violate(h->record, "m%u (seq %u of %s, %s) is lost from the history of p%u", n, m->seq, group.is,
			       m->acked ? "acknowledged" : "seen before", h->user);
	if (seen != 0 && deletion != NULL && deletion->done)
		record_violate(h->record, "m%u (seq %u of %s) is still in the history of p%u, who has deleted it", n,
			       m->seq, group.is, h->user);
	if (seen != 0)
		history_check_marks(h, n, seen);
}

static void count(const struct history *h, unsigned n, uint8_t seen, int64_t read_seq, struct recount *c)
{
	const struct message *m = record_message(h->record, n);
	if (m->event.is != EVENT_NONE)
		return;
	if (m->from == h->user) {
		c->own_seq = m->seq;
		return;
	}
	if (seen == 0 || (seen & SEEN_MARK(MARK_RECALLED)) || m->seq <= read_seq)
		return;
	c->unread++;
	c->mentions += m->mentioned_known && (m->mentioned == MENTION_ALL || m->mentioned == h->user);
}

static uint32_t later(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static void check_counts(const struct history *h, const struct history_group_claims *claims, const struct recount *c)
{
	struct record *r = h->record;
	struct party_name group = record_party_name(r, h->peer);
	/* Who comes in has read up to there, and who sends has read up to that. */
	uint32_t since = later(record_group_state(r, h->peer)->joined_seq[h->user], c->own_seq);
	uint32_t done = later(since, claims->done), tried = later(since, claims->tried);
	if (claims->read_seq < done || claims->read_seq > tried)
		record_violate(r, "p%u in %s: read_seq is %" PRId64 ", expected %u to %u", h->user, group.is,
			       claims->read_seq, done, tried);
	if (claims->unread != c->unread)
		record_violate(r, "p%u in %s: unread_count is %" PRId64 ", a recount gives %" PRId64, h->user, group.is,
			       claims->unread, c->unread);
	if (claims->mentions != c->mentions)
		record_violate(r, "p%u in %s: mention_count is %" PRId64 ", a recount gives %" PRId64, h->user,
			       group.is, claims->mentions, c->mentions);
	if (claims->last_id != h->newest_id)
		record_violate(r, "p%u in %s: last_message is %" PRIu64 ", the newest is %" PRIu64, h->user, group.is,
			       claims->last_id, h->newest_id);
}

void history_end_group(struct history *h, const struct history_group_claims *claims)
{
	struct record *r = h->record;
	struct party_name group = record_party_name(r, h->peer);
	uint32_t first = record_first_seq(r, h->peer, h->user);
	struct recount c = {0};
	if (claims->first_seq != first)
		record_violate(r, "p%u in %s: first_seq is %" PRId64 ", expected %u", h->user, group.is,
			       claims->first_seq, first);
	for (uint32_t seq = 1; seq < h->size; seq++) {
		unsigned n = record_at(r, h->user, h->peer, seq);
		if (n == UINT_MAX) {
			record_violate(r, "%s has a gap at seq %u", group.is, seq);
			continue;
		}
		if (seq >= first)
			check_seen(h, n, h->seen[seq]);
		else if (h->seen[seq] != 0)
			record_violate(r, "seq %u of %s is in the history of p%u, who came in with seq %u", seq,
				       group.is, h->user, first);
		count(h, n, h->seen[seq], claims->read_seq, &c);
	}
	check_counts(h, claims, &c);
}
