/* SPDX-License-Identifier: BSD-2-Clause */
/* A message as JSON, as clients and hooks are shown it. */
#ifndef TIDINGS_STORE_MESSAGE_JSON_H
#define TIDINGS_STORE_MESSAGE_JSON_H

#include "core/base.h"
#include "core/json.h"
#include "core/media_url.h"
#include "store/store.h"

/* How what lies on this server is named. */
struct message_urls {
	const char *prefix;		/* precedes paths on this server */
	const struct media_urls *media; /* NULL: uploaded files are named as they are stored */
};

/* A value: the URL, or null where it is absent. */
void message_json_url(struct json_out *o, struct str url, const struct message_urls *urls);
/* Those of a message, as it is stored: an array. */
void message_json_reactions(struct json_out *o, struct str reactions);

/*
 * WITHOUT_READS: without is_read and read_at, for callers that do not know them. UNSENT: the same of a message that is
 * not stored yet, whose id has no seq, and no conversation where that is not known: what is not known is null.
 */
enum message_json { MESSAGE_JSON_WHOLE, MESSAGE_JSON_WITHOUT_READS, MESSAGE_JSON_UNSENT };
void message_json_members(struct json_out *o, const struct message *m, const struct message_urls *urls,
			  enum message_json how);

#endif
