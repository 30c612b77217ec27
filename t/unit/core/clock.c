/* SPDX-License-Identifier: BSD-2-Clause */
/* The calendar against the C library's, day by day; reading back what the database writes; the shared shift. */
#include "core/base.h"

#include <time.h>

#include "core/clock.h"
#include "../tap.h"

#define MS_A_DAY INT64_C(86400000)

static void test_known(void)
{
	static const struct {
		int64_t ms;
		const char *rfc3339, *sql, *http;
	} cases[] = {
		{0, "1970-01-01T00:00:00.000Z", "1970-01-01 00:00:00.000", "Thu, 01 Jan 1970 00:00:00 GMT"},
		{-1, "1969-12-31T23:59:59.999Z", "1969-12-31 23:59:59.999", "Wed, 31 Dec 1969 23:59:59 GMT"},
		{INT64_C(1795402881123), "2026-11-23T03:01:21.123Z", "2026-11-23 03:01:21.123",
		 "Mon, 23 Nov 2026 03:01:21 GMT"},
		{INT64_C(951782400000), "2000-02-29T00:00:00.000Z", "2000-02-29 00:00:00.000",
		 "Tue, 29 Feb 2000 00:00:00 GMT"},
		{INT64_C(4107542400000), "2100-03-01T00:00:00.000Z", "2100-03-01 00:00:00.000",
		 "Mon, 01 Mar 2100 00:00:00 GMT"},
		{INT64_MAX, "9999-12-31T23:59:59.999Z", "9999-12-31 23:59:59.999", "Fri, 31 Dec 9999 23:59:59 GMT"},
		{INT64_MIN, "0000-01-01T00:00:00.000Z", "0000-01-01 00:00:00.000", "Sat, 01 Jan 0000 00:00:00 GMT"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[64];
		clock_format_rfc3339(text, cases[i].ms);
		is_str(text, cases[i].rfc3339, "RFC 3339, case %zu", i);
		is_int(strlen(text), CLOCK_RFC3339_LEN, "of the promised length");
		clock_format_sql(text, cases[i].ms);
		is_str(text, cases[i].sql, "SQL, case %zu", i);
		is_int(strlen(text), CLOCK_SQL_LEN, "of the promised length");
		clock_format_http(text, cases[i].ms);
		is_str(text, cases[i].http, "HTTP, case %zu", i);
		is_int(strlen(text), CLOCK_HTTP_LEN, "of the promised length");
	}
}

/* Every day from 1600 to 2420, so all kinds of leap years, each at another time of day. */
static void test_calendar(void)
{
	unsigned wrong = 0, not_back = 0;
	int64_t first = INT64_C(-11676096000000), days = 820 * 366;
	for (int64_t day = 0; day < days; day++) {
		int64_t ms = first + day * MS_A_DAY + day * 86399 % MS_A_DAY;
		time_t secs = (time_t)((ms - ((ms % 1000) + 1000) % 1000) / 1000);
		struct tm tm;
		gmtime_r(&secs, &tm);
		char got[64], want[64];
		clock_format_http(got, ms);
		strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		wrong += strcmp(got, want) != 0;

		int64_t back;
		clock_format_sql(got, ms);
		not_back += clock_parse_sql(str_from(got), &back) != 0 || back != ms;
	}
	is_int(wrong, 0, "%lld days as the C library writes them", (long long)days);
	is_int(not_back, 0, "and read back the same");
}

static void test_parse(void)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{"2026-11-23 03:01:21.123", INT64_C(1795402881123)},
		{"2026-11-23 03:01:21", INT64_C(1795402881000)},
		{"2026-11-23 03:01:21.1", INT64_C(1795402881100)},
		{"2026-11-23 03:01:21.12", INT64_C(1795402881120)},
		{"2026-11-23 03:01:21.1239", INT64_C(1795402881123)},
		{"2026-11-23 03:01:21.123999", INT64_C(1795402881123)},
		{"2000-02-29 23:59:59.000001", INT64_C(951868799000)},
		{"1969-12-31 23:59:59.999", -1},
		{"0000-01-01 00:00:00.000", INT64_C(-62167219200000)},
	};
	static const char *const bad[] = {
		"",
		"2026-11-23",
		"2026-11-23T03:01:21",
		"2026-11-23 03:01:2",
		"2026-11-23 03:01:21.",
		"2026-11-23 03:01:21x",
		"2026-11-23 03:01:21.1234567",
		"2026-11-23 03:01:21.12a",
		"2026-11-23 03:01:21.-12",
		"0000-00-00 00:00:00",
		"2026-13-01 00:00:00",
		"2026-00-01 00:00:00",
		"2026-01-00 00:00:00",
		"2026-01-32 00:00:00",
		"2026-02-29 00:00:00",
		"1900-02-29 00:00:00",
		"2026-04-31 00:00:00",
		"2026-11-23 24:00:00",
		"2026-11-23 03:60:00",
		"2026-11-23 03:00:60",
		" 2026-11-23 03:01:2",
		"2026-1 -23 03:01:21",
		"+026-11-23 03:01:21",
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		int64_t ms = 1;
		is_int(clock_parse_sql(str_from(good[i].text), &ms), 0, "reads %s", good[i].text);
		is_int(ms, good[i].ms, "right");
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t ms;
		is_int(clock_parse_sql(str_from(bad[i]), &ms), -1, "refuses '%s'", bad[i]);
	}
	int64_t ms;
	is_int(clock_parse_sql(STR_NULL, &ms), -1, "refuses an absent text");
}

