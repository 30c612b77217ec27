/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The count at the end, when everything was answered and nobody begins anything new: fetches the conversations, the
 * whole histories, the unread counts and the friends of every user, and holds them against the recorder and against a
 * recount. What does not fit is a violation.
 */
#ifndef TIDINGS_TORTURE_AUDIT_H
#define TIDINGS_TORTURE_AUDIT_H

#include "core/base.h"

struct audit;
struct crowd;
struct record;
struct stack;

/* Begins it. */
struct audit *audit_new(struct stack *stack, struct crowd *crowd, struct record *record, unsigned users);
bool audit_is_done(const struct audit *a);
/* Only once it is done, or when the loop is turned no more. */
void audit_free(struct audit **audit);

#endif
