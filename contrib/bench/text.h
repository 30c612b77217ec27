/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the load generator writes to people: letters that are this run's own, the message's number, and words. So a
 * message is known again wherever it comes, and what the server makes of client_msg_id does not matter.
 */
#ifndef TIDINGS_BENCH_TEXT_H
#define TIDINGS_BENCH_TEXT_H

#include "core/base.h"
#include "core/buf.h"

#define TEXT_RUN_LEN 6
#define TEXT_NUMBER_LEN 10

struct texts {
	char run[TEXT_RUN_LEN + 1];
	char *words; /* as people write them, as far as compressing goes */
};

/* `bytes` of a text, the run and the number included. -1: no random numbers. */
int texts_init(struct texts *t, unsigned bytes) MUST_CHECK;
/* "client_msg_id":"…","content":"…"} */
void texts_put(const struct texts *t, struct buf *b, size_t number);
/* The number and the seq of a message in JSON, or -1 if it is none of this run with a number below `end`. */
long long texts_find(const struct texts *t, const char *data, size_t len, size_t end, uint32_t *seq_r);

#endif
