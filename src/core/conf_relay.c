/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks of the section relay: the keys that other services know us by, and what has to be given with them. */
#include "core/base.h"
#include "core/conf_table.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base64url.h"
#include "core/fcm.h"
#include "core/signer.h"

static bool has_only(const char *s, const char *others)
{
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && strchr(others, *s) == NULL)
			return false;
	return true;
}

const char *conf_check_contact(const char *value)
{
	bool fine = strncmp(value, "mailto:", 7) == 0 ? strchr(value + 7, '@') != NULL
						      : strncmp(value, "https://", 8) == 0 && value[8] != '\0';
	return fine && strlen(value) <= 255 && has_only(value, "/-._~:@+?=&%")
		       ? NULL
		       : "up to 255 characters, beginning with mailto: and an address, or https:// and a host";
}

static void resolve_vapid(struct conf *c, struct conf_faults *faults)
{
	unsigned char point[SIGNER_POINT_LEN];
	char digits[BASE64URL_DIGITS(SIGNER_POINT_LEN) + 1];
	const char *fault;
	c->relay.vapid_key = xstrdup("");
	c->relay.vapid_public = xstrdup("");
	conf_take_file(c, faults, "relay.vapid_key_file", &c->relay.vapid_key_file, &c->relay.vapid_key, NULL);
	if (c->relay.vapid_key_file[0] == '\0' || conf_place_is_bad(c, &c->relay.vapid_key_file))
		return;
	struct signer *s = signer_new(str_from(c->relay.vapid_key), SIGNER_ES256, &fault);
	if (s == NULL) {
		conf_fault(faults, conf_line(c, &c->relay.vapid_key_file), "relay.vapid_key_file: %s: %s",
			   c->relay.vapid_key_file, fault);
		return;
	}
	signer_point(s, point);
	signer_free(&s);
	base64url_encode(point, sizeof(point), digits);
	free(c->relay.vapid_public);
	c->relay.vapid_public = xstrdup(digits);
	if (c->relay.webpush_subject[0] == '\0' && !conf_place_is_bad(c, &c->relay.webpush_subject))
		conf_fault(faults, conf_line(c, &c->relay.vapid_key_file),
			   "relay.webpush_subject: needed where relay.vapid_key_file is given");
}

static void resolve_fcm(struct conf *c, struct conf_faults *faults)
{
	struct fcm_account account;
	const char *fault;
	c->relay.fcm_credentials = xstrdup("");
	conf_take_file(c, faults, "relay.fcm_credentials_file", &c->relay.fcm_credentials_file,
		       &c->relay.fcm_credentials, NULL);
	if (c->relay.fcm_credentials_file[0] == '\0' || conf_place_is_bad(c, &c->relay.fcm_credentials_file))
		return;
	if (fcm_account_read(str_from(c->relay.fcm_credentials), &account, &fault) != 0)
		conf_fault(faults, conf_line(c, &c->relay.fcm_credentials_file), "relay.fcm_credentials_file: %s: %s",
			   c->relay.fcm_credentials_file, fault);
	fcm_account_fini(&account);
}

static void resolve_apns(struct conf *c, struct conf_faults *faults)
{
	const struct {
		const char *name, *value;
	} needed[] = {{"relay.apns_key_id", c->relay.apns_key_id},
		      {"relay.apns_team_id", c->relay.apns_team_id},
		      {"relay.apns_topic", c->relay.apns_topic}};
	const char *fault;
	unsigned line = conf_line(c, &c->relay.apns_key_file);
	c->relay.apns_key = xstrdup("");
	conf_take_file(c, faults, "relay.apns_key_file", &c->relay.apns_key_file, &c->relay.apns_key, NULL);
	if (c->relay.apns_key_file[0] == '\0' || conf_place_is_bad(c, &c->relay.apns_key_file))
		return;
	struct signer *s = signer_new(str_from(c->relay.apns_key), SIGNER_ES256, &fault);
	if (s == NULL)
		conf_fault(faults, line, "relay.apns_key_file: %s: %s", c->relay.apns_key_file, fault);
	signer_free(&s);
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (needed[i].value[0] == '\0')
			conf_fault(faults, line, "%s: needed where relay.apns_key_file is given", needed[i].name);
}

void conf_resolve_relay(struct conf *c, struct conf_faults *faults)
{
	resolve_vapid(c, faults);
	resolve_fcm(c, faults);
	resolve_apns(c, faults);
	conf_resolve_before_send(c, faults);
	for (size_t i = 0; i < c->relay.webhook_count; i++)
		conf_resolve_webhook(c, faults, &c->relay.webhooks[i]);
	if (c->relay.ca_file[0] != '\0' && access(c->relay.ca_file, R_OK) != 0)
		conf_fault(faults, conf_line(c, &c->relay.ca_file), "relay.ca_file: cannot read %s: %s",
			   c->relay.ca_file, strerror(errno));
}
