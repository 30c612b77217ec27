/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Passwords, hashed by libcrypt (crypt(3), crypt(5)); the only door to it.
 *
 * New hashes are yescrypt at libcrypt's own cost, which takes tens of milliseconds and
 * 16 MiB for that time: never on an event loop. Hashes of any kind that libcrypt knows are
 * verified, so that a table of users can be taken over from another system.
 */
#ifndef TIDINGS_CORE_PASSWORD_H
#define TIDINGS_CORE_PASSWORD_H

#include "core/base.h"

/* In bytes; libcrypt takes 511. */
#define PASSWORD_MIN 8
#define PASSWORD_MAX 256

/* A hash with a salt of its own, to be freed; NULL where libcrypt fails. */
char *password_hash(const char *password) MUST_CHECK;
/* hash NULL: false, after as long as a hash of ours takes. Safe to call from several threads. */
bool password_matches(const char *password, const char *hash) MUST_CHECK;

#endif
