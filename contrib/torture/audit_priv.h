/* SPDX-License-Identifier: BSD-2-Clause */
/* What audit.c and audit_groups.c share. */
#ifndef TIDINGS_TORTURE_AUDIT_PRIV_H
#define TIDINGS_TORTURE_AUDIT_PRIV_H

#include "core/base.h"
#include "audit.h"
#include "history.h"
#include "record.h"
#include "record_groups.h"

#define CURSOR_ROOM 192

struct json;

/* A conversation as the list shows it to its user. */
struct listed {
	uint64_t id, last_id; /* last_id: of last_message, 0: null */
	unsigned peer;
	int64_t unread, mentions, read_seq, first_seq;
};

enum step { STEP_LIST, STEP_HISTORY, STEP_PINS, STEP_UNREAD, STEP_FRIENDS, STEP_GROUPS };

struct audit {
	struct stack *stack;
	struct crowd *crowd;
	struct record *record;
	unsigned users, user;
	enum step step;
	bool done;
	char cursor[CURSOR_ROOM];
	struct listed *listed;
	unsigned count, at;
	struct history history; /* of the conversation `at` */
	uint32_t before;
	int64_t unread_total, mentions_total; /* of the user's conversations so far */
	/* STEP_GROUPS: the party that is asked about, its members (of one that the user is in) or that there is none.
	 */
	unsigned group;
	bool *has_members;  /* by group: its list was fetched, which one member does */
	bool *members_seen; /* by user: in the list so far */
};

/* ---- audit_groups.c ---- */
/* `group` of a conversation in the user's list. */
void audit_look_at_group(struct audit *a, unsigned party, const struct json *group);
/* The next group from that number on that something is asked about; false: none. */
bool audit_next_group(struct audit *a, unsigned from);
void audit_group_path(const struct audit *a, char *path, size_t size);
/* False: that was the last answer for this user. */
bool audit_take_group(struct audit *a, int status, const struct json *body);

#endif
