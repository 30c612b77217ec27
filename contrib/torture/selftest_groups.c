/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Can the checks of groups fail? p0 has made g0 with p1 and p2, and g1 with p1 alone, where nobody sees what was before
 * they came in. p0 has the devices d0 and d1, the others one each, d2 to d4.
 */
#include "core/base.h"
#include "selftest_priv.h"

#include <limits.h>
#include <stdio.h>

#include "core/id.h"
#include "record_changes.h"
#include "record_groups.h"

static struct sight sight_at(unsigned party, uint32_t seq, unsigned from)
{
	return (struct sight){.id = message_id_make(ID_OF(party), seq),
			      .conversation_id = ID_OF(party),
			      .seq = seq,
			      .from = from,
			      .to = party,
			      .mention = MENTION_NONE};
}

/* users: as many digits as there are. */
static struct event event_of(enum group_event is, const char *users)
{
	struct event e = {.is = is};
	for (; *users != '\0'; users++)
		e.user[e.count++] = (unsigned short)(*users - '0');
	return e;
}

/* A system message is seen in a history. */
static void tell(struct trial *t, unsigned party, uint32_t seq, unsigned from, enum group_event is, const char *users)
{
	struct sight s = sight_at(party, seq, from);
	s.event = event_of(is, users);
	record_seen(t->record, &s, trial_at(t));
}

static unsigned ask(struct trial *t, unsigned party, unsigned actor, enum group_event is, const char *users)
{
	struct event e = event_of(is, users);
	return record_change(t->record, party, actor, &e);
}

static void answer(struct trial *t, unsigned change, enum change_outcome outcome)
{
	record_change_answered(t->record, change, outcome, NULL, trial_at(t));
}

/* Asked, done and answered. */
void group_change(struct trial *t, unsigned party, uint32_t seq, unsigned actor, enum group_event is, const char *users)
{
	unsigned n = ask(t, party, actor, is, users);
	tell(t, party, seq, actor, is, users);
	answer(t, n, CHANGE_DONE);
}

struct sight group_sight_of(struct trial *t, unsigned n, uint32_t seq)
{
	static char client[32], text[64];
	const struct message *m = record_message(t->record, n);
	struct sight s = sight_at(m->to, seq, m->from);
	s.event = m->event;
	if (m->event.is != EVENT_NONE)
		return s;
	snprintf(client, sizeof(client), "m%u", n);
	record_text(t->record, n, false, text);
	s.client_msg_id = str_from(client);
	s.content = str_from(text);
	s.mention = m->mention;
	return s;
}

unsigned group_send_mentioning(struct trial *t, unsigned party, uint32_t seq, unsigned from, unsigned mention)
{
	unsigned n = record_send(t->record, from, party, mention, trial_at(t));
	struct sight s = group_sight_of(t, n, seq);
	record_acked(t->record, UINT_MAX, n, &s, false, trial_at(t));
	return n;
}

void group_say(struct trial *t, unsigned party, uint32_t seq, unsigned from)
{
	group_send_mentioning(t, party, seq, from, MENTION_NONE);
}

static void push(struct trial *t, unsigned device, unsigned party, uint32_t seq)
{
	struct sight s = group_sight_of(t, record_at(t->record, 0, party, seq), seq);
	record_pushed(t->record, t->devices[device], &s, false, trial_at(t));
}

/* To each device of that kind of list: digits. */
void group_push_all(struct trial *t, const char *devices, unsigned party, uint32_t seq)
{
	for (; *devices != '\0'; devices++)
		push(t, (unsigned)(*devices - '0'), party, seq);
}

