/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packs of stickers, which users have installed which, and the pictures. All lie in the database, so every node has
 * them.
 *
 * A picture is never changed: its name is made of its content (core/picture.h). Importing a pack anew may leave
 * pictures that it no longer has, for messages show them; they go with the pack, if they are asked to.
 *
 * As in store.h: arguments are copied, every callback runs exactly once, from the loop, and its results are borrowed
 * for it.
 */
#ifndef TIDINGS_STORE_STICKER_H
#define TIDINGS_STORE_STICKER_H

#include "core/base.h"
#include "core/buf.h"
#include "core/id.h"
#include "core/picture.h"
#include "store/store.h"

#define PACK_STICKERS_MAX 200
#define PACK_TITLE_MAX 64 /* in characters */
#define STICKER_BYTES_MAX ((size_t)512 * 1024)
#define STICKER_SIDE_MAX 1024 /* pixels, of both sides */
/* That a user can have installed. */
#define INSTALLED_PACKS_MAX 100
/* A list ends before it has more stickers, but for those of its first pack. */
#define LISTED_STICKERS_MAX 2000

struct sticker {
	struct str id, emoji; /* reaction_emoji_valid() */
	struct str picture;   /* its name */
	unsigned width, height;
};

struct sticker_pack {
	struct str id, title;
	const struct sticker *sticker; /* in the pack's order */
	size_t count;
	int64_t updated_ms;   /* when an import changed it */
	int64_t installed_ms; /* by the user; 0: it is not */
};

/* ---- for users ---- */

typedef void store_sticker_fn(enum store_status status, const struct sticker *s, void *arg);
/* STORE_NOT_FOUND: there is no such pack, or no such sticker in it. Without its size. */
void store_find_sticker(struct store *s, struct str user, struct str pack, struct str id, store_sticker_fn *fn,
			void *arg);

struct store_packs {
	enum store_status status;
	const struct sticker_pack *item;
	size_t count;
	bool has_more;
};
typedef void store_packs_fn(const struct store_packs *r, void *arg);
/* One of them; STORE_NOT_FOUND. The user may be absent. */
void store_find_pack(struct store *s, struct str user, struct str pack, store_packs_fn *fn, void *arg);
/* In order of id, those after `after` (absent: from the first on). */
void store_list_packs(struct store *s, struct str user, unsigned limit, struct str after, store_packs_fn *fn,
		      void *arg);
/* Those of the user, the one installed last first. */
struct pack_cursor {
	int64_t installed_ms; /* 0: from the first on */
	struct str id;
};
void store_list_installed_packs(struct store *s, struct str user, unsigned limit, struct pack_cursor after,
				store_packs_fn *fn, void *arg);

typedef void store_done_fn(enum store_status status, void *arg);
/* STORE_NOT_FOUND: there is no such pack. STORE_FULL: INSTALLED_PACKS_MAX. Twice is as good as once. */
void store_install_pack(struct store *s, struct str user, struct str pack, bool installs, store_done_fn *fn, void *arg);

typedef void store_picture_fn(enum store_status status, struct blob *content, void *const *arg, size_t args);
/*
 * STORE_NOT_FOUND. Who asks for the same at the same time may share the answer, which has `arg` of each. All of them
 * take turns as one user, so that they never take more of the connections than one user may.
 */
void store_find_picture(struct store *s, struct str pack, struct str name, store_picture_fn *fn, void *arg);

/* ---- for tidingsctl ---- */

/* Keeps the picture, which nobody sees before a pack has it. */
void store_put_picture(struct store *s, struct str pack, struct str name, struct str content, store_done_fn *fn,
		       void *arg);
/*
 * The pack as it is from now on: title and stickers. changed: it was another before, or none. STORE_NOT_FOUND: not all
 * of its pictures are there.
 */
typedef void store_put_pack_fn(enum store_status status, bool changed, void *arg);
void store_put_pack(struct store *s, const struct sticker_pack *pack, store_put_pack_fn *fn, void *arg);
/* STORE_NOT_FOUND: nothing of it is there. Messages keep their pictures, unless these are erased, too. */
void store_remove_pack(struct store *s, struct str pack, bool erases, store_done_fn *fn, void *arg);

/* ---- in a message ---- */

/* Where a pack's picture is on this server, below http.prefix; what is stored as a message's media_url. */
#define STICKER_PATH_MAX (20 + NAME_ID_MAX + 1 + PICTURE_NAME_MAX)
struct str sticker_path(struct str pack, struct str picture, char out[STICKER_PATH_MAX + 1]);
/* The beginning of such a value, which names the sticker; absent: it names none. */
struct str sticker_named_in(struct str extra);
/* Do two values of `extra` name the same sticker? They begin with {"pack":"…","sticker":"…"; what follows may differ.
 */
bool sticker_same(struct str extra_a, struct str extra_b);

#endif
