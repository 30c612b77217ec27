/* SPDX-License-Identifier: BSD-2-Clause */
/* Which login a token is of: others have numbers with a time in their claim sid, too, and some are no time of ours. */
#include "core/base.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/token.h"
#include "token_kit.h"
#include "../tap.h"

/* The login of a token whose sid says that it began then. */
static uint64_t login_of(struct token_keys *k, int64_t began_ms)
{
	struct token_claims claims = {0};
	const char *reason = NULL;
	char *payload = xasprintf("{" ALWAYS ",\"sid\":\"%llu\"}", (unsigned long long)began_ms << ID_CHANCE_BITS | 9);
	char *token = make('H', HS256, payload);
	ok(token_verify(k, str_from(token), &claims, &reason) == TOKEN_OK, "a token with a number as sid");
	free(token);
	free(payload);
	return claims.login;
}

int main(void)
{
	const int64_t day_ms = 86400000, now_ms = clock_wall_ms();
	kit_make_keys();
	struct token_keys *k = keys_of("secret = \"" SECRET "\"", NULL);
	ok(login_of(k, now_ms) != 0, "a login that begins now");
	ok(login_of(k, now_ms - 300 * day_ms) != 0, "or began a while ago");
	ok(login_of(k, now_ms + day_ms / 2) != 0, "or by a clock that is early");
	is_int((long long)login_of(k, now_ms + 2 * day_ms), 0, "none that is yet to begin");
	/* Four times the milliseconds of 2026 since an epoch in November 2010. */
	is_int((long long)login_of(k, 4 * (INT64_C(1790000000000) - INT64_C(1288834974657))), 0, "nor a Snowflake id");
	is_int((long long)login_of(k, INT64_C(1400000000000)), 0, "nor one from before there were any");
	token_keys_free(&k);
	kit_free_keys();
	return done_testing();
}
