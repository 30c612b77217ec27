/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads compiled zones (RFC 8536). Not by the C library: that knows one zone at a time, and it is the process'
 * environment that says which.
 */
#include "core/base.h"
#include "core/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FOLDER "/usr/share/zoneinfo/"
#define FILE_MAX 65536
#define HEADER_LEN 44
#define DAY_SECS 86400

/* ---- the part behind the last transition: a rule as POSIX writes it ---- */

struct cursor {
	const char *at, *end;
};

static bool skip(struct cursor *c, char wanted)
{
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

static bool is_digit(const struct cursor *c)
{
	return c->at != c->end && *c->at >= '0' && *c->at <= '9';
}

static int take_number(struct cursor *c, int *out)
{
	if (!is_digit(c))
		return -1;
	for (*out = 0; is_digit(c); c->at++)
		if ((*out = *out * 10 + (*c->at - '0')) > 9999)
			return -1;
	return 0;
}

/* EST, or <+0330>. */
static int skip_name(struct cursor *c)
{
	const char *began = c->at;
	if (skip(c, '<')) {
		while (c->at != c->end && *c->at != '>')
			c->at++;
		return skip(c, '>') ? 0 : -1;
	}
	while (c->at != c->end && ((*c->at | 32) >= 'a' && (*c->at | 32) <= 'z'))
		c->at++;
	return c->at != began ? 0 : -1;
}

/* [+-]hh[:mm[:ss]], in seconds. */
static int take_time(struct cursor *c, int32_t *out)
{
	int sign = skip(c, '-') ? -1 : 1, hours, minutes = 0, seconds = 0;
	if (sign == 1)
		(void)skip(c, '+');
	if (take_number(c, &hours) != 0 || hours > 167)
		return -1;
	if (skip(c, ':') && (take_number(c, &minutes) != 0 || (skip(c, ':') && take_number(c, &seconds) != 0)))
		return -1;
	if (minutes > 59 || seconds > 59)
		return -1;
	*out = sign * (hours * 3600 + minutes * 60 + seconds);
	return 0;
}

/* ---- days ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days since 1970 of a date (Gregorian), by years that begin in March. */
static int64_t day_of(int64_t year, int month, int day)
{
	year -= month <= 2;
	int64_t era = floor_div(year, 400), of_era = year - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t year_of(int64_t day)
{
	int64_t year = 1970 + floor_div(day, 365) - 1;
	while (day_of(year + 1, 1, 1) <= day)
		year++;
	while (day_of(year, 1, 1) > day)
		year--;
	return year;
}

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* M3.2.0: the second Sunday in March; 5 is the last one. */
static int month_rule(struct cursor *c, int64_t year, int64_t *day_r)
{
	int month, week, weekday;
	if (take_number(c, &month) != 0 || !skip(c, '.') || take_number(c, &week) != 0 || !skip(c, '.') ||
	    take_number(c, &weekday) != 0 || month < 1 || month > 12 || week < 1 || week > 5 || weekday > 6)
		return -1;
	int64_t first = day_of(year, month, 1);
	int64_t next = month == 12 ? day_of(year + 1, 1, 1) : day_of(year, month + 1, 1);
	/* 1970 began with a Thursday. */
	int64_t first_weekday = ((first + 4) % 7 + 7) % 7;
	*day_r = first + (weekday - first_weekday + 7) % 7 + (int64_t)7 * (week - 1);
	while (*day_r >= next)
		*day_r -= 7;
	return 0;
}

/* When in that year, in seconds since 1970 by the clock that is used until then. */
static int take_rule(struct cursor *c, int64_t year, int64_t *at_r)
{
	int64_t day;
	int32_t time = 2 * 3600;
	int n;
	if (!skip(c, ','))
		return -1;
	if (skip(c, 'M')) {
		if (month_rule(c, year, &day) != 0)
			return -1;
	} else if (skip(c, 'J')) {
		/* From 1 on, without the 29th of February. */
		if (take_number(c, &n) != 0 || n < 1 || n > 365)
			return -1;
		day = day_of(year, 1, 1) + n - 1 + (is_leap(year) && n >= 60);
	} else {
		if (take_number(c, &n) != 0 || n > 365)
			return -1;
		day = day_of(year, 1, 1) + n;
	}
	if (skip(c, '/') && take_time(c, &time) != 0)
		return -1;
	*at_r = day * DAY_SECS + time;
	return 0;
}

static int posix_offset(struct cursor c, int64_t at_secs, int32_t *offset_r)
{
	int32_t west, summer_west;
	int64_t begin, end;
	if (skip_name(&c) != 0 || take_time(&c, &west) != 0)
		return -1;
	*offset_r = -west;
	if (c.at == c.end)
		return 0;
	summer_west = west - 3600;
	if (skip_name(&c) != 0 || (c.at != c.end && *c.at != ',' && take_time(&c, &summer_west) != 0))
		return -1;
	int64_t year = year_of(floor_div(at_secs - west, DAY_SECS));
	if (take_rule(&c, year, &begin) != 0 || take_rule(&c, year, &end) != 0 || c.at != c.end)
		return -1;
	begin += west;
	end += summer_west;
	bool summer = begin < end ? at_secs >= begin && at_secs < end : at_secs >= begin || at_secs < end;
	if (summer)
		*offset_r = -summer_west;
	return 0;
}

/* ---- the file ---- */

static uint64_t take_big(const unsigned char *at, size_t len)
{
	uint64_t n = 0;
	while (len-- > 0)
		n = n << 8 | *at++;
	return n;
}

struct block {
	const unsigned char *times, *types, *infos;
	size_t time_count, info_count, len;
};

/* What follows a header, with times of that many bytes. */
static int read_block(struct str file, size_t at, size_t time_len, struct block *b)
{
	const unsigned char *h = (const unsigned char *)file.s + at;
	if (file.len < at + HEADER_LEN || memcmp(h, "TZif", 4) != 0)
		return -1;
	uint64_t utc = take_big(h + 20, 4), std = take_big(h + 24, 4), leaps = take_big(h + 28, 4);
	uint64_t times = take_big(h + 32, 4), infos = take_big(h + 36, 4), chars = take_big(h + 40, 4);
	uint64_t len = HEADER_LEN + times * (time_len + 1) + infos * 6 + chars + leaps * (time_len + 4) + std + utc;
	if (infos == 0 || len > file.len - at)
		return -1;
	*b = (struct block){.times = h + HEADER_LEN, .time_count = times, .info_count = infos, .len = len};
	b->types = b->times + times * time_len;
	b->infos = b->types + times;
	return 0;
}

static int64_t time_at(const struct block *b, size_t i)
{
	return (int64_t)take_big(b->times + 8 * i, 8);
}

static int offset_of(const struct block *b, size_t type, int32_t *offset_r)
{
	if (type >= b->info_count)
		return -1;
	*offset_r = (int32_t)take_big(b->infos + 6 * type, 4);
	return 0;
}

int zone_offset(struct str file, int64_t at_secs, int32_t *offset_r)
{
	struct block old, b;
	if (read_block(file, 0, 4, &old) != 0 || file.s[4] < '2' || read_block(file, old.len, 8, &b) != 0)
		return -1;
	size_t low = 0, high = b.time_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (time_at(&b, middle) <= at_secs)
			low = middle + 1;
		else
			high = middle;
	}
	/* The rule stands between two line feeds. */
	struct cursor rule = {file.s + old.len + b.len, file.s + file.len};
	const char *end = skip(&rule, '\n') ? memchr(rule.at, '\n', (size_t)(rule.end - rule.at)) : NULL;
	if (low == b.time_count && end != NULL && end != rule.at)
		return posix_offset((struct cursor){rule.at, end}, at_secs, offset_r);
	return offset_of(&b, low != 0 ? b.types[low - 1] : 0, offset_r);
}

/* No segment begins with a dot, so none leads up. */
static bool is_name(struct str name)
{
	bool begins = true;
	if (name.s == NULL || name.len == 0 || name.len > ZONE_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.s[i];
		bool letter = ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9');
		if (!letter && (begins || strchr("+-_/", c) == NULL || c == '\0'))
			return false;
		begins = c == '/';
	}
	return !begins;
}

/* The length, or -1. */
static ssize_t read_file(struct str name, char *out)
{
	char path[sizeof(FOLDER) + ZONE_NAME_MAX];
	ssize_t len = 0, got;
	if (!is_name(name))
		return -1;
	snprintf(path, sizeof(path), FOLDER "%.*s", (int)name.len, name.s);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	while ((got = read(fd, out + len, (size_t)(FILE_MAX - len))) > 0)
		len += got;
	close(fd);
	return got < 0 ? -1 : len;
}

int zone_minute(struct str name, int64_t at_secs)
{
	char *file = xmalloc(FILE_MAX);
	ssize_t len = read_file(name, file);
	int32_t offset;
	int minute = -1;
	if (len >= 0 && zone_offset((struct str){file, (size_t)len}, at_secs, &offset) == 0) {
		int64_t secs = (at_secs + offset) % DAY_SECS;
		minute = (int)((secs + DAY_SECS) % DAY_SECS / 60);
	}
	free(file);
	return minute;
}

bool zone_exists(struct str name)
{
	return zone_minute(name, 0) >= 0;
}

bool minute_is_within(int minute, int from, int to)
{
	return from <= to ? minute >= from && minute < to : minute >= from || minute < to;
}
