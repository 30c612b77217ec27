/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS as a filter, against OpenSSL's own client: whatever the pieces it comes in, large and small, to its orderly
 * end; and of many handshakes only some a turn.
 */
#include "core/base.h"
#include "net/tls.h"

#include "net/conn.h"
#include "certificate.h"
#include "pair.h"
#include "../tap.h"

#include <openssl/ssl.h>
#include <stdlib.h>

static struct conf conf;
static SSL_CTX *client_ctx;

/* ---- the filter alone ---- */

struct peer {
	SSL *ssl;
	BIO *to_server, *from_server; /* memory */
};

static void to_client(const void *data, size_t len, void *ctx)
{
	struct peer *p = ctx;
	BIO_write(p->from_server, data, (int)len);
}

static struct peer peer_new(void)
{
	struct peer p = {SSL_new(client_ctx), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem())};
	SSL_set_bio(p.ssl, p.from_server, p.to_server);
	SSL_set_connect_state(p.ssl);
	return p;
}

static struct buf plain; /* what the server understood */

/* What the client has sent goes to the server in pieces of up to `most` bytes; the last progress. */
static enum tls_progress carry(struct peer *p, struct tls *t, size_t most)
{
	enum tls_progress progress = TLS_OK;
	char *piece = xmalloc(most), *out = xmalloc(most + TLS_RECORD_MAX);
	int n;
	while (progress == TLS_OK && (n = BIO_read(p->to_server, piece, (int)most)) > 0) {
		size_t len;
		progress = tls_receive(t, piece, (size_t)n, out, &len);
		buf_append(&plain, out, len);
	}
	free(piece);
	free(out);
	return progress;
}

static bool shake_hands(struct peer *p, struct tls *t, size_t most)
{
	for (int i = 0; i < 10 && (tls_is_shaking_hands(t) || SSL_in_init(p->ssl)); i++) {
		SSL_do_handshake(p->ssl);
		if (carry(p, t, most) != TLS_OK)
			return false;
	}
	return !tls_is_shaking_hands(t) && !SSL_in_init(p->ssl);
}

static void test_pieces(struct tls_server *s)
{
	static const size_t sizes[] = {1, 7, 1000, 65536};
	char *large = xmalloc(300000);
	for (size_t i = 0; i < 300000; i++)
		large[i] = (char)(i * 31 + i / 251);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct peer p = peer_new();
		struct tls *t = tls_new(s, to_client, &p);
		ok(shake_hands(&p, t, sizes[i]), "shakes hands in pieces of %zu", sizes[i]);
		buf_clear(&plain);
		SSL_write(p.ssl, large, 300000);
		ok(carry(&p, t, sizes[i]) == TLS_OK && plain.len == 300000 && memcmp(plain.data, large, plain.len) == 0,
		   "300,000 bytes come whole");
		tls_write(t, large, 300000);
		tls_write(t, "", 0);
		size_t got = 0;
		int n;
		char part[5000];
		bool same = true;
		while ((n = SSL_read(p.ssl, part, sizeof(part))) > 0) {
			same &= memcmp(part, large + got, (size_t)n) == 0;
			got += (size_t)n;
		}
		ok(got == 300000 && same, "and go whole");
		SSL_shutdown(p.ssl);
		ok(carry(&p, t, sizes[i]) == TLS_END, "the client's last word is the end");
		tls_end(t);
		ok(SSL_read(p.ssl, part, 1) <= 0 && (SSL_get_shutdown(p.ssl) & SSL_RECEIVED_SHUTDOWN) != 0,
		   "and ours reaches the client");
		tls_free(&t);
		SSL_free(p.ssl);
	}
	free(large);
}

static void test_junk(struct tls_server *s)
{
	static const struct str junk[] = {STR_LIT("GET / HTTP/1.1\r\n\r\n"), STR_LIT("\x16\x03\x01\xff\xff"),
					  STR_LIT("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"),
					  STR_LIT("\x15\x03\x03\x00\x02\x02\x28"), STR_LIT("\x17\x03\x03\x00\x01x")};
	for (size_t i = 0; i < ARRAY_LEN(junk); i++) {
		struct peer p = peer_new();
		struct tls *t = tls_new(s, to_client, &p);
		BIO_write(p.to_server, junk[i].s, (int)junk[i].len);
		ok(carry(&p, t, 3) == TLS_FAILED, "junk %zu is refused", i);
		tls_write(t, "x", 1);
		tls_end(t);
		tls_free(&t);
		SSL_free(p.ssl);
	}
}

