/* SPDX-License-Identifier: BSD-2-Clause */
/* A service account's file is read, or refused with the reason; what is asked of Google, and what it answers. */
#include "core/base.h"
#include "core/fcm.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "core/base64url.h"

#include "../tap.h"

/* A new RSA key's PEM, with \n in place of line feeds as in a JSON string. */
static char *make_key(void)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	BIO *bio = BIO_new(BIO_s_mem());
	struct buf out = {0};
	char *data;
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	long len = BIO_get_mem_data(bio, &data);
	for (long i = 0; i < len; i++)
		if (data[i] == '\n')
			buf_append(&out, "\\n", 2);
		else
			buf_append_char(&out, data[i]);
	char *text = xstrdup(buf_cstr(&out));
	buf_fini(&out);
	BIO_free(bio);
	EVP_PKEY_free(key);
	return text;
}

static char *file(const char *type, const char *project, const char *email, const char *uri, const char *key)
{
	return xasprintf("{\"type\":\"%s\",\"project_id\":\"%s\",\"client_email\":\"%s\",\"token_uri\":\"%s\","
			 "\"private_key_id\":\"k1\",\"private_key\":\"%s\"}",
			 type, project, email, uri, key);
}

static void refused(char *text, const char *reason)
{
	struct fcm_account a;
	const char *err = NULL;
	int got = fcm_account_read(str_from(text), &a, &err);
	ok(got == -1 && err != NULL && strstr(err, reason) != NULL, "%s: %s", reason, err != NULL ? err : "taken");
	fcm_account_fini(&a);
	free(text);
}

int main(void)
{
	static const char type[] = "service_account", email[] = "push@p.iam.example", uri[] = "https://oauth2.example/token";
	struct fcm_account a;
	const char *err;
	char *key = make_key(), *text = file(type, "proj-1", email, uri, key), claims[512], *token = NULL;
	struct buf out = {0};
	int64_t secs = 0;
	size_t len = 0;

	is_int(fcm_account_read(str_from(text), &a, &err), 0, "a service account");
	is_str(a.project_id, "proj-1", "its project");
	is_int(fcm_put_token_request(&a, 1000, &out), 0, "the request for a token");
	const char *assertion = strstr(buf_cstr(&out), "&assertion=");
	ok(assertion != NULL && strncmp(out.data, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&", 65) == 0,
	   "is a form");
	const char *second = assertion != NULL ? strchr(assertion, '.') + 1 : "";
	is_int(base64url_decode((struct str){second, strcspn(second, ".")}, claims, &len), 0, "with claims");
	claims[len] = '\0';
	is_str(claims,
	       "{\"iss\":\"push@p.iam.example\",\"scope\":\"https://www.googleapis.com/auth/firebase.messaging\","
	       "\"aud\":\"https://oauth2.example/token\",\"iat\":1000,\"exp\":4600}",
	       "for an hour");
	fcm_account_fini(&a);
	free(text);

	refused(xstrdup("{"), "not JSON");
	refused(xstrdup("[]"), "service_account");
	refused(file("authorized_user", "p", email, uri, key), "service_account");
	refused(file(type, "", email, uri, key), "project_id");
	refused(file(type, "a/b", email, uri, key), "project_id");
	refused(file(type, "p", "a\\\"b", uri, key), "client_email");
	refused(file(type, "p", email, "ftp://x", key), "token_uri");
	refused(file(type, "p", email, uri, "junk"), "no private key");

	is_int(fcm_take_token(STR_LIT("{\"access_token\":\"ya29.x\",\"expires_in\":3599,\"token_type\":\"Bearer\"}"), &token, &secs),
	       0, "an answer");
	is_str(token, "ya29.x", "its token");
	is_int(secs, 3599, "and how long it lasts");
	free(token);
	static const char *const bad[] = {"", "{}", "null", "{\"access_token\":\"x\"}", "{\"access_token\":\"x\",\"expires_in\":0}",
					  "{\"access_token\":\"a\\nb\",\"expires_in\":5}", "{\"access_token\":5,\"expires_in\":5}"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		is_int(fcm_take_token(str_from(bad[i]), &token, &secs), -1, "'%s' is none", bad[i]);
	buf_fini(&out);
	free(key);
	return done_testing();
}
