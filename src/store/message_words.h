/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What of a message search finds: its text or caption, and the name of its file, which is extra.file_name, or else the
 * last part of media_url's path. Stickers have no such name, and system messages have nothing.
 */
#ifndef TIDINGS_STORE_MESSAGE_WORDS_H
#define TIDINGS_STORE_MESSAGE_WORDS_H

#include "core/base.h"
#include "core/words.h"
#include "store/store.h"

struct json_doc;

/* All zeroes: empty. Keeps its memory for the next message. */
struct message_words {
	struct words content, name;
	struct json_doc *doc;
};

void message_words_fini(struct message_words *w);
/* Of this m->type, content, media_url and extra alone. places: as in words.h, of the content. */
void message_words_read(struct message_words *w, const struct message *m, bool places);

#endif
