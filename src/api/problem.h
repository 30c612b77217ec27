/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a request is refused: the codes of the contract, section 1, each with its status. */
#ifndef TIDINGS_API_PROBLEM_H
#define TIDINGS_API_PROBLEM_H

#include "core/base.h"
#include "hub/stats.h"
#include "store/store.h"

#define PROBLEMS(X)                                                                                                    \
	X(MALFORMED_JSON, 400, "malformed_json")                                                                       \
	X(INVALID_ARGUMENT, 400, "invalid_argument")                                                                   \
	X(TOKEN_INVALID, 401, "token_invalid")                                                                         \
	X(TOKEN_EXPIRED, 401, "token_expired")                                                                         \
	X(TOKEN_REVOKED, 401, "token_revoked")                                                                         \
	X(CREDENTIALS_INVALID, 401, "credentials_invalid")                                                             \
	X(NOT_FRIENDS, 403, "not_friends")                                                                             \
	X(BLOCKED, 403, "blocked")                                                                                     \
	X(NOT_SENDER, 403, "not_sender")                                                                               \
	X(FORBIDDEN, 403, "forbidden")                                                                                 \
	X(MUTED, 403, "muted")                                                                                         \
	X(SENDING_RESTRICTED, 403, "sending_restricted")                                                               \
	X(REFUSED, 403, "refused")                                                                                     \
	X(NOT_FOUND, 404, "not_found")                                                                                 \
	X(METHOD_NOT_ALLOWED, 405, "method_not_allowed")                                                               \
	X(RECALL_EXPIRED, 409, "recall_expired")                                                                       \
	X(CLIENT_MSG_ID_REUSED, 409, "client_msg_id_reused")                                                           \
	X(EDIT_EXPIRED, 409, "edit_expired")                                                                           \
	X(CONFLICT, 409, "conflict")                                                                                   \
	X(GROUP_FULL, 409, "group_full")                                                                               \
	X(TOO_MANY_GROUPS, 409, "too_many_groups")                                                                     \
	X(GROUP_DISSOLVED, 409, "group_dissolved")                                                                     \
	X(PRECONDITION_FAILED, 412, "precondition_failed")                                                             \
	X(PAYLOAD_TOO_LARGE, 413, "payload_too_large")                                                                 \
	X(UNSUPPORTED_MEDIA_TYPE, 415, "unsupported_media_type")                                                       \
	X(LOCKED, 423, "locked")                                                                                       \
	X(RATE_LIMITED, 429, "rate_limited")                                                                           \
	X(CHECKSUM_MISMATCH, 460, "checksum_mismatch")                                                                 \
	X(UNAVAILABLE, 503, "unavailable")                                                                             \
	X(OVERLOADED, 503, "overloaded")                                                                               \
	X(QUOTA_EXCEEDED, 507, "quota_exceeded")                                                                       \
	X(NO_SPACE, 507, "no_space")

#define X(name, status, code) PROBLEM_##name,
enum problem_code { PROBLEMS(X) PROBLEM_COUNT };
#undef X
/* They are counted as refusals by their number. */
_Static_assert(PROBLEM_COUNT <= STAT_REASONS, "each is counted by itself");

/*
 * A function that returns one returns NULL where there is nothing against the request, so `a() ?: b()` is the first
 * problem that there is, and b() is not called after one.
 */
struct problem {
	enum problem_code code;
	const char *detail; /* names what is wrong */
};

int problem_status(enum problem_code c);
/* As clients read it. */
const char *problem_code_name(enum problem_code c);
/* What a refusal of the store means to the client. */
const struct problem *problem_of_store(enum store_status s) MUST_CHECK;

#endif
