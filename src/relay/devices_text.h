/* SPDX-License-Identifier: BSD-2-Clause */
/* What a device shows, in English or Chinese, and the JSON object that it gets (contract, section 11). Pure. */
#ifndef TIDINGS_RELAY_DEVICES_TEXT_H
#define TIDINGS_RELAY_DEVICES_TEXT_H

#include "core/base.h"
#include "core/buf.h"
#include "core/json.h"
#include "store/store.h"

enum push_kind { PUSH_MESSAGE, PUSH_MENTION, PUSH_FRIEND_REQUEST, PUSH_NOTIFICATION, PUSH_READ };
#define PUSH_KINDS (PUSH_READ + 1)
const char *push_kind_name(enum push_kind k);

struct push_text {
	enum push_kind kind;
	bool preview;		/* what was written is shown, and by whom */
	enum message_type type; /* of a message */
	struct str from;	/* a nickname, or a user's id */
	struct str group;	/* its name; absent: it is no message of a group */
	struct str content;	/* absent: there is none */
	uint64_t badge;
	uint64_t conversation_id, message_id; /* 0: null */
};

/* Appends the object. locale: as the device has it; absent: English. Content is cut so that every service takes it. */
void devices_text_put(struct json_out *o, struct buf *out, const struct push_text *t, struct str locale);

#endif
