/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of an answer, where its owner has work with each: the loop goes on between them, they come in their order
 * and all of them before the end, and a connection can be closed between two of them.
 */
#include "core/base.h"
#include "store/link.h"

#include <event2/event.h>

#include "core/clock.h"
#include "db.h"
#include "../tap.h"

#define ROWS 100

static struct event_base *base;
static struct conf *conf;
static _Atomic int64_t shift_ms;
static bool ready;

struct asking {
	struct link *link;
	struct link_query query;
	struct event *turn;
	unsigned rows, wrong, turns, dones;
	enum link_outcome outcome;
};
static const struct timeval at_once = {0};

static void on_ready(struct link *l, void *ctx)
{
	ready = true;
}

/* Each takes its time. */
static void on_row(struct link_query *q, unsigned stmt, struct row *row)
{
	struct asking *a = container_of(q, struct asking, query);
	uint64_t n = row_take_u64(row);
	a->wrong += n != a->rows % ROWS + 1 || stmt != a->rows / ROWS || a->dones != 0;
	a->rows++;
	shift_ms += 50;
}

static void on_done(struct link_query *q, const struct link_result *r)
{
	struct asking *a = container_of(q, struct asking, query);
	a->dones++;
	a->outcome = r->outcome;
}

/* What else the loop has to do. */
static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct asking *a = arg;
	a->turns++;
	event_add(a->turn, &at_once);
}

static void begin(struct asking *a)
{
	static const struct link_events events = {.ready = on_ready};
	ready = false;
	*a = (struct asking){.query = {.text = STR_LIT("SELECT seq FROM seq_1_to_100;SELECT seq FROM seq_1_to_100"),
				       .row = on_row,
				       .done = on_done}};
	a->link = link_new(base, conf, &(struct link_options){.name = "test", .role = SETTINGS_READ}, &events, a);
	while (!ready)
		event_base_loop(base, EVLOOP_ONCE);
	a->turn = evtimer_new(base, on_turn, a);
	event_add(a->turn, &at_once);
	link_query(a->link, &a->query);
}

static void test_turns(void)
{
	struct asking a;
	begin(&a);
	while (a.rows == 0)
		event_base_loop(base, EVLOOP_ONCE);
	unsigned before = a.turns, first = a.rows;
	while (a.dones == 0)
		event_base_loop(base, EVLOOP_ONCE);
	is_int(first, 1, "after a row that takes long the loop goes on");
	ok(a.turns - before >= 2 * ROWS - 1, "and after each of the others: %u turns", a.turns - before);
	ok(a.rows == 2 * ROWS && a.wrong == 0, "all rows come, in order");
	ok(a.outcome == LINK_OK, "and then the end");
	while (!link_is_idle(a.link))
		event_base_loop(base, EVLOOP_ONCE);
	a.rows = a.dones = 0;
	link_query(a.link, &a.query);
	while (a.dones == 0)
		event_base_loop(base, EVLOOP_ONCE);
	ok(a.rows == 2 * ROWS && a.wrong == 0 && a.outcome == LINK_OK, "and again");
	event_free(a.turn);
	link_free(&a.link);
}

static void test_closed(void)
{
	struct asking a;
	begin(&a);
	while (a.rows < ROWS / 2)
		event_base_loop(base, EVLOOP_ONCE);
	link_free(&a.link);
	for (int i = 0; i < 10; i++)
		event_base_loop(base, EVLOOP_ONCE);
	ok(a.rows == ROWS / 2 && a.dones == 0, "one that is closed between two rows gives no more");
	event_free(a.turn);
}

int main(void)
{
	db_start();
	conf = db_conf("tidings");
	db_migrate(conf);
	base = event_base_new();
	clock_share_shift(&shift_ms);
	test_turns();
	test_closed();
	event_base_free(base);
	conf_free(&conf);
	return done_testing();
}
