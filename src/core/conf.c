/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads the configuration: from the option table it makes libconfuse's tables, and
 * converts and checks each value in libconfuse's callbacks. To libconfuse every
 * option is a string, so that no wrong value ends the parse and all of them are
 * told at once. It tells callbacks the line but inside sections not the file, and
 * has no place for our own context, which therefore is in `loading`.
 */
#include "core/base.h"
#include "core/conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <confuse.h>

#include "core/conf_table.h"

#define FILE_MAX (1 << 20)

/* The load under way; libconfuse itself allows one at a time. */
static struct {
	struct conf *conf;
	struct conf_faults *faults;
	bool syntax_fault;
} loading;

void *conf_field(struct conf *c, void *titled, const struct conf_row *row)
{
	return (char *)(conf_row_titled(row) != TITLED_NONE ? titled : (void *)c) + row->offset;
}

/* Of that title, or NULL. */
static void *find_titled(struct conf *c, enum conf_titled which, const char *title)
{
	for (size_t i = 0; which == TITLED_KEY && i < c->jwt.key_count; i++)
		if (strcmp(c->jwt.keys[i].kid, title) == 0)
			return &c->jwt.keys[i];
	for (size_t i = 0; which == TITLED_WEBHOOK && i < c->relay.webhook_count; i++)
		if (strcmp(c->relay.webhooks[i].name, title) == 0)
			return &c->relay.webhooks[i];
	return NULL;
}

static int find_name(const char *const *names, const char *value)
{
	for (int i = 0; names[i] != NULL; i++) {
		if (strcmp(names[i], value) == 0)
			return i;
	}
	return -1;
}

static int parse_number(const struct conf_row *row, const char *value, long *out_r, char **why_r)
{
	const char *unit = row->type == CONF_SECS			       ? " of seconds"
			   : row->type == CONF_BYTES || row->type == CONF_SIZE ? " of bytes"
									       : "";
	const char *digits = value[0] == '-' ? value + 1 : value;
	size_t len = strlen(digits);
	long v;

	if (len == 0 || strspn(digits, "0123456789") != len) {
		*why_r = xasprintf("'%s' is not a whole number%s", value, unit);
		return -1;
	}
	/* Sixteen digits are more than any limit and less than a long. */
	v = len > 16 ? row->max + 1 : strtol(value, NULL, 10);
	if (v < row->min || v > row->max) {
		*why_r = xasprintf("%s is out of range: %ld to %ld%s", value, row->min, row->max, unit);
		return -1;
	}
	*out_r = v;
	return 0;
}

static int parse_enum(const struct conf_row *row, const char *value, int *out_r, char **why_r)
{
	struct buf all = {0};
	int v = find_name(row->names, value);

	if (v >= 0) {
		*out_r = v;
		return 0;
	}
	for (int i = 0; row->names[i] != NULL; i++)
		buf_printf(&all, "%s%s", i == 0 ? "" : row->names[i + 1] == NULL ? " or " : ", ", row->names[i]);
	*why_r = xasprintf("'%s' is not one of %s", value, buf_cstr(&all));
	buf_fini(&all);
	return -1;
}

/* What is wrong with a string or an element of a list, to be freed; NULL if nothing is. */
static char *string_fault(const struct conf_row *row, const char *value)
{
	const char *why;

	if (row->secret)
		return NULL;
	if (value[0] == '\0')
		return row->required || row->type == CONF_LIST ? xstrdup("must not be empty") : NULL;
	for (const char *p = value; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return xasprintf("there is a control character in '%s'", value);
	}
	why = row->check == NULL ? NULL : row->check(value);
	return why == NULL ? NULL : xasprintf("'%s': %s", value, why);
}

