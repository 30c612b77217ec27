/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as clients get them, rendered once for all who are told. Each lies in live->scratch until the next one. */
#ifndef TIDINGS_API_EVENT_H
#define TIDINGS_API_EVENT_H

#include "core/base.h"
#include "live/live.h"
#include "store/people.h"

/* {"type":type; the caller writes further members to what is returned, and ends it. */
struct json_out *event_begin(struct live *live, const char *type);
/* The same, of a conversation: with conversation_id. */
struct json_out *event_begin_in(struct live *live, const char *type, uint64_t conversation_id);
struct str event_end(struct live *live);

/* `message`. */
struct str event_message(struct live *live, const struct message *m);
/* The whole of `recalled`, but for event_end(). */
void event_begin_recalled(struct live *live, const struct store_change *c);
/* The same of `reaction`: c->by has reacted to it, or taken that back. */
void event_begin_reaction(struct live *live, const struct store_change *c, bool added);
/* `conversation`, as its c->user sees it: that of struct live. */
struct str event_conversation(struct live *live, const struct conversation *c);
/* `notification`, to all sessions of the user. */
void event_notification(struct live *live, struct str user, const struct notification *n);

#endif
