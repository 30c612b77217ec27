/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Webhooks: what is delivered is delivered once where nothing dies, in order also within a millisecond, and costs the
 * database nothing while nothing happens; one that hangs holds up no other; and rows that are too old go.
 */
#define CLOCK_KIT_SQL
#include "relay_kit.h"

#include <arpa/inet.h>
#include <limits.h>

#define HOOKS 3
#define CONVERSATION(i, seq) ((100ULL + (i)) << 28 | (seq))
#define CONVERSATIONS 64

/* ---- who is called ---- */

static struct evconnlistener *receiver;
static bool refuses, hangs[HOOKS];
static unsigned refused[HOOKS];
static const char *retry_after = ""; /* a header of what is refused */
static struct buf taken[HOOKS];	     /* the ids of events, each with a space behind it */
static const char *secret_text = "what was recalled";
static bool took_secret;
/* Of what is taken that many are answered at once; those who wait for theirs. */
static unsigned at_once = UINT_MAX, waiting;
static struct bufferevent *waits[HOOK_LANES];

static void take_ids(struct buf *to, const char *body)
{
	static const char key[] = "{\"id\":\"";
	while ((body = strstr(body, key)) != NULL) {
		body += sizeof(key) - 1;
		size_t len = strcspn(body, "\"");
		/* A message's id is a number. */
		if (memchr(body, '-', len) == NULL)
			continue;
		buf_append(to, body, len);
		buf_append_char(to, ' ');
	}
}

static void answer(struct bufferevent *b)
{
	evbuffer_add_printf(bufferevent_get_output(b), "HTTP/1.1 %d x\r\n%sContent-Length: 0\r\n\r\n",
			    refuses ? 500 : 200, refuses ? retry_after : "");
}

static void answer_those_who_wait(void)
{
	at_once = UINT_MAX;
	while (waiting != 0)
		answer(waits[--waiting]);
}

/* False: there is no whole request yet. */
static bool take_request(struct bufferevent *b)
{
	struct evbuffer *in = bufferevent_get_input(b);
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	if (end.pos < 0)
		return false;
	size_t len = evbuffer_get_length(in), head = (size_t)end.pos + 4, body = 0;
	char *text = xstrndup((const char *)evbuffer_pullup(in, -1), len);
	const char *length = strcasestr(text, "\r\ncontent-length: ");
	if (length != NULL)
		body = strtoul(length + 18, NULL, 10);
	bool whole = len >= head + body;
	int hook = text[sizeof("POST /") - 1] - '0';
	if (whole) {
		evbuffer_drain(in, head + body);
		text[head + body] = '\0';
	}
	if (whole && !hangs[hook]) {
		refused[hook] += refuses;
		if (!refuses)
			take_ids(&taken[hook], text + head);
		took_secret |= !refuses && strstr(text + head, secret_text) != NULL;
		if (refuses || at_once != 0)
			answer(b);
		else
			waits[waiting++] = b;
		at_once -= at_once != 0 && at_once != UINT_MAX;
	}
	free(text);
	return whole;
}

static void on_request(struct bufferevent *b, void *arg)
{
	while (take_request(b))
		continue;
}

static void on_hang_up(struct bufferevent *b, short what, void *arg)
{
	bufferevent_free(b);
}

static void on_caller(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from, int len, void *arg)
{
	struct bufferevent *b = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(b, on_request, NULL, on_hang_up, NULL);
	bufferevent_enable(b, EV_READ | EV_WRITE);
}

static int receiver_begin(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	receiver = evconnlistener_new_bind(base, on_caller, NULL, LEV_OPT_CLOSE_ON_FREE, -1, (struct sockaddr *)&at,
					   sizeof(at));
	if (receiver == NULL || getsockname(evconnlistener_get_fd(receiver), (struct sockaddr *)&at, &len) != 0)
		db_die("no receiver");
	return ntohs(at.sin_port);
}

static unsigned count_taken(int hook)
{
	unsigned n = 0;
	for (size_t i = 0; i < taken[hook].len; i++)
		n += taken[hook].data[i] == ' ';
	return n;
}

