/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stickers import, list, remove: past the server, on the configured database. A pack is looked at as a whole before
 * anything of it is written, and nothing outside its folder is read.
 */
#include "core/base.h"
#include "ctl/question.h"

#include "core/clock.h"
#include "core/utf8.h"
#include "store/arena.h"
#include "store/reactions.h"
#include "store/sticker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACK_JSON "pack.json"
#define PACK_JSON_MAX ((size_t)256 * 1024)
#define PAGE 100

static const char usage[] = "stickers import DIR | list | remove PACK [--erase]";

/* ---- a folder's files ---- */

/* Names with '/' between them, none of which begins with a dot. */
static bool path_is_plain(const char *path)
{
	for (;; path++) {
		size_t len = strcspn(path, "/");
		if (len == 0 || len > NAME_MAX || path[0] == '.')
			return false;
		path += len;
		if (*path == '\0')
			return true;
	}
}

/* Opens a plain path folder by folder, so that no link on the way is followed; -1 with errno. */
static int open_below(int dir, const char *path)
{
	int at = dir;
	for (;;) {
		char name[NAME_MAX + 1];
		size_t len = strcspn(path, "/");
		bool last = path[len] == '\0';
		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		/* O_NONBLOCK: opening a FIFO would wait for its writer */
		int flags = O_NOFOLLOW | O_CLOEXEC | (last ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY);
		int fd = openat(at, name, flags), error = errno;
		if (at != dir)
			close(at);
		errno = error;
		if (fd < 0 || last)
			return fd;
		at = fd;
		path += len + 1;
	}
}

/* All of a regular file. Says what is wrong; `name` names the file. */
static int read_whole(int fd, const char *name, size_t max, struct arena *a, struct str *out)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return ctl_fail("%s: is no regular file", name);
	if ((uint64_t)st.st_size > max)
		return ctl_fail("%s: is over %zu bytes", name, max);
	size_t size = (size_t)st.st_size, len = 0;
	char *text = arena_alloc(a, size + 1);
	while (len < size) {
		ssize_t n = read(fd, text + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ctl_fail("%s: %s", name, n < 0 ? strerror(errno) : "has become shorter");
		len += (size_t)n;
	}
	*out = (struct str){text, size};
	return 0;
}

