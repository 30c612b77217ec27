/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "media/files.h"

#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files of strangers are nobody's business on this machine. */
#define FILE_MODE 0640
#define FOLDER_MODE 0750

bool files_path(char out[PATH_MAX], const char *directory, const char *id, const char *suffix)
{
	int len = snprintf(out, PATH_MAX, "%s/%.2s/%.2s/%s%s", directory, id, id + 2, id, suffix);
	return len > 0 && len < PATH_MAX;
}

static enum files_status failed(const char *what, const char *path)
{
	if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) {
		log_warn_gated("media: %s %s: %s", what, path, strerror(errno));
		return FILES_NO_SPACE;
	}
	log_error_gated("media: %s %s: %s", what, path, strerror(errno));
	return FILES_FAILED;
}

static enum files_status path_of(char out[PATH_MAX], const char *directory, const char *id, const char *suffix)
{
	if (files_path(out, directory, id, suffix))
		return FILES_OK;
	errno = ENAMETOOLONG;
	return failed("cannot name", directory);
}

/* Nothing is to be found without it, such as a disk that is not there: that says nothing of a file. */
static enum files_status none_of(const char *directory)
{
	struct stat st;
	return stat(directory, &st) == 0 ? FILES_NONE : failed("cannot look at", directory);
}

/* The directory, or a folder of it at which that many levels down the file lies. */
static enum files_status folder_of(char out[PATH_MAX], const char *directory, const char *id, int levels)
{
	int len = snprintf(out, PATH_MAX, "%s%s%.*s%s%.*s", directory, levels > 0 ? "/" : "", levels > 0 ? 2 : 0, id,
			   levels > 1 ? "/" : "", levels > 1 ? 2 : 0, id + 2);
	return len > 0 && len < PATH_MAX ? FILES_OK : path_of(out, directory, id, "");
}

static enum files_status make_folders(const char *directory, const char *id)
{
	char path[PATH_MAX];
	enum files_status status = FILES_OK;
	for (int levels = 1; levels <= 2 && status == FILES_OK; levels++) {
		status = folder_of(path, directory, id, levels);
		if (status == FILES_OK && mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST)
			status = failed("cannot make", path);
	}
	return status;
}

static enum files_status sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return failed("cannot open", path);
	enum files_status status = fsync(fd) == 0 ? FILES_OK : failed("cannot write", path);
	close(fd);
	return status;
}

/* So that the file is found after a crash. */
static enum files_status sync_folders(const char *directory, const char *id)
{
	char path[PATH_MAX];
	enum files_status status = FILES_OK;
	for (int levels = 2; levels >= 0 && status == FILES_OK; levels--) {
		status = folder_of(path, directory, id, levels);
		if (status == FILES_OK)
			status = sync_folder(path);
	}
	return status;
}

/* ---- what counts of a part file ---- */

/* FILES_NONE: nothing is held. */
static enum files_status read_hold(const char *directory, const char *id, uint64_t *size_r)
{
	char path[PATH_MAX];
	uint64_t size;
	if (!files_path(path, directory, id, FILES_HOLD))
		return FILES_NONE;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? FILES_NONE : failed("cannot open", path);
	bool whole = read(fd, &size, sizeof(size)) == (ssize_t)sizeof(size);
	close(fd);
	/* It was being written when its process died: nothing came after it. */
	if (!whole)
		return FILES_NONE;
	*size_r = size;
	return FILES_OK;
}

static enum files_status drop_hold(const char *directory, const char *id)
{
	char path[PATH_MAX];
	enum files_status status = path_of(path, directory, id, FILES_HOLD);
	if (status != FILES_OK)
		return status;
	return unlink(path) == 0 || errno == ENOENT ? FILES_OK : failed("cannot delete", path);
}

enum files_status files_hold(const char *directory, const char *id, uint64_t size)
{
	char path[PATH_MAX];
	enum files_status status = path_of(path, directory, id, FILES_HOLD);
	if (status != FILES_OK)
		return status;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return failed("cannot make", path);
	if (write(fd, &size, sizeof(size)) != (ssize_t)sizeof(size) || fdatasync(fd) != 0)
		status = failed("cannot write", path);
	close(fd);
	if (status != FILES_OK)
		unlink(path);
	return status;
}

