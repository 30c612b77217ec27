/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * media check: holds the rows of files against media.directory, a page of rows and a page of names at a time, while the
 * server runs. It changes nothing. What seems wrong is looked at once more before it is said, for files come and go
 * meanwhile: a row is made before its file, and goes after it.
 */
#include "core/base.h"
#include "ctl/media.h"

#include "core/media_ref.h"
#include "media/files.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum fault { FAULT_NONE, FAULT_MISSING, FAULT_SIZE, FAULT_THUMBNAIL, FAULT_STRAY, FAULT_UNKNOWN };

struct name {
	char id[MEDIA_ID_LEN + 1];
	const char *suffix;
};

struct check {
	struct question *ask;
	const char *directory;
	uint64_t rows, files, faults;
	/* What the store has answered. */
	struct media row[MEDIA_PAGE];
	size_t count;
	/* Of the page of rows. */
	struct media suspect[MEDIA_PAGE];
	enum fault fault[MEDIA_PAGE];
	int64_t found[MEDIA_PAGE]; /* the file's size */
	size_t suspects;
	/* The page of names. */
	struct name name[MEDIA_PAGE];
	size_t names;
};

static const char *const suffixes[] = {FILES_FINAL,	 FILES_THUMB,	   FILES_PART,
				       FILES_CLEAN_PART, FILES_THUMB_PART, FILES_HOLD};

/* ---- what is said ---- */

static void say(struct check *c, enum fault fault, const char *path, int64_t expected, int64_t found)
{
	static const char *const names[] = {[FAULT_MISSING] = "missing_file",
					    [FAULT_SIZE] = "wrong_size",
					    [FAULT_THUMBNAIL] = "missing_thumbnail",
					    [FAULT_STRAY] = "file_without_row",
					    [FAULT_UNKNOWN] = "unknown_file"};
	struct json_out *o = c->ask->out;
	c->faults++;
	if (!c->ask->ctl->json) {
		printf("%-17s %s", names[fault], path);
		if (fault == FAULT_SIZE)
			printf(": %" PRId64 " bytes instead of %" PRId64, found, expected);
		putchar('\n');
		return;
	}
	json_object(o);
	json_put_cstr(o, "fault", names[fault]);
	json_put_cstr(o, "path", path);
	if (fault == FAULT_SIZE) {
		json_key(o, "expected");
		json_i64(o, expected);
		json_key(o, "found");
		json_i64(o, found);
	}
	json_object_end(o);
	question_flush(c->ask);
}

static void say_of(struct check *c, enum fault fault, const char *id, int64_t expected, int64_t found)
{
	char path[PATH_MAX];
	if (files_path(path, c->directory, id, fault == FAULT_THUMBNAIL ? FILES_THUMB : FILES_FINAL))
		say(c, fault, path, expected, found);
}

/* ---- what the store says ---- */

static void on_rows(enum store_status status, const struct media *item, size_t count, void *arg)
{
	struct check *c = arg;
	memcpy(c->row, item, count * sizeof(*item));
	c->count = count;
	question_answered(c->ask, status);
}

static const struct media *row_of(const struct check *c, const char *id)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->row[i].id, id) == 0)
			return &c->row[i];
	return NULL;
}

static int look_up(struct check *c, const struct str *id, size_t ids)
{
	store_look_up_media(c->ask->store, id, ids, on_rows, c);
	return question_wait(c->ask);
}

/* ---- rows: each that is ready has its file ---- */

/* The size; -1: there is none. */
static int64_t size_of(const struct check *c, const char *id, const char *suffix)
{
	struct stat st;
	char path[PATH_MAX];
	return files_path(path, c->directory, id, suffix) && stat(path, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size
													 : -1;
}

static enum fault fault_of(const struct check *c, const struct media *m, int64_t *found_r)
{
	*found_r = size_of(c, m->id, FILES_FINAL);
	if (*found_r < 0)
		return FAULT_MISSING;
	if ((uint64_t)*found_r != m->size)
		return FAULT_SIZE;
	return m->has_thumbnail && size_of(c, m->id, FILES_THUMB) < 0 ? FAULT_THUMBNAIL : FAULT_NONE;
}

static void suspect_page(struct check *c)
{
	c->suspects = 0;
	for (size_t i = 0; i < c->count; i++) {
		const struct media *m = &c->row[i];
		size_t n = c->suspects;
		if (m->state == MEDIA_READY && (c->fault[n] = fault_of(c, m, &c->found[n])) != FAULT_NONE)
			c->suspect[c->suspects++] = *m;
	}
}

/* Those that are still ready. */
static int confirm_page(struct check *c)
{
	struct str id[MEDIA_PAGE];
	if (c->suspects == 0)
		return 0;
	for (size_t i = 0; i < c->suspects; i++)
		id[i] = str_from(c->suspect[i].id);
	if (look_up(c, id, c->suspects) != 0)
		return 1;
	for (size_t i = 0; i < c->suspects; i++) {
		const struct media *m = row_of(c, c->suspect[i].id);
		if (m != NULL && m->state == MEDIA_READY)
			say_of(c, c->fault[i], m->id, (int64_t)m->size, c->found[i]);
	}
	return 0;
}

static int check_rows(struct check *c)
{
	char after[MEDIA_ID_LEN + 1] = "";
	size_t count;
	do {
		store_list_media(c->ask->store, str_from(after), MEDIA_PAGE, on_rows, c);
		if (question_wait(c->ask) != 0)
			return 1;
		count = c->count;
		c->rows += count;
		if (count != 0)
			memcpy(after, c->row[count - 1].id, sizeof(after));
		suspect_page(c);
		if (confirm_page(c) != 0)
			return 1;
	} while (count == MEDIA_PAGE);
	return 0;
}

/* ---- files: each has its row ---- */

static int end_names(struct check *c)
{
	struct str id[MEDIA_PAGE];
	size_t ids = c->names;
	for (size_t i = 0; i < ids; i++)
		id[i] = str_from(c->name[i].id);
	c->names = 0;
	if (ids != 0 && look_up(c, id, ids) != 0)
		return 1;
	for (size_t i = 0; i < ids; i++) {
		char path[PATH_MAX];
		struct stat st;
		if (row_of(c, c->name[i].id) == NULL &&
		    files_path(path, c->directory, c->name[i].id, c->name[i].suffix) && lstat(path, &st) == 0)
			say(c, FAULT_STRAY, path, 0, 0);
	}
	return 0;
}

static const char *suffix_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (strcmp(name, suffixes[i]) == 0)
			return suffixes[i];
	return NULL;
}

