/* SPDX-License-Identifier: BSD-2-Clause */
/* Announcements, ranks, and which sessions have to go. */
#include "core/base.h"
#include "live/policy.h"

#include "core/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A session elsewhere that leaves an announcement unanswered for this long is forgotten. */
#define REMOTE_KEPT_MS 60000
/* Sessions elsewhere that are remembered for a user. Logins that end at once could make any number of them. */
#define REMOTES_MAX 512
#define RANK_LEN 16

/* An announcement or an answer, taken apart. */
struct announcement {
	enum bus_kind kind;
	int64_t rank; /* BUS_AGAIN, BUS_PLACED; else 0 */
	char scale[WORKER_NAME_LEN + 1];
	char id[SESSION_ID_LEN + 1];
	char about[SESSION_ID_LEN + 1]; /* BUS_PLACED */
	char device[DEVICE_MAX + 1];
};

/* ---- the wire ---- */

static void tell(struct session *s, enum bus_kind kind, const char *about)
{
	char topic[TOPIC_MAX], text[128], rank[64] = "", id[SESSION_ID_LEN + 1];
	if (kind == BUS_AGAIN || kind == BUS_PLACED)
		snprintf(rank, sizeof(rank), "%016" PRIx64 " %s ", (uint64_t)s->rank, s->live->lamport.scale);
	int n = snprintf(text, sizeof(text), "%s %s%s%s%s", session_id(s, id), rank, kind == BUS_PLACED ? about : "",
			 kind == BUS_PLACED ? " " : "", session_device(s));
	push_publish(s->live, topic_make(topic, TOPIC_USER, str_from(s->user->id)), kind,
		     (struct str){text, (size_t)n});
}

/* Takes len characters and the space behind them. */
static bool take_word(struct str *data, char *out, size_t len)
{
	if (data->len < len + 1 || data->s[len] != ' ')
		return false;
	memcpy(out, data->s, len);
	out[len] = '\0';
	*data = (struct str){data->s + len + 1, data->len - len - 1};
	return true;
}

static bool take_rank(struct str *data, int64_t *rank_r)
{
	char word[RANK_LEN + 1], *end;
	if (!take_word(data, word, RANK_LEN) || strspn(word, HEX_DIGITS) != RANK_LEN)
		return false;
	uint64_t rank = strtoull(word, &end, 16);
	/* Half of the range: sums of ranks cannot overflow. */
	if (rank == 0 || rank > INT64_MAX / 2)
		return false;
	*rank_r = (int64_t)rank;
	return true;
}

static bool parse(struct announcement *a, enum bus_kind kind, struct str data)
{
	bool ranked = kind == BUS_AGAIN || kind == BUS_PLACED;
	*a = (struct announcement){.kind = kind};
	if (!take_word(&data, a->id, SESSION_ID_LEN) ||
	    (ranked && (!take_rank(&data, &a->rank) || !take_word(&data, a->scale, WORKER_NAME_LEN))) ||
	    (kind == BUS_PLACED && !take_word(&data, a->about, SESSION_ID_LEN)) || data.len > DEVICE_MAX)
		return false;
	memcpy(a->device, data.s, data.len);
	return true;
}

/* ---- ranks ---- */

/* Before hello nothing is read, so one whose client has left is kept until then: it is not one that is present. */
static bool is_open(const struct session *s)
{
	return s->ws != NULL && !s->leaving && !ws_peer_finished(s->ws);
}

static int64_t next_rank(struct live *live, struct user *u)
{
	int64_t now_us = lamport_now_us(&live->lamport);
	u->top_rank = now_us > u->top_rank ? now_us : u->top_rank + 1;
	return u->top_rank;
}

/*
 * Ranks of ours, and those given here to others, from `from` on are raised, so they keep their order. Those who know
 * our old ranks hear of the new ones, as an answer to nobody.
 */
