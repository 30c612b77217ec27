/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The codec between workers and writers. The tables say what is sent of each struct, in this order; a field that is in
 * no table is zero on the other side.
 */
#include "core/base.h"
#include "store/wire.h"

#include "core/log.h"

enum wire_type {
	WIRE_END,
	WIRE_U64,
	WIRE_I64,
	WIRE_BOOL,
	WIRE_STR,     /* struct str; absent ones stay absent */
	WIRE_USER,    /* a user id in the struct, terminated */
	WIRE_STATUS,  /* enum store_status */
	WIRE_TYPE,    /* enum message_type */
	WIRE_WHICH,   /* enum act */
	WIRE_MESSAGE, /* a pointer to one, or NULL */
	WIRE_STRS,    /* a pointer to strings; their count is at `more` */
};

struct wire_field {
	enum wire_type type;
	size_t at, more;
};

/* clang-format off */
#define FIELD(type, of, member) {type, offsetof(of, member), 0}
#define END {WIRE_END, 0, 0}

static const struct wire_field message_fields[] = {
	FIELD(WIRE_U64, struct message, id),
	FIELD(WIRE_USER, struct message, from),
	FIELD(WIRE_USER, struct message, to),
	FIELD(WIRE_TYPE, struct message, type),
	FIELD(WIRE_STR, struct message, content),
	FIELD(WIRE_STR, struct message, media_url),
	FIELD(WIRE_STR, struct message, extra),
	FIELD(WIRE_STR, struct message, entities),
	FIELD(WIRE_STR, struct message, mentions),
	FIELD(WIRE_STR, struct message, client_msg_id),
	FIELD(WIRE_U64, struct message, reply_to),
	FIELD(WIRE_I64, struct message, created_ms),
	FIELD(WIRE_BOOL, struct message, is_read),
	FIELD(WIRE_BOOL, struct message, is_recalled),
	FIELD(WIRE_I64, struct message, read_ms),
	FIELD(WIRE_I64, struct message, recalled_ms),
	FIELD(WIRE_I64, struct message, edited_ms),
	FIELD(WIRE_STR, struct message, forwarded_from),
	FIELD(WIRE_STR, struct message, reactions),
	FIELD(WIRE_I64, struct message, expires_ms),
	END,
};

static const struct wire_field send_fields[] = {
	FIELD(WIRE_STR, struct store_send, from),
	FIELD(WIRE_STR, struct store_send, to),
	FIELD(WIRE_U64, struct store_send, conversation_id),
	FIELD(WIRE_TYPE, struct store_send, type),
	FIELD(WIRE_STR, struct store_send, content),
	FIELD(WIRE_STR, struct store_send, media_url),
	FIELD(WIRE_STR, struct store_send, extra),
	FIELD(WIRE_STR, struct store_send, entities),
	FIELD(WIRE_STR, struct store_send, client_msg_id),
	FIELD(WIRE_U64, struct store_send, reply_to),
	{WIRE_STRS, offsetof(struct store_send, mention), offsetof(struct store_send, mention_count)},
	FIELD(WIRE_BOOL, struct store_send, mentions_all),
	FIELD(WIRE_U64, struct store_send, expires_in_secs),
	FIELD(WIRE_STR, struct store_send, replaced),
	FIELD(WIRE_STR, struct store_send, replaced_entities),
	FIELD(WIRE_STR, struct store_send, forwarded_from),
	FIELD(WIRE_STR, struct store_send, parts.of),
	FIELD(WIRE_BOOL, struct store_send, parts.again),
	FIELD(WIRE_BOOL, struct store_send, parts.nested),
	FIELD(WIRE_U64, struct store_send, parts.count),
	FIELD(WIRE_U64, struct store_send, parts.bytes),
	FIELD(WIRE_BOOL, struct store_send, by_operator),
	END,
};
static const struct wire_field sent_fields[] = {
	FIELD(WIRE_STATUS, struct store_sent, status),
	FIELD(WIRE_BOOL, struct store_sent, replayed),
	FIELD(WIRE_MESSAGE, struct store_sent, message),
	FIELD(WIRE_I64, struct store_sent, gap_ms),
	FIELD(WIRE_I64, struct store_sent, retry_ms),
	END,
};

