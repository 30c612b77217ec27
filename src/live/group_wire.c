/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was done to a group, told to its members here and to the other workers. A number on the bus has 16 hexadecimal
 * digits. The data of the kinds:
 *
 *   BUS_IN      the group's id, the seq of the system message, the first seq the user may see, the member count
 *   BUS_OUT     the group's id, the seq of the system message, and why: a letter
 *   BUS_VIEW    on a user's topic: the group's id; on the group's: nothing
 *   BUS_UNSURE  the same as BUS_VIEW
 *   BUS_TURN    the message's id, its gap, the member count, why somebody is out, DISSOLVED or NOT_DISSOLVED, the ids
 *               of those who are out with a space behind each, a line feed, and the JSON of the event `message`
 */
#include "core/base.h"
#include "live/group_priv.h"

#include "live/resync.h"
#include "live/session.h"
#include "store/group.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DISSOLVED '!'
#define NOT_DISSOLVED '.'
/* Who may be out by one message. */
#define OUT_MAX GROUP_CREATE_MAX

static const struct {
	char letter;
	const char *name;
} reasons[] = {
	[GROUP_OUT_LEFT] = {'l', "left"},
	[GROUP_OUT_REMOVED] = {'r', "removed"},
	[GROUP_OUT_BANNED] = {'b', "banned"},
};

static bool take_reason(struct str *data, enum group_out *reason_r)
{
	for (unsigned i = 0; data->len != 0 && i < ARRAY_LEN(reasons); i++) {
		if (reasons[i].letter != data->s[0])
			continue;
		*reason_r = (enum group_out)i;
		*data = (struct str){data->s + 1, data->len - 1};
		return true;
	}
	return false;
}

/* ---- the event `left` ---- */

static struct ws_frame *left_frame(uint64_t id, const char *reason)
{
	char json[96];
	int len = snprintf(json, sizeof(json),
			   "{\"type\":\"left\",\"conversation_id\":\"%" PRIu64 "\",\"reason\":\"%s\"}", id, reason);
	return ws_frame_new((struct str){json, (size_t)len});
}

void group_tell_left(struct user *u, uint64_t id, enum group_out reason, const char *except_id)
{
	struct ws_frame *frame = left_frame(id, reasons[reason].name);
	push_deliver(u, frame, except_id);
	ws_frame_unref(frame);
}

void group_tell_dissolved(struct live_group *g, const char *except_id)
{
	struct ws_frame *frame = left_frame(g->id, "dissolved");
	fanout_give(g, frame, except_id, 0);
	ws_frame_unref(frame);
}

/* ---- the turn of a system message ---- */

static struct group_turn *turn_new(uint64_t seq, size_t out_bytes)
{
	struct group_turn *turn = xcalloc(1, sizeof(*turn) + out_bytes);
	turn->seq = seq;
	return turn;
}

static struct group_turn *turn_of_news(const struct group_news *news)
{
	size_t at = 0;
	for (size_t i = 0; i < news->out_count; i++)
		at += news->out[i].len + 1;
	struct group_turn *turn = turn_new(message_id_seq(news->message_id), at);
	turn->member_count = news->member_count;
	turn->reason = news->reason;
	turn->dissolved = news->dissolved;
	turn->out_count = (unsigned)news->out_count;
	at = 0;
	for (size_t i = 0; i < news->out_count; i++) {
		memcpy(turn->out + at, news->out[i].s, news->out[i].len);
		at += news->out[i].len + 1;
	}
	return turn;
}

void group_turn_apply(struct live_group *g, const struct group_turn *turn, const char *except_id)
{
	const char *id = turn->out;
	group_count_heard(g, turn->seq, turn->member_count);
	for (unsigned i = 0; i < turn->out_count; i++, id += strlen(id) + 1)
		membership_out(g->live, str_from(id), g->id, turn->seq, turn->reason, except_id);
}

static void publish_turn(struct live *live, struct str topic, const struct group_news *news)
{
	struct buf *b = &live->parts;
	buf_clear(b);
	push_append_hex(b, news->message_id);
	push_append_hex(b, (uint64_t)news->gap_ms);
	push_append_hex(b, news->member_count);
	buf_append_char(b, reasons[news->reason].letter);
	buf_append_char(b, news->dissolved ? DISSOLVED : NOT_DISSOLVED);
	for (size_t i = 0; i < news->out_count; i++) {
		buf_append_str(b, news->out[i]);
		buf_append_char(b, ' ');
	}
	buf_append_char(b, '\n');
	buf_append_str(b, news->event_json);
	push_publish(live, topic, BUS_TURN, (struct str){b->data, b->len});
}

