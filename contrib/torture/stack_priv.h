/* SPDX-License-Identifier: BSD-2-Clause */
/* What stack_setup.c and stack.c share. */
#ifndef TIDINGS_TORTURE_STACK_PRIV_H
#define TIDINGS_TORTURE_STACK_PRIV_H

#include "core/base.h"
#include "stack.h"

/* From now on processes are started, probed and reaped, by a timer. */
void stack_run(struct stack *s);

#endif
