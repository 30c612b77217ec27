/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master's loop: signals become events of the loop, the loop acts. The phases of its life are here; workers in
 * spawn.c and watchdog.c, sockets in dispatch.c, reload.c, upgrade.c, and tidingsctl in control.c.
 */
#include "core/base.h"
#include "proc/master.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/trace.h"
#include "proc/channel.h"
#include "proc/inherit.h"
#include "proc/master_priv.h"
#include "proc/media.h"
#include "proc/notify.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK_MS 500
/* While some are to get ready, or to leave. */
#define TICK_BUSY_MS 20
/* A node that leaves serves on so long, or half of its time, for balancers to see that it is not ready any more. */
#define NOTICE_MS 10000
/* Descriptors of a worker that are no clients': database, Redis, logs, its loop. */
#define DESCRIPTORS_SPARE 512
/* Those of files that are received; and each download has one beside its connection's. */
#define DESCRIPTORS_OF_UPLOADS 4096

static void schedule_tick(struct master *m)
{
	bool busy = m->phase == MASTER_STOPPING || m->renewing;
	struct timeval tv = {.tv_usec = (busy ? TICK_BUSY_MS : TICK_MS) * 1000};
	event_add(m->tick, &tv);
}

static int64_t drain_ms(const struct master *m)
{
	return (int64_t)m->conf->drain_timeout_secs * 1000;
}

static int64_t notice_ms(const struct master *m)
{
	return drain_ms(m) / 2 < NOTICE_MS ? drain_ms(m) / 2 : NOTICE_MS;
}

/* The workers of the present generation are all ready: the older ones have served long enough. */
static void renewed(struct master *m)
{
	m->renewing = false;
	spawn_drain(m, false, drain_ms(m));
	if (m->phase == MASTER_WAITING)
		upgrade_say_ready(m);
	else
		notify_ready();
}

static void stop(struct master *m, int64_t patience_ms)
{
	m->phase = MASTER_STOPPING;
	m->kill_at_ms = clock_mono_ms() + patience_ms + KILL_GRACE_MS;
	upgrade_end_wait(m);
	if (m->sockets_elsewhere) {
		dispatch_close(m);
		control_abandon(&m->control);
	} else {
		upgrade_cancel(m);
		notify_stopping();
		dispatch_remove(m);
	}
	schedule_tick(m);
}

static void drain(struct master *m, int64_t patience_ms)
{
	log_info("stopping: draining for up to %d s", (int)(patience_ms / 1000));
	if (!m->sockets_elsewhere)
		dispatch_take_waiting(m);
	stop(m, patience_ms);
	spawn_drain(m, true, patience_ms);
}

/* Begins to stop: drained within the configured time. */
static void drain_once(struct master *m)
{
	int64_t left_ms = drain_ms(m);
	if (m->phase == MASTER_LEAVING)
		left_ms -= notice_ms(m);
	if (m->phase != MASTER_STOPPING)
		drain(m, left_ms);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;
	int64_t now = clock_mono_ms();
	(void)fd;
	(void)what;
	if (m->phase == MASTER_LEAVING && now >= m->stop_at_ms)
		drain_once(m);
	partners_update(m);
	if (m->phase == MASTER_STOPPING) {
		if (spawn_living(m) == 0) {
			event_base_loopbreak(m->base);
			return;
		}
		if (now >= m->kill_at_ms) {
			spawn_kill_all(m);
			m->kill_at_ms = now + KILL_GRACE_MS;
		}
	} else if (m->renewing && spawn_all_ready(m)) {
		renewed(m);
	}
	dispatch_update(m);
	schedule_tick(m);
}

int64_t master_leave(struct master *m)
{
	m->phase = MASTER_LEAVING;
	m->stop_at_ms = clock_mono_ms() + notice_ms(m);
	hub_set_leaving(m->hub);
	log_info("leaving: not ready any more, stopping in %d s", (int)(notice_ms(m) / 1000));
	schedule_tick(m);
	return drain_ms(m);
}

void master_hand_over(struct master *m)
{
	m->sockets_elsewhere = true;
	drain(m, drain_ms(m));
}

static void quit(struct master *m)
{
	log_info("stopping at once");
	stop(m, 0);
	spawn_quit_all(m);
}

/* Of open files. */
static int raise_limit(struct rlimit limit, rlim_t wanted)
{
	if (limit.rlim_max < wanted && geteuid() == 0)
		limit.rlim_max = wanted;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	return setrlimit(RLIMIT_NOFILE, &limit);
}

