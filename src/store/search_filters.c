/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The index that needs nothing but tables: a Bloom filter for each block (core/signature.h), which the database tests
 * in the WHERE of the user's own blocks. A message costs it some 60 bytes; what others have written costs a search
 * nothing.
 */
#include "core/base.h"
#include "store/search_backend.h"

#include <stdlib.h>

#include "core/signature.h"
#include "store/sql.h"

struct gathered {
	struct signature signature;
};

static struct gathered *filters_gather_new(void)
{
	return xcalloc(1, sizeof(struct gathered));
}

static void filters_gather_free(struct gathered **g)
{
	if (*g == NULL)
		return;
	signature_fini(&(*g)->signature);
	free(*g);
	*g = NULL;
}

static void filters_gather(struct gathered *g, const struct message_words *w)
{
	signature_add(&g->signature, &w->content);
	signature_add(&g->signature, &w->name);
}

static void filters_gather_put(struct gathered *g, struct buf *filter)
{
	signature_put(&g->signature, filter);
	signature_clear(&g->signature);
}

/* The length 0 makes each of them null, which is not true. */
static void put_probes(struct buf *text, const struct signature_probe *probe, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_append_str(text,
			       i != 0 ? STR_LIT(" AND ORD(SUBSTR(b.filter,1+") : STR_LIT("ORD(SUBSTR(b.filter,1+"));
		sql_u64(text, probe[i].hash >> 3);
		sql_lit(text, "%LENGTH(b.filter),1))&");
		sql_u64(text, 1u << (probe[i].hash & 7));
	}
	if (n == 0)
		buf_append_char(text, '0');
}

static void filters_put_find(struct buf *text, const struct needle *n, const struct search_range *range, size_t count)
{
	struct signature_probe probe[SIGNATURE_PROBES_MAX];
	size_t probes = signature_probes(n, probe);
	sql_lit(text, "SELECT b.conversation_id,b.block,b.first_at,b.last_at,");
	put_probes(text, probe, probes);
	sql_lit(text, " FROM search_blocks b FORCE INDEX (PRIMARY) WHERE (");
	for (size_t i = 0; i < count; i++) {
		buf_append_str(text, i != 0 ? STR_LIT(" OR (b.conversation_id=") : STR_LIT("(b.conversation_id="));
		sql_u64(text, range[i].conversation_id);
		sql_lit(text, " AND b.block BETWEEN ");
		sql_u64(text, range[i].first_block);
		sql_lit(text, " AND ");
		sql_u64(text, range[i].last_block);
		buf_append_char(text, ')');
	}
	buf_printf(text, ") AND (b.block%%%u=0 OR (", (unsigned)SEARCH_MARK);
	put_probes(text, probe, probes);
	sql_lit(text, "))");
}

const struct search_backend search_filters = {
	.name = "filters",
	.format = SIGNATURE_FORMAT,
	.put_find = filters_put_find,
	.gather_new = filters_gather_new,
	.gather_free = filters_gather_free,
	.gather = filters_gather,
	.gather_put = filters_gather_put,
};

const struct search_backend *search_backend(const struct conf *conf)
{
	switch ((enum conf_search_backend)conf->search.backend) {
	case SEARCH_BACKEND_AUTO:
		return &search_filters;
	case SEARCH_BACKEND_OFF:
		break;
	}
	return NULL;
}
