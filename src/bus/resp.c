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

static struct resp *node_new(const redisReadTask *task, enum resp_type type, size_t extra)
{
	struct resp *node = xcalloc(1, sizeof(*node) + extra);
	node->type = type;
	if (task->parent != NULL) {
		struct resp *parent = task->parent->obj;
		parent->item[task->idx] = node;
	}
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
	struct resp *node = node_new(task, RESP_ARRAY, (size_t)count * sizeof(node->item[0]));
	node->item = (struct resp **)(node + 1);
	node->count = (size_t)count;
	return node;
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
	if (reply == NULL)
		return;
	for (size_t i = 0; i < reply->count; i++)
		free(reply->item[i]);
	free(reply);
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

void resp_command(struct buf *out, size_t argc, const struct str *argv)
{
	const char *word[RESP_MAX_ARGS];
	size_t word_len[RESP_MAX_ARGS];
	char *command = NULL;
	ASSERT(argc > 0 && argc <= RESP_MAX_ARGS);
	for (size_t i = 0; i < argc; i++) {
		word[i] = argv[i].s;
		word_len[i] = argv[i].len;
	}
	int len = redisFormatCommandArgv(&command, (int)argc, word, word_len);
	ASSERT(len > 0);
	buf_append(out, command, (size_t)len);
	redisFreeCommand(command);
}
