/* SPDX-License-Identifier: BSD-2-Clause */
/* Statements about the parts of merged messages. Decides nothing about who may send or recall them. */
#include "core/base.h"
#include "store/parts.h"

#include "store/forward.h"
#include "store/lane_priv.h"
#include "store/sql.h"
#include "store/uses.h"

#define PART_COLUMNS                                                                                                   \
	"message_id,part,from_user_id,nickname,message_type,content,media_url,extra,entities,forwarded_from,created_"  \
	"at"
#define COPIED_PART_COLUMNS                                                                                            \
	"p.from_user_id,p.nickname,p.message_type,p.content,p.media_url,p.extra,p.entities,p.forwarded_from,"          \
	"p.created_at FROM forwarded p FORCE INDEX (PRIMARY) WHERE p.message_id"

uint64_t parts_count(const struct store_parts *p)
{
	uint64_t n = 1;
	for (size_t i = 0; i < p->of.len; i++)
		n += p->of.s[i] == ',';
	return n;
}

/* The next id; 0, or -1: it is none. *left is absent after the last one. */
static int next_id(struct str *left, uint64_t *id_r)
{
	const char *comma = memchr(left->s, ',', left->len);
	const struct str id = {left->s, comma != NULL ? (size_t)(comma - left->s) : left->len};
	*left = comma != NULL ? (struct str){comma + 1, left->len - id.len - 1} : STR_NULL;
	return id_parse_u64(id, id_r);
}

bool parts_valid(const struct store_parts *p)
{
	uint64_t id;
	if (p->of.s == NULL)
		return true;
	for (struct str left = p->of; left.s != NULL;)
		if (next_id(&left, &id) != 0)
			return false;
	uint64_t n = parts_count(p);
	return n <= (p->again ? 1 : FORWARD_MESSAGES_MAX) && p->count <= FORWARD_PARTS_MAX;
}

void parts_ask(struct batch *b, const struct store_parts *p, uint64_t *answer)
{
	struct buf *text = batch_ask(b, answer);
	sql_lit(text, "SELECT COUNT(*) FROM messages FORCE INDEX (PRIMARY) WHERE id IN (");
	buf_append_str(text, p->of);
	sql_lit(text, ") AND is_recalled=0 LOCK IN SHARE MODE");
}

bool parts_are_there(struct batch *b, const struct store_parts *p, uint64_t answer)
{
	uint64_t id;
	for (struct str left = p->of; left.s != NULL && next_id(&left, &id) == 0;) {
		const struct held *h = batch_message(b, id);
		if (h != NULL && h->m.is_recalled)
			return false;
	}
	return answer == parts_count(p);
}

/* "'07'" of the message that `id` names, by its place among them. */
static void put_number(struct buf *text, const char *id, struct str of)
{
	sql_lit(text, "LPAD(FIELD(");
	buf_append(text, id, strlen(id));
	buf_append_char(text, ',');
	buf_append_str(text, of);
	sql_lit(text, ")-1,2,'0')");
}

static struct buf *begin_insert(struct batch *b, uint64_t message_id)
{
	struct buf *text = batch_update(b);
	sql_lit(text, "INSERT INTO forwarded (" PART_COLUMNS ") SELECT ");
	sql_u64(text, message_id);
	buf_append_char(text, ',');
	return text;
}

static void copy_messages(struct batch *b, struct str of, uint64_t message_id)
{
	struct buf *text = begin_insert(b, message_id);
	put_number(text, "m.id", of);
	sql_lit(text, ",m.from_user_id,u.nickname,m.message_type,m.content,m.media_url,m.extra,m.entities,"
		      "m.forwarded_from,m.created_at FROM messages m FORCE INDEX (PRIMARY) LEFT JOIN users u ON "
		      "u.id=m.from_user_id WHERE m.id IN (");
	buf_append_str(text, of);
	buf_append_char(text, ')');
}

static void copy_nested(struct batch *b, struct str of, uint64_t message_id)
{
	struct buf *text = begin_insert(b, message_id);
	sql_lit(text, "CONCAT(");
	put_number(text, "p.message_id", of);
	sql_lit(text, ",'.',p.part)," COPIED_PART_COLUMNS " IN (");
	buf_append_str(text, of);
	buf_printf(text, ") AND LENGTH(p.part)<=%d", FORWARD_PART_MAX - 3);
}

static void copy_parts(struct batch *b, struct str of, uint64_t message_id)
{
	struct buf *text = begin_insert(b, message_id);
	sql_lit(text, "p.part," COPIED_PART_COLUMNS "=");
	buf_append_str(text, of);
}

void parts_write(struct batch *b, const struct store_parts *p, uint64_t message_id)
{
	if (p->again) {
		copy_parts(b, p->of, message_id);
	} else {
		copy_messages(b, p->of, message_id);
		batch_expect(b, parts_count(p));
		if (p->nested)
			copy_nested(b, p->of, message_id);
	}
	uses_copy(b, p->of, message_id);
	struct buf *text = batch_update(b);
	sql_lit(text, "INSERT INTO forwards (message_id,parts,bytes) VALUES (");
	const uint64_t numbers[] = {message_id, p->count, p->bytes < UINT32_MAX ? p->bytes : UINT32_MAX};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (i != 0)
			buf_append_char(text, ',');
		sql_u64(text, numbers[i]);
	}
	buf_append_char(text, ')');
}

void parts_erase(struct batch *b, uint64_t message_id)
{
	batch_erase_of(b, "forwarded", "PRIMARY", message_id);
	batch_erase_of(b, "forwards", "PRIMARY", message_id);
}
