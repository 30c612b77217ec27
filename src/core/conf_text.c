/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readies the text of a configuration file for libconfuse: see conf_text_prepare in
 * conf_table.h. Knows the words and the shape of statements, and decides only
 * which names exist; values are not its business, and what it cannot make out it
 * leaves for libconfuse to refuse.
 */
#include "core/base.h"
#include "core/conf_table.h"

#include <stdlib.h>

enum word_kind { WORD_END, WORD_PLAIN, WORD_QUOTED, WORD_MARK };

/* A lexical element as libconfuse's lexer sees it. */
struct word {
	enum word_kind kind;
	char mark;	 /* WORD_MARK: one of { } ( ) = , */
	struct str text; /* without quotes, escapes as written */
	size_t start, end;
	unsigned line;
};

struct scan {
	struct conf_text *t;
	struct conf_faults *faults;
	size_t pos;
	unsigned line;
	bool broken; /* a string or comment without an end */
};

static void blank(struct scan *s, size_t start, size_t end)
{
	for (size_t i = start; i < end; i++) {
		if (s->t->text[i] != '\n')
			s->t->text[i] = ' ';
	}
}

static bool at(const struct scan *s, size_t pos, const char *what)
{
	size_t len = strlen(what);
	return s->t->len - pos >= len && memcmp(s->t->text + pos, what, len) == 0;
}

static void advance_to(struct scan *s, size_t end)
{
	for (; s->pos < end; s->pos++) {
		if (s->t->text[s->pos] == '\n')
			s->line++;
	}
}

/* The position after `what`, from pos on; 0 if it does not come. */
static size_t find_after(const struct scan *s, size_t pos, const char *what)
{
	const char *hit = memmem(s->t->text + pos, s->t->len - pos, what, strlen(what));
	return hit == NULL ? 0 : (size_t)(hit - s->t->text) + strlen(what);
}

static void unclosed(struct scan *s, const char *what)
{
	conf_fault(s->faults, s->line, "this %s has no end", what);
	s->broken = true;
	advance_to(s, s->t->len);
}

static bool skip_comment(struct scan *s)
{
	size_t end;

	if (at(s, s->pos, "#") || at(s, s->pos, "//")) {
		const char *lf = memchr(s->t->text + s->pos, '\n', s->t->len - s->pos);
		end = lf == NULL ? s->t->len : (size_t)(lf - s->t->text);
	} else if (at(s, s->pos, "/*")) {
		end = find_after(s, s->pos + 2, "*/");
		if (end == 0) {
			unclosed(s, "comment");
			return true;
		}
	} else {
		return false;
	}
	blank(s, s->pos, end);
	advance_to(s, end);
	return true;
}

/* The end of a quoted string whose opening quote is at pos; 0 if it has none. */
static size_t string_end(const struct scan *s, size_t pos)
{
	char quote = s->t->text[pos];

	for (size_t i = pos + 1; i < s->t->len; i++) {
		char c = s->t->text[i];
		if (c == quote)
			return i + 1;
		if (c == '\\')
			i++;
		else if (quote == '"' && c == '$' && at(s, i, "${")) {
			size_t end = find_after(s, i, "}");
			if (end > 0)
				i = end - 1;
		}
	}
	return 0;
}

static bool is_plain(char c)
{
	return c != '\0' && strchr(" #\"'\t\n\r={}()+,*", c) == NULL;
}

static struct word next_word(struct scan *s)
{
	const char *text = s->t->text;

	while (s->pos < s->t->len) {
		char c = text[s->pos];
		struct word w = {.start = s->pos, .line = s->line};

		if (skip_comment(s))
			continue;
		if (c == '"' || c == '\'') {
			w.kind = WORD_QUOTED;
			w.end = string_end(s, s->pos);
			if (w.end == 0) {
				unclosed(s, "string");
				break;
			}
			w.text = (struct str){text + w.start + 1, w.end - w.start - 2};
		} else if (at(s, s->pos, "${") && find_after(s, s->pos, "}") > 0) {
			/* An environment variable: its value counts as one word. */
			w.kind = WORD_QUOTED;
			w.end = find_after(s, s->pos, "}");
			w.text = (struct str){text + w.start, w.end - w.start};
		} else if (is_plain(c)) {
			w.kind = WORD_PLAIN;
			for (w.end = w.start; w.end < s->t->len && is_plain(text[w.end]);)
				w.end++;
			w.text = (struct str){text + w.start, w.end - w.start};
		} else if (strchr("{}()=,", c) != NULL || at(s, s->pos, "+=")) {
			w.kind = WORD_MARK;
			w.mark = c == '+' ? '=' : c;
			w.end = w.start + (c == '+' ? 2 : 1);
		} else {
			advance_to(s, s->pos + 1);
			continue;
		}
		advance_to(s, w.end);
		return w;
	}
	return (struct word){.kind = WORD_END, .start = s->pos, .end = s->pos, .line = s->line};
}

static struct word peek_word(struct scan *s)
{
	struct scan before = *s;
	struct word w = next_word(s);

	if (!s->broken) {
		s->pos = before.pos;
		s->line = before.line;
	}
	return w;
}

/* After an opening brace: to its closing one. */
static void skip_braces(struct scan *s)
{
	unsigned depth = 1;

	while (depth > 0) {
		struct word w = next_word(s);
		if (w.kind == WORD_END)
			return;
		if (w.mark == '{')
			depth++;
		else if (w.mark == '}')
			depth--;
	}
}

