/* SPDX-License-Identifier: BSD-2-Clause */
/* Which identifiers are taken from outside, and how random ones are made. */
#include "core/base.h"
#include "core/id.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/log.h"

/* A URL's path cannot name them: see the header. */
static bool is_dot_segment(struct str s)
{
	return str_is(s, ".") || str_is(s, "..");
}

static const bool user_char[256] = {
	['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true, ['.'] = true,
	['_'] = true,	      ['@'] = true,	    [':'] = true,	  ['-'] = true,
};

bool id_user_valid(struct str s)
{
	if (s.s == NULL || s.len < 1 || s.len > USER_ID_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!user_char[(unsigned char)s.s[i]])
			return false;
	}
	return !is_dot_segment(s);
}

/* Could id_random() have made it? */
static bool is_random_text(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.s[i];
		if (c != '-' && c != '_' && !(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= 'a' && c <= 'z'))
			return false;
	}
	return true;
}

bool id_invite_code_valid(struct str s)
{
	return s.s != NULL && s.len >= 1 && s.len <= INVITE_CODE_MAX && is_random_text(s);
}

bool id_name_valid(struct str s)
{
	if (s.s == NULL || s.len < 1 || s.len > NAME_ID_MAX || s.s[0] == '.')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!user_char[(unsigned char)s.s[i]] || s.s[i] == '@' || s.s[i] == ':')
			return false;
	return true;
}

bool id_worker_valid(struct str s)
{
	return s.s != NULL && s.len == WORKER_NAME_LEN && is_random_text(s);
}

bool id_client_msg_valid(struct str s)
{
	if (s.s == NULL || s.len < 1 || s.len > CLIENT_MSG_ID_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.s[i] < '!' || s.s[i] > '~')
			return false;
	}
	return true;
}

int id_parse_u64(struct str s, uint64_t *out_r)
{
	uint64_t v = 0;
	if (s.s == NULL || s.len < 1 || s.len > 20 || (s.s[0] == '0' && s.len > 1))
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		if (s.s[i] < '0' || s.s[i] > '9')
			return -1;
		unsigned digit = (unsigned)(s.s[i] - '0');
		if (__builtin_mul_overflow(v, UINT64_C(10), &v) || __builtin_add_overflow(v, digit, &v))
			return -1;
	}
	*out_r = v;
	return 0;
}

#define SESSION_TIME_DIGITS (SESSION_TIME_BITS / 4)
#define SESSION_NUMBER_DIGITS (SESSION_NUMBER_BITS / 4)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

uint64_t id_make_at(int64_t ms)
{
	return (uint64_t)ms << ID_CHANCE_BITS | arc4random_uniform(1u << ID_CHANCE_BITS);
}

void id_session_make(char out[SESSION_ID_LEN + 1], int64_t now_ms, const char worker[WORKER_NAME_LEN], uint32_t number)
{
	hex_put(out, SESSION_TIME_DIGITS, (uint64_t)now_ms);
	memcpy(out + SESSION_TIME_DIGITS, worker, WORKER_NAME_LEN);
	hex_put(out + SESSION_TIME_DIGITS + WORKER_NAME_LEN, SESSION_NUMBER_DIGITS, number);
	out[SESSION_ID_LEN] = '\0';
}

/* How many bits the character at that place stands for; the worker's name is between the two numbers. */
static unsigned session_bits_at(size_t place)
{
	return place >= SESSION_TIME_DIGITS && place < SESSION_TIME_DIGITS + WORKER_NAME_LEN ? 6 : 4;
}

bool id_session_valid(struct str id)
{
	char text[SESSION_ID_LEN + 1] = "";
	unsigned char packed[SESSION_ID_BYTES];
	if (id.len != SESSION_ID_LEN)
		return false;
	memcpy(text, id.s, id.len);
	return id_session_pack(text, packed);
}

bool id_session_pack(const char id[SESSION_ID_LEN + 1], unsigned char out[SESSION_ID_BYTES])
{
	size_t at = 0, bits = 0;
	unsigned held = 0;
	for (size_t i = 0; i < SESSION_ID_LEN; i++) {
		unsigned width = session_bits_at(i);
		const char *digits = width == 6 ? alphabet : HEX_DIGITS;
		const char *found = id[i] != '\0' ? strchr(digits, id[i]) : NULL;
		if (found == NULL)
			return false;
		held = held << width | (unsigned)(found - digits);
		bits += width;
		if (bits >= 8) {
			bits -= 8;
			out[at++] = (unsigned char)(held >> bits);
			held &= (1u << bits) - 1;
		}
	}
	ASSERT(at == SESSION_ID_BYTES && bits == 0);
	return id[SESSION_ID_LEN] == '\0';
}

void id_session_unpack(const unsigned char in[SESSION_ID_BYTES], char out[SESSION_ID_LEN + 1])
{
	size_t at = 0, bits = 0;
	unsigned held = 0;
	for (size_t i = 0; i < SESSION_ID_LEN; i++) {
		unsigned width = session_bits_at(i);
		if (bits < width) {
			held = held << 8 | in[at++];
			bits += 8;
		}
		bits -= width;
		out[i] = (width == 6 ? alphabet : HEX_DIGITS)[held >> bits];
		held &= (1u << bits) - 1;
	}
	out[SESSION_ID_LEN] = '\0';
}

int64_t id_session_since_ms(struct str id)
{
	int64_t ms = 0;
	if (id.len != SESSION_ID_LEN)
		return 0;
	for (size_t i = 0; i < SESSION_TIME_DIGITS; i++) {
		char c = id.s[i];
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return 0;
		ms = ms << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return ms;
}

/* Random bytes fetched ahead. They belong to one process: a child would otherwise hand out its parent's. */
static struct {
	unsigned char bytes[256];
	size_t left;
	pid_t owner;
} pool;

static void pool_fill(pid_t self)
{
	/* Up to 256 bytes come whole, once the kernel's generator is seeded (getrandom(2)). */
	ssize_t n;
	do
		n = getrandom(pool.bytes, sizeof(pool.bytes), 0);
	while (n < 0 && errno == EINTR);
	ASSERT(n == (ssize_t)sizeof(pool.bytes));
	pool.left = sizeof(pool.bytes);
	pool.owner = self;
}

void id_random(char *out, size_t len)
{
	pid_t self = getpid();
	for (size_t i = 0; i < len; i++) {
		if (pool.left == 0 || pool.owner != self)
			pool_fill(self);
		out[i] = alphabet[pool.bytes[--pool.left] & 63];
	}
	out[len] = '\0';
}
