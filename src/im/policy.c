/* SPDX-License-Identifier: BSD-2-Clause */
/* Announcements, and who has to go. */
#include "core/base.h"
#include "im/policy.h"

#include <stdio.h>
#include <stdlib.h>

static void tell(struct session *s, enum bus_kind kind)
{
	char topic[TOPIC_MAX];
	char text[SESSION_ID_LEN + 1 + DEVICE_MAX + 1];
	int n = snprintf(text, sizeof(text), "%s %s", s->id, s->device);
	push_publish(s->im, topic_make(topic, TOPIC_USER, str_from(s->user->id)), kind, (struct str){text, (size_t)n});
}

static bool rivals(const struct im *im, const char *device_a, const char *device_b)
{
	return im->conf->session.policy != SESSION_DEVICE || strcmp(device_a, device_b) == 0;
}

/* How many newer sessions stand beside this one; the newest's id in *newest_r. */
static unsigned count_newer(const struct user *u, const struct session *s, const char **newest_r)
{
	const struct session *mine;
	const struct remote_session *other;
	unsigned newer = 0;

	*newest_r = s->id;
	LIST_FOREACH (mine, &u->sessions, of_user) {
		if (mine->ws == NULL || mine->leaving || !rivals(s->im, s->device, mine->device) ||
		    strcmp(mine->id, s->id) <= 0)
			continue;
		newer++;
		if (strcmp(mine->id, *newest_r) > 0)
			*newest_r = mine->id;
	}
	LIST_FOREACH (other, &u->remotes, entry) {
		if (other->roll != u->roll || !rivals(s->im, s->device, other->device) || strcmp(other->id, s->id) <= 0)
			continue;
		newer++;
		if (strcmp(other->id, *newest_r) > 0)
			*newest_r = other->id;
	}
	return newer;
}

static void apply(struct im *im, struct user *u)
{
	const struct conf *conf = im->conf;
	unsigned allowed = conf->session.policy == SESSION_MULTI ? (unsigned)conf->session.max : 1;
	struct session *s;

	/* A kick only begins a close, so the list stays as it is meanwhile. */
	LIST_FOREACH (s, &u->sessions, of_user) {
		const char *newest;
		if (s->ws != NULL && !s->leaving && count_newer(u, s, &newest) >= allowed)
			session_kick(s, "replaced", newest);
	}
}

void policy_announce(struct session *s)
{
	if (s->leaving || s->announced)
		return;
	if (!bus_is_up(s->im->bus)) {
		/* What was heard before is out of date: our own decide alone, until the others can be asked. */
		s->user->roll++;
		apply(s->im, s->user);
		return;
	}
	/* Coming back, it begins a new roll and is decided upon. */
	s->announced = true;
	tell(s, BUS_ANNOUNCE);
}

void policy_announce_all(struct im *im)
{
	struct session *s;
	LIST_FOREACH (s, &im->sessions, all)
		if (s->greeted)
			policy_announce(s);
}

static void remember(struct user *u, const char *id, const char *device)
{
	struct remote_session *other;
	LIST_FOREACH (other, &u->remotes, entry)
		if (strcmp(other->id, id) == 0)
			break;
	if (other == NULL) {
		other = xcalloc(1, sizeof(*other));
		snprintf(other->id, sizeof(other->id), "%s", id);
		snprintf(other->device, sizeof(other->device), "%s", device);
		LIST_INSERT_HEAD(&u->remotes, other, entry);
	}
	other->roll = u->roll;
}

static void forget_older_rolls(struct user *u)
{
	struct remote_session *other = LIST_FIRST(&u->remotes);
	while (other != NULL) {
		struct remote_session *next = LIST_NEXT(other, entry);
		if (other->roll != u->roll) {
			LIST_REMOVE(other, entry);
			free(other);
		}
		other = next;
	}
}

static bool split(struct str data, char id[SESSION_ID_LEN + 1], char device[DEVICE_MAX + 1])
{
	if (data.len < SESSION_ID_LEN + 1 || data.s[SESSION_ID_LEN] != ' ' ||
	    data.len - SESSION_ID_LEN - 1 > DEVICE_MAX)
		return false;
	memcpy(id, data.s, SESSION_ID_LEN);
	id[SESSION_ID_LEN] = '\0';
	memcpy(device, data.s + SESSION_ID_LEN + 1, data.len - SESSION_ID_LEN - 1);
	device[data.len - SESSION_ID_LEN - 1] = '\0';
	return true;
}

void policy_heard(struct im *im, struct str user_id, enum bus_kind kind, struct str data, bool own)
{
	char id[SESSION_ID_LEN + 1], device[DEVICE_MAX + 1];
	struct user *u = user_find(im, user_id);
	struct session *s;

	if (u == NULL || !split(data, id, device))
		return;
	if (kind == BUS_ANNOUNCE) {
		u->roll++;
		forget_older_rolls(u);
	}
	if (!own)
		remember(u, id, device);
	apply(im, u);
	if (kind != BUS_ANNOUNCE)
		return;
	/* Also after one of our own: the others have to hear of those that stand beside it here. */
	LIST_FOREACH (s, &u->sessions, of_user)
		if (s->ws != NULL && s->announced && !s->leaving && strcmp(s->id, id) != 0)
			tell(s, BUS_PRESENT);
}

void policy_forget(struct user *u)
{
	u->roll++;
	forget_older_rolls(u);
}
