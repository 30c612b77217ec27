/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_doc sample: prints the sample file conf/tidings.conf.
 * conf_doc man: prints the manual page doc/tidings.conf.5, in mdoc.
 * Both from the option table; `make docs` writes them into the source.
 */
#include "core/base.h"

#include <stdio.h>
#include <string.h>

#include "core/conf_table.h"

#define WIDTH 96
#define PAGE_DATE "November 23, 2026"

static bool is_quoted(const struct conf_row *row)
{
	return row->type == CONF_STRING || row->type == CONF_PATH;
}

static void print_default(const struct conf_row *row)
{
	if (row->type == CONF_LIST)
		printf(row->def[0] == '\0' ? "{}" : "{\"%s\"}", row->def);
	else if (is_quoted(row))
		printf("\"%s\"", row->def);
	else
		printf("%s", row->def);
}

/* A number's unit and limits, or the names of an enum, as a sentence; "" if there is nothing to say. */
static void limits(const struct conf_row *row, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	if (row->type == CONF_ENUM) {
		for (size_t i = 0; row->names[i] != NULL && len < size; i++)
			len += (size_t)snprintf(out + len, size - len, "%s%s",
						i == 0			    ? "One of "
						: row->names[i + 1] == NULL ? " and "
									    : ", ",
						row->names[i]);
		snprintf(out + len, size - len, ".");
	} else if (row->type == CONF_SECS) {
		snprintf(out, size, "Seconds, %ld to %ld.", row->min, row->max);
	} else if (row->type == CONF_BYTES || row->type == CONF_SIZE) {
		snprintf(out, size, "Bytes, %ld to %ld.", row->min, row->max);
	} else if (row->type == CONF_INT) {
		snprintf(out, size, "%ld to %ld.", row->min, row->max);
	}
}

static const char *type_name(const struct conf_row *row)
{
	switch (row->type) {
	case CONF_BOOL:
		return "true or false";
	case CONF_INT:
	case CONF_SECS:
	case CONF_BYTES:
	case CONF_SIZE:
		return "number";
	case CONF_LIST:
		return "list";
	case CONF_ENUM:
		return "name";
	case CONF_PATH:
		return "path";
	default:
		return "string";
	}
}

static const char *notes(const struct conf_row *row)
{
	return row->change == CONF_RESTART ? "Needs a restart." : "";
}

/* Prints the words as comment lines of at most WIDTH columns, after the indent. */
static void comment(const char *indent, const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");
		if (column > 0 && column + 1 + len > WIDTH) {
			printf("\n");
			column = 0;
		}
		if (column == 0)
			column = (size_t)printf("%s#", indent);
		column += (size_t)printf(" %.*s", (int)len, text);
		text += len + strspn(text + len, " ");
	}
	printf("\n");
}

static void sample_row(const char *indent, const struct conf_row *row)
{
	char about[160], text[1024];

	limits(row, about, sizeof(about));
	snprintf(text, sizeof(text), "%s%s%s%s%s", row->help, about[0] == '\0' ? "" : " ", about,
		 notes(row)[0] == '\0' ? "" : " ", notes(row));
	comment(indent, text);
	printf("%s#%s = ", indent, row->name);
	print_default(row);
	printf("\n");
}

static void sample_key(void)
{
	printf("\n");
	comment("\t", "More keys to verify with, chosen by the kid in the token's header, so that keys can be rotated. "
		      "Each takes algorithm, secret, secret_file and public_key_file.");
	printf("\t#key \"2026-11\" { algorithm = RS256 public_key_file = \"/etc/tidings/2026-11.pem\" }\n");
}

static void sample_webhook(void)
{
	printf("\n");
	comment("\t", "Servers that are told of what happens, each by a name of its own. Each takes url, secret_file, "
		      "events and batch.");
	printf("\t#webhook \"crm\" { url = \"https://crm.example.org/tidings\" secret_file = "
	       "\"/etc/tidings/crm.secret\" events = {\"message\"} batch = 100 }\n");
}

static void sample_section(const struct conf_section *section, const char *outer)
{
	const char *name = section->name;
	char indent[8];
	bool first = true;

	snprintf(indent, sizeof(indent), "%s%s", outer, name[0] == '\0' ? "" : "\t");
	if (name[0] != '\0') {
		printf("\n");
		comment(outer, section->help);
		printf("%s%s {\n", outer, name);
	}
	for (size_t i = 0; i < conf_row_count; i++) {
		if (strcmp(conf_rows[i].section, name) != 0)
			continue;
		if (!first || name[0] == '\0')
			printf("\n");
		first = false;
		sample_row(indent, &conf_rows[i]);
	}
	if (strcmp(name, "jwt") == 0)
		sample_key();
	if (strcmp(name, "relay") == 0)
		sample_webhook();
	for (size_t i = 0; i < conf_section_count; i++)
		if (conf_sections[i].within != NULL && strcmp(conf_sections[i].within, name) == 0)
			sample_section(&conf_sections[i], indent);
	if (name[0] != '\0')
		printf("%s}\n", outer);
}

static void sample(void)
{
	comment("", "Tidings: the configuration, with every option at its default. See tidings.conf(5). "
		    "Remove the mark in front of an option to change it; comments begin with '# '.");
	comment("", "Signal HUP (tidingsctl reload) takes a changed file up, but for the options that need a restart.");
	for (size_t s = 0; s < conf_section_count; s++)
		if (conf_sections[s].within == NULL)
			sample_section(&conf_sections[s], "");
}

