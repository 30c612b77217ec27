/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "store/message_words.h"

#include "core/json.h"
#include "core/utf8.h"

/* Of a name that is longer, the rest is not found. */
#define NAME_MAX_BYTES 1024

void message_words_fini(struct message_words *w)
{
	words_fini(&w->content);
	words_fini(&w->name);
	json_doc_free(&w->doc);
}

static bool has_file(enum message_type type)
{
	return type == MESSAGE_IMAGE || type == MESSAGE_VOICE || type == MESSAGE_VIDEO || type == MESSAGE_FILE;
}

static struct str name_of_extra(struct message_words *w, struct str extra)
{
	const char *fault;
	/* Most have none, and need not be parsed. */
	if (extra.s == NULL || memmem(extra.s, extra.len, "file_name", strlen("file_name")) == NULL)
		return STR_NULL;
	if (w->doc == NULL)
		w->doc = json_doc_new();
	const struct json *name = json_get(json_parse(w->doc, extra, &fault), "file_name");
	return name != NULL && name->type == JSON_STRING && name->text.len != 0 ? name->text : STR_NULL;
}

static int hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decoded to out, which has room for NAME_MAX_BYTES; absent where that is no text. */
static struct str name_of_url(struct str url, char *out)
{
	size_t end = 0, begin = 0, len = 0;
	while (end < url.len && url.s[end] != '?' && url.s[end] != '#') {
		if (url.s[end] == '/')
			begin = end + 1;
		end++;
	}
	for (size_t i = begin; i < end && len < NAME_MAX_BYTES; i++) {
		int high = url.s[i] == '%' && i + 2 < end ? hex_of(url.s[i + 1]) : -1;
		int low = high >= 0 ? hex_of(url.s[i + 2]) : -1;
		out[len++] = low >= 0 ? (char)(high << 4 | low) : url.s[i];
		i += low >= 0 ? 2 : 0;
	}
	return utf8_valid(out, len) ? (struct str){out, len} : STR_NULL;
}

void message_words_read(struct message_words *w, const struct message *m, bool places)
{
	char decoded[NAME_MAX_BYTES];
	struct str name = STR_NULL;
	bool has_text = m->type != MESSAGE_SYSTEM && m->content.s != NULL && utf8_valid(m->content.s, m->content.len);
	words_read(&w->content, has_text ? m->content : STR_NULL, places);
	if (has_file(m->type)) {
		name = name_of_extra(w, m->extra);
		if (name.s == NULL && m->media_url.s != NULL)
			name = name_of_url(m->media_url, decoded);
	}
	words_read(&w->name, name, false);
}
