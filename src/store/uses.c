/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "store/uses.h"

#include "core/media_ref.h"
#include "store/sql.h"

bool uses_file(struct str media_url)
{
	return media_ref_id(media_url).s != NULL;
}

void uses_ask(struct batch *b, struct str media_url, uint64_t *there_r)
{
	*there_r = 0;
	struct buf *text = batch_ask(b, there_r);
	sql_lit(text, "SELECT 1 FROM media FORCE INDEX (PRIMARY) WHERE id=");
	sql_str(text, media_ref_id(media_url));
	sql_lit(text, " AND state=1 LOCK IN SHARE MODE");
}

void uses_write(struct batch *b, struct str media_url, uint64_t message_id)
{
	struct buf *text = batch_update(b);
	sql_lit(text, "INSERT INTO media_uses (media_id,message_id) VALUES (");
	sql_str(text, media_ref_id(media_url));
	buf_append_char(text, ',');
	sql_u64(text, message_id);
	buf_append_char(text, ')');
}

void uses_copy(struct batch *b, struct str of, uint64_t message_id)
{
	struct buf *text = batch_update(b);
	sql_lit(text, "INSERT INTO media_uses (media_id,message_id) SELECT DISTINCT u.media_id,");
	sql_u64(text, message_id);
	sql_lit(text, " FROM media_uses u FORCE INDEX (by_message) WHERE u.message_id IN (");
	buf_append_str(text, of);
	buf_append_char(text, ')');
}
