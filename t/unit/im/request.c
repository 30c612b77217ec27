/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How requests end in a worker: answered, refused, with the client gone, with a store that answers twice, and in a
 * worker that stops. The store's answers are the test's to give. What a request holds is given back each time; that
 * none is left is told by LeakSanitizer.
 */
#include "core/base.h"
#include "api/request.h"

#include "group_kit.h"

/* Groups are given one message to two members at a time. */
#define FANOUT 2

/* ---- the store ---- */

#define CALLS_MAX 16

enum call_kind { CALL_SEND, CALL_UNREAD, CALL_FRIENDS, CALL_WATCH, CALL_LOGIN };
struct call {
	enum call_kind kind;
	void *arg;
	union {
		store_sent_fn *sent;
		store_unread_fn *unread;
		store_befriended_fn *friends;
		store_friends_fn *watch;
		store_user_fn *user;
	} fn;
};
static struct call calls[CALLS_MAX];
static unsigned call_count;

static struct call *call_new(enum call_kind kind, void *arg)
{
	ASSERT(call_count < CALLS_MAX);
	calls[call_count] = (struct call){.kind = kind, .arg = arg};
	return &calls[call_count++];
}

void __wrap_store_send(struct store *s, const struct store_send *p, store_sent_fn *fn, void *arg);
void __wrap_store_count_unread(struct store *s, struct str user, store_unread_fn *fn, void *arg);
void __wrap_store_list_friends(struct store *s, struct str user, unsigned limit, struct str after,
			       store_befriended_fn *fn, void *arg);
void __wrap_store_find_friends(struct store *s, struct str user, const struct str *ids, size_t n, store_friends_fn *fn,
			       void *arg);
void __wrap_store_look_up_user(struct store *s, struct str asker, struct str user, store_user_fn *fn, void *arg);
void __wrap_store_free(struct store **s);
void __real_store_free(struct store **s);

void __wrap_store_send(struct store *s, const struct store_send *p, store_sent_fn *fn, void *arg)
{
	call_new(CALL_SEND, arg)->fn.sent = fn;
}

void __wrap_store_count_unread(struct store *s, struct str user, store_unread_fn *fn, void *arg)
{
	call_new(CALL_UNREAD, arg)->fn.unread = fn;
}

void __wrap_store_list_friends(struct store *s, struct str user, unsigned limit, struct str after,
			       store_befriended_fn *fn, void *arg)
{
	call_new(CALL_FRIENDS, arg)->fn.friends = fn;
}

void __wrap_store_find_friends(struct store *s, struct str user, const struct str *ids, size_t n, store_friends_fn *fn,
			       void *arg)
{
	call_new(CALL_WATCH, arg)->fn.watch = fn;
}

void __wrap_store_look_up_user(struct store *s, struct str asker, struct str user, store_user_fn *fn, void *arg)
{
	call_new(CALL_LOGIN, arg)->fn.user = fn;
}

/* The first of those that wait is answered; `keep`: it will be once more. */
static void answer_call(enum store_status status, bool keep)
{
	const struct message m = {.id = message_id_make(TRIP, 1), .from = "alice"};
	const struct befriended friend = {.peer = {.user_id = "bob"}};
	const struct store_sent sent = {
		.status = status, .message = status == STORE_OK ? &m : NULL, .gap_ms = INT64_MAX};
	const struct store_befriended friends = {.status = status, .item = &friend, .count = status == STORE_OK};
	const struct store_friends watch = {.status = status};
	const struct store_user user = {.status = status};
	struct call c = calls[0];
	ASSERT(call_count != 0);
	if (!keep)
		memmove(calls, calls + 1, --call_count * sizeof(calls[0]));
	switch (c.kind) {
	case CALL_SEND:
		c.fn.sent(&sent, c.arg);
		break;
	case CALL_UNREAD:
		c.fn.unread(status, 7, 0, c.arg);
		break;
	case CALL_FRIENDS:
		c.fn.friends(&friends, c.arg);
		break;
	case CALL_WATCH:
		c.fn.watch(&watch, c.arg);
		break;
	case CALL_LOGIN:
		c.fn.user(&user, c.arg);
		break;
	}
}

