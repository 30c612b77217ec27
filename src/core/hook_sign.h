/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The signature of what this server sends to hooks, in the header Tidings-Signature:
 *
 *	t=<seconds since 1970>,v1=<HMAC-SHA256 in lower-case hex of "<t>.<body>", keyed with the hook's secret>
 *
 * The time is signed too, so a receiver can refuse what was recorded and sent again. Another scheme would be v2, beside
 * v1 as long as receivers read that.
 */
#ifndef TIDINGS_CORE_HOOK_SIGN_H
#define TIDINGS_CORE_HOOK_SIGN_H

#include "core/base.h"

/* "t=", 20 digits, ",v1=", 64 digits, and a NUL. */
#define HOOK_SIGNATURE_MAX (2 + 20 + 4 + 64 + 1)

/* The header's value, terminated. A time before 1970 is 0. */
void hook_sign(struct str secret, int64_t now_secs, struct str body, char out[HOOK_SIGNATURE_MAX]);

#endif
