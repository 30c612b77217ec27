/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How large a list becomes as JSON, so that it ends where one answer has enough: at ANSWER_BYTES_MAX, with one item
 * at least. What a client does not get it asks for with the next page.
 */
#ifndef TIDINGS_STORE_ANSWER_H
#define TIDINGS_STORE_ANSWER_H

#include "core/base.h"
#include "store/people.h"
#include "store/store.h"

#define ANSWER_BYTES_MAX ((size_t)1024 * 1024)

/* All zeroes: nothing is in it. */
struct answer {
	size_t bytes, items;
	bool full; /* one did not fit: nothing more is taken */
};

/* Counts an item of that size if it fits; the first one always does. False: it has to wait for the next answer. */
bool answer_takes(struct answer *a, size_t bytes) MUST_CHECK;

/* At most what src/api/render.c writes for each, within a few hundred bytes. */
size_t answer_message_size(const struct message *m);
size_t answer_conversation_size(const struct conversation *c);
size_t answer_profile_size(const struct profile *p);

#endif