/* Converts the value into the row's field (of a list: only checks it). NULL, or what is wrong, to be freed. */
static char *set_field(void *field, const struct conf_row *row, const char *value)
{
	char *why = NULL;
	int name, flag;
	long number;

	switch (row->type) {
	case CONF_BOOL:
		flag = cfg_parse_boolean(value);
		if (flag < 0)
			return xasprintf("'%s' is neither true nor false", value);
		*(bool *)field = flag != 0;
		break;
	case CONF_INT:
	case CONF_SECS:
	case CONF_BYTES:
		if (parse_number(row, value, &number, &why) == 0)
			*(int *)field = (int)number;
		break;
	case CONF_SIZE:
		if (parse_number(row, value, &number, &why) == 0)
			*(int64_t *)field = number;
		break;
	case CONF_ENUM:
		if (parse_enum(row, value, &name, &why) == 0)
			*(int *)field = name;
		break;
	case CONF_LIST:
		why = string_fault(row, value);
		break;
	case CONF_STRING:
	case CONF_PATH:
		why = string_fault(row, value);
		if (why == NULL) {
			char **string = field;
			conf_wipe(string, *string == NULL ? 0 : strlen(*string));
			*string = xstrdup(value);
		}
		break;
	}
	return why;
}

static struct str section_name(const cfg_t *cfg)
{
	return strcmp(cfg->name, "root") == 0 ? STR_LIT("") : str_from(cfg->name);
}

/* libconfuse has read a value. It never learns of a fault, and keeps no secret. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	const struct conf_row *row = conf_row_find(section_name(cfg), str_from(opt->name));
	enum conf_titled which = row != NULL ? conf_row_titled(row) : TITLED_NONE;
	void *titled = NULL;
	unsigned line = (unsigned)cfg->line;
	void *field;
	char *why;

	*(const char **)result = row != NULL && row->type == CONF_LIST ? value : "";
	/* While libconfuse sets up the default lists there is nothing to load yet. */
	if (loading.conf == NULL)
		return 0;
	if (which != TITLED_NONE && cfg_title(cfg) != NULL)
		titled = find_titled(loading.conf, which, cfg_title(cfg));
	if (row == NULL || (which != TITLED_NONE && titled == NULL)) {
		conf_fault(loading.faults, line, "unknown option '%s'", opt->name);
		return 0;
	}
	field = conf_field(loading.conf, titled, row);
	why = set_field(field, row, value);
	conf_place_set(loading.conf, field, line, why != NULL);
	if (why == NULL)
		return 0;
	if (titled != NULL)
		conf_fault(loading.faults, line, "%s.%s \"%s\": %s: %s", conf_titled_kinds[which].within, row->section,
			   cfg_title(cfg), row->name, why);
	else
		conf_fault(loading.faults, line, "%s%s%s: %s", row->section, row->section[0] == '\0' ? "" : ".",
			   row->name, why);
	free(why);
	return 0;
}

