/* SPDX-License-Identifier: BSD-2-Clause */
/* What a webhook of the configuration may be, and before_send, and their secrets. */
#include "core/base.h"
#include "core/conf_table.h"

#include <stdlib.h>

#include "core/url.h"

/* Where others are called. Which addresses that may be is looked at with each call (net/fetch.h). */
const char *conf_check_call_url(const char *value)
{
	size_t len = strlen(value);
	if (strncmp(value, "https://", 8) != 0 && strncmp(value, "http://", 7) != 0)
		return "a URL begins with https:// or http://";
	if (len > URL_MAX || !url_is_web((struct str){value, len}) || strchr(value, '#') != NULL)
		return "an http or https URL with a host, without spaces and '#', of up to 2048 bytes";
	return NULL;
}

const char *conf_check_hook_event(const char *value)
{
	for (size_t i = 0; i < HOOK_EVENTS; i++)
		if (strcmp(value, conf_hook_event_names[i]) == 0)
			return NULL;
	return "an event is message, recalled, edited, read, reaction, group, friend, user or presence";
}

static bool is_plain_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.s[i] == '\0' ||
		    strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", name.s[i]) == NULL)
			return false;
	return true;
}

const char *conf_check_hook_name(struct str name)
{
	if (name.len == 0 || name.len > 24 || !is_plain_name(name))
		return "a webhook's name is 1 to 24 characters out of A-Z a-z 0-9 . _ -";
	return NULL;
}

/* A server that is called, with a secret; `line` is that of the whole. */
struct called {
	const char *name;
	unsigned line;
	char **url, **secret_file, **secret;
	size_t *secret_len;
};

static void resolve_called(struct conf *c, struct conf_faults *faults, const struct called *h)
{
	conf_take_file(c, faults, h->name, h->secret_file, h->secret, h->secret_len);
	if (**h->url == '\0' && !conf_place_is_bad(c, h->url))
		conf_fault(faults, h->line, "%s: no url is given", h->name);
	if (**h->secret_file == '\0')
		conf_fault(faults, h->line, "%s: no secret_file is given", h->name);
	else if (!conf_place_is_bad(c, h->secret_file) && *h->secret_len < CONF_HMAC_SECRET_MIN)
		conf_fault(faults, conf_line(c, h->secret_file), "%s: the secret has %zu bytes; it needs at least %d",
			   h->name, *h->secret_len, CONF_HMAC_SECRET_MIN);
	if (strncmp(*h->url, "http:", 5) == 0 && !c->relay.allow_private)
		conf_fault(faults, conf_line(c, h->url),
			   "%s: http needs relay.allow_private, and goes to this host alone", h->name);
}

void conf_resolve_before_send(struct conf *c, struct conf_faults *faults)
{
	const struct called called = {
		.name = "relay.before_send",
		.line = conf_line(c, &c->relay.before_send.url),
		.url = &c->relay.before_send.url,
		.secret_file = &c->relay.before_send.secret_file,
		.secret = &c->relay.before_send.secret,
		.secret_len = &c->relay.before_send.secret_len,
	};
	c->relay.before_send.secret = xstrdup("");
	if (c->relay.before_send.url[0] != '\0')
		resolve_called(c, faults, &called);
}

void conf_resolve_webhook(struct conf *c, struct conf_faults *faults, struct conf_webhook *h)
{
	char *name = xasprintf("relay.webhook \"%s\"", h->name);
	const struct called called = {
		.name = name,
		.line = conf_line(c, h),
		.url = &h->url,
		.secret_file = &h->secret_file,
		.secret = &h->secret,
		.secret_len = &h->secret_len,
	};
	resolve_called(c, faults, &called);
	for (size_t i = 0; i < h->events.count; i++)
		for (unsigned e = 0; e < HOOK_EVENTS; e++)
			if (strcmp(h->events.item[i], conf_hook_event_names[e]) == 0)
				h->event_mask |= 1U << e;
	if (h->events.count == 0)
		conf_fault(faults, called.line, "%s: no events are given", name);
	if ((h->event_mask & 1U << HOOK_PRESENCE) != 0 && !c->session.presence)
		conf_fault(faults, called.line, "%s: the event presence needs session.presence", name);
	c->relay.presence |= (h->event_mask & 1U << HOOK_PRESENCE) != 0;
	free(name);
}
