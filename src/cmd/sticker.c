/* SPDX-License-Identifier: BSD-2-Clause */
/* Stickers: packs, which of them the caller has installed, their pictures, and the sticker that a send names. */
#include "core/base.h"
#include "cmd/cmd.h"

#include "api/list.h"
#include "api/render.h"
#include "cmd/picture_cache.h"
#include "cmd/sticker.h"
#include "live/admission.h"

#include <inttypes.h>
#include <stdio.h>

#define LIST_LIMIT 20

/* ---- in a message ---- */

static struct str put_extra(struct request *r, struct str pack, struct str id, struct str emoji)
{
	struct json_out *o = r->live->out;
	buf_clear(&r->live->scratch);
	json_begin(o, &r->live->scratch);
	json_object(o);
	json_put_str(o, "pack", pack);
	json_put_str(o, "sticker", id);
	json_put_str(o, "emoji", emoji);
	json_object_end(o);
	return arena_str(&r->arena, (struct str){r->live->scratch.data, r->live->scratch.len});
}

static const struct problem *check_name(struct request *r, const char *member, struct str *out_r)
{
	const struct json *v = json_get(json_get(r->body, "extra"), member);
	if (v == NULL || v->type == JSON_NULL)
		return request_invalid(r, "extra.%s: is missing", member);
	if (v->type != JSON_STRING || !id_name_valid(v->text))
		return request_invalid(r, "extra.%s: must be a string of " NAME_ID_RULE, member);
	*out_r = v->text;
	return NULL;
}

const struct problem *sticker_check(struct request *r, struct store_send *s)
{
	const struct json *extra = json_get(r->body, "extra");
	struct sticker_named n;
	if (extra == NULL || extra->type != JSON_OBJECT)
		return request_invalid(r, "extra: must be an object with the pack and the sticker");
	const struct problem *p = check_name(r, "pack", &n.pack) ?: check_name(r, "sticker", &n.id);
	if (p == NULL)
		s->extra = put_extra(r, n.pack, n.id, STR_NULL);
	return p;
}

struct sticker_named sticker_named(const struct request *r)
{
	const struct json *extra = json_get(r->body, "extra");
	return (struct sticker_named){json_get(extra, "pack")->text, json_get(extra, "sticker")->text};
}

void sticker_fill(struct request *r, struct str pack, const struct sticker *found, struct store_send *s)
{
	char path[STICKER_PATH_MAX + 1];
	s->extra = put_extra(r, pack, found->id, found->emoji);
	s->media_url = arena_str(&r->arena, sticker_path(pack, found->picture, path));
}

/* ---- packs ---- */

static const struct problem *bad_cursor(struct request *r)
{
	return request_invalid(r, "cursor: is not a cursor of this server");
}

const struct problem *packs_check(struct request *r, union command_args *a)
{
	struct str *after = &a->packs.after.id;
	const struct problem *p =
		list_query_limit(r, LIST_LIMIT, &a->packs.limit) ?: request_query_text(r, "cursor", after);
	return p != NULL || after->s == NULL || id_name_valid(*after) ? p : bad_cursor(r);
}

static void put_packs(struct json_out *o, const struct store_packs *list)
{
	for (size_t i = 0; i < list->count; i++) {
		json_object(o);
		render_pack_members(o, &list->item[i]);
		json_object_end(o);
	}
}

static void on_packs(const struct store_packs *list, void *arg)
{
	struct json_out *o = list_begin(arg, list->status);
	if (o == NULL)
		return;
	put_packs(o, list);
	list_end(arg, list->has_more ? list->item[list->count - 1].id : STR_NULL);
}

void packs_proceed(struct request *r, const union command_args *a)
{
	store_list_packs(r->live->store, request_user(r), a->packs.limit, a->packs.after.id, on_packs, r);
}

static void on_pack(const struct store_packs *list, void *arg)
{
	struct request *r = arg;
	if (list->status != STORE_OK) {
		request_fail_store(r, list->status);
		return;
	}
	render_pack_members(request_begin(r), &list->item[0]);
	request_answer(r, 200);
}

void pack_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	store_find_pack(r->live->store, request_user(r), r->path_pack, on_pack, r);
}

/* ---- which the caller has installed ---- */

