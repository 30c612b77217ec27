/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whom to tell of rows of the outbox, each once: users and groups, and direct conversations while their users are not
 * known. Pure memory.
 */
#ifndef TIDINGS_RELAY_AUDIENCE_H
#define TIDINGS_RELAY_AUDIENCE_H

#include "core/base.h"
#include "bus/form.h"
#include "core/table.h"

/* A user or a group. */
struct listener {
	enum bus_kind kind; /* BUS_CATCH_UP, or BUS_UNSURE: the memberships have to be looked at, too */
	uint8_t topic_len;
	char topic[TOPIC_MAX];
};

struct audience {
	struct table listeners; /* by topic */
	struct listener **order;
	size_t count, cap;
	uint64_t *conversation; /* direct ones that no one has looked up yet; sorted and each once after audience_sort()
				 */
	size_t conversations, conversation_cap;
};

void audience_init(struct audience *a);
void audience_fini(struct audience *a);
void audience_clear(struct audience *a);

/* All that the items of a row concern. False: some are malformed; what comes before them is added all the same. */
bool audience_add_row(struct audience *a, struct str items) MUST_CHECK;
/* It only has to catch up. Ignored where that is no user's id. */
void audience_add_user(struct audience *a, struct str user);
/* Each direct conversation once. */
void audience_sort(struct audience *a);
/* Of both kinds: what is to be told, at most two times the conversations and the rest. */
size_t audience_size(const struct audience *a);

#endif
