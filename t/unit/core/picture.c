/* SPDX-License-Identifier: BSD-2-Clause */
/* Which bytes are a picture, of which type and size, and what it is called. */
#include "core/base.h"
#include "core/picture.h"

#include <stdlib.h>

#include "../tap.h"

/* "png 4x3", or "none"; of a copy without room behind it, so that a byte read beyond its end is noticed. */
static const char *read_copy(const char *bytes, size_t len)
{
	static const char *const names[] = {"png", "gif", "jpg", "webp"};
	static char said[64];
	struct picture p;
	char *copy = xmalloc(len + (len == 0));
	memcpy(copy, bytes, len);
	int status = picture_read((struct str){copy, len}, &p);
	free(copy);
	if (status != 0)
		return "none";
	snprintf(said, sizeof(said), "%s %ux%u", names[p.type], p.width, p.height);
	return said;
}

#define READ(lit) read_copy("" lit, sizeof(lit) - 1)

#define PNG "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\2\0\0\0\3\x08\6\0\0\0"
#define GIF "GIF89a\2\1\3\0\x80\0\0"
#define JPEG                                                                                                           \
	"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xff\xdb\0\3x\xff\xc2\0\x11\x08\1\2\3\4\3\1\x22\0\2\x11\1"
#define WEBP(chunk) "RIFF\x20\0\0\0WEBP" chunk
#define LOSSY WEBP("VP8 \x10\0\0\0\x30\1\0\x9d\x01\x2a\4\1\3\x80\0\0")
#define LOSSLESS WEBP("VP8L\x10\0\0\0\x2f\3\x81\0\0\0\0\0\0\0")
#define EXTENDED WEBP("VP8X\x0a\0\0\0\x10\0\0\0\xff\1\0\2\0\1")

static void test_types(void)
{
	is_str(READ(PNG), "png 258x3", "a PNG");
	is_str(READ(GIF), "gif 258x3", "a GIF");
	is_str(READ("GIF87a\1\0\1\0"), "gif 1x1", "an older one");
	is_str(READ(JPEG), "jpg 772x258", "a JPEG, behind other segments");
	is_str(READ(LOSSY), "webp 260x3", "a WebP, whose upper bits scale it");
	is_str(READ(LOSSLESS), "webp 260x3", "one without loss");
	is_str(READ(EXTENDED), "webp 512x65539", "one with a canvas");
}

static void test_what_is_none(void)
{
	is_str(READ(""), "none", "nothing");
	is_str(READ("<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), "none", "an SVG");
	is_str(READ("<html><img src=x onerror=alert(1)></html>       "), "none", "a page");
	is_str(READ("\x89PNG\r\n\x1a\n\0\0\0\rIDAT\0\0\0\1\0\0\0\1"), "none", "a PNG that begins with another chunk");
	is_str(READ("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\0\1"), "none", "one without width");
	is_str(READ("GIF89a\1\0\0\0"), "none", "a GIF without height");
	is_str(READ("GIF88a\1\0\1\0"), "none", "one of no version");
	is_str(READ(WEBP("VP8M\x10\0\0\0\x30\1\0\x9d\x01\x2a\4\1\3\x80\0\0")), "none", "a WebP of an unknown kind");
	is_str(READ(WEBP("VP8L\x10\0\0\0\x2e\3\x81\0\0\0\0\0\0\0")), "none", "one that is broken");
	is_str(READ("\xff\xd8\xff\xda\0\x10\xff\xc0\0\x11\x08\1\2\3\4"), "none",
	       "a JPEG that has no header before its data");
	is_str(READ("\xff\xd8\xff\xe0\xff\xff\xff\xc0\0\x11\x08\1\2\3\4"), "none",
	       "one whose segment is longer than it");
	is_str(READ("\xff\xd8\xff\xe0\0\1\xff\xc0\0\x11\x08\1\2\3\4"), "none", "or shorter than its own length");
	is_str(READ("\xff\xd8\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "none", "one of fill bytes");
	struct picture p;
	is_int(picture_read(STR_NULL, &p), -1, "an absent text");
}

/* Cut anywhere: none, or the same; a byte beyond the end would be noticed. */
static void test_cut(void)
{
	static const struct {
		const char *bytes;
		size_t len;
	} whole[] = {{PNG, sizeof(PNG) - 1},	 {GIF, sizeof(GIF) - 1},	   {JPEG, sizeof(JPEG) - 1},
		     {LOSSY, sizeof(LOSSY) - 1}, {LOSSLESS, sizeof(LOSSLESS) - 1}, {EXTENDED, sizeof(EXTENDED) - 1}};
	for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
		char *all = xstrdup(read_copy(whole[i].bytes, whole[i].len));
		unsigned other = 0;
		for (size_t len = 0; len < whole[i].len; len++) {
			const char *said = read_copy(whole[i].bytes, len);
			other += strcmp(said, "none") != 0 && strcmp(said, all) != 0;
		}
		is_int(other, 0, "%s, cut off", all);
		free(all);
	}
}

static void test_names(void)
{
	char name[PICTURE_NAME_MAX + 1], other[PICTURE_NAME_MAX + 1];
	picture_name(STR_LIT("abc"), PICTURE_WEBP, name);
	is_str(name, "ba7816bf8f01cfea414140de5dae2223.webp", "the beginning of SHA-256, and the type");
	is_int(strlen(name), PICTURE_NAME_MAX, "the longest");
	picture_name(STR_LIT("abd"), PICTURE_WEBP, other);
	ok(strcmp(name, other) != 0, "another content has another name");
	for (enum picture_type t = PICTURE_PNG; t <= PICTURE_WEBP; t++) {
		picture_name(STR_LIT("x"), t, name);
		ok(picture_name_valid(str_from(name)), "%s is one", name);
	}
	is_str(picture_media_type(STR_LIT("ba7816bf8f01cfea414140de5dae2223.jpg")), "image/jpeg", "what a name tells");
	static const char *const wrong[] = {"",
					    "ba7816bf8f01cfea414140de5dae2223",
					    "ba7816bf8f01cfea414140de5dae2223.svg",
					    "ba7816bf8f01cfea414140de5dae2223.PNG",
					    "BA7816bf8f01cfea414140de5dae2223.png",
					    "ba7816bf8f01cfea414140de5dae222.png",
					    "ba7816bf8f01cfea414140de5dae2223.pngx",
					    "../816bf8f01cfea414140de5dae2223.png",
					    "ba7816bf8f01cfea414140de5dae222/.png"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ok(!picture_name_valid(str_from(wrong[i])), "'%s' is none", wrong[i]);
	ok(!picture_name_valid(STR_NULL), "nor is an absent one");
}

int main(void)
{
	test_types();
	test_what_is_none();
	test_cut();
	test_names();
	return done_testing();
}
