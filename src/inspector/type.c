/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "inspector/type.h"

#include <magic.h>
#include <string.h>

/* Texts with commas in them would be tables. */
#ifdef MAGIC_NO_CHECK_CSV
#define NO_CSV MAGIC_NO_CHECK_CSV
#else
#define NO_CSV 0
#endif

static magic_t cookie;

int type_start(const char **err_r)
{
	cookie = magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TAR | MAGIC_NO_CHECK_TOKENS |
			    MAGIC_NO_CHECK_CDF | NO_CSV);
	if (cookie == NULL) {
		*err_r = "no memory for libmagic";
		return -1;
	}
	if (magic_load(cookie, NULL) != 0) {
		*err_r = magic_error(cookie);
		return -1;
	}
	return 0;
}

/* libmagic's names for what has a registered one, or one that browsers know. */
static const char *usual(const char *type)
{
	static const char *const names[][2] = {
		{"audio/x-wav", "audio/wav"},	      {"audio/vnd.wave", "audio/wav"},
		{"audio/x-m4a", "audio/mp4"},	      {"audio/x-flac", "audio/flac"},
		{"audio/x-hx-aac-adts", "audio/aac"}, {"audio/x-mp4a-latm", "audio/mp4"},
		{"video/x-m4v", "video/mp4"},	      {"image/heif", "image/heic"},
		{"image/x-ms-bmp", "image/bmp"},      {"text/x-c", "text/plain"},
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(type, names[i][0]) == 0)
			return names[i][1];
	return type;
}

static bool is_plain(const char *type)
{
	const char *slash = strchr(type, '/');
	return slash != NULL && slash > type && slash[1] != '\0' && strlen(type) <= 127 &&
	       strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789!#$&-^_.+/") == strlen(type) &&
	       strchr(slash + 1, '/') == NULL;
}

const char *type_find(const void *data, size_t len)
{
	const char *type = len > 0 ? magic_buffer(cookie, data, len) : NULL;
	if (type == NULL || strncmp(type, "inode/", 6) == 0 || !is_plain(type))
		return "application/octet-stream";
	return usual(type);
}
