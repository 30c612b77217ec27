/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "media/inspect_wire.h"

#include "core/log.h"

#include <string.h>

static const char job_magic[4] = "TdMj";
static const char answer_magic[4] = "TdMa";

/* The fixed part of an answer; then follow the type and the blurhash. Both ends are on one machine. */
struct head {
	char magic[4];
	uint8_t version, status, reason, flags;
	uint32_t width, height;
	int64_t duration_ms;
	uint8_t type_len, blurhash_len;
	uint8_t zero[6];
};
_Static_assert(sizeof(struct head) == 32, "without holes");
_Static_assert(sizeof(struct head) + INSPECT_TYPE_MAX + INSPECT_BLURHASH_MAX <= INSPECT_ANSWER_MAX, "it fits");

enum { FLAG_THUMB = 1, FLAG_CLEAN = 2, FLAG_CHECKED = 4, FLAGS = 7 };

const char *inspect_reason_text(enum inspect_reason reason)
{
	static const char *const texts[INSPECT_REASONS] = {
		[INSPECT_NO_REASON] = "unknown",
		[INSPECT_DAMAGED] = "the picture is damaged",
		[INSPECT_TOO_MANY_PIXELS] = "the picture has too many pixels",
		[INSPECT_TOO_MANY_FRAMES] = "the animation has too many frames",
		[INSPECT_TOO_SLOW] = "the file takes too much time to read",
		[INSPECT_TOO_COSTLY] = "the file takes too much memory to read, or is made to do harm",
	};
	return texts[reason];
}

void inspect_job_write(unsigned char out[INSPECT_JOB_BYTES])
{
	memset(out, 0, INSPECT_JOB_BYTES);
	memcpy(out, job_magic, sizeof(job_magic));
	out[4] = INSPECT_VERSION;
}

bool inspect_job_read(const void *data, size_t len, size_t fds)
{
	unsigned char expected[INSPECT_JOB_BYTES];
	inspect_job_write(expected);
	return len == sizeof(expected) && fds == INSPECT_FDS && memcmp(data, expected, len) == 0;
}

/* RFC 6838 section 4.2, in lower case: what a type or a subtype consists of. */
static bool is_name(const char *s, size_t len)
{
	if (len == 0 || !((s[0] >= 'a' && s[0] <= 'z') || (s[0] >= '0' && s[0] <= '9')))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') ||
		      (s[i] != '\0' && strchr("!#$&-^_.+", s[i]) != NULL)))
			return false;
	return true;
}

static bool is_type(const char *s)
{
	const char *slash = strchr(s, '/');
	return slash != NULL && is_name(s, (size_t)(slash - s)) && is_name(slash + 1, strlen(slash + 1));
}

static bool is_blurhash(const char *s)
{
	static const char digits[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";
	size_t len = strlen(s);
	if (len == 0)
		return true;
	if (len < 6 || strspn(s, digits) != len)
		return false;
	size_t size = (size_t)(strchr(digits, s[0]) - digits);
	return size < 81 && len == 4 + 2 * (size % 9 + 1) * (size / 9 + 1);
}

static bool is_sound(const struct inspect_result *r)
{
	if (r->status != INSPECT_OK)
		return (r->status == INSPECT_REFUSED) == (r->reason != INSPECT_NO_REASON) &&
		       r->reason < INSPECT_REASONS && r->content_type[0] == '\0' && r->blurhash[0] == '\0' &&
		       r->width == 0 && r->height == 0 && r->duration_ms == -1 && !r->has_thumb && !r->has_clean &&
		       !r->is_checked;
	return r->reason == INSPECT_NO_REASON && is_type(r->content_type) && is_blurhash(r->blurhash) &&
	       (r->width == 0) == (r->height == 0) && r->width <= INSPECT_SIDE_MAX && r->height <= INSPECT_SIDE_MAX &&
	       r->duration_ms >= -1 && r->duration_ms <= INSPECT_DURATION_MAX_MS;
}

size_t inspect_answer_write(const struct inspect_result *r, unsigned char out[INSPECT_ANSWER_MAX])
{
	ASSERT(is_sound(r));
	struct head head = {
		.version = INSPECT_VERSION,
		.status = (uint8_t)r->status,
		.reason = (uint8_t)r->reason,
		.flags = (uint8_t)((r->has_thumb ? FLAG_THUMB : 0) | (r->has_clean ? FLAG_CLEAN : 0) |
				   (r->is_checked ? FLAG_CHECKED : 0)),
		.width = r->width,
		.height = r->height,
		.duration_ms = r->duration_ms,
		.type_len = (uint8_t)strlen(r->content_type),
		.blurhash_len = (uint8_t)strlen(r->blurhash),
	};
	memcpy(head.magic, answer_magic, sizeof(head.magic));
	memcpy(out, &head, sizeof(head));
	memcpy(out + sizeof(head), r->content_type, head.type_len);
	memcpy(out + sizeof(head) + head.type_len, r->blurhash, head.blurhash_len);
	return sizeof(head) + head.type_len + head.blurhash_len;
}

bool inspect_answer_read(const void *data, size_t len, struct inspect_result *r_r)
{
	struct head head;
	const char *text = (const char *)data + sizeof(head);
	if (len < sizeof(head))
		return false;
	memcpy(&head, data, sizeof(head));
	if (memcmp(head.magic, answer_magic, sizeof(head.magic)) != 0 || head.version != INSPECT_VERSION ||
	    head.status > INSPECT_UNAVAILABLE || head.reason >= INSPECT_REASONS || (head.flags & ~FLAGS) != 0 ||
	    head.type_len > INSPECT_TYPE_MAX || head.blurhash_len > INSPECT_BLURHASH_MAX ||
	    len != sizeof(head) + head.type_len + head.blurhash_len)
		return false;
	*r_r = (struct inspect_result){
		.status = (enum inspect_status)head.status,
		.reason = (enum inspect_reason)head.reason,
		.width = head.width,
		.height = head.height,
		.duration_ms = head.duration_ms,
		.has_thumb = (head.flags & FLAG_THUMB) != 0,
		.has_clean = (head.flags & FLAG_CLEAN) != 0,
		.is_checked = (head.flags & FLAG_CHECKED) != 0,
	};
	memcpy(r_r->content_type, text, head.type_len);
	memcpy(r_r->blurhash, text + head.type_len, head.blurhash_len);
	/* Without a NUL within. */
	return strlen(r_r->content_type) == head.type_len && strlen(r_r->blurhash) == head.blurhash_len &&
	       is_sound(r_r);
}
