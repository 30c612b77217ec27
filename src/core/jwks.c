/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads key sets: see jwks.h. Decides which keys are taken, for which algorithm, and
 * what is said of the others; whether numbers make a key is pubkey.c's to say.
 */
#include "core/base.h"
#include "core/jwks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base64url.h"
#include "core/conf_table.h"
#include "core/json.h"
#include "core/pubkey.h"

#define QUOTE_MAX 64 /* bytes of a foreign word in a warning */

/* What a kty (and crv) is here. */
struct kind {
	const char *kty, *crv;		 /* crv NULL: it has none */
	enum conf_jwt_algorithm implied; /* where there is no alg */
	const char *first, *second;	 /* its members; second may be NULL */
};

static const struct kind kinds[] = {
	{"RSA", NULL, JWT_RS256, "n", "e"},
	{"EC", "P-256", JWT_ES256, "x", "y"},
	{"OKP", "Ed25519", JWT_EDDSA, "x", NULL},
	{"oct", NULL, JWT_HS256, "k", NULL},
};

struct reading {
	struct jwks *set;
	const struct json *jwk;
	size_t number;	/* within the set, from 1 */
	struct str kid; /* absent until it is known to be good */
};

static void tell(struct conf_list *list, const struct reading *r, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);
static void tell(struct conf_list *list, const struct reading *r, const char *fmt, va_list ap)
{
	struct buf text = {0};
	char what[256];

	vsnprintf(what, sizeof(what), fmt, ap);
	if (r->kid.s != NULL)
		buf_printf(&text, "key \"%.*s\": %s", (int)r->kid.len, r->kid.s, what);
	else
		buf_printf(&text, "key %zu: %s", r->number, what);
	conf_list_add(list, buf_cstr(&text));
	buf_fini(&text);
}