static void test_rfc3339(void)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{"2026-11-23T03:01:21.123Z", INT64_C(1795402881123)},
		{"2026-11-23t03:01:21z", INT64_C(1795402881000)},
		{"2026-11-23T03:01:21.1Z", INT64_C(1795402881100)},
		{"2026-11-23T03:01:21.123999999Z", INT64_C(1795402881123)},
		{"2026-11-23T11:01:21.123+08:00", INT64_C(1795402881123)},
		{"2026-11-22T21:31:21-05:30", INT64_C(1795402881000)},
		{"2026-11-23T03:01:21-00:00", INT64_C(1795402881000)},
		{"1970-01-01T00:00:00+23:59", -INT64_C(86340000)},
		{"9999-12-31T23:59:59.999-23:59", INT64_C(253402387139999)},
	};
	static const char *const bad[] = {
		"",
		"2026-11-23",
		"2026-11-23T03:01:21",
		"2026-11-23 03:01:21Z",
		"2026-11-23T03:01:21.Z",
		"2026-11-23T03:01:21.1234567890Z",
		"2026-11-23T03:01:21ZZ",
		"2026-11-23T03:01:21Z ",
		"2026-11-23T03:01:21.",
		"2026-11-23T03:01:21+",
		"2026-11-23T03:01:21+08",
		"2026-11-23T03:01:21+0800",
		"2026-11-23T03:01:21+24:00",
		"2026-11-23T03:01:21+08:60",
		"2026-11-23T03:01:60Z",
		"2026-02-29T00:00:00Z",
		"2026-11-23T24:00:00Z",
		"+026-11-23T03:01:21Z",
		"never",
	};
	int64_t ms;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		is_int(clock_parse_rfc3339(str_from(good[i].text), &ms), 0, "reads %s", good[i].text);
		is_int(ms, good[i].ms, "right");
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		is_int(clock_parse_rfc3339(str_from(bad[i]), &ms), -1, "refuses '%s'", bad[i]);
	is_int(clock_parse_rfc3339(STR_NULL, &ms), -1, "refuses an absent text");
}

static void test_clocks(void)
{
	int64_t wall = clock_wall_ms(), libc_secs = (int64_t)time(NULL);
	ok(wall / 1000 - libc_secs >= -2 && wall / 1000 - libc_secs <= 2, "the wall clock is the system's");
	int64_t mono = clock_mono_ms();
	ok(clock_mono_ms() >= mono, "the monotonic clock does not go back");
	is_int(clock_shift_ms(), 0, "no shift without shared memory");

	static _Atomic int64_t shift;
	clock_share_shift(&shift);
	is_int(clock_shift_ms(), 0, "no shift at first");
	shift = 3600000;
	is_int(clock_shift_ms(), 3600000, "a shift is seen at once");
	int64_t ahead = clock_mono_ms() - mono;
	ok(ahead >= 3600000 && ahead < 3660000, "the monotonic clock adds it");
	ahead = clock_wall_ms() - wall;
	ok(ahead >= 3590000 && ahead < 3660000, "the wall clock adds it");
	static _Atomic int64_t wall_shift;
	wall = clock_wall_ms();
	mono = clock_mono_ms();
	clock_share_wall_shift(&wall_shift);
	wall_shift = -86400000;
	ok(clock_wall_ms() < wall - 80000000 && clock_mono_ms() >= mono, "the wall clock alone goes back");
	clock_share_wall_shift(NULL);
	ok(clock_wall_ms() >= wall, "and forth");
	clock_share_shift(NULL);
	is_int(clock_shift_ms(), 0, "and it can be taken away");
}

int main(void)
{
	test_known();
	test_calendar();
	test_parse();
	test_rfc3339();
	test_clocks();
	return done_testing();
}