static void forget_taken(void)
{
	for (int i = 0; i < HOOKS; i++)
		buf_clear(&taken[i]);
}

/* ---- what there is to tell ---- */

static void with_read(uint64_t id)
{
	with_id(OUTBOX_READ, id);
	with_user("alice");
}

/* One of each conversation, so that all lanes have some. */
static void put_reads(uint64_t stream, uint64_t n)
{
	for (uint64_t i = 0; i < CONVERSATIONS; i++)
		with_read(CONVERSATION(i, 1));
	put_row(stream, n);
}

static struct hook *hook(int i)
{
	return &relay[0]->hooks.hook[i];
}

static bool is_calling(const struct hook *h)
{
	bool calls = false;
	for (int i = 0; i < HOOK_LANES; i++)
		calls |= h->lane[i].call != NULL;
	return calls;
}

static long long read_up_to(int i, uint64_t stream)
{
	return db_sql("SELECT COALESCE(MAX(n),0) FROM outbox_done WHERE consumer='hook:h%d' AND stream=%llu", i,
		      (unsigned long long)stream);
}

static bool all_read_up_to(uint64_t stream, long long n)
{
	for (int i = 0; i < HOOKS; i++)
		if (read_up_to(i, stream) != n)
			return false;
	return true;
}

static bool all_are_known(void)
{
	for (int i = 0; i < HOOKS; i++)
		if (!hook(i)->known)
			return false;
	return true;
}

/* ---- tests ---- */

static void test_idle(void)
{
	with_read(DIRECT(1));
	put_row(S1, 1);
	told(S1, 1);
	PASS_UNTIL(all_read_up_to(S1, 1));
	is_str(buf_cstr(&taken[0]), "1000-1-0 ", "an event is delivered");
	pass(2000);
	int64_t looked_ms = hook(0)->asked_ms;
	pass(4000);
	is_int(hook(0)->asked_ms, looked_ms, "while nothing happens nobody looks what a webhook has to read");
	with_read(DIRECT(2));
	put_row(S2, 1);
	told(S2, 1);
	PASS_UNTIL(all_read_up_to(S2, 1));
	is_str(buf_cstr(&taken[0]), "1000-1-0 2000-1-0 ", "but a row of a new stream is seen");
	with_read(DIRECT(3));
	put_row(S1, 2);
	told(S1, 2);
	PASS_UNTIL(all_read_up_to(S1, 2));
	is_str(buf_cstr(&taken[0]), "1000-1-0 2000-1-0 1000-2-0 ", "and a further one of an old stream");
	forget_taken();
}

/* The database refuses to note anything. */
static void test_refused_note(void)
{
	db_sql("CREATE TRIGGER no_notes BEFORE UPDATE ON hooks FOR EACH ROW SIGNAL SQLSTATE '45000' SET "
	       "MESSAGE_TEXT='no notes today'");
	with_read(DIRECT(4));
	put_row(S1, 3);
	told(S1, 3);
	PASS_UNTIL(log_has("no notes today"));
	unsigned asked = proxy_asked;
	pass(3000);
	ok(proxy_asked - asked < 200, "a note that is refused is tried now and then (%u questions in 3 s)",
	   proxy_asked - asked);
	db_sql("DROP TRIGGER no_notes");
	PASS_UNTIL(all_read_up_to(S1, 3));
	pass(2000);
	is_str(buf_cstr(&taken[0]), "1000-3-0 ", "and what was delivered is not delivered again for that");
	forget_taken();
}

