/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS over a BIO of our own, which reads from the bytes at hand and writes to
 * whoever sends: nothing is buffered twice, and OpenSSL gives its own buffers back
 * while a connection is idle (SSL_MODE_RELEASE_BUFFERS).
 */
#include "core/base.h"
#include "net/tls.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "core/log.h"

struct tls_server {
	SSL_CTX *ctx;
	const struct tls_tickets *tickets;
	void *tickets_ctx;
};

/* What a client may make us send beside what we mean to, as by asking for new keys again and again. */
#define REPLIES_MAX 65536

struct tls {
	SSL *ssl;
	tls_send_fn *send;
	void *ctx;
	const char *in; /* received, and not read by OpenSSL yet */
	size_t in_len;
	bool receiving;
	bool established; /* the first handshake is over; OpenSSL is within one again when keys are updated */
	size_t replies;	  /* bytes that were sent while receiving, after the handshake */
};

/* The reason OpenSSL gives, on one line, to be freed. */
static char *openssl_reason(const char *what)
{
	char text[256];
	unsigned long code = ERR_get_error();
	ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	return xasprintf("%s: %s", what, code != 0 ? text : "unknown");
}

/* ---- the BIO ---- */

static int bio_read(BIO *b, char *out, int max)
{
	struct tls *t = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	if (t->in_len == 0) {
		BIO_set_retry_read(b);
		return -1;
	}
	size_t n = t->in_len < (size_t)max ? t->in_len : (size_t)max;
	memcpy(out, t->in, n);
	t->in += n;
	t->in_len -= n;
	return (int)n;
}

static int bio_write(BIO *b, const char *data, int len)
{
	struct tls *t = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	if (t->receiving && t->established)
		t->replies += (size_t)len;
	t->send(data, (size_t)len, t->ctx);
	return len;
}

static long bio_ctrl(BIO *b, int command, long number, void *pointer)
{
	(void)b;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method(void)
{
	static BIO_METHOD *method;
	if (method == NULL) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
		ASSERT(method != NULL);
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_ctrl(method, bio_ctrl);
	}
	return method;
}

/* ---- session tickets ---- */

static bool set_hmac_key(EVP_MAC_CTX *mac, struct tls_ticket_key *key)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->hmac, sizeof(key->hmac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
		OSSL_PARAM_construct_end(),
	};
	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 good, 2 good and to be renewed, 0 unknown, -1 failed. */
static int on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
			 int encrypts)
{
	const struct tls_server *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const EVP_CIPHER *aes = EVP_aes_256_cbc();
	struct tls_ticket_key key;
	bool newest = true, done;
	if (encrypts) {
		s->tickets->newest(&key, s->tickets_ctx);
		memcpy(name, key.name, sizeof(key.name));
		done = RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes)) == 1 &&
		       EVP_EncryptInit_ex(cipher, aes, NULL, key.aes, iv) == 1 && set_hmac_key(mac, &key);
	} else {
		if (!s->tickets->find(name, &key, &newest, s->tickets_ctx))
			return 0;
		done = EVP_DecryptInit_ex(cipher, aes, NULL, key.aes, iv) == 1 && set_hmac_key(mac, &key);
	}
	explicit_bzero(&key, sizeof(key));
	return !done ? -1 : encrypts || newest ? 1 : 2;
}

/* ---- what connections share ---- */

static SSL_CTX *context_new(const struct conf *conf, char **err_r)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	const char *what = NULL;
	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
		what = "tls";
	else if (SSL_CTX_use_certificate_chain_file(ctx, conf->tls.certificate) != 1)
		what = "tls.certificate";
	else if (SSL_CTX_use_PrivateKey_file(ctx, conf->tls.key, SSL_FILETYPE_PEM) != 1)
		what = "tls.key";
	else if (SSL_CTX_check_private_key(ctx) != 1)
		what = "tls.key does not belong to tls.certificate";
	if (what == NULL)
		return ctx;
	*err_r = openssl_reason(what);
	SSL_CTX_free(ctx);
	return NULL;
}

char *tls_fault(const struct conf *conf)
{
	char *reason;
	SSL_CTX *ctx = context_new(conf, &reason);
	if (ctx == NULL)
		return reason;
	SSL_CTX_free(ctx);
	return NULL;
}