static unsigned unanswered_at_the_end;

void __wrap_store_free(struct store **s)
{
	unanswered_at_the_end = call_count;
	while (call_count != 0)
		answer_call(STORE_UNAVAILABLE, false);
	__real_store_free(s);
}

/* ---- clients ---- */

static void connect_http(struct client *c)
{
	int fds[2];
	struct addr peer = {.sa.ss_family = AF_UNIX, .len = sizeof(sa_family_t)};
	*c = (struct client){0};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
		exit(1);
	c->fd = fds[1];
	im_accept(im, fds[0], IM_DOOR_PUBLIC, &peer);
}

/* `length`: of the body, which may be more than there is of it. */
static void ask_part(struct client *c, const char *line, const char *body, size_t length)
{
	int64_t expires_ms;
	const char *err = NULL;
	char *token = token_issue(im->api.keys, "alice", 0, NULL, 3600, &expires_ms, &err);
	char *text =
		xasprintf("%s HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
			  "Content-Length: %zu\r\n\r\n%s",
			  line, token, length, body);
	if (write(c->fd, text, strlen(text)) != (ssize_t)strlen(text))
		exit(1);
	free(token);
	free(text);
}

static void ask(struct client *c, const char *line, const char *body)
{
	unsigned before = call_count;
	ask_part(c, line, body, strlen(body));
	UNTIL(call_count > before || client_read(c));
}

/* The status and body of an answer. */
static const char *answer_of(struct client *c)
{
	int status = client_status(c);
	snprintf(c->text, sizeof(c->text), "%d %.*s", status, (int)c->in.len, c->in.data != NULL ? c->in.data : "");
	buf_clear(&c->in);
	return c->text;
}

static bool says_nothing(struct client *c)
{
	turns(4);
	client_read(c);
	return c->in.len == 0;
}

static void leave(struct client *c)
{
	client_close(c);
	turns(4);
}

static struct request *request_of(unsigned i)
{
	return calls[i].arg;
}

/* ---- the tests ---- */

static void test_answered(void)
{
	struct client c;
	connect_http(&c);
	ask(&c, "GET /messages/unread-count", "");
	ok(request_of(0)->arena.block == NULL, "a request that keeps nothing has taken no memory for it");
	answer_call(STORE_OK, false);
	is_str(answer_of(&c), "200 {\"unread_count\":7,\"mention_count\":0}",
	       "the store's answer becomes the client's");
	ask(&c, "GET /messages/unread-count", "");
	answer_call(STORE_OVERLOADED, false);
	ok(has(answer_of(&c), "503 ") && has(c.text, "\"overloaded\""), "a refusal of the store, too");
	ask(&c, "GET /friends?limit=0", "");
	ok(has(answer_of(&c), "400 ") && has(c.text, "limit: must be a number from 1 to 100"),
	   "so does what check says");
	is_int(call_count, 0, "which asks the store nothing");
	ask(&c, "POST /messages/send", "[]");
	ok(has(answer_of(&c), "400 ") && has(c.text, "the body must be a JSON object"), "and what the door says");
	ask(&c, "PUT /friends", "");
	ok(has(answer_of(&c), "405 "), "before the body, too");
	ask(&c, "GET /friends", "");
	answer_call(STORE_OK, false);
	UNTIL(client_read(&c));
	ok(has(answer_of(&c), "200 ") && has(c.text, "\"bob\"") && has(c.text, "\"online\":false"),
	   "one that asks Redis, too, ends with what that says");
	leave(&c);
}

