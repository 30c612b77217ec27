/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of uploaded files (schema/0020_media.sql). What is in the files is not the store's.
 *
 * As in store.h: arguments are copied, every callback runs exactly once, from the loop, and its results are borrowed
 * for it.
 */
#ifndef TIDINGS_STORE_MEDIA_H
#define TIDINGS_STORE_MEDIA_H

#include "core/base.h"
#include "core/media_ref.h"
#include "store/store.h"

#define MEDIA_TYPE_MAX 127
/* An upload has to be complete, and a file in use, after so long. */
#define MEDIA_UNUSED_SECS 86400

enum media_state { MEDIA_UPLOADING, MEDIA_READY, MEDIA_GOING };

struct media {
	char id[MEDIA_ID_LEN + 1];
	char owner[USER_ID_MAX + 1];
	enum media_state state;
	uint64_t size;
	struct str name, content_type, blurhash; /* the last may be absent */
	uint32_t width, height;			 /* 0: it has none */
	int64_t duration_ms;			 /* -1: it has none */
	bool has_thumbnail;
	bool is_checked; /* a picture, audio or video that browsers may show */
	int64_t created_ms;
};

typedef void store_media_fn(enum store_status status, const struct media *m, void *arg);

/* One that is not going. STORE_NOT_FOUND. user: who waits for it, whose turn it takes; absent: the server. */
void store_find_media(struct store *s, struct str user, struct str id, store_media_fn *fn, void *arg);
/* The same, but only the user's own, or a ready one that a message shows which the user can see. */
void store_find_media_seen(struct store *s, struct str user, struct str id, store_media_fn *fn, void *arg);

/*
 * m: id, owner, size, name and content_type. STORE_OVER_QUOTA: more than the quota (0: any). STORE_LIMITED: more than
 * the day's uploads (0: any); retry_ms says when to try again.
 */
struct store_media_new {
	enum store_status status;
	int64_t created_ms, retry_ms;
};
typedef void store_media_new_fn(const struct store_media_new *r, void *arg);
void store_new_media(struct store *s, const struct media *m, uint64_t quota, unsigned per_day, store_media_new_fn *fn,
		     void *arg);

/*
 * The file is there: size, content_type, what was found in it. Gives the row as it is then: another may have done it
 * before. STORE_NOT_FOUND.
 */
void store_finish_media(struct store *s, const struct media *m, store_media_fn *fn, void *arg);

/* What the owner does not want any more, or what has been refused: STORE_NOT_FOUND, STORE_TAKEN: a message shows it.
 */
typedef void store_media_done_fn(enum store_status status, void *arg);
void store_drop_media(struct store *s, struct str owner, struct str id, store_media_done_fn *fn, void *arg);

/* ---- for tidingsctl and administrators: media_admin.c ---- */

struct media_row {
	struct media media; /* whatever its state */
	bool is_idle;	    /* it is looked at due_ms whether a message shows it */
	int64_t due_ms;
};
typedef void store_media_row_fn(enum store_status status, const struct media_row *r, void *arg);
void store_find_media_row(struct store *s, struct str id, store_media_row_fn *fn, void *arg);

/* Lists are in order of what they have after it, `limit` elements at most; fewer: there are no more. */
typedef void store_media_list_fn(enum store_status status, const struct media *item, size_t count, void *arg);
/* By id. Of each: id, state, size and whether it has a thumbnail. after: absent at first. */
void store_list_media(struct store *s, struct str after, unsigned limit, store_media_list_fn *fn, void *arg);
/* The same of those with these ids. */
void store_look_up_media(struct store *s, const struct str *id, size_t ids, store_media_list_fn *fn, void *arg);

/* A place among a user's files: that of the last one of a page. All zeroes: from the first on. */
struct media_place {
	uint64_t size;
	char id[MEDIA_ID_LEN + 1];
};
/* All that is known of them, whatever their state; by size. */
void store_list_owned_media(struct store *s, struct str owner, const struct media_place *after, unsigned limit,
			    store_media_list_fn *fn, void *arg);

typedef void store_media_uses_fn(enum store_status status, const uint64_t *message_id, size_t count, void *arg);
void store_list_media_uses(struct store *s, struct str id, uint64_t after, unsigned limit, store_media_uses_fn *fn,
			   void *arg);

/* What is to be looked at, by time. */
struct media_idle {
	char id[MEDIA_ID_LEN + 1];
	int64_t due_ms;
	bool is_due, is_used;
	enum media_state state;
	uint64_t size;
};
typedef void store_media_idle_fn(enum store_status status, const struct media_idle *item, size_t count, void *arg);
/* after: NULL at first. */
void store_list_media_idle(struct store *s, const struct media_idle *after, unsigned limit, store_media_idle_fn *fn,
			   void *arg);
/* These are looked at now. */
void store_hasten_media(struct store *s, const struct str *id, size_t ids, store_media_done_fn *fn, void *arg);

#endif
