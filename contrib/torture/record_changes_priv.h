/* SPDX-License-Identifier: BSD-2-Clause */
/* What record_groups.c wants of record_changes.c. */
#ifndef TIDINGS_TORTURE_RECORD_CHANGES_PRIV_H
#define TIDINGS_TORTURE_RECORD_CHANGES_PRIV_H

#include "core/base.h"
#include "record_changes.h"

void record_changes_free(struct record *r);
/* Tells what does not fit. */
void record_changes_end(struct record *r);

#endif