static const struct wire_field act_fields[] = {
	FIELD(WIRE_WHICH, struct store_act, act),
	FIELD(WIRE_STR, struct store_act, user),
	FIELD(WIRE_U64, struct store_act, id),
	FIELD(WIRE_STR, struct store_act, content),
	FIELD(WIRE_STR, struct store_act, entities),
	{WIRE_STRS, offsetof(struct store_act, mention), offsetof(struct store_act, mention_count)},
	FIELD(WIRE_BOOL, struct store_act, mentions_all),
	FIELD(WIRE_STR, struct store_act, emoji),
	FIELD(WIRE_I64, struct store_act, due_ms),
	FIELD(WIRE_BOOL, struct store_act, by_operator),
	END,
};
static const struct wire_field change_fields[] = {
	FIELD(WIRE_STATUS, struct store_change, status),
	FIELD(WIRE_BOOL, struct store_change, changed),
	FIELD(WIRE_BOOL, struct store_change, hidden),
	FIELD(WIRE_U64, struct store_change, change_seq),
	FIELD(WIRE_MESSAGE, struct store_change, message),
	FIELD(WIRE_USER, struct store_change, by),
	FIELD(WIRE_STR, struct store_change, emoji),
	END,
};

static const struct wire_field read_fields[] = {
	FIELD(WIRE_STR, struct wire_read, user),
	FIELD(WIRE_U64, struct wire_read, conversation_id),
	FIELD(WIRE_U64, struct wire_read, up_to_seq),
	FIELD(WIRE_BOOL, struct wire_read, clears),
	END,
};
static const struct wire_field was_read_fields[] = {
	FIELD(WIRE_STATUS, struct lane_read, r.status),
	FIELD(WIRE_BOOL, struct lane_read, r.changed),
	FIELD(WIRE_USER, struct lane_read, r.peer),
	FIELD(WIRE_U64, struct lane_read, r.member_count),
	FIELD(WIRE_U64, struct lane_read, r.conversation_id),
	FIELD(WIRE_U64, struct lane_read, r.read_seq),
	FIELD(WIRE_U64, struct lane_read, r.marked),
	FIELD(WIRE_U64, struct lane_read, r.unread),
	FIELD(WIRE_U64, struct lane_read, r.up_to_seq),
	FIELD(WIRE_I64, struct lane_read, r.read_ms),
	FIELD(WIRE_BOOL, struct lane_read, r.unmarked),
	FIELD(WIRE_BOOL, struct lane_read, counts),
	FIELD(WIRE_U64, struct lane_read, was_seq),
	FIELD(WIRE_U64, struct lane_read, last_seq),
	FIELD(WIRE_U64, struct lane_read, uncounted_seq),
	FIELD(WIRE_U64, struct lane_read, deleted_seq),
	END,
};

static const struct wire_field create_fields[] = {
	FIELD(WIRE_STR, struct wire_create, user),
	FIELD(WIRE_STR, struct wire_create, peer),
	FIELD(WIRE_STR, struct wire_create, source_kind),
	FIELD(WIRE_STR, struct wire_create, source_id),
	END,
};
static const struct wire_field created_fields[] = {
	FIELD(WIRE_STATUS, struct lane_created, status),
	FIELD(WIRE_BOOL, struct lane_created, created),
	FIELD(WIRE_U64, struct lane_created, conversation_id),
	END,
};

static const struct wire_field state_fields[] = {
	FIELD(WIRE_BOOL, struct wire_state, up),
	FIELD(WIRE_BOOL, struct wire_state, away),
	FIELD(WIRE_BOOL, struct wire_state, read_only),
	END,
};

static const struct wire_field told_fields[] = {
	FIELD(WIRE_U64, struct wire_told, answers),
	FIELD(WIRE_BOOL, struct wire_told, unsure),
	END,
};

/* clang-format on */
static const struct wire_op {
	const char *name;
	const struct wire_field *args, *result;
	bool tells;
} ops[WIRE_OPS] = {
	[WIRE_SEND] = {"send", send_fields, sent_fields, true},
	[WIRE_ACT] = {"change of a message", act_fields, change_fields, true},
	[WIRE_READ] = {"read of a conversation", read_fields, was_read_fields, true},
	[WIRE_CREATE] = {"create", create_fields, created_fields, false},
};

bool wire_tells(enum wire_kind kind)
{
	return ops[kind].tells;
}

const char *wire_kind_name(enum wire_kind kind)
{
	return kind < WIRE_OPS ? ops[kind].name : kind == WIRE_STATE ? "state" : "told";
}

/* ---- putting ---- */

static void put_u64(struct buf *out, uint64_t v)
{
	buf_append(out, &v, sizeof(v));
}