/* The ids with a space behind each; NULL: they are none. */
static struct group_turn *take_outs(struct str ids, uint64_t seq)
{
	struct group_turn *turn = turn_new(seq, ids.len);
	for (const char *end = ids.s + ids.len, *space; ids.s < end; ids.s = space + 1) {
		space = memchr(ids.s, ' ', (size_t)(end - ids.s));
		if (space == NULL || turn->out_count == OUT_MAX ||
		    !id_user_valid((struct str){ids.s, (size_t)(space - ids.s)})) {
			free(turn);
			return NULL;
		}
		turn->out_count++;
	}
	memcpy(turn->out, ids.s - ids.len, ids.len);
	for (size_t i = 0; i < ids.len; i++)
		if (turn->out[i] == ' ')
			turn->out[i] = '\0';
	return turn;
}

static bool hear_turn(struct live_group *g, struct str data)
{
	uint64_t id, gap, members;
	enum group_out reason;
	if (!push_take_hex(&data, &id) || !push_take_hex(&data, &gap) || !push_take_hex(&data, &members) ||
	    !take_reason(&data, &reason) || data.len == 0 || message_id_conversation(id) != g->id)
		return false;
	bool dissolved = data.s[0] == DISSOLVED;
	data = (struct str){data.s + 1, data.len - 1};
	const char *eol = data.len != 0 ? memchr(data.s, '\n', data.len) : NULL;
	if (eol == NULL)
		return false;
	struct group_turn *turn = take_outs((struct str){data.s, (size_t)(eol - data.s)}, message_id_seq(id));
	if (turn == NULL)
		return false;
	turn->member_count = members;
	turn->reason = reason;
	turn->dissolved = dissolved;
	struct push_place place = {BUS_MESSAGE, id, gap < INT64_MAX ? (int64_t)gap : INT64_MAX};
	struct ws_frame *frame = push_frame_new(&place, (struct str){eol + 1, data.len - (size_t)(eol + 1 - data.s)});
	group_deliver(g, &place, frame, NULL, turn);
	ws_frame_unref(frame);
	return true;
}

/* ---- what others tell ---- */

static void user_unsure(struct live *live, struct str user)
{
	struct user *u = user_find(live, user);
	if (u == NULL)
		return;
	memberships_again(live, u, 0);
	resync_user(live, user);
}

void group_heard(struct live_group *g, enum bus_kind kind, struct str data)
{
	if (kind == BUS_UNSURE)
		group_unsure(g);
	else if (kind == BUS_VIEW)
		views_want_all(g);
	else if (kind == BUS_TURN && !hear_turn(g, data))
		group_resync(g);
}

/*
 * The system message of it was told before, to those who listen to the group. Where that waits for its turn, so does
 * this: the user is given all that was sent while they were a member.
 */
static void user_is_out(struct live *live, struct str user, uint64_t id, uint64_t seq, enum group_out reason,
			const char *except_id)
{
	const struct live_group *g = group_find(live, id);
	if (g == NULL || !feed_holds(&g->feeds, seq))
		membership_out(live, user, id, seq, reason, except_id);
}

static void view_changed(struct live *live, struct str user, uint64_t id)
{
	const struct user *u = user_find(live, user);
	struct live_group *g = group_find(live, id);
	struct member *m = u != NULL && g != NULL ? group_find_member(g, u) : NULL;
	if (m != NULL)
		views_want(g, m, true);
}

void group_heard_for_user(struct live *live, struct str user, enum bus_kind kind, struct str data)
{
	uint64_t id, seq, first_seq, members;
	enum group_out reason;
	if (kind == BUS_UNSURE)
		user_unsure(live, user);
	else if (!push_take_hex(&data, &id) || !conversation_is_group(id) || id > CONVERSATION_ID_MAX)
		return;
	else if (kind == BUS_VIEW)
		view_changed(live, user, id);
	else if (!push_take_hex(&data, &seq) || seq > MESSAGE_SEQ_MAX)
		return;
	else if (kind == BUS_OUT && take_reason(&data, &reason))
		user_is_out(live, user, id, seq, reason, NULL);
	else if (kind == BUS_IN && push_take_hex(&data, &first_seq) && first_seq != 0 && first_seq <= MESSAGE_SEQ_MAX &&
		 push_take_hex(&data, &members))
		membership_in(live, user, id, seq, first_seq, members);
}

