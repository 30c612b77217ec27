/* SPDX-License-Identifier: BSD-2-Clause */
/* What devices are shown: in both languages, of each kind, without preview, and never longer than services take. */
#include "core/base.h"
#include "relay/devices_text.h"

#include "../tap.h"

static struct json_out *out;

static const char *put(const struct push_text *t, const char *locale)
{
	static struct buf text;
	buf_clear(&text);
	devices_text_put(out, &text, t, str_from(locale));
	return buf_cstr(&text);
}

int main(void)
{
	struct push_text t = {.kind = PUSH_MESSAGE,
			      .preview = true,
			      .from = STR_LIT("Ann \"A\""),
			      .content = STR_LIT("hi"),
			      .badge = 3,
			      .conversation_id = 7,
			      .message_id = 1879048193};
	static char longest[8000];
	out = json_out_new();
	is_str(put(&t, NULL),
	       "{\"kind\":\"message\",\"title\":\"Ann \\\"A\\\"\",\"body\":\"hi\",\"badge\":3,\"conversation_id\":\"7\","
	       "\"message_id\":\"1879048193\"}",
	       "a message");
	t.group = STR_LIT("Trip");
	t.type = MESSAGE_IMAGE;
	ok(strstr(put(&t, "en-GB"), "\"title\":\"Trip\",\"body\":\"Ann \\\"A\\\": Photo hi\"") != NULL, "a picture in a group");
	ok(strstr(put(&t, "zh"), "\"body\":\"Ann \\\"A\\\"：[图片] hi\"") != NULL, "in Chinese");
	ok(strstr(put(&t, "ZH_hans"), "[图片]") != NULL && strstr(put(&t, "zhx"), "Photo") != NULL, "by the first part of the tag");
	t.content = STR_NULL;
	ok(strstr(put(&t, "en"), ": Photo\"") != NULL, "without a caption");
	t.type = MESSAGE_TEXT;
	t.kind = PUSH_MENTION;
	t.content = STR_LIT("@ben");
	ok(strstr(put(&t, "en"), "mentioned you: @ben") != NULL && strstr(put(&t, "zh"), "提到了你：@ben") != NULL, "a mention");
	t.preview = false;
	is_str(put(&t, "en"),
	       "{\"kind\":\"mention\",\"title\":\"You were mentioned\",\"body\":\"\",\"badge\":3,\"conversation_id\":\"7\",\"message_id\":"
	       "\"1879048193\"}",
	       "without preview neither names nor content");
	t = (struct push_text){.kind = PUSH_FRIEND_REQUEST, .preview = true, .from = STR_LIT("ben")};
	ok(strstr(put(&t, "en"), "\"New friend request\",\"body\":\"ben wants to be your friend\"") != NULL, "a friend request");
	t = (struct push_text){.kind = PUSH_NOTIFICATION, .preview = true, .content = STR_LIT("nice")};
	ok(strstr(put(&t, "zh"), "\"新通知\",\"body\":\"nice\"") != NULL, "a notification");
	t = (struct push_text){.kind = PUSH_READ, .preview = true, .conversation_id = 7, .badge = UINT64_MAX};
	is_str(put(&t, "zh"),
	       "{\"kind\":\"read\",\"title\":\"\",\"body\":\"\",\"badge\":2147483647,\"conversation_id\":\"7\",\"message_id\":null}",
	       "what is read");

	/* Control characters are the longest in JSON, others in UTF-8. */
	memset(longest, 1, sizeof(longest));
	t = (struct push_text){.kind = PUSH_MENTION, .preview = true, .conversation_id = UINT64_MAX, .message_id = UINT64_MAX};
	t.from = t.group = t.content = (struct str){longest, sizeof(longest)};
	ok(strlen(put(&t, "zh")) <= 3993, "the longest fits into a Web Push message");
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = "\xf0\x9f\x98\x80"[i % 4];
	ok(strlen(put(&t, "zh")) <= 3993 && strstr(put(&t, "zh"), "😀…\"") != NULL, "cut between characters");
	json_out_free(&out);
	return done_testing();
}
