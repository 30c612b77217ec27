/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading rows. What the schema does not allow, but a database may hold all the same, is read as nothing. */
#include "core/base.h"
#include "store/row.h"

#include "core/clock.h"
#include "core/log.h"
#include "store/sql.h"

struct str row_take_str(struct row *r)
{
	ASSERT(r->at < r->count);
	unsigned i = r->at++;
	return r->column[i] == NULL ? STR_NULL : (struct str){r->column[i], r->len[i]};
}

bool row_next_is_null(const struct row *r)
{
	ASSERT(r->at < r->count);
	return r->column[r->at] == NULL;
}

uint64_t row_take_u64(struct row *r)
{
	struct str s = row_take_str(r);
	uint64_t v = 0;
	for (size_t i = 0; i < s.len && s.s[i] >= '0' && s.s[i] <= '9'; i++)
		v = v * 10 + (uint64_t)(s.s[i] - '0');
	return v;
}

bool row_take_bool(struct row *r)
{
	return row_take_u64(r) != 0;
}

int64_t row_take_ms(struct row *r)
{
	struct str s = row_take_str(r);
	int64_t ms;
	return s.s != NULL && clock_parse_sql(s, &ms) == 0 ? ms : 0;
}

void row_take_user(struct row *r, char out[USER_ID_MAX + 1])
{
	struct str s = row_take_str(r);
	size_t len = s.len <= USER_ID_MAX ? s.len : USER_ID_MAX;
	if (len != 0)
		memcpy(out, s.s, len);
	out[len] = '\0';
}

enum group_role row_take_role(struct row *r)
{
	uint64_t role = row_take_u64(r);
	return role <= GROUP_MEMBER ? (enum group_role)role : GROUP_NO_ROLE;
}

enum message_type row_take_type(struct row *r)
{
	uint64_t type = row_take_u64(r);
	return type < MESSAGE_TYPES && message_type_name((enum message_type)type) != NULL ? (enum message_type)type
											  : MESSAGE_FILE;
}

bool row_take_message(struct row *r, struct arena *a, struct message *out)
{
	*out = (struct message){.id = row_take_u64(r)};
	row_take_user(r, out->from);
	row_take_user(r, out->to);
	out->type = row_take_type(r);
	out->content = arena_str(a, row_take_str(r));
	out->media_url = arena_str(a, row_take_str(r));
	out->extra = arena_str(a, row_take_str(r));
	struct str client_msg_id = row_take_str(r);
	/* One of our own making, which starts with a space, is nobody's business. */
	if (client_msg_id.len != 0 && client_msg_id.s[0] != ' ')
		out->client_msg_id = arena_str(a, client_msg_id);
	out->reply_to = row_take_u64(r);
	out->read_ms = row_take_ms(r);
	out->is_read = out->read_ms != 0;
	out->is_recalled = row_take_bool(r);
	out->recalled_ms = row_take_ms(r);
	out->created_ms = row_take_ms(r);
	out->mentions = arena_str(a, row_take_str(r));
	out->entities = arena_str(a, row_take_str(r));
	out->edited_ms = row_take_ms(r);
	out->forwarded_from = arena_str(a, row_take_str(r));
	out->reactions = arena_str(a, row_take_str(r));
	out->expires_ms = row_take_ms(r);
	out->expires_in_secs = row_take_u64(r);
	return out->id != 0;
}

void row_put_mark(struct buf *text, uint64_t conversation_id, struct str user, uint64_t seq)
{
	sql_lit(text, "at FROM read_marks FORCE INDEX (PRIMARY) WHERE conversation_id=");
	sql_u64(text, conversation_id);
	sql_lit(text, " AND user_id=");
	sql_str(text, user);
	sql_lit(text, " AND up_to_seq>=");
	sql_u64(text, seq);
	sql_lit(text, " ORDER BY up_to_seq LIMIT 1");
}

void row_take_mark(struct row *r, struct message *m)
{
	m->read_ms = row_take_ms(r);
	m->is_read = m->read_ms != 0;
}
