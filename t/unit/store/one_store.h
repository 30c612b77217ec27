/* SPDX-License-Identifier: BSD-2-Clause */
/* A store with a database of its own, from the beginning of a test program to its end. */
#ifndef TIDINGS_T_STORE_ONE_STORE_H
#define TIDINGS_T_STORE_ONE_STORE_H

#include "core/base.h"

#include "calls.h"
#include "db.h"
#include "store/store.h"
#include "../tap.h"

static struct conf *conf;
static struct store *s;

/* `obs` may be NULL. */
static inline void one_store_begin(const struct store_observer *obs)
{
	db_start();
	conf = db_conf("tidings");
	db_migrate(conf);
	base = event_base_new();
	s = store_new(base, conf, obs, NULL);
	wait_up(s);
}

/* What main() returns. */
static inline int one_store_end(void)
{
	is_int(answers_at_once, 0, "no answer came but from the loop");
	store_free(&s);
	event_base_free(base);
	arena_fini(&kept);
	conf_free(&conf);
	return done_testing();
}

#endif
