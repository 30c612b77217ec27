/* SPDX-License-Identifier: BSD-2-Clause */
/* The text of a message, as a send and an edit have it in their body. */
#ifndef TIDINGS_CMD_CONTENT_H
#define TIDINGS_CMD_CONTENT_H

#include "core/base.h"
#include "api/request.h"
#include "store/mention.h"

/* Borrowed from the body, but for entities and the array of mentions, which are in the arena. */
struct content {
	struct str text; /* absent: none */
	struct str entities;
	struct mention_list mentions;
};

/* What is written to others counts in limits.sends_per_second. False: it is too much, which the others say. */
bool send_take_rate(struct request *r) MUST_CHECK;
const struct problem *send_rate_problem(struct request *r) MUST_CHECK;
void send_fail_rate(struct request *r);
/*
 * Sends a message to a user or a group by a part of a request, which ends with the message as JSON or a problem.
 * Its tokens of the sender were taken. is_stored: it was sent before, and is only looked for. What p points to has to
 * last until then.
 */
void send_part(struct request *part, const struct store_send *p, bool is_stored);
/* A message as the body has it, but from whom and to whom; with_reply: and what it answers. */
const struct problem *send_message_check(struct request *r, struct store_send *s, bool with_reply) MUST_CHECK;
/* A member like `content`, within the limits of that; absent where it is not given. */
const struct problem *content_text_check(struct request *r, const char *name, struct str *text_r) MUST_CHECK;
/* Of stored entities those that fit a text in place of that before (core/entities.h); absent: none. In the arena. */
struct str content_entities_fitting(struct request *r, struct str entities, struct str before, struct str after);
/* A message's mentions as they are asked for: who is no party to the conversation is dropped later. In the arena. */
struct str content_mentions_text(struct request *r, const struct mention_list *list);
/* `entities` and `mentions`, of a text that was read already. */
const struct problem *content_marks_check(struct request *r, struct content *c) MUST_CHECK;

/*
 * `expires_in`, a number of seconds: *given_r where it is there; *secs_r is 0 where it is null, or missing.
 */
const struct problem *content_expiry_check(struct request *r, bool *given_r, uint64_t *secs_r) MUST_CHECK;

#endif
