/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the clocks and writing time down. Every event and every row carries a
 * time, so the calendar is computed here rather than by strftime. All is UTC.
 */
#include "core/base.h"
#include "core/clock.h"

#include <stdatomic.h>
#include <time.h>

#define MS_A_DAY INT64_C(86400000)
/* 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: what four digits of a year can say. */
#define FIRST_MS INT64_C(-62167219200000)
#define LAST_MS INT64_C(253402300799999)

static const _Atomic int64_t *shared_shift, *shared_wall_shift;

static int64_t read_ms(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + clock_shift_ms();
}

static int64_t wall_shift_ms(void)
{
	return shared_wall_shift == NULL ? 0 : atomic_load_explicit(shared_wall_shift, memory_order_relaxed);
}

int64_t clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME) + wall_shift_ms();
}

int64_t clock_mono_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_usecs(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void clock_share_shift(const _Atomic int64_t *shift_ms)
{
	shared_shift = shift_ms;
}

void clock_share_wall_shift(const _Atomic int64_t *shift_ms)
{
	shared_wall_shift = shift_ms;
}

int64_t clock_shift_ms(void)
{
	return shared_shift == NULL ? 0 : atomic_load_explicit(shared_shift, memory_order_relaxed);
}

struct civil {
	unsigned year, month, day; /* month and day from 1 */
	unsigned hour, minute, second, ms;
	unsigned weekday; /* 0 is Sunday */
};

/*
 * Days are counted from 0000-03-01, so that a leap day is the last one of its year; then 400 years are
 * 146097 days, and the months from March on follow (153 * m + 2) / 5.
 */
#define DAYS_TO_EPOCH 719468

static void civil_from_ms(struct civil *c, int64_t ms)
{
	ms = ms < FIRST_MS ? FIRST_MS : ms > LAST_MS ? LAST_MS : ms;
	int64_t days = ms / MS_A_DAY;
	int64_t rest = ms % MS_A_DAY;
	if (rest < 0) {
		rest += MS_A_DAY;
		days--;
	}
	c->ms = (unsigned)(rest % 1000);
	c->second = (unsigned)(rest / 1000 % 60);
	c->minute = (unsigned)(rest / 60000 % 60);
	c->hour = (unsigned)(rest / 3600000);

	/* January and February of year 0 come before the first March: one era of 400 years more keeps it positive. */
	uint32_t z = (uint32_t)(days + DAYS_TO_EPOCH + 146097);
	c->weekday = (z + 3) % 7;
	uint32_t era = z / 146097;
	uint32_t of_era = z % 146097;
	uint32_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint32_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint32_t month = (5 * of_year + 2) / 153;
	c->day = of_year - (153 * month + 2) / 5 + 1;
	c->month = month < 10 ? month + 3 : month - 9;
	c->year = era * 400 + year_of_era + (c->month <= 2) - 400;
}

static int64_t days_from_civil(unsigned year, unsigned month, unsigned day)
{
	unsigned y = year + 400 - (month <= 2);
	unsigned of_era = y % 400;
	unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return (int64_t)(y / 400) * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_EPOCH -
	       146097;
}

static char *put_digits(char *out, unsigned v, unsigned digits)
{
	for (unsigned i = digits; i-- > 0; v /= 10)
		out[i] = (char)('0' + v % 10);
	return out + digits;
}

static char *put_date_time(char *out, const struct civil *c, char between)
{
	out = put_digits(out, c->year, 4);
	*out++ = '-';
	out = put_digits(out, c->month, 2);
	*out++ = '-';
	out = put_digits(out, c->day, 2);
	*out++ = between;
	out = put_digits(out, c->hour, 2);
	*out++ = ':';
	out = put_digits(out, c->minute, 2);
	*out++ = ':';
	out = put_digits(out, c->second, 2);
	*out++ = '.';
	return put_digits(out, c->ms, 3);
}

void clock_format_rfc3339(char out[CLOCK_RFC3339_LEN + 1], int64_t ms)
{
	struct civil c;
	civil_from_ms(&c, ms);
	out = put_date_time(out, &c, 'T');
	out[0] = 'Z';
	out[1] = '\0';
}

void clock_format_sql(char out[CLOCK_SQL_LEN + 1], int64_t ms)
{
	struct civil c;
	civil_from_ms(&c, ms);
	*put_date_time(out, &c, ' ') = '\0';
}

void clock_format_http(char out[CLOCK_HTTP_LEN + 1], int64_t ms)
{
	static const char weekdays[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct civil c;
	civil_from_ms(&c, ms);
	memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", CLOCK_HTTP_LEN + 1);
	memcpy(out, weekdays + 3 * c.weekday, 3);
	put_digits(out + 5, c.day, 2);
	memcpy(out + 8, months + 3 * (c.month - 1), 3);
	put_digits(out + 12, c.year, 4);
	put_digits(out + 17, c.hour, 2);
	put_digits(out + 20, c.minute, 2);
	put_digits(out + 23, c.second, 2);
}

static bool get_digits(const char *s, unsigned digits, unsigned *v_r)
{
	unsigned v = 0;
	for (unsigned i = 0; i < digits; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	*v_r = v;
	return true;
}

static unsigned days_of_month(unsigned year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && leap);
}

/* "0000-00-00", `between`, "00:00:00", up to its end; 0 with all but the fraction of a second. */
static int parse_date_time(const char *s, char between, struct civil *c)
{
	if (s[4] != '-' || s[7] != '-' || s[10] != between || s[13] != ':' || s[16] != ':')
		return -1;
	if (!get_digits(s, 4, &c->year) || !get_digits(s + 5, 2, &c->month) || !get_digits(s + 8, 2, &c->day) ||
	    !get_digits(s + 11, 2, &c->hour) || !get_digits(s + 14, 2, &c->minute) ||
	    !get_digits(s + 17, 2, &c->second))
		return -1;
	bool exists = c->month >= 1 && c->month <= 12 && c->day >= 1 && c->day <= days_of_month(c->year, c->month) &&
		      c->hour <= 23 && c->minute <= 59 && c->second <= 59;
	c->ms = 0;
	return exists ? 0 : -1;
}

/* 1 to 9 decimals. */
static int parse_fraction(struct str decimals, unsigned *ms_r)
{
	unsigned fraction;
	if (decimals.len < 1 || decimals.len > 9 || !get_digits(decimals.s, (unsigned)decimals.len, &fraction))
		return -1;
	for (size_t i = decimals.len; i < 9; i++)
		fraction *= 10;
	*ms_r = fraction / 1000000;
	return 0;
}

static int64_t civil_to_ms(const struct civil *c)
{
	return days_from_civil(c->year, c->month, c->day) * MS_A_DAY +
	       ((c->hour * 60 + c->minute) * 60 + c->second) * INT64_C(1000) + c->ms;
}

#define DATE_TIME_LEN 19

int clock_parse_sql(struct str text, int64_t *ms_r)
{
	struct civil c;
	if (text.s == NULL || text.len < DATE_TIME_LEN || parse_date_time(text.s, ' ', &c) != 0)
		return -1;
	if (text.len > DATE_TIME_LEN) {
		struct str decimals = {text.s + DATE_TIME_LEN + 1, text.len - DATE_TIME_LEN - 1};
		if (text.s[DATE_TIME_LEN] != '.' || decimals.len > 6 || parse_fraction(decimals, &c.ms) != 0)
			return -1;
	}
	*ms_r = civil_to_ms(&c);
	return 0;
}

/* "Z", or how far the time is ahead of UTC. */
static int parse_offset(struct str text, int64_t *ms_r)
{
	unsigned hours, minutes;
	*ms_r = 0;
	if (text.len == 1 && (text.s[0] == 'Z' || text.s[0] == 'z'))
		return 0;
	if (text.len != 6 || (text.s[0] != '+' && text.s[0] != '-') || text.s[3] != ':' ||
	    !get_digits(text.s + 1, 2, &hours) || !get_digits(text.s + 4, 2, &minutes) || hours > 23 || minutes > 59)
		return -1;
	int64_t ms = (hours * 60 + minutes) * INT64_C(60000);
	*ms_r = text.s[0] == '+' ? ms : -ms;
	return 0;
}

int clock_parse_rfc3339(struct str text, int64_t *ms_r)
{
	struct civil c;
	char form[DATE_TIME_LEN];
	int64_t offset_ms;
	size_t at = DATE_TIME_LEN;
	if (text.s == NULL || text.len <= DATE_TIME_LEN)
		return -1;
	memcpy(form, text.s, sizeof(form));
	if (form[10] == 't')
		form[10] = 'T';
	if (parse_date_time(form, 'T', &c) != 0)
		return -1;
	if (text.s[at] == '.') {
		size_t first = ++at;
		while (at < text.len && text.s[at] >= '0' && text.s[at] <= '9')
			at++;
		if (parse_fraction((struct str){text.s + first, at - first}, &c.ms) != 0)
			return -1;
	}
	if (parse_offset((struct str){text.s + at, text.len - at}, &offset_ms) != 0)
		return -1;
	*ms_r = civil_to_ms(&c) - offset_ms;
	return 0;
}
