/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Uploads, with a real loop, thread and directory, and without a media process: what is written, what counts, when the
 * next part has to wait, and that whatever is closed halfway lets go of its file.
 */
#include "core/base.h"
#include "media/upload.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../tap.h"

#define ID "abcdef00000000000000000000000000"
#define TURNS_MAX 200000

static char directory[] = "/tmp/tidings-upload-XXXXXX";
static struct loop *loop;
static struct uploads *uploads;

/* What the handler was told last. */
struct heard {
	struct upload *u;
	int calls;
	enum files_status status;
	uint64_t size;
	enum inspect_status inspected;
	bool crowded, ended;
};

static void on_opened(enum files_status status, uint64_t size, void *arg)
{
	struct heard *h = arg;
	h->calls++;
	h->status = status;
	h->size = size;
}

static void on_room(enum files_status status, void *arg)
{
	struct heard *h = arg;
	h->calls++;
	h->status = status;
}

static void on_finished(enum files_status status, const struct inspect_result *r, uint64_t size, void *arg)
{
	struct heard *h = arg;
	h->calls++;
	h->status = status;
	h->size = size;
	h->inspected = r != NULL ? r->status : INSPECT_OK;
}

static void on_crowded(void *arg)
{
	struct heard *h = arg;
	h->crowded = true;
}

static void on_ended(void *arg)
{
	struct heard *h = arg;
	h->ended = true;
}

static const struct upload_handler handler = {on_opened, on_room, on_opened, on_finished, on_crowded, on_ended};

/* Turns until the handler is called. */
static void wait_call(struct heard *h)
{
	int before = h->calls;
	for (int i = 0; i < TURNS_MAX && h->calls == before; i++)
		loop_turn(loop);
	is_int(h->calls, before + 1, "it is said once");
}

static void begin(struct heard *h, const char *id, enum files_status want, uint64_t size)
{
	*h = (struct heard){0};
	h->u = upload_open(uploads, id, "alice", &handler, h);
	ok(h->u != NULL, "an upload");
	is_int(h->calls, 0, "nothing is said from within");
	wait_call(h);
	is_int(h->status, want, "opened, or not");
	if (want == FILES_OK)
		is_int(h->size, size, "so much counts");
}

/* Nobody has the part file any more. */
static void wait_closed(void)
{
	for (int i = 0; i < TURNS_MAX && upload_count(uploads, STR_LIT("alice")) != 0; i++)
		loop_turn(loop);
	is_int(upload_count(uploads, STR_LIT("alice")), 0, "closed");
}

static int64_t size_of(const char *id, const char *suffix)
{
	struct stat st;
	char path[PATH_MAX];
	return files_path(path, directory, id, suffix) && stat(path, &st) == 0 ? st.st_size : -1;
}

static void settle(struct heard *h, enum files_status want, uint64_t size)
{
	upload_settle(h->u);
	wait_call(h);
	is_int(h->status, want, "settled, or not");
	is_int(h->size, size, "so much counts then");
}

static void append(struct heard *h, const char *text)
{
	ok(upload_append(h->u, str_from(text)), "there is room for more");
}

static void test_parts(void)
{
	struct heard h, other;
	begin(&h, ID, FILES_OK, 0);
	is_int(upload_count(uploads, STR_LIT("alice")), 1, "hers");
	is_int(upload_count(uploads, STR_LIT("bob")), 0, "not his");
	begin(&other, ID, FILES_LOCKED, 0);
	upload_close(&other.u);
	ok(other.u == NULL, "closed");
	append(&h, "hello");
	append(&h, " world");
	settle(&h, FILES_OK, 11);
	settle(&h, FILES_OK, 11);
	append(&h, "!");
	settle(&h, FILES_OK, 12);
	upload_close(&h.u);
	wait_closed();
	begin(&h, ID, FILES_OK, 12);
	upload_from_scratch(h.u);
	append(&h, "new");
	settle(&h, FILES_OK, 3);
	/* What was not settled counts as far as it is written. */
	append(&h, "er");
	upload_close(&h.u);
	wait_closed();
	ok(size_of(ID, FILES_PART) >= 3, "nothing of before is lost");
	is_int(h.calls, 2, "nothing is said after the close");
	upload_close(&h.u);
}

