/* SPDX-License-Identifier: BSD-2-Clause */
/* Ticket keys: the same for all processes, new each hour, good for two hours more, and none left by a dead holder. */
#include "core/base.h"
#include "hub/tickets.h"

#include "child.h"
#include "hub/hub_layout.h"
#include "hub/lock.h"
#include "../tap.h"

#define HOUR TICKET_KEY_MS

static struct ticket_key seen_by_child(struct hub *h, int64_t now_ms)
{
	struct ticket_key key = {0};
	int pipe_fd[2];
	if (pipe(pipe_fd) != 0)
		return key;
	pid_t pid = fork();
	if (pid == 0) {
		ticket_key_newest(h, now_ms, &key);
		_exit(write(pipe_fd[1], &key, sizeof(key)) == (ssize_t)sizeof(key) ? 0 : 1);
	}
	child_wait(pid);
	ok(read(pipe_fd[0], &key, sizeof(key)) == (ssize_t)sizeof(key), "another process has one");
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	return key;
}

static void die_with_the_lock(struct hub *h, unsigned slot)
{
	(void)slot;
	if (!lock_take(&h->shared->tickets.lock))
		raise(SIGKILL);
}

int main(void)
{
	struct hub *h = hub_for_test(2, 10, 10);
	struct ticket_key first, second, found;
	bool newest;
	int64_t now = 5000;

	ticket_key_newest(h, now, &first);
	struct ticket_key theirs = seen_by_child(h, now);
	ok(memcmp(&first, &theirs, sizeof(first)) == 0, "the same for all processes");
	ticket_key_newest(h, now + HOUR - 1, &second);
	ok(memcmp(&first, &second, sizeof(first)) == 0, "for an hour");
	theirs = seen_by_child(h, now + HOUR);
	ticket_key_newest(h, now + HOUR, &second);
	ok(memcmp(&first.name, &second.name, sizeof(first.name)) != 0 && memcmp(first.aes, second.aes, 32) != 0 &&
		   memcmp(first.hmac, second.hmac, 32) != 0,
	   "then there is a new one");
	ok(memcmp(&theirs, &second, sizeof(second)) == 0, "which another process made");
	ok(ticket_key_find(h, first.name, now + HOUR, &found, &newest) && !newest &&
		   memcmp(&found, &first, sizeof(found)) == 0,
	   "the old one is still found, and known as old");
	ok(ticket_key_find(h, second.name, now + HOUR, &found, &newest) && newest, "the new one as new");
	ok(!ticket_key_find(h, (const unsigned char *)"0123456789abcdef", now + HOUR, &found, &newest),
	   "an unknown name is not");
	ok(!ticket_key_find(h, (const unsigned char[TICKET_NAME_LEN]){0}, now + HOUR, &found, &newest),
	   "nor is the name of an empty place");
	ok(ticket_key_find(h, first.name, now + 3 * HOUR - 1, &found, &newest), "good to the last moment");
	ok(!ticket_key_find(h, first.name, now + 3 * HOUR, &found, &newest), "and no longer");
	ticket_key_newest(h, now + 100 * HOUR, &second);
	unsigned left = 0;
	for (unsigned i = 0; i < TICKET_KEYS; i++)
		left += h->shared->tickets.slot[i].made_ms != 0;
	is_int(left, 1, "after a long silence none of the old ones is kept");

	child_wait(child_start(die_with_the_lock, h, 0));
	ticket_key_newest(h, now + 100 * HOUR, &found);
	ok(memcmp(&found, &second, sizeof(found)) != 0, "after a death within the lock there is a whole new key");
	hub_free(&h);
	return done_testing();
}
