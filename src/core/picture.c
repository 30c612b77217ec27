/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the beginnings of pictures. Decides nothing about how large one may be. */
#include "core/base.h"
#include "core/picture.h"

#include "core/log.h"

#include <openssl/evp.h>

static const struct {
	const char *ending, *media_type;
} types[] = {
	[PICTURE_PNG] = {".png", "image/png"},
	[PICTURE_GIF] = {".gif", "image/gif"},
	[PICTURE_JPEG] = {".jpg", "image/jpeg"},
	[PICTURE_WEBP] = {".webp", "image/webp"},
};

/* ---- numbers ---- */

static unsigned byte_at(struct str s, size_t at)
{
	return (unsigned char)s.s[at];
}

static unsigned big16(struct str s, size_t at)
{
	return byte_at(s, at) << 8 | byte_at(s, at + 1);
}

static unsigned big32(struct str s, size_t at)
{
	return big16(s, at) << 16 | big16(s, at + 2);
}

static unsigned little16(struct str s, size_t at)
{
	return byte_at(s, at) | byte_at(s, at + 1) << 8;
}

static unsigned little24(struct str s, size_t at)
{
	return little16(s, at) | byte_at(s, at + 2) << 16;
}

static bool has_at(struct str s, size_t at, struct str part)
{
	return s.len >= at + part.len && memcmp(s.s + at, part.s, part.len) == 0;
}

/* ---- formats ---- */

/* The signature, and the header's chunk, which comes first. */
static bool read_png(struct str s, struct picture *p)
{
	if (s.len < 24 || !has_at(s, 0, STR_LIT("\x89PNG\r\n\x1a\n\0\0\0\rIHDR")))
		return false;
	*p = (struct picture){PICTURE_PNG, big32(s, 16), big32(s, 20)};
	return true;
}

static bool read_gif(struct str s, struct picture *p)
{
	if (s.len < 10 || !(has_at(s, 0, STR_LIT("GIF87a")) || has_at(s, 0, STR_LIT("GIF89a"))))
		return false;
	*p = (struct picture){PICTURE_GIF, little16(s, 6), little16(s, 8)};
	return true;
}

/* The first chunk is the picture itself, or says how large the canvas is (RFC 9649). */
static bool read_webp(struct str s, struct picture *p)
{
	if (s.len < 30 || !has_at(s, 0, STR_LIT("RIFF")) || !has_at(s, 8, STR_LIT("WEBP")))
		return false;
	*p = (struct picture){.type = PICTURE_WEBP};
	if (has_at(s, 12, STR_LIT("VP8X"))) {
		p->width = little24(s, 24) + 1;
		p->height = little24(s, 27) + 1;
	} else if (has_at(s, 12, STR_LIT("VP8L")) && byte_at(s, 20) == 0x2f) {
		unsigned low = little16(s, 21), high = little16(s, 23);
		p->width = (low & 0x3fff) + 1;
		p->height = (low >> 14 | (high & 0x0fff) << 2) + 1;
	} else if (has_at(s, 12, STR_LIT("VP8 ")) && has_at(s, 23, STR_LIT("\x9d\x01\x2a"))) {
		p->width = little16(s, 26) & 0x3fff;
		p->height = little16(s, 28) & 0x3fff;
	}
	return true;
}

static bool is_frame_header(unsigned marker)
{
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/* The first frame header (ITU-T T.81, B.2.2), behind any number of other segments. */
static bool read_jpeg(struct str s, struct picture *p)
{
	if (!has_at(s, 0, STR_LIT("\xff\xd8\xff")))
		return false;
	*p = (struct picture){.type = PICTURE_JPEG};
	for (size_t at = 2; s.len - at >= 9 && byte_at(s, at) == 0xff;) {
		unsigned marker = byte_at(s, at + 1), len = big16(s, at + 2);
		if (marker == 0xff) {
			at++;
			continue;
		}
		if (is_frame_header(marker)) {
			p->height = big16(s, at + 5);
			p->width = big16(s, at + 7);
			break;
		}
		/* The picture itself begins, or a marker has no length. */
		if (marker < 0xc0 || (marker >= 0xd0 && marker <= 0xda) || len < 2 || len > s.len - at - 2)
			break;
		at += 2 + len;
	}
	return true;
}

int picture_read(struct str bytes, struct picture *out)
{
	*out = (struct picture){0};
	bool known = bytes.s != NULL &&
		     (read_png(bytes, out) || read_gif(bytes, out) || read_webp(bytes, out) || read_jpeg(bytes, out));
	return known && out->width != 0 && out->height != 0 ? 0 : -1;
}

/* ---- names ---- */

#define NAME_DIGITS 32

void picture_name(struct str bytes, enum picture_type type, char out[PICTURE_NAME_MAX + 1])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	ASSERT(EVP_Digest(bytes.s, bytes.len, digest, NULL, EVP_sha256(), NULL) == 1);
	for (size_t i = 0; i < NAME_DIGITS / 2; i++)
		hex_put(out + 2 * i, 2, digest[i]);
	memcpy(out + NAME_DIGITS, types[type].ending, strlen(types[type].ending) + 1);
}

/* NULL: the name is none. */
static const char *media_type_of(struct str name)
{
	if (name.s == NULL || name.len < NAME_DIGITS)
		return NULL;
	for (size_t i = 0; i < NAME_DIGITS; i++)
		if (name.s[i] == '\0' || strchr(HEX_DIGITS, name.s[i]) == NULL)
			return NULL;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_is((struct str){name.s + NAME_DIGITS, name.len - NAME_DIGITS}, types[i].ending))
			return types[i].media_type;
	return NULL;
}

bool picture_name_valid(struct str name)
{
	return media_type_of(name) != NULL;
}

const char *picture_media_type(struct str name)
{
	const char *type = media_type_of(name);
	ASSERT(type != NULL);
	return type;
}
