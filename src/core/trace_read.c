/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads notes of what became of messages, out of files and of what other nodes have sent. Readers use pread, so that a
 * file which shrinks meanwhile gives them fewer bytes and no signal. A scan reads the whole ring: it depends on no
 * clock, and reads memory as fast as that is.
 */
#include "core/base.h"
#include "core/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/trace_priv.h"

#define TRACE_BLOCK 65536
/* Cells at the oldest end that the writer may be in, beyond those that it is known to be in. */
#define TRACE_MARGIN 16

const char *trace_status_name(enum trace_status s)
{
	static const char *const names[TRACE_STATUSES] = {"accepted", "gone", "retried", "refused"};
	return names[s];
}

/* ---- notes, as they are kept and sent: a byte of the length, then what is used of a cell, without the message ---- */

#define NOTE_HEAD sizeof(uint64_t)
/* The year 10000, which no text of a time has room for. */
#define NOTE_MS_MAX INT64_C(253402300800000)
_Static_assert(NOTE_HEAD + LARGE_TEXT <= UINT8_MAX, "a byte tells its length");

/* Of plain characters, from the front. */
static bool take_short(struct str *in, size_t max, struct str *out)
{
	size_t len = in->len != 0 ? (unsigned char)in->s[0] : 0;
	if (len == 0 || len > max || in->len < 1 + len)
		return false;
	*out = (struct str){in->s + 1, len};
	*in = (struct str){in->s + 1 + len, in->len - 1 - len};
	for (size_t i = 0; i < len; i++)
		if (out->s[i] <= ' ' || out->s[i] > '~')
			return false;
	return true;
}

static bool take_session(struct str *in, struct trace_note *n)
{
	uint64_t session;
	if (in->len < SMALL_TEXT || !id_worker_valid((struct str){in->s + sizeof(session), WORKER_NAME_LEN}))
		return false;
	memcpy(&session, in->s, sizeof(session));
	id_session_make(n->session, (int64_t)(session >> SESSION_NUMBER_BITS), in->s + sizeof(session),
			(uint32_t)(session & ((1u << SESSION_NUMBER_BITS) - 1)));
	*in = (struct str){in->s + SMALL_TEXT, in->len - SMALL_TEXT};
	return true;
}

static bool take_text(struct str *in, struct trace_note *n)
{
	switch (n->kind) {
	case TRACE_PUSHED:
		return take_session(in, n);
	case TRACE_DEVICE:
		return take_short(in, USER_ID_MAX, &n->user) && take_short(in, USER_ID_MAX, &n->name);
	case TRACE_HOOK:
		return take_short(in, USER_ID_MAX, &n->name);
	}
	return false;
}

/* A stamp and the text. What is behind it stays in *in. */
static bool read_note(struct str *in, struct trace_note *n)
{
	uint64_t stamp;
	*n = (struct trace_note){0};
	if (in->len < sizeof(stamp))
		return false;
	memcpy(&stamp, in->s, sizeof(stamp));
	*in = (struct str){in->s + sizeof(stamp), in->len - sizeof(stamp)};
	n->at_ms = (int64_t)(stamp >> 16);
	n->kind = (enum trace_kind)(stamp & 255);
	n->detail = stamp >> 8 & (TRACE_DETAILS - 1);
	unsigned status = stamp >> 12 & 15;
	n->status = (enum trace_status)status;
	return status < TRACE_STATUSES && n->at_ms < NOTE_MS_MAX && take_text(in, n);
}

static void found_note(struct trace_found *f, enum trace_kind kind, struct str note)
{
	if (f->count[kind] >= TRACE_FOUND_MAX) {
		f->cut = true;
		return;
	}
	f->count[kind]++;
	buf_append_char(&f->notes, (char)note.len);
	buf_append_str(&f->notes, note);
}

/* The next one of those kept; false: there is none. */
static bool next_note(struct str *in, struct trace_note *n, struct str *note_r)
{
	size_t len = in->len != 0 ? (unsigned char)in->s[0] : 0;
	if (len == 0 || in->len < 1 + len)
		return false;
	struct str rest = *note_r = (struct str){in->s + 1, len};
	*in = (struct str){in->s + 1 + len, in->len - 1 - len};
	return read_note(&rest, n) && rest.len == 0;
}