static void check_limits(struct conf *conf)
{
	struct rlimit limit;
	rlim_t wanted = (rlim_t)conf->worker_connections + DESCRIPTORS_SPARE, best = wanted;
	if (conf->media.directory[0] != '\0')
		best += (rlim_t)conf->worker_connections + DESCRIPTORS_OF_UPLOADS;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	/* A root that may not raise it further takes what there is. */
	if (limit.rlim_cur < best && raise_limit(limit, best) != 0)
		(void)!raise_limit(limit, best < limit.rlim_max ? best : limit.rlim_max);
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < wanted) {
		conf->worker_connections = limit.rlim_cur > 2 * DESCRIPTORS_SPARE
						   ? (int)(limit.rlim_cur - DESCRIPTORS_SPARE)
						   : (int)(limit.rlim_cur / 2);
		log_warn("worker_connections is lowered to %d: a process may open %llu files", conf->worker_connections,
			 (unsigned long long)limit.rlim_cur);
	}
}

void master_renew(struct master *m, struct conf *next)
{
	conf_free(&m->conf);
	m->conf = next;
	m->generation++;
	m->renewing = true;
	spawn_fill(m);
	dispatch_update(m);
	schedule_tick(m);
}

void master_take_over(struct master *m)
{
	if (m->phase != MASTER_WAITING)
		return;
	m->phase = MASTER_SERVING;
	m->sockets_elsewhere = false;
	control_start(m->control);
	dispatch_update(m);
	schedule_tick(m);
	log_info("upgrade: this process serves now");
	if (!m->renewing)
		notify_ready();
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct master *m = arg;
	char *reason;
	(void)what;
	switch (number) {
	case SIGTERM:
	case SIGINT:
		if (m->phase == MASTER_STOPPING)
			quit(m);
		else
			drain_once(m);
		break;
	case SIGQUIT:
		quit(m);
		break;
	case SIGHUP:
		if (master_reload(m, &reason) != 0) {
			log_error("the running configuration stays: %s", reason);
			free(reason);
		}
		break;
	case SIGUSR1:
		log_reopen();
		spawn_reopen_all(m);
		break;
	case SIGUSR2:
		if (upgrade_start(m, &reason) != 0) {
			log_error("no upgrade: %s", reason);
			free(reason);
		}
		break;
	case SIGCHLD:
		spawn_reap(m);
		if (m->phase == MASTER_STOPPING && spawn_living(m) == 0)
			event_base_loopbreak(m->base);
		break;
	}
}

static void catch_signals(struct master *m)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD};
	_Static_assert(ARRAY_LEN(numbers) <= ARRAY_LEN(m->signals), "a place for each");
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		m->signals[i] = evsignal_new(m->base, numbers[i], on_signal, m);
		event_add(m->signals[i], NULL);
	}
}

static void free_events(struct master *m)
{
	for (size_t i = 0; i < ARRAY_LEN(m->signals); i++)
		if (m->signals[i] != NULL)
			event_free(m->signals[i]);
	if (m->tick != NULL)
		event_free(m->tick);
	if (m->watchdog != NULL)
		event_free(m->watchdog);
	if (m->rest != NULL)
		event_free(m->rest);
	upgrade_free(&m->upgrade);
	upgrade_end_wait(m);
	for (unsigned i = 0; i < m->slots; i++)
		if (m->child[i].respawn != NULL)
			event_free(m->child[i].respawn);
}

