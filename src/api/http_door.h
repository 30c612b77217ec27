/* SPDX-License-Identifier: BSD-2-Clause */
/* The HTTP doors: path, method, token, size, type, body, then the command (contract, section 1). */
#ifndef TIDINGS_API_HTTP_DOOR_H
#define TIDINGS_API_HTTP_DOOR_H

#include "core/base.h"
#include "api/api.h"
#include "net/http.h"

extern const struct http_handler http_door;
/* admin.listen: its three paths for monitoring (contract, section 6), and /admin/ (section 12). */
extern const struct http_handler admin_door;
/* What the doors have in common: as the callbacks of struct http_handler. */
enum http_verdict door_head(struct api *api, struct http_req *req, bool on_admin);
void door_request(struct http_req *req, void *ctx);
void door_aborted(struct http_req *req, void *ctx);
void door_body(struct http_req *req, struct str part, void *ctx);
/* Counts and logs the requests of the public one (observe.c). */
extern const struct http_observer door_observer, admin_observer;
/* Its `admits` and `left`: so that one address alone cannot take all there is. */
enum http_admission door_admits(const struct addr *peer, void *ctx);
void door_left(const struct addr *peer, void *ctx);

#endif