static void test_checksums(void)
{
	struct heard h;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len;
	EVP_Digest("right", 5, digest, &len, EVP_sha256(), NULL);
	const struct str wanted = {(const char *)digest, len};
	const char *id = "abcdef00000000000000000000000001";

	begin(&h, id, FILES_OK, 0);
	append(&h, "before ");
	settle(&h, FILES_OK, 7);
	is_int(upload_expect(h.u, CHECKSUM_SHA1, wanted), -1, "a digest of another length");
	is_int(upload_expect(h.u, CHECKSUM_SHA256, wanted), 0, "a digest");
	append(&h, "wrong");
	settle(&h, FILES_MISMATCH, 7);
	upload_close(&h.u);
	wait_closed();
	begin(&h, id, FILES_OK, 7);
	is_int(upload_expect(h.u, CHECKSUM_SHA256, wanted), 0, "again");
	append(&h, "ri");
	append(&h, "ght");
	settle(&h, FILES_OK, 12);
	is_int(size_of(id, FILES_HOLD), -1, "nothing is held");
	/* Closed before it was known. */
	is_int(upload_expect(h.u, CHECKSUM_SHA256, wanted), 0, "once more");
	append(&h, "right");
	upload_close(&h.u);
	wait_closed();
	is_int(size_of(id, FILES_PART), 12, "what was not settled does not count");
	/* An empty part has a digest, too. */
	EVP_Digest("", 0, digest, &len, EVP_sha256(), NULL);
	begin(&h, id, FILES_OK, 12);
	is_int(upload_expect(h.u, CHECKSUM_SHA256, (struct str){(const char *)digest, len}), 0, "of nothing");
	settle(&h, FILES_OK, 12);
	upload_close(&h.u);
	wait_closed();
}

/* More than fits into the buffers: the next part waits, and all of it comes in order. */
static void test_much(void)
{
	struct heard h;
	const char *id = "abcdef00000000000000000000000002";
	static char block[32768];
	size_t sent = 0, whole = (size_t)16 * 1024 * 1024, waits = 0;
	begin(&h, id, FILES_OK, 0);
	while (sent < whole) {
		memset(block, (int)(sent / sizeof(block) % 251), sizeof(block));
		bool room = upload_append(h.u, (struct str){block, sizeof(block)});
		sent += sizeof(block);
		if (!room) {
			waits++;
			wait_call(&h);
			is_int(h.status, FILES_OK, "there is room again");
		}
	}
	ok(waits > 0, "it had to wait %zu times", waits);
	settle(&h, FILES_OK, whole);
	upload_close(&h.u);
	wait_closed();
	char path[PATH_MAX];
	bool same = files_path(path, directory, id, FILES_PART);
	FILE *f = fopen(path, "r");
	for (size_t at = 0; same && at < whole; at += sizeof(block)) {
		same = fread(block, 1, sizeof(block), f) == sizeof(block);
		for (size_t i = 0; same && i < sizeof(block); i++)
			same = block[i] == (char)(at / sizeof(block) % 251);
	}
	fclose(f);
	ok(same, "as it was sent");
	unlink(path);
}

