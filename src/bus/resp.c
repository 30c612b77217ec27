/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes our own reply objects in hiredis' reader, so that a reply's size is
 * limited before memory is taken for it.
 */
#include "core/base.h"
#include "bus/resp.h"

#include <stdlib.h>

#include <hiredis/hiredis.h>

#include "core/log.h"

struct resp_reader {
	redisReader *hiredis;
};

/* A list has room for its items, so that one of short items is a single allocation. */
struct list {
	struct resp reply;
	char *room, *end;
	struct resp *item[];
};
#define ROOM_AN_ITEM (sizeof(struct resp) + 32)

static struct list *list_of(const struct resp *reply)
{
	return container_of(reply, struct list, reply);
}

static bool is_in_room(const struct list *list, const void *item)
{
	const char *at = item;
	return at >= (const char *)list && at < list->end;
}

static void *take_room(struct list *list, size_t size)
{
	const size_t align = _Alignof(struct resp);
	char *at = list->room;
	size = (size + align - 1) / align * align;
	if (size > (size_t)(list->end - at))
		return NULL;
	list->room += size;
	return at;
}

/* Of a reply that is no list. */
static struct resp *node_new(const redisReadTask *task, enum resp_type type, size_t extra)
{
	struct list *list = task->parent != NULL ? list_of(task->parent->obj) : NULL;
	struct resp *node = list != NULL ? take_room(list, sizeof(*node) + extra) : NULL;
	if (node == NULL)
		node = xmalloc(sizeof(*node) + extra);
	*node = (struct resp){.type = type};
	if (list != NULL)
		list->item[task->idx] = node;
	return node;
}

static void *make_string(const redisReadTask *task, char *text, size_t len)
{
	enum resp_type type = task->type == REDIS_REPLY_ERROR	 ? RESP_ERROR
			      : task->type == REDIS_REPLY_STATUS ? RESP_STATUS
								 : RESP_STRING;
	struct resp *node = node_new(task, type, len);
	char *copy = (char *)(node + 1);
	if (len != 0)
		memcpy(copy, text, len);
	node->text = (struct str){copy, len};
	return node;
}

/* hiredis takes NULL for "out of memory" and gives the reply up. */
static void *make_array(const redisReadTask *task, int count)
{
	if (count < 0 || count > RESP_MAX_ITEMS || task->parent != NULL)
		return NULL;
	size_t head = sizeof(struct list) + (size_t)count * sizeof(struct resp *);
	size_t size = head + (size_t)count * ROOM_AN_ITEM;
	struct list *list = xmalloc(size);
	memset(list, 0, head);
	list->room = (char *)list + head;
	list->end = (char *)list + size;
	list->reply = (struct resp){.type = RESP_ARRAY, .count = (size_t)count, .item = list->item};
	return &list->reply;
}

static void *make_integer(const redisReadTask *task, long long value)
{
	struct resp *node = node_new(task, RESP_INTEGER, 0);
	node->integer = value;
	return node;
}

static void *make_nil(const redisReadTask *task)
{
	return node_new(task, RESP_NIL, 0);
}

static void free_object(void *obj)
{
	resp_free(obj);
}

static redisReplyObjectFunctions functions = {
	.createString = make_string,
	.createArray = make_array,
	.createInteger = make_integer,
	.createNil = make_nil,
	.freeObject = free_object,
};

void resp_free(struct resp *reply)
{
	if (reply == NULL || reply->type != RESP_ARRAY) {
		free(reply);
		return;
	}
	struct list *list = list_of(reply);
	for (size_t i = 0; i < reply->count; i++)
		if (!is_in_room(list, list->item[i]))
			free(list->item[i]);
	free(list);
}

struct resp_reader *resp_reader_new(void)
{
	struct resp_reader *r = xmalloc(sizeof(*r));
	r->hiredis = redisReaderCreateWithFunctions(&functions);
	ASSERT(r->hiredis != NULL);
	return r;
}

void resp_reader_free(struct resp_reader **r)
{
	if (*r == NULL)
		return;
	redisReaderFree((*r)->hiredis);
	free(*r);
	*r = NULL;
}

static int failed(const struct resp_reader *r, const char **err_r)
{
	*err_r = r->hiredis->err == REDIS_ERR_OOM ? "a reply of a size or shape that was not asked for"
						  : r->hiredis->errstr;
	return -1;
}

int resp_feed(struct resp_reader *r, const char *data, size_t len, const char **err_r)
{
	if (r->hiredis->len - r->hiredis->pos + len > RESP_MAX_BYTES) {
		*err_r = "a reply that is too large";
		return -1;
	}
	return redisReaderFeed(r->hiredis, data, len) == REDIS_OK ? 0 : failed(r, err_r);
}

int resp_next(struct resp_reader *r, struct resp **out_r, const char **err_r)
{
	void *reply = NULL;
	if (redisReaderGetReply(r->hiredis, &reply) != REDIS_OK)
		return failed(r, err_r);
	*out_r = reply;
	return reply != NULL;
}

static void append_length(struct buf *out, char mark, size_t n)
{
	buf_append_char(out, mark);
	buf_append_u64(out, n);
	buf_append_str(out, STR_LIT("\r\n"));
}

void resp_command(struct buf *out, size_t argc, const struct str *argv)
{
	ASSERT(argc > 0 && argc <= RESP_MAX_ARGS);
	append_length(out, '*', argc);
	for (size_t i = 0; i < argc; i++) {
		append_length(out, '$', argv[i].len);
		buf_append_str(out, argv[i]);
		buf_append_str(out, STR_LIT("\r\n"));
	}
}