static void raise_from(struct user *u, int64_t from, int64_t by)
{
	struct session *s;
	struct remote_session *other;
	char id[SESSION_ID_LEN + 1];
	u->top_rank += by;
	LIST_FOREACH (other, &u->remotes, entry)
		if (other->live && other->rank >= from)
			other->rank += by;
	SLIST_FOREACH (s, &u->sessions, of_user) {
		if (s->rank < from)
			continue;
		s->rank += by;
		if (is_open(s) && s->announced && s->live->legacy_peers == 0) {
			s->unconfirmed = false;
			tell(s, BUS_PLACED, session_id(s, id));
		}
	}
}

static struct session *session_find(struct user *u, const char *id)
{
	struct session *s;
	SLIST_FOREACH (s, &u->sessions, of_user)
		if (session_has_id(s, id))
			return s;
	return NULL;
}

/* While Redis is away nobody can be asked; the ids of one worker's sessions count up. */
static void rank_in_order_of_age(struct live *live, struct user *u)
{
	for (;;) {
		struct session *s, *oldest = NULL;
		/* The youngest comes first in the list. */
		SLIST_FOREACH (s, &u->sessions, of_user)
			if (s->rank == 0)
				oldest = s;
		if (oldest == NULL)
			return;
		oldest->rank = next_rank(live, u);
	}
}

static int64_t shifted(int64_t rank, int64_t by_us)
{
	return rank == 0 ? 0 : rank + by_us > 0 ? rank + by_us : 1;
}

static void shift_ranks(struct user *u, int64_t by_us)
{
	struct session *s;
	struct remote_session *other;
	SLIST_FOREACH (s, &u->sessions, of_user)
		s->rank = shifted(s->rank, by_us);
	LIST_FOREACH (other, &u->remotes, entry)
		other->rank = shifted(other->rank, by_us);
	u->top_rank = shifted(u->top_rank, by_us);
}

/* ---- who has to go ---- */

static bool rivals(const struct live *live, const char *device_a, const char *device_b)
{
	return live->conf->session.policy != SESSION_DEVICE || strcmp(device_a, device_b) == 0;
}

static bool is_newer(const struct live *live, int64_t rank_a, const char *id_a, int64_t rank_b, const char *id_b)
{
	if (live->legacy_peers == 0 && rank_a != rank_b)
		return rank_a > rank_b;
	return strcmp(id_a, id_b) > 0;
}

/* How many newer sessions are present beside this one; the id of the newest. */
static unsigned count_newer(const struct user *u, const struct session *s, char newest[SESSION_ID_LEN + 1])
{
	char own[SESSION_ID_LEN + 1], id[SESSION_ID_LEN + 1];
	const struct live *live = s->live;
	const struct session *mine;
	const struct remote_session *other;
	int64_t top = s->rank;
	unsigned newer = 0;

	session_id(s, newest);
	session_id(s, own);
	SLIST_FOREACH (mine, &u->sessions, of_user) {
		if (mine == s || !is_open(mine) || mine->rank == 0 ||
		    !rivals(live, session_device(s), session_device(mine)) ||
		    !is_newer(live, mine->rank, session_id(mine, id), s->rank, own))
			continue;
		newer++;
		if (is_newer(live, mine->rank, id, top, newest)) {
			top = mine->rank;
			memcpy(newest, id, sizeof(id));
		}
	}
	LIST_FOREACH (other, &u->remotes, entry) {
		bool present = other->roll == u->roll && (other->confirmed || live->unconfirming_peers != 0);
		if (!present || !rivals(live, session_device(s), other->device) ||
		    !is_newer(live, other->rank, other->id, s->rank, own))
			continue;
		newer++;
		if (is_newer(live, other->rank, other->id, top, newest)) {
			top = other->rank;
			memcpy(newest, other->id, sizeof(other->id));
		}
	}
	return newer;
}

static void apply(struct live *live, struct user *u)
{
	const struct conf *conf = live->conf;
	unsigned allowed = conf->session.policy == SESSION_MULTI ? (unsigned)conf->session.max : 1;
	struct session *s;

	/* A kick only begins a close, so the list stays as it is meanwhile. */
	SLIST_FOREACH (s, &u->sessions, of_user) {
		char newest[SESSION_ID_LEN + 1];
		if (is_open(s) && s->rank != 0 && count_newer(u, s, newest) >= allowed)
			session_kick(s, "replaced", newest);
	}
}