static bool add_notes(struct trace_found *f, struct str in)
{
	struct trace_note n;
	struct str note;
	while (next_note(&in, &n, &note))
		found_note(f, n.kind, note);
	return in.len == 0;
}

void trace_found_fini(struct trace_found *f)
{
	buf_fini(&f->notes);
}

void trace_found_add(struct trace_found *to, const struct trace_found *from)
{
	(void)add_notes(to, (struct str){from->notes.data, from->notes.len});
	to->cut = to->cut || from->cut;
	to->since_ms = to->since_ms > from->since_ms ? to->since_ms : from->since_ms;
}

void trace_found_put(const struct trace_found *f, struct buf *out)
{
	buf_append_char(out, f->cut ? '+' : '-');
	buf_append(out, (const char *)&f->since_ms, sizeof(f->since_ms));
	buf_append(out, f->notes.data, f->notes.len);
}

bool trace_found_take(struct str in, struct trace_found *f)
{
	int64_t since_ms;
	if (in.len < 1 + sizeof(since_ms))
		return false;
	memcpy(&since_ms, in.s + 1, sizeof(since_ms));
	f->cut = f->cut || in.s[0] != '-';
	f->since_ms = f->since_ms > since_ms ? f->since_ms : since_ms;
	return add_notes(f, (struct str){in.s + 1 + sizeof(since_ms), in.len - 1 - sizeof(since_ms)});
}

static int compare_str(struct str a, struct str b)
{
	int order = memcmp(a.s != NULL ? a.s : "", b.s != NULL ? b.s : "", a.len < b.len ? a.len : b.len);
	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* By time; what is the same in all is equal. */
static int compare_notes(const void *a, const void *b)
{
	const struct trace_note *x = a, *y = b;
	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	int order = strcmp(x->session, y->session) ?: compare_str(x->user, y->user) ?: compare_str(x->name, y->name);
	if (order != 0)
		return order;
	int difference = (int)x->status - (int)y->status;
	return difference != 0 ? difference : (int)x->detail - (int)y->detail;
}

struct trace_note *trace_notes(const struct trace_found *f, size_t *count_r)
{
	struct str in = {f->notes.data, f->notes.len}, note;
	size_t most = 0, count = 0, kept = 0;
	for (int i = 0; i < TRACE_KINDS; i++)
		most += f->count[i];
	struct trace_note *notes = xcalloc(most + 1, sizeof(*notes));
	while (count < most && next_note(&in, &notes[count], &note))
		count++;
	qsort(notes, count, sizeof(*notes), compare_notes);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || compare_notes(&notes[kept - 1], &notes[i]) != 0)
			notes[kept++] = notes[i];
	*count_r = kept;
	return notes;
}

/* ---- scanning ---- */

struct trace_scan {
	char *run_dir;
	uint64_t message_id;
	int64_t oldest_ms;
	struct trace_found found;
	int64_t begun_ms; /* of the ring that began first */
	/* The ring that it is at. */
	enum trace_size size;
	unsigned file;
	int fd; /* -1: to be opened */
	struct trace_head head;
	uint64_t cells, at; /* those of the file; read so far */
	_Alignas(uint64_t) char block[TRACE_BLOCK];
};

struct trace_scan *trace_scan_new(const char *run_dir, uint64_t message_id, int64_t now_ms)
{
	struct trace_scan *s = xcalloc(1, sizeof(*s));
	s->run_dir = xstrdup(run_dir);
	s->message_id = message_id;
	s->oldest_ms = now_ms - TRACE_KEPT_MS;
	s->begun_ms = INT64_MAX;
	s->found.since_ms = s->oldest_ms;
	s->fd = -1;
	return s;
}

void trace_scan_free(struct trace_scan **sp)
{
	struct trace_scan *s = *sp;
	if (s == NULL)
		return;
	*sp = NULL;
	if (s->fd >= 0)
		close(s->fd);
	trace_found_fini(&s->found);
	free(s->run_dir);
	free(s);
}

void trace_scan_misses(struct trace_scan *s)
{
	s->found.cut = true;
}

const struct trace_found *trace_scan_found(const struct trace_scan *s)
{
	return &s->found;
}

