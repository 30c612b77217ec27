/* SPDX-License-Identifier: BSD-2-Clause */
/* What reads and changes of files share. */
#ifndef TIDINGS_STORE_MEDIA_PRIV_H
#define TIDINGS_STORE_MEDIA_PRIV_H

#include "core/base.h"
#include "store/arena.h"
#include "store/media.h"
#include "store/row.h"

/* Of media AS m. */
#define MEDIA_COLUMNS                                                                                                  \
	"m.id,m.owner_id,m.state,m.size,m.name,m.content_type,m.blurhash,m.width,m.height,m.duration_ms,"              \
	"m.has_thumbnail,m.is_checked,m.created_at"

/* Strings are copied into the arena. */
void media_take(struct row *row, struct arena *a, struct media *out);

/*
 * In the transaction that changes the avatar_url of a user or group from `was` to `is`: statements, each with a ';'
 * before it, that keep the file of the new one and let go of that of the old one. holder: SQL for media_avatars.holder.
 */
void media_put_avatar(struct buf *text, struct str holder, struct str was, struct str is);
/* Of a user; in the arena. */
struct str media_user_holder(struct arena *a, struct str user);

#endif