/* Many at once, each closed at another moment. */
static void test_many(void)
{
	static struct heard h[UPLOADS_MAX];
	char id[MEDIA_ID_LEN + 1];
	unsigned opened = 0;
	struct heard more;
	for (unsigned i = 0; i < UPLOADS_MAX; i++) {
		snprintf(id, sizeof(id), "%032x", i);
		h[i] = (struct heard){0};
		h[i].u = upload_open(uploads, id, "alice", &handler, &h[i]);
		opened += h[i].u != NULL;
	}
	is_int(opened, UPLOADS_MAX, "as many as may be");
	ok(upload_open(uploads, ID, "alice", &handler, &more) == NULL, "and no more");
	for (unsigned i = 0; i < UPLOADS_MAX; i++)
		opened -= h[i].crowded;
	is_int(opened, UPLOADS_MAX, "none is slow that could not begin yet");
	for (unsigned i = 0; i < UPLOADS_MAX; i++) {
		if (i % 3 != 0) {
			for (int turn = 0; turn < TURNS_MAX && h[i].calls == 0; turn++)
				loop_turn(loop);
			opened -= upload_append(h[i].u, STR_LIT("some bytes"));
		}
		if (i % 3 == 2)
			upload_settle(h[i].u);
		upload_close(&h[i].u);
	}
	is_int(opened, UPLOADS_MAX - UPLOADS_MAX / 3 * 2, "two of three were written to");
	wait_closed();
	for (unsigned i = 0; i < UPLOADS_MAX; i++) {
		snprintf(id, sizeof(id), "%032x", i);
		if (files_remove(directory, id) != FILES_OK)
			ok(false, "removed %s", id);
	}
}

/* Whoever brings next to nothing keeps nobody out. */
static void test_crowd(void)
{
	static struct heard h[UPLOADS_MAX];
	static char block[32768];
	char id[MEDIA_ID_LEN + 1];
	unsigned crowded = UPLOADS_MAX;
	const char *more_id = "abcdef00000000000000000000000005";
	struct heard more;
	for (unsigned i = 0; i < UPLOADS_MAX; i++) {
		snprintf(id, sizeof(id), "%032x", i);
		h[i] = (struct heard){0};
		h[i].u = upload_open(uploads, id, "alice", &handler, &h[i]);
		for (int turn = 0; turn < TURNS_MAX && h[i].calls == 0; turn++)
			loop_turn(loop);
	}
	/* The oldest ones have had the longest time, in which one has brought much and the other nothing. */
	for (int i = 0; i < 256; i++)
		if (!upload_append(h[0].u, (struct str){block, sizeof(block)}))
			wait_call(&h[0]);
	upload_settle(h[2].u);
	wait_call(&h[2]);
	ok(upload_open(uploads, more_id, "bob", &handler, &more) == NULL, "there is no room");
	for (unsigned i = 0; i < UPLOADS_MAX; i++)
		if (h[i].crowded)
			crowded = crowded == UPLOADS_MAX ? i : 0;
	ok(crowded != UPLOADS_MAX && crowded != 0 && crowded != 2, "a slow one that receives is told, alone: %u",
	   crowded);
	upload_close(&h[crowded % UPLOADS_MAX].u);
	for (int turn = 0; turn < TURNS_MAX && upload_count(uploads, STR_LIT("alice")) == UPLOADS_MAX; turn++)
		loop_turn(loop);
	begin(&more, more_id, FILES_OK, 0);
	upload_close(&more.u);
	for (unsigned i = 0; i < UPLOADS_MAX; i++)
		upload_close(&h[i].u);
	wait_closed();
	is_int(files_remove(directory, more_id), FILES_OK, "removed");
	for (unsigned i = 0; i < UPLOADS_MAX; i++) {
		snprintf(id, sizeof(id), "%032x", i);
		if (files_remove(directory, id) != FILES_OK)
			ok(false, "removed %s", id);
	}
}