/* The length, plus one; 0: absent. */
static void put_str(struct buf *out, struct str s)
{
	uint32_t n = s.s != NULL ? (uint32_t)s.len + 1 : 0;
	ASSERT(s.len < WIRE_BODY_MAX);
	buf_append(out, &n, sizeof(n));
	buf_append(out, s.s, n != 0 ? s.len : 0);
}

static void put_strs(struct buf *out, const struct str *s, size_t n)
{
	ASSERT(n <= STORE_MENTIONS_MAX);
	buf_append_char(out, (char)n);
	for (size_t i = 0; i < n; i++)
		put_str(out, s[i]);
}

static void put_fields(struct buf *out, const struct wire_field *f, const void *from)
{
	for (; f->type != WIRE_END; f++) {
		const void *at = (const char *)from + f->at;
		switch (f->type) {
		case WIRE_U64:
			put_u64(out, *(const uint64_t *)at);
			break;
		case WIRE_I64:
			put_u64(out, (uint64_t) * (const int64_t *)at);
			break;
		case WIRE_BOOL:
			buf_append_char(out, *(const bool *)at ? 1 : 0);
			break;
		case WIRE_STR:
			put_str(out, *(const struct str *)at);
			break;
		case WIRE_USER:
			put_str(out, str_from(at));
			break;
		case WIRE_STATUS:
			buf_append_char(out, (char)*(const enum store_status *)at);
			break;
		case WIRE_TYPE:
			buf_append_char(out, (char)*(const enum message_type *)at);
			break;
		case WIRE_WHICH:
			buf_append_char(out, (char)*(const enum act *)at);
			break;
		case WIRE_MESSAGE: {
			const struct message *m = *(const struct message *const *)at;
			buf_append_char(out, m != NULL ? 1 : 0);
			if (m != NULL)
				put_fields(out, message_fields, m);
			break;
		}
		case WIRE_STRS:
			put_strs(out, *(const struct str *const *)at,
				 *(const size_t *)(const void *)((const char *)from + f->more));
			break;
		case WIRE_END:
			break;
		}
	}
}

static void put_frame(struct buf *out, struct wire_head head, const struct wire_field *fields, const void *from)
{
	size_t start = out->len;
	buf_append(out, &head, sizeof(head));
	put_fields(out, fields, from);
	head.len = (uint32_t)(out->len - start - sizeof(head));
	memcpy(out->data + start, &head, sizeof(head));
}

void wire_put_args(struct buf *out, struct wire_head head, const union wire_args *args)
{
	put_frame(out, head, ops[head.kind].args, args);
}

void wire_put_result(struct buf *out, struct wire_head head, const union wire_result *result)
{
	put_frame(out, head, ops[head.kind].result, result);
}

void wire_put_state(struct buf *out, const struct wire_state *state)
{
	put_frame(out, (struct wire_head){.kind = WIRE_STATE}, state_fields, state);
}

void wire_put_told(struct buf *out, const struct wire_told *told)
{
	put_frame(out, (struct wire_head){.kind = WIRE_TOLD}, told_fields, told);
}

void wire_put_body(struct buf *out, struct wire_head head, struct str body)
{
	head.len = (uint32_t)body.len;
	buf_append(out, &head, sizeof(head));
	buf_append_str(out, body);
}

/* ---- taking ---- */

struct taker {
	const char *at;
	size_t left;
	bool failed;
};

static const char *take_bytes(struct taker *t, size_t n)
{
	if (t->failed || n > t->left) {
		t->failed = true;
		return NULL;
	}
	const char *bytes = t->at;
	t->at += n;
	t->left -= n;
	return bytes;
}

static uint64_t take_u64(struct taker *t)
{
	uint64_t v = 0;
	const char *bytes = take_bytes(t, sizeof(v));
	if (bytes != NULL)
		memcpy(&v, bytes, sizeof(v));
	return v;
}

/* Under that, or the whole is malformed. */
static unsigned take_small(struct taker *t, unsigned bound)
{
	const char *byte = take_bytes(t, 1);
	unsigned v = byte != NULL ? (unsigned char)*byte : 0;
	t->failed |= v >= bound;
	return v < bound ? v : 0;
}

static struct str take_str(struct taker *t)
{
	uint32_t n = 0;
	const char *bytes = take_bytes(t, sizeof(n));
	if (bytes == NULL)
		return STR_NULL;
	memcpy(&n, bytes, sizeof(n));
	if (n == 0)
		return STR_NULL;
	bytes = take_bytes(t, n - 1);
	return bytes != NULL ? (struct str){bytes, n - 1} : STR_NULL;
}