/* Each asks for an answer, which nobody reads. */
static void test_key_updates(struct tls_server *s)
{
	struct peer p = peer_new();
	struct tls *t = tls_new(s, to_client, &p);
	ok(shake_hands(&p, t, 1000), "shakes hands");
	enum tls_progress progress = TLS_OK;
	int asked = 0;
	while (progress == TLS_OK && asked < 10000) {
		asked++;
		SSL_key_update(p.ssl, SSL_KEY_UPDATE_REQUESTED);
		SSL_write(p.ssl, "x", 1);
		progress = carry(&p, t, 65536);
	}
	ok(progress == TLS_FAILED && asked > 100, "new keys may be asked for, but not without end: %d times", asked);
	tls_free(&t);
	SSL_free(p.ssl);
}

/* ---- on connections ---- */

static size_t take_nothing(struct conn *c, char *data, size_t len, void *owner)
{
	(void)c;
	(void)data;
	(void)owner;
	return len;
}

static const struct conn_handler silent = {.input = take_nothing};

static void test_budget(struct tls_server *s)
{
	enum { CLIENTS = 3 * LOOP_HANDSHAKES_A_TURN };
	struct addr peer = {.sa.ss_family = AF_UNIX, .len = sizeof(sa_family_t)};
	struct conn *c[CLIENTS];
	struct peer p[CLIENTS];
	int fd[CLIENTS];
	char hello[4096];
	for (int i = 0; i < CLIENTS; i++) {
		int pair[2];
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
			abort();
		fd[i] = pair[1];
		c[i] = conn_new(loop, pair[0], &peer, &silent, NULL);
		conn_start_tls(c[i], s);
		p[i] = peer_new();
		SSL_do_handshake(p[i].ssl);
		int n = BIO_read(p[i].to_server, hello, sizeof(hello));
		if (n <= 0 || write(fd[i], hello, (size_t)n) != n)
			abort();
	}
	int answered = 0, turns = 0, most = 0;
	while (answered < CLIENTS && turns++ < 100) {
		int now = 0;
		loop_turn(loop);
		for (int i = 0; i < CLIENTS; i++) {
			char byte;
			now += recv(fd[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
		}
		if (now - answered > most)
			most = now - answered;
		answered = now;
	}
	is_int(answered, CLIENTS, "every handshake is answered");
	ok(most <= LOOP_HANDSHAKES_A_TURN, "but not more than %d a turn", LOOP_HANDSHAKES_A_TURN);
	for (int i = 0; i < CLIENTS; i++) {
		conn_close(c[i], "test");
		close(fd[i]);
		SSL_free(p[i].ssl);
	}
	loop_settle(loop);
}

static void test_faults(void)
{
	char *why = tls_fault(&conf);
	ok(why == NULL, "the pair is good");
	struct conf other = {.tls = {.certificate = certificate, .key = certificate}};
	why = tls_fault(&other);
	ok(why != NULL && strncmp(why, "tls.key", 7) == 0, "a certificate is no key: %s", why);
	free(why);
	other.tls.certificate = key;
	why = tls_fault(&other);
	ok(why != NULL && strncmp(why, "tls.certificate", 15) == 0, "a key is no certificate: %s", why);
	free(why);
}

int main(void)
{
	char *why;
	make_certificate(&conf);
	client_ctx = SSL_CTX_new(TLS_client_method());
	loop = loop_new();
	struct tls_server *s = tls_server_new(&conf, NULL, NULL, &why);
	ok(s != NULL, "a server");
	if (s != NULL) {
		test_pieces(s);
		test_junk(s);
		test_key_updates(s);
		test_budget(s);
	}
	test_faults();
	tls_server_free(&s);
	loop_free(&loop);
	SSL_CTX_free(client_ctx);
	buf_fini(&plain);
	remove_certificate();
	return done_testing();
}
