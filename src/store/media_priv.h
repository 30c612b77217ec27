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

#endif
