/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time, and its three written forms. A debug build can be told to shift every
 * clock of a node (tidingsctl clock), so that tests need not wait for time.
 */
#ifndef TIDINGS_CORE_CLOCK_H
#define TIDINGS_CORE_CLOCK_H

#include "core/base.h"

/* Milliseconds since the epoch, UTC. */
int64_t clock_wall_ms(void);
/* Milliseconds that never go back; meaningless outside this machine's uptime. */
int64_t clock_mono_ms(void);
/* Microseconds of the same clock without the shift below: for measuring how long something takes. */
int64_t clock_usecs(void);
/* The shift in milliseconds that both clocks add, in memory shared by the node's processes; NULL: none. */
void clock_share_shift(const _Atomic int64_t *shift_ms);
int64_t clock_shift_ms(void);
/* What the wall clock alone adds as well; it may go back. */
void clock_share_wall_shift(const _Atomic int64_t *shift_ms);

/* "2026-11-23T03:01:21.123Z" (RFC 3339 section 5.6). */
#define CLOCK_RFC3339_LEN 24
void clock_format_rfc3339(char out[CLOCK_RFC3339_LEN + 1], int64_t ms);
/* "2026-11-23 03:01:21.123", a DATETIME(3) literal of SQL, in UTC. */
#define CLOCK_SQL_LEN 23
void clock_format_sql(char out[CLOCK_SQL_LEN + 1], int64_t ms);
/* Reads a DATETIME with up to six decimals, as the database writes it; the time in *ms_r. */
int clock_parse_sql(struct str text, int64_t *ms_r) MUST_CHECK;
/*
 * Reads a time of RFC 3339 section 5.6, of any offset and with up to nine decimals, of which three count. A leap second
 * is refused.
 */
int clock_parse_rfc3339(struct str text, int64_t *ms_r) MUST_CHECK;
/* "Mon, 23 Nov 2026 03:01:21 GMT" (RFC 9110 section 5.6.7). */
#define CLOCK_HTTP_LEN 29
void clock_format_http(char out[CLOCK_HTTP_LEN + 1], int64_t ms);

#endif
