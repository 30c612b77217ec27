/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Firebase Cloud Messaging (HTTP v1) wants to be told by a sender: a service account, the assertion that it signs
 * (RFC 7523), and the access token that it gets for that.
 */
#ifndef TIDINGS_CORE_FCM_H
#define TIDINGS_CORE_FCM_H

#include "core/base.h"
#include "core/buf.h"

struct signer;

struct fcm_account {
	char *project_id, *client_email, *token_uri;
	char *key_id; /* NULL: none */
	struct signer *signer;
};

/* From the JSON file that Google's console makes. -1 with a static reason; then it is to be finished all the same. */
int fcm_account_read(struct str json, struct fcm_account *account_r, const char **err_r) MUST_CHECK;
void fcm_account_fini(struct fcm_account *a);

/* Appends the body of the request for an access token, as a form. -1: OpenSSL failed. */
int fcm_put_token_request(const struct fcm_account *a, int64_t now_secs, struct buf *out) MUST_CHECK;
/* What is answered to it: the token, to be freed, and for how long it is valid. -1: the answer is none. */
int fcm_take_token(struct str body, char **token_r, int64_t *lifetime_secs_r) MUST_CHECK;

#endif