enum files_status files_release(const char *directory, const char *id, int fd, uint64_t size, bool counts)
{
	struct stat st;
	/* After a crash of the machine there may be less: it must not be made longer. */
	if (!counts && (fstat(fd, &st) != 0 || ((uint64_t)st.st_size > size && ftruncate(fd, (off_t)size) != 0)))
		return failed("cannot shorten", id);
	return drop_hold(directory, id);
}

/* ---- part files ---- */

static bool is_still_named(int fd, const char *path)
{
	struct stat here, there;
	return fstat(fd, &here) == 0 && stat(path, &there) == 0 && here.st_ino == there.st_ino &&
	       here.st_dev == there.st_dev;
}

/* What was not known to be right when its process died does not count. */
static enum files_status end_hold(const char *directory, const char *id, int fd)
{
	struct stat st;
	uint64_t size;
	enum files_status status = read_hold(directory, id, &size);
	if (status != FILES_OK)
		return status == FILES_NONE ? drop_hold(directory, id) : status;
	/* After a crash of the machine it may be shorter: that is no reason to fill it up. */
	if (fstat(fd, &st) != 0)
		return failed("cannot look at", id);
	bool counts = (uint64_t)st.st_size <= size;
	return files_release(directory, id, fd, size, counts);
}

static bool is_placed(const char *directory, const char *id)
{
	char path[PATH_MAX];
	struct stat st;
	return files_path(path, directory, id, FILES_FINAL) && stat(path, &st) == 0;
}

/* FILES_LOCKED too where the name is another file's by now. */
static enum files_status lock_file(int fd, const char *path)
{
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? FILES_LOCKED : failed("cannot lock", path);
	return is_still_named(fd, path) ? FILES_OK : FILES_LOCKED;
}

/* It is complete: who looks at it again has its lock, as of a part file. */
static enum files_status lock_placed(const char *directory, const char *id, int *fd_r)
{
	char path[PATH_MAX];
	enum files_status status = path_of(path, directory, id, FILES_FINAL);
	if (status != FILES_OK)
		return status;
	*fd_r = open(path, O_RDWR | O_CLOEXEC);
	if (*fd_r < 0)
		return errno == ENOENT ? FILES_LOCKED : failed("cannot open", path);
	status = lock_file(*fd_r, path);
	return status == FILES_OK ? FILES_NONE : status;
}

static enum files_status lock_part(const char *directory, const char *id, int *fd_r, uint64_t *size_r)
{
	char path[PATH_MAX];
	struct stat st;
	enum files_status status = path_of(path, directory, id, FILES_PART);
	if (status != FILES_OK)
		return status;
	*fd_r = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
	if (*fd_r < 0)
		return failed("cannot make", path);
	status = lock_file(*fd_r, path);
	if (status != FILES_OK)
		return status;
	/* Its last owner may have put it into its place before it was made again here. */
	if (is_placed(directory, id)) {
		unlink(path);
		return FILES_LOCKED;
	}
	status = end_hold(directory, id, *fd_r);
	if (status != FILES_OK)
		return status;
	if (fstat(*fd_r, &st) != 0)
		return failed("cannot look at", path);
	*size_r = (uint64_t)st.st_size;
	return FILES_OK;
}

enum files_status files_open_part(const char *directory, const char *id, int *fd_r, uint64_t *size_r)
{
	*fd_r = -1;
	enum files_status status = make_folders(directory, id);
	if (status == FILES_OK)
		status = is_placed(directory, id) ? lock_placed(directory, id, fd_r)
						  : lock_part(directory, id, fd_r, size_r);
	if (status != FILES_OK && status != FILES_NONE && *fd_r >= 0) {
		close(*fd_r);
		*fd_r = -1;
	}
	return status;
}

enum files_status files_part_size(const char *directory, const char *id, uint64_t *size_r)
{
	char path[PATH_MAX];
	struct stat st;
	uint64_t held;
	*size_r = 0;
	enum files_status status = path_of(path, directory, id, FILES_PART);
	if (status != FILES_OK)
		return status;
	if (stat(path, &st) == 0)
		*size_r = (uint64_t)st.st_size;
	else if (errno != ENOENT)
		return failed("cannot look at", path);
	else if (is_placed(directory, id))
		return FILES_NONE;
	else if (none_of(directory) != FILES_NONE)
		return FILES_FAILED;
	if (read_hold(directory, id, &held) == FILES_OK && held < *size_r)
		*size_r = held;
	return FILES_OK;
}