static void fault(const struct reading *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void fault(const struct reading *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell(&r->set->faults, r, fmt, ap);
	va_end(ap);
}

static void warning(const struct reading *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void warning(const struct reading *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell(&r->set->warnings, r, fmt, ap);
	va_end(ap);
}

static void warn_unknown(const struct reading *r, const char *member, struct str value)
{
	int len = (int)(value.len < QUOTE_MAX ? value.len : QUOTE_MAX);
	warning(r, "passed over: its %s '%.*s' is not known here", member, len, value.s);
}

static bool is_string(const struct json *v)
{
	return v != NULL && v->type == JSON_STRING;
}

static bool has_string(const struct json *array, const char *text)
{
	for (const struct json *e = array->child; e != NULL; e = e->next) {
		if (is_string(e) && str_is(e->text, text))
			return true;
	}
	return false;
}

/* RFC 7517 sections 4.2 and 4.3. */
static bool is_for_verifying(const struct reading *r)
{
	const struct json *use = json_get(r->jwk, "use"), *ops = json_get(r->jwk, "key_ops");

	if (use != NULL && !is_string(use))
		fault(r, "use is not a string");
	else if (ops != NULL && ops->type != JSON_ARRAY)
		fault(r, "key_ops is not an array");
	else
		return (use == NULL || str_is(use->text, "sig")) && (ops == NULL || has_string(ops, "verify"));
	return false;
}

static bool read_kid(struct reading *r)
{
	const struct json *kid = json_get(r->jwk, "kid");

	if (!is_string(kid) || kid->has_nul || kid->text.len == 0 || kid->text.len > CONF_KID_MAX) {
		fault(r, "kid is not a string of 1 to %d bytes", CONF_KID_MAX);
		return false;
	}
	r->kid = kid->text;
	for (size_t i = 0; i < r->set->count; i++) {
		if (str_is(r->kid, r->set->keys[i].kid)) {
			fault(r, "its kid was there before");
			return false;
		}
	}
	return true;
}

static const struct kind *find_kind(const struct reading *r)
{
	const struct json *kty = json_get(r->jwk, "kty"), *crv = json_get(r->jwk, "crv");

	if (!is_string(kty)) {
		fault(r, "kty is not a string");
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!str_is(kty->text, kinds[i].kty))
			continue;
		if (kinds[i].crv == NULL || (is_string(crv) && str_is(crv->text, kinds[i].crv)))
			return &kinds[i];
		if (is_string(crv))
			warn_unknown(r, "crv", crv->text);
		else
			fault(r, "crv is not a string");
		return NULL;
	}
	warn_unknown(r, "kty", kty->text);
	return NULL;
}

static bool read_algorithm(const struct reading *r, const struct kind *kind, int *algorithm_r)
{
	const struct json *alg = json_get(r->jwk, "alg");
	bool hmac = conf_jwt_algorithm_is_hmac(kind->implied);

	*algorithm_r = (int)kind->implied;
	if (alg == NULL)
		return true;
	if (!is_string(alg)) {
		fault(r, "alg is not a string");
		return false;
	}
	for (int a = JWT_HS256; a <= JWT_EDDSA; a++) {
		enum conf_jwt_algorithm known = (enum conf_jwt_algorithm)a;
		if (!str_is(alg->text, conf_jwt_algorithm_name(known)))
			continue;
		*algorithm_r = a;
		if (known == kind->implied || (hmac && conf_jwt_algorithm_is_hmac(known)))
			return true;
		fault(r, "its alg %s is not one of a kty %s", conf_jwt_algorithm_name(known), kind->kty);
		return false;
	}
	warn_unknown(r, "alg", alg->text);
	return false;
}

/* Decodes the member into *bytes_r, whose memory is the caller's to wipe and free also where this fails. */
static bool read_bytes(const struct reading *r, const char *name, char **memory_r, struct str *bytes_r)
{
	const struct json *v = json_get(r->jwk, name);

	if (is_string(v)) {
		*memory_r = xmalloc(v->text.len + 1);
		bytes_r->s = *memory_r;
		if (base64url_decode(v->text, *memory_r, &bytes_r->len) == 0)
			return true;
	}
	fault(r, "%s is not a string in base64url", name);
	return false;
}

static bool take_secret(const struct reading *r, struct conf_jwt_key *key, struct str secret)
{
	if (secret.len < CONF_HMAC_SECRET_MIN) {
		fault(r, "the secret has %zu bytes; %s needs %d or more", secret.len,
		      conf_jwt_algorithm_name((enum conf_jwt_algorithm)key->algorithm), CONF_HMAC_SECRET_MIN);
		return false;
	}
	key->secret = xmalloc(secret.len);
	key->secret_len = secret.len;
	memcpy(key->secret, secret.s, secret.len);
	return true;
}

static bool take_public_key(const struct reading *r, struct conf_jwt_key *key, struct str first, struct str second)
{
	static const char *const private[] = {"d", "p", "q", "dp", "dq", "qi", "oth"};
	const char *why;

	key->public_key = pubkey_pem((enum conf_jwt_algorithm)key->algorithm, first, second, &why);
	if (key->public_key == NULL) {
		fault(r, "%s", why);
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(private); i++) {
		if (json_get(r->jwk, private[i]) == NULL)
			continue;
		warning(r, "it is a private key, which does not belong here; only its public part is used");
		break;
	}
	return true;
}

static bool read_material(const struct reading *r, const struct kind *kind, struct conf_jwt_key *key)
{
	char *memory[2] = {NULL, NULL};
	struct str first = {"", 0}, second = {"", 0};
	bool taken = read_bytes(r, kind->first, &memory[0], &first) &&
		     (kind->second == NULL || read_bytes(r, kind->second, &memory[1], &second));

	if (taken && conf_jwt_algorithm_is_hmac(kind->implied))
		taken = take_secret(r, key, first);
	else if (taken)
		taken = take_public_key(r, key, first, second);
	conf_wipe(&memory[0], first.len);
	conf_wipe(&memory[1], second.len);
	return taken;
}

static void add_key(const struct reading *r, struct conf_jwt_key key)
{
	struct jwks *set = r->set;

	key.kid = xstrndup(r->kid.s, r->kid.len);
	key.secret_file = xstrdup("");
	key.public_key_file = xstrdup("");
	if (key.secret == NULL)
		key.secret = xstrdup("");
	if (key.public_key == NULL)
		key.public_key = xstrdup("");
	set->keys = xrealloc(set->keys, (set->count + 1) * sizeof(*set->keys));
	set->keys[set->count++] = key;
}

static void read_key(struct jwks *set, const struct json *jwk, size_t number)
{
	struct reading r = {.set = set, .jwk = jwk, .number = number};
	struct conf_jwt_key key = {0};
	const struct kind *kind;

	if (jwk->type != JSON_OBJECT) {
		fault(&r, "it is not an object");
		return;
	}
	if (!is_for_verifying(&r) || !read_kid(&r))
		return;
	kind = find_kind(&r);
	if (kind != NULL && read_algorithm(&r, kind, &key.algorithm) && read_material(&r, kind, &key))
		add_key(&r, key);
}

static void read_set(struct jwks *set, const struct json *root)
{
	const struct json *keys = json_get(root, "keys");
	size_t number = 0;

	if (keys == NULL || keys->type != JSON_ARRAY) {
		conf_list_add(&set->faults, "there is no key set: an object with an array \"keys\"");
		return;
	}
	if (keys->count > JWKS_KEYS_MAX) {
		conf_list_add(&set->faults, "there are too many keys");
		return;
	}
	for (const struct json *jwk = keys->child; jwk != NULL; jwk = jwk->next)
		read_key(set, jwk, ++number);
}

/* The strings are the document's copies, and some are secrets. */
static void wipe_strings(const struct json *v)
{
	if (v->type == JSON_STRING)
		explicit_bzero((char *)v->text.s, v->text.len);
	for (const struct json *m = v->child; m != NULL; m = m->next)
		wipe_strings(m);
}

void jwks_read(struct jwks *set_r, struct str text)
{
	struct json_doc *doc = json_doc_new();
	const char *why;
	const struct json *root = json_parse(doc, text, &why);

	*set_r = (struct jwks){0};
	if (root == NULL) {
		char *said = xasprintf("it is not JSON: %s", why);
		conf_list_add(&set_r->faults, said);
		free(said);
	} else {
		read_set(set_r, root);
		wipe_strings(root);
	}
	json_doc_free(&doc);
}
