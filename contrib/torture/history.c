/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts one history again, see history.h. */
#include "core/base.h"
#include "history.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

void history_begin(struct history *h, struct record *record, unsigned user, unsigned peer)
{
	free(h->seen);
	*h = (struct history){.record = record, .user = user, .peer = peer};
	h->size = record_last_seq(record, user, peer) + 1;
	h->seen = xcalloc(h->size, 1);
}

void history_fini(struct history *h)
{
	free(h->seen);
	h->seen = NULL;
}

void history_take(struct history *h, const struct sight *s)
{
	if (s->seq >= h->size) {
		record_violate(h->record, "the history of p%u with %s has seq %u, which nobody was told of", h->user,
			       record_party_name(h->record, h->peer).is, s->seq);
		return;
	}
	if (h->seen[s->seq] != 0)
		record_violate(h->record, "the history of p%u with %s has seq %u twice", h->user,
			       record_party_name(h->record, h->peer).is, s->seq);
	h->seen[s->seq] = (uint8_t)(SEEN | (s->read ? SEEN_READ : 0) | SEEN_MARKS(s->marks));
	if (s->id > h->newest_id)
		h->newest_id = s->id;
	if (s->to == h->user && !s->read && !(s->marks & MARK_BIT(MARK_RECALLED)))
		h->unread++;
}

void history_take_pin(struct history *h, uint32_t seq)
{
	unsigned n = record_at(h->record, h->user, h->peer, seq);
	const struct message *m = n != UINT_MAX ? record_message(h->record, n) : NULL;
	if (m == NULL || seq >= h->size || !(m->tried & MARK_BIT(MARK_PINNED)) || (m->marks & MARK_BIT(MARK_RECALLED)))
		record_violate(h->record, "seq %u of p%u with %s is pinned, which nobody asked for or was recalled",
			       seq, h->user, record_party_name(h->record, h->peer).is);
	else
		h->seen[seq] |= SEEN_MARK(MARK_PINNED);
}

void history_check_marks(const struct history *h, unsigned message, uint8_t seen)
{
	const struct message *m = record_message(h->record, message);
	for (enum mark mark = 0; mark < MARKS; mark++) {
		/* What else was done to a recalled one does not matter any more. */
		if (mark != MARK_RECALLED && (m->marks & MARK_BIT(MARK_RECALLED)))
			break;
		if ((m->marks & MARK_BIT(mark)) && !(seen & SEEN_MARK(mark)))
			record_violate(h->record, "m%u (seq %u of p%u with %s) is %s, and not so in the history of p%u",
				       message, m->seq, m->from, record_party_name(h->record, m->to).is,
				       record_mark_name(mark), h->user);
	}
}

static void check_seq(const struct history *h, uint32_t seq, const struct history_claims *claims)
{
	struct record *r = h->record;
	unsigned n = record_at(r, h->user, h->peer, seq);
	if (n == UINT_MAX) {
		record_violate(r, "the conversation of p%u and p%u has a gap at seq %u", h->user, h->peer, seq);
		return;
	}
	const struct message *m = record_message(r, n);
	bool mine = m->from == h->user;
	const struct deletion *deletion = record_deletion(r, n, h->user);
	uint8_t seen = h->seen[seq];
	if (seen == 0) {
		if (deletion == NULL)
			record_violate(r, "m%u (seq %u, %s) is lost from the history of p%u", n, seq,
				       m->acked ? "acknowledged" : "seen before", h->user);
		return;
	}
	if (deletion != NULL && deletion->done)
		record_violate(r, "m%u (seq %u) is still in the history of p%u, who has deleted it", n, seq, h->user);
	history_check_marks(h, n, seen);
	bool read = (seen & SEEN_READ) != 0;
	uint32_t tried = mine ? claims->peer_tried : claims->tried, done = mine ? claims->peer_done : claims->done;
	if (read ? seq > tried : seq <= done)
		record_violate(r, "m%u (seq %u) is %s in the history of p%u: p%u has read up to %u", n, seq,
			       read ? "read" : "unread", h->user, m->to, done);
}

void history_end(struct history *h, const struct history_claims *claims)
{
	struct record *r = h->record;
	for (uint32_t seq = 1; seq < h->size; seq++)
		check_seq(h, seq, claims);
	if (claims->read_seq < claims->done || claims->read_seq > claims->tried)
		record_violate(r, "p%u with p%u: read_seq is %" PRId64 ", and %u was answered", h->user, h->peer,
			       claims->read_seq, claims->done);
	if (claims->unread != h->unread)
		record_violate(r, "p%u with p%u: unread_count is %" PRId64 ", a recount gives %" PRId64, h->user,
			       h->peer, claims->unread, h->unread);
	if (claims->last_id != h->newest_id)
		record_violate(r, "p%u with p%u: last_message is %" PRIu64 ", the newest is %" PRIu64, h->user, h->peer,
			       claims->last_id, h->newest_id);
}
