/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Zones of the tz database: is there one of a name, and what does a clock on the wall show there. Files are read anew
 * each time (from the system's cache), so that a new tz database counts at once.
 */
#ifndef TIDINGS_CORE_ZONE_H
#define TIDINGS_CORE_ZONE_H

#include "core/base.h"

/* Of a name, in bytes. */
#define ZONE_NAME_MAX 64
#define MINUTES_A_DAY 1440

/* As in "Asia/Shanghai", "UTC". Never a path out of the database's folder. */
bool zone_exists(struct str name) MUST_CHECK;
/* Minutes since midnight there, at that time. -1: there is no such zone (any more). */
int zone_minute(struct str name, int64_t at_secs) MUST_CHECK;
/* Is that minute in the part of each day from `from` on and before `to`, which may go past midnight? */
bool minute_is_within(int minute, int from, int to);

/* For tests: seconds east of UTC at that time, as the bytes of a TZif file (RFC 8536) say it. -1: they are none. */
int zone_offset(struct str file, int64_t at_secs, int32_t *offset_r) MUST_CHECK;

#endif
