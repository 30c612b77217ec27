/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Public keys from numbers: the keys of the RFCs' examples are taken and verify what was
 * signed there; numbers that are no key, or a weak one, are not.
 */
#include "core/base.h"

#include <stdlib.h>

#include "core/base64url.h"
#include "core/pubkey.h"
#include "../tap.h"

/* RFC 7517, appendix A.1. */
#define RSA_N                                                                                                          \
	"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3" \
	"oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA" \
	"ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-" \
	"kEgU8awapJzKnqDKgw"
#define EC_X "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"
#define EC_Y "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
/* RFC 8037, appendix A. */
#define ED_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define ED_TEXT "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
#define ED_SIGNATURE "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

#define NO_KEY "the numbers do not make a public key"

/* From digits to bytes, in one of a few places that are used in turn. */
static struct str bytes(const char *text)
{
	static char place[4][512];
	static unsigned turn;
	struct str out = {place[turn++ % 4], 0};

	if (text[0] != '\0' && base64url_decode(str_from(text), (char *)out.s, &out.len) != 0)
		abort();
	return out;
}

static char *taken(enum conf_jwt_algorithm a, const char *first, const char *second)
{
	const char *why = NULL;
	char *pem = pubkey_pem(a, bytes(first), bytes(second), &why);
	struct pubkey *k = pem == NULL ? NULL : pubkey_new(pem, a, &why);

	ok(k != NULL, "%s: the example's key is taken", conf_jwt_algorithm_name(a));
	pubkey_free(&k);
	return pem;
}

static void refused(enum conf_jwt_algorithm a, struct str first, struct str second, const char *fault, const char *what)
{
	const char *why = NULL;

	ok(pubkey_pem(a, first, second, &why) == NULL, "%s: %s", conf_jwt_algorithm_name(a), what);
	is_str(why, fault, "is told");
}

static void test_rsa(void)
{
	char *pem = taken(JWT_RS256, RSA_N, "AQAB");
	const char *why = NULL;
	struct str n = bytes(RSA_N), e = bytes("AQAB");
	char changed[2049] = "", zeros[258] = "";

	ok(pubkey_new(pem, JWT_ES256, &why) == NULL && strncmp(why, "ES256", 5) == 0, "it is no key for ES256");
	ok(pubkey_new(pem, JWT_EDDSA, &why) == NULL && strncmp(why, "EdDSA", 5) == 0, "nor for EdDSA");
	free(pem);
	memcpy(zeros + 2, n.s, n.len);
	pem = pubkey_pem(JWT_RS256, (struct str){zeros, 2 + n.len}, e, &why);
	ok(pem != NULL, "zeros in front of a number say nothing");
	free(pem);
	refused(JWT_RS256, (struct str){n.s, 255}, e, "RS256: the RSA key has less than 2048 bits", "2040 bits");
	memcpy(zeros + 1, n.s, 255);
	refused(JWT_RS256, (struct str){zeros, 256}, e, "RS256: the RSA key has less than 2048 bits", "with a zero");
	memcpy(changed, n.s, n.len);
	changed[n.len - 1] ^= 1;
	refused(JWT_RS256, (struct str){changed, n.len}, e, NO_KEY, "an even modulus");
	memset(changed, 0xff, sizeof(changed));
	refused(JWT_RS256, (struct str){changed, 256}, e, NO_KEY, "a modulus with small factors");
	refused(JWT_RS256, (struct str){changed, 2049}, e, "RS256: the RSA key has more than 16384 bits", "16392 bits");
	refused(JWT_RS256, n, STR_LIT("\1"), NO_KEY, "an exponent of 1");
	refused(JWT_RS256, n, STR_LIT("\2"), NO_KEY, "an even exponent");
	refused(JWT_RS256, n, STR_LIT("\0"), NO_KEY, "an exponent of 0");
	refused(JWT_RS256, n, STR_LIT(""), NO_KEY, "no exponent");
	refused(JWT_RS256, STR_LIT(""), e, "RS256: the RSA key has less than 2048 bits", "no modulus");
}

static void test_ec(void)
{
	char *pem = taken(JWT_ES256, EC_X, EC_Y), off[32];
	struct str x = bytes(EC_X), y = bytes(EC_Y);

	free(pem);
	memcpy(off, y.s, 32);
	off[31] ^= 1;
	refused(JWT_ES256, x, (struct str){off, 32}, NO_KEY, "a point beside the curve");
	refused(JWT_ES256, y, x, NO_KEY, "coordinates in the wrong order");
	memset(off, 0, sizeof(off));
	refused(JWT_ES256, (struct str){off, 32}, (struct str){off, 32}, NO_KEY, "zeros");
	refused(JWT_ES256, x, (struct str){y.s, 31}, NO_KEY, "a short coordinate");
	refused(JWT_ES256, (struct str){x.s, 0}, y, NO_KEY, "none");
}

static void test_ed25519(void)
{
	char *pem = taken(JWT_EDDSA, ED_X, ""), text[] = ED_TEXT;
	const char *why = NULL;
	struct pubkey *k = pubkey_new(pem, JWT_EDDSA, &why);
	struct str x = bytes(ED_X), good = bytes(ED_SIGNATURE);

	is_str(why, NULL, "nothing is wrong with it");
	ok(pubkey_verify(k, str_from(text), good), "the example's signature is good");
	ok(!pubkey_verify(k, str_from(text), (struct str){good.s, 63}), "but not without its end");
	text[30] ^= 1;
	ok(!pubkey_verify(k, str_from(text), good), "nor for another text");
	pubkey_free(&k);
	pubkey_free(&k);
	free(pem);
	refused(JWT_EDDSA, (struct str){x.s, 31}, STR_LIT(""), NO_KEY, "31 bytes");
	refused(JWT_EDDSA, bytes(RSA_N), STR_LIT(""), NO_KEY, "256 bytes");
	pem = taken(JWT_ES256, EC_X, EC_Y);
	k = pubkey_new(pem, JWT_ES256, &why);
	ok(!pubkey_verify(k, STR_LIT(ED_TEXT), good), "another kind of key verifies nothing");
	pubkey_free(&k);
	free(pem);
}

int main(void)
{
	const char *why = NULL;

	ok(pubkey_new("", JWT_RS256, &why) == NULL, "nothing is no key");
	is_str(why, "there is no public key in PEM in the file", "is told");
	test_rsa();
	test_ec();
	test_ed25519();
	return done_testing();
}