void group_trial_begin(struct trial *t)
{
	static const unsigned users[TRIAL_DEVICES_MAX] = {0, 0, 1, 2, 3};
	memset(t, 0, sizeof(*t));
	t->record = record_new(USERS, trial_on_violation, t);
	record_add_group(t->record, 0, false);
	record_add_group(t->record, 0, true);
	record_group_made(t->record, G0, ID_OF(G0));
	record_group_made(t->record, G1, ID_OF(G1));
	for (unsigned i = 0; i < TRIAL_DEVICES_MAX; i++) {
		t->devices[i] = record_add_device(t->record, users[i]);
		record_session_opened(t->record, t->devices[i], trial_at(t));
		record_session_synced(t->record, t->devices[i], trial_at(t));
	}
	group_change(t, G0, 1, 0, EVENT_CREATED, "012");
	group_change(t, G1, 1, 0, EVENT_CREATED, "01");
}

void group_end(struct trial *t)
{
	trial_check(t);
	record_groups_end(t->record);
}

/* ---- given ---- */

static void all_right(struct trial *t)
{
	group_say(t, G0, 2, 0);
	group_push_all(t, "0123", G0, 2);
	group_change(t, G0, 3, 1, EVENT_ADDED, "3");
	group_push_all(t, "01234", G0, 3);
	group_say(t, G0, 4, 3);
	group_push_all(t, "01234", G0, 4);
	group_change(t, G0, 5, 0, EVENT_REMOVED, "2");
	group_push_all(t, "01234", G0, 5);
	group_say(t, G0, 6, 1);
	group_push_all(t, "0124", G0, 6);
	group_end(t);
}

static void not_given(struct trial *t)
{
	group_say(t, G0, 2, 0);
	group_push_all(t, "013", G0, 2);
	group_end(t);
}

static void not_given_to_new(struct trial *t)
{
	group_change(t, G0, 2, 0, EVENT_ADDED, "3");
	group_push_all(t, "012", G0, 2);
	group_push_all(t, "3", G0, 2);
	group_say(t, G0, 3, 0);
	group_push_all(t, "0123", G0, 3);
	group_end(t);
}

static void caught_up(struct trial *t)
{
	group_say(t, G0, 2, 0);
	group_push_all(t, "013", G0, 2);
	record_resync(t->record, t->devices[2]);
	struct sight s = group_sight_of(t, record_at(t->record, 0, G0, 2), 2);
	record_synced(t->record, t->devices[2], &s, trial_at(t));
	group_end(t);
}

static void event_not_given(struct trial *t)
{
	group_change(t, G0, 2, 0, EVENT_ADDED, "3");
	group_push_all(t, "013", G0, 2);
	group_end(t);
}

static void disordered(struct trial *t)
{
	group_say(t, G0, 2, 0);
	group_say(t, G0, 3, 0);
	group_push_all(t, "013", G0, 2);
	group_push_all(t, "0123", G0, 3);
	push(t, 2, G0, 2);
	group_end(t);
}

static void recall_not_given(struct trial *t)
{
	group_say(t, G0, 2, 0);
	group_push_all(t, "0123", G0, 2);
	record_mark_tried(t->record, record_at(t->record, 0, G0, 2), MARK_RECALLED);
	for (unsigned d = 0; d < 3; d++)
		record_marked(t->record, t->devices[d], record_at(t->record, 0, G0, 2), MARK_RECALLED, trial_at(t));
	group_end(t);
}

static void out_is_not_waited_for(struct trial *t)
{
	group_say(t, G0, 2, 0);
	group_push_all(t, "012", G0, 2);
	group_change(t, G0, 3, 2, EVENT_LEFT, "2");
	group_push_all(t, "012", G0, 3);
	group_end(t);
}

static void given_when_out(struct trial *t)
{
	group_change(t, G0, 2, 2, EVENT_LEFT, "2");
	group_push_all(t, "0123", G0, 2);
	group_say(t, G0, 3, 0);
	group_push_all(t, "0123", G0, 3);
	group_end(t);
}

/* The message of coming back is seen later than what comes after it. */
static void back_again(struct trial *t)
{
	group_change(t, G0, 2, 2, EVENT_LEFT, "2");
	group_push_all(t, "012", G0, 2);
	unsigned n = ask(t, G0, 2, EVENT_JOINED, "2");
	group_say(t, G0, 4, 2);
	group_push_all(t, "3", G0, 4);
	tell(t, G0, 3, 2, EVENT_JOINED, "2");
	answer(t, n, CHANGE_AS_ASKED);
	group_push_all(t, "012", G0, 3);
	group_push_all(t, "012", G0, 4);
	group_end(t);
}