static void test_client_gone(void)
{
	struct client c;
	static const struct {
		const char *line, *body;
	} asks[] = {
		{"GET /messages/unread-count", ""},
		{"GET /friends", ""},
		{"POST /messages/send", "{\"to_user_id\":\"bob\",\"message_type\":\"text\",\"content\":\"x\"}"},
	};
	for (size_t i = 0; i < 2 * ARRAY_LEN(asks); i++) {
		enum store_status status = i % 2 == 0 ? STORE_OK : STORE_UNAVAILABLE;
		connect_http(&c);
		ask(&c, asks[i / 2].line, asks[i / 2].body);
		leave(&c);
		is_int(call_count, 1, "%s: the client is gone, the request goes on", asks[i / 2].line);
		answer_call(status, false);
		turns(4);
		UNTIL(LIST_EMPTY(&live->online_queries));
	}
	connect_http(&c);
	ask_part(&c, "POST /messages/send", "{\"to_user_id\":", 100);
	turns(4);
	leave(&c);
	is_int(call_count, 0, "one whose body never became whole has asked nothing");
}

static void test_twice(void)
{
	struct client c;
	static const char message[] =
		"{\"conversation_id\":\"17179869185\",\"message_type\":\"text\",\"content\":\"x\"}";
	begin();
	connect_http(&c);
	ask(&c, "POST /messages/send", message);
	answer_call(STORE_UNCERTAIN, true);
	ok(has(answer_of(&c), "503 ") && has(c.text, "\"unavailable\""),
	   "while nobody is certain the client is told so");
	ok(request_is_detached(request_of(0)), "and waits no longer");
	is_str(client_rest(&bob), "", "nobody is told of it yet");
	ask(&c, "GET /messages/unread-count", "");
	ok(call_count == 2, "the connection takes the next request");
	answer_call(STORE_OK, false);
	ok(has(client_next(&bob), "\"type\":\"message\""), "the second word is told to the members");
	ok(has(client_next(&alice), "\"type\":\"message\""), "and to all sessions of who sent it");
	ok(says_nothing(&c), "but not to the client");
	answer_call(STORE_OK, false);
	ok(has(answer_of(&c), "200 "), "which has the answer to its next request");
	leave(&c);

	pass(2000);
	client_send(&alice, "{\"type\":\"send\",\"ref\":\"1\",\"conversation_id\":\"17179869185\","
			    "\"message_type\":\"text\",\"content\":\"x\"}");
	UNTIL(call_count == 1);
	struct session *s = session_of("alice");
	is_int(s->pending, 1, "a frame has its place among those of the session");
	answer_call(STORE_UNCERTAIN, true);
	ok(has(client_next(&alice), "\"ref\":\"1\",\"code\":\"unavailable\""), "its error is told at once");
	is_int(s->pending, 0, "and its place given back");
	answer_call(STORE_NOT_FOUND, false);
	is_str(client_rest(&alice), "", "the last word is told nobody");
	end();
}

/* A message to the group takes all tokens there are; the clock does not move. */
static void test_tokens(void)
{
	static const char frame[] = "{\"type\":\"send\",\"ref\":\"1\",\"conversation_id\":\"17179869185\","
				    "\"message_type\":\"text\",\"content\":\"x\"}";
	begin();
	pass(2000);
	client_send(&alice, frame);
	UNTIL(call_count == 1);
	is_int((int)request_of(0)->fanout, 2, "a message holds a token for each member here");
	client_send(&alice, frame);
	ok(has(client_next(&alice), "\"rate_limited\""), "there are no more for another");
	answer_call(STORE_NOT_FRIENDS, false);
	ok(has(client_next(&alice), "\"not_friends\""), "the first one is refused");
	client_send(&alice, frame);
	UNTIL(call_count == 1);
	ok(request_of(0)->fanout == 2, "and has given its tokens back");
	answer_call(STORE_UNCERTAIN, true);
	(void)client_next(&alice);
	client_send(&alice, frame);
	ok(has(client_next(&alice), "\"rate_limited\""), "what is not certain keeps them");
	answer_call(STORE_UNKNOWN, false);
	client_send(&alice, frame);
	UNTIL(call_count == 1);
	client_close(&alice);
	turns(4);
	answer_call(STORE_OK, false);
	ok(has(client_next(&bob), "\"message\""), "what is sent is told to the others, its sender gone");
	client_begin(&alice, "alice", "");
	client_send(&alice, frame);
	ok(has(client_next(&alice), "\"rate_limited\""), "and has used its tokens");
	end();
	pass(2000);
}

