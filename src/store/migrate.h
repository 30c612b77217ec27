/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The schema: numbered files in schema/, built into the program, applied in order under a lock of the
 * database and recorded in schema_migrations. Blocking: for tidingsctl and start-up only.
 */
#ifndef TIDINGS_STORE_MIGRATE_H
#define TIDINGS_STORE_MIGRATE_H

#include "core/base.h"
#include "core/conf.h"

/* The newest schema this program knows: the number of the last file of schema/. Defined in the schema.c made from them.
 */
extern const int schema_version;

/*
 * Creates the database where it is missing and may be created, and applies what is missing. Calls told() for each
 * step applied. 0, or -1 with a reason in *err_r (freed by the caller). Safe to repeat and to run from two places at
 * once.
 */
int migrate_run(const struct conf *conf, void (*told)(const char *line), char **err_r) MUST_CHECK;
/* The version that stands in the database in *version_r (0: none); -1 with a reason if it cannot be told. */
int migrate_current(const struct conf *conf, int *version_r, char **err_r) MUST_CHECK;
/* Makes two users friends, with rows in users where missing (tidingsctl befriend). */
int admin_befriend(const struct conf *conf, const char *a, const char *b, char **err_r) MUST_CHECK;

#endif
