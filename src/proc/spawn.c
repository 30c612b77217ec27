/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Births and deaths of workers, writers, relays and media processes. One that had been ready is replaced at once; one
 * that failed to start, or for which there was no process, is waited for longer each time, so that a fault of the
 * set-up does not burn the machine, and no client can make the throttle bite.
 */
#include "core/base.h"
#include "proc/master_priv.h"

#include "core/access_log.h"
#include "core/clock.h"
#include "core/log.h"
#include "proc/channel.h"
#include "proc/media.h"
#include "proc/relay.h"
#include "proc/worker.h"
#include "proc/writer.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESPAWN_FIRST_MS 100
#define RESPAWN_MAX_MS 5000

pid_t (*spawn_fork)(void) = fork;

const char *child_kind_name(const struct child *c)
{
	static const char *const names[CHILD_KINDS] = {"worker", "writer", "relay", "media"};
	return names[c->kind];
}

unsigned child_number(const struct child *c)
{
	const struct master *m = c->m;
	unsigned relays = m->worker_slots + m->writer_slots;
	unsigned first[CHILD_KINDS] = {0, m->worker_slots, relays, relays + RELAY_SLOTS};
	return c->slot - first[c->kind];
}

static int take(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

/* In the child. */
static void run(struct master *m, const struct child *child, int channel)
{
	struct conf *conf = m->conf;
	struct hub *hub = m->hub;
	struct child c = *child;
	unsigned number = child_number(child);
	int status, mailbox = -1, program = -1;
	if (c.kind == CHILD_WORKER && m->has_media)
		mailbox = take(&m->mailbox[MAILBOX_GIVE]);
	if (c.kind == CHILD_MEDIA) {
		mailbox = take(&m->mailbox[MAILBOX_TAKE]);
		program = take(&m->media_program);
	}
	m->conf = NULL;
	m->hub = NULL;
	master_release(m, c.slot);
	/* A relay deletes files in S3, and signs what it sends. */
	if (c.kind == CHILD_RELAY)
		conf_forget_token_keys(conf);
	else if (c.kind != CHILD_WORKER)
		conf_forget_keys(conf);
	if (c.kind != CHILD_RELAY)
		conf_forget_relay_keys(conf);
	if (c.kind != CHILD_WORKER)
		conf_forget_before_send(conf);
	if (c.kind == CHILD_MEDIA)
		status = media_exec(conf, program, number, channel, mailbox);
	else if (c.kind == CHILD_RELAY)
		status = relay_run(conf, hub, c.slot, number, channel);
	else if (c.kind == CHILD_WRITER)
		status = writer_run(conf, hub, c.slot, number, channel);
	else
		status = worker_run(conf, hub, c.slot, c.name, channel, mailbox);
	conf_free(&conf);
	hub_free(&hub);
	close(channel);
	exit(status);
}

static pid_t fork_child(const struct child *c)
{
	static const char *const comms[CHILD_KINDS] = {NULL, WRITER_COMM, RELAY_COMM, MEDIA_COMM};
	char before[16];
	if (comms[c->kind] == NULL)
		return spawn_fork();
	/* The name is inherited: it is never seen under another one. */
	prctl(PR_GET_NAME, before);
	prctl(PR_SET_NAME, comms[c->kind]);
	pid_t pid = spawn_fork();
	if (pid != 0)
		prctl(PR_SET_NAME, before);
	return pid;
}

/* False, with the reason logged, if the system has no process or channel for it now. */
static bool start(struct master *m, struct child *c)
{
	int pair[2];
	if (channel_pair(pair) != 0) {
		log_error("cannot make a channel for %s %u: %s", child_kind_name(c), child_number(c), strerror(errno));
		return false;
	}
	struct worker_row *row = hub_master_begin(m->hub, c->slot);
	row->generation++;
	row->state = WORKER_STARTING;
	row->started_ms = clock_wall_ms();
	row->passed = 0;
	hub_master_end(m->hub, c->slot);

	id_random(c->name, WORKER_NAME_LEN);
	pid_t pid = fork_child(c);
	if (pid < 0) {
		log_error("cannot fork %s %u: %s", child_kind_name(c), child_number(c), strerror(errno));
		hub_worker_forget(m->hub, c->slot);
		close(pair[0]);
		close(pair[1]);
		return false;
	}
	if (pid == 0) {
		close(pair[0]);
		run(m, c, pair[1]);
	}
	close(pair[1]);
	partners_begin(c);
	c->pid = pid;
	c->channel = pair[0];
	c->generation = m->generation;
	c->was_ready = false;
	c->told_to_leave = false;
	c->looks = 0;
	passing_begin(c);
	row = hub_master_begin(m->hub, c->slot);
	row->pid = pid;
	hub_master_end(m->hub, c->slot);
	log_info("%s %u started as process %d", child_kind_name(c), child_number(c), (int)pid);
	return true;
}

static void on_respawn(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;
	(void)fd;
	(void)what;
	event_free(c->respawn);
	c->respawn = NULL;
	spawn_fill(c->m);
}

static void respawn_later(struct child *c)
{
	int64_t delay_ms = RESPAWN_FIRST_MS;
	for (unsigned i = 1; i < c->failures && delay_ms < RESPAWN_MAX_MS; i++)
		delay_ms *= 2;
	if (delay_ms > RESPAWN_MAX_MS)
		delay_ms = RESPAWN_MAX_MS;
	struct timeval tv = {.tv_sec = delay_ms / 1000, .tv_usec = (delay_ms % 1000) * 1000};
	log_warn("%s %u has failed to start %u times in a row: the next try is in %d ms", child_kind_name(c),
		 child_number(c), c->failures, (int)delay_ms);
	c->respawn = evtimer_new(c->m->base, on_respawn, c);
	evtimer_add(c->respawn, &tv);
}

static void fill(struct master *m, enum child_kind kind, unsigned wanted)
{
	unsigned present = 0;
	for (unsigned i = 0; i < m->slots; i++) {
		const struct child *c = &m->child[i];
		if (c->kind != kind)
			continue;
		/* One that is waited for keeps its place. */
		present += (c->pid != 0 && c->generation == m->generation && !c->told_to_leave) || c->respawn != NULL;
	}
	for (unsigned i = 0; i < m->slots && present < wanted; i++) {
		struct child *c = &m->child[i];
		if (c->kind == kind && c->pid == 0 && c->respawn == NULL) {
			if (!start(m, c)) {
				c->failures++;
				respawn_later(c);
			}
			present++;
		}
	}
}

void spawn_fill(struct master *m)
{
	bool stopping = m->phase == MASTER_STOPPING;
	if (m->quitting)
		return;
	/* Workers that drain have something to write to the end, and to tell others of. */
	if (!stopping || spawn_living_of(m, CHILD_WORKER) > 0) {
		fill(m, CHILD_WRITER, (unsigned)m->conf->writers);
		fill(m, CHILD_RELAY, 1);
		fill(m, CHILD_MEDIA, m->has_media ? 1 : 0);
	}
	if (!stopping)
		fill(m, CHILD_WORKER, (unsigned)m->conf->workers);
	partners_update(m);
}

void spawn_signal(const struct child *c, int signal)
{
	ASSERT(c->pid > 0);
	kill(c->pid, signal);
}

/*
 * A worker has room for orders (UNDER_WAY_MAX) unless it does not run: then it cannot leave by itself either. One that
 * has closed its channel is about to end.
 */
void spawn_tell(struct child *c, const struct order *order, int fd)
{
	if (c->pid == 0 || channel_send(c->channel, order, fd) == 0 || errno == EPIPE || errno == ECONNRESET)
		return;
	log_error_gated("%s %u takes no orders: %s", child_kind_name(c), child_number(c), strerror(errno));
	if (order->kind == ORDER_DRAIN || order->kind == ORDER_QUIT)
		spawn_signal(c, SIGKILL);
}

/* One that died young may never have been heard of: only who is known can fall silent (im/beat.c). */
static void tell_lost(struct master *m, const char *name)
{
	struct order order = {.kind = ORDER_LOST};
	memcpy(order.name, name, sizeof(order.name));
	for (unsigned i = 0; i < m->slots; i++)
		if (m->child[i].kind == CHILD_WORKER)
			spawn_tell(&m->child[i], &order, -1);
}

static void buried(struct child *c, int status)
{
	struct master *m = c->m;
	bool expected = c->told_to_leave && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	const char *kind = child_kind_name(c);
	unsigned number = child_number(c);

	passing_end(c);
	partners_end(c);
	if (WIFSIGNALED(status))
		log_error("%s %u, process %d, died of signal %d", kind, number, (int)c->pid, WTERMSIG(status));
	else if (!expected)
		log_error("%s %u, process %d, died with status %d", kind, number, (int)c->pid, WEXITSTATUS(status));
	else
		log_info("%s %u, process %d, left", kind, number, (int)c->pid);
	hub_worker_forget(m->hub, c->slot);
	close(c->channel);
	c->channel = -1;
	c->pid = 0;
	if (!expected && c->was_ready && c->kind == CHILD_WORKER)
		tell_lost(m, c->name);
	if (c->told_to_leave)
		return;
	struct worker_row *mine = hub_master_begin(m->hub, c->slot);
	mine->restarts++;
	hub_master_end(m->hub, c->slot);
	c->failures = c->was_ready ? 0 : c->failures + 1;
	if (!c->was_ready && (m->phase != MASTER_STOPPING || c->kind != CHILD_WORKER))
		respawn_later(c);
}

void spawn_reap(struct master *m)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned i = 0; i < m->slots; i++)
			if (m->child[i].pid == pid)
				buried(&m->child[i], status);
	spawn_fill(m);
	dispatch_update(m);
}

