/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps what was done to messages after they were sent. */
#include "core/base.h"
#include "record.h"

#include <inttypes.h>
#include <limits.h>

#include "record_groups_priv.h"
#include "record_priv.h"

/* told_as: its event, and its kind of change. */
static const struct {
	const char *told_as, *name;
} marks[MARKS] = {
	[MARK_RECALLED] = {"recalled", "recalled"},
	[MARK_EDITED] = {"edited", "edited"},
	[MARK_REACTED] = {"reaction", "reacted to"},
	[MARK_PINNED] = {"pinned", "pinned"},
};

enum mark record_mark_of(struct str name)
{
	enum mark mark = 0;
	while (mark < MARKS && !str_is(name, marks[mark].told_as))
		mark++;
	return mark;
}

const char *record_mark_name(enum mark mark)
{
	return marks[mark].name;
}

static void note(struct record *r, unsigned message, enum mark mark, const char *where, struct instant now)
{
	struct message *m = &r->message[message];
	if (!(m->tried & MARK_BIT(mark)))
		record_violate(r, "m%u %s: is %s, which nobody asked for", message, where, marks[mark].name);
	if (m->marks & MARK_BIT(mark))
		return;
	m->marks |= MARK_BIT(mark);
	/* Who the members of a group were is not known before. */
	if (m->to < r->users || record_group_has_replayed(r, m))
		record_all_wait(r, message, HAS_MARK(mark), now);
}

void record_note_marks(struct record *r, unsigned message, uint8_t seen, const char *where, struct instant now)
{
	for (enum mark mark = 0; mark < MARKS; mark++)
		if (seen & MARK_BIT(mark))
			note(r, message, mark, where, now);
}

void record_mark_told(struct record *r, unsigned device, uint64_t message_id, enum mark mark, struct instant now)
{
	unsigned n = record_find(r, message_id);
	if (n == UINT_MAX)
		record_violate(r, "device %u of p%u is told that %" PRIu64 " is %s, which nobody has seen", device,
			       r->device[device].user, message_id, marks[mark].name);
	else
		record_marked(r, device, n, mark, now);
}

void record_mark_tried(struct record *r, unsigned message, enum mark mark)
{
	r->message[message].tried |= MARK_BIT(mark);
}

void record_marked(struct record *r, unsigned device, unsigned message, enum mark mark, struct instant now)
{
	note(r, message, mark, "as is told or answered", now);
	if (device != UINT_MAX)
		record_device_got(r, device, message, HAS_MARK(mark), now);
}