enum files_status files_write(int fd, const void *data, size_t len, uint64_t at)
{
	const char *from = data;
	uint64_t begun_at = at;
	size_t whole = len;
	while (len != 0) {
		ssize_t n = pwrite(fd, from, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed("cannot write", "a part file");
		from += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	/* So that the end of a large file has little left to wait for. */
	sync_file_range(fd, (off_t)begun_at, (off_t)whole, SYNC_FILE_RANGE_WRITE);
	return FILES_OK;
}

/* ---- files for good ---- */

int files_open_result(const char *directory, const char *id, const char *suffix)
{
	char path[PATH_MAX];
	if (!files_path(path, directory, id, suffix)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return -1;
	/* One that is put into its place is locked there until its upload is over. */
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && ftruncate(fd, 0) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static enum files_status sync_file(const char *directory, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? none_of(directory) : failed("cannot open", path);
	enum files_status status = fdatasync(fd) == 0 ? FILES_OK : failed("cannot write", path);
	close(fd);
	return status;
}

static enum files_status move(const char *directory, const char *id, const char *from, const char *to)
{
	char source[PATH_MAX], target[PATH_MAX];
	enum files_status status = path_of(source, directory, id, from);
	if (status == FILES_OK)
		status = path_of(target, directory, id, to);
	if (status == FILES_OK)
		status = sync_file(directory, source);
	if (status == FILES_OK && rename(source, target) != 0)
		status = errno == ENOENT ? none_of(directory) : failed("cannot rename", source);
	return status;
}

static enum files_status drop(const char *directory, const char *id, const char *suffix)
{
	char path[PATH_MAX];
	enum files_status status = path_of(path, directory, id, suffix);
	if (status != FILES_OK)
		return status;
	return unlink(path) == 0 || errno == ENOENT ? FILES_OK : failed("cannot delete", path);
}

enum files_status files_place(const char *directory, const char *id, bool has_clean, bool has_thumb, uint64_t *size_r)
{
	struct stat st;
	char path[PATH_MAX];
	enum files_status status = FILES_OK;
	if (has_thumb)
		status = move(directory, id, FILES_THUMB_PART, FILES_THUMB);
	if (status == FILES_OK)
		status = move(directory, id, has_clean ? FILES_CLEAN_PART : FILES_PART, FILES_FINAL);
	if (status == FILES_NONE && is_placed(directory, id))
		status = FILES_OK;
	if (status == FILES_OK)
		status = path_of(path, directory, id, FILES_FINAL);
	if (status == FILES_OK && stat(path, &st) != 0)
		status = failed("cannot look at", path);
	if (status == FILES_OK)
		status = sync_folders(directory, id);
	if (status != FILES_OK)
		return status;
	*size_r = (uint64_t)st.st_size;
	static const char *const rest[] = {FILES_PART, FILES_CLEAN_PART, FILES_THUMB_PART, FILES_HOLD};
	for (size_t i = 0; i < ARRAY_LEN(rest); i++)
		(void)drop(directory, id, rest[i]);
	return FILES_OK;
}

enum files_status files_remove(const char *directory, const char *id)
{
	static const char *const all[] = {FILES_FINAL,	    FILES_THUMB,      FILES_PART,
					  FILES_CLEAN_PART, FILES_THUMB_PART, FILES_HOLD};
	enum files_status status = none_of(directory);
	if (status != FILES_NONE)
		return status;
	status = FILES_OK;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		enum files_status now = drop(directory, id, all[i]);
		status = status == FILES_OK ? now : status;
	}
	return status;
}

enum files_status files_open(const char *directory, const char *id, const char *suffix, int *fd_r, uint64_t *size_r)
{
	char path[PATH_MAX];
	struct stat st;
	*fd_r = -1;
	enum files_status status = path_of(path, directory, id, suffix);
	if (status != FILES_OK)
		return status;
	*fd_r = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd_r < 0)
		return errno == ENOENT ? none_of(directory) : failed("cannot open", path);
	if (fstat(*fd_r, &st) != 0) {
		status = failed("cannot look at", path);
		close(*fd_r);
		*fd_r = -1;
		return status;
	}
	*size_r = (uint64_t)st.st_size;
	return FILES_OK;
}