void spawn_drain(struct master *m, bool all, int64_t patience_ms)
{
	struct order order = {.kind = ORDER_DRAIN, .deadline_ms = patience_ms};
	for (unsigned i = 0; i < m->slots; i++) {
		struct child *c = &m->child[i];
		if (c->kind != CHILD_WORKER || c->pid == 0 || c->told_to_leave ||
		    (!all && c->generation == m->generation))
			continue;
		c->told_to_leave = true;
		spawn_tell(c, &order, -1);
	}
}

void spawn_quit_all(struct master *m)
{
	struct order order = {.kind = ORDER_QUIT};
	m->quitting = true;
	for (unsigned i = 0; i < m->slots; i++) {
		m->child[i].told_to_leave = true;
		spawn_tell(&m->child[i], &order, -1);
	}
}

void spawn_reopen_all(struct master *m)
{
	struct order log = {.kind = ORDER_LOG}, access_log = {.kind = ORDER_ACCESS_LOG};
	const char *path = m->conf->log.access;
	int fd = path[0] != '\0' ? access_log_open_file(path) : -1;
	for (unsigned i = 0; i < m->slots; i++) {
		spawn_tell(&m->child[i], &log, log_fd());
		if (fd >= 0 && m->child[i].kind == CHILD_WORKER)
			spawn_tell(&m->child[i], &access_log, fd);
	}
	if (fd >= 0)
		close(fd);
}

