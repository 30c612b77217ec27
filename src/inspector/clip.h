/* SPDX-License-Identifier: BSD-2-Clause */
/* Audio and video: the door to FFmpeg's libraries. */
#ifndef TIDINGS_INSPECTOR_CLIP_H
#define TIDINGS_INSPECTOR_CLIP_H

#include "core/base.h"
#include "inspector/look.h"

void clip_start(void);
bool clip_is(const char *type);
/* How long it lasts, and how it looks. What cannot be read becomes a plain file. */
void clip_look(const struct subject *s, struct inspect_result *r);

#endif
