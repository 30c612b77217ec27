/* SPDX-License-Identifier: BSD-2-Clause */
/* Files in a directory: what counts of a part, who may write it, how it comes to its place, and that all of it goes. */
#include "core/base.h"
#include "media/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tap.h"

#define ID "abcdef00000000000000000000000000"
#define OTHER "abcd0000000000000000000000000001"

static char directory[] = "/tmp/tidings-files-XXXXXX";
static char said[128];

static const char *content(const char *id, const char *suffix)
{
	char path[PATH_MAX];
	if (!files_path(path, directory, id, suffix))
		return NULL;
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return NULL;
	ssize_t n = read(fd, said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = '\0';
	close(fd);
	return said;
}

static void put(const char *id, const char *suffix, const char *text)
{
	char path[PATH_MAX];
	if (!files_path(path, directory, id, suffix))
		abort();
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
}

/* Opens the part file and tells its size; closes it unless it is asked for. */
static uint64_t part_size(const char *id, enum files_status want, int *fd_r)
{
	uint64_t size = 999;
	int fd;
	is_int(files_open_part(directory, id, &fd, &size), want, "the part file is opened, or not");
	is_int(fd >= 0, want == FILES_OK || want == FILES_NONE, "and there is a descriptor if it is");
	if (fd_r != NULL)
		*fd_r = fd;
	else if (fd >= 0)
		close(fd);
	return size;
}

static void test_part(void)
{
	uint64_t size;
	int fd, again;
	is_int(files_part_size(directory, ID, &size), FILES_OK, "nothing has come");
	is_int(size, 0, "which is 0 bytes");
	is_int(part_size(ID, FILES_OK, &fd), 0, "a new one is empty");
	is_int(files_write(fd, "hello", 5, 0), FILES_OK, "written");
	is_int(files_part_size(directory, ID, &size), FILES_OK, "what has come is seen by others");
	is_int(size, 5, "at the moment");
	(void)part_size(ID, FILES_LOCKED, &again);
	/* The lock goes with its process, however that ends. */
	close(fd);
	pid_t pid = fork();
	if (pid == 0) {
		uint64_t n;
		_exit(files_open_part(directory, ID, &fd, &n) == FILES_OK && n == 5 ? 0 : 1);
	}
	int status;
	waitpid(pid, &status, 0);
	is_int(status, 0, "another process goes on");
	is_int(part_size(ID, FILES_OK, NULL), 5, "and then this one");
	struct stat st;
	char path[PATH_MAX];
	ok(files_path(path, directory, ID, FILES_PART) && stat(path, &st) == 0 && (st.st_mode & 07) == 0,
	   "strangers on this machine do not read it");
}

static void test_hold(void)
{
	uint64_t size;
	int fd;
	(void)part_size(ID, FILES_OK, &fd);
	is_int(files_hold(directory, ID, 5), FILES_OK, "from here on a checksum decides");
	is_int(files_write(fd, " world", 6, 5), FILES_OK, "written");
	is_int(files_part_size(directory, ID, &size), FILES_OK, "meanwhile");
	is_int(size, 5, "it does not count");
	is_int(files_release(directory, ID, fd, 5, false), FILES_OK, "it was wrong");
	close(fd);
	is_str(content(ID, FILES_PART), "hello", "and is gone");
	is_str(content(ID, FILES_HOLD), NULL, "as is what was noted");

	(void)part_size(ID, FILES_OK, &fd);
	is_int(files_hold(directory, ID, 5), FILES_OK, "again");
	is_int(files_write(fd, " world", 6, 5), FILES_OK, "written");
	is_int(files_release(directory, ID, fd, 5, true), FILES_OK, "it was right");
	close(fd);
	is_int(part_size(ID, FILES_OK, NULL), 11, "and counts");

	/* Its process died in between. */
	(void)part_size(ID, FILES_OK, &fd);
	is_int(files_hold(directory, ID, 11), FILES_OK, "once more");
	is_int(files_write(fd, "!!", 2, 11), FILES_OK, "written");
	close(fd);
	is_int(files_part_size(directory, ID, &size), FILES_OK, "afterwards");
	is_int(size, 11, "it does not count");
	is_int(part_size(ID, FILES_OK, NULL), 11, "nor for who goes on");
	is_str(content(ID, FILES_PART), "hello world", "it is gone");

	/* It died while it noted that: nothing had come yet. */
	put(ID, FILES_HOLD, "abc");
	is_int(part_size(ID, FILES_OK, NULL), 11, "half a note is none");
	is_str(content(ID, FILES_HOLD), NULL, "and goes");
	/* A note of more than there is must not make it longer. */
	uint64_t more = 1000;
	put(ID, FILES_HOLD, "");
	char path[PATH_MAX];
	ok(files_path(path, directory, ID, FILES_HOLD), "a note");
	fd = open(path, O_WRONLY);
	ok(write(fd, &more, sizeof(more)) == sizeof(more), "of more than there is");
	close(fd);
	is_int(files_part_size(directory, ID, &size), FILES_OK, "is asked for");
	is_int(size, 11, "and does not count");
	is_int(part_size(ID, FILES_OK, NULL), 11, "nor is the file made longer");
}

static int64_t placed(const char *id, bool has_clean, bool has_thumb)
{
	uint64_t size = 0;
	enum files_status status = files_place(directory, id, has_clean, has_thumb, &size);
	is_int(status, FILES_OK, "placed");
	return (int64_t)size;
}

static void make_result(const char *id, const char *suffix, const char *text)
{
	int fd = files_open_result(directory, id, suffix);
	ok(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "a result %s", suffix);
	close(fd);
}

static void test_place(void)
{
	uint64_t size;
	int fd;
	make_result(ID, FILES_THUMB_PART, "small");
	make_result(ID, FILES_CLEAN_PART, "left over, as long as it is");
	make_result(ID, FILES_CLEAN_PART, "left over");
	is_str(content(ID, FILES_CLEAN_PART), "left over", "results begin empty");
	is_int(placed(ID, false, true), 11, "as it came");
	is_str(content(ID, FILES_FINAL), "hello world", "its bytes");
	is_str(content(ID, FILES_THUMB), "small", "its thumbnail");
	static const char *const rest[] = {FILES_PART, FILES_CLEAN_PART, FILES_THUMB_PART, FILES_HOLD};
	for (size_t i = 0; i < ARRAY_LEN(rest); i++)
		is_str(content(ID, rest[i]), NULL, "no %s is left", rest[i]);
	is_int(placed(ID, false, true), 11, "once more");
	(void)part_size(ID, FILES_NONE, NULL);
	is_int(files_part_size(directory, ID, &size), FILES_NONE, "nothing can be added");
	is_int(files_open(directory, ID, FILES_FINAL, &fd, &size), FILES_OK, "it is read");
	is_int(size, 11, "of that size");
	close(fd);
	is_int(files_open(directory, ID, ".other", &fd, &size), FILES_NONE, "there is no other");
	is_int(fd, -1, "and no descriptor");

	(void)part_size(OTHER, FILES_OK, &fd);
	is_int(files_write(fd, "with metadata", 13, 0), FILES_OK, "another");
	make_result(OTHER, FILES_CLEAN_PART, "clean");
	is_int(placed(OTHER, true, false), 5, "its clean copy");
	is_str(content(OTHER, FILES_FINAL), "clean", "takes its place");
	is_str(content(OTHER, FILES_PART), NULL, "and what came is gone");
	close(fd);
	is_int(placed(OTHER, true, false), 5, "once more");
}

/* Who waits for a part that its owner puts into its place meanwhile never writes to what is there for good. */
static void test_moved_away(void)
{
	char path[PATH_MAX], final[PATH_MAX];
	uint64_t size;
	int fd;
	const char *id = "ffff0000000000000000000000000001";
	(void)part_size(id, FILES_OK, NULL);
	ok(files_path(path, directory, id, FILES_PART) && files_path(final, directory, id, FILES_FINAL), "its paths");
	pid_t pid = fork();
	if (pid == 0) {
		/* It is placed, and begins anew. */
		for (int i = 0; i < 3000; i++) {
			int part = open(path, O_WRONLY | O_CREAT, 0600);
			if (part < 0 || rename(path, final) != 0 || unlink(final) != 0)
				_exit(1);
			close(part);
		}
		_exit(0);
	}
	unsigned opened = 0, wrong = 0;
	int status;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		enum files_status got = files_open_part(directory, id, &fd, &size);
		wrong += got != FILES_OK && got != FILES_NONE && got != FILES_LOCKED;
		opened += got == FILES_OK;
		if (got == FILES_OK)
			close(fd);
	}
	is_int(wrong, 0, "it is opened, or is not there, or is somebody else's (%u opened)", opened);
	is_int(files_remove(directory, id), FILES_OK, "removed");
}