/* ---- what is told ---- */

static void publish_to_user(struct live *live, struct str user, enum bus_kind kind, const uint64_t *number, size_t n,
			    const char *tail)
{
	char topic[TOPIC_MAX];
	struct buf *b = &live->parts;
	buf_clear(b);
	for (size_t i = 0; i < n; i++)
		push_append_hex(b, number[i]);
	buf_append_str(b, str_from(tail));
	push_publish(live, topic_make(topic, TOPIC_USER, user), kind, (struct str){b->data, b->len});
}

static void tell_in(struct live *live, const struct group_news *news)
{
	uint64_t seq = message_id_seq(news->message_id), first_seq = news->first_seq != 0 ? news->first_seq : 1;
	uint64_t number[] = {news->conversation_id, seq, first_seq, news->member_count};
	for (size_t i = 0; i < news->in_count; i++) {
		membership_in(live, news->in[i], news->conversation_id, seq, first_seq, news->member_count);
		publish_to_user(live, news->in[i], BUS_IN, number, ARRAY_LEN(number), "");
	}
}

static void tell_turn(struct live *live, struct str topic, const struct group_news *news, const struct session *except)
{
	struct live_group *g = group_find(live, news->conversation_id);
	publish_turn(live, topic, news);
	if (g == NULL)
		return;
	struct push_place place = {BUS_MESSAGE, news->message_id, news->gap_ms};
	struct ws_frame *frame = push_frame_new(&place, news->event_json);
	group_deliver(g, &place, frame, except, turn_of_news(news));
	ws_frame_unref(frame);
}

static void tell_out(struct live *live, const struct group_news *news, const struct session *except)
{
	/* No message tells of who leaves a dissolved group; nobody comes in again. */
	uint64_t seq = news->message_id != 0 ? message_id_seq(news->message_id) : MESSAGE_SEQ_MAX;
	uint64_t number[] = {news->conversation_id, seq};
	char reason[] = {reasons[news->reason].letter, '\0'}, id[SESSION_ID_LEN + 1];
	for (size_t i = 0; i < news->out_count; i++) {
		user_is_out(live, news->out[i], news->conversation_id, seq, news->reason, session_id(except, id));
		publish_to_user(live, news->out[i], BUS_OUT, number, ARRAY_LEN(number), reason);
	}
}

static void tell_view(struct live *live, struct str topic, const struct group_news *news)
{
	struct live_group *g = group_find(live, news->conversation_id);
	if (news->profile_changed) {
		push_publish(live, topic, BUS_VIEW, STR_LIT(""));
		if (g != NULL)
			views_want_all(g);
		return;
	}
	for (size_t i = 0; i < news->changed_count; i++) {
		view_changed(live, news->changed[i], news->conversation_id);
		publish_to_user(live, news->changed[i], BUS_VIEW, &news->conversation_id, 1, "");
	}
}

void group_tell(struct live *live, const struct group_news *news, const struct session *except)
{
	char name[TOPIC_MAX];
	struct str topic = topic_make_group(name, news->conversation_id);
	if (news->message_id != 0) {
		/* New members, and all where the profile was changed, get the event `conversation` as well. */
		uint64_t online = group_online(live, news->conversation_id);
		group_charge_fanout(live, news->conversation_id,
				    online + news->in_count + (news->profile_changed ? online : 0));
		tell_in(live, news);
		tell_turn(live, topic, news, except);
	}
	tell_out(live, news, except);
	tell_view(live, topic, news);
}

void group_tell_unsure(struct live *live, struct str user)
{
	user_unsure(live, user);
	publish_to_user(live, user, BUS_UNSURE, NULL, 0, "");
}

void group_tell_unknown(struct live *live, uint64_t conversation_id, struct str user)
{
	char topic[TOPIC_MAX];
	struct live_group *g = group_find(live, conversation_id);
	if (g != NULL)
		group_unsure(g);
	push_publish(live, topic_make_group(topic, conversation_id), BUS_UNSURE, STR_LIT(""));
	if (user.len != 0)
		group_tell_unsure(live, user);
}
