/* SPDX-License-Identifier: BSD-2-Clause */
/* A profile as JSON, as clients and hooks are shown it. */
#ifndef TIDINGS_STORE_PROFILE_JSON_H
#define TIDINGS_STORE_PROFILE_JSON_H

#include "core/base.h"
#include "core/json.h"
#include "store/message_json.h"
#include "store/people.h"

void profile_json_nickname(struct json_out *o, struct str nickname);
/* The URL of an uploaded picture is good for longer than those of messages. */
void profile_json_avatar(struct json_out *o, struct str avatar_url, const struct message_urls *urls);
void profile_json_members(struct json_out *o, const struct profile *p, const struct message_urls *urls);

#endif
