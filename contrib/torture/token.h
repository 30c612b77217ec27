/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TIDINGS_TORTURE_TOKEN_H
#define TIDINGS_TORTURE_TOKEN_H

/* A JSON Web Token for user pN, HS256, valid for 30 days. To be freed. */
char *token_for(unsigned user, const char *secret);

#endif