static void test_watches(void)
{
	static const char frame[] = "{\"type\":\"watch\",\"ref\":\"1\",\"user_ids\":[\"bob\",\"carol\"]}";
	struct client c;
	client_begin(&c, "dora", "");
	client_send(&c, frame);
	client_send(&c, frame);
	UNTIL(call_count == 1 && session_of("dora")->pending == 2);
	answer_call(STORE_UNAVAILABLE, false);
	ok(has(client_next(&c), "\"unavailable\""), "a watch that fails is answered");
	is_int(call_count, 1, "and the next one has its turn");
	client_send(&c, frame);
	UNTIL(session_of("dora")->pending == 2);
	client_close(&c);
	turns(4);
	ok(user_find(live, STR_LIT("dora")) != NULL, "the session waits for its requests");
	answer_call(STORE_OK, false);
	UNTIL(call_count == 1);
	answer_call(STORE_OK, false);
	user_end("dora");
}

static void test_login(void)
{
	struct client c;
	uint64_t refused = stats_refused(hub, PROBLEM_CREDENTIALS_INVALID);
	for (int gone = 0; gone < 2; gone++) {
		connect_http(&c);
		ask(&c, "POST /users/login", "{\"user_id\":\"eve\",\"password\":\"a long secret\"}");
		ok(call_count == 1 && request_of(0) != NULL, "a login looks for the user");
		if (gone)
			leave(&c);
		answer_call(STORE_NOT_FOUND, false);
		UNTIL(stats_refused(hub, PROBLEM_CREDENTIALS_INVALID) == refused + 1 + (uint64_t)gone);
		if (gone)
			continue;
		ok(has(answer_of(&c), "401 ") && has(c.text, "credentials_invalid"), "and is refused");
		leave(&c);
	}
}

/* One of each kind waits for the store, the thread or Redis. */
static void test_stop(void)
{
	struct client http[4], ws;
	client_begin(&ws, "fay", "");
	for (size_t i = 0; i < ARRAY_LEN(http); i++)
		connect_http(&http[i]);
	ask(&http[3], "GET /friends", "");
	kill(redis.pid, SIGSTOP);
	answer_call(STORE_OK, false);
	ok(!LIST_EMPTY(&live->online_queries), "a request waits for Redis");
	ask(&http[0], "POST /users/login", "{\"user_id\":\"eve\",\"password\":\"a long secret\"}");
	answer_call(STORE_NOT_FOUND, false);
	ask(&http[1], "POST /messages/send", "{\"to_user_id\":\"bob\",\"message_type\":\"text\",\"content\":\"x\"}");
	answer_call(STORE_UNCERTAIN, true);
	ask(&http[2], "GET /messages/unread-count", "");
	client_send(&ws, "{\"type\":\"watch\",\"ref\":\"1\",\"user_ids\":[\"bob\"]}");
	client_send(&ws, "{\"type\":\"watch\",\"ref\":\"2\",\"user_ids\":[\"bob\"]}");
	UNTIL(session_of("fay")->pending == 2);
	kill(redis.pid, SIGCONT);
	kit_stop();
	is_int(unanswered_at_the_end, 3, "a worker that stops ends what waits for the store");
	for (size_t i = 0; i < ARRAY_LEN(http); i++)
		client_close(&http[i]);
	client_close(&ws);
}

int main(void)
{
	kit_start_groups();
	im->api.accounts = true;
	conf->groups.fanout_per_second = FANOUT;
	live->conversation_event = kit_conversation_event;
	test_answered();
	test_client_gone();
	test_twice();
	test_tokens();
	test_watches();
	test_login();
	test_stop();
	return done_testing();
}
