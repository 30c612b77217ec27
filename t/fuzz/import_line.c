/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a line of POST /admin/import: refused with a reason, or what the store takes of each kind, none of which
 * is borrowed from the line.
 */
#include "core/base.h"
#include "cmd/import.h"

#include <stdlib.h>

#include "core/conf_table.h"
#include "core/id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char conf_text[] = "jwt { secret = \"0123456789abcdef0123456789abcdef\" }\n";
static struct live live;
static struct api api = {.live = &live};

static void must(bool cond)
{
	if (!cond)
		abort();
}

/* Absent, or JSON of that kind. */
static void check_json(struct str text, enum json_type type)
{
	const char *reason;
	const struct json *v = text.s != NULL ? json_parse(api.doc, text, &reason) : NULL;
	must(text.s == NULL || (v != NULL && v->type == type));
}

/* Absent, or of so many bytes, each of which can be read. */
static void check_text(struct str text, size_t max)
{
	must(text.s != NULL || text.len == 0);
	must(text.len <= max && (text.s == NULL || memchr(text.s, '\0', text.len) == NULL));
}

static void check_user(const struct import_user *u)
{
	must(id_user_valid(u->user) && u->created_ms >= 0);
	check_text(u->nickname, NICKNAME_MAX * 4);
	check_text(u->avatar_url, SIZE_MAX);
}

static void check_friendship(const struct import_friendship *f)
{
	must(id_user_valid(f->user) && id_user_valid(f->friend) && !str_equal(f->user, f->friend) &&
	     f->created_ms >= 0);
}

static void check_group(const struct store_group_op *op)
{
	must(op->step == GROUP_IMPORT && id_user_valid(op->user) && id_client_msg_valid(op->client_group_id));
	must(op->name.s != NULL && op->user_count <= GROUP_CREATE_MAX && op->created_ms >= 0);
	check_text(op->name, SIZE_MAX);
	check_text(op->about, SIZE_MAX);
	check_text(op->avatar_url, SIZE_MAX);
	for (size_t i = 0; i < op->user_count; i++)
		must(id_user_valid(op->users[i]) && op->roles[i] >= GROUP_OWNER && op->roles[i] <= GROUP_MEMBER);
}

static void check_message(const struct import_message *m)
{
	must(id_user_valid(m->from) && id_client_msg_valid(m->client_msg_id) && m->created_ms > 0);
	must((m->to.s != NULL) != (m->client_group_id.s != NULL));
	must(m->to.s == NULL || (id_user_valid(m->to) && !str_equal(m->to, m->from)));
	must(m->client_group_id.s == NULL || id_client_msg_valid(m->client_group_id));
	must((m->reply_from.s != NULL) == (m->reply_client_msg_id.s != NULL));
	must(m->reply_from.s == NULL || (id_user_valid(m->reply_from) && id_client_msg_valid(m->reply_client_msg_id)));
	must(m->type <= MESSAGE_FILE);
	check_text(m->content, (size_t)live.conf->message.max_content);
	check_text(m->media_url, SIZE_MAX);
	check_json(m->extra, JSON_OBJECT);
	check_json(m->entities, JSON_ARRAY);
	check_json(m->mentions, JSON_ARRAY);
}

static void check_line(const struct import_line *l)
{
	switch (l->kind) {
	case IMPORT_LINE_USER:
		check_user(&l->user);
		return;
	case IMPORT_LINE_FRIENDSHIP:
		check_friendship(&l->friendship);
		return;
	case IMPORT_LINE_GROUP:
		check_group(&l->group);
		return;
	case IMPORT_LINE_MESSAGE:
		check_message(&l->message);
		return;
	}
	abort();
}

static void begin(void)
{
	char *fault = NULL;
	struct conf *conf = conf_load_text("fuzz", conf_text, sizeof(conf_text) - 1, &fault);
	must(conf != NULL);
	live.conf = conf;
	live.out = json_out_new();
	api.doc = json_doc_new();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct import_line l;
	const char *reason;
	if (live.conf == NULL)
		begin();
	const struct request whole = {.api = &api, .live = &live, .user = "ops"};
	struct request *r = request_new_part(&whole, NULL, NULL);
	/* Of its own memory, which is gone and overwritten before what was read is looked at. */
	char *text = xmalloc(len != 0 ? len : 1);
	memcpy(text, data, len);
	const struct problem *p = import_line_read(r, (struct str){text, len}, &l);
	free(text);
	(void)!json_parse(api.doc, STR_LIT("{\"another\":[\"one\"]}"), &reason);
	if (p != NULL)
		must(p->detail != NULL && p->detail[0] != '\0');
	else
		check_line(&l);
	request_end(r, NULL);
	return 0;
}