/* A sentence a line, safe from roff. */
static void roff(const char *text)
{
	bool start = true;

	for (const char *p = text; *p != '\0'; p++) {
		if (start && (*p == '.' || *p == '\''))
			printf("\\&");
		start = false;
		if (*p == '\\') {
			printf("\\e");
		} else if (*p == ' ' && p > text && p[-1] == '.') {
			printf("\n");
			start = true;
		} else {
			putchar(*p);
		}
	}
	printf("\n");
}

static void man_rows(const char *section)
{
	char about[160];

	printf(".Bl -tag -width Ds\n");
	for (size_t i = 0; i < conf_row_count; i++) {
		const struct conf_row *row = &conf_rows[i];
		if (strcmp(row->section, section) != 0)
			continue;
		printf(".It Ic %s No = Ar %s\n", row->name, type_name(row));
		roff(row->help);
		limits(row, about, sizeof(about));
		if (about[0] != '\0')
			roff(about);
		printf("Default:\n.Li ");
		/* Double quotes are roff's own. */
		if (row->type == CONF_LIST)
			printf(row->def[0] == '\0' ? "{}" : "{\\(dq%s\\(dq}", row->def);
		else if (is_quoted(row))
			printf("\\(dq%s\\(dq", row->def);
		else
			printf("%s", row->def);
		printf(" .\n");
		if (notes(row)[0] != '\0')
			roff(notes(row));
	}
	printf(".El\n");
}

static void man_keys(void)
{
	printf(".Ss Section key, within jwt\n");
	roff("Any number of further keys to verify with, each with the kid that a token's header chooses it "
	     "by: "
	     "letters, digits and . _ ~ : / + = @ -.");
	printf(".Bd -literal -offset indent\n"
	       "key \"2026-11\" { algorithm = RS256 public_key_file = \"/etc/tidings/2026-11.pem\" }\n.Ed\n");
	man_rows("key");
}

static void man_webhooks(void)
{
	printf(".Ss Section webhook, within relay\n");
	roff("Up to 16 servers that are told of what happens, each with a name of its own: up to 24 letters, digits "
	     "and . _ -. The name is what it is known by in the database: one with another name begins with what "
	     "happens from then on.");
	printf(".Bd -literal -offset indent\n"
	       "webhook \"crm\" { url = \"https://crm.example.org/tidings\" secret_file = \"/etc/tidings/crm.secret\" "
	       "}\n"
	       ".Ed\n");
	man_rows("webhook");
}

static void man(void)
{
	printf(".\\\" Made by conf_doc from src/core/conf_table.c; change it there, then run make docs.\n"
	       ".Dd %s\n.Dt TIDINGS.CONF 5\n.Os\n"
	       ".Sh NAME\n.Nm tidings.conf\n.Nd configuration of the instant-message server tidingsd\n"
	       ".Sh DESCRIPTION\n"
	       ".Nm\nis read by\n.Xr tidingsd 8\nand\n.Xr tidingsctl 1 .\n"
	       "It consists of options,\n.Ql name = value ,\nand of sections that hold options,\n"
	       ".Ql name { ... } .\n"
	       "Line feeds count as spaces, and\n.Ql # ,\n.Ql //\nand\n.Ql /* ... */\nbegin comments.\n"
	       "A string may stand without quotes if it has no space and none of\n"
	       ".Ql { } ( ) = + , * # \\(dq \\(aq\nin it.\n"
	       "Between double quotes a backslash escapes the next character, and\n"
	       ".Ql ${NAME}\nis the value of an environment variable.\n"
	       "A list is\n.Ql {\\(dqone\\(dq, \\(dqtwo\\(dq} ;\n"
	       ".Ql +=\nappends to it.\n"
	       "Where an option is given twice the last one counts.\n"
	       ".Pp\nA fault stops the start and is told with the file, the line and the reason.\n"
	       "At the signal\n.Dv SIGHUP\nthe file is read again; if it has a fault, the server goes on with what it "
	       "had.\n"
	       ".Ic tidingsd -t\nonly checks it.\n"
	       ".Pp\nPaths that do not begin with a slash are relative to the directory that the server was "
	       "started in.\n",
	       PAGE_DATE);
	for (size_t s = 0; s < conf_section_count; s++) {
		if (conf_sections[s].within != NULL)
			printf(".Ss Section %s, within %s\n", conf_sections[s].name, conf_sections[s].within);
		else if (conf_sections[s].name[0] != '\0')
			printf(".Ss Section %s\n", conf_sections[s].name);
		else
			printf(".Ss Outside of sections\n");
		roff(conf_sections[s].help);
		man_rows(conf_sections[s].name);
		if (strcmp(conf_sections[s].name, "jwt") == 0)
			man_keys();
		if (strcmp(conf_sections[s].name, "relay") == 0)
			man_webhooks();
	}
	printf(".Sh SEE ALSO\n.Xr tidingsctl 1 ,\n.Xr tidingsd 8\n");
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "sample") == 0) {
		sample();
	} else if (argc == 2 && strcmp(argv[1], "man") == 0) {
		man();
	} else {
		fprintf(stderr, "usage: conf_doc sample | man\n");
		return 2;
	}
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
