/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of "media …" share: questions to the store, one after the other, and output as it comes. */
#ifndef TIDINGS_CTL_MEDIA_H
#define TIDINGS_CTL_MEDIA_H

#include "core/base.h"
#include "core/buf.h"
#include "core/json.h"
#include "ctl/ctl.h"
#include "store/media.h"

/* Rows and files that are in memory at a time. */
#define MEDIA_PAGE 500

struct media_ask {
	const struct ctl *ctl;
	struct event_base *base;
	struct store *store;
	enum store_status status;
	struct json_out *out; /* --json; what it writes is in text until media_flush() */
	struct buf text;
};
/* Of a callback: the answer is here. */
void media_answered(struct media_ask *q, enum store_status status);
/* Waits for it. 0, or 1 after having said why there is none; not for STORE_NOT_FOUND. */
int media_wait(struct media_ask *q);
void media_flush(struct media_ask *q);

/* media_check.c */
int media_check(struct media_ask *q);

#endif
