/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Identifiers: the rules for those that come from outside, and making our own.
 */
#ifndef TIDINGS_CORE_ID_H
#define TIDINGS_CORE_ID_H

#include "core/base.h"

#define USER_ID_MAX 64
/* id_user_valid in words. */
#define USER_ID_RULE "1 to 64 characters out of A-Z a-z 0-9 . _ @ : -, but not . or .."
#define CLIENT_MSG_ID_MAX 64
/* Of a node_id of the configuration. */
#define NODE_ID_MAX 64

/*
 * 1-64 characters out of A-Z a-z 0-9 . _ @ : - (contract, section 1), but neither "." nor "..". Clients remove those
 * from a path, also as %2e ("single-dot" and "double-dot URL path segment" of the WHATWG URL Standard; RFC 3986 section
 * 5.2.4), so that nobody could ask for such a user.
 */
bool id_user_valid(struct str s);
/* 1-64 characters from ! to ~ (contract, section 2). */
bool id_client_msg_valid(struct str s);
/* 1-64 characters out of A-Z a-z 0-9 _ -: what an invite's code may be, so that another is not looked for. */
#define INVITE_CODE_MAX 64
bool id_invite_code_valid(struct str s);
/* What a pack of stickers, or a sticker of one, may be called. id_name_valid in words: */
#define NAME_ID_MAX 64
#define NAME_ID_RULE "1 to 64 characters out of A-Z a-z 0-9 . _ -, the first not a ."
bool id_name_valid(struct str s);
/* Decimal digits of a 64-bit unsigned number, whole, without sign; no leading zero but "0" itself. */
int id_parse_u64(struct str s, uint64_t *out_r) MUST_CHECK;

/*
 * A message's id is its place: conversation_id << 28 | seq, so that history is a
 * range of the primary key and an id tells its conversation.
 */
#define MESSAGE_SEQ_BITS 28
#define MESSAGE_SEQ_MAX ((UINT64_C(1) << MESSAGE_SEQ_BITS) - 1)
#define CONVERSATION_ID_MAX ((UINT64_C(1) << (63 - MESSAGE_SEQ_BITS)) - 1)
/* An id tells its kind: direct conversations come before groups. */
#define GROUP_ID_MIN (UINT64_C(1) << 34)
static inline bool conversation_is_group(uint64_t conversation_id)
{
	return conversation_id >= GROUP_ID_MIN;
}
static inline uint64_t message_id_make(uint64_t conversation_id, uint64_t seq)
{
	return conversation_id << MESSAGE_SEQ_BITS | seq;
}
static inline uint64_t message_id_conversation(uint64_t id)
{
	return id >> MESSAGE_SEQ_BITS;
}
static inline uint64_t message_id_seq(uint64_t id)
{
	return id & MESSAGE_SEQ_MAX;
}

/*
 * An id that tells when it was made, and so sorts by age: milliseconds since 1970, by the database's clock, and a random
 * number. Notifications, logins (the claim sid of our tokens) and entries of the audit log have such ones.
 */
#define ID_CHANCE_BITS 20
uint64_t id_make_at(int64_t ms);
static inline int64_t id_made_ms(uint64_t id)
{
	return (int64_t)(id >> ID_CHANCE_BITS);
}

/*
 * A session's id: its beginning in 11 digits of hexadecimal, the name of the worker that made it (random, no other
 * process of the cluster ever had it), and a number of 5 digits. So ids sort by age, the same in the whole cluster, and
 * tell since when.
 */
#define SESSION_ID_LEN 24
#define WORKER_NAME_LEN 8
#define SESSION_TIME_BITS 44
#define SESSION_NUMBER_BITS 20
/* WORKER_NAME_LEN characters that id_random() makes. */
bool id_worker_valid(struct str s);
void id_session_make(char out[SESSION_ID_LEN + 1], int64_t now_ms, const char worker[WORKER_NAME_LEN], uint32_t number);
/* The same in SESSION_ID_BYTES bytes, and back; false where the text is no session's id. */
#define SESSION_ID_BYTES 14
bool id_session_pack(const char id[SESSION_ID_LEN + 1], unsigned char out[SESSION_ID_BYTES]) MUST_CHECK;
void id_session_unpack(const unsigned char in[SESSION_ID_BYTES], char out[SESSION_ID_LEN + 1]);
bool id_session_valid(struct str id);
/* The now_ms that it was made with; 0 if it is no session's id. */
int64_t id_session_since_ms(struct str id);

/* Fills out with `len` random characters out of [A-Za-z0-9_-] (6 bits each, getrandom) and a NUL. */
void id_random(char *out, size_t len);

#endif
