/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares configurations row by row: what differs, what a reload may take up, and which options
 * are set in vain. Decides nothing itself; the table's rows say it.
 */
#include "core/base.h"
#include "core/conf.h"

#include <stdlib.h>

#include "core/conf_table.h"

static bool same_list(const struct conf_list *a, const struct conf_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->item[i], b->item[i]) != 0)
			return false;
	}
	return true;
}

static bool same_field(const struct conf_row *row, const void *a, const void *b)
{
	switch (row->type) {
	case CONF_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case CONF_INT:
	case CONF_ENUM:
	case CONF_SECS:
	case CONF_BYTES:
		return *(const int *)a == *(const int *)b;
	case CONF_SIZE:
		return *(const int64_t *)a == *(const int64_t *)b;
	case CONF_STRING:
	case CONF_PATH:
		return strcmp(*(char *const *)a, *(char *const *)b) == 0;
	case CONF_LIST:
		return same_list(a, b);
	}
	return true;
}

static void copy_field(const struct conf_row *row, void *to, const void *from)
{
	struct conf_list *list = to;

	switch (row->type) {
	case CONF_BOOL:
		*(bool *)to = *(const bool *)from;
		break;
	case CONF_INT:
	case CONF_ENUM:
	case CONF_SECS:
	case CONF_BYTES:
		*(int *)to = *(const int *)from;
		break;
	case CONF_SIZE:
		*(int64_t *)to = *(const int64_t *)from;
		break;
	case CONF_STRING:
	case CONF_PATH:
		free(*(char **)to);
		*(char **)to = xstrdup(*(char *const *)from);
		break;
	case CONF_LIST:
		conf_list_free(list);
		list->count = ((const struct conf_list *)from)->count;
		list->item = xcalloc(list->count + 1, sizeof(*list->item));
		for (size_t i = 0; i < list->count; i++)
			list->item[i] = xstrdup(((const struct conf_list *)from)->item[i]);
		break;
	}
}

static void add_name(struct buf *names, const struct conf_row *row)
{
	buf_printf(names, "%s%s%s%s", names->len > 0 ? ", " : "", row->section, row->section[0] == '\0' ? "" : ".",
		   row->name);
}

static char *take_names(struct buf *names)
{
	char *text = names->len > 0 ? xstrdup(buf_cstr(names)) : NULL;
	buf_fini(names);
	return text;
}

char *conf_carry_over(struct conf *next, const struct conf *running)
{
	struct buf names = {0};

	for (size_t i = 0; i < conf_row_count; i++) {
		const struct conf_row *row = &conf_rows[i];
		void *to = (char *)next + row->offset;
		const void *from = (const char *)running + row->offset;

		if (conf_row_titled(row) != TITLED_NONE || row->change != CONF_RESTART || same_field(row, to, from))
			continue;
		add_name(&names, row);
		copy_field(row, to, from);
	}
	return take_names(&names);
}

/* ---- the differences as text ---- */

static void put_value(struct buf *out, const struct conf_row *row, const void *field)
{
	const struct conf_list *list = field;

	buf_clear(out);
	switch (row->type) {
	case CONF_BOOL:
		buf_printf(out, "%s", *(const bool *)field ? "true" : "false");
		break;
	case CONF_ENUM:
		buf_printf(out, "%s", row->names[*(const int *)field]);
		break;
	case CONF_INT:
	case CONF_SECS:
	case CONF_BYTES:
		buf_printf(out, "%d", *(const int *)field);
		break;
	case CONF_SIZE:
		buf_printf(out, "%lld", (long long)*(const int64_t *)field);
		break;
	case CONF_STRING:
	case CONF_PATH:
		buf_printf(out, "%s", row->secret ? "(secret)" : *(char *const *)field);
		break;
	case CONF_LIST:
		for (size_t i = 0; i < list->count; i++)
			buf_printf(out, "%s%s", i > 0 ? ", " : "", list->item[i]);
		break;
	}
}

/* Keys are compared by what they verify with, wherever it came from. */
static bool same_key(const struct conf_jwt_key *a, const struct conf_jwt_key *b)
{
	return a->algorithm == b->algorithm && a->secret_len == b->secret_len &&
	       memcmp(a->secret, b->secret, a->secret_len) == 0 && strcmp(a->public_key, b->public_key) == 0;
}

static const struct conf_jwt_key *find_key(const struct conf_jwt_key *keys, size_t count, const char *kid)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(keys[i].kid, kid) == 0)
			return &keys[i];
	return NULL;
}

struct comparison {
	conf_differs_fn *tell;
	void *arg;
	struct buf name, from, to;
};

