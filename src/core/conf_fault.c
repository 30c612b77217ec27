/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What went wrong and where: the list of faults of one file, the lines its
 * options stood at, and the reading of files into memory that is wiped.
 */
#include "core/base.h"
#include "core/conf_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FAULT_MAX 512

void conf_fault(struct conf_faults *f, unsigned line, const char *fmt, ...)
{
	char text[FAULT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Names and values come from the file as they are; one fault has to stay one line. */
	for (char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	f->fault = xrealloc(f->fault, (f->count + 1) * sizeof(*f->fault));
	f->fault[f->count] = (struct conf_fault){line, (unsigned)f->count, xstrdup(text)};
	f->count++;
}

static int by_line(const void *a, const void *b)
{
	const struct conf_fault *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

char *conf_faults_take(struct conf_faults *f, const char *path)
{
	struct buf out = {0};

	if (f->count > 0)
		qsort(f->fault, f->count, sizeof(*f->fault), by_line);
	for (size_t i = 0; i < f->count; i++) {
		const char *separator = i > 0 ? "\n" : "";
		if (f->fault[i].line > 0)
			buf_printf(&out, "%s%s:%u: %s", separator, path, f->fault[i].line, f->fault[i].text);
		else
			buf_printf(&out, "%s%s: %s", separator, path, f->fault[i].text);
		free(f->fault[i].text);
	}
	free(f->fault);
	char *text = f->count > 0 ? xstrdup(buf_cstr(&out)) : NULL;
	*f = (struct conf_faults){0};
	buf_fini(&out);
	return text;
}

static struct conf_place *find_place(const struct conf *c, const void *field)
{
	for (size_t i = 0; i < c->places->count; i++) {
		if (c->places->place[i].field == field)
			return &c->places->place[i];
	}
	return NULL;
}

void conf_place_set(struct conf *c, const void *field, unsigned line, bool bad)
{
	struct conf_places *p = c->places;
	struct conf_place *old = find_place(c, field);

	if (old != NULL) {
		old->line = line;
		old->bad |= bad;
		return;
	}
	p->place = xrealloc(p->place, (p->count + 1) * sizeof(*p->place));
	p->place[p->count++] = (struct conf_place){field, line, bad};
}

bool conf_place_is_bad(const struct conf *c, const void *field)
{
	const struct conf_place *p = find_place(c, field);
	return p != NULL && p->bad;
}

unsigned conf_line(const struct conf *c, const void *field)
{
	const struct conf_place *p = find_place(c, field);
	return p == NULL ? 0 : p->line;
}

void conf_wipe(char **s, size_t len)
{
	if (*s != NULL)
		explicit_bzero(*s, len);
	free(*s);
	*s = NULL;
}

int conf_read_file(const char *path, size_t max, char **data_r, size_t *len_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	/* One byte more than allowed shows that there is more. */
	char *data = fd < 0 ? NULL : xmalloc(max + 2);
	size_t len = 0;
	ssize_t got = -1;
	int saved;

	while (fd >= 0 && len <= max) {
		got = read(fd, data + len, max + 1 - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	saved = got > 0 ? EFBIG : errno;
	if (fd >= 0)
		close(fd);
	if (got != 0) {
		conf_wipe(&data, len);
		errno = saved;
		return -1;
	}
	data[len] = '\0';
	*data_r = data;
	*len_r = len;
	return 0;
}