/* The last of a window is answered while it is being noted that the webhook is well again. */
static void test_note_beside_end(void)
{
	/* The others have nothing to note for a while. */
	hangs[1] = hangs[2] = refuses = true;
	put_reads(S1, 4);
	told(S1, 4);
	PASS_UNTIL(db_sql("SELECT failing_since IS NOT NULL FROM hooks WHERE name='h0'") == 1);
	db_sql("START TRANSACTION");
	db_sql("SELECT name FROM hooks FOR UPDATE");
	refuses = false;
	at_once = 1;
	for (int64_t end_ms = real_ms() + 60000; waiting == 0 && real_ms() < end_ms;) {
		/* A request takes no time, or it would be given up. */
		if (!is_calling(hook(0)))
			wheel_pass(loop_wheel(loop), WHEEL_TICK_MS);
		kit_turn();
	}
	UNTIL(relay[0]->job == &hook_note_job && relay[0]->hooks.now == hook(0));
	answer_those_who_wait();
	UNTIL(hook(0)->step == HOOK_NOTING);
	ok(hook(0)->step == HOOK_NOTING && relay[0]->job == &hook_note_job && !hook(0)->notes_window,
	   "a window ends while something else is noted");
	db_sql("COMMIT");
	hangs[1] = hangs[2] = false;
	PASS_UNTIL(all_read_up_to(S1, 4));
	pass(2000);
	is_int(count_taken(0), CONVERSATIONS, "it is not delivered again");
	is_int(db_sql("SELECT COUNT(*) FROM hooks WHERE failing_since IS NULL"), HOOKS, "and all are well");
	forget_taken();
}

/* Milliseconds until the first webhook has refused once more. A request takes none. */
static int64_t until_refused(void)
{
	int64_t from_ms = now_ms, end_ms = real_ms() + 60000;
	for (unsigned before = refused[0]; refused[0] == before && real_ms() < end_ms;) {
		pass(WHEEL_TICK_MS);
		UNTIL(fetch_active(relay[0]->hooks.fetch) == 0);
	}
	return now_ms - from_ms;
}

static void test_retries(void)
{
	static const int64_t secs[] = {1, 2, 4, 8, 16, 40};
	unsigned wrong = 0;
	refuses = true;
	with_read(DIRECT(5));
	put_row(S1, 5);
	told(S1, 5);
	until_refused();
	for (size_t i = 0; i < ARRAY_LEN(secs); i++) {
		int64_t ms = until_refused();
		wrong += ms < secs[i] * 1000 || ms > secs[i] * 1000 + 5 * WHEEL_TICK_MS;
		/* It is in the refusal with which the next time ends. */
		if (i == 2)
			retry_after = "Retry-After: 10\r\n";
		if (i == 3)
			retry_after = "Retry-After: 40\r\n";
	}
	is_int(wrong, 0, "what is refused comes again after 1, 2, 4, 8, 16 s, or later where that is asked for");
	refuses = false;
	retry_after = "";
	PASS_UNTIL(all_read_up_to(S1, 5));
	is_str(buf_cstr(&taken[0]), "1000-5-0 ", "until it is taken");
	forget_taken();
}

static void test_recalled_meanwhile(void)
{
	db_sql("INSERT INTO messages (id,from_user_id,to_user_id,message_type,content,client_msg_id,created_at) VALUES "
	       "(%llu,'alice','bob',0,'%s','recalled',UTC_TIMESTAMP(3))",
	       DIRECT(10), secret_text);
	refuses = true;
	with_id(OUTBOX_SENT, DIRECT(10));
	put_row(S1, 6);
	told(S1, 6);
	/* The last of these is after 31 s, the next one after 63. */
	for (int tries = 0; tries < 6; tries++)
		until_refused();
	db_sql("UPDATE messages SET is_recalled=1,content=NULL WHERE id=%llu", DIRECT(10));
	refuses = false;
	PASS_UNTIL(all_read_up_to(S1, 6));
	is_str(buf_cstr(&taken[0]), "1000-6-0 ", "a message that a webhook was to be told of while it was down");
	ok(!took_secret, "is shown as it is by then");
	forget_taken();
}