static void on_fault(cfg_t *cfg, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static void on_fault(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[256];

	vsnprintf(text, sizeof(text), fmt, ap);
	conf_fault(loading.faults, (unsigned)cfg->line, "%s", text);
	loading.syntax_fault = true;
}

/* libconfuse's table for one section, ended; to be freed by free_options. */
static cfg_opt_t *make_options(const char *section, cfg_opt_t *nested, size_t nested_count)
{
	cfg_opt_t *opts = xcalloc(conf_row_count + nested_count + 1, sizeof(*opts));
	size_t n = 0;

	for (size_t i = 0; i < conf_row_count; i++) {
		const struct conf_row *row = &conf_rows[i];
		if (strcmp(row->section, section) != 0)
			continue;
		opts[n].name = row->name;
		opts[n].type = CFGT_STR;
		opts[n].parsecb = on_value;
		opts[n].flags = CFGF_NODEFAULT;
		/* `+=` appends to the default, so libconfuse has to know it. */
		if (row->type == CONF_LIST) {
			opts[n].flags = CFGF_LIST;
			opts[n].def.parsed = row->def[0] == '\0' ? NULL : xasprintf("{\"%s\"}", row->def);
		}
		n++;
	}
	for (size_t i = 0; i < nested_count; i++)
		opts[n++] = nested[i];
	return opts;
}

static void free_options(cfg_opt_t *opts)
{
	for (cfg_opt_t *o = opts; o->name != NULL; o++) {
		free(o->def.parsed);
		if (o->subopts != NULL)
			free_options(o->subopts);
	}
	free(opts);
}

/* Those of a section, with what is within it. */
static cfg_opt_t make_section(const char *name)
{
	cfg_opt_t nested[4];
	size_t n = 0;

	for (size_t i = 0; i < CONF_TITLED; i++) {
		const char *titled = conf_titled_kinds[i].section;
		if (strcmp(name, conf_titled_kinds[i].within) == 0)
			nested[n++] =
				(cfg_opt_t)CFG_SEC(titled, make_options(titled, NULL, 0), CFGF_MULTI | CFGF_TITLE);
	}
	for (size_t i = 0; i < conf_section_count; i++) {
		const struct conf_section *inner = &conf_sections[i];
		if (inner->within != NULL && strcmp(inner->within, name) == 0) {
			ASSERT(n < ARRAY_LEN(nested));
			nested[n++] = (cfg_opt_t)CFG_SEC(inner->name, make_options(inner->name, NULL, 0), CFGF_NONE);
		}
	}
	return (cfg_opt_t)CFG_SEC(name, make_options(name, nested, n), CFGF_NONE);
}

static cfg_opt_t *make_all_options(void)
{
	cfg_opt_t *sections = xcalloc(conf_section_count, sizeof(*sections)), *all;
	size_t n = 0;

	for (size_t i = 0; i < conf_section_count; i++)
		if (conf_sections[i].name[0] != '\0' && conf_sections[i].within == NULL)
			sections[n++] = make_section(conf_sections[i].name);
	all = make_options("", sections, n);
	free(sections);
	return all;
}

void conf_list_free(struct conf_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->item[i]);
	free(list->item);
	*list = (struct conf_list){0};
}

void conf_list_add(struct conf_list *list, const char *item)
{
	list->item = xrealloc(list->item, (list->count + 1) * sizeof(*list->item));
	list->item[list->count++] = xstrdup(item);
}

static void take_list(struct conf_list *list, cfg_t *section, const char *name)
{
	cfg_opt_t *opt = cfg_getopt(section, name);
	if (opt == NULL || (opt->flags & CFGF_MODIFIED) == 0)
		return;
	conf_list_free(list);
	for (unsigned k = 0; k < cfg_opt_size(opt); k++)
		conf_list_add(list, cfg_opt_getnstr(opt, k));
}

static void take_titled_lists(struct conf *c, cfg_t *root, const struct conf_row *row, enum conf_titled which)
{
	cfg_t *outer = cfg_getsec(root, conf_titled_kinds[which].within);
	for (unsigned i = 0; outer != NULL && i < cfg_size(outer, row->section); i++) {
		cfg_t *section = cfg_getnsec(outer, row->section, i);
		void *titled = find_titled(c, which, cfg_title(section));
		if (titled != NULL)
			take_list(conf_field(c, titled, row), section, row->name);
	}
}

/* An empty list calls nobody back, so lists are taken over after the parse. */
static void take_lists(struct conf *c, cfg_t *root)
{
	for (size_t i = 0; i < conf_row_count; i++) {
		const struct conf_row *row = &conf_rows[i];
		if (row->type != CONF_LIST)
			continue;
		enum conf_titled which = conf_row_titled(row);
		cfg_t *section =
			row->section[0] == '\0' || which != TITLED_NONE ? root : cfg_getsec(root, row->section);
		if (which != TITLED_NONE)
			take_titled_lists(c, root, row, which);
		else if (section != NULL)
			take_list(conf_field(c, NULL, row), section, row->name);
	}
}