static void test_remove(void)
{
	static const char *const all[] = {FILES_FINAL, FILES_THUMB,	 FILES_PART,
					  FILES_HOLD,  FILES_CLEAN_PART, FILES_THUMB_PART};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		put(OTHER, all[i], "x");
	is_int(files_remove(directory, OTHER), FILES_OK, "removed");
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		is_str(content(OTHER, all[i]), NULL, "no '%s' is left", all[i]);
	is_int(files_remove(directory, OTHER), FILES_OK, "once more");
	is_str(content(ID, FILES_FINAL), "hello world", "another stays");
	is_int(files_remove(directory, ID), FILES_OK, "until it is removed, too");
	is_int(files_remove(directory, "0000000000000000000000000000000f"), FILES_OK, "one that never was");
}

static void test_faults(void)
{
	char path[PATH_MAX];
	static char long_path[PATH_MAX];
	uint64_t size;
	int fd;
	memset(long_path, 'x', PATH_MAX - 1);
	ok(!files_path(path, long_path, ID, ""), "a path that is too long");
	is_int(files_open_part(long_path, ID, &fd, &size), FILES_FAILED, "nothing is opened there");
	is_int(files_open_result(long_path, ID, FILES_THUMB_PART), -1, "nor made");
	is_int(files_remove(long_path, ID), FILES_FAILED, "nor removed");
	is_int(files_open_part("/nonexistent", ID, &fd, &size), FILES_FAILED, "a directory that is not there");
	int full = open("/dev/full", O_WRONLY);
	is_int(files_write(full, "x", 1, 0), FILES_NO_SPACE, "a full disk");
	close(full);
	/* Where a folder should be there is something else. */
	(void)part_size("12340000000000000000000000000000", FILES_OK, NULL);
	is_int(files_remove(directory, "12340000000000000000000000000000"), FILES_OK, "removed");
	snprintf(path, sizeof(path), "%s/99", directory);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	close(fd);
	is_int(files_open_part(directory, "99990000000000000000000000000000", &fd, &size), FILES_FAILED, "no folder");
	unlink(path);
}

int main(void)
{
	if (mkdtemp(directory) == NULL)
		abort();
	test_part();
	test_hold();
	test_place();
	test_moved_away();
	test_remove();
	test_faults();
	char *command = xasprintf("rm -rf '%s'", directory);
	is_int(system(command), 0, "the end");
	free(command);
	return done_testing();
}
