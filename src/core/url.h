/* SPDX-License-Identifier: BSD-2-Clause */
/* Which web addresses are taken from clients; nothing here follows one. */
#ifndef TIDINGS_CORE_URL_H
#define TIDINGS_CORE_URL_H

#include "core/base.h"

/* In bytes. */
#define URL_MAX 2048

/* An http or https URL with a host, and without white space and control characters. Its length is not looked at. */
bool url_is_web(struct str url);
/* The same, or a mailto URL (RFC 6068) with something behind the colon. */
bool url_is_link(struct str url);

#endif