static void close_if_open(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void release(struct master *m)
{
	if (m->has_media) {
		close_if_open(&m->media_program);
		close_if_open(&m->mailbox[MAILBOX_TAKE]);
		close_if_open(&m->mailbox[MAILBOX_GIVE]);
	}
	dispatch_close(m);
	passing_drop_all(m);
	free_events(m);
	for (unsigned i = 0; i < m->slots; i++)
		partners_end(&m->child[i]);
	free(m->child);
	if (m->base != NULL)
		event_base_free(m->base);
	hub_free(&m->hub);
	conf_free(&m->conf);
	free(m);
}

void master_release(struct master *m, unsigned keep_slot)
{
	/* The event base's descriptor is shared with the master until it is made anew: leaving it would undo its
	 * events. */
	event_reinit(m->base);
	control_abandon(&m->control);
	for (unsigned i = 0; i < m->slots; i++)
		if (i != keep_slot && m->child[i].pid != 0)
			close(m->child[i].channel);
	release(m);
}

/* Another server's control socket stays where it is. */
static void leave_control(struct master *m)
{
	if (m->sockets_elsewhere)
		control_abandon(&m->control);
	else
		control_free(&m->control);
}

static int make_run_dir(const char *dir, char **err_r)
{
	struct stat st;
	if (mkdir(dir, 0755) == 0 || (errno == EEXIST && stat(dir, &st) == 0 && S_ISDIR(st.st_mode)))
		return 0;
	*err_r = xasprintf("run_dir: %s: %s", dir, strerror(errno));
	return -1;
}

_Static_assert(CONF_CONNECTIONS_MAX <= HUB_SESSIONS_MAX, "what the configuration may ask for");

static enum child_kind kind_of_slot(const struct master *m, unsigned slot)
{
	return slot < m->worker_slots					? CHILD_WORKER
	       : slot < m->worker_slots + m->writer_slots		? CHILD_WRITER
	       : slot < m->worker_slots + m->writer_slots + RELAY_SLOTS ? CHILD_RELAY
									: CHILD_MEDIA;
}

/* Before any fork: all processes know the same mailbox, whoever dies. */
static int prepare_media(struct master *m, char **err_r)
{
	if (m->conf->media.directory[0] == '\0')
		return 0;
	m->media_program = m->mailbox[MAILBOX_TAKE] = m->mailbox[MAILBOX_GIVE] = -1;
	m->has_media = true;
	m->media_program = media_find(err_r);
	if (m->media_program < 0)
		return -1;
	if (media_mailbox(m->mailbox) != 0) {
		*err_r = xasprintf("cannot make the media process's mailbox: %s", strerror(errno));
		return -1;
	}
	return 0;
}

void master_make_trace_dir(const struct conf *conf)
{
	if (conf->admin.trace_size != 0 && trace_make_dir(conf->run_dir, conf->user) != 0)
		log_warn("run_dir: %s/" TRACE_DIR ": %s", conf->run_dir, strerror(errno));
}

static int prepare(struct master *m, char **err_r)
{
	const char *reason;
	if (make_run_dir(m->conf->run_dir, err_r) != 0)
		return -1;
	master_make_trace_dir(m->conf);
	m->wanted_connections = m->conf->worker_connections;
	check_limits(m->conf);
	/* A reload may double the workers and the writers. And twice that: while it drains the old ones, the new ones
	 * serve already. */
	m->worker_slots = 2 * RELOAD_GROWTH * (unsigned)m->conf->workers;
	m->writer_slots = 2 * RELOAD_GROWTH * (unsigned)m->conf->writers;
	m->slots = m->worker_slots + m->writer_slots + RELAY_SLOTS + MEDIA_SLOTS;
	if (prepare_media(m, err_r) != 0)
		return -1;
	int64_t sessions = RELOAD_GROWTH * conf_connections_max(m->conf);
	struct hub_size size = {
		.workers = m->worker_slots,
		.writers = m->writer_slots,
		.relays = RELAY_SLOTS,
		.media = MEDIA_SLOTS,
		/* No reload comes to more connections than the configuration may ask for. */
		.sessions = (unsigned)(sessions < CONF_CONNECTIONS_MAX ? sessions : CONF_CONNECTIONS_MAX),
		.buckets = 1u << 16,
	};
	m->hub = hub_new(&size, &reason);
	if (m->hub == NULL) {
		*err_r = xasprintf("cannot make the shared memory for workers = %d with worker_connections = %d: %s; "
				   "lower one of the two",
				   m->conf->workers, m->conf->worker_connections, reason);
		return -1;
	}
	hub_guard(m->hub);
#ifdef TIDINGS_DEBUG
	/* In a release nobody moves it but a worker that wants to do harm. */
	clock_share_shift(hub_clock_shift(m->hub));
	clock_share_wall_shift(hub_wall_shift(m->hub));
#endif
	m->child = xcalloc(m->slots, sizeof(*m->child));
	for (unsigned i = 0; i < m->slots; i++)
		m->child[i] = (struct child){.m = m, .kind = kind_of_slot(m, i), .slot = i, .channel = -1};
	m->base = event_base_new();
	m->tick = evtimer_new(m->base, on_tick, m);
	m->control = control_new(m, err_r);
	if (m->control == NULL)
		return -1;
	if (dispatch_listen(m, m->conf, err_r) != 0)
		return -1;
	inherit_close_rest();
	return 0;
}

int master_run(struct conf *conf, bool daemon, char *const *argv, void (*started)(void))
{
	char *reason = NULL;
	struct master *m = xcalloc(1, sizeof(*m));
	m->conf = conf;
	m->daemon = daemon;
	m->argv = argv;
	m->started_ms = clock_wall_ms();
	m->sockets_elsewhere = inherit_predecessor() >= 0;
	m->phase = m->sockets_elsewhere ? MASTER_WAITING : MASTER_SERVING;
	m->renewing = true;
	STAILQ_INIT(&m->waiting);
	log_identity("master");
	log_start();
	if (prepare(m, &reason) != 0) {
		log_error("%s", reason);
		free(reason);
		leave_control(m);
		release(m);
		return 1;
	}
	catch_signals(m);
	watchdog_start(m);
	/* Before the workers are forked: they are not to hold the old server's channel. */
	if (m->phase == MASTER_WAITING)
		upgrade_wait(m);
	else
		control_start(m->control);
	spawn_fill(m);
	schedule_tick(m);
	for (size_t i = 0; i < m->listener_count; i++)
		log_info("listening on %s%s", m->listener[i].text,
			 m->listener[i].door == IM_DOOR_ADMIN ? " (admin)"
			 : m->listener[i].door == IM_DOOR_TLS ? " (TLS)"
							      : "");
	if (started != NULL)
		started();

	event_base_dispatch(m->base);

	leave_control(m);
	log_info("stopped");
	release(m);
	return 0;
}
