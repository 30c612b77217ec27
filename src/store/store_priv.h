/* SPDX-License-Identifier: BSD-2-Clause */
/* What the store's files share: the store itself. */
#ifndef TIDINGS_STORE_STORE_PRIV_H
#define TIDINGS_STORE_STORE_PRIV_H

#include "core/base.h"
#include "store/lane.h"
#include "store/pool.h"
#include "store/seen.h"
#include "store/store.h"
#include "store/txn.h"
#include "store/writers.h"

struct store {
	const struct conf *conf;
	struct lane *lane; /* messages; NULL where writers write them */
	struct writers *writers;
	struct txns *txns;	  /* other changes */
	struct seen *seen;	  /* goes through txns */
	struct pool *pool;	  /* reads */
	struct pool *search_pool; /* searches, apart so that they keep no other read waiting; NULL: they are off */
	/* Reads that have committed and are counted still, before their callbacks: of the open cut, and those after. */
	size_t counting[2];
	bool cut; /* changes with each: which of the two is meant */
};

#endif
