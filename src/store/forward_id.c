/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client_msg_ids of forwarded messages. They are unique for a user, so who finds two requests with the same hash
 * has nothing of it.
 */
#include "core/base.h"
#include "store/forward.h"

#include "core/siphash.h"

#define BODY_DIGITS 16
#define TARGET_DIGITS 16
#define INDEX_DIGITS 2
_Static_assert(FORWARD_KEY_LEN + BODY_DIGITS + TARGET_DIGITS + INDEX_DIGITS == FORWARD_ID_LEN, "all has its place");
_Static_assert(FORWARD_ID_LEN <= CLIENT_MSG_ID_MAX, "it fits");

enum hashed { HASH_CLIENT_ID, HASH_CLIENT_ID_MORE, HASH_BODY, HASH_USER, HASH_GROUP };

/* The same in all processes, and for good: it is stored. */
static void put_hash(char *at, size_t digits, enum hashed what, const void *data, size_t len)
{
	const uint64_t key[2] = {UINT64_C(0x666f7277617264), what};
	hex_put(at, digits, siphash(key, data, len));
}

void forward_key_make(struct forward_key *k, struct str client_msg_id, struct str body)
{
	memset(k->text, '0', sizeof(k->text));
	memcpy(k->text, " f", 2);
	put_hash(k->text + 2, 16, HASH_CLIENT_ID, client_msg_id.s, client_msg_id.len);
	put_hash(k->text + 18, 8, HASH_CLIENT_ID_MORE, client_msg_id.s, client_msg_id.len);
	put_hash(k->text + FORWARD_KEY_LEN, BODY_DIGITS, HASH_BODY, body.s, body.len);
}

void forward_id_make(char out[FORWARD_ID_LEN], const struct forward_key *k, struct str to, uint64_t conversation_id,
		     unsigned index)
{
	memcpy(out, k->text, FORWARD_ID_LEN);
	char *at = out + FORWARD_KEY_LEN + BODY_DIGITS;
	if (to.s != NULL)
		put_hash(at, TARGET_DIGITS, HASH_USER, to.s, to.len);
	else
		put_hash(at, TARGET_DIGITS, HASH_GROUP, &conversation_id, sizeof(conversation_id));
	hex_put(at + TARGET_DIGITS, INDEX_DIGITS, index);
}

bool forward_id_is(struct str id)
{
	return id.len == FORWARD_ID_LEN && id.s[0] == ' ' && id.s[1] == 'f';
}

bool forward_id_is_of(const struct forward_key *k, struct str id)
{
	return forward_id_is(id) && memcmp(id.s, k->text, FORWARD_KEY_LEN + BODY_DIGITS) == 0;
}

bool forward_part_valid(struct str part)
{
	if (part.len == 0 || part.len > FORWARD_PART_MAX || part.len % 3 != 2)
		return false;
	for (size_t i = 0; i < part.len; i++)
		if (i % 3 == 2 ? part.s[i] != '.' : part.s[i] < '0' || part.s[i] > '9')
			return false;
	return true;
}
