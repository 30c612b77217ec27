/* SPDX-License-Identifier: BSD-2-Clause */
/* One question to the running master. */
#ifndef TIDINGS_CTL_REMOTE_H
#define TIDINGS_CTL_REMOTE_H

#include "core/base.h"
#include "core/buf.h"
#include "core/json.h"
#include "ctl/ctl.h"

/*
 * Sends the line, which ends in a line feed. The answer, which lives in doc, its text in *answer; or NULL, having said
 * on stderr what went wrong. Waits up to ten seconds.
 */
const struct json *remote_ask(const struct conf *conf, const char *line, struct json_doc *doc, struct buf *answer);

#endif
