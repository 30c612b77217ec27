/* SPDX-License-Identifier: BSD-2-Clause */
/* A store with a database of its own behind a proxy, from the beginning of a test program to its end. */
#ifndef TIDINGS_T_STORE_PROXIED_STORE_H
#define TIDINGS_T_STORE_PROXIED_STORE_H

#include "core/base.h"

#include "calls.h"
#include "db.h"
#include "proxy.h"
#include "store/store.h"
#include "../tap.h"

static struct conf *proxied;
static struct evconnlistener *proxy;
static struct store *s;

/* `obs` may be NULL. */
static inline void proxied_store_begin(const struct store_observer *obs)
{
	db_start();
	proxied = db_conf("tidings");
	db_migrate(proxied);
	base = event_base_new();
	proxy = proxy_new();
	db_set(&proxied->mysql.socket, proxy_socket);
	s = store_new(base, proxied, obs, NULL);
	wait_up(s);
}

static inline void proxied_store_free(void)
{
	store_free(&s);
	while (late_server != NULL)
		turn();
	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

/* What main() returns. */
static inline int proxied_store_end(void)
{
	is_int(answers_at_once, 0, "no answer came but from the loop");
	proxied_store_free();
	proxy_free(proxy);
	event_base_free(base);
	arena_fini(&kept);
	conf_free(&proxied);
	return done_testing();
}

#endif
