/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides who gives way when messages that are not whole take too much memory. Must not know what they are. */
#include "core/base.h"
#include "net/intake.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"

struct intake {
	TAILQ_HEAD(, intake_entry) entries; /* in the order in which they began; without those that are held */
	size_t bytes;			    /* of all, with those that are held */
};

struct intake *intake_new(void)
{
	struct intake *in = xcalloc(1, sizeof(*in));
	TAILQ_INIT(&in->entries);
	return in;
}

void intake_free(struct intake **in)
{
	free(*in);
	*in = NULL;
}

void intake_begin(struct intake *in, struct intake_entry *e, void (*give_way)(void *owner), void *owner)
{
	ASSERT(e->intake == NULL);
	*e = (struct intake_entry){.intake = in, .give_way = give_way, .owner = owner, .since_ms = clock_mono_ms()};
	TAILQ_INSERT_TAIL(&in->entries, e, entry);
}

void intake_set(struct intake_entry *e, size_t bytes)
{
	e->intake->bytes += bytes - e->bytes;
	e->bytes = bytes;
}

void intake_hold(struct intake_entry *e)
{
	if (e->held)
		return;
	e->held = true;
	TAILQ_REMOVE(&e->intake->entries, e, entry);
}

void intake_end(struct intake_entry *e)
{
	if (e->intake == NULL)
		return;
	intake_hold(e);
	e->intake->bytes -= e->bytes;
	e->intake = NULL;
}

void intake_make_room(struct intake *in)
{
	struct intake_entry *e;
	while (in->bytes > INTAKE_MEMORY && (e = TAILQ_FIRST(&in->entries)) != NULL) {
		e->give_way(e->owner);
		ASSERT(TAILQ_FIRST(&in->entries) != e);
	}
}

size_t intake_bytes(const struct intake *in)
{
	return in->bytes;
}
