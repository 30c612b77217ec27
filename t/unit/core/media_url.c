/* SPDX-License-Identifier: BSD-2-Clause */
/* Signed URLs: what is signed, for how long it is valid, and what is refused. */
#include "core/base.h"
#include "core/media_url.h"

#include "../tap.h"

#define ID "0123456789abcdef0123456789abcdef"
#define OTHER "1123456789abcdef0123456789abcdef"
#define SECRET "a secret of at least thirty-two bytes"

static const struct media_urls urls = {.base = "/im", .secret = SECRET, .lifetime_secs = 3600};

/* printf '%s' '2000000000 ID get SECRET' | openssl md5 -binary | base64 | tr +/ -_ | tr -d = */
#define KNOWN_GET "-F_IOCmMCK2UTd0_ZEoyEQ"
#define KNOWN_PUT "2okWYyk6aV3KGPxN4VX5SA"

static bool verify(const char *id, enum media_purpose purpose, const char *e, const char *s, int64_t now_secs)
{
	return media_url_verify(&urls, str_from(id), purpose, e != NULL ? str_from(e) : STR_NULL,
				s != NULL ? str_from(s) : STR_NULL, now_secs * 1000);
}

static void test_signatures(void)
{
	char s[MEDIA_SIGNATURE_LEN + 1];
	media_url_sign(&urls, STR_LIT(ID), MEDIA_GET, 2000000000, s);
	is_str(s, KNOWN_GET, "what nginx computes, too");
	media_url_sign(&urls, STR_LIT(ID), MEDIA_PUT, 2000000000, s);
	is_str(s, KNOWN_PUT, "for uploading");
	ok(verify(ID, MEDIA_GET, "2000000000", KNOWN_GET, 1999999999), "it is valid");
	ok(!verify(ID, MEDIA_GET, "2000000000", KNOWN_GET, 2000000000), "until then");
	ok(!verify(ID, MEDIA_GET, "2000000000", KNOWN_GET, -1), "not before all times");
	ok(!verify(ID, MEDIA_PUT, "2000000000", KNOWN_GET, 0), "for its purpose");
	ok(!verify(OTHER, MEDIA_GET, "2000000000", KNOWN_GET, 0), "for its file");
	ok(!verify(ID, MEDIA_GET, "2000000001", KNOWN_GET, 0), "with its time");
	static const char *const times[] = {"",
					    "-1",
					    "02000000000",
					    " 2000000000",
					    "2000000000 ",
					    "18446744073709551616",
					    "2e9",
					    "0x77359400",
					    "99999999999999999999999999999"};
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		ok(!verify(ID, MEDIA_GET, times[i], KNOWN_GET, 0), "no time: '%s'", times[i]);
	ok(!verify(ID, MEDIA_GET, NULL, KNOWN_GET, 0), "no time");
	ok(!verify(ID, MEDIA_GET, "2000000000", NULL, 0), "no signature");
	ok(!verify(ID, MEDIA_GET, "2000000000", "", 0), "an empty one");
	ok(!verify(ID, MEDIA_GET, "2000000000", KNOWN_GET "=", 0), "a longer one");
	/* The last digit has bits that no byte has. */
	for (size_t i = 0; i < MEDIA_SIGNATURE_LEN; i++) {
		char wrong[] = KNOWN_GET;
		wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
		ok(!verify(ID, MEDIA_GET, "2000000000", wrong, 0), "digit %zu is another", i);
	}
	const struct media_urls others = {.base = "/im", .secret = SECRET ".", .lifetime_secs = 3600};
	ok(!media_url_verify(&others, STR_LIT(ID), MEDIA_GET, STR_LIT("2000000000"), STR_LIT(KNOWN_GET), 0),
	   "with another secret");
}

static void test_expiry(void)
{
	for (int lifetime = 1; lifetime <= 5000; lifetime = lifetime * 3 + 1) {
		struct media_urls u = urls;
		u.lifetime_secs = lifetime;
		uint64_t before = 0;
		unsigned changes = 0;
		bool right = true;
		int64_t from = 1800000000;
		for (int64_t now = from; now < from + 4 * lifetime; now++) {
			uint64_t e = media_url_expiry(&u, now * 1000 + 999);
			right &= e > (uint64_t)(now + lifetime) &&
				 e <= (uint64_t)(now + 1 + lifetime + (lifetime + 7) / 8);
			right &= e >= before;
			changes += e != before;
			before = e;
		}
		ok(right, "%d s: valid for so long, and an eighth more at most", lifetime);
		ok(lifetime < 8 || changes <= 80, "and the same for a while (%u)", changes);
	}
	is_int(media_url_expiry(&urls, -5) > 3600, 1, "a clock before 1970");
}

static void test_urls(void)
{
	struct buf out = {0};
	media_url_put(&out, &urls, STR_LIT(ID), STR_LIT("a%20cat.png"), MEDIA_GET, INT64_C(1999996000000));
	ok(strncmp(buf_cstr(&out), "/im/media/" ID "/a%20cat.png?e=", strlen("/im/media/" ID "/a%20cat.png?e=")) == 0,
	   "a URL: %s", buf_cstr(&out));
	const char *e = strstr(buf_cstr(&out), "?e=") + 3, *s = strstr(e, "&s=") + 3;
	ok(media_url_verify(&urls, STR_LIT(ID), MEDIA_GET, (struct str){e, (size_t)(s - 3 - e)}, str_from(s),
			    INT64_C(1999996000000)),
	   "with a signature that is good");
	out.len = 0;
	media_url_put(&out, &urls, STR_LIT(ID), STR_NULL, MEDIA_PUT, INT64_C(1999996000000));
	ok(strncmp(buf_cstr(&out), "/im/media/" ID "?e=", strlen("/im/media/" ID "?e=")) == 0, "without a name");
	buf_fini(&out);
}

int main(void)
{
	test_signatures();
	test_expiry();
	test_urls();
	return done_testing();
}
