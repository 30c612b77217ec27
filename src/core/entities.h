/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The formatting of a text: parts of it that are bold, links and so on, beside the text and not in it. Offsets and
 * lengths count UTF-16 code units, as Telegram's MessageEntity does (core.telegram.org/bots/api#messageentity), for
 * that is how the clients that show it count.
 */
#ifndef TIDINGS_CORE_ENTITIES_H
#define TIDINGS_CORE_ENTITIES_H

#include "core/base.h"
#include "core/buf.h"
#include "core/json.h"

#define ENTITIES_MAX 100
/* Of the text that entities_put() writes. */
#define ENTITIES_BYTES_MAX ((size_t)16 * 1024)

/*
 * Appends the array to `out`, as it is stored: of each entity its type, offset, length, and the one member that its
 * type may have. Their order is kept. They have to be sorted by offset, to lie within the text and not in the middle of
 * a character, and of two that overlap one has to contain the other. `content` is valid UTF-8; absent: no entity is
 * within it. `o` writes to `out` afterwards.
 *
 * NULL; or what is wrong, with the number of the entity in *at_r (SIZE_MAX: the whole), and `out` as it was.
 */
const char *entities_put(const struct json *list, struct str content, struct json_out *o, struct buf *out,
			 size_t *at_r) MUST_CHECK;

/*
 * Of a stored array, those that fit the text in place of the one that they were made for: they cover the same text as
 * before, at the same offset. Appends an array to `out`, or nothing where none fits. `doc` parses.
 */
void entities_put_fitting(struct json_doc *doc, struct str entities, struct str before, struct str after,
			  struct json_out *o, struct buf *out);

#endif
