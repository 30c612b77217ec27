/* SPDX-License-Identifier: BSD-2-Clause */
/* The public HTTP door: path, method, token, size, type, body, then the command (contract, section 1). */
#ifndef TIDINGS_API_HTTP_DOOR_H
#define TIDINGS_API_HTTP_DOOR_H

#include "core/base.h"
#include "net/http.h"

extern const struct http_handler http_door;
/* The same with the three paths of admin.listen (contract, section 6). */
extern const struct http_handler admin_door;
/* Counts and logs the requests of the public one (observe.c). */
extern const struct http_observer door_observer, admin_observer;
/* Its `admits` and `left`: so that one address alone cannot take all there is. */
enum http_admission door_admits(const struct addr *peer, void *ctx);
void door_left(const struct addr *peer, void *ctx);

#endif
