/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Key sets: which keys are taken and for which algorithm, which are passed over, which are faults; that the
 * keys taken verify what their private halves sign; and what the configuration says of them.
 */
#include "core/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/core_names.h>

#include "core/jwks.h"
#include "token_kit.h"
#include "../tap.h"

#define K32 "\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"" /* SECRET */
#define OCT "\"kty\":\"oct\"," K32
#define OKP_X "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define OKP "\"kty\":\"OKP\",\"crv\":\"Ed25519\"," OKP_X
#define EC_XY                                                                                                          \
	"\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\""
#define EC "\"kty\":\"EC\",\"crv\":\"P-256\"," EC_XY

static char dir[] = "/tmp/tidings-jwks-XXXXXX";

static void fini(struct jwks *set)
{
	for (size_t i = 0; i < set->count; i++)
		conf_jwt_key_fini(&set->keys[i]);
	free(set->keys);
	conf_list_free(&set->faults);
	conf_list_free(&set->warnings);
}

/* The members of one key; what is said of it, or NULL; -1 or the algorithm it is taken for. */
struct example {
	const char *members, *fault, *warning;
	int algorithm;
};

static const struct example examples[] = {
	{"\"kid\":\"a\"," OCT, NULL, NULL, JWT_HS256},
	{"\"kid\":\"a\",\"alg\":\"HS256\"," OCT, NULL, NULL, JWT_HS256},
	{"\"kid\":\"a\",\"alg\":\"HS384\"," OCT, NULL, NULL, JWT_HS384},
	{"\"kid\":\"a\",\"alg\":\"HS512\"," OCT, NULL, NULL, JWT_HS512},
	{"\"kid\":\"a\"," EC, NULL, NULL, JWT_ES256},
	{"\"kid\":\"a\",\"alg\":\"ES256\"," EC, NULL, NULL, JWT_ES256},
	{"\"kid\":\"a\"," OKP, NULL, NULL, JWT_EDDSA},
	{"\"kid\":\"a\",\"alg\":\"EdDSA\"," OKP, NULL, NULL, JWT_EDDSA},
	{"\"kid\":\"a\",\"use\":\"sig\",\"x5t\":7,\"more\":{}," OKP, NULL, NULL, JWT_EDDSA},
	{"\"kid\":\"a\",\"key_ops\":[\"sign\",\"verify\"]," OCT, NULL, NULL, JWT_HS256},
	{"\"kid\":\"a b \xc3\xa9\"," OKP, NULL, NULL, JWT_EDDSA},
	/* passed over */
	{"\"kid\":\"a\",\"use\":\"enc\"," EC, NULL, NULL, -1},
	{"\"use\":\"enc\"," EC, NULL, NULL, -1},
	{"\"kid\":\"a\",\"key_ops\":[]," EC, NULL, NULL, -1},
	{"\"kid\":\"a\",\"key_ops\":[\"sign\",7]," OCT, NULL, NULL, -1},
	{"\"kid\":\"a\",\"use\":\"sig\",\"key_ops\":[\"deriveKey\"]," EC, NULL, NULL, -1},
	{"\"kid\":\"a\",\"kty\":\"AKP\",\"alg\":\"ML-DSA-44\",\"pub\":\"AA\"", NULL,
	 "key \"a\": passed over: its kty 'AKP' is not known here", -1},
	{"\"kid\":\"a\",\"kty\":\"rsa\"", NULL, "key \"a\": passed over: its kty 'rsa' is not known here", -1},
	{"\"kid\":\"a\",\"kty\":\"EC\",\"crv\":\"P-384\"," EC_XY, NULL,
	 "key \"a\": passed over: its crv 'P-384' is not known here", -1},
	{"\"kid\":\"a\",\"kty\":\"OKP\",\"crv\":\"X25519\"," OKP_X, NULL,
	 "key \"a\": passed over: its crv 'X25519' is not known here", -1},
	{"\"kid\":\"a\",\"alg\":\"PS256\",\"kty\":\"RSA\"", NULL,
	 "key \"a\": passed over: its alg 'PS256' is not known here", -1},
	{"\"kid\":\"a\",\"alg\":\"none\"," OCT, NULL, "key \"a\": passed over: its alg 'none' is not known here", -1},
	/* faults */
	{OKP, "key 1: kid is not a string of 1 to 128 bytes", NULL, -1},
	{"\"kid\":7," OKP, "key 1: kid is not a string of 1 to 128 bytes", NULL, -1},
	{"\"kid\":\"\"," OKP, "key 1: kid is not a string of 1 to 128 bytes", NULL, -1},
	{"\"kid\":\"a\\u0000\"," OKP, "key 1: kid is not a string of 1 to 128 bytes", NULL, -1},
	{"\"kid\":\"a\",\"use\":null," OKP, "key 1: use is not a string", NULL, -1},
	{"\"kid\":\"a\",\"key_ops\":\"verify\"," OKP, "key 1: key_ops is not an array", NULL, -1},
	{"\"kid\":\"a\"," K32, "key \"a\": kty is not a string", NULL, -1},
	{"\"kid\":\"a\",\"kty\":[\"oct\"]," K32, "key \"a\": kty is not a string", NULL, -1},
	{"\"kid\":\"a\",\"kty\":\"OKP\"," OKP_X, "key \"a\": crv is not a string", NULL, -1},
	{"\"kid\":\"a\",\"alg\":null," OKP, "key \"a\": alg is not a string", NULL, -1},
	{"\"kid\":\"a\",\"alg\":\"HS256\"," OKP, "key \"a\": its alg HS256 is not one of a kty OKP", NULL, -1},
	{"\"kid\":\"a\",\"alg\":\"RS256\"," OCT, "key \"a\": its alg RS256 is not one of a kty oct", NULL, -1},
	{"\"kid\":\"a\",\"alg\":\"EdDSA\"," EC, "key \"a\": its alg EdDSA is not one of a kty EC", NULL, -1},
	{"\"kid\":\"a\",\"kty\":\"oct\"", "key \"a\": k is not a string in base64url", NULL, -1},
	{"\"kid\":\"a\",\"kty\":\"oct\",\"k\":\"AAAA=\"", "key \"a\": k is not a string in base64url", NULL, -1},
	{"\"kid\":\"a\",\"kty\":\"oct\",\"k\":\"\"", "key \"a\": k is not a string in base64url", NULL, -1},
	{"\"kid\":\"a\",\"kty\":\"oct\",\"alg\":\"HS384\",\"k\":\"AAAA\"",
	 "key \"a\": the secret has 3 bytes; HS384 needs 32 or more", NULL, -1},
	{"\"kid\":\"a\",\"kty\":\"RSA\",\"n\":\"AQAB\"", "key \"a\": e is not a string in base64url", NULL, -1},
	{"\"kid\":\"a\",\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":65537", "key \"a\": e is not a string in base64url", NULL,
	 -1},
	{"\"kid\":\"a\",\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"",
	 "key \"a\": RS256: the RSA key has less than 2048 bits", NULL, -1},
	{"\"kid\":\"a\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"",
	 "key \"a\": the numbers do not make a public key", NULL, -1},
	{"\"kid\":\"a\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"",
	 "key \"a\": the numbers do not make a public key", NULL, -1},
	/* a private key */
	{"\"kid\":\"a\",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"," OKP, NULL,
	 "key \"a\": it is a private key, which does not belong here; only its public part is used", JWT_EDDSA},
};

