/* SPDX-License-Identifier: BSD-2-Clause */
/* Webhooks in the configuration: what is given and what is not, how they differ, and that there is a bound. */
#include "core/base.h"
#include "core/conf_table.h"

#include "core/buf.h"
#include "../tap.h"

#include <stdlib.h>
#include <unistd.h>

#define SECRET "0123456789abcdef0123456789abcdef"

static char secret_file[] = "/tmp/tidings-hook-XXXXXX";

/* The path of the secret's file is in place of each %. */
static struct conf *load(const char *text, char **err_r)
{
	struct buf b = {0};
	for (; *text != '\0'; text++) {
		if (*text == '%')
			buf_append_str(&b, str_from(secret_file));
		else
			buf_append_char(&b, *text);
	}
	struct conf *c = conf_load_text("t.conf", b.data, b.len, err_r);
	buf_fini(&b);
	return c;
}

static void note_difference(const char *option, const char *from, const char *to, bool needs_restart, void *arg)
{
	buf_printf(arg, "%s: %s -> %s%s; ", option, from, to, needs_restart ? " (restart)" : "");
}

static void test_values(void)
{
	struct buf told = {0};
	char *err = NULL;
	struct conf *c =
		load("relay { allow_private = true webhook a { url = \"http://h/\" secret_file = \"%\" events = "
		     "{read, message} batch = 7 } webhook b { url = \"https://h/?q\" secret_file = \"%\" } }",
		     &err);
	struct conf *none = load(" ", &err), *other;
	if (!ok(c != NULL && none != NULL, "two webhooks, and none"))
		return;
	is_int(c->relay.webhook_count, 2, "are there");
	const struct conf_webhook *a = &c->relay.webhooks[0], *b = &c->relay.webhooks[1];
	ok(strcmp(a->name, "a") == 0 && a->event_mask == (1U << HOOK_READ | 1U << HOOK_MESSAGE) && a->batch == 7,
	   "with what is given");
	ok(a->secret_len == strlen(SECRET) && memcmp(a->secret, SECRET, a->secret_len) == 0, "their secrets");
	ok(b->event_mask == 1U << HOOK_MESSAGE && b->batch == 1, "and what is not");
	conf_compare(none, c, note_difference, &told);
	is_str(buf_cstr(&told),
	       "relay.allow_private: false -> true; relay.webhook \"a\":  -> http://h/; relay.webhook \"b\":  -> "
	       "https://h/?q; ",
	       "are differences");
	buf_clear(&told);
	conf_compare(c, c, note_difference, &told);
	is_int(told.len, 0, "a webhook does not differ from itself");
	other = load("relay { allow_private = true webhook a { url = \"http://h/\" secret_file = \"%\" events = {read, "
		     "message} batch = 8 } }",
		     &err);
	conf_compare(c, other, note_difference, &told);
	is_str(buf_cstr(&told), "relay.webhook \"a\": http://h/ -> http://h/; relay.webhook \"b\": https://h/?q -> ; ",
	       "one that is changed or gone does");
	conf_forget_token_keys(c);
	is_int(c->relay.webhook_count, 2, "a relay keeps them");
	conf_forget_relay_keys(c);
	is_int(c->relay.webhook_count, 0, "others forget them");
	buf_fini(&told);
	conf_free(&c);
	conf_free(&none);
	conf_free(&other);
}

static void test_presence(void)
{
	char *err = NULL;
	struct conf *c = load("relay { webhook a { url = \"https://h/\" secret_file = \"%\" events = {user} } }", &err);
	ok(c != NULL && !c->relay.presence, "without the event presence nobody tells who is online");
	conf_free(&c);
	c = load("relay { webhook a { url = \"https://h/\" secret_file = \"%\" events = {presence} } }", &err);
	if (!ok(c != NULL, "with it"))
		return;
	conf_forget_relay_keys(c);
	ok(c->relay.presence, "they do, also who knows no webhooks");
	conf_free(&c);
	ok(load("session { presence = false } relay { webhook a { url = \"https://h/\" secret_file = \"%\" events = "
		"{presence} } }",
		&err) == NULL,
	   "where presence is switched off");
	is_str(err, "t.conf:1: relay.webhook \"a\": the event presence needs session.presence", "it is a fault");
	free(err);
}