/* Gives the text to libconfuse. */
static void parse(struct conf *c, struct conf_faults *faults, const struct conf_text *t)
{
	cfg_opt_t *opts = make_all_options();
	cfg_t *root;
	FILE *in = t->len > 0 ? fmemopen(t->text, t->len, "r") : NULL;

	loading.conf = NULL;
	loading.faults = faults;
	loading.syntax_fault = false;
	root = cfg_init(opts, CFGF_NONE);
	if (root == NULL || (t->len > 0 && in == NULL)) {
		conf_fault(faults, 0, "%s", strerror(ENOMEM));
		goto out;
	}
	cfg_set_error_function(root, on_fault);
	loading.conf = c;
	if (in != NULL && cfg_parse_fp(root, in) != CFG_SUCCESS && !loading.syntax_fault) {
		conf_fault(faults, (unsigned)root->line, "syntax error");
		loading.syntax_fault = true;
	}
	take_lists(c, root);
out:
	loading.conf = NULL;
	loading.faults = NULL;
	if (in != NULL)
		fclose(in);
	if (root != NULL)
		cfg_free(root);
	free_options(opts);
}

static void set_default(void *field, const struct conf_row *row)
{
	char *why;

	if (row->type == CONF_LIST) {
		if (row->def[0] != '\0')
			conf_list_add(field, row->def);
		return;
	}
	why = set_field(field, row, row->def);
	ASSERT(why == NULL);
}

static void new_keys(struct conf *c, const struct conf_titles *titles)
{
	c->jwt.key_count = titles->count;
	c->jwt.keys = xcalloc(titles->count + 1, sizeof(*c->jwt.keys));
	for (size_t k = 0; k < titles->count; k++) {
		struct str kid = titles->item[k].title;
		c->jwt.keys[k].kid = xstrndup(kid.s, kid.len);
		c->jwt.keys[k].public_key = xstrdup("");
		conf_place_set(c, &c->jwt.keys[k], titles->item[k].line, false);
	}
}

static void new_webhooks(struct conf *c, const struct conf_titles *titles)
{
	c->relay.webhook_count = titles->count;
	c->relay.webhooks = xcalloc(titles->count + 1, sizeof(*c->relay.webhooks));
	for (size_t k = 0; k < titles->count; k++) {
		struct str name = titles->item[k].title;
		c->relay.webhooks[k].name = xstrndup(name.s, name.len);
		c->relay.webhooks[k].secret = xstrdup("");
		conf_place_set(c, &c->relay.webhooks[k], titles->item[k].line, false);
	}
}

static struct conf *new_defaults(const char *path, const struct conf_text *t)
{
	struct conf *c = xcalloc(1, sizeof(*c));

	c->path = xstrdup(path);
	c->places = xcalloc(1, sizeof(*c->places));
	c->jwt.own.kid = xstrdup("");
	c->jwt.own.public_key = xstrdup("");
	new_keys(c, &t->titles[TITLED_KEY]);
	new_webhooks(c, &t->titles[TITLED_WEBHOOK]);
	for (size_t i = 0; i < conf_row_count; i++) {
		const struct conf_row *row = &conf_rows[i];
		enum conf_titled which = conf_row_titled(row);
		if (which == TITLED_NONE)
			set_default(conf_field(c, NULL, row), row);
		for (size_t k = 0; which == TITLED_KEY && k < c->jwt.key_count; k++)
			set_default(conf_field(c, &c->jwt.keys[k], row), row);
		for (size_t k = 0; which == TITLED_WEBHOOK && k < c->relay.webhook_count; k++)
			set_default(conf_field(c, &c->relay.webhooks[k], row), row);
	}
	return c;
}

struct conf *conf_load_text(const char *path, char *text, size_t len, char **err_r)
{
	struct conf_text t = {.text = text, .len = len};
	struct conf_faults faults = {0};
	bool readable = conf_text_prepare(&t, &faults);
	struct conf *c = new_defaults(path, &t);

	if (readable) {
		parse(c, &faults, &t);
		/* Past a syntax fault options are missing, and conclusions from that would mislead. */
		if (!loading.syntax_fault)
			conf_resolve(c, &faults);
	}
	conf_text_fini(&t);
	explicit_bzero(text, len);
	*err_r = conf_faults_take(&faults, path[0] == '\0' ? "built-in defaults" : path);
	if (*err_r != NULL)
		conf_free(&c);
	return c;
}