static const char *only(const struct conf_list *list)
{
	return list->count == 0 ? NULL : list->count == 1 ? list->item[0] : "several";
}

static void test_examples(void)
{
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		const struct example *e = &examples[i];
		char *text = xasprintf("{\"keys\":[{%s}]}", e->members);
		struct jwks set;

		jwks_read(&set, str_from(text));
		is_int(set.count > 0 ? set.keys[0].algorithm : -1, e->algorithm, "%s", e->members);
		is_str(only(&set.faults), e->fault, "the fault");
		is_str(only(&set.warnings), e->warning, "the warning");
		if (set.count == 1 && conf_jwt_algorithm_is_hmac((enum conf_jwt_algorithm)set.keys[0].algorithm))
			ok(set.keys[0].secret_len == 32 && memcmp(set.keys[0].secret, SECRET, 32) == 0, "the secret");
		else if (set.count == 1)
			is_str(token_key_fault(&set.keys[0]), NULL, "a usable key");
		fini(&set);
		free(text);
	}
}

static void expect_fault(const char *text, const char *fault)
{
	struct jwks set;

	jwks_read(&set, str_from(text));
	is_str(only(&set.faults), fault, "%.60s", text);
	is_int(set.warnings.count, 0, "and no warning");
	fini(&set);
}