static int read_file(int dir, const char *folder, const char *path, size_t max, struct arena *a, struct str *out)
{
	char *name = xasprintf("%s/%s", folder, path);
	bool plain = path_is_plain(path);
	int status = 1, fd = plain ? open_below(dir, path) : -1;
	if (fd >= 0)
		status = read_whole(fd, name, max, a, out);
	else if (!plain)
		ctl_fail("%s: must be a plain path below the folder, without names that begin with a dot", name);
	else if (errno == ELOOP || errno == ENOTDIR)
		ctl_fail("%s: links are not followed, and folders must be folders", name);
	else
		ctl_fail("%s: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
	free(name);
	return status;
}

/* ---- what pack.json says ---- */

/* The pack as it is read: its texts are the document's, or in the arena. */
struct import {
	const char *folder;
	int dir;
	struct arena arena;
	struct json_doc *doc;
	struct sticker_pack pack;
	struct sticker *sticker;
	struct str *content;
};

static int pack_fault(const struct import *im, const char *what)
{
	return ctl_fail("%s/" PACK_JSON ": %s", im->folder, what);
}

static int sticker_fault(const struct import *im, size_t i, const char *member, const char *what)
{
	return ctl_fail("%s/" PACK_JSON ": stickers[%zu].%s: %s", im->folder, i, member, what);
}

/* Absent where it is no text. */
static struct str text_of(const struct json *object, const char *member)
{
	const struct json *v = json_get(object, member);
	return v != NULL && v->type == JSON_STRING && !v->has_nul ? v->text : STR_NULL;
}

static bool title_take(struct import *im, struct str s)
{
	if (s.s == NULL || utf8_has_control(s, false) || utf8_count(s) > PACK_TITLE_MAX)
		return false;
	char *clean = arena_alloc(&im->arena, s.len + 1);
	im->pack.title = (struct str){clean, utf8_name(s, clean)};
	return im->pack.title.len != 0;
}

static bool is_double(const struct import *im, size_t i)
{
	for (size_t other = 0; other < i; other++)
		if (str_equal(im->sticker[other].id, im->sticker[i].id))
			return true;
	return false;
}

static int take_picture(struct import *im, size_t i, struct str file)
{
	struct sticker *s = &im->sticker[i];
	struct picture p;
	char name[PICTURE_NAME_MAX + 1];
	if (read_file(im->dir, im->folder, file.s, STICKER_BYTES_MAX, &im->arena, &im->content[i]) != 0)
		return 1;
	if (picture_read(im->content[i], &p) != 0)
		return ctl_fail("%s/%s: is no PNG, GIF, JPEG or WebP", im->folder, file.s);
	if (p.width > STICKER_SIDE_MAX || p.height > STICKER_SIDE_MAX)
		return ctl_fail("%s/%s: is over %d by %d pixels", im->folder, file.s, STICKER_SIDE_MAX,
				STICKER_SIDE_MAX);
	picture_name(im->content[i], p.type, name);
	s->picture = arena_str(&im->arena, str_from(name));
	s->width = p.width;
	s->height = p.height;
	return 0;
}

static int take_sticker(struct import *im, size_t i, const struct json *v)
{
	struct sticker *s = &im->sticker[i];
	*s = (struct sticker){.id = text_of(v, "id"), .emoji = text_of(v, "emoji")};
	/* A copy, which is terminated. */
	struct str file = arena_str(&im->arena, text_of(v, "file"));
	if (!id_name_valid(s->id))
		return sticker_fault(im, i, "id", "must be " NAME_ID_RULE);
	if (is_double(im, i))
		return sticker_fault(im, i, "id", "another sticker has it");
	if (s->emoji.s == NULL || !reaction_emoji_valid(s->emoji))
		return sticker_fault(im, i, "emoji", "must be " REACTION_EMOJI_RULE);
	if (file.s == NULL)
		return sticker_fault(im, i, "file", "must be the path of a picture");
	return take_picture(im, i, file);
}

static int take_pack(struct import *im, const struct json *root)
{
	const struct json *list = json_get(root, "stickers");
	im->pack.id = text_of(root, "id");
	if (root->type != JSON_OBJECT)
		return pack_fault(im, "must be an object");
	if (!id_name_valid(im->pack.id))
		return pack_fault(im, "id: must be " NAME_ID_RULE);
	if (!title_take(im, text_of(root, "title")))
		return pack_fault(im, "title: must be a text of 1 to 64 characters that shows something");
	if (list == NULL || list->type != JSON_ARRAY || list->count < 1 || list->count > PACK_STICKERS_MAX)
		return pack_fault(im, "stickers: must be an array of 1 to 200 stickers");
	im->sticker = arena_alloc(&im->arena, list->count * sizeof(*im->sticker));
	im->content = arena_alloc(&im->arena, list->count * sizeof(*im->content));
	im->pack.sticker = im->sticker;
	for (const struct json *v = list->child; v != NULL; v = v->next) {
		int status = take_sticker(im, im->pack.count, v);
		if (status != 0)
			return status;
		im->pack.count++;
	}
	return 0;
}

static int read_pack(struct import *im)
{
	struct str text;
	const char *reason;
	if (read_file(im->dir, im->folder, PACK_JSON, PACK_JSON_MAX, &im->arena, &text) != 0)
		return 1;
	const struct json *root = json_parse(im->doc, text, &reason);
	return root != NULL ? take_pack(im, root) : pack_fault(im, reason);
}

/* ---- import ---- */

/* A pack that is written. */
struct put {
	struct question ask;
	const struct sticker_pack *pack;
	const struct str *content; /* of its pictures */
	size_t next;		   /* the picture that comes next */
	bool changed;
};

static void put_next(struct put *p);

static void on_put_picture(enum store_status status, void *arg)
{
	struct put *p = arg;
	if (status != STORE_OK)
		question_answered(&p->ask, status);
	else
		put_next(p);
}

static void on_put_pack(enum store_status status, bool changed, void *arg)
{
	struct put *p = arg;
	p->changed = changed;
	question_answered(&p->ask, status);
}

/* The pictures one by one, and then the pack. */
static void put_next(struct put *p)
{
	if (p->next == p->pack->count) {
		store_put_pack(p->ask.store, p->pack, on_put_pack, p);
		return;
	}
	size_t i = p->next++;
	store_put_picture(p->ask.store, p->pack->id, p->pack->sticker[i].picture, p->content[i], on_put_picture, p);
}

static void tell_import(const struct put *put)
{
	const struct sticker_pack *p = put->pack;
	if (put->ask.ctl->json)
		printf("{\"pack\":\"%.*s\",\"stickers\":%zu,\"changed\":%s}\n", (int)p->id.len, p->id.s, p->count,
		       put->changed ? "true" : "false");
	else if (put->changed)
		printf("%.*s has %zu stickers now\n", (int)p->id.len, p->id.s, p->count);
	else
		printf("%.*s was so already\n", (int)p->id.len, p->id.s);
}

static int write_pack(const struct ctl *ctl, const struct import *im)
{
	struct put p = {.pack = &im->pack, .content = im->content};
	question_begin(&p.ask, ctl);
	put_next(&p);
	int status = question_wait(&p.ask);
	if (status == 0 && p.ask.status == STORE_NOT_FOUND)
		status = ctl_fail("the pictures were erased meanwhile; import the pack again");
	else if (status == 0)
		tell_import(&p);
	question_end(&p.ask);
	return status;
}

static int import_pack(const struct ctl *ctl, const char *folder)
{
	struct import im = {.folder = folder, .doc = json_doc_new()};
	im.dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int status = im.dir < 0 ? ctl_fail("%s: %s", folder, strerror(errno)) : read_pack(&im);
	if (status == 0)
		status = write_pack(ctl, &im);
	if (im.dir >= 0)
		close(im.dir);
	json_doc_free(&im.doc);
	arena_fini(&im.arena);
	return status;
}

/* ---- list ---- */

struct list {
	struct question ask;
	char after[NAME_ID_MAX + 1]; /* "": from the first on */
};

static void put_pack(struct list *l, const struct sticker_pack *p)
{
	struct json_out *o = l->ask.out;
	char time[CLOCK_RFC3339_LEN + 1];
	if (!l->ask.ctl->json) {
		clock_format_rfc3339(time, p->updated_ms);
		printf("%-24.*s %8zu  %s  %.*s\n", (int)p->id.len, p->id.s, p->count, time, (int)p->title.len,
		       p->title.s);
		return;
	}
	json_object(o);
	json_put_str(o, "pack", p->id);
	json_put_str(o, "title", p->title);
	json_put_u64(o, "stickers", p->count);
	json_put_time(o, "updated_at", p->updated_ms);
	json_object_end(o);
}

static void ask_packs(struct list *l);

static void on_packs(const struct store_packs *list, void *arg)
{
	struct list *l = arg;
	for (size_t i = 0; i < list->count; i++)
		put_pack(l, &list->item[i]);
	if (list->status != STORE_OK || !list->has_more) {
		question_answered(&l->ask, list->status);
		return;
	}
	struct str last = list->item[list->count - 1].id;
	snprintf(l->after, sizeof(l->after), "%.*s", (int)last.len, last.s);
	ask_packs(l);
}

static void ask_packs(struct list *l)
{
	store_list_packs(l->ask.store, STR_NULL, PAGE, l->after[0] != '\0' ? str_from(l->after) : STR_NULL, on_packs,
			 l);
}

static int list_packs(const struct ctl *ctl)
{
	struct list l = {0};
	question_begin(&l.ask, ctl);
	json_array(l.ask.out);
	if (!ctl->json)
		printf("%-24s %8s  %-24s  %s\n", "PACK", "STICKERS", "UPDATED", "TITLE");
	ask_packs(&l);
	int status = question_wait(&l.ask);
	json_array_end(l.ask.out);
	if (status == 0)
		question_print(&l.ask);
	question_end(&l.ask);
	return status;
}

/* ---- remove ---- */

static void on_removed(enum store_status status, void *arg)
{
	question_answered(arg, status);
}

static void tell_removed(const struct ctl *ctl, const char *pack, bool erases)
{
	if (ctl->json)
		printf("{\"pack\":\"%s\",\"erased\":%s}\n", pack, erases ? "true" : "false");
	else
		printf("%s is %s\n", pack, erases ? "erased" : "removed; messages keep its pictures");
}

static int remove_pack(const struct ctl *ctl, const char *pack, bool erases)
{
	struct question q;
	question_begin(&q, ctl);
	store_remove_pack(q.store, str_from(pack), erases, on_removed, &q);
	int status = question_wait(&q);
	if (status == 0 && q.status == STORE_NOT_FOUND)
		status = ctl_fail("there is no pack %s", pack);
	else if (status == 0)
		tell_removed(ctl, pack, erases);
	question_end(&q);
	return status;
}

int ctl_stickers(const struct ctl *ctl)
{
	const char *what = ctl->argc > 0 ? ctl->argv[0] : "";
	bool erases = ctl->argc == 3 && strcmp(ctl->argv[2], "--erase") == 0;
	if (strcmp(what, "import") == 0 && ctl->argc == 2)
		return import_pack(ctl, ctl->argv[1]);
	if (strcmp(what, "list") == 0 && ctl->argc == 1)
		return list_packs(ctl);
	if (strcmp(what, "remove") != 0 || ctl->argc != 2 + erases)
		return ctl_usage(usage);
	if (!id_name_valid(str_from(ctl->argv[1])))
		return ctl_misuse("'%s' is no pack's id: " NAME_ID_RULE, ctl->argv[1]);
	return remove_pack(ctl, ctl->argv[1], erases);
}
