/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The addresses of a server that is connected to again and again, one after the other. The host is an address, which
 * is taken as it is, or a name, which is looked up at the beginning of each round (lookup.h): a server that moves is
 * found at its new address by the next connection.
 *
 * A round tries every address once. The address that was connected last comes first if the name still has it. After a
 * round in vain the next one begins one address further, so that each is the last one now and then: callers give the
 * last one more time than those that others follow.
 *
 * While the name servers do not answer, the addresses of the last answer are tried again, after DIAL_FORMER_MS. The
 * lookup goes on meanwhile: an answer that comes later is that of the next round, so that a server that moves is found
 * however slow they are (up to LOOKUP_TIMEOUT_MS).
 */
#ifndef TIDINGS_CORE_DIAL_H
#define TIDINGS_CORE_DIAL_H

#include "core/base.h"

#include <sys/socket.h>

struct event_base;
struct dial;

/* Where addresses are known already, a round waits so long for the name servers, and then begins without them. */
#define DIAL_FORMER_MS 2000

/* error: NULL, or why there is no address; borrowed. The dial must not be freed in it. */
typedef void dial_fn(struct dial *d, const char *error, void *ctx);

/* host is copied. "localhost" is 127.0.0.1 and ::1, whatever the system says of it. */
struct dial *dial_new(struct event_base *base, const char *host, int port, dial_fn *found, void *ctx);
/* found() does not run any more. NULL is allowed; *d becomes NULL. */
void dial_free(struct dial **d);

/*
 * Begins a round, whether or not one is under way: found() runs once, from the loop. Then dial_next() is the first. A
 * lookup that a former round began and that is not answered yet is this round's.
 */
void dial_start(struct dial *d);
/* Goes on to the next address of the round; false: there is none. */
bool dial_next(struct dial *d);
/* dial_next() would find one. */
bool dial_has_more(const struct dial *d);
/* The present address does what it is wanted for: the round is over. */
void dial_worked(struct dial *d);

/* The present address, after dial_next(): with the port, and as a text without it. */
const struct sockaddr *dial_address(const struct dial *d, socklen_t *len_r);
const char *dial_text(const struct dial *d);

#endif
