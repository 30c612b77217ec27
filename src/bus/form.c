/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes and reads what comes before the data of a message. */
#include "core/base.h"
#include "bus/form.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/log.h"

/* Begins a message of the second form; no kind has this letter. */
#define LEAD '@'

_Static_assert(sizeof(ORIGIN_RELAY) - 1 == ORIGIN_LEN, "as long as a worker's name");

/* The kinds of the second form, and the version of their data that is sent and understood. */
static const struct kind_row {
	enum bus_kind kind;
	char version;
	char flag;
} kinds[] = {
	{BUS_AGAIN, '1', BUS_MAY_IGNORE},     {BUS_PLACED, '1', BUS_MAY_IGNORE}, {BUS_CATCH_UP, '1', BUS_MUST_KNOW},
	{BUS_IN, '1', BUS_MUST_KNOW},	      {BUS_OUT, '1', BUS_MUST_KNOW},	 {BUS_VIEW, '1', BUS_MAY_IGNORE},
	{BUS_UNSURE, '1', BUS_MUST_KNOW},     {BUS_TURN, '1', BUS_MUST_KNOW},	 {BUS_REVOKED, '1', BUS_MAY_IGNORE},
	{BUS_KICK_ONE, '1', BUS_MAY_IGNORE},  {BUS_TRACE, '1', BUS_MAY_IGNORE},	 {BUS_TRACED, '1', BUS_MAY_IGNORE},
	{BUS_ROLL_CALL, '1', BUS_MAY_IGNORE}, {BUS_ROLL, '1', BUS_MAY_IGNORE},
};

static const struct kind_row *kind_find(char kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if ((char)kinds[i].kind == kind)
			return &kinds[i];
	return NULL;
}

struct str topic_make(char out[TOPIC_MAX], const char *prefix, struct str whose)
{
	ASSERT(whose.len <= USER_ID_MAX);
	memcpy(out, prefix, 2);
	memcpy(out + 2, whose.s, whose.len);
	return (struct str){out, 2 + whose.len};
}

struct str topic_make_group(char out[TOPIC_MAX], uint64_t conversation_id)
{
	int len = snprintf(out, TOPIC_MAX, TOPIC_GROUP "%" PRIu64, conversation_id);
	return (struct str){out, (size_t)len};
}

void bus_form_begin(struct buf *b, enum bus_kind kind, const char *origin)
{
	const struct kind_row *row = kind_find((char)kind);
	if (row != NULL) {
		buf_append_char(b, LEAD);
		buf_append_char(b, row->version);
		buf_append_char(b, row->flag);
	}
	buf_append_char(b, (char)kind);
	buf_append(b, origin, ORIGIN_LEN);
}

bool bus_form_read(struct str message, struct bus_form *form_r)
{
	*form_r = (struct bus_form){.known = true};
	if (message.len != 0 && message.s[0] == LEAD) {
		if (message.len < 3 + 1 + ORIGIN_LEN)
			return false;
		const struct kind_row *row = kind_find(message.s[3]);
		form_r->may_ignore = message.s[2] == BUS_MAY_IGNORE;
		form_r->known = row != NULL && message.s[1] == row->version;
		message = (struct str){message.s + 3, message.len - 3};
	}
	if (message.len < 1 + ORIGIN_LEN)
		return false;
	form_r->kind = message.s[0];
	form_r->origin = (struct str){message.s + 1, ORIGIN_LEN};
	form_r->data = (struct str){message.s + 1 + ORIGIN_LEN, message.len - 1 - ORIGIN_LEN};
	return id_worker_valid(form_r->origin);
}

bool bus_form_is_relays(const struct bus_form *form)
{
	return str_is(form->origin, ORIGIN_RELAY);
}
