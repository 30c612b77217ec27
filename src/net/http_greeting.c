/* SPDX-License-Identifier: BSD-2-Clause */
/* What comes before HTTP: who may connect, and the PROXY header by which a balancer says whose connection it is. */
#include "core/base.h"
#include "net/http_priv.h"

#include "core/log.h"
#include "net/proxy_header.h"

/* So many wait for their refusal at once; that more are closed without a word keeps places and descriptors free. */
#define OVERLOADED_MAX 64

bool http_admit(struct http_conn *hc)
{
	struct http_server *s = hc->member.server;
	enum http_admission verdict = HTTP_ADMIT;
	if (s->observer->admits != NULL)
		verdict = s->observer->admits(conn_peer(http_conn_below(hc)), s->ctx);
	switch (verdict) {
	case HTTP_ADMIT:
		return true;
	case HTTP_ADMIT_COUNTED:
		conn_mark(http_conn_below(hc));
		return true;
	case HTTP_OVERLOADED:
		if (s->overloaded == OVERLOADED_MAX)
			break;
		s->overloaded++;
		hc->overloaded = true;
		return true;
	case HTTP_TURN_AWAY:
		break;
	}
	conn_close(http_conn_below(hc), "not admitted");
	return false;
}

static size_t on_greeting(struct conn *c, char *data, size_t len, void *owner)
{
	struct http_conn *hc = owner;
	struct proxy_header header;
	const char *reason;
	int used = proxy_header_parse(data, len, &header, &reason);
	if (used == 0)
		return 0;
	if (used < 0) {
		log_debug("%s", reason);
		conn_close(c, "bad PROXY header");
		return len;
	}
	/* Else the balancer speaks for itself, whom no limit of clients is meant for. */
	if (header.has_source) {
		conn_set_peer(c, &header.source);
		if (!http_admit(hc))
			return len;
	}
	if (hc->tls != NULL)
		conn_start_tls(c, hc->tls);
	conn_set_handler(c, &http_conn_handler, hc);
	return (size_t)used;
}

bool http_proxy_is_trusted(const struct http_server *s, const struct addr *peer)
{
	if (peer->sa.ss_family == AF_UNIX)
		return true;
	for (size_t i = 0; i < s->proxy_count; i++)
		if (addr_network_holds(&s->proxies[i], peer))
			return true;
	return false;
}

const struct conn_handler http_greeting_handler = {
	.input = on_greeting,
	.timeout = http_conn_timeout,
	.closed = http_conn_closed,
};

void http_server_expect_proxy(struct http_server *s)
{
	const struct conf_list *list = &s->conf->trusted_proxies;
	s->expects_proxy = true;
	s->proxies = xcalloc(list->count, sizeof(*s->proxies));
	for (size_t i = 0; i < list->count; i++)
		s->proxy_count += addr_network_parse(&s->proxies[s->proxy_count], list->item[i]) == 0;
}
