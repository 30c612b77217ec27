/* SPDX-License-Identifier: BSD-2-Clause */
/* What each target of a forward gets: copies of messages, or the one that is merged from them. */
#include "core/base.h"
#include "cmd/cmd.h"
#include "cmd/forward.h"

#include "api/render.h"
#include "core/utf8.h"

#include <inttypes.h>

/* Of a part in the preview of a merged message; and all of the preview, which the column messages.extra has to hold. */
#define PREVIEW_CHARS 200
#define PREVIEW_BYTES_MAX ((size_t)60000)

static struct str begun_text(struct request *r)
{
	return arena_str(&r->arena, (struct str){r->live->scratch.data, r->live->scratch.len});
}

static struct json_out *begin_text(struct request *r)
{
	buf_clear(&r->live->scratch);
	json_begin(r->live->out, &r->live->scratch);
	return r->live->out;
}

static struct str first_author(struct request *r, const struct forward_source *s)
{
	const struct message *m = s->message;
	if (m->forwarded_from.s != NULL)
		return arena_str(&r->arena, m->forwarded_from);
	struct json_out *o = begin_text(r);
	json_object(o);
	json_put_cstr(o, "user_id", m->from);
	render_nickname(o, s->nickname);
	json_put_time(o, "created_at", m->created_ms);
	json_object_end(o);
	return begun_text(r);
}

static struct str id_text(struct request *r, const uint64_t *id, size_t n)
{
	struct buf *out = &r->live->scratch;
	buf_clear(out);
	for (size_t i = 0; i < n; i++) {
		if (i != 0)
			buf_append_char(out, ',');
		buf_append_u64(out, id[i]);
	}
	return begun_text(r);
}

static size_t text_bytes(const struct message *m)
{
	return m->content.len + m->media_url.len + m->extra.len + m->entities.len;
}

/* A message whose parts are written too counts as many as their texts could be. */
static uint64_t cost_of_parts(const struct request *r, uint64_t bytes)
{
	return 1 + bytes / (uint64_t)r->live->conf->message.max_content;
}

static void copy_message(struct forward *f, const struct forward_source *s)
{
	struct request *r = f->r;
	struct arena *a = &r->arena;
	const struct message *m = s->message;
	struct store_send *p = &f->copy[f->copy_count];
	*p = (struct store_send){
		.from = request_user(r),
		.type = m->type,
		.content = arena_str(a, m->content),
		.media_url = arena_str(a, m->media_url),
		.extra = arena_str(a, m->extra),
		.entities = arena_str(a, m->entities),
		.forwarded_from = first_author(r, s),
	};
	if (m->type == MESSAGE_FORWARD)
		p->parts = (struct store_parts){
			.of = id_text(r, &m->id, 1), .again = true, .count = s->parts, .bytes = s->bytes};
	f->cost[f->copy_count++] = cost_of_parts(r, p->parts.bytes);
}

/* The members of extra.items; `chars` of each text. */
static void put_preview(struct json_out *o, const struct forward_source *s, size_t n, size_t chars)
{
	json_object(o);
	json_key(o, "items");
	json_array(o);
	for (size_t i = 0; i < n; i++) {
		const struct message *m = s[i].message;
		json_object(o);
		json_put_cstr(o, "user_id", m->from);
		render_nickname(o, utf8_head(s[i].nickname, NICKNAME_MAX));
		json_put_cstr(o, "message_type", message_type_name(m->type));
		json_put_str(o, "content", utf8_head(m->content, chars));
		json_put_time(o, "created_at", m->created_ms);
		json_object_end(o);
	}
	json_array_end(o);
	json_object_end(o);
}

/* Of many long texts each shows less. */
static struct str preview(struct request *r, const struct forward_source *s, size_t n)
{
	for (size_t chars = PREVIEW_CHARS;; chars = chars * 7 / 8) {
		put_preview(begin_text(r), s, n, chars);
		if (r->live->scratch.len <= PREVIEW_BYTES_MAX || chars == 0)
			return begun_text(r);
	}
}

static const struct problem *merge_messages(struct forward *f, const struct forward_source *s)
{
	struct request *r = f->r;
	struct store_parts parts = {.count = f->message_count};
	for (size_t i = 0; i < f->message_count; i++) {
		parts.nested |= s[i].message->type == MESSAGE_FORWARD;
		parts.count += s[i].parts;
		parts.bytes += text_bytes(s[i].message) + s[i].bytes;
	}
	if (parts.count > FORWARD_PARTS_MAX)
		return request_invalid(r, "message_ids: hold %" PRIu64 " messages in all, over %d", parts.count,
				       FORWARD_PARTS_MAX);
	if (parts.bytes > FORWARD_BYTES_MAX)
		return request_problem(r, PROBLEM_PAYLOAD_TOO_LARGE,
				       "the messages and what they hold have over %zu bytes: merge fewer",
				       FORWARD_BYTES_MAX);
	parts.of = id_text(r, f->message_id, f->message_count);
	f->copy[f->copy_count] = (struct store_send){
		.from = request_user(r),
		.type = MESSAGE_FORWARD,
		.extra = preview(r, s, f->message_count),
		.parts = parts,
	};
	f->cost[f->copy_count++] = cost_of_parts(r, parts.bytes);
	return NULL;
}

static void alloc_copies(struct forward *f)
{
	f->copy = arena_alloc(&f->r->arena, (f->message_count + 1) * sizeof(*f->copy));
	f->cost = arena_alloc(&f->r->arena, (f->message_count + 1) * sizeof(*f->cost));
}

void forward_count_copies(struct forward *f)
{
	alloc_copies(f);
	f->copy_count = (f->comment.s != NULL) + (f->merged ? 1 : f->message_count);
	for (size_t i = 0; i < f->copy_count; i++)
		f->copy[i].from = request_user(f->r);
}

const struct problem *forward_make_copies(struct forward *f, const struct forward_source *s)
{
	struct request *r = f->r;
	alloc_copies(f);
	if (f->comment.s != NULL) {
		f->copy[0] = (struct store_send){.from = request_user(r), .type = MESSAGE_TEXT, .content = f->comment};
		f->cost[0] = 1;
		f->copy_count = 1;
	}
	if (f->merged)
		return merge_messages(f, s);
	for (size_t i = 0; i < f->message_count; i++)
		copy_message(f, &s[i]);
	return NULL;
}