struct conf *conf_load(const char *path, char **err_r)
{
	struct conf *c;
	char *text;
	size_t len;

	if (path == NULL) {
		char nothing[1] = "";
		return conf_load_text("", nothing, 0, err_r);
	}
	if (conf_read_file(path, FILE_MAX, &text, &len) != 0) {
		*err_r = xasprintf("%s: cannot read it: %s", path, strerror(errno));
		return NULL;
	}
	c = conf_load_text(path, text, len, err_r);
	free(text);
	return c;
}

void conf_jwt_key_fini(struct conf_jwt_key *key)
{
	free(key->kid);
	conf_wipe(&key->secret, key->secret_len > 0 || key->secret == NULL ? key->secret_len : strlen(key->secret));
	free(key->secret_file);
	free(key->public_key_file);
	free(key->public_key);
}

void conf_webhook_fini(struct conf_webhook *hook)
{
	free(hook->name);
	free(hook->url);
	free(hook->secret_file);
	conf_wipe(&hook->secret, hook->secret_len);
	conf_list_free(&hook->events);
}

void conf_forget_token_keys(struct conf *c)
{
	conf_jwt_key_fini(&c->jwt.own);
	c->jwt.own = (struct conf_jwt_key){0};
	for (size_t k = 0; k < c->jwt.key_count; k++)
		conf_jwt_key_fini(&c->jwt.keys[k]);
	free(c->jwt.keys);
	for (size_t k = 0; k < c->jwt.jwks_count; k++)
		conf_jwt_key_fini(&c->jwt.jwks[k]);
	free(c->jwt.jwks);
	c->jwt.keys = c->jwt.jwks = NULL;
	c->jwt.key_count = c->jwt.jwks_count = 0;
}

void conf_forget_keys(struct conf *c)
{
	conf_forget_token_keys(c);
	conf_wipe(&c->media.url_secret, c->media.url_secret_len);
	conf_wipe(&c->media.s3.secret_key, c->media.s3.secret_key != NULL ? strlen(c->media.s3.secret_key) : 0);
	c->media.url_secret_len = 0;
}

static void wipe_text(char **s)
{
	conf_wipe(s, *s != NULL ? strlen(*s) : 0);
}

void conf_forget_relay_keys(struct conf *c)
{
	wipe_text(&c->relay.vapid_key);
	wipe_text(&c->relay.fcm_credentials);
	wipe_text(&c->relay.apns_key);
	for (size_t k = 0; k < c->relay.webhook_count; k++)
		conf_webhook_fini(&c->relay.webhooks[k]);
	free(c->relay.webhooks);
	c->relay.webhooks = NULL;
	c->relay.webhook_count = 0;
}

void conf_forget_before_send(struct conf *c)
{
	conf_wipe(&c->relay.before_send.secret, c->relay.before_send.secret_len);
	c->relay.before_send.secret_len = 0;
}

void conf_free(struct conf **cp)
{
	struct conf *c = *cp;

	if (c == NULL)
		return;
	conf_forget_keys(c);
	conf_forget_relay_keys(c);
	conf_forget_before_send(c);
	free(c->relay.vapid_public);
	conf_list_free(&c->warnings);
	for (size_t i = 0; i < conf_row_count; i++) {
		const struct conf_row *row = &conf_rows[i];
		if (conf_row_titled(row) != TITLED_NONE)
			continue;
		if (row->type == CONF_LIST) {
			conf_list_free(conf_field(c, NULL, row));
		} else if (row->type == CONF_STRING || row->type == CONF_PATH) {
			char **s = conf_field(c, NULL, row);
			conf_wipe(s, *s == NULL ? 0 : strlen(*s));
		}
	}
	free(c->places->place);
	free(c->places);
	free(c->path);
	free(c);
	*cp = NULL;
}
