/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "inspector/blurhash.h"

#include "core/log.h"

#include <math.h>

struct colour {
	double r, g, b;
};

static char *put_digits(char *out, unsigned value, unsigned digits)
{
	static const char alphabet[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";
	for (unsigned i = digits; i > 0; i--) {
		out[i - 1] = alphabet[value % 83];
		value /= 83;
	}
	return out + digits;
}

static double to_linear(unsigned char value)
{
	double v = value / 255.0;
	return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static unsigned to_srgb(double value)
{
	double v = value < 0 ? 0 : value > 1 ? 1 : value;
	return (unsigned)((v <= 0.0031308 ? v * 12.92 : 1.055 * pow(v, 1 / 2.4) - 0.055) * 255 + 0.5);
}

static struct colour component(const unsigned char *rgb, unsigned width, unsigned height, unsigned i, unsigned j,
			       const double linear[256])
{
	struct colour sum = {0};
	double scale = (i == 0 && j == 0 ? 1.0 : 2.0) / ((double)width * height);
	for (unsigned y = 0; y < height; y++) {
		double down = cos(M_PI * j * y / height);
		for (unsigned x = 0; x < width; x++) {
			const unsigned char *p = rgb + 3 * ((size_t)y * width + x);
			double basis = cos(M_PI * i * x / width) * down;
			sum.r += basis * linear[p[0]];
			sum.g += basis * linear[p[1]];
			sum.b += basis * linear[p[2]];
		}
	}
	return (struct colour){sum.r * scale, sum.g * scale, sum.b * scale};
}

static unsigned quantise(double value, double max)
{
	double v = value / max;
	double root = copysign(sqrt(fabs(v)), v);
	double q = floor(root * 9 + 9.5);
	return (unsigned)(q < 0 ? 0 : q > 18 ? 18 : q);
}

static double largest(const struct colour *c, unsigned count)
{
	double max = 0;
	for (unsigned k = 1; k < count; k++)
		max = fmax(max, fmax(fabs(c[k].r), fmax(fabs(c[k].g), fabs(c[k].b))));
	return max;
}

void blurhash(const unsigned char *rgb, unsigned width, unsigned height, unsigned x, unsigned y,
	      char out[BLURHASH_BYTES])
{
	struct colour c[BLURHASH_COMPONENTS_MAX * BLURHASH_COMPONENTS_MAX];
	double linear[256], max = 1;
	unsigned count = x * y;
	ASSERT(x >= 1 && x <= BLURHASH_COMPONENTS_MAX && y >= 1 && y <= BLURHASH_COMPONENTS_MAX);
	ASSERT(width > 0 && height > 0);
	for (unsigned v = 0; v < ARRAY_LEN(linear); v++)
		linear[v] = to_linear((unsigned char)v);
	for (unsigned j = 0; j < y; j++)
		for (unsigned i = 0; i < x; i++)
			c[j * x + i] = component(rgb, width, height, i, j, linear);
	out = put_digits(out, x - 1 + (y - 1) * 9, 1);
	if (count > 1) {
		double q = floor(largest(c, count) * 166 - 0.5);
		unsigned level = (unsigned)(q < 0 ? 0 : q > 82 ? 82 : q);
		max = (level + 1) / 166.0;
		out = put_digits(out, level, 1);
	} else {
		out = put_digits(out, 0, 1);
	}
	out = put_digits(out, to_srgb(c[0].r) << 16 | to_srgb(c[0].g) << 8 | to_srgb(c[0].b), 4);
	for (unsigned k = 1; k < count; k++)
		out = put_digits(
			out, quantise(c[k].r, max) * 19 * 19 + quantise(c[k].g, max) * 19 + quantise(c[k].b, max), 2);
	*out = '\0';
}
