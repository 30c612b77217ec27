/* SPDX-License-Identifier: BSD-2-Clause */
/* Blurhashes are those that the reference implementation (woltapp/blurhash) makes of the same pixels, in C: the one in
 * TypeScript forgets negative components when it looks for the largest one. */
#include "core/base.h"
#include "inspector/blurhash.h"

#include "../tap.h"

typedef void pixel_fn(unsigned x, unsigned y, unsigned char rgb[3]);

static void black(unsigned x, unsigned y, unsigned char rgb[3])
{
	(void)x;
	(void)y;
	memset(rgb, 0, 3);
}

static void white(unsigned x, unsigned y, unsigned char rgb[3])
{
	(void)x;
	(void)y;
	memset(rgb, 255, 3);
}

static void ramp(unsigned x, unsigned y, unsigned char rgb[3])
{
	rgb[0] = (unsigned char)(x * 8);
	rgb[1] = (unsigned char)(y * 10);
	rgb[2] = 128;
}

static void checks(unsigned x, unsigned y, unsigned char rgb[3])
{
	static const unsigned char colours[2][3] = {{0, 200, 255}, {250, 20, 60}};
	memcpy(rgb, colours[(x / 4 + y / 4) % 2], 3);
}

static void one(unsigned x, unsigned y, unsigned char rgb[3])
{
	(void)x;
	(void)y;
	memcpy(rgb, ((const unsigned char[]){12, 34, 56}), 3);
}

static void noise(unsigned x, unsigned y, unsigned char rgb[3])
{
	rgb[0] = (unsigned char)(x * 37 + y * 91);
	rgb[1] = (unsigned char)(x * x * 13 + y * 7);
	rgb[2] = (unsigned char)(x * y * 29);
}

static const struct {
	const char *name;
	pixel_fn *pixel;
	unsigned width, height, x, y;
	const char *hash;
} cases[] = {
	{"black", black, 32, 24, 4, 3, "L00000fQfQfQfQfQfQfQfQfQfQfQ"},
	{"white", white, 32, 24, 4, 3, "LDTSUA_3fQ_3~qoffQoffQfQfQfQ"},
	{"a ramp", ramp, 32, 24, 4, 3, "LxH27k2swxX8mHWWjtf7gJfjfQfj"},
	{"a ramp, in full", ramp, 32, 24, 9, 9,
	 "|xH27k2swxX8a|ofWpofWpmHWWjtf7fQf7fQf7fQgJfjfQfjfQfjfQfjfQn,WpjtfQfQfQfQfQfQe;"
	 "fQfQfQfQfQfQfQfQofWpjtfQfQfQfQfQfQe;"
	 "fQfQfQfQfQfQfQfQofWpjtfQfQfQfQfQfQeqfQfQfQfQfQfQfQfQ"},
	{"checks", checks, 20, 30, 3, 4, "T8L3Z.^-Kj%ioMKjOsfQKj%%oMKj"},
	{"one pixel", one, 1, 1, 1, 1, "001WZq"},
	{"noise", noise, 7, 5, 4, 3, "LbGbt%Y=Mdxp-gNGR-xHV=X4J:Nt"},
};

int main(void)
{
	static unsigned char rgb[32 * 32 * 3];
	char out[BLURHASH_BYTES];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (unsigned y = 0; y < cases[i].height; y++)
			for (unsigned x = 0; x < cases[i].width; x++)
				cases[i].pixel(x, y, rgb + 3 * ((size_t)y * cases[i].width + x));
		blurhash(rgb, cases[i].width, cases[i].height, cases[i].x, cases[i].y, out);
		ok(strcmp(out, cases[i].hash) == 0, "%s: %s", cases[i].name, out);
	}
	return done_testing();
}
