/* SPDX-License-Identifier: BSD-2-Clause */
/* The sticker that a send names. */
#ifndef TIDINGS_CMD_STICKER_H
#define TIDINGS_CMD_STICKER_H

#include "core/base.h"
#include "api/request.h"
#include "store/sticker.h"

/* In the body; read by sticker_check(). */
struct sticker_named {
	struct str pack, id;
};
/*
 * `extra` of a send: which sticker it is. s->extra then tells it from others, as far as it is known without looking it
 * up. What else the client says of it is not taken, for that is filled in here.
 */
const struct problem *sticker_check(struct request *r, struct store_send *s) MUST_CHECK;
/* During check and proceed, of a body that was checked. */
struct sticker_named sticker_named(const struct request *r);
/* What was found is the message's from now on. In the request's arena. */
void sticker_fill(struct request *r, struct str pack, const struct sticker *found, struct store_send *s);

#endif
