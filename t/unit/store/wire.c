/* SPDX-License-Identifier: BSD-2-Clause */
/* The codec between workers and writers: what goes in comes out, and nothing that is cut short or changed is believed.
 */
#include "core/base.h"
#include "store/wire.h"

#include <stdlib.h>

#include "../tap.h"

static const struct str none = {NULL, 0};

static struct buf out;

/* The only frame of `out`. */
static struct str body_of(struct wire_head *head)
{
	struct str body = STR_NULL;
	size_t at = 0;
	int got = wire_next((struct str){out.data, out.len}, &at, head, &body);
	ok(got == 1 && at == out.len, "a frame of %s", wire_kind_name((enum wire_kind)head->kind));
	return body;
}

static bool same(struct str a, struct str b)
{
	return (a.s == NULL) == (b.s == NULL) && str_equal(a, b);
}

static void test_send(void)
{
	const struct str mention[] = {STR_LIT("bob"), STR_LIT("carol")};
	union wire_args in = {.send = {
				      .from = STR_LIT("alice"),
				      .to = STR_LIT("bob"),
				      .type = MESSAGE_IMAGE,
				      .content = STR_LIT(""),
				      .media_url = STR_LIT("https://x/y"),
				      .extra = none,
				      .client_msg_id = STR_LIT(" 1234567890123456789012"),
				      .reply_to = UINT64_MAX,
				      .mention = mention,
				      .mention_count = 2,
				      .mentions_all = true,
				      .forwarded_from = STR_LIT("{}"),
				      .parts = {STR_LIT("1,2"), true, true, UINT64_MAX, 3},
			      }};
	union wire_args back;
	struct wire_room room;
	struct wire_head head = {.kind = WIRE_SEND, .past = LANE_INHERITED, .route = 77, .number = 1};
	buf_clear(&out);
	wire_put_args(&out, head, &in);
	struct str body = body_of(&head);
	ok(head.past == LANE_INHERITED && head.route == 77 && head.number == 1 && head.len == body.len, "its head");
	is_int(wire_take_args(WIRE_SEND, body, &back, &room), 0, "a send");
	const struct store_send *p = &back.send;
	ok(same(p->from, in.send.from) && same(p->to, in.send.to) && same(p->media_url, in.send.media_url) &&
		   same(p->client_msg_id, in.send.client_msg_id),
	   "texts");
	ok(p->content.s != NULL && p->content.len == 0 && p->extra.s == NULL, "empty and absent ones differ");
	ok(p->type == MESSAGE_IMAGE && p->reply_to == UINT64_MAX && p->conversation_id == 0 && p->mentions_all,
	   "numbers");
	ok(same(p->forwarded_from, in.send.forwarded_from) && same(p->parts.of, in.send.parts.of) && p->parts.again &&
		   p->parts.nested && p->parts.count == UINT64_MAX && p->parts.bytes == 3,
	   "what it is forwarded from");
	ok(p->mention_count == 2 && same(p->mention[0], mention[0]) && same(p->mention[1], mention[1]), "mentions");
}

/* What an operator asks for, and what only looks like it: the writer must not take one for the other. */
static void test_by_operator(void)
{
	for (int by = 0; by <= 1; by++) {
		union wire_args send = {.send = {.from = STR_LIT("system"),
						 .to = STR_LIT("bob"),
						 .type = MESSAGE_TEXT,
						 .content = STR_LIT("x"),
						 .client_msg_id = STR_LIT("1"),
						 .by_operator = by}};
		union wire_args act = {.act = {.act = ACT_RECALL,
					       .user = STR_LIT("system"),
					       .id = 5,
					       .mentions_all = !by,
					       .by_operator = by}};
		union wire_args back;
		struct wire_room room;
		struct wire_head head;
		buf_clear(&out);
		wire_put_args(&out, (struct wire_head){.kind = WIRE_SEND}, &send);
		is_int(wire_take_args(WIRE_SEND, body_of(&head), &back, &room), 0, "a send");
		is_int(back.send.by_operator, by, "whether it is an operator's");
		buf_clear(&out);
		wire_put_args(&out, (struct wire_head){.kind = WIRE_ACT}, &act);
		is_int(wire_take_args(WIRE_ACT, body_of(&head), &back, &room), 0, "a recall");
		is_int(back.act.by_operator, by, "whether it is an operator's");
	}
}

static struct message a_message(void)
{
	struct message m = {.id = 5,
			    .from = "alice",
			    .to = "",
			    .type = MESSAGE_SYSTEM,
			    .content = STR_LIT("text"),
			    .mentions = STR_LIT("[\"*\"]"),
			    .created_ms = -1,
			    .is_recalled = true,
			    .recalled_ms = INT64_MAX};
	return m;
}

static bool same_message(const struct message *a, const struct message *b)
{
	return a->id == b->id && strcmp(a->from, b->from) == 0 && strcmp(a->to, b->to) == 0 && a->type == b->type &&
	       same(a->content, b->content) && same(a->media_url, b->media_url) && same(a->mentions, b->mentions) &&
	       a->created_ms == b->created_ms && a->is_read == b->is_read && a->is_recalled == b->is_recalled &&
	       a->recalled_ms == b->recalled_ms;
}

