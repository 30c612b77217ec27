/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as the file of a service account, and as the answer that has an access token. */
#include "core/base.h"
#include "core/fcm.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
	if (!cond)
		abort();
}

static void check_account(struct str bytes)
{
	struct fcm_account account;
	const char *err;
	struct buf form = {0};
	if (fcm_account_read(bytes, &account, &err) == 0) {
		must(account.project_id != NULL && account.client_email != NULL && account.token_uri != NULL);
		must(fcm_put_token_request(&account, 1700000000, &form) == 0);
	} else {
		must(err != NULL);
	}
	buf_fini(&form);
	fcm_account_fini(&account);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = {(const char *)data, size};
	char *token;
	int64_t secs;
	check_account(bytes);
	if (fcm_take_token(bytes, &token, &secs) == 0) {
		must(token[0] != '\0' && secs > 0);
		free(token);
	}
	return 0;
}
