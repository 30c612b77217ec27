/* SPDX-License-Identifier: BSD-2-Clause */
/* What the stores of the two models count together. */
#ifndef TIDINGS_T_STORE_MODEL_H
#define TIDINGS_T_STORE_MODEL_H

#include "core/base.h"

#include "store/store.h"

static unsigned retries, deadlocks, batches, ops_done;

static void on_retry(const char *why, void *ctx)
{
	retries++;
	deadlocks += strcmp(why, "deadlock") == 0;
}

static void on_batch(unsigned ops, unsigned sends, uint64_t usecs, void *ctx)
{
	batches++;
	ops_done += ops;
}

static const struct store_observer model_observer = {.batch = on_batch, .retry = on_retry};

#endif
