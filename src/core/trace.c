/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Notes what became of messages: a ring in a file has one writer, which stores a cell and then counts it in `next`.
 *
 * It never touches a page that the file system has not promised: the file grows by TRACE_CHUNK before. Where it cannot,
 * notes are lost, and the head says when.
 */
#include "core/base.h"
#include "core/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/trace_priv.h"

#define TRACE_CHUNK (256 * 1024)
/* Less is no ring. */
#define TRACE_BYTES_MIN (64 * 1024)
#define TRACE_RETRY_MS 1000

const struct trace_ring trace_rings[] = {
	[TRACE_SMALL] = {"sessions", CELL_HEAD + SMALL_TEXT},
	[TRACE_LARGE] = {"services", LARGE_CELL},
};

/* ---- files ---- */

int trace_make_dir(const char *run_dir, const char *user)
{
	char *path = xasprintf("%s/" TRACE_DIR, run_dir);
	int result = mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -1;
	const struct passwd *pw = user[0] != '\0' && geteuid() == 0 ? getpwnam(user) : NULL;
	if (result == 0 && pw != NULL)
		result = lchown(path, pw->pw_uid, pw->pw_gid);
	free(path);
	return result;
}

char *trace_path(const char *run_dir, enum trace_size size, unsigned i)
{
	return xasprintf("%s/" TRACE_DIR "/%s.%u", run_dir, trace_rings[size].name, i);
}

/* Opens and locks the first file that no process has. -1, with errno. */
static int ring_lock(const char *run_dir, enum trace_size size)
{
	int error = EMFILE;
	for (unsigned i = 0; i < TRACE_FILES_MAX; i++) {
		char *path = trace_path(run_dir, size, i);
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		error = errno;
		free(path);
		if (fd < 0)
			break;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		error = errno;
		close(fd);
		if (error != EWOULDBLOCK)
			break;
	}
	errno = error;
	return -1;
}

uint64_t trace_cells_in(off_t file_bytes, uint32_t cell_bytes)
{
	return file_bytes > TRACE_HEAD_BYTES ? (uint64_t)(file_bytes - TRACE_HEAD_BYTES) / cell_bytes : 0;
}

/* ---- writing ---- */

struct trace {
	int fd;
	uint32_t cell_bytes;
	uint64_t cells, room; /* of the ring; those that the file has */
	uint64_t at;	      /* of the next note */
	struct trace_head *head;
	size_t bytes;
	int64_t retry_ms; /* clock_mono_ms(): the file is not asked to grow before */
};

static bool ring_is_ours(const struct trace *t, uint64_t room)
{
	const struct trace_head *h = t->head;
	return h->magic == TRACE_MAGIC && h->version == TRACE_VERSION && h->cell_bytes == t->cell_bytes &&
	       h->cells == t->cells && room <= t->cells && (room == t->cells || h->next <= room);
}

/* False: there is no room. */
static bool ring_grow(struct trace *t)
{
	uint64_t more = TRACE_CHUNK / t->cell_bytes;
	uint64_t room = t->room + more < t->cells ? t->room + more : t->cells;
	off_t from = TRACE_HEAD_BYTES + (off_t)(t->room * t->cell_bytes);
	int64_t now = clock_mono_ms();
	if (now < t->retry_ms)
		return false;
	int error = posix_fallocate(t->fd, from, (off_t)((room - t->room) * t->cell_bytes));
	if (error != 0) {
		t->retry_ms = now + TRACE_RETRY_MS;
		log_warn_gated("no room in run_dir for what became of messages: %s", strerror(error));
		return false;
	}
	t->room = room;
	return true;
}

/* Empty, with room for its head. */
static int ring_begin(struct trace *t)
{
	struct stat st;
	int error;
	if (fstat(t->fd, &st) != 0 || ftruncate(t->fd, 0) != 0)
		return -1;
	error = posix_fallocate(t->fd, 0, TRACE_HEAD_BYTES);
	if (error != 0) {
		errno = error;
		return -1;
	}
	*t->head = (struct trace_head){.magic = TRACE_MAGIC,
				       .version = TRACE_VERSION,
				       .cell_bytes = t->cell_bytes,
				       .cells = t->cells,
				       .begun_ms = clock_wall_ms(),
				       .lost_ms = st.st_size != 0 ? clock_wall_ms() : 0};
	t->room = 0;
	return 0;
}