/* folder: the four digits that the ids in it begin with. */
static int check_name(struct check *c, const char *path, const char *folder, const char *name)
{
	struct name *n = &c->name[c->names];
	struct stat st;
	const char *suffix = strlen(name) >= MEDIA_ID_LEN && media_id_valid((struct str){name, MEDIA_ID_LEN}) &&
					     memcmp(name, folder, 4) == 0
				     ? suffix_of(name + MEDIA_ID_LEN)
				     : NULL;
	if (lstat(path, &st) != 0) /* it is gone */
		return 0;
	c->files++;
	if (suffix == NULL || !S_ISREG(st.st_mode)) {
		say(c, FAULT_UNKNOWN, path, 0, 0);
		return 0;
	}
	memcpy(n->id, name, MEDIA_ID_LEN);
	n->id[MEDIA_ID_LEN] = '\0';
	n->suffix = suffix;
	return ++c->names == MEDIA_PAGE ? end_names(c) : 0;
}

static bool is_folder_name(const char *name)
{
	return strlen(name) == 2 && strspn(name, "0123456789abcdef") == 2;
}

/* depth 0: the directory itself; 2: a folder with files. */
static int check_folder(struct check *c, const char *path, int depth, const char *prefix)
{
	DIR *dir = opendir(path);
	const struct dirent *e;
	int status = 0;
	if (dir == NULL)
		return errno == ENOENT && depth > 0 ? 0 : ctl_fail("%s: %s", path, strerror(errno));
	while (status == 0 && (e = readdir(dir)) != NULL) {
		char below[PATH_MAX], digits[5];
		int len = snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		/* Of an ext4 file system that is mounted there. */
		if (depth == 0 && strcmp(e->d_name, "lost+found") == 0)
			continue;
		if (len < 0 || (size_t)len >= sizeof(below)) {
			status = ctl_fail("%s: the path is too long", path);
		} else if (depth == 2) {
			status = check_name(c, below, prefix, e->d_name);
		} else if (is_folder_name(e->d_name)) {
			snprintf(digits, sizeof(digits), "%.2s%.2s", depth == 0 ? e->d_name : prefix,
				 depth == 0 ? "" : e->d_name);
			status = check_folder(c, below, depth + 1, digits);
		} else {
			say(c, FAULT_UNKNOWN, below, 0, 0);
		}
	}
	closedir(dir);
	return status;
}

static int check_files(struct check *c)
{
	int status = check_folder(c, c->directory, 0, "");
	return status != 0 ? status : end_names(c);
}

/* ---- all ---- */

static void say_sums(struct check *c)
{
	struct json_out *o = c->ask->out;
	if (!c->ask->ctl->json) {
		printf("%" PRIu64 " rows and %" PRIu64 " files were looked at: %" PRIu64 " faults\n", c->rows, c->files,
		       c->faults);
		return;
	}
	json_array_end(o);
	json_put_u64(o, "rows", c->rows);
	json_put_u64(o, "files", c->files);
	json_object_end(o);
	question_print(c->ask);
}

int media_check(struct question *q)
{
	struct check *c = xcalloc(1, sizeof(*c));
	c->ask = q;
	c->directory = q->ctl->conf->media.directory;
	json_object(q->out);
	json_key(q->out, "faults");
	json_array(q->out);
	int status = check_rows(c);
	if (status == 0)
		status = check_files(c);
	if (status == 0) {
		say_sums(c);
		status = c->faults != 0 ? 1 : 0;
	}
	free(c);
	return status;
}
