/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides on which terms messages are compressed. Neither side keeps what earlier messages taught it
 * (no_context_takeover), which a server may demand of both whether it was offered or not (section 7.1.1): it is what
 * lets a connection do without memory of its own.
 */
#include "core/base.h"
#include "net/ws_extension.h"

#include "net/http_priv.h"
#include "net/ws_deflate.h"

enum { SERVER_NO_CONTEXT = 1, CLIENT_NO_CONTEXT = 2, SERVER_WINDOW = 4, CLIENT_WINDOW = 8 };

/* A parameter's value, unquoted; longer than any that means something to us: cut. */
struct value {
	bool present;
	size_t len;
	char text[3];
};

/* One extension of the list, while it is read. */
struct offer {
	bool ours, acceptable;
	unsigned seen; /* parameters */
	struct ws_terms terms;
};

static void skip_space(struct str *s)
{
	while (s->len != 0 && (s->s[0] == ' ' || s->s[0] == '\t'))
		*s = (struct str){s->s + 1, s->len - 1};
}

/* Takes the character, and the white space around it, if it is next. */
static bool take_char(struct str *s, char c)
{
	skip_space(s);
	if (s->len == 0 || s->s[0] != c)
		return false;
	*s = (struct str){s->s + 1, s->len - 1};
	skip_space(s);
	return true;
}

/* Empty if none is next. */
static struct str take_token(struct str *s)
{
	struct str token = {s->s, 0};
	while (token.len < s->len && http_is_tchar(s->s[token.len]))
		token.len++;
	*s = (struct str){s->s + token.len, s->len - token.len};
	return token;
}

static void value_add(struct value *v, char c)
{
	if (v->len < sizeof(v->text))
		v->text[v->len++] = c;
}

/* What stands between the quotes has to be a token, once the backslashes are gone. */
static bool take_quoted(struct str *s, struct value *v)
{
	size_t at = 1;
	while (at < s->len && s->s[at] != '"') {
		at += s->s[at] == '\\';
		if (at == s->len || !http_is_tchar(s->s[at]))
			return false;
		value_add(v, s->s[at++]);
	}
	if (at == s->len || v->len == 0)
		return false;
	*s = (struct str){s->s + at + 1, s->len - at - 1};
	return true;
}

static bool take_value(struct str *s, struct value *v)
{
	*v = (struct value){0};
	if (!take_char(s, '='))
		return true;
	v->present = true;
	if (s->len != 0 && s->s[0] == '"')
		return take_quoted(s, v);
	struct str token = take_token(s);
	for (size_t i = 0; i < token.len; i++)
		value_add(v, token.s[i]);
	return v->len != 0;
}

/* 8 to 15, without leading zeroes (section 7.1.2.1); 0: anything else. */
static unsigned window_bits(const struct value *v)
{
	if (v->len == 1 && (v->text[0] == '8' || v->text[0] == '9'))
		return (unsigned)(v->text[0] - '0');
	if (v->len == 2 && v->text[0] == '1' && v->text[1] >= '0' && v->text[1] <= '5')
		return 10 + (unsigned)(v->text[1] - '0');
	return 0;
}

static unsigned which_parameter(struct str name)
{
	return str_is(name, "server_no_context_takeover")   ? SERVER_NO_CONTEXT
	       : str_is(name, "client_no_context_takeover") ? CLIENT_NO_CONTEXT
	       : str_is(name, "server_max_window_bits")	    ? SERVER_WINDOW
	       : str_is(name, "client_max_window_bits")	    ? CLIENT_WINDOW
							    : 0;
}

static bool parameter_acceptable(struct offer *o, unsigned which, const struct value *v)
{
	unsigned bits = window_bits(v);
	switch (which) {
	case SERVER_NO_CONTEXT:
	case CLIENT_NO_CONTEXT:
		return !v->present;
	case SERVER_WINDOW:
		o->terms = (struct ws_terms){.window_bits = (uint8_t)bits, .window_asked = true};
		return bits >= WS_WINDOW_BITS_MIN;
	case CLIENT_WINDOW:
		/* We unpack whatever window they use. */
		return !v->present || bits != 0;
	default:
		return false;
	}
}

/* extension-token *( ";" extension-param ); false: malformed. */
static bool take_offer(struct str *s, struct offer *o)
{
	struct str name = take_token(s);
	if (name.len == 0)
		return false;
	*o = (struct offer){.ours = str_is(name, "permessage-deflate"),
			    .acceptable = true,
			    .terms = {.window_bits = WS_WINDOW_BITS_MAX}};
	while (take_char(s, ';')) {
		struct value v;
		struct str parameter = take_token(s);
		if (parameter.len == 0 || !take_value(s, &v))
			return false;
		unsigned which = which_parameter(parameter);
		if ((o->seen & which) != 0 || !parameter_acceptable(o, which, &v))
			o->acceptable = false;
		o->seen |= which;
	}
	return true;
}

int ws_extension_read(struct str value, struct ws_terms *t)
{
	struct offer o;
	struct str rest = value;
	/* A list may have empty elements (RFC 9110 section 5.6.1.2). */
	while (take_char(&rest, ','))
		;
	while (rest.len != 0) {
		if (!take_offer(&rest, &o))
			return -1;
		if (o.ours && o.acceptable && t->window_bits == 0)
			*t = o.terms;
		if (rest.len != 0 && !take_char(&rest, ','))
			return -1;
		while (take_char(&rest, ','))
			;
	}
	return 0;
}

void ws_extension_answer(const struct ws_terms *t, struct buf *out)
{
	buf_printf(out, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
			"client_no_context_takeover");
	if (t->window_asked)
		buf_printf(out, "; server_max_window_bits=%d", t->window_bits);
	buf_printf(out, "\r\n");
}
