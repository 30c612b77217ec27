/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An upload, as its two sides see it: upload.c decides on the loop which step is next, upload_run.c does it on a
 * thread. While a step is under way all but `closing`, `waits`, `wants_settled`, `filling` and what is of the loop
 * alone is the thread's.
 */
#ifndef TIDINGS_MEDIA_UPLOAD_PRIV_H
#define TIDINGS_MEDIA_UPLOAD_PRIV_H

#include "core/base.h"
#include "core/id.h"
#include "media/upload.h"
#include "net/work.h"

#include <openssl/evp.h>
#include <sys/queue.h>

struct uploads {
	struct loop *loop;
	const char *directory;
	const char *scanner;
	struct s3 s3;
	struct work *transfers; /* to and from S3; NULL: files stay in the directory */
	struct work *work;
	struct work *looks; /* what is short: a download does not wait for an upload to be on disk */
	struct work *scans; /* a thread of their own: one may take a minute */
	struct inspector *inspector;
	LIST_HEAD(, upload) all;
	unsigned count;
	size_t held; /* bytes in buffers */
};

enum step {
	STEP_NONE,
	STEP_OPEN,
	STEP_WRITE,
	STEP_SETTLE,  /* the same, and whether all of it counts */
	STEP_FETCH,   /* from where a client has put it */
	STEP_TURN,    /* it waits until another file of the user was scanned */
	STEP_SCAN,    /* by the operator's scanner */
	STEP_PREPARE, /* for the media process */
	STEP_INSPECT, /* the media process has it */
	STEP_DOUBT,   /* it was refused: had what was made of it room? */
	STEP_PLACE,
	STEP_STORE, /* where it is kept */
	STEP_CLOSE,
};

struct buffer {
	char *data;
	size_t len;
};

struct upload {
	LIST_ENTRY(upload) entry;
	struct work_job job;
	struct uploads *us;
	const struct upload_handler *handler;
	void *arg;
	char id[MEDIA_ID_LEN + 1], user[USER_ID_MAX + 1];
	enum step step;
	bool receives;	    /* it has been opened, and its client's bytes are to come */
	int64_t opened_ms;  /* monotonic */
	uint64_t came;	    /* bytes since then */
	bool closing;	    /* once the step is over */
	bool done;	    /* nothing that lies here is needed, where it is kept elsewhere */
	bool discarded;	    /* nothing that there is of it is needed anywhere */
	bool placed;	    /* it was in its place when it was opened */
	uint64_t most;	    /* that may be fetched */
	bool waits;	    /* room() is owed */
	bool wants_settled; /* settled() is */
	int fd;		    /* the part file, or the one in its place, with its lock; -1: none is open */
	uint64_t size;	    /* of it, on the thread as it writes */
	struct buffer filling, writing;
	enum files_status status;

	/* What is expected of a part. */
	bool empties, expects, holds;
	uint64_t counts; /* where the part begins */
	unsigned char digest[CHECKSUM_BYTES_MAX];
	size_t digest_len;
	EVP_MD_CTX *md;

	/* The end. */
	char *declared;
	struct inspect_files files;
	struct inspect_job *inspecting;
	struct inspect_result result;
};

/* The step of u->job, a work_job's run(). */
void upload_run(struct work_job *j);
/* What upload_close() leaves for where no thread runs any more. */
void upload_run_close(struct upload *u);

#endif