static void test_profile_erased_meanwhile(void)
{
	db_sql("INSERT INTO users (id,nickname) VALUES ('zoe','%s')", secret_text);
	took_secret = false;
	outbox_put_about(&items, OUTBOX_ACCOUNT, ACCOUNT_CREATED, STR_LIT("zoe"));
	put_row(S1, 8);
	told(S1, 8);
	PASS_UNTIL(all_read_up_to(S1, 8));
	ok(took_secret, "a profile is shown");
	took_secret = false;
	refuses = true;
	outbox_put_about(&items, OUTBOX_ACCOUNT, ACCOUNT_UPDATED, STR_LIT("zoe"));
	put_row(S1, 9);
	told(S1, 9);
	for (int tries = 0; tries < 6; tries++)
		until_refused();
	db_sql("DELETE FROM users WHERE id='zoe'");
	refuses = false;
	PASS_UNTIL(all_read_up_to(S1, 9));
	is_str(buf_cstr(&taken[0]), "1000-8-0 1000-9-0 ", "of one who was erased while the webhook was down");
	ok(!took_secret, "nothing is shown");
	forget_taken();
	outbox_put_id(&items, OUTBOX_ACCOUNT, 99);
	for (int i = 0; i < 20; i++)
		outbox_put_text(&items, STR_LIT("12345678"));
	outbox_put_id(&items, OUTBOX_WENT, 1);
	outbox_put_about(&items, OUTBOX_WENT, 1, STR_LIT("zoe"));
	put_row(S1, 10);
	told(S1, 10);
	PASS_UNTIL(all_read_up_to(S1, 10));
	ok(count_taken(0) == 2 && strstr(buf_cstr(&taken[0]), "1000-10-0 ") != NULL &&
		   strstr(buf_cstr(&taken[0]), "1000-10-22 ") != NULL,
	   "what is malformed, or of later versions, does no harm (%s)", buf_cstr(&taken[0]));
	forget_taken();
}

static void test_moment(void)
{
	db_sql("INSERT INTO messages (id,from_user_id,to_user_id,message_type,content,client_msg_id,created_at) SELECT "
	       "%llu+seq,'alice','bob',0,'text',CONCAT('m',seq),UTC_TIMESTAMP(3) FROM seq_11_to_13",
	       DIRECT(0));
	db_sql("START TRANSACTION");
	for (uint64_t i = 0; i < 3; i++) {
		with_id(OUTBOX_SENT, DIRECT(11 + i));
		put_row(3002 - i, 1);
		told(3002 - i, 1);
	}
	db_sql("UPDATE outbox SET at=(SELECT since FROM hooks WHERE name='h0')+INTERVAL 1 SECOND WHERE stream BETWEEN "
	       "3000 AND 3002");
	db_sql("COMMIT");
	PASS_UNTIL(all_read_up_to(3000, 1));
	is_str(buf_cstr(&taken[0]), "3002-1-0 3001-1-0 3000-1-0 ",
	       "messages of one millisecond come in order of seq, whichever streams they are in");
	forget_taken();
}

static void test_large_rows(void)
{
	db_sql("CREATE TABLE lags (name VARCHAR(24))");
	db_sql("CREATE TRIGGER lag AFTER UPDATE ON hooks FOR EACH ROW INSERT INTO lags SELECT NEW.name FROM DUAL WHERE "
	       "NEW.waits_since IS NOT NULL AND NEW.failing_since IS NULL");
	for (uint64_t n = 1; n <= 40; n++)
		put_reads(4000, n);
	told(4000, 40);
	PASS_UNTIL(hook(0)->step == HOOK_SENDING || read_up_to(0, 4000) != 0);
	ok(hook(0)->event_room <= HOOK_EVENTS_MAX + CONVERSATIONS + 1, "a window reads no more than it delivers");
	PASS_UNTIL(all_read_up_to(4000, 40));
	is_int(count_taken(0), 40 * CONVERSATIONS, "all is delivered, once");
	is_int(db_sql("SELECT COUNT(DISTINCT name) FROM lags"), HOOKS,
	       "between windows it is noted since when the rest waits");
	PASS_UNTIL(db_sql("SELECT COUNT(*) FROM hooks WHERE waits_since IS NOT NULL") == 0);
	ok(true, "and in the end that nothing does");
	db_sql("DROP TRIGGER lag");
	forget_taken();
}