static void tell_key(struct comparison *c, const struct conf_jwt_key *from, const struct conf_jwt_key *to)
{
	const char *kid = from != NULL ? from->kid : to->kid;
	buf_clear(&c->name);
	buf_printf(&c->name, kid[0] != '\0' ? "jwt.key \"%s\"" : "jwt: its own key%s", kid);
	c->tell(buf_cstr(&c->name), from != NULL ? conf_jwt_algorithm_name(from->algorithm) : "",
		to != NULL ? conf_jwt_algorithm_name(to->algorithm) : "", false, c->arg);
}

static void compare_keys(struct comparison *c, const struct conf_jwt_key *from, size_t from_count,
			 const struct conf_jwt_key *to, size_t to_count)
{
	for (size_t i = 0; i < from_count; i++) {
		const struct conf_jwt_key *same = find_key(to, to_count, from[i].kid);
		if (same == NULL || !same_key(&from[i], same))
			tell_key(c, &from[i], same);
	}
	for (size_t i = 0; i < to_count; i++)
		if (find_key(from, from_count, to[i].kid) == NULL)
			tell_key(c, NULL, &to[i]);
}

/* What a webhook is told of by: its URL, as a secret alone cannot be shown. */
static void tell_webhook(struct comparison *c, const struct conf_webhook *from, const struct conf_webhook *to)
{
	buf_clear(&c->name);
	buf_printf(&c->name, "relay.webhook \"%s\"", from != NULL ? from->name : to->name);
	c->tell(buf_cstr(&c->name), from != NULL ? from->url : "", to != NULL ? to->url : "", false, c->arg);
}

static const struct conf_webhook *find_webhook(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->relay.webhook_count; i++)
		if (strcmp(c->relay.webhooks[i].name, name) == 0)
			return &c->relay.webhooks[i];
	return NULL;
}

static bool same_webhook(const struct conf_webhook *a, const struct conf_webhook *b)
{
	return strcmp(a->url, b->url) == 0 && a->secret_len == b->secret_len &&
	       memcmp(a->secret, b->secret, a->secret_len) == 0 && a->event_mask == b->event_mask &&
	       a->batch == b->batch;
}

static void compare_webhooks(struct comparison *c, const struct conf *from, const struct conf *to)
{
	for (size_t i = 0; i < from->relay.webhook_count; i++) {
		const struct conf_webhook *h = &from->relay.webhooks[i], *same = find_webhook(to, h->name);
		if (same == NULL || !same_webhook(h, same))
			tell_webhook(c, h, same);
	}
	for (size_t i = 0; i < to->relay.webhook_count; i++)
		if (find_webhook(from, to->relay.webhooks[i].name) == NULL)
			tell_webhook(c, NULL, &to->relay.webhooks[i]);
}

/* Its options are rows; what is in its secret_file is not. */
static void compare_before_send(struct comparison *c, const struct conf *from, const struct conf *to)
{
	if (from->relay.before_send.secret_len != to->relay.before_send.secret_len ||
	    memcmp(from->relay.before_send.secret, to->relay.before_send.secret, to->relay.before_send.secret_len) != 0)
		c->tell("relay.before_send: its secret", "(secret)", "(secret)", false, c->arg);
}

static bool is_told_apart(const struct conf_row *row)
{
	return conf_row_titled(row) != TITLED_NONE || (row->secret && strcmp(row->section, "jwt") == 0);
}

void conf_compare(const struct conf *running, const struct conf *next, conf_differs_fn *tell, void *arg)
{
	struct comparison c = {.tell = tell, .arg = arg};

	for (size_t i = 0; i < conf_row_count; i++) {
		const struct conf_row *row = &conf_rows[i];
		const void *from = (const char *)running + row->offset, *to = (const char *)next + row->offset;
		if (is_told_apart(row) || same_field(row, from, to))
			continue;
		buf_clear(&c.name);
		add_name(&c.name, row);
		put_value(&c.from, row, from);
		put_value(&c.to, row, to);
		tell(buf_cstr(&c.name), buf_cstr(&c.from), buf_cstr(&c.to), row->change == CONF_RESTART, arg);
	}
	compare_keys(&c, &running->jwt.own, 1, &next->jwt.own, 1);
	compare_keys(&c, running->jwt.keys, running->jwt.key_count, next->jwt.keys, next->jwt.key_count);
	compare_keys(&c, running->jwt.jwks, running->jwt.jwks_count, next->jwt.jwks, next->jwt.jwks_count);
	compare_webhooks(&c, running, next);
	compare_before_send(&c, running, next);
	buf_fini(&c.name);
	buf_fini(&c.from);
	buf_fini(&c.to);
}

void conf_log_warnings(const struct conf *c)
{
	for (size_t i = 0; i < c->warnings.count; i++)
		log_warn("%s", c->warnings.item[i]);
}
