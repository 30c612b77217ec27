/* SPDX-License-Identifier: BSD-2-Clause */
/* From a worker to the relay that leads: who came, who went, and who is here. */
#include "core/base.h"
#include "live/roll.h"

#include "core/id.h"
#include "core/siphash.h"
#include "live/push.h"
#include "live/session.h"

/* Then they are told at once. */
#define HINTS_FULL 32768

static void roll_tell(struct live *live)
{
	struct roll *r = &live->roll;
	if (r->hints.len != 0)
		push_publish(live, STR_LIT(TOPIC_ROLL), BUS_ROLL, (struct str){r->hints.data, r->hints.len});
	buf_clear(&r->hints);
	wheel_cancel(&r->timer);
}

static void on_timer(struct wheel_timer *t)
{
	roll_tell(container_of(t, struct live, roll.timer));
}

void roll_note(struct live *live, struct str user, bool came)
{
	struct roll *r = &live->roll;
	if (!live->conf->relay.presence)
		return;
	buf_append_char(&r->hints, came ? '+' : '-');
	buf_append_str(&r->hints, user);
	buf_append_char(&r->hints, ' ');
	if (r->hints.len >= HINTS_FULL)
		roll_tell(live);
	else if (!wheel_timer_is_set(&r->timer))
		wheel_set(loop_wheel(live->loop), &r->timer, ROLL_MS, on_timer);
}

static bool read_parts(struct str data, uint64_t *part_r, uint64_t *parts_r)
{
	const char *space = data.len != 0 ? memchr(data.s, ' ', data.len) : NULL;
	if (space == NULL)
		return false;
	size_t len = (size_t)(space - data.s);
	return id_parse_u64((struct str){data.s, len}, part_r) == 0 &&
	       id_parse_u64((struct str){space + 1, data.len - len - 1}, parts_r) == 0 && *parts_r != 0;
}

static void note_part(struct live *live, uint64_t part, uint64_t parts)
{
	static const uint64_t key[2] = {0x726f, 0x6c6c};
	uint32_t at = 0;
	const struct user *u;
	while ((u = table_next(&live->users, &at)) != NULL)
		if (user_is_open(u) && siphash(key, u->id, strlen(u->id)) % parts == part)
			roll_note(live, str_from(u->id), true);
}

void roll_called(struct live *live, struct str data)
{
	uint64_t part, parts;
	if (read_parts(data, &part, &parts))
		note_part(live, part, parts);
}

void roll_tell_all(struct live *live)
{
	if (live->conf->relay.presence)
		note_part(live, 0, 1);
}

void roll_fini(struct live *live)
{
	roll_tell(live);
	buf_fini(&live->roll.hints);
}