/* Goes on with what is there, if that is such a ring. A file with holes is filled first. */
static int ring_join(struct trace *t)
{
	struct stat st;
	if (fstat(t->fd, &st) != 0)
		return -1;
	t->room = trace_cells_in(st.st_size, t->cell_bytes);
	if (t->room == 0 || !ring_is_ours(t, t->room) || posix_fallocate(t->fd, 0, st.st_size) != 0)
		return ring_begin(t);
	t->at = t->head->next % t->cells;
	return 0;
}

static void ring_free(struct trace *t)
{
	if (t->head != MAP_FAILED)
		munmap(t->head, t->bytes);
	close(t->fd);
	free(t);
}

struct trace *trace_open(const char *run_dir, enum trace_size size, int64_t bytes)
{
	if (bytes == 0)
		return NULL;
	int fd = ring_lock(run_dir, size);
	if (fd < 0) {
		log_warn("what becomes of messages is not noted: %s/" TRACE_DIR ": %s", run_dir, strerror(errno));
		return NULL;
	}
	struct trace *t = xcalloc(1, sizeof(*t));
	t->fd = fd;
	t->cell_bytes = trace_rings[size].cell_bytes;
	t->cells = (uint64_t)(bytes > TRACE_BYTES_MIN ? bytes : TRACE_BYTES_MIN) / t->cell_bytes;
	t->bytes = TRACE_HEAD_BYTES + t->cells * t->cell_bytes;
	t->head = mmap(NULL, t->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (t->head != MAP_FAILED && ring_join(t) == 0)
		return t;
	log_warn("what becomes of messages is not noted: %s", strerror(errno));
	ring_free(t);
	return NULL;
}

void trace_close(struct trace **tp)
{
	if (*tp != NULL)
		ring_free(*tp);
	*tp = NULL;
}

/* NULL: there is no room for it. */
static struct trace_cell *note_begin(struct trace *t, int64_t now_ms)
{
	if (t->at >= t->room && !ring_grow(t)) {
		atomic_store_explicit(&t->head->lost_ms, now_ms, memory_order_relaxed);
		return NULL;
	}
	return (struct trace_cell *)((char *)t->head + TRACE_HEAD_BYTES + t->at * t->cell_bytes);
}

static void note_end(struct trace *t)
{
	t->at = t->at + 1 < t->cells ? t->at + 1 : 0;
	atomic_store_explicit(&t->head->next, atomic_load_explicit(&t->head->next, memory_order_relaxed) + 1,
			      memory_order_release);
}

static uint64_t stamp_of(int64_t now_ms, enum trace_kind kind, enum trace_status status, unsigned detail)
{
	return (uint64_t)now_ms << 16 | (uint64_t)status << 12 | (uint64_t)(detail & (TRACE_DETAILS - 1)) << 8 | kind;
}

void trace_pushed(struct trace *t, int64_t now_ms, uint64_t message_id, uint64_t session, const char *worker)
{
	struct trace_cell *c = t != NULL ? note_begin(t, now_ms) : NULL;
	if (c == NULL)
		return;
	c->message_id = message_id;
	c->stamp = stamp_of(now_ms, TRACE_PUSHED, TRACE_ACCEPTED, 0);
	memcpy(c->text, &session, sizeof(session));
	memcpy(c->text + sizeof(session), worker, WORKER_NAME_LEN);
	note_end(t);
}

static char *put_short(char *at, struct str s)
{
	*at++ = (char)s.len;
	memcpy(at, s.s, s.len);
	return at + s.len;
}

void trace_device(struct trace *t, int64_t now_ms, uint64_t message_id, enum trace_status status, unsigned detail,
		  struct str user, struct str device)
{
	struct trace_cell *c = t != NULL ? note_begin(t, now_ms) : NULL;
	ASSERT(user.len <= USER_ID_MAX && device.len <= USER_ID_MAX);
	if (c == NULL)
		return;
	c->message_id = message_id;
	c->stamp = stamp_of(now_ms, TRACE_DEVICE, status, detail);
	put_short(put_short(c->text, user), device);
	note_end(t);
}

void trace_hook(struct trace *t, int64_t now_ms, uint64_t message_id, enum trace_status status, unsigned detail,
		struct str name)
{
	struct trace_cell *c = t != NULL ? note_begin(t, now_ms) : NULL;
	ASSERT(name.len <= USER_ID_MAX);
	if (c == NULL)
		return;
	c->message_id = message_id;
	c->stamp = stamp_of(now_ms, TRACE_HOOK, status, detail);
	put_short(c->text, name);
	note_end(t);
}