static void test_same_host(void)
{
	hangs[1] = hangs[2] = true;
	db_sql("UPDATE hooks SET is_paused=1 WHERE name='h0'");
	PASS_UNTIL(hook(0)->paused);
	put_reads(S1, 7);
	told(S1, 7);
	PASS_UNTIL(fetch_active(relay[0]->hooks.fetch) == 2 * HOOK_LANES);
	db_sql("UPDATE hooks SET is_paused=0 WHERE name='h0'");
	PASS_UNTIL(hook(0)->step == HOOK_SENDING || count_taken(0) == CONVERSATIONS);
	/* No time passes in which a request could be given up. */
	UNTIL(count_taken(0) == CONVERSATIONS);
	is_int(count_taken(0), CONVERSATIONS, "one goes on where two of its host hang");
	hangs[1] = hangs[2] = false;
	PASS_UNTIL(all_read_up_to(S1, 7));
	forget_taken();
}

/* A stream of many rows, of which one is too old, and one of few, of which all are. */
static void test_old_rows(void)
{
	outbox_empty();
	put_rows(5000, 1, 20000);
	put_rows(6000, 1, 500);
	db_sql("UPDATE outbox SET at=at-INTERVAL 4 DAY WHERE stream=6000 OR n=1");
	told(5000, 20000);
	told(6000, 500);
	PASS_UNTIL(db_sql("SELECT MIN(n) FROM outbox WHERE stream=5000") > 1);
	is_int(db_sql("SELECT COUNT(*) FROM outbox WHERE stream=6000"), 10, "each stream has its turn in a second");
	is_int(db_sql("SELECT COUNT(*) FROM outbox WHERE stream=5000"), 19999, "what is younger stays");
	db_sql("UPDATE outbox SET at=UTC_TIMESTAMP(3)-INTERVAL 3 DAY-INTERVAL 30 SECOND WHERE stream=5000 AND n<=200");
	pass(3000);
	is_int(db_sql("SELECT MIN(n) FROM outbox WHERE stream=5000"), 2, "for a minute more");
	db_sql("UPDATE outbox SET at=at-INTERVAL 1 MINUTE WHERE stream=5000 AND n<=200");
	PASS_UNTIL(db_sql("SELECT MIN(n) FROM outbox WHERE stream=5000") == 201);
	ok(true, "then it goes");
}

/* Where the configuration does not allow it, nothing is sent to this host, nor without TLS. */
static void test_not_allowed(void)
{
	conf->relay.allow_private = false;
	relay_begin(0);
	PASS_UNTIL(leads(0) && all_are_known());
	with_read(DIRECT(6));
	put_row(7000, 1);
	told(7000, 1);
	PASS_UNTIL(db_sql("SELECT COUNT(*) FROM hooks WHERE error LIKE '%%not allowed%%'") == HOOKS);
	is_int(count_taken(0), 0, "without relay.allow_private nothing goes to this host");
}

static void add_hooks(int port)
{
	conf->relay.allow_private = true;
	conf->relay.webhook_count = HOOKS;
	free(conf->relay.webhooks);
	conf->relay.webhooks = xcalloc(HOOKS, sizeof(*conf->relay.webhooks));
	for (int i = 0; i < HOOKS; i++)
		conf->relay.webhooks[i] = (struct conf_webhook){
			.name = xasprintf("h%d", i),
			.url = xasprintf("http://127.0.0.1:%d/%d", port, i),
			.secret_file = xstrdup(""),
			.secret = xstrdup("a secret"),
			.secret_len = 8,
			.event_mask = 1U << HOOK_READ | 1U << HOOK_MESSAGE | 1U << HOOK_USER | 1U << HOOK_PRESENCE,
			.batch = 20,
		};
}

int main(void)
{
	kit_start();
	add_hooks(receiver_begin());
	relay_begin(0);
	PASS_UNTIL(all_are_known());
	test_idle();
	test_refused_note();
	test_note_beside_end();
	test_retries();
	test_recalled_meanwhile();
	test_moment();
	test_large_rows();
	test_same_host();
	test_profile_erased_meanwhile();
	test_old_rows();
	relay_goes(0);
	test_not_allowed();
	relay_goes(0);
	ok(true, "and it leaves while something is to be sent again");
	evconnlistener_free(receiver);
	/* Those who called are gone, and seen to be. */
	for (int i = 0; i < 50; i++)
		kit_turn();
	for (int i = 0; i < HOOKS; i++)
		buf_fini(&taken[i]);
	kit_stop();
	return done_testing();
}
