/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of "media …" share. */
#ifndef TIDINGS_CTL_MEDIA_H
#define TIDINGS_CTL_MEDIA_H

#include "core/base.h"
#include "ctl/question.h"
#include "store/media.h"

/* Rows and files that are in memory at a time. */
#define MEDIA_PAGE 500

/* media_check.c */
int media_check(struct question *q);

#endif
