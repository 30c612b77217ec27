/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions to the store, on the configured database and past the server: one after the other, each waited for. */
#ifndef TIDINGS_CTL_QUESTION_H
#define TIDINGS_CTL_QUESTION_H

#include "core/base.h"
#include "core/buf.h"
#include "core/json.h"
#include "ctl/ctl.h"
#include "store/store.h"

struct question {
	const struct ctl *ctl;
	struct event_base *base;
	struct store *store;
	enum store_status status;
	struct json_out *out; /* --json; what it writes is in text until it is printed */
	struct buf text;
};
/* Until question_end(). ctl is borrowed. */
void question_begin(struct question *q, const struct ctl *ctl);
void question_end(struct question *q);
/* Of a callback: the answer is here, or the last of several. */
void question_answered(struct question *q, enum store_status status);
/* A callback of what only counts; arg: the question. */
void question_on_count(enum store_status status, uint64_t count, void *arg);
/* Waits for it. 0, or 1 after having said why the store did not do it; not for STORE_NOT_FOUND. */
int question_wait(struct question *q) MUST_CHECK;
/* If the command is to give JSON, prints what was written to `out` so far; and at its end, with a line feed. */
void question_flush(struct question *q);
void question_print(struct question *q);

#endif
