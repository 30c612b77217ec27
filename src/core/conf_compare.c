/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares configurations row by row: what a reload may take up, and which options
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

		if (row->change != CONF_RESTART || same_field(row, to, from))
			continue;
		add_name(&names, row);
		copy_field(row, to, from);
	}
	return take_names(&names);
}

char *conf_without_effect(const struct conf *c)
{
	char nothing[1] = "", *err;
	struct conf *defaults = conf_load_text("", nothing, 0, &err);
	struct buf names = {0};

	for (size_t i = 0; defaults != NULL && i < conf_row_count; i++) {
		const struct conf_row *row = &conf_rows[i];
		if (row->since == CONF_LATER &&
		    !same_field(row, (const char *)c + row->offset, (const char *)defaults + row->offset))
			add_name(&names, row);
	}
	free(err);
	conf_free(&defaults);
	return take_names(&names);
}

void conf_log_warnings(const struct conf *c)
{
	char *idle = conf_without_effect(c);

	if (idle != NULL)
		log_warn("set, but without effect in this version: %s", idle);
	free(idle);
	for (size_t i = 0; i < c->warnings.count; i++)
		log_warn("%s", c->warnings.item[i]);
}