void spawn_kick(struct master *m, const char *user_id)
{
	struct order order = {.kind = ORDER_KICK};
	snprintf(order.user, sizeof(order.user), "%s", user_id);
	/* All of them, for Redis may be away; who hears it twice has nobody left to end. */
	for (unsigned i = 0; i < m->slots; i++)
		if (m->child[i].kind == CHILD_WORKER)
			spawn_tell(&m->child[i], &order, -1);
}

bool spawn_change_group(struct master *m, const struct order *order, int fd)
{
	for (unsigned i = 0; i < m->slots; i++) {
		const struct child *c = &m->child[i];
		if (c->kind == CHILD_WORKER && c->pid != 0 && !c->told_to_leave && c->state == WORKER_READY &&
		    channel_send(c->channel, order, fd) == 0)
			return true;
	}
	return false;
}

bool spawn_all_ready(const struct master *m)
{
	int ready[CHILD_KINDS] = {0};
	for (unsigned i = 0; i < m->slots; i++) {
		const struct child *c = &m->child[i];
		ready[c->kind] +=
			c->pid != 0 && !c->told_to_leave && c->generation == m->generation && c->state == WORKER_READY;
	}
	return ready[CHILD_WORKER] >= m->conf->workers && ready[CHILD_WRITER] >= m->conf->writers;
}

unsigned spawn_living(const struct master *m)
{
	unsigned n = 0;
	for (unsigned i = 0; i < m->slots; i++)
		n += m->child[i].pid != 0;
	return n;
}

unsigned spawn_living_of(const struct master *m, enum child_kind kind)
{
	unsigned n = 0;
	for (unsigned i = 0; i < m->slots; i++)
		n += m->child[i].kind == kind && m->child[i].pid != 0;
	return n;
}

unsigned spawn_free_slots(const struct master *m, enum child_kind kind)
{
	unsigned all = 0;
	for (unsigned i = 0; i < m->slots; i++)
		all += m->child[i].kind == kind;
	return all - spawn_living_of(m, kind);
}

void spawn_kill_all(struct master *m)
{
	for (unsigned i = 0; i < m->slots; i++) {
		if (m->child[i].pid != 0) {
			log_warn("%s %u did not leave in time and is killed", child_kind_name(&m->child[i]),
				 child_number(&m->child[i]));
			spawn_signal(&m->child[i], SIGKILL);
		}
	}
}