static void given_from_before(struct trial *t)
{
	group_say(t, G1, 2, 0);
	group_push_all(t, "012", G1, 2);
	group_change(t, G1, 3, 0, EVENT_ADDED, "2");
	group_push_all(t, "012", G1, 3);
	push(t, 3, G1, 2);
	group_end(t);
}

static void gap(struct trial *t)
{
	group_say(t, G0, 3, 0);
	group_push_all(t, "0123", G0, 3);
	group_end(t);
}

static void nobody_saw_the_last(struct trial *t)
{
	record_group_reaches(t->record, G0, 2, trial_at(t));
	record_groups_end(t->record);
}

static void repeated(struct trial *t)
{
	group_say(t, G0, 2, 0);
	group_push_all(t, "0123", G0, 2);
	unsigned n = record_at(t->record, 0, G0, 2);
	struct sight s = group_sight_of(t, n, 2), again = group_sight_of(t, n, 3);
	record_acked(t->record, t->devices[0], n, &s, true, trial_at(t));
	if (strstr(t->said, "m1") == NULL)
		record_acked(t->record, t->devices[0], n, &again, true, trial_at(t));
}

static void another_event(struct trial *t)
{
	group_change(t, G0, 2, 0, EVENT_ADDED, "3");
	tell(t, G0, 2, 0, EVENT_ADDED, "2");
}

static void refused(struct trial *t)
{
	unsigned n = record_send(t->record, 3, G0, MENTION_NONE, trial_at(t));
	record_claim(t->record, G0, 3, CLAIM_OUT, 1, trial_at(t), "a send");
	record_refused(t->record, n);
	group_end(t);
}

static void mention_kept(struct trial *t)
{
	group_send_mentioning(t, G0, 2, 0, 3);
}

/* ---- changes ---- */

static void twice_in(struct trial *t)
{
	tell(t, G0, 2, 0, EVENT_ADDED, "1");
}

static void from_outside(struct trial *t)
{
	group_say(t, G0, 2, 3);
}

static void without_right(struct trial *t)
{
	group_change(t, G0, 2, 1, EVENT_REMOVED, "2");
}

static void after_the_end(struct trial *t)
{
	group_change(t, G0, 2, 0, EVENT_DISSOLVED, "");
	group_say(t, G0, 3, 0);
}

static void change_lost(struct trial *t)
{
	answer(t, ask(t, G0, 0, EVENT_ADDED, "3"), CHANGE_DONE);
	group_end(t);
}

/* It is there, but it was done by an earlier request, which was answered as well. */
static void change_lost_behind_another(struct trial *t)
{
	group_change(t, G0, 2, 0, EVENT_RENAMED, "");
	group_push_all(t, "0123", G0, 2);
	answer(t, ask(t, G0, 0, EVENT_RENAMED, ""), CHANGE_DONE);
	group_end(t);
}

static void unknown_not_done(struct trial *t)
{
	answer(t, ask(t, G0, 0, EVENT_ADDED, "3"), CHANGE_UNKNOWN);
	group_end(t);
}

/* An earlier request of unknown outcome has done it, and the repeat finds it so. */
static void unknown_done(struct trial *t)
{
	answer(t, ask(t, G0, 0, EVENT_ADDED, "3"), CHANGE_UNKNOWN);
	unsigned n = ask(t, G0, 0, EVENT_ADDED, "3");
	tell(t, G0, 2, 0, EVENT_ADDED, "3");
	record_claim(t->record, G0, 3, CLAIM_IN, 1, trial_at(t), "an addition");
	answer(t, n, CHANGE_AS_ASKED);
	group_push_all(t, "01234", G0, 2);
	group_end(t);
}

