/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps the audit log of the administration API (store/audit.h): a call is in it before it does anything, or is refused,
 * and its answer leaves once its status is in it, too. Where that cannot be noted the answer leaves all the same, for the
 * call was done; then the entry has no status. Nor does the answer wait of which the database does not tell whether it
 * was done (STORE_UNCERTAIN): the status is noted once that is known.
 *
 * What is refused by its head alone is not in the log: a path or method that there is not, a token without the scope
 * `admin`, a body that is too large or of another type. A worker does some calls at a time, and refuses what is more.
 */
#ifndef TIDINGS_API_AUDIT_H
#define TIDINGS_API_AUDIT_H

#include "core/base.h"
#include "api/request.h"

/* Notes the call, then calls `proceed`; where it cannot be noted the request fails. */
void audit_begin(struct request *r, void (*proceed)(struct request *r));
/*
 * request_end() asks with what the client is to be told. True: the answer is kept, and the request ends with it, later.
 * The texts of *a are copied.
 */
bool audit_end(struct request *r, const struct answer *a);
/* The worker ends: from now on answers wait for nothing. */
void audit_fini(struct api *api);

#endif
