/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Redis' protocol (RESP2) through hiredis: replies out of bytes, commands into bytes. The only door to hiredis;
 * knows no socket. Only hiredis' reader is used: its own connections abort on replies they do not know.
 */
#ifndef TIDINGS_BUS_RESP_H
#define TIDINGS_BUS_RESP_H

#include "core/base.h"
#include "core/buf.h"

enum resp_type { RESP_NIL, RESP_STATUS, RESP_ERROR, RESP_INTEGER, RESP_STRING, RESP_ARRAY };

struct resp {
	enum resp_type type;
	int64_t integer;    /* RESP_INTEGER */
	struct str text;    /* RESP_STATUS, RESP_ERROR, RESP_STRING */
	size_t count;	    /* RESP_ARRAY */
	struct resp **item; /* RESP_ARRAY; all set in a whole reply */
};

/* Nothing that Redis has to say to us is larger or longer: such a reply is an error. Arrays hold no arrays. */
#define RESP_MAX_BYTES (2u << 20)
#define RESP_MAX_ITEMS 1024
#define RESP_MAX_ARGS 512

struct resp_reader;

struct resp_reader *resp_reader_new(void);
void resp_reader_free(struct resp_reader **r);
/* After -1 (with a reason in *err_r, borrowed from the reader) the reader is only good for freeing. */
int resp_feed(struct resp_reader *r, const char *data, size_t len, const char **err_r) MUST_CHECK;
/* 1: a reply in *out_r, to be freed by resp_free; 0: none before more is fed; -1 as above. */
int resp_next(struct resp_reader *r, struct resp **out_r, const char **err_r) MUST_CHECK;
/* NULL is allowed. */
void resp_free(struct resp *reply);

/* Appends a command of 1 to RESP_MAX_ARGS words. */
void resp_command(struct buf *out, size_t argc, const struct str *argv);

#endif