static bool read_head(const struct trace_scan *s, struct trace_head *head)
{
	return pread(s->fd, head, sizeof(*head), 0) == (ssize_t)sizeof(*head) && head->magic == TRACE_MAGIC &&
	       head->version == TRACE_VERSION && head->cell_bytes == trace_rings[s->size].cell_bytes &&
	       head->cells != 0;
}

static void known_since(struct trace_scan *s, int64_t ms)
{
	s->found.since_ms = s->found.since_ms > ms ? s->found.since_ms : ms;
}

/* Where a ring has come round, what was before its oldest note is lost. */
static void look_at_reach(struct trace_scan *s)
{
	const struct trace_head *h = &s->head;
	struct trace_cell oldest;
	if (h->next + TRACE_MARGIN < h->cells)
		return;
	off_t at = TRACE_HEAD_BYTES + (off_t)((h->next + TRACE_MARGIN + 1) % h->cells * h->cell_bytes);
	if (pread(s->fd, &oldest, sizeof(oldest), at) == (ssize_t)sizeof(oldest))
		known_since(s, (int64_t)(oldest.stamp >> 16));
}

static void close_ring(struct trace_scan *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->file++;
	s->cells = s->at = 0;
}

/* False: there is no such file. One that is no ring has no cells. */
static bool open_ring(struct trace_scan *s)
{
	struct stat st;
	char *path = trace_path(s->run_dir, s->size, s->file);
	s->fd = s->file < TRACE_FILES_MAX ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
	int error = errno;
	free(path);
	if (s->fd < 0 && s->file < TRACE_FILES_MAX && error != ENOENT)
		trace_scan_misses(s);
	if (s->fd < 0)
		return false;
	s->cells = s->at = 0;
	if (fstat(s->fd, &st) != 0 || !S_ISREG(st.st_mode) || !read_head(s, &s->head))
		return true;
	s->cells = trace_cells_in(st.st_size, s->head.cell_bytes);
	s->cells = s->cells < s->head.cells ? s->cells : s->head.cells;
	if (s->head.lost_ms != 0)
		known_since(s, s->head.lost_ms);
	if (s->head.begun_ms < s->begun_ms)
		s->begun_ms = s->head.begun_ms;
	if (s->cells != 0)
		look_at_reach(s);
	return true;
}

/* The writer was not in that cell while it was read. `last`: notes so far, after that. */
static bool is_settled(const struct trace_scan *s, uint64_t cell, uint64_t last)
{
	uint64_t first = s->head.next;
	uint64_t behind = (cell + s->head.cells - first % s->head.cells) % s->head.cells;
	return last >= first && last - first < s->head.cells && behind > last - first + TRACE_MARGIN;
}

static void take_cell(struct trace_scan *s, const struct trace_cell *c)
{
	struct str rest = {(const char *)&c->stamp, s->head.cell_bytes - offsetof(struct trace_cell, stamp)},
		   all = rest;
	struct trace_note n;
	if (!read_note(&rest, &n) || n.at_ms < s->oldest_ms)
		return;
	found_note(&s->found, n.kind, (struct str){all.s, all.len - rest.len});
}

static void read_block(struct trace_scan *s)
{
	uint32_t bytes = s->head.cell_bytes;
	uint64_t left = s->cells - s->at, most = TRACE_BLOCK / bytes, n = left < most ? left : most;
	ssize_t got = pread(s->fd, s->block, n * bytes, TRACE_HEAD_BYTES + (off_t)(s->at * bytes));
	struct trace_head now;
	if (got < (ssize_t)bytes || !read_head(s, &now)) {
		s->cells = 0;
		return;
	}
	n = (uint64_t)got / bytes;
	for (uint64_t i = 0; i < n; i++) {
		const struct trace_cell *c = (const struct trace_cell *)(s->block + i * bytes);
		if (c->message_id == s->message_id && is_settled(s, s->at + i, now.next))
			take_cell(s, c);
	}
	s->at += n;
}

bool trace_scan_step(struct trace_scan *s)
{
	if (s->fd >= 0) {
		if (s->at < s->cells)
			read_block(s);
		if (s->at >= s->cells)
			close_ring(s);
		return false;
	}
	if (open_ring(s))
		return false;
	if (s->size == TRACE_SMALL) {
		s->size = TRACE_LARGE;
		s->file = 0;
		return false;
	}
	known_since(s, s->begun_ms);
	return true;
}
