/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lease: a row that says which relay works, and until when by the database's clock. Who holds it renews it; the
 * others read it once a second, and write only when it has ended. One that has been asked of the database is counted
 * from when it was asked, by our own clock.
 *
 * A relay that was stopped for longer may go on for a moment beside another. That does no harm (relay.h).
 */
#include "core/base.h"
#include "relay/relay_priv.h"

#include <stdio.h>

#include "core/clock.h"
#include "core/id.h"
#include "core/log.h"
#include "store/row.h"
#include "store/sql.h"

#define LEASE_SECS "10"
_Static_assert(LEASE_MS == 10000, "LEASE_SECS");
/* No lease is given for twice its length: the database's clock was set back. */
#define ENDED "(ends_at<=UTC_TIMESTAMP(3) OR ends_at>UTC_TIMESTAMP(3)+INTERVAL " LEASE_SECS "+" LEASE_SECS " SECOND)"
#define ENDS "UTC_TIMESTAMP(3)+INTERVAL " LEASE_SECS " SECOND"

void lease_init(struct lease *l, const char *node_id)
{
	char unique[WORKER_NAME_LEN + 1];
	id_random(unique, WORKER_NAME_LEN);
	snprintf(l->holder, sizeof(l->holder), "%.*s:%s", HOLDER_MAX - WORKER_NAME_LEN - 1, node_id, unique);
}

bool lease_is_ours(const struct relay *r, int64_t now_ms)
{
	return r->lease.until_ms != 0 && now_ms < r->lease.until_ms;
}

void lease_second(struct relay *r, int64_t now_ms)
{
	struct lease *l = &r->lease;
	if (!lease_is_ours(r, now_ms))
		l->look = true;
	else if (now_ms - l->asked_ms >= LEASE_RENEW_MS)
		l->take = true;
}

/* ---- looking ---- */

static void look_ask(struct relay *r, struct buf *text)
{
	struct lease *l = &r->lease;
	l->look = false;
	l->is_ours = true; /* there may be no row */
	sql_lit(text, "SELECT holder=");
	sql_str(text, str_from(l->holder));
	sql_lit(text, " OR " ENDED " FROM relay_leases WHERE consumer='" LEASE_CONSUMER "';COMMIT");
}

static void look_row(struct relay *r, unsigned stmt, struct row *row)
{
	(void)stmt;
	r->lease.is_ours = row_take_bool(row);
}

static void look_done(struct relay *r)
{
	r->lease.take = r->lease.is_ours;
}

/* A lease that is not renewed ends. */
static void lease_nothing(struct relay *r)
{
	(void)r;
}

static const struct relay_job look_job = {
	.name = "looking at the lease", .ask = look_ask, .row = look_row, .done = look_done, .failed = lease_nothing};

/* ---- taking and renewing ---- */

static void take_ask(struct relay *r, struct buf *text)
{
	struct lease *l = &r->lease;
	l->take = l->look = false;
	l->is_ours = false;
	l->asked_ms = clock_mono_ms();
	sql_lit(text, "INSERT INTO relay_leases (consumer,holder,ends_at) VALUES ('" LEASE_CONSUMER "',");
	sql_str(text, str_from(l->holder));
	/* Assigned from left to right. */
	sql_lit(text, "," ENDS ") ON DUPLICATE KEY UPDATE holder=IF(" ENDED ",VALUES(holder),holder),"
		      "ends_at=IF(holder=VALUES(holder),VALUES(ends_at),ends_at);SELECT holder=");
	sql_str(text, str_from(l->holder));
	sql_lit(text, " FROM relay_leases WHERE consumer='" LEASE_CONSUMER "';COMMIT");
}

static void take_row(struct relay *r, unsigned stmt, struct row *row)
{
	(void)stmt;
	r->lease.is_ours = row_take_bool(row);
}

static void take_done(struct relay *r)
{
	struct lease *l = &r->lease;
	l->until_ms = l->is_ours ? l->asked_ms + LEASE_MS - LEASE_MARGIN_MS : 0;
}

static const struct relay_job take_job = {
	.name = "taking the lease", .ask = take_ask, .row = take_row, .done = take_done, .failed = lease_nothing};

/* ---- giving it back ---- */

static void give_back_ask(struct relay *r, struct buf *text)
{
	r->lease.until_ms = 0;
	sql_lit(text, "DELETE FROM relay_leases WHERE consumer='" LEASE_CONSUMER "' AND holder=");
	sql_str(text, str_from(r->lease.holder));
	sql_lit(text, ";COMMIT");
}

static const struct relay_job give_back_job = {
	.name = "giving the lease back", .ask = give_back_ask, .done = lease_nothing, .failed = lease_nothing};

const struct relay_job *lease_due(struct relay *r)
{
	struct lease *l = &r->lease;
	if (r->leaving)
		return l->until_ms != 0 ? &give_back_job : NULL;
	return l->take ? &take_job : l->look ? &look_job : NULL;
}
