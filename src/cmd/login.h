/* SPDX-License-Identifier: BSD-2-Clause */
/* What requests answer that begin, go on with or end a login. */
#ifndef TIDINGS_CMD_LOGIN_H
#define TIDINGS_CMD_LOGIN_H

#include "core/base.h"
#include "api/request.h"
#include "net/addr.h"
#include "store/login.h"

/* Where the request comes from, as a login shows it; "" for a UNIX socket. */
void login_address(const struct request *r, char out[ADDR_TEXT_MAX]);
/* The end of a request whose login has begun, or goes on. */
void login_answer(struct request *r, const struct store_login *l, int http_status);
/* The end of a request that ends logins (store_logins_ended_fn); arg: the request. */
void login_answer_ended(const struct store_logins_ended *e, void *arg);

/* NULL: an account may have that id, as far as the server's own names go. (account.c) */
const struct problem *account_reserved(struct request *r, struct str user) MUST_CHECK;

#endif
