/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keys of TLS session tickets (RFC 5077 section 4, RFC 8446 section 4.6.1), shared
 * by the workers of a node and its successors after a reload, so that a ticket taken
 * from one worker is good at another. Each is random, made by the first worker that needs it once the last one is
 * TICKET_KEY_MS old, and forgotten two of these later.
 */
#ifndef TIDINGS_HUB_TICKETS_H
#define TIDINGS_HUB_TICKETS_H

#include "core/base.h"
#include "hub/hub.h"

#define TICKET_KEY_MS ((int64_t)3600 * 1000)
#define TICKET_NAME_LEN 16

struct ticket_key {
	unsigned char name[TICKET_NAME_LEN]; /* stands in the ticket */
	unsigned char aes[32], hmac[32];
};

/* The key that new tickets are made with. now_mono_ms as clock_mono_ms gives it. */
void ticket_key_newest(struct hub *h, int64_t now_mono_ms, struct ticket_key *out);
/* The key of that name, if it is not forgotten yet; *newest_r: whether it is the one for new tickets. */
bool ticket_key_find(struct hub *h, const unsigned char name[TICKET_NAME_LEN], int64_t now_mono_ms,
		     struct ticket_key *out, bool *newest_r) MUST_CHECK;

#endif