/* Without a media process nothing is found out, and the part stays for another time. */
static void test_finish(void)
{
	struct heard h;
	const char *id = "abcdef00000000000000000000000003";
	begin(&h, id, FILES_OK, 0);
	append(&h, "whole");
	settle(&h, FILES_OK, 5);
	upload_finish(h.u, "text/plain");
	wait_call(&h);
	is_int(h.status, FILES_OK, "it could be given to be looked at");
	is_int(h.inspected, INSPECT_UNAVAILABLE, "but there is nobody who does");
	upload_finish(h.u, "text/plain");
	wait_call(&h);
	is_int(h.inspected, INSPECT_UNAVAILABLE, "as little as before");
	is_int(size_of(id, FILES_PART), 5, "the part is as it was");
	is_int(size_of(id, FILES_FINAL), -1, "and not in its place");
	upload_finish(h.u, "text/plain");
	upload_close(&h.u);
	wait_closed();
	begin(&h, id, FILES_OK, 5);
	upload_close(&h.u);
	wait_closed();
	/* Another process has put it into its place. */
	uint64_t size;
	is_int(files_place(directory, id, false, false, &size), FILES_OK, "placed");
	begin(&h, id, FILES_NONE, 0);
	upload_finish(h.u, "text/plain");
	wait_call(&h);
	is_int(h.status, FILES_OK, "it can be looked at there");
	is_int(h.inspected, INSPECT_UNAVAILABLE, "if anybody did");
	upload_close(&h.u);
	wait_closed();
	is_int(size_of(id, FILES_FINAL), 5, "it stays");
}

struct answer {
	int calls;
	enum files_status status;
	uint64_t size;
	int fd;
};

static void on_size(enum files_status status, uint64_t size, void *arg)
{
	struct answer *a = arg;
	a->calls++;
	a->status = status;
	a->size = size;
}

static void on_file(enum files_status status, int fd, uint64_t size, void *arg)
{
	struct answer *a = arg;
	on_size(status, size, arg);
	a->fd = fd;
}

static void test_small_work(void)
{
	struct answer a = {0}, b = {0}, c = {0};
	uploads_part_size(uploads, ID, on_size, &a);
	uploads_open_file(uploads, "abcdef00000000000000000000000003", FILES_FINAL, on_file, &b);
	uploads_open_file(uploads, ID, FILES_FINAL, on_file, &c);
	is_int(a.calls + b.calls + c.calls, 0, "nothing is said from within");
	for (int i = 0; i < TURNS_MAX && a.calls + b.calls + c.calls < 3; i++)
		loop_turn(loop);
	is_int(a.calls + b.calls + c.calls, 3, "each once");
	ok(a.status == FILES_OK && a.size >= 3, "how far it has come");
	ok(b.status == FILES_OK && b.size == 5 && b.fd >= 0, "a file");
	ok(c.status == FILES_NONE && c.fd == -1, "none");
	close(b.fd);
}

/* The worker leaves while some are at each of their steps. */
static void test_end(void)
{
	struct heard h[5];
	char id[MEDIA_ID_LEN + 1];
	for (unsigned i = 0; i < ARRAY_LEN(h); i++) {
		snprintf(id, sizeof(id), "%032x", i);
		if (i != 0)
			begin(&h[i], id, FILES_OK, 0);
	}
	append(&h[2], "written");
	append(&h[3], "settled");
	upload_settle(h[3].u);
	append(&h[4], "finished");
	settle(&h[4], FILES_OK, 8);
	upload_finish(h[4].u, "text/plain");
	h[0] = (struct heard){0};
	snprintf(id, sizeof(id), "%032x", 0);
	h[0].u = upload_open(uploads, id, "alice", &handler, &h[0]);
	int calls = 0;
	for (unsigned i = 0; i < ARRAY_LEN(h); i++)
		calls -= h[i].calls;
	uploads_free(&uploads);
	ok(uploads == NULL, "the end of all");
	for (unsigned i = 0; i < ARRAY_LEN(h); i++) {
		ok(h[i].ended, "upload %u hears of it", i);
		calls += h[i].calls;
	}
	is_int(calls, 0, "and of nothing else");
	uploads_free(&uploads);
}

int main(void)
{
	if (mkdtemp(directory) == NULL)
		abort();
	loop = loop_new();
	static char none[] = "";
	const struct conf conf = {.media = {.directory = directory, .scanner = none, .s3 = {.endpoint = none}}};
	uploads = uploads_new(loop, &conf, -1);
	test_parts();
	test_checksums();
	test_much();
	test_many();
	test_crowd();
	test_finish();
	test_small_work();
	test_end();
	loop_free(&loop);
	char *command = xasprintf("rm -rf '%s'", directory);
	is_int(system(command), 0, "the end");
	free(command);
	return done_testing();
}
