/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "ctl/question.h"

#include <event2/event.h>
#include <stdio.h>

void question_begin(struct question *q, const struct ctl *ctl)
{
	*q = (struct question){.ctl = ctl};
	q->base = event_base_new();
	q->store = store_new(q->base, ctl->conf, NULL, NULL);
	q->out = json_out_new();
	json_begin(q->out, &q->text);
}

void question_end(struct question *q)
{
	store_free(&q->store);
	event_base_free(q->base);
	json_out_free(&q->out);
	buf_fini(&q->text);
}

void question_answered(struct question *q, enum store_status status)
{
	q->status = status;
	event_base_loopbreak(q->base);
}

void question_on_count(enum store_status status, uint64_t count, void *arg)
{
	(void)count;
	question_answered(arg, status);
}

int question_wait(struct question *q)
{
	event_base_dispatch(q->base);
	if (q->status == STORE_OK || q->status == STORE_NOT_FOUND)
		return 0;
	return ctl_fail(store_is_read_only(q->store) ? "the database is read-only"
						     : "the database does not answer, or refuses it");
}

void question_flush(struct question *q)
{
	if (q->ctl->json)
		fwrite(q->text.data, 1, q->text.len, stdout);
	q->text.len = 0;
}

void question_print(struct question *q)
{
	question_flush(q);
	if (q->ctl->json)
		putchar('\n');
}