static void on_installed(enum store_status status, void *arg)
{
	struct request *r = arg;
	if (status == STORE_OK)
		request_done(r);
	else if (status == STORE_FULL)
		request_fail(r, request_problem(r, PROBLEM_CONFLICT, "%d packs of stickers are installed already",
						INSTALLED_PACKS_MAX));
	else
		request_fail_store(r, status);
}

void install_pack_proceed(struct request *r, const union command_args *a)
{
	(void)a;
	store_install_pack(r->live->store, request_user(r), r->path_pack, r->cmd->variant != 0, on_installed, r);
}

/* Beyond year 9999 the database has no times. */
#define LAST_MS UINT64_C(253402300799999)

const struct problem *installed_packs_check(struct request *r, union command_args *a)
{
	struct str text;
	uint64_t ms;
	const struct problem *p =
		list_query_limit(r, LIST_LIMIT, &a->packs.limit) ?: request_query_text(r, "cursor", &text);
	if (p != NULL || text.s == NULL)
		return p;
	const char *dash = memchr(text.s, '-', text.len);
	if (dash == NULL || id_parse_u64((struct str){text.s, (size_t)(dash - text.s)}, &ms) != 0 || ms == 0 ||
	    ms > LAST_MS)
		return bad_cursor(r);
	a->packs.after.installed_ms = (int64_t)ms;
	a->packs.after.id = (struct str){dash + 1, text.len - (size_t)(dash + 1 - text.s)};
	return id_name_valid(a->packs.after.id) ? NULL : bad_cursor(r);
}

static void on_installed_packs(const struct store_packs *list, void *arg)
{
	struct json_out *o = list_begin(arg, list->status);
	char next[24 + NAME_ID_MAX];
	if (o == NULL)
		return;
	put_packs(o, list);
	if (list->has_more) {
		const struct sticker_pack *last = &list->item[list->count - 1];
		snprintf(next, sizeof(next), "%" PRId64 "-%.*s", last->installed_ms, (int)last->id.len, last->id.s);
	}
	list_end(arg, list->has_more ? str_from(next) : STR_NULL);
}

void installed_packs_proceed(struct request *r, const union command_args *a)
{
	store_list_installed_packs(r->live->store, request_user(r), a->packs.limit, a->packs.after, on_installed_packs,
				   r);
}

/* ---- pictures ---- */

struct shown_picture {
	struct request *r;
	struct str path, name;
	struct picture_reader *reader;
};

static void show_picture(struct request *r, struct str name, struct blob *content)
{
	char etag[PICTURE_NAME_MAX + 3];
	snprintf(etag, sizeof(etag), "\"%.*s\"", (int)name.len, name.s);
	request_answer_immutable(r, etag, picture_media_type(name), content);
}

static void on_picture(enum store_status status, struct blob *content, void *const *arg, size_t args)
{
	for (size_t i = 0; i < args; i++) {
		const struct shown_picture *p = arg[i];
		struct request *r = p->r;
		admission_picture_read(r->live, p->reader);
		if (status != STORE_OK) {
			request_fail_store(r, status);
			continue;
		}
		picture_cache_put(r->api->pictures, p->path, content);
		show_picture(r, p->name, content);
	}
}

static struct shown_picture *shown_picture_new(struct request *r, struct str path, struct picture_reader *reader)
{
	struct shown_picture *p = arena_alloc(&r->arena, sizeof(*p));
	p->r = r;
	p->reader = reader;
	p->path = arena_str(&r->arena, path);
	p->name = arena_str(&r->arena, r->path_picture);
	return p;
}

/* Without a token: a page shows it by its URL alone. What is not in memory counts for the address. */
void picture_proceed(struct request *r, const union command_args *a)
{
	char text[STICKER_PATH_MAX + 1];
	struct str path = sticker_path(r->path_pack, r->path_picture, text);
	struct blob *content = picture_cache_get(r->api->pictures, path);
	(void)a;
	if (content != NULL) {
		show_picture(r, r->path_picture, content);
		return;
	}
	struct picture_reader *reader;
	r->retry_ms = admission_picture(r->live, r->http->peer, &reader);
	if (r->retry_ms != 0)
		request_fail(r, request_problem(r, PROBLEM_RATE_LIMITED, "too many pictures for this address"));
	else
		store_find_picture(r->live->store, r->path_pack, r->path_picture, on_picture,
				   shown_picture_new(r, path, reader));
}