static void take_user(struct taker *t, char *to)
{
	struct str s = take_str(t);
	if (s.s == NULL || s.len > USER_ID_MAX || memchr(s.s, '\0', s.len) != NULL) {
		t->failed = true;
		return;
	}
	memcpy(to, s.s, s.len);
	to[s.len] = '\0';
}

static size_t take_strs(struct taker *t, struct str *to)
{
	size_t n = take_small(t, STORE_MENTIONS_MAX + 1);
	for (size_t i = 0; i < n; i++)
		to[i] = take_str(t);
	return n;
}

static void take_fields(struct taker *t, const struct wire_field *f, void *to, struct wire_room *room)
{
	for (; f->type != WIRE_END && !t->failed; f++) {
		void *at = (char *)to + f->at;
		switch (f->type) {
		case WIRE_U64:
			*(uint64_t *)at = take_u64(t);
			break;
		case WIRE_I64:
			*(int64_t *)at = (int64_t)take_u64(t);
			break;
		case WIRE_BOOL:
			*(bool *)at = take_small(t, 2) != 0;
			break;
		case WIRE_STR:
			*(struct str *)at = take_str(t);
			break;
		case WIRE_USER:
			take_user(t, at);
			break;
		case WIRE_STATUS:
			*(enum store_status *)at = (enum store_status)take_small(t, STORE_STATUSES);
			break;
		case WIRE_TYPE:
			*(enum message_type *)at = (enum message_type)take_small(t, MESSAGE_TYPES);
			break;
		case WIRE_WHICH:
			*(enum act *)at = (enum act)take_small(t, ACTS);
			break;
		case WIRE_MESSAGE:
			*(const struct message **)at = NULL;
			if (take_small(t, 2) != 0) {
				take_fields(t, message_fields, &room->message, room);
				*(const struct message **)at = &room->message;
			}
			break;
		case WIRE_STRS:
			*(const struct str **)at = room->mention;
			*(size_t *)(void *)((char *)to + f->more) = take_strs(t, room->mention);
			break;
		case WIRE_END:
			break;
		}
	}
}

static int take_all(struct str body, const struct wire_field *fields, void *to, struct wire_room *room)
{
	struct taker t = {.at = body.s, .left = body.len};
	if (room != NULL)
		memset(room, 0, sizeof(*room));
	take_fields(&t, fields, to, room);
	return t.failed || t.left != 0 ? -1 : 0;
}

int wire_next(struct str bytes, size_t *at, struct wire_head *head_r, struct str *body_r)
{
	size_t left = bytes.len - *at;
	if (left < sizeof(*head_r))
		return 0;
	memcpy(head_r, bytes.s + *at, sizeof(*head_r));
	if (head_r->len > WIRE_BODY_MAX || head_r->kind > WIRE_TOLD || head_r->past > LANE_SETTLING)
		return -1;
	if (left - sizeof(*head_r) < head_r->len)
		return 0;
	*body_r = (struct str){bytes.s + *at + sizeof(*head_r), head_r->len};
	*at += sizeof(*head_r) + head_r->len;
	return 1;
}

int wire_take_args(enum wire_kind kind, struct str body, union wire_args *args_r, struct wire_room *room)
{
	memset(args_r, 0, sizeof(*args_r));
	return kind < WIRE_OPS ? take_all(body, ops[kind].args, args_r, room) : -1;
}

/* As store.h promises it. */
static bool lacks_message(enum store_status status, const struct message *m)
{
	return m == NULL && (status == STORE_OK || status == STORE_UNKNOWN);
}

int wire_take_result(enum wire_kind kind, struct str body, union wire_result *result_r, struct wire_room *room)
{
	memset(result_r, 0, sizeof(*result_r));
	if (kind >= WIRE_OPS || take_all(body, ops[kind].result, result_r, room) != 0)
		return -1;
	if (ops[kind].result == sent_fields)
		return lacks_message(result_r->sent.status, result_r->sent.message) ? -1 : 0;
	if (ops[kind].result == change_fields)
		return lacks_message(result_r->change.status, result_r->change.message) ? -1 : 0;
	return 0;
}

int wire_take_state(struct str body, struct wire_state *state_r)
{
	memset(state_r, 0, sizeof(*state_r));
	return take_all(body, state_fields, state_r, NULL);
}

int wire_take_told(struct str body, struct wire_told *told_r)
{
	memset(told_r, 0, sizeof(*told_r));
	return take_all(body, told_fields, told_r, NULL);
}