static void test_sets(void)
{
	static const char no_set[] = "there is no key set: an object with an array \"keys\"";
	struct buf many = {0};
	struct jwks set;

	expect_fault("", "it is not JSON: empty text");
	expect_fault("[]", no_set);
	expect_fault("{}", no_set);
	expect_fault("{\"keys\":{}}", no_set);
	expect_fault("\"keys\"", no_set);
	expect_fault("{\"keys\":[]}", NULL);
	expect_fault("{\"keys\":[],\"more\":1}", NULL);
	expect_fault("{\"keys\":[7]}", "key 1: it is not an object");
	expect_fault("{\"keys\":[{\"kid\":\"a\"," OKP "},{\"kid\":\"a\"," OCT "}]}",
		     "key \"a\": its kid was there before");
	expect_fault("{\"keys\":[{\"kid\":\"a\"," OKP "},{\"kid\":\"a\",\"use\":\"enc\"," EC "}]}", NULL);

	jwks_read(&set,
		  STR_LIT("{\"keys\":[{\"kid\":\"a\"," OKP "},[],{\"kid\":\"b\",\"kty\":\"new\"},{\"kid\":\"c\"," OCT
			  "},{\"kid\":\"d\",\"kty\":\"oct\"}]}"));
	is_int(set.count, 2, "the good ones of a set are there");
	ok(set.count == 2 && strcmp(set.keys[0].kid, "a") == 0 && strcmp(set.keys[1].kid, "c") == 0, "in their order");
	ok(set.faults.count == 2 && strcmp(set.faults.item[0], "key 2: it is not an object") == 0,
	   "all faults are told");
	is_int(set.warnings.count, 1, "and warnings");
	fini(&set);

	for (int i = 0; i <= JWKS_KEYS_MAX; i++)
		buf_printf(&many, "%s{\"kid\":\"%d\"," OCT "}", i == 0 ? "{\"keys\":[" : ",", i);
	buf_append_str(&many, STR_LIT("]}"));
	expect_fault(buf_cstr(&many), "there are too many keys");
	buf_fini(&many);
}

/* A number of a key as a member of its JWK. */
static char *number(EVP_PKEY *key, const char *name, const char *param)
{
	BIGNUM *n = NULL;
	unsigned char bytes[256];
	char *text, *member;
	int len;

	if (EVP_PKEY_get_bn_param(key, param, &n) != 1)
		abort();
	len = key == ec ? BN_bn2binpad(n, bytes, 32) : BN_bn2bin(n, bytes);
	text = encode(bytes, (size_t)len);
	member = xasprintf("\"%s\":\"%s\"", name, text);
	BN_free(n);
	free(text);
	return member;
}

static char *write_set(const char *path)
{
	char *n = number(rsa, "n", OSSL_PKEY_PARAM_RSA_N), *e = number(rsa, "e", OSSL_PKEY_PARAM_RSA_E);
	char *x = number(ec, "x", OSSL_PKEY_PARAM_EC_PUB_X), *y = number(ec, "y", OSSL_PKEY_PARAM_EC_PUB_Y), *ed_x;
	unsigned char raw[32];
	size_t len = sizeof(raw);
	FILE *f = fopen(path, "w");

	if (f == NULL || EVP_PKEY_get_raw_public_key(ed, raw, &len) != 1)
		abort();
	ed_x = encode(raw, len);
	fprintf(f,
		"{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"r\",%s,%s},\n{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e\",%s,"
		"%s},\n"
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"d\",\"x\":\"%s\"},\n{\"kid\":\"h\"," OCT "}]}\n",
		n, e, x, y, ed_x);
	fclose(f);
	free(n);
	free(e);
	free(x);
	free(y);
	free(ed_x);
	return xasprintf("jwks_file = '%s'", path);
}

