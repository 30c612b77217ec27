/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sockets between a worker and its writer, with both of them played by the test: they are made once, and anew when
 * the worker reports that one has ended, for any reason. And when relays leave.
 */
#include "core/base.h"

#include "core/clock.h"
#include "proc/channel.h"
#include "proc/master_priv.h"
#include "../tap.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WORKER, WRITER, RELAY, CHILDREN = RELAY + RELAY_SLOTS };

static struct conf conf = {.workers = 1, .writers = 1, .worker_connections = 10};
static struct child child[CHILDREN];
static struct master m = {
	.conf = &conf,
	.child = child,
	.slots = CHILDREN,
	.worker_slots = 1,
	.writer_slots = 1,
	.generation = 1,
	.phase = MASTER_SERVING,
};
static int end[CHILDREN]; /* of their channels */

static void begin(unsigned slot, enum child_kind kind)
{
	int pair[2];
	if (channel_pair(pair) != 0)
		exit(1);
	child[slot] = (struct child){.m = &m, .kind = kind, .slot = slot, .pid = getpid(), .channel = pair[0]};
	end[slot] = pair[1];
	partners_begin(&child[slot]);
	child[slot].generation = m.generation;
	passing_begin(&child[slot]);
}

/* The socket that the process is given, -1: none. */
static int given(unsigned slot)
{
	struct order order;
	int fd = -1;
	if (channel_receive(end[slot], &order, &fd) != 1)
		return -1;
	is_int(order.kind, slot == WORKER ? ORDER_WRITER : ORDER_WORKER, "an order of that kind");
	return fd;
}

static void report(uint32_t taken, uint64_t missing)
{
	const struct report r = {.state = WORKER_READY, .writers_taken = taken, .writers_missing = missing};
	if (channel_report(end[WORKER], &r) != 0)
		exit(1);
	event_base_loop(m.base, EVLOOP_NONBLOCK);
	partners_update(&m);
}

static bool are_connected(int a, int b)
{
	char byte;
	return write(a, "x", 1) == 1 && read(b, &byte, 1) == 1;
}

static bool is_told_to_leave(unsigned slot)
{
	struct order order;
	int fd;
	return channel_receive(end[slot], &order, &fd) == 1 && order.kind == ORDER_DRAIN;
}

static void finish(unsigned slot)
{
	passing_end(&child[slot]);
	partners_end(&child[slot]);
	close(child[slot].channel);
	close(end[slot]);
	child[slot].pid = 0;
}

static void begin_relay(unsigned slot, enum worker_state state)
{
	begin(slot, CHILD_RELAY);
	child[slot].state = state;
	partners_update(&m);
}

static void test_relays(void)
{
	begin_relay(RELAY, WORKER_READY);
	m.generation++;
	begin_relay(RELAY + 1, WORKER_STARTING);
	ok(!is_told_to_leave(RELAY), "a relay stays until the next one is ready");
	m.generation++;
	partners_update(&m);
	ok(is_told_to_leave(RELAY), "where another reload comes before that, it makes room");
	partners_update(&m);
	ok(!is_told_to_leave(RELAY) && !is_told_to_leave(RELAY + 1), "alone");
	finish(RELAY);
	begin_relay(RELAY, WORKER_READY);
	ok(is_told_to_leave(RELAY + 1) && !is_told_to_leave(RELAY), "and the other goes when the newest is ready");
	finish(RELAY);
	finish(RELAY + 1);
}

/* Workers and writers are gone, and have taken all of the time that the node had to stop. */
static void test_time_to_leave(void)
{
	begin_relay(RELAY, WORKER_READY);
	m.phase = MASTER_STOPPING;
	m.kill_at_ms = clock_mono_ms();
	partners_update(&m);
	ok(is_told_to_leave(RELAY), "a relay is the last to leave");
	ok(m.kill_at_ms >= clock_mono_ms() + KILL_GRACE_MS, "and has time for it, however long others took");
	finish(RELAY);
	m.phase = MASTER_SERVING;
}

int main(void)
{
	STAILQ_INIT(&m.waiting);
	m.base = event_base_new();
	begin(WORKER, CHILD_WORKER);
	begin(WRITER, CHILD_WRITER);

	partners_update(&m);
	int of_worker = given(WORKER), of_writer = given(WRITER);
	ok(are_connected(of_worker, of_writer), "a worker and a writer are connected");
	report(0, 1);
	is_int(given(WORKER), -1, "that the worker has not taken the socket yet says nothing");
	report(1, 0);
	report(1, ~(uint64_t)1);
	is_int(given(WORKER), -1, "one that has it gets no other, and no writer that there is not");

	close(of_worker);
	close(of_writer);
	report(1, 1);
	of_worker = given(WORKER);
	of_writer = given(WRITER);
	ok(are_connected(of_worker, of_writer), "one that has lost it is given another");
	report(1, 1);
	is_int(given(WORKER), -1, "once, while that is on its way");
	is_int(given(WRITER), -1, "and so is the writer");
	report(2, 1);
	close(of_worker);
	close(of_writer);
	of_worker = given(WORKER);
	of_writer = given(WRITER);
	ok(are_connected(of_worker, of_writer), "again where that has ended too");

	close(of_worker);
	close(of_writer);
	test_relays();
	finish(WORKER);
	finish(WRITER);
	test_time_to_leave();
	event_base_free(m.base);
	return done_testing();
}
