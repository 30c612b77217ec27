/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking up a changed configuration: read and checked as a whole before anything is touched, then workers of a new
 * generation are started, and the old ones serve until those are ready (master.c).
 */
#include "core/base.h"
#include "proc/master_priv.h"

#include "core/log.h"
#include "proc/notify.h"

#include <stdlib.h>

struct conf *reload_read(const struct master *m, char **err_r)
{
	struct conf *next = conf_load(m->conf->path, err_r);
	if (next == NULL)
		return NULL;
	/* What had to be lowered at the start is no change of the file's. */
	if (next->worker_connections == m->wanted_connections)
		next->worker_connections = m->conf->worker_connections;
	*err_r = conf_check_server(next);
	if (*err_r == NULL)
		*err_r = im_fault(next);
	if (*err_r == NULL && (unsigned)next->workers * 2 > m->slots)
		*err_r = xasprintf("%s: workers: more than twice as many as at the start need a restart", next->path);
	if (*err_r != NULL)
		conf_free(&next);
	return next;
}

static int apply(struct master *m, struct conf *next, char **err_r)
{
	const char *reason;
	if (spawn_free_slots(m) < (unsigned)next->workers) {
		*err_r = xstrdup("the workers of the last reloads are still draining; try again when they have left");
		return -1;
	}
	char *fixed = conf_carry_over(next, m->conf);
	if (dispatch_listen(m, next, err_r) != 0) {
		free(fixed);
		return -1;
	}
	if (log_open(next->log.target, next->log.level, next->log.format, &reason) != 0) {
		*err_r = xasprintf("log.target: %s: %s", next->log.target, reason);
		free(fixed);
		return -1;
	}
	if (fixed != NULL)
		log_warn("a restart is needed for: %s", fixed);
	free(fixed);
	return 0;
}

int master_reload(struct master *m, char **err_r)
{
	if (m->phase != MASTER_SERVING) {
		*err_r = xstrdup("the server is stopping");
		return -1;
	}
	struct conf *next = reload_read(m, err_r);
	if (next == NULL)
		return -1;
	if (apply(m, next, err_r) != 0) {
		conf_free(&next);
		return -1;
	}
	notify_reloading();
	log_info("the configuration was read again");
	conf_log_warnings(next);
	master_renew(m, next);
	return 0;
}