static void verifies(struct token_keys *k, char how, const char *alg, const char *kid, const char *reason)
{
	char *header = xasprintf("{\"alg\":\"%s\",\"kid\":\"%s\"}", alg, kid);
	char *token = make(how, header, "{\"sub\":\"alice\",\"exp\":4000000000}");
	struct token_claims claims;
	const char *why = NULL;
	enum token_status status = token_verify(k, str_from(token), &claims, &why);

	is_str(status == TOKEN_OK ? NULL : why, reason, "%c as %s under the kid %s", how, alg, kid);
	free(token);
	free(header);
}

static void test_tokens(void)
{
	static const char alg[] = "the token's algorithm is not allowed", sig[] = "the token's signature is wrong";
	char *path = xasprintf("%s/jwks", dir), *option = write_set(path);
	struct token_keys *k = keys_of(option, NULL);

	verifies(k, 'R', "RS256", "r", NULL);
	verifies(k, 'E', "ES256", "e", NULL);
	verifies(k, 'D', "EdDSA", "d", NULL);
	verifies(k, 'H', "HS256", "h", NULL);
	verifies(k, '5', "HS512", "h", alg);
	verifies(k, 'R', "RS256", "e", alg);
	verifies(k, 'E', "EdDSA", "d", sig);
	verifies(k, 'H', "HS256", "r", alg);
	verifies(k, 'H', "HS256", "x", "the token's key is unknown");
	token_keys_free(&k);
	unlink(path);
	free(option);
	free(path);
}

/* The file's text, the options beside jwks_file, and what is said of both; %s is the file. */
static void expect_conf(const char *json, const char *options, const char *fault, const char *warning)
{
	char *path = xasprintf("%s/jwks", dir), *err = NULL, *want = NULL,
	     *head = xasprintf("t.conf:2: jwt.jwks_file: %s: ", path);
	char *text = xasprintf("accounts = false jwt {\njwks_file = '%s' %s }", path, options);
	FILE *f = fopen(path, "w");

	if (f == NULL || fputs(json, f) < 0 || fclose(f) != 0)
		abort();
	struct conf *c = conf_load_text("t.conf", text, strlen(text), &err);
	want = fault == NULL ? NULL : xasprintf("%s%s", head, fault);
	is_str(err, want, "%s: the fault", json);
	free(want);
	want = warning == NULL ? NULL : xasprintf("jwt.jwks_file: %s: %s", path, warning);
	is_str(c == NULL ? NULL : only(&c->warnings), want, "the warning");
	free(want);
	free(err);
	err = c == NULL ? NULL : conf_check_server(c);
	is_str(err, NULL, "a server needs no more");
	free(err);
	conf_free(&c);
	unlink(path);
	free(path);
	free(head);
	free(text);
}

static void test_configuration(void)
{
	expect_conf("{\"keys\":[{\"kid\":\"a\"," OKP "}]}", "", NULL, NULL);
	expect_conf("{\"keys\":[{\"kid\":\"a\"," OKP "},{\"kid\":\"b\",\"kty\":\"new\"}]}", "", NULL,
		    "key \"b\": passed over: its kty 'new' is not known here");
	expect_conf("{\"keys\":[]}", "secret = \"" SECRET "\"", NULL, NULL);
	expect_conf("{\"keys\":[{\"kid\":\"a\"," OKP "}]}", "key a { secret = \"" SECRET "\" }",
		    "key \"a\": the section jwt has a key of this kid", NULL);
	expect_conf("{\"keys\":[{\"kid\":\"a\\nb\",\"kty\":\"oct\"}]}", "",
		    "key \"a?b\": k is not a string in base64url", NULL);
	expect_conf("no set", "", "it is not JSON: lexical error: invalid string in json text., after byte 0", NULL);
}

int main(void)
{
	if (mkdtemp(dir) == NULL)
		return 1;
	kit_make_keys();
	test_examples();
	test_sets();
	test_tokens();
	test_configuration();
	kit_free_keys();
	rmdir(dir);
	return done_testing();
}