static void test_results(void)
{
	struct message m = a_message();
	union wire_result in, back;
	struct wire_room room;
	struct wire_head head;

	in = (union wire_result){.sent = {STORE_OK, true, &m, INT64_MAX, 7}};
	buf_clear(&out);
	wire_put_result(&out, (struct wire_head){.kind = WIRE_SEND, .number = 9}, &in);
	struct str body = body_of(&head);
	is_int(wire_take_result(WIRE_SEND, body, &back, &room), 0, "what became of a send");
	ok(back.sent.status == STORE_OK && back.sent.replayed && back.sent.gap_ms == INT64_MAX &&
		   back.sent.retry_ms == 7,
	   "its numbers");
	ok(same_message(back.sent.message, &m), "and its message");

	in = (union wire_result){.change = {STORE_UNKNOWN, true, true, 3, &m, "bob"}};
	buf_clear(&out);
	wire_put_result(&out, (struct wire_head){.kind = WIRE_ACT}, &in);
	body = body_of(&head);
	is_int(wire_take_result(WIRE_ACT, body, &back, &room), 0, "of a recall");
	ok(back.change.status == STORE_UNKNOWN && back.change.changed && back.change.hidden &&
		   back.change.change_seq == 3 && strcmp(back.change.by, "bob") == 0 &&
		   same_message(back.change.message, &m),
	   "all of it");

	in = (union wire_result){.read = {{STORE_OK, true, "bob", 1, 2, 3, 4, 5, 6, 7}, true, 8, 9, 10, 11}};
	buf_clear(&out);
	wire_put_result(&out, (struct wire_head){.kind = WIRE_READ}, &in);
	body = body_of(&head);
	is_int(wire_take_result(WIRE_READ, body, &back, &room), 0, "of a read");
	ok(memcmp(&back.read.r.member_count, &in.read.r.member_count, 6 * sizeof(uint64_t) + sizeof(int64_t)) == 0 &&
		   back.read.r.changed && strcmp(back.read.r.peer, "bob") == 0,
	   "all of it");
	ok(back.read.counts && memcmp(&back.read.was_seq, &in.read.was_seq, 4 * sizeof(uint64_t)) == 0,
	   "and what is still to be counted");

	in = (union wire_result){.created = {STORE_OK, true, 8}};
	buf_clear(&out);
	wire_put_result(&out, (struct wire_head){.kind = WIRE_CREATE}, &in);
	body = body_of(&head);
	is_int(wire_take_result(WIRE_CREATE, body, &back, &room), 0, "of a create");
	ok(back.created.created && back.created.conversation_id == 8, "all of it");

	in = (union wire_result){.sent = {STORE_OK}};
	buf_clear(&out);
	wire_put_result(&out, (struct wire_head){.kind = WIRE_SEND}, &in);
	is_int(wire_take_result(WIRE_SEND, body_of(&head), &back, &room), -1, "a send that is done has a message");
}

/* In memory of its own, so that the sanitizer sees what is read beyond it. */
static int take_copy(enum wire_kind kind, const char *data, size_t len)
{
	union wire_result result;
	union wire_args args;
	struct wire_room room;
	char *copy = xmalloc(len + 1);
	memcpy(copy, data, len);
	struct str body = {xrealloc(copy, len != 0 ? len : 1), len};
	int taken = wire_take_result(kind, body, &result, &room);
	int other = wire_take_args(kind, body, &args, &room);
	free((char *)(uintptr_t)body.s);
	return taken == 0 || other == 0 ? 0 : -1;
}

static void test_damaged(void)
{
	struct message m = a_message();
	const union wire_result in = {.sent = {STORE_OK, true, &m, 1, 0}};
	struct wire_head head;
	struct str body;
	size_t at = 0;
	unsigned believed = 0;
	buf_clear(&out);
	wire_put_result(&out, (struct wire_head){.kind = WIRE_SEND}, &in);
	for (size_t n = 0; n < out.len; n++) {
		at = 0;
		believed += wire_next((struct str){out.data, n}, &at, &head, &body) != 0;
	}
	is_int(believed, 0, "no frame before all of it is there");
	body = body_of(&head);
	for (size_t n = 0; n < body.len; n++)
		believed += take_copy(WIRE_SEND, body.s, n) == 0;
	is_int(believed, 0, "no body that was cut");
	buf_append_char(&out, 'x');
	body.s = out.data + sizeof(head);
	is_int(take_copy(WIRE_SEND, body.s, body.len + 1), -1, "nor one with more behind it");

	/* Each byte, changed in a few ways: never a crash, and numbers of enums stay within. */
	char *copy = xmalloc(body.len);
	for (size_t n = 0; n < body.len; n++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(copy, body.s, body.len);
			copy[n] = (char)(copy[n] ^ (1 << bit));
			(void)take_copy(WIRE_SEND, copy, body.len);
		}
	}
	copy[0] = (char)STORE_STATUSES;
	is_int(take_copy(WIRE_SEND, copy, body.len), -1, "a status that is none");
	free(copy);

	head = (struct wire_head){.len = WIRE_BODY_MAX + 1, .kind = WIRE_SEND};
	at = 0;
	is_int(wire_next((struct str){(char *)&head, sizeof(head)}, &at, &head, &body), -1, "a frame too long");
	head = (struct wire_head){.kind = WIRE_TOLD + 1};
	is_int(wire_next((struct str){(char *)&head, sizeof(head)}, &at, &head, &body), -1, "a kind that is none");
}

int main(void)
{
	struct wire_head head;
	struct wire_state state = {.away = true}, back;
	struct wire_told told = {.answers = UINT64_MAX, .unsure = true}, told_back;
	test_send();
	test_by_operator();
	test_results();
	test_damaged();
	buf_clear(&out);
	wire_put_state(&out, &state);
	ok(wire_take_state(body_of(&head), &back) == 0 && !back.up && back.away && !back.read_only, "a state");
	buf_clear(&out);
	wire_put_told(&out, &told);
	struct str body = body_of(&head);
	ok(wire_take_told(body, &told_back) == 0 && told_back.answers == UINT64_MAX && told_back.unsure,
	   "what others were told of");
	is_int(wire_take_told((struct str){body.s, body.len - 1}, &told_back), -1, "cut off");
	buf_fini(&out);
	return done_testing();
}