static void test_faults(void)
{
	struct buf many = {0};
	char *err = NULL;
	ok(load("relay { webhook a { secret_file = \"%\" url = \"https://h/#x\" } }", &err) == NULL, "a fragment");
	is_str(err,
	       "t.conf:1: relay.webhook \"a\": url: 'https://h/#x': an http or https URL with a host, without spaces "
	       "and "
	       "'#', of up to 2048 bytes",
	       "is a fault");
	free(err);
	ok(load("relay { webhook a { secret_file = \"%\" url = \"http://h/\" } }", &err) == NULL, "http");
	is_str(err, "t.conf:1: relay.webhook \"a\": http needs relay.allow_private, and goes to this host alone",
	       "goes to this host alone");
	free(err);
	ok(load("relay { webhook a { secret_file = \"%\" url = \"https://h/\" events = {} } }", &err) == NULL,
	   "no events");
	is_str(err, "t.conf:1: relay.webhook \"a\": no events are given", "are a fault");
	free(err);
	buf_append_str(&many, STR_LIT("relay { "));
	for (int i = 0; i <= CONF_WEBHOOKS_MAX; i++)
		buf_printf(&many, "webhook h%d { secret_file = \"%%\" url = \"https://h/\" }\n", i);
	buf_append_char(&many, '}');
	ok(load(buf_cstr(&many), &err) == NULL, "one too many");
	is_str(err, "t.conf:17: relay.webhook: there can be 16 at most", "is a fault");
	free(err);
	buf_fini(&many);
}

static void test_before_send(void)
{
	struct buf told = {0};
	char *err = NULL;
	struct conf *none = load(" ", &err);
	struct conf *c =
		load("relay { before_send { url = \"https://h/\" secret_file = \"%\" timeout_ms = 10 on_failure = "
		     "refuse } }",
		     &err);
	if (!ok(c != NULL && none != NULL, "before_send"))
		return;
	is_str(none->relay.before_send.url, "", "nobody is asked unless it says so");
	ok(none->relay.before_send.timeout_ms == 500 && none->relay.before_send.on_failure == ON_FAILURE_ALLOW,
	   "with half a second, and what fails is allowed");
	ok(c->relay.before_send.timeout_ms == 10 && c->relay.before_send.on_failure == ON_FAILURE_REFUSE,
	   "or as given");
	ok(c->relay.before_send.secret_len == strlen(SECRET) &&
		   memcmp(c->relay.before_send.secret, SECRET, strlen(SECRET)) == 0,
	   "the secret is read");
	conf_compare(none, c, note_difference, &told);
	ok(strstr(buf_cstr(&told), "before_send.url:  -> https://h/; ") != NULL &&
		   strstr(buf_cstr(&told), "relay.before_send: its secret: (secret) -> (secret); ") != NULL,
	   "both are differences");
	conf_forget_relay_keys(c);
	is_int(c->relay.before_send.secret_len, strlen(SECRET), "a worker keeps it");
	conf_forget_before_send(c);
	is_int(c->relay.before_send.secret_len, 0, "others forget it");
	buf_fini(&told);
	conf_free(&c);
	conf_free(&none);
	static const char *const wrong[][2] = {
		{"url = \"https://h/\"", "t.conf:1: relay.before_send: no secret_file is given"},
		{"url = \"http://h/\" secret_file = \"%\"",
		 "t.conf:1: relay.before_send: http needs relay.allow_private, and goes to this host alone"},
		{"timeout_ms = 9", NULL},
		{"timeout_ms = 10001", NULL},
		{"on_failure = ask", NULL},
		{"url = \"ftp://h/\"", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		char *text = xasprintf("relay { before_send { %s } }", wrong[i][0]);
		ok(load(text, &err) == NULL, "%s", wrong[i][0]);
		if (wrong[i][1] != NULL)
			is_str(err, wrong[i][1], "is a fault");
		free(err);
		free(text);
	}
}

int main(void)
{
	FILE *f = fdopen(mkstemp(secret_file), "w");
	if (f == NULL || fputs(SECRET "\n", f) < 0 || fclose(f) != 0)
		return 1;
	test_values();
	test_presence();
	test_faults();
	test_before_send();
	unlink(secret_file);
	return done_testing();
}
