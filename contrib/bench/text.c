/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes and finds texts, without a JSON parser: one process has thousands of connections. */
#include "core/base.h"
#include "text.h"

#include <sys/random.h>

static char *words(size_t len)
{
	static const char *const list[] = {
		"and",	 "I",	 "will be", "there", "at seven", "if",	   "the train", "is not", "late", "again",
		"could", "you",	 "bring",   "some",  "bread",	 "the",	   "big",	"key",	  "from", "my desk",
		"we",	 "have", "to",	    "talk",  "about",	 "next",   "summer",	"she",	  "said", "nobody",
		"knew",	 "when", "it",	    "began", "but",	 "thanks", "anyway"};
	struct buf b = {0};

	for (unsigned i = 1; b.len < len; i = i * 1103515245 + 12345)
		buf_printf(&b, " %s", list[(i >> 16) % ARRAY_LEN(list)]);
	b.len = len;
	buf_cstr(&b);
	return b.data;
}

int texts_init(struct texts *t, unsigned bytes)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char random[TEXT_RUN_LEN];

	*t = (struct texts){.words = words(bytes - TEXT_RUN_LEN - TEXT_NUMBER_LEN)};
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -1;
	for (int i = 0; i < TEXT_RUN_LEN; i++)
		t->run[i] = letters[random[i] & 31];
	return 0;
}

void texts_put(const struct texts *t, struct buf *b, size_t number)
{
	buf_printf(b, "\"client_msg_id\":\"%s%010zu\",\"content\":\"%s%010zu%s\"}", t->run, number, t->run, number,
		   t->words);
}

long long texts_find(const struct texts *t, const char *data, size_t len, size_t end, uint32_t *seq_r)
{
	static const char content[] = "\"content\":\"", seq[] = "\"seq\":";
	const char *at = memmem(data, len, content, sizeof(content) - 1), *stop = data + len;
	size_t number = 0;

	if (at == NULL || stop - (at += sizeof(content) - 1) < TEXT_RUN_LEN + TEXT_NUMBER_LEN ||
	    memcmp(at, t->run, TEXT_RUN_LEN) != 0)
		return -1;
	for (int i = 0; i < TEXT_NUMBER_LEN; i++)
		number = number * 10 + (at[TEXT_RUN_LEN + i] - '0');
	at = memmem(data, len, seq, sizeof(seq) - 1);
	if (at == NULL || number >= end)
		return -1;
	*seq_r = 0;
	for (at += sizeof(seq) - 1; at < stop && *at >= '0' && *at <= '9'; at++)
		*seq_r = *seq_r * 10 + (*at - '0');
	return number;
}
