/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks that nobody but the test moves, instead of core/clock.c: so nothing depends on how fast the machine is. */
#ifndef TIDINGS_T_UNIT_LIVE_CLOCK_KIT_H
#define TIDINGS_T_UNIT_LIVE_CLOCK_KIT_H

#include "core/base.h"
#include "core/clock.h"
#include "core/wheel.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* The wall clock is this much ahead of the other one, which does not begin at 0. */
#define WALL_MS INT64_C(1800000000000)
static int64_t now_ms = 1000000;

int64_t clock_mono_ms(void)
{
	return now_ms;
}

/* What a program does takes no time, unless each look at this clock takes so many microseconds. */
static int64_t look_usecs, looked_usecs;

int64_t clock_usecs(void)
{
	return now_ms * 1000 + (looked_usecs += look_usecs);
}

int64_t clock_wall_ms(void)
{
	return WALL_MS + now_ms;
}

int64_t clock_shift_ms(void)
{
	return 0;
}

/* Written as a number, so that tests can say which; as long as ever. */
void clock_format_rfc3339(char out[CLOCK_RFC3339_LEN + 1], int64_t ms)
{
	snprintf(out, CLOCK_RFC3339_LEN + 1, "%024" PRId64, ms);
}

void clock_format_http(char out[CLOCK_HTTP_LEN + 1], int64_t ms)
{
	snprintf(out, CLOCK_HTTP_LEN + 1, "%029" PRId64, ms);
}

#ifdef CLOCK_KIT_SQL
/* Tests that read times of the database. */
void clock_format_sql(char out[CLOCK_SQL_LEN + 1], int64_t ms)
{
	struct tm tm;
	time_t secs = (time_t)(ms / 1000);
	gmtime_r(&secs, &tm);
	size_t len = strftime(out, CLOCK_SQL_LEN + 1, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(out + len, CLOCK_SQL_LEN + 1 - len, ".%03u", (unsigned)(ms % 1000) % 1000);
}

int clock_parse_sql(struct str text, int64_t *ms_r)
{
	struct tm tm = {0};
	unsigned ms;
	if (text.len != CLOCK_SQL_LEN || sscanf(text.s, "%d-%d-%d %d:%d:%d.%3u", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
						&tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms) != 7)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*ms_r = (int64_t)timegm(&tm) * 1000 + ms;
	return 0;
}
#else
void clock_format_sql(char out[CLOCK_SQL_LEN + 1], int64_t ms)
{
	snprintf(out, CLOCK_SQL_LEN + 1, "%023" PRId64, ms);
}

/* No test of these reads a time of the database. */
int clock_parse_sql(struct str text, int64_t *ms_r)
{
	*ms_r = 0;
	return -1;
}
#endif

/* Nor one of a client. */
int clock_parse_rfc3339(struct str text, int64_t *ms_r)
{
	*ms_r = 0;
	return -1;
}

/* Time passes, and what is due at its end happens no later. */
static inline void wheel_pass(struct wheel *w, int64_t ms)
{
	for (int64_t end_ms = now_ms + ms; now_ms < end_ms;) {
		now_ms += end_ms - now_ms < WHEEL_TICK_MS ? end_ms - now_ms : WHEEL_TICK_MS;
		wheel_advance(w, now_ms);
	}
}

#endif