/* `name =` was read. */
static void option(struct scan *s, struct str section, const struct word *name)
{
	struct word value = peek_word(s);

	if (value.kind == WORD_MARK && value.mark != '{')
		return;
	next_word(s);
	if (value.mark == '{')
		skip_braces(s);
	if (conf_row_find(section, name->text) != NULL)
		return;
	if (conf_section_exists(section, name->text))
		conf_fault(s->faults, name->line, "'%.*s' is a section, not an option", (int)name->text.len,
			   name->text.s);
	else if (section.len == 0)
		conf_fault(s->faults, name->line, "unknown option '%.*s'", (int)name->text.len, name->text.s);
	else
		conf_fault(s->faults, name->line, "unknown option '%.*s' in the section '%.*s'", (int)name->text.len,
			   name->text.s, (int)section.len, section.s);
	blank(s, name->start, s->pos);
}

/* A title that is fit to use, or a fault. */
static bool take_title(struct scan *s, enum conf_titled which, const struct word *title)
{
	const struct conf_titled_kind *kind = &conf_titled_kinds[which];
	const char *wrong = kind->check(title->text);
	struct conf_titles *t = &s->t->titles[which];

	if (wrong != NULL) {
		conf_fault(s->faults, title->line, "%s.%s: %s", kind->within, kind->section, wrong);
		return false;
	}
	for (size_t i = 0; i < t->count; i++) {
		if (!str_equal(t->item[i].title, title->text))
			continue;
		conf_fault(s->faults, title->line, "%s.%s: \"%.*s\" was given before, at line %u", kind->within,
			   kind->section, (int)title->text.len, title->text.s, t->item[i].line);
		return false;
	}
	if (kind->max != 0 && t->count == kind->max) {
		conf_fault(s->faults, title->line, "%s.%s: there can be %zu at most", kind->within, kind->section,
			   kind->max);
		return false;
	}
	t->item = xrealloc(t->item, (t->count + 1) * sizeof(*t->item));
	t->item[t->count++] = (struct conf_title){title->text, title->line};
	return true;
}

static void statements(struct scan *s, struct str section, unsigned section_line);

/* `name {` or `name title {` was read; the statement begins at name. */
static void section_body(struct scan *s, struct str outer, const struct word *name, const struct word *title)
{
	enum conf_titled which = conf_titled_find(outer, name->text);
	bool is_titled = which != TITLED_NONE, known = is_titled || conf_section_exists(outer, name->text);

	if (known && is_titled == (title != NULL)) {
		if (!is_titled || take_title(s, which, title)) {
			statements(s, name->text, name->line);
			return;
		}
	} else if (is_titled) {
		conf_fault(s->faults, name->line, "%.*s.%.*s: %s", (int)outer.len, outer.s, (int)name->text.len,
			   name->text.s, conf_titled_kinds[which].shape);
	} else if (known) {
		conf_fault(s->faults, name->line, "the section '%.*s' has no title", (int)name->text.len, name->text.s);
	} else if (conf_row_find(outer, name->text) != NULL) {
		conf_fault(s->faults, name->line, "'%.*s' is an option, not a section", (int)name->text.len,
			   name->text.s);
	} else {
		conf_fault(s->faults, name->line, "unknown section '%.*s'", (int)name->text.len, name->text.s);
	}
	skip_braces(s);
	blank(s, name->start, s->pos);
}

/* Up to the section's closing brace, or to where the shape of a statement is lost. */
static void statements(struct scan *s, struct str section, unsigned section_line)
{
	for (;;) {
		struct word name = next_word(s), next, title;

		if (name.kind == WORD_MARK && name.mark == '}' && section.len > 0)
			return;
		if (name.kind == WORD_END) {
			/* libconfuse would take the end of the file for the brace. */
			if (section.len > 0 && !s->broken)
				conf_fault(s->faults, section_line, "the section '%.*s' is not closed",
					   (int)section.len, section.s);
			return;
		}
		if (name.kind == WORD_MARK)
			continue;
		next = peek_word(s);
		if (next.kind == WORD_MARK && next.mark == '=') {
			next_word(s);
			option(s, section, &name);
		} else if (next.kind == WORD_MARK && next.mark == '{') {
			next_word(s);
			section_body(s, section, &name, NULL);
		} else if (next.kind == WORD_PLAIN || next.kind == WORD_QUOTED) {
			struct scan before = *s;
			title = next_word(s);
			next = peek_word(s);
			if (next.kind == WORD_MARK && next.mark == '{') {
				next_word(s);
				section_body(s, section, &name, &title);
			} else if (!s->broken) {
				*s = before;
			}
		}
	}
}

bool conf_text_prepare(struct conf_text *t, struct conf_faults *faults)
{
	struct scan s = {.t = t, .faults = faults, .line = 1};
	const char *nul = memchr(t->text, '\0', t->len);

	if (nul != NULL) {
		advance_to(&s, (size_t)(nul - t->text));
		conf_fault(faults, s.line, "there is a NUL byte in this line");
		return false;
	}
	/* Some editors begin UTF-8 with a byte order mark; it is no part of the first name. */
	if (at(&s, 0, "\xEF\xBB\xBF"))
		blank(&s, 0, 3);
	statements(&s, STR_LIT(""), 0);
	return !s.broken;
}

void conf_text_fini(struct conf_text *t)
{
	for (size_t i = 0; i < CONF_TITLED; i++)
		free(t->titles[i].item);
	*t = (struct conf_text){0};
}