static void done_twice(struct trial *t)
{
	answer(t, ask(t, G0, 0, EVENT_RENAMED, ""), CHANGE_UNKNOWN);
	for (uint32_t seq = 2; seq < 4; seq++) {
		tell(t, G0, seq, 0, EVENT_RENAMED, "");
		group_push_all(t, "0123", G0, seq);
	}
	group_end(t);
}

static void refused_and_done(struct trial *t)
{
	unsigned n = ask(t, G0, 0, EVENT_RENAMED, "");
	answer(t, n, CHANGE_REFUSED);
	tell(t, G0, 2, 0, EVENT_RENAMED, "");
	group_push_all(t, "0123", G0, 2);
	group_end(t);
}

/* What was answered is done before what is sent then. */
static void done_late(struct trial *t)
{
	answer(t, ask(t, G0, 0, EVENT_RENAMED, ""), CHANGE_DONE);
	group_say(t, G0, 2, 0);
	group_push_all(t, "0123", G0, 2);
	tell(t, G0, 3, 0, EVENT_RENAMED, "");
	group_push_all(t, "0123", G0, 3);
	group_end(t);
}

static void never_so(struct trial *t)
{
	record_claim(t->record, G0, 1, CLAIM_OUT, 1, trial_at(t), "a refusal");
	group_end(t);
}

/* They were out, but long before. */
static void so_before(struct trial *t)
{
	group_change(t, G0, 2, 0, EVENT_ADDED, "3");
	group_push_all(t, "01234", G0, 2);
	record_claim(t->record, G0, 3, CLAIM_OUT, 2, trial_at(t), "a refusal");
	group_end(t);
}

const struct trial_row group_trials[] = {
	{"a group that is right", all_right, NULL},
	{"a member who catches up", caught_up, NULL},
	{"who has left is not waited for", out_is_not_waited_for, NULL},
	{"who comes back is a member again", back_again, NULL},
	{"a send that is refused to a stranger", refused, NULL},
	{"a change of unknown outcome that was not done", unknown_not_done, NULL},
	{"one that was done", unknown_done, NULL},
	{"a message that a member is not given", not_given, "m2 from p0 to g0 (conversation"},
	{"one that a new member is not given", not_given_to_new, "of p3, which has been connected"},
	{"a system message that a member is not given", event_not_given, "tells of a change) never reached"},
	{"pushed out of order in a group", disordered, "seq 2 of the conversation with g0 comes after seq 3"},
	{"a recall that a member is not given", recall_not_given, "is recalled never reached"},
	{"a message that is given to one who is out", given_when_out, "was given to device 3 of p2"},
	{"one from before joining", given_from_before, "was given to device 3 of p2"},
	{"a gap that nobody is given", gap, "seq 2 of g0 reached nobody"},
	{"a last message that nobody is given", nobody_saw_the_last, "nobody has seen seq 2"},
	{"a repeat that is stored as another", repeated, "m2 is stored twice"},
	{"a system message that changes", another_event, "is another message than before"},
	{"a mention of a stranger that is kept", mention_kept, "mentions 3, expected -1"},
	{"one who comes in twice", twice_in, "tells of one who was in it already"},
	{"a message of a stranger", from_outside, "is by one who was not in it"},
	{"a removal by one who may not", without_right, "is by one who may not"},
	{"a message after the end", after_the_end, "comes after the end"},
	{"a change that was answered, and is lost", change_lost, "'added' of g0 by p0: p3 was answered"},
	{"one of two", change_lost_behind_another, "'renamed' of g0 by p0: was answered"},
	{"a change that is done twice", done_twice, "nobody asked for, or which is there twice"},
	{"one that was refused, and done", refused_and_done, "nobody asked for, or which is there twice"},
	{"one that is done after its answer", done_late, "was answered, and is not in the history"},
	{"a refusal that was never right", never_so, "a refusal: between seq 1"},
	{"one that was right before", so_before, "a refusal: between seq 2"},
};
const size_t group_trial_count = ARRAY_LEN(group_trials);
