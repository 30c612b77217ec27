/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the bytes of uploaded files lie: media.directory, two levels deep by the first digits of the id, so that no
 * folder has too many. All nodes of a cluster have the same directory.
 *
 *	ab/cd/ID.part        while it is received, and until it was looked at
 *	ab/cd/ID.hold        how much of it counts while a part comes whose checksum is not known to be right
 *	ab/cd/ID.thumb.part, ab/cd/ID.clean.part   what the media process writes
 *	ab/cd/ID, ab/cd/ID.thumb                   for good; never changed
 *
 * A directory that is away, such as a disk that is not mounted, is FILES_FAILED to all: never FILES_NONE.
 *
 * Who writes a part file has its lock (flock(2)), which goes with the process. All of these functions may wait for a
 * disk: none is for a loop.
 */
#ifndef TIDINGS_MEDIA_FILES_H
#define TIDINGS_MEDIA_FILES_H

#include "core/base.h"

#include <limits.h>

enum files_status {
	FILES_OK,
	FILES_NONE,	/* there is no such file */
	FILES_LOCKED,	/* another process, or connection, receives it */
	FILES_NO_SPACE, /* the file system is full, or a quota of it */
	FILES_MISMATCH, /* what was received is not what the checksum is of: it is gone */
	FILES_INFECTED, /* the scanner does not let it pass */
	FILES_FAILED,	/* another error, which is logged */
};

#define FILES_FINAL ""
#define FILES_PART ".part"
#define FILES_HOLD ".hold"
#define FILES_THUMB ".thumb"
#define FILES_THUMB_PART ".thumb.part"
#define FILES_CLEAN_PART ".clean.part"

/* The path; false where it would be too long. */
bool files_path(char out[PATH_MAX], const char *directory, const char *id, const char *suffix) MUST_CHECK;

/*
 * The part file, made if need be, with its lock, and how much of it counts. FILES_NONE: it is complete and in its place
 * already; that file, with its lock.
 */
enum files_status files_open_part(const char *directory, const char *id, int *fd_r, uint64_t *size_r) MUST_CHECK;
/* How much of the part file counts; 0 where there is none. Without its lock: of one that is received, at the moment. */
enum files_status files_part_size(const char *directory, const char *id, uint64_t *size_r) MUST_CHECK;
enum files_status files_write(int fd, const void *data, size_t len, uint64_t at) MUST_CHECK;
/* From here on only what is there now counts, until files_release(); for a part whose checksum comes at its end. */
enum files_status files_hold(const char *directory, const char *id, uint64_t size) MUST_CHECK;
/* counts: what came meanwhile counts; else it is gone. */
enum files_status files_release(const char *directory, const char *id, int fd, uint64_t size, bool counts) MUST_CHECK;
/* An empty file for the media process, with its lock; -1 with errno: EWOULDBLOCK while another has that. */
int files_open_result(const char *directory, const char *id, const char *suffix) MUST_CHECK;
/*
 * All on disk and in its place: the clean copy where there is one, else the part file; and the thumbnail. *size_r: of
 * the file. Also where it was in its place before.
 */
enum files_status files_place(const char *directory, const char *id, bool has_clean, bool has_thumb,
			      uint64_t *size_r) MUST_CHECK;
/* All that there is of it. Nothing is as good as done. */
enum files_status files_remove(const char *directory, const char *id) MUST_CHECK;
/* The file or its thumbnail, for reading: FILES_NONE, or with its size. */
enum files_status files_open(const char *directory, const char *id, const char *suffix, int *fd_r,
			     uint64_t *size_r) MUST_CHECK;

#endif