void policy_announce(struct session *s)
{
	struct live *live = s->live;
	if (!is_open(s) || s->announced)
		return;
	if (!bus_is_up(live->bus)) {
		/* Our own decide alone until the others can be asked. */
		s->user->roll++;
		rank_in_order_of_age(live, s->user);
		apply(live, s->user);
		return;
	}
	/* A rank means nothing to the others yet: policy_announce_all() comes when it does. */
	if (s->rank != 0 && !live->lamport.synced)
		return;
	/* It comes back, begins a new roll, and is decided upon. */
	s->announced = true;
	s->fresh = false;
	tell(s, s->rank != 0 && live->legacy_peers == 0 ? BUS_AGAIN : BUS_ANNOUNCE, NULL);
}

void policy_announce_all(struct live *live)
{
	struct session *s;
	LIST_FOREACH (s, &live->sessions, all) {
		if (!s->greeted)
			continue;
		/* What did not come back may have been lost on its way. */
		if (!s->heard)
			s->announced = false;
		policy_announce(s);
	}
}

void policy_answers_lost(struct live *live)
{
	struct session *s;
	LIST_FOREACH (s, &live->sessions, all)
		s->heard = false;
}

void policy_clock_synced(struct live *live)
{
	if (bus_is_up(live->bus))
		policy_announce_all(live);
}

void policy_scale_changed(struct live *live, int64_t by_us)
{
	uint32_t at = 0;
	struct user *u;
	struct session *s;
	while ((u = table_next(&live->users, &at)) != NULL)
		shift_ranks(u, by_us);
	/* Those without a rank are on their way, and will have one of the new scale. */
	LIST_FOREACH (s, &live->sessions, all)
		if (s->rank != 0)
			s->heard = false;
	policy_clock_synced(live);
}

void policy_link_down(struct live *live)
{
	struct session *s;
	struct user *u;
	uint32_t at = 0;
	LIST_FOREACH (s, &live->sessions, all)
		s->announced = s->heard = s->fresh = false;
	while ((u = table_next(&live->users, &at)) != NULL) {
		struct remote_session *other;
		u->roll++;
		LIST_FOREACH (other, &u->remotes, entry)
			other->live = other->again = false;
	}
}

/* ---- sessions elsewhere ---- */

static void remote_free(struct remote_session *other)
{
	LIST_REMOVE(other, entry);
	free(other);
}

/* From now on it is not known that ours are newer than what they have not heard of: the ranks alone tell. */
static void compare_by_rank(struct user *u)
{
	struct session *s;
	SLIST_FOREACH (s, &u->sessions, of_user)
		s->fresh = false;
}

/* It has been silent for long, but may be there. */
static void remote_forget(struct user *u, struct remote_session *other)
{
	if (other->live)
		compare_by_rank(u);
	remote_free(other);
}

static void begin_roll(struct user *u)
{
	int64_t now = clock_mono_ms();
	struct remote_session *other = LIST_FIRST(&u->remotes);
	u->roll++;
	while (other != NULL) {
		struct remote_session *next = LIST_NEXT(other, entry);
		if (other->asked_ms == 0)
			other->asked_ms = now;
		else if (now - other->asked_ms >= REMOTE_KEPT_MS)
			remote_forget(u, other);
		other = next;
	}
}

/* A new one has rank 0. Where too many are remembered, the one that has not answered for longest makes room. */
static struct remote_session *remote_get(struct user *u, const struct announcement *a)
{
	struct remote_session *other, *silent = NULL;
	unsigned count = 0;
	LIST_FOREACH (other, &u->remotes, entry) {
		if (strcmp(other->id, a->id) == 0)
			return other;
		count++;
		if (other->asked_ms != 0 && (silent == NULL || other->asked_ms <= silent->asked_ms))
			silent = other;
	}
	if (count >= REMOTES_MAX) {
		if (silent == NULL) {
			compare_by_rank(u);
			return NULL;
		}
		remote_forget(u, silent);
	}
	other = xcalloc(1, sizeof(*other));
	memcpy(other->id, a->id, sizeof(other->id));
	memcpy(other->device, a->device, sizeof(other->device));
	LIST_INSERT_HEAD(&u->remotes, other, entry);
	return other;
}

