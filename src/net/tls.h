/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS 1.2 and 1.3 on the server's side (RFC 5246, RFC 8446), through OpenSSL's libssl;
 * the only door to it, so the authorities that fetch.c trusts are here, too. A
 * filter without a socket of its own: a connection gives it what it has received and
 * gets back what the peer meant, and the other way round.
 */
#ifndef TIDINGS_NET_TLS_H
#define TIDINGS_NET_TLS_H

#include "core/base.h"
#include "core/conf.h"

struct tls;
struct tls_server;

#define TLS_TICKET_NAME_LEN 16
struct tls_ticket_key {
	unsigned char name[TLS_TICKET_NAME_LEN];
	unsigned char aes[32], hmac[32];
};
/* Whoever keeps the keys of session tickets. */
struct tls_tickets {
	/* The key for new tickets. */
	void (*newest)(struct tls_ticket_key *out, void *ctx);
	/* The key of that name; false where it is not known any more. *newest_r: it is the one for new tickets. */
	bool (*find)(const unsigned char name[TLS_TICKET_NAME_LEN], struct tls_ticket_key *out, bool *newest_r,
		     void *ctx);
};

/* Why certificate and key of the configuration cannot be used, to be freed; NULL if they can. */
char *tls_fault(const struct conf *conf) MUST_CHECK;

/* What all connections share. tickets may be NULL. NULL with a reason in *err_r, to be freed. */
struct tls_server *tls_server_new(const struct conf *conf, const struct tls_tickets *tickets, void *ctx,
				  char **err_r) MUST_CHECK;
/* After all its connections. */
void tls_server_free(struct tls_server **s);

/* Where the bytes for the peer go: called from within the functions below. */
typedef void tls_send_fn(const void *data, size_t len, void *ctx);

struct tls *tls_new(struct tls_server *s, tls_send_fn *send, void *ctx);
void tls_free(struct tls **t);
/* The handshake is not over, so that the next bytes may cost much. */
bool tls_is_shaking_hands(const struct tls *t);

enum tls_progress {
	TLS_OK,
	TLS_END,    /* the peer has said that it will send no more */
	TLS_FAILED, /* it does not speak TLS, or not what we speak; an alert was sent where there is one */
};
#define TLS_RECORD_MAX 16384
/*
 * Takes all of what was received; writes to `out`, which has room for TLS_RECORD_MAX bytes more than came in, what it
 * meant: the end of a record brings its beginning with it.
 */
enum tls_progress tls_receive(struct tls *t, const char *data, size_t len, char *out, size_t *len_r) MUST_CHECK;
/* What the peer shall get. Only after the handshake. */
void tls_write(struct tls *t, const void *data, size_t len);
/* The last word (close_notify). */
void tls_end(struct tls *t);

/* ---- whom we trust where we are the client of another server ---- */

struct tls_roots;
/* The system's authorities, which are read when they are needed, and those of a file in PEM ("": none). NULL with a
 * reason in *err_r, to be freed. */
struct tls_roots *tls_roots_new(const char *ca_file, char **err_r) MUST_CHECK;
/* For an SSL_CTX that another library has made. */
void tls_roots_use(struct tls_roots *roots, void *ssl_ctx);
/* What uses them may outlive them. NULL is allowed; *r becomes NULL. */
void tls_roots_free(struct tls_roots **r);

#endif