struct tls_server *tls_server_new(const struct conf *conf, const struct tls_tickets *tickets, void *ctx, char **err_r)
{
	SSL_CTX *shared = context_new(conf, err_r);
	if (shared == NULL)
		return NULL;
	struct tls_server *s = xcalloc(1, sizeof(*s));
	*s = (struct tls_server){.ctx = shared, .tickets = tickets, .tickets_ctx = ctx};
	SSL_CTX_set_app_data(shared, s);
	/* Renegotiation is a way to make us work; compression and early data leak or can be replayed. */
	SSL_CTX_set_options(shared, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
					    SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(shared, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(shared, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(shared, (const unsigned char *)PACKAGE_NAME, sizeof(PACKAGE_NAME) - 1);
	if (tickets == NULL)
		SSL_CTX_set_options(shared, SSL_OP_NO_TICKET);
	else
		SSL_CTX_set_tlsext_ticket_key_evp_cb(shared, on_ticket_key);
	return s;
}

void tls_server_free(struct tls_server **server)
{
	struct tls_server *s = *server;
	if (s == NULL)
		return;
	SSL_CTX_free(s->ctx);
	free(s);
	*server = NULL;
}

/* ---- one connection ---- */

struct tls *tls_new(struct tls_server *s, tls_send_fn *send, void *ctx)
{
	struct tls *t = xcalloc(1, sizeof(*t));
	BIO *bio = BIO_new(bio_method());
	t->ssl = SSL_new(s->ctx);
	t->send = send;
	t->ctx = ctx;
	ASSERT(t->ssl != NULL && bio != NULL);
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_accept_state(t->ssl);
	return t;
}

void tls_free(struct tls **tls)
{
	struct tls *t = *tls;
	if (t == NULL)
		return;
	SSL_free(t->ssl);
	free(t);
	*tls = NULL;
}

bool tls_is_shaking_hands(const struct tls *t)
{
	return !t->established;
}

static enum tls_progress read_all(struct tls *t, char *out, size_t max, size_t *len_r)
{
	for (;;) {
		size_t n = 0;
		int done = SSL_read_ex(t->ssl, out + *len_r, max - *len_r, &n);
		*len_r += n;
		if (t->replies > REPLIES_MAX)
			return TLS_FAILED;
		if (done == 1)
			continue;
		switch (SSL_get_error(t->ssl, done)) {
		case SSL_ERROR_WANT_READ:
			return TLS_OK;
		case SSL_ERROR_ZERO_RETURN:
			return TLS_END;
		default:
			return TLS_FAILED;
		}
	}
}

enum tls_progress tls_receive(struct tls *t, const char *data, size_t len, char *out, size_t *len_r)
{
	*len_r = 0;
	t->in = data;
	t->in_len = len;
	ERR_clear_error();
	t->receiving = true;
	enum tls_progress progress = read_all(t, out, len + TLS_RECORD_MAX, len_r);
	if (progress == TLS_FAILED) {
		char *reason = openssl_reason("tls");
		log_debug("%s", reason);
		free(reason);
	}
	t->receiving = false;
	t->established |= SSL_is_init_finished(t->ssl);
	t->in = NULL;
	t->in_len = 0;
	return progress;
}

void tls_write(struct tls *t, const void *data, size_t len)
{
	size_t written;
	ERR_clear_error();
	/* The BIO takes everything, so all of it is written or the connection has failed, which reading will tell. */
	if (len != 0 && SSL_write_ex(t->ssl, data, len, &written) != 1)
		ERR_clear_error();
}

void tls_end(struct tls *t)
{
	ERR_clear_error();
	if (SSL_is_init_finished(t->ssl) && SSL_shutdown(t->ssl) < 0)
		ERR_clear_error();
}

/* ---- authorities ---- */

struct tls_roots {
	X509_STORE *store;
};

struct tls_roots *tls_roots_new(const char *ca_file, char **err_r)
{
	X509_STORE *store = X509_STORE_new();
	ASSERT(store != NULL);
	ERR_clear_error();
	if (X509_STORE_set_default_paths(store) != 1 ||
	    (ca_file[0] != '\0' && X509_STORE_load_file(store, ca_file) != 1)) {
		*err_r = openssl_reason(ca_file[0] != '\0' ? ca_file : "authorities");
		X509_STORE_free(store);
		return NULL;
	}
	/* One in the middle of a chain may be trusted, too. */
	X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
	struct tls_roots *r = xcalloc(1, sizeof(*r));
	r->store = store;
	return r;
}

void tls_roots_use(struct tls_roots *roots, void *ssl_ctx)
{
	SSL_CTX_set1_cert_store(ssl_ctx, roots->store);
}

void tls_roots_free(struct tls_roots **rp)
{
	struct tls_roots *r = *rp;
	if (r == NULL)
		return;
	X509_STORE_free(r->store);
	free(r);
	*rp = NULL;
}
