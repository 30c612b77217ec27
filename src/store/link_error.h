/* SPDX-License-Identifier: BSD-2-Clause */
/* What an error of the database says about the connection that it came on, and about the transaction. */
#ifndef TIDINGS_STORE_LINK_ERROR_H
#define TIDINGS_STORE_LINK_ERROR_H

#include "core/base.h"

/* The connection is dead, or of no use any more: another one is to be made. */
bool link_error_ends(unsigned error, const char *sqlstate);
/* The server, or the transaction, cannot be written to: it is a replica now, or was made one. */
bool link_error_is_read_only(unsigned error);
/*
 * The transaction failed for a reason that may be gone the next time: its name, for the counters. NULL: the reason is
 * in the data, or in the server.
 */
const char *link_error_passing(unsigned error);

#endif
