/* SPDX-License-Identifier: BSD-2-Clause */
/* A clock on the wall shows what it shows in the zones of the tz database, and hostile names and files are refused. */
#include "core/base.h"
#include "core/zone.h"

#include <stdlib.h>
#include <time.h>

#include "../tap.h"

static int minute(const char *zone, int64_t at)
{
	return zone_minute(str_from(zone), at);
}

/* The C library's own reading of the same zones, over years on both sides of the last transition that a file has. */
static bool agrees(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
	for (int64_t at = -631152000; at < INT64_C(4102444800); at += 86400 * 5 + 3601) {
		struct tm tm;
		time_t t = (time_t)at;
		localtime_r(&t, &tm);
		if (minute(zone, at) != tm.tm_hour * 60 + tm.tm_min) {
			printf("# %s at %lld: %d, not %02d:%02d\n", zone, (long long)at, minute(zone, at), tm.tm_hour,
			       tm.tm_min);
			return false;
		}
	}
	return true;
}

static void put_header(char *at, char version, unsigned char infos)
{
	memset(at, 0, 44);
	memcpy(at, "TZif", 4);
	at[4] = version;
	at[39] = (char)infos;
}

/* A file that has nothing but a rule, as "slim" ones do. */
static int32_t by_rule(const char *rule, int64_t at)
{
	char file[200];
	int32_t offset = 1;
	put_header(file, '2', 1);
	memset(file + 44, 0, 6);
	put_header(file + 50, '2', 1);
	memset(file + 94, 0, 6);
	int len = snprintf(file + 100, 100, "\n%s\n", rule);
	return zone_offset((struct str){file, 100 + (size_t)len}, at, &offset) == 0 ? offset : -99999;
}

int main(void)
{
	static const char *const zones[] = {"Asia/Shanghai", "Europe/Berlin", "America/New_York", "America/St_Johns",
					    "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca",
					    "America/Argentina/Buenos_Aires", "UTC", "Etc/GMT+5", "Asia/Tehran"};
	static const char *const none[] = {"", "/UTC", "UTC/", "../zoneinfo/UTC", "Asia/../UTC", "Asia", "Asia//Shanghai",
					   ".", "Mars/Olympus", "zone.tab", "tzdata.zi", "Asia/Shang hai", "UTC\n"};
	for (size_t i = 0; i < ARRAY_LEN(zones); i++)
		ok(agrees(zones[i]), "%s: as the C library has it", zones[i]);
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		ok(!zone_exists(str_from(none[i])), "'%s' is no zone", none[i]);
	ok(!zone_exists((struct str){"UTC\0x", 5}), "nor one with a NUL");
	is_int(by_rule("EST5EDT,M3.2.0,M11.1.0", 1814400000), -14400, "summer by a rule");
	is_int(by_rule("EST5EDT,M3.2.0,M11.1.0", 1798761600), -18000, "winter by a rule");
	is_int(by_rule("<+03>-3", 0), 10800, "no summer");
	is_int(by_rule("AAA3BBB2,J60/-1,300/25:30", 1804057200), -7200, "days of the year");
	static const char *const bad[] = {"EST", "EST5EDT", "EST5EDT,M13.1.0,M1.1.1", "5", "<x", "EST5EDT,M3.2.0,M11.1.0,", "EST200"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		is_int(by_rule(bad[i], 1804057200), -99999, "'%s' is no rule", bad[i]);
	ok(minute_is_within(1320, 1320, 420) && minute_is_within(0, 1320, 420) && !minute_is_within(420, 1320, 420),
	   "past midnight");
	ok(minute_is_within(600, 540, 720) && !minute_is_within(720, 540, 720) && !minute_is_within(539, 540, 720),
	   "within a day");
	return done_testing();
}
