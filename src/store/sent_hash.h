/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a client has sent, as 16 bytes: of a message that before_send has replaced, nothing else tells whether a send is
 * its repeat. It is stored, so what is hashed stays as it is for good.
 */
#ifndef TIDINGS_STORE_SENT_HASH_H
#define TIDINGS_STORE_SENT_HASH_H

#include "core/base.h"
#include "store/store.h"

#define SENT_HASH_LEN 16

/* Of all fields but those that say what is stored in their place. Of its mentions each is there once, in their order.
 */
void sent_hash(const struct store_send *p, unsigned char out[SENT_HASH_LEN]);

#endif
