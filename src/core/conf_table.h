/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to conf*.c and jwks.c: the rows of the option table, the checks they name,
 * the list of faults, and the loading of a text that is in memory already.
 */
#ifndef TIDINGS_CORE_CONF_TABLE_H
#define TIDINGS_CORE_CONF_TABLE_H

#include "core/base.h"
#include "core/buf.h"
#include "core/conf.h"

/* The field's C type is bool, int (INT, ENUM, SECS, BYTES), int64_t (SIZE), char * (STRING, PATH) or struct conf_list.
 */
enum conf_type {
	CONF_BOOL,
	CONF_INT,
	CONF_STRING,
	CONF_LIST,
	CONF_ENUM,
	CONF_SECS,
	CONF_BYTES,
	CONF_SIZE, /* bytes too, of which an int does not hold enough */
	CONF_PATH,
};

/* When a changed value is taken up. */
enum conf_change { CONF_RELOAD, CONF_RESTART };

/* A static reason why the value (a list's element) is wrong, or NULL. */
typedef const char *conf_check_fn(const char *value);

struct conf_row {
	const char *section; /* "" at the top level, or the kind of a titled one, within another (enum conf_titled) */
	const char *name;
	enum conf_type type;
	size_t offset;		  /* in struct conf; of a titled section's row in that section's own struct */
	const char *def;	  /* as written in the file without quotes; of a list its only element, or "" */
	long min, max;		  /* both included */
	const char *const *names; /* CONF_ENUM: by value, NULL at the end */
	conf_check_fn *check;	  /* may be NULL; is not asked about an empty value */
	bool required;		  /* an empty value is a fault */
	bool secret;		  /* never shown, wiped */
	enum conf_change change;
	const char *help; /* plain sentences, for the sample and the manual page */
};

struct conf_section {
	const char *name;
	const char *help;
	const char *within; /* the section that it is a part of; NULL: none. Right behind that */
};

/* Sections with a title, of which there may be several. How to add one: here, and wherever TITLED_WEBHOOK is. */
enum conf_titled { TITLED_NONE = -1, TITLED_KEY, TITLED_WEBHOOK };
#define CONF_TITLED (TITLED_WEBHOOK + 1)
struct conf_titled_kind {
	const char *section, *within;
	const char *shape;			/* how one is written */
	const char *(*check)(struct str title); /* a static reason why a title is wrong, or NULL */
	size_t max;				/* 0: any number */
};
extern const struct conf_titled_kind conf_titled_kinds[CONF_TITLED];
/* TITLED_NONE: there is no such section there. */
enum conf_titled conf_titled_find(struct str within, struct str section);
/* Of which it is a row. */
enum conf_titled conf_row_titled(const struct conf_row *row);

/* In the order in which the documentation shows them: a section's rows stand together. */
extern const struct conf_row conf_rows[];
extern const size_t conf_row_count;
/* The same order; titled ones are not among them. */
extern const struct conf_section conf_sections[];
extern const size_t conf_section_count;

const struct conf_row *conf_row_find(struct str section, struct str name);
/* outer: the section that it is to be within, "" for none. */
bool conf_section_exists(struct str outer, struct str name);

/* Faults of one file, told in the order of lines. */
struct conf_fault {
	unsigned line; /* 0: of the file as a whole */
	unsigned number;
	char *text;
};
struct conf_faults {
	struct conf_fault *fault;
	size_t count;
};
void conf_fault(struct conf_faults *f, unsigned line, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* "FILE:LINE: reason" a line, or NULL if there are none; frees the list's own memory. */
char *conf_faults_take(struct conf_faults *f, const char *path);

struct conf_place {
	const void *field;
	unsigned line;
	bool bad; /* its value was a fault already, so nothing should be concluded from it */
};
struct conf_places {
	struct conf_place *place;
	size_t count;
};
void conf_place_set(struct conf *c, const void *field, unsigned line, bool bad);
bool conf_place_is_bad(const struct conf *c, const void *field);

/*
 * What libconfuse does not do (conf_text.c). Changes the text in place, keeping
 * all line feeds: comments become blanks, for libconfuse 3.3 counts each of them as
 * two more lines; statements that name an unknown option or section, and sections
 * with a title that is wrong or was there before, become faults and then blanks, for
 * libconfuse stops at the first. False if the text is not worth parsing.
 */
struct conf_title {
	struct str title; /* in the text */
	unsigned line;
};
struct conf_titles {
	struct conf_title *item;
	size_t count;
};
struct conf_text {
	char *text;
	size_t len;
	struct conf_titles titles[CONF_TITLED];
};
bool conf_text_prepare(struct conf_text *t, struct conf_faults *faults) MUST_CHECK;
void conf_text_fini(struct conf_text *t);

/* conf_load for a text of `len` bytes, which is changed and wiped; `path` is what faults call it. */
struct conf *conf_load_text(const char *path, char *text, size_t len, char **err_r) MUST_CHECK;

/* Reads a whole file of at most `max` bytes, or returns -1 with errno set (EFBIG). A NUL follows the bytes. */
int conf_read_file(const char *path, size_t max, char **data_r, size_t *len_r) MUST_CHECK;
/* Wipes, frees, and leaves NULL. */
void conf_wipe(char **s, size_t len);

/* The field of a row: in c, or in `titled`, the struct of a titled section, for a row of that. */
void *conf_field(struct conf *c, void *titled, const struct conf_row *row);
/* Copies the item. */
void conf_list_add(struct conf_list *list, const char *item);
void conf_list_free(struct conf_list *list);
/* Frees and wipes what the key holds. */
void conf_jwt_key_fini(struct conf_jwt_key *key);
void conf_webhook_fini(struct conf_webhook *hook);

/* Puts the content of the file, if one is named, in place of the value. len_r NULL: it is a text. */
void conf_take_file(struct conf *c, struct conf_faults *faults, const char *what, char **file, char **value,
		    size_t *len_r);
/* conf_hook.c */
void conf_resolve_webhook(struct conf *c, struct conf_faults *faults, struct conf_webhook *h);
void conf_resolve_before_send(struct conf *c, struct conf_faults *faults);

/* The second half of loading (conf_check.c): what concerns several options, the host's name, the files of secrets. */
void conf_resolve(struct conf *c, struct conf_faults *faults);
/* Of it, the section relay. */
void conf_resolve_relay(struct conf *c, struct conf_faults *faults);

#define CONF_KID_MAX 128
#define CONF_HMAC_SECRET_MIN 32 /* RFC 7518 section 3.2 */

conf_check_fn conf_check_listen;
conf_check_fn conf_check_network;
conf_check_fn conf_check_origin;
conf_check_fn conf_check_url_prefix;
conf_check_fn conf_check_base_url;
conf_check_fn conf_check_scanner;
conf_check_fn conf_check_bucket;
conf_check_fn conf_check_contact;
conf_check_fn conf_check_node_id;
conf_check_fn conf_check_plain;
conf_check_fn conf_check_host;
conf_check_fn conf_check_log_target;
conf_check_fn conf_check_call_url;
conf_check_fn conf_check_hook_event;
const char *conf_check_kid(struct str kid);
const char *conf_check_hook_name(struct str name);

#endif
