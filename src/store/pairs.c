/* SPDX-License-Identifier: BSD-2-Clause */
/* Pairs of users and their conversations. Decides what to forget: by second chance, in order of arrival. */
#include "core/base.h"
#include "store/pairs.h"

#include <stdlib.h>
#include <uthash.h>

#include "core/log.h"

struct pair {
	UT_hash_handle hh, by_id;
	uint64_t conversation_id;
	struct pair_head head; /* last_seq 0: not known */
	bool used;	       /* since it was last passed over */
	unsigned first_len;
	char key[];
};

struct pairs {
	struct pair *all; /* uthash keeps the order of arrival */
	struct pair *by_id;
	unsigned max;
};

struct pair_key pair_key_make(struct str a, struct str b)
{
	ASSERT(a.len <= USER_ID_MAX && b.len <= USER_ID_MAX);
	size_t common = a.len < b.len ? a.len : b.len;
	int order = memcmp(a.s, b.s, common);
	bool swap = order > 0 || (order == 0 && a.len > b.len);
	struct str first = swap ? b : a, second = swap ? a : b;
	struct pair_key k = {.len = (unsigned)(first.len + 1 + second.len), .first_len = (unsigned)first.len};
	memcpy(k.text, first.s, first.len);
	k.text[first.len] = ' ';
	memcpy(k.text + first.len + 1, second.s, second.len);
	return k;
}

bool pair_key_equal(const struct pair_key *a, const struct pair_key *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

struct str pair_key_user(const struct pair_key *k, unsigned side)
{
	return side == 0 ? (struct str){k->text, k->first_len}
			 : (struct str){k->text + k->first_len + 1, k->len - k->first_len - 1};
}

struct pairs *pairs_new(unsigned max)
{
	struct pairs *p = xcalloc(1, sizeof(*p));
	p->max = max;
	return p;
}

static void drop(struct pairs *p, struct pair *gone)
{
	HASH_DEL(p->all, gone);
	HASH_DELETE(by_id, p->by_id, gone);
	free(gone);
}

void pairs_free(struct pairs **pairs)
{
	struct pairs *p = *pairs;
	if (p == NULL)
		return;
	struct pair *at, *next;
	HASH_ITER (hh, p->all, at, next)
		drop(p, at);
	free(p);
	*pairs = NULL;
}

static struct pair *find(struct pairs *p, const struct pair_key *k)
{
	struct pair *found;
	HASH_FIND(hh, p->all, k->text, k->len, found);
	return found;
}

uint64_t pairs_find(struct pairs *p, const struct pair_key *k)
{
	struct pair *found = find(p, k);
	if (found == NULL)
		return 0;
	found->used = true;
	return found->conversation_id;
}

bool pairs_find_users(struct pairs *p, uint64_t conversation_id, struct pair_key *k_r)
{
	struct pair *found;
	HASH_FIND(by_id, p->by_id, &conversation_id, sizeof(conversation_id), found);
	if (found == NULL)
		return false;
	found->used = true;
	*k_r = (struct pair_key){.len = found->hh.keylen, .first_len = found->first_len};
	memcpy(k_r->text, found->key, k_r->len);
	return true;
}

static void make_room(struct pairs *p)
{
	while (HASH_COUNT(p->all) >= p->max) {
		struct pair *oldest = p->all;
		if (!oldest->used) {
			drop(p, oldest);
			continue;
		}
		oldest->used = false;
		HASH_DEL(p->all, oldest);
		HASH_ADD_KEYPTR(hh, p->all, oldest->key, oldest->hh.keylen, oldest);
	}
}

void pairs_put(struct pairs *p, const struct pair_key *k, uint64_t conversation_id)
{
	struct pair *found = find(p, k), *other;
	if (found != NULL && found->conversation_id == conversation_id)
		return;
	/* It is another database than before, perhaps restored from a copy. */
	if (found != NULL)
		drop(p, found);
	HASH_FIND(by_id, p->by_id, &conversation_id, sizeof(conversation_id), other);
	if (other != NULL)
		drop(p, other);
	make_room(p);
	found = xcalloc(1, sizeof(*found) + k->len);
	found->conversation_id = conversation_id;
	found->first_len = k->first_len;
	memcpy(found->key, k->text, k->len);
	HASH_ADD_KEYPTR(hh, p->all, found->key, k->len, found);
	HASH_ADD(by_id, p->by_id, conversation_id, sizeof(found->conversation_id), found);
}

void pairs_forget(struct pairs *p, const struct pair_key *k)
{
	struct pair *found = find(p, k);
	if (found != NULL)
		drop(p, found);
}

bool pairs_find_head(struct pairs *p, const struct pair_key *k, struct pair_head *head_r)
{
	const struct pair *found = find(p, k);
	if (found == NULL || found->head.last_seq == 0)
		return false;
	*head_r = found->head;
	return true;
}

void pairs_put_head(struct pairs *p, const struct pair_key *k, const struct pair_head *head)
{
	struct pair *found = find(p, k);
	if (found != NULL)
		found->head = *head;
}

void pairs_forget_head(struct pairs *p, const struct pair_key *k)
{
	pairs_put_head(p, k, &(struct pair_head){0});
}
