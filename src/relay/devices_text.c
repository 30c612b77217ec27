/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "relay/devices_text.h"

#include <strings.h>

/* In characters; a character is 6 bytes of JSON at most, or 4 of UTF-8. */
#define TITLE_MAX 64
#define BODY_MAX 200

const char *push_kind_name(enum push_kind k)
{
	static const char *const names[] = {
		[PUSH_MESSAGE] = "message",
		[PUSH_MENTION] = "mention",
		[PUSH_FRIEND_REQUEST] = "friend_request",
		[PUSH_NOTIFICATION] = "notification",
		[PUSH_READ] = "read",
	};
	_Static_assert(ARRAY_LEN(names) == PUSH_KINDS, "each has a name");
	return names[k];
}

/* ---- words ---- */

struct words {
	const char *title[PUSH_KINDS];
	const char *type[MESSAGE_TYPES];
	const char *wants_to_be_friends, *mentioned_you, *colon;
};

static const struct words english = {
	.title = {[PUSH_MESSAGE] = "New message",
		  [PUSH_MENTION] = "You were mentioned",
		  [PUSH_FRIEND_REQUEST] = "New friend request",
		  [PUSH_NOTIFICATION] = "New notification",
		  [PUSH_READ] = ""},
	.type = {[MESSAGE_TEXT] = "Message",
		 [MESSAGE_IMAGE] = "Photo",
		 [MESSAGE_VOICE] = "Voice message",
		 [MESSAGE_VIDEO] = "Video",
		 [MESSAGE_FILE] = "File",
		 [MESSAGE_STICKER] = "Sticker",
		 [MESSAGE_FORWARD] = "Forwarded messages",
		 [MESSAGE_SYSTEM] = ""},
	.wants_to_be_friends = " wants to be your friend",
	.mentioned_you = " mentioned you: ",
	.colon = ": ",
};

static const struct words chinese = {
	.title = {[PUSH_MESSAGE] = "新消息",
		  [PUSH_MENTION] = "有人提到了你",
		  [PUSH_FRIEND_REQUEST] = "新的好友请求",
		  [PUSH_NOTIFICATION] = "新通知",
		  [PUSH_READ] = ""},
	.type = {[MESSAGE_TEXT] = "[消息]",
		 [MESSAGE_IMAGE] = "[图片]",
		 [MESSAGE_VOICE] = "[语音]",
		 [MESSAGE_VIDEO] = "[视频]",
		 [MESSAGE_FILE] = "[文件]",
		 [MESSAGE_STICKER] = "[表情]",
		 [MESSAGE_FORWARD] = "[聊天记录]",
		 [MESSAGE_SYSTEM] = ""},
	.wants_to_be_friends = "想加你为好友",
	.mentioned_you = "提到了你：",
	.colon = "：",
};

static const struct words *words_of(struct str locale)
{
	bool is_chinese = locale.s != NULL && locale.len >= 2 && strncasecmp(locale.s, "zh", 2) == 0 &&
			  (locale.len == 2 || locale.s[2] == '-' || locale.s[2] == '_');
	return is_chinese ? &chinese : &english;
}

/* ---- putting them together ---- */

/* The first so many characters, with an ellipsis where there are more. */
static void put_cut(struct buf *out, struct str text, size_t chars_max)
{
	size_t chars = 0, at = 0;
	for (; at < text.len; at++) {
		bool begins = ((unsigned char)text.s[at] & 0xc0) != 0x80;
		if (begins && chars++ == chars_max)
			break;
	}
	buf_append(out, text.s, at);
	if (at < text.len)
		buf_append_str(out, STR_LIT("…"));
}

static void put_title(struct buf *out, const struct push_text *t, const struct words *w)
{
	bool is_message = t->kind == PUSH_MESSAGE || t->kind == PUSH_MENTION;
	if (t->preview && is_message)
		put_cut(out, t->group.s != NULL ? t->group : t->from, TITLE_MAX);
	else
		buf_append_str(out, str_from(w->title[t->kind]));
}

static void put_body(struct buf *out, const struct push_text *t, const struct words *w)
{
	if (!t->preview || t->kind == PUSH_READ)
		return;
	if (t->kind == PUSH_FRIEND_REQUEST || t->kind == PUSH_MENTION || t->group.s != NULL) {
		put_cut(out, t->from, TITLE_MAX);
		buf_append_str(out, str_from(t->kind == PUSH_FRIEND_REQUEST ? w->wants_to_be_friends
					     : t->kind == PUSH_MENTION	    ? w->mentioned_you
									    : w->colon));
	}
	if (t->kind == PUSH_FRIEND_REQUEST)
		return;
	bool is_text = t->type == MESSAGE_TEXT || t->kind == PUSH_NOTIFICATION;
	if (!is_text)
		buf_append_str(out, str_from(w->type[t->type]));
	if (t->content.s == NULL || t->content.len == 0)
		return;
	if (!is_text)
		buf_append_char(out, ' ');
	put_cut(out, t->content, BODY_MAX);
}

static void put_id_or_null(struct json_out *o, const char *name, uint64_t id)
{
	json_key(o, name);
	if (id != 0)
		json_id(o, id);
	else
		json_null(o);
}

void devices_text_put(struct json_out *o, struct buf *out, const struct push_text *t, struct str locale)
{
	const struct words *w = words_of(locale);
	struct buf text = {0};
	json_begin(o, out);
	json_object(o);
	json_put_cstr(o, "kind", push_kind_name(t->kind));
	json_key(o, "title");
	put_title(&text, t, w);
	json_cstr(o, buf_cstr(&text));
	buf_clear(&text);
	json_key(o, "body");
	put_body(&text, t, w);
	json_cstr(o, buf_cstr(&text));
	json_key(o, "badge");
	json_i64(o, t->badge < INT32_MAX ? (int64_t)t->badge : INT32_MAX);
	put_id_or_null(o, "conversation_id", t->conversation_id);
	put_id_or_null(o, "message_id", t->message_id);
	json_object_end(o);
	buf_fini(&text);
}
