/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking up a changed configuration: read and checked as a whole before anything is touched, then workers of a new
 * generation are started, and the old ones serve until those are ready (master.c).
 *
 * It is checked twice: as the file has it, which is what a restart would take up, and with the running values of the
 * options that only a restart changes, which is what the new workers get.
 */
#include "core/base.h"
#include "proc/master_priv.h"

#include "core/log.h"
#include "proc/master.h"
#include "proc/notify.h"

#include <stdlib.h>

char *master_conf_fault(const struct conf *conf, bool daemon)
{
	char *fault = conf_check_server(conf);
	if (fault == NULL)
		fault = im_fault(conf);
	if (fault == NULL && daemon && strcmp(conf->log.target, "stderr") == 0)
		fault = xasprintf("%s: log.target: a daemon (-D) has no stderr: syslog or a file is needed",
				  conf->path);
	return fault;
}

static char *carried_over_fault(const struct master *m, const struct conf *next, const char *fixed)
{
	char *fault = fixed != NULL ? master_conf_fault(next, m->daemon) : NULL;
	if (fault != NULL) {
		char *text =
			xasprintf("until a restart the running values of %s stay, and with them: %s", fixed, fault);
		free(fault);
		fault = text;
	}
	if (fault == NULL && (unsigned)next->workers > m->worker_slots / 2)
		fault = xasprintf("%s: workers: more than twice as many as at the start need a restart", next->path);
	if (fault == NULL && (unsigned)next->writers > m->writer_slots / 2)
		fault = xasprintf("%s: writers: more than twice as many as at the start need a restart", next->path);
	return fault;
}

struct conf *reload_read(const struct master *m, conf_differs_fn *tell, void *arg, char **fixed_r, char **err_r)
{
	*fixed_r = NULL;
	struct conf *next = conf_load(m->conf->path, err_r);
	if (next == NULL)
		return NULL;
	/* What had to be lowered at the start is no change of the file's. */
	if (next->worker_connections == m->wanted_connections)
		next->worker_connections = m->conf->worker_connections;
	*err_r = master_conf_fault(next, m->daemon);
	if (*err_r == NULL) {
		if (tell != NULL)
			conf_compare(m->conf, next, tell, arg);
		*fixed_r = conf_carry_over(next, m->conf);
		*err_r = carried_over_fault(m, next, *fixed_r);
	}
	if (*err_r != NULL) {
		free(*fixed_r);
		*fixed_r = NULL;
		conf_free(&next);
	}
	return next;
}

static int apply(struct master *m, struct conf *next, char **err_r)
{
	const char *reason;
	if (spawn_free_slots(m, CHILD_WORKER) < (unsigned)next->workers ||
	    spawn_free_slots(m, CHILD_WRITER) < (unsigned)next->writers) {
		*err_r = xstrdup("the workers of the last reloads are still draining; try again when they have left");
		return -1;
	}
	if (dispatch_listen(m, next, err_r) != 0)
		return -1;
	if (log_open(next->log.target, next->log.level, next->log.format, &reason) != 0) {
		*err_r = xasprintf("log.target: %s: %s", next->log.target, reason);
		return -1;
	}
	master_make_trace_dir(next);
	return 0;
}

int master_reload(struct master *m, char **err_r)
{
	if (m->phase != MASTER_SERVING) {
		*err_r = xstrdup("the server is stopping");
		return -1;
	}
	char *fixed;
	struct conf *next = reload_read(m, NULL, NULL, &fixed, err_r);
	if (next == NULL)
		return -1;
	if (apply(m, next, err_r) != 0) {
		free(fixed);
		conf_free(&next);
		return -1;
	}
	if (fixed != NULL)
		log_warn("a restart is needed for: %s", fixed);
	free(fixed);
	notify_reloading();
	log_info("the configuration was read again");
	conf_log_warnings(next);
	master_renew(m, next);
	return 0;
}
