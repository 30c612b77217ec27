/* SPDX-License-Identifier: BSD-2-Clause */
/* Replays the system messages of a group, see group_state.h. */
#include "core/base.h"
#include "group_state.h"

#include <stdlib.h>

static const char *const names[EVENTS] = {
	[EVENT_NONE] = "",	     [EVENT_CREATED] = "created",
	[EVENT_ADDED] = "added",     [EVENT_JOINED] = "joined",
	[EVENT_LEFT] = "left",	     [EVENT_REMOVED] = "removed",
	[EVENT_RENAMED] = "renamed", [EVENT_ROLE] = "role",
	[EVENT_OWNER] = "owner",     [EVENT_DISSOLVED] = "dissolved",
};

const char *group_event_name(enum group_event e)
{
	return names[e];
}

enum group_event group_event_of(struct str name)
{
	for (int e = EVENT_CREATED; e < EVENTS; e++)
		if (str_is(name, names[e]))
			return (enum group_event)e;
	return EVENT_NONE;
}

void group_state_init(struct group_state *s, unsigned users)
{
	*s = (struct group_state){.users = users};
	s->rank = xcalloc(users, sizeof(*s->rank));
	s->joined_seq = xcalloc(users, sizeof(*s->joined_seq));
}

void group_state_fini(struct group_state *s)
{
	free(s->rank);
	free(s->joined_seq);
}

static const char *come_in(struct group_state *s, uint32_t seq, const struct event *e)
{
	const char *wrong = e->count == 0 ? "tells of nobody" : NULL;
	for (unsigned i = 0; i < e->count; i++) {
		unsigned u = e->user[i];
		if (s->rank[u] != RANK_NONE)
			wrong = "tells of one who was in it already";
		else
			s->members++;
		s->rank[u] = RANK_MEMBER;
		s->joined_seq[u] = seq;
	}
	return wrong;
}

static const char *go_out(struct group_state *s, const struct event *e)
{
	unsigned u = e->user[0];
	if (e->count != 1)
		return "tells of none or of several";
	if (s->rank[u] == RANK_NONE)
		return "tells of one who was not in it";
	s->rank[u] = RANK_NONE;
	s->members--;
	return NULL;
}

static const char *change_rank(struct group_state *s, unsigned from, const struct event *e)
{
	unsigned u = e->user[0];
	if (e->count != 1)
		return "tells of none or of several";
	if (s->rank[u] == RANK_NONE || s->rank[u] == RANK_OWNER)
		return "tells of one who is not in it, or owns it";
	if (e->is == EVENT_ROLE) {
		s->rank[u] = s->rank[u] == RANK_ADMIN ? RANK_MEMBER : RANK_ADMIN;
	} else {
		s->rank[from] = RANK_ADMIN;
		s->rank[u] = RANK_OWNER;
	}
	return NULL;
}

/* Whether that one may do it, before it is done. */
static const char *look_at_actor(const struct group_state *s, unsigned from, const struct event *e)
{
	enum rank rank = (enum rank)s->rank[from], other = e->count != 0 ? (enum rank)s->rank[e->user[0]] : RANK_NONE;
	if (e->is == EVENT_CREATED)
		return e->count == 0 || e->user[0] != from ? "does not begin with who has made it" : NULL;
	if (e->is == EVENT_JOINED)
		return e->count != 1 || e->user[0] != from ? "is by another" : NULL;
	if (rank == RANK_NONE)
		return "is by one who was not in it";
	if (e->is == EVENT_LEFT && (e->count != 1 || e->user[0] != from))
		return "is by another";
	if (e->is == EVENT_REMOVED && (rank < RANK_ADMIN || other >= rank))
		return "is by one who may not";
	if (e->is == EVENT_RENAMED && rank < RANK_ADMIN)
		return "is by one who may not";
	if ((e->is == EVENT_ROLE || e->is == EVENT_OWNER || e->is == EVENT_DISSOLVED) && rank != RANK_OWNER)
		return "is by one who may not";
	return NULL;
}

const char *group_state_apply(struct group_state *s, uint32_t seq, unsigned from, const struct event *e)
{
	const char *wrong = look_at_actor(s, from, e), *more = NULL;
	if ((e->is == EVENT_CREATED) != (seq == 1))
		wrong = "is not how a group begins";
	if (s->dissolved_seq != 0)
		wrong = "comes after the end of the group";
	switch (e->is) {
	case EVENT_CREATED:
	case EVENT_ADDED:
	case EVENT_JOINED:
		more = come_in(s, seq, e);
		if (e->is == EVENT_CREATED)
			s->rank[from] = RANK_OWNER;
		break;
	case EVENT_LEFT:
	case EVENT_REMOVED:
		more = go_out(s, e);
		break;
	case EVENT_ROLE:
	case EVENT_OWNER:
		more = change_rank(s, from, e);
		break;
	case EVENT_DISSOLVED:
		s->dissolved_seq = seq;
		break;
	case EVENT_NONE:
	case EVENT_RENAMED:
	case EVENTS:
		break;
	}
	return wrong != NULL ? wrong : more;
}
