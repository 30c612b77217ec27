/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "inspector/strip.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct in {
	const unsigned char *p, *end;
};

static size_t left(const struct in *in)
{
	return (size_t)(in->end - in->p);
}

static bool begins(const struct in *in, const char *what, size_t len)
{
	return left(in) >= len && memcmp(in->p, what, len) == 0;
}
#define BEGINS(in, what) begins(in, what, sizeof(what) - 1)

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t le32(const unsigned char *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void flush(struct strip_out *out)
{
	size_t done = 0;
	while (done < out->len && !out->failed) {
		ssize_t n = write(out->fd, out->data + done, out->len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			out->failed = true;
	}
	out->written += out->len;
	out->len = 0;
}

static void put(struct strip_out *out, const void *data, size_t len)
{
	const unsigned char *p = data;
	while (len > 0 && !out->failed) {
		size_t n = sizeof(out->data) - out->len;
		if (n > len)
			n = len;
		memcpy(out->data + out->len, p, n);
		out->len += n;
		p += n;
		len -= n;
		if (out->len == sizeof(out->data))
			flush(out);
	}
}

static void copy(struct in *in, struct strip_out *out, size_t len)
{
	put(out, in->p, len);
	in->p += len;
}

/* ---- JPEG: ITU-T T.81 annex B ---- */

enum {
	SOI = 0xD8,
	EOI = 0xD9,
	SOS = 0xDA,
	TEM = 0x01,
	APP0 = 0xE0,
	APP2 = 0xE2,
	APP14 = 0xEE,
	APP15 = 0xEF,
	COM = 0xFE
};

/* The segment with its length, at in->p. */
static bool jpeg_segment(struct in *in, struct strip_out *out, unsigned marker)
{
	static const unsigned char jfif_head[] = {0xFF, APP0, 0, 16};
	const unsigned char head[2] = {0xFF, (unsigned char)marker};
	if (left(in) < 2)
		return false;
	size_t len = (size_t)in->p[0] << 8 | in->p[1];
	if (len < 2 || len > left(in))
		return false;
	struct in body = {in->p + 2, in->p + len};
	if (marker == APP0 && BEGINS(&body, "JFIF\0") && left(&body) >= 14) {
		/* Without its preview. */
		put(out, jfif_head, sizeof(jfif_head));
		put(out, body.p, 12);
		put(out, "\0", 2);
	} else if ((marker == APP2 && BEGINS(&body, "ICC_PROFILE\0")) || (marker == APP14 && BEGINS(&body, "Adobe")) ||
		   (marker >= 0xC0 && marker <= 0xDF)) {
		put(out, head, sizeof(head));
		put(out, in->p, len);
	} else if (!(marker >= APP0 && marker <= APP15) && marker != COM) {
		return false;
	}
	in->p += len;
	return true;
}

/* What follows the head of a scan, up to the next marker that is not a part of it. */
static void jpeg_scan(struct in *in, struct strip_out *out)
{
	const unsigned char *from = in->p;
	while (left(in) >= 2) {
		const unsigned char *ff = memchr(in->p, 0xFF, left(in) - 1);
		if (ff == NULL) {
			in->p = in->end;
			break;
		}
		in->p = ff;
		if (ff[1] != 0 && !(ff[1] >= 0xD0 && ff[1] <= 0xD7))
			break;
		in->p += 2;
	}
	put(out, from, (size_t)(in->p - from));
}

static bool strip_jpeg(struct in *in, struct strip_out *out)
{
	if (!BEGINS(in, "\xFF\xD8"))
		return false;
	copy(in, out, 2);
	for (;;) {
		if (left(in) < 2 || in->p[0] != 0xFF)
			return false;
		while (left(in) >= 2 && in->p[1] == 0xFF)
			in->p++;
		if (left(in) < 2)
			return false;
		unsigned marker = in->p[1];
		in->p += 2;
		if (marker == EOI) {
			put(out, "\xFF\xD9", 2);
			return true;
		}
		if (marker == SOI || marker == TEM || marker < 0xC0 || !jpeg_segment(in, out, marker))
			return false;
		if (marker == SOS)
			jpeg_scan(in, out);
	}
}

/* ---- PNG, and APNG ---- */

static bool png_keeps(const unsigned char *type)
{
	static const char kept[][5] = {"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB",
				       "iCCP", "cICP", "sBIT", "bKGD", "pHYs", "acTL", "fcTL", "fdAT"};
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (memcmp(type, kept[i], 4) == 0)
			return true;
	return false;
}

static bool strip_png(struct in *in, struct strip_out *out, uint64_t *frames_r)
{
	uint64_t frames = 0;
	if (!BEGINS(in, "\x89PNG\r\n\x1a\n"))
		return false;
	copy(in, out, 8);
	while (left(in) >= 12) {
		size_t len = be32(in->p);
		const unsigned char *type = in->p + 4;
		if (len > left(in) - 12)
			return false;
		bool ends = memcmp(type, "IEND", 4) == 0;
		frames += memcmp(type, "fcTL", 4) == 0;
		if (png_keeps(type))
			copy(in, out, len + 12);
		else if ((type[0] & 0x20) == 0)
			return false; /* one that nobody may pass over */
		else
			in->p += len + 12;
		if (ends) {
			*frames_r = frames > 0 ? frames : 1;
			return true;
		}
	}
	return false;
}

/* ---- GIF: GIF89a ---- */

static size_t gif_table(unsigned flags)
{
	return flags & 0x80 ? (size_t)3 << ((flags & 7) + 1) : 0;
}

/* Up to and with the empty one; out: NULL: left out. */
static bool gif_blocks(struct in *in, struct strip_out *out)
{
	while (left(in) >= 1) {
		size_t len = 1 + (size_t)in->p[0];
		if (len > left(in))
			return false;
		if (out != NULL)
			put(out, in->p, len);
		in->p += len;
		if (len == 1)
			return true;
	}
	return false;
}

static bool gif_extension(struct in *in, struct strip_out *out)
{
	if (left(in) < 3)
		return false;
	struct in body = {in->p + 2, in->end};
	bool keeps = in->p[1] == 0xF9 ||
		     (in->p[1] == 0xFF && (BEGINS(&body, "\x0bNETSCAPE2.0") || BEGINS(&body, "\x0b"
											     "ANIMEXTS1.0")));
	if (keeps)
		put(out, in->p, 2);
	in->p += 2;
	return gif_blocks(in, keeps ? out : NULL);
}

static bool gif_image(struct in *in, struct strip_out *out)
{
	if (left(in) < 10)
		return false;
	size_t head = 10 + gif_table(in->p[9]) + 1;
	if (left(in) < head)
		return false;
	copy(in, out, head);
	return gif_blocks(in, out);
}

static bool strip_gif(struct in *in, struct strip_out *out, uint64_t *frames_r)
{
	uint64_t frames = 0;
	if (left(in) < 13 || (!BEGINS(in, "GIF89a") && !BEGINS(in, "GIF87a")))
		return false;
	size_t head = 13 + gif_table(in->p[10]);
	if (left(in) < head)
		return false;
	copy(in, out, head);
	while (left(in) >= 1) {
		switch (in->p[0]) {
		case 0x3B:
			copy(in, out, 1);
			*frames_r = frames;
			return frames > 0;
		case 0x21:
			if (!gif_extension(in, out))
				return false;
			break;
		case 0x2C:
			if (!gif_image(in, out))
				return false;
			frames++;
			break;
		default:
			return false;
		}
	}
	return false;
}

/* ---- WebP: RFC 9649 ---- */

enum { VP8X_EXIF = 0x08, VP8X_XMP = 0x04 };

static bool webp_keeps(const unsigned char *type)
{
	static const char kept[][5] = {"VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF", "ICCP"};
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (memcmp(type, kept[i], 4) == 0)
			return true;
	return false;
}

static bool strip_webp(struct in *in, struct strip_out *out, uint64_t *frames_r)
{
	uint64_t frames = 0;
	if (left(in) < 12 || !BEGINS(in, "RIFF") || memcmp(in->p + 8, "WEBP", 4) != 0)
		return false;
	size_t size = le32(in->p + 4);
	if (size < 4 || size > left(in) - 8)
		return false;
	in->end = in->p + 8 + size;
	copy(in, out, 12);
	while (left(in) >= 8) {
		const unsigned char *type = in->p;
		size_t len = le32(in->p + 4);
		size_t padded = len + (len & 1);
		if (len > left(in) - 8)
			return false;
		/* Some writers forget the last one's padding. */
		if (padded > left(in) - 8)
			padded = len;
		frames += memcmp(type, "ANMF", 4) == 0;
		if (memcmp(type, "VP8X", 4) == 0 && len == 10) {
			put(out, in->p, 8);
			const unsigned char flags = in->p[8] & (unsigned char)~(VP8X_EXIF | VP8X_XMP);
			put(out, &flags, 1);
			put(out, in->p + 9, 9);
		} else if (webp_keeps(type)) {
			put(out, in->p, 8 + padded);
			if (padded != len + (len & 1))
				put(out, "", 1);
		}
		in->p += 8 + padded;
	}
	flush(out);
	uint32_t now = (uint32_t)(out->written - 8);
	const unsigned char text[4] = {now & 0xFF, now >> 8 & 0xFF, now >> 16 & 0xFF, now >> 24};
	out->failed = out->failed || pwrite(out->fd, text, sizeof(text), 4) != (ssize_t)sizeof(text);
	*frames_r = frames > 0 ? frames : 1;
	return left(in) == 0;
}

bool strip(const char *type, const unsigned char *data, size_t len, struct strip_out *out, uint64_t *frames_r)
{
	struct in in = {data, data + len};
	bool whole = false;
	*frames_r = 1;
	if (strcmp(type, "image/jpeg") == 0)
		whole = strip_jpeg(&in, out);
	else if (strcmp(type, "image/png") == 0)
		whole = strip_png(&in, out, frames_r);
	else if (strcmp(type, "image/gif") == 0)
		whole = strip_gif(&in, out, frames_r);
	else if (strcmp(type, "image/webp") == 0)
		whole = strip_webp(&in, out, frames_r);
	flush(out);
	return whole && !out->failed;
}