/*
 * The rank of the oldest of ours that are newer than the session that was heard of, whatever its rank says. The one
 * that it answers is new, and so newer. Were its announcement (`unheard`: we have not heard it) to come after one of
 * ours, we would have heard it, too.
 */
static int64_t oldest_newer(const struct user *u, const struct announcement *a, bool unheard)
{
	const struct session *s;
	int64_t rank = INT64_MAX;
	SLIST_FOREACH (s, &u->sessions, of_user)
		if (s->fresh && (unheard || session_has_id(s, a->about)) && s->rank < rank)
			rank = s->rank;
	return rank;
}

static void remote_heard(struct live *live, struct user *u, const struct announcement *a)
{
	struct remote_session *other = remote_get(u, a);
	if (other == NULL)
		return;
	other->roll = u->roll;
	other->asked_ms = 0;
	other->confirmed = a->kind != BUS_ANNOUNCE;
	if (a->kind == BUS_ANNOUNCE && other->rank == 0) {
		other->rank = next_rank(live, u);
		other->live = true;
	}
	if (a->rank == 0 || strcmp(a->scale, live->lamport.scale) != 0)
		return;
	if (a->kind == BUS_AGAIN) {
		other->live = false;
		other->again = true;
	}
	if (!other->live)
		other->rank = a->rank;
	if (a->rank > u->top_rank)
		u->top_rank = a->rank;
	int64_t from = oldest_newer(u, a, !other->live && !other->again);
	if (from <= a->rank)
		raise_from(u, from, a->rank + 1 - from);
}

static void own_heard(struct live *live, struct user *u, const struct announcement *a)
{
	struct session *s = session_find(u, a->id);
	if (s == NULL || s->ws == NULL)
		return;
	s->heard = true;
	s->unconfirmed = a->kind == BUS_ANNOUNCE;
	if (s->rank == 0) {
		s->rank = next_rank(live, u);
		s->fresh = true;
	}
}

static void tell_present(struct session *s, const char *about)
{
	bool ranked = s->live->lamport.synced && s->live->legacy_peers == 0;
	tell(s, ranked ? BUS_PLACED : BUS_PRESENT, about);
}

/* Also after one of our own: the others have to hear of those that are beside it here. */
static void answer(struct user *u, const struct announcement *a)
{
	struct session *s;
	SLIST_FOREACH (s, &u->sessions, of_user)
		if (is_open(s) && s->announced && s->rank != 0 && !session_has_id(s, a->id))
			tell_present(s, a->id);
}

/* An answer: somebody was there before, who may have to go for one of ours, if that one is still here. */
static void confirm(struct user *u, const struct announcement *a)
{
	struct session *s;
	char id[SESSION_ID_LEN + 1];
	SLIST_FOREACH (s, &u->sessions, of_user) {
		bool about = a->kind == BUS_PRESENT || session_has_id(s, a->about);
		if (!about || !s->unconfirmed || !s->announced || !is_open(s))
			continue;
		s->unconfirmed = false;
		tell_present(s, session_id(s, id));
	}
}

void policy_heard(struct live *live, struct str user_id, enum bus_kind kind, struct str data, bool own)
{
	struct announcement a;
	struct user *u = user_find(live, user_id);
	bool announces = kind == BUS_ANNOUNCE || kind == BUS_AGAIN;

	if (u == NULL || (own && !announces) || !parse(&a, kind, data))
		return;
	if (announces)
		begin_roll(u);
	if (own)
		own_heard(live, u, &a);
	else
		remote_heard(live, u, &a);
	apply(live, u);
	if (announces)
		answer(u, &a);
	else
		confirm(u, &a);
}

void policy_forget(struct user *u)
{
	struct remote_session *other;
	while ((other = LIST_FIRST(&u->remotes)) != NULL)
		remote_free(other);
}
