/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "store/mention.h"

#include "store/lane_priv.h"
#include "store/sql.h"

size_t mention_keep(const struct mention_list *list, struct str *kept)
{
	size_t n = 0;
	ASSERT(list->count <= STORE_MENTIONS_MAX);
	for (size_t i = 0; i < list->count && !list->all; i++) {
		size_t k = 0;
		while (k < n && !str_equal(kept[k], list->user[i]))
			k++;
		if (k == n && id_user_valid(list->user[i]))
			kept[n++] = list->user[i];
	}
	return n;
}

size_t mention_room(const struct str *user, size_t count)
{
	size_t bytes = sizeof("[\"*\"]");
	for (size_t i = 0; i < count; i++)
		bytes += user[i].len + sizeof("\"\",") - 1;
	return bytes;
}

/* Their ids have nothing that JSON escapes. */
struct str mention_next(struct str array, size_t *at)
{
	const char *from = array.len > *at ? memchr(array.s + *at, '"', array.len - *at) : NULL;
	const char *to = from != NULL ? memchr(from + 1, '"', (size_t)(array.s + array.len - from - 1)) : NULL;
	if (to == NULL)
		return STR_NULL;
	*at = (size_t)(to + 1 - array.s);
	return (struct str){from + 1, (size_t)(to - from - 1)};
}

static void add(char **at, const char *first, struct str user)
{
	char before = *at == first ? '[' : ',';
	*(*at)++ = before;
	*(*at)++ = '"';
	memcpy(*at, user.s, user.len);
	*at += user.len;
	*(*at)++ = '"';
}

/* One of the array is kept in the same row as that user. */
static bool has_row(struct member *from, struct str array, struct str row)
{
	size_t at = 0;
	for (struct str one = mention_next(array, &at); one.s != NULL; one = mention_next(array, &at)) {
		struct str other = from->conv->kind->mention_of(from, one);
		if (other.s != NULL && str_equal(other, row))
			return true;
	}
	return false;
}

static void note(struct batch *b, struct member *from, const struct message *m, struct str before, struct member *who)
{
	const struct conv_kind *kind = from->conv->kind;
	struct str row = kind->mention_of(from, who != NULL ? who->user : MENTION_EVERYONE);
	if (row.s != NULL && !has_row(from, before, row))
		kind->mentioned(b, from, m, who);
}

void mention_note(struct batch *b, const struct mention_list *list, struct str before, char *room, struct member *from,
		  struct message *m)
{
	char *at = room;
	m->mentions = STR_NULL;
	if (list->all) {
		add(&at, room, MENTION_EVERYONE);
		note(b, from, m, before, NULL);
	}
	for (size_t i = 0; i < list->count; i++) {
		struct member *who = conv_member(b, from->conv, list->user[i]);
		if (who == NULL)
			continue;
		add(&at, room, who->user);
		note(b, from, m, before, who);
	}
	if (at == room)
		return;
	*at++ = ']';
	m->mentions = (struct str){room, (size_t)(at - room)};
}

void mention_forget(struct batch *b, struct str before, struct member *from, const struct message *m)
{
	struct buf *out = NULL;
	bool first = true;
	size_t at = 0;
	for (struct str user = mention_next(before, &at); user.s != NULL; user = mention_next(before, &at)) {
		struct str row = from->conv->kind->mention_of(from, user);
		if (row.s == NULL || has_row(from, m->mentions, row))
			continue;
		if (out == NULL) {
			out = batch_update(b);
			sql_lit(out, "DELETE n FROM mentions n FORCE INDEX (PRIMARY) WHERE n.conversation_id=");
			sql_u64(out, message_id_conversation(m->id));
			sql_lit(out, " AND n.seq=");
			sql_u64(out, message_id_seq(m->id));
			sql_lit(out, " AND n.user_id IN (");
		}
		sql_comma(out, &first);
		sql_str(out, row);
	}
	if (out != NULL)
		buf_append_char(out, ')');
}
