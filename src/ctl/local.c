/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands that need the configuration alone, and no running server: migrate, token, befriend. */
#include "core/base.h"
#include "ctl/ctl.h"

#include "core/clock.h"
#include "core/id.h"
#include "core/token.h"
#include "store/migrate.h"

#include <stdio.h>
#include <stdlib.h>

#define TTL_MAX_SECS 315360000 /* ten years */

static bool quiet;

static void told(const char *line)
{
	if (!quiet)
		printf("%s\n", line);
}

int ctl_migrate(const struct ctl *ctl)
{
	char *reason;
	if (ctl->argc != 0)
		return ctl_usage("migrate");
	quiet = ctl->json;
	if (migrate_run(ctl->conf, told, &reason) != 0) {
		ctl_fail("%s", reason);
		free(reason);
		return 1;
	}
	if (ctl->json)
		printf("{\"schema\":%d}\n", schema_version);
	else
		printf("the schema is at version %d\n", schema_version);
	return 0;
}

/* A whole number from 1 to TTL_MAX_SECS; -1 if it is none. */
static int parse_ttl(const char *text)
{
	uint64_t secs;
	return id_parse_u64(str_from(text), &secs) == 0 && secs >= 1 && secs <= TTL_MAX_SECS ? (int)secs : -1;
}

int ctl_token(const struct ctl *ctl)
{
	static const char usage[] = "token USER [--ttl SECONDS] [--scope SCOPE]";
	const char *user = NULL, *scope = NULL, *reason;
	int ttl_secs = ctl->conf->jwt.lifetime_secs;
	for (int i = 0; i < ctl->argc; i++) {
		bool has_value = i + 1 < ctl->argc;
		if (strcmp(ctl->argv[i], "--ttl") == 0 && has_value)
			ttl_secs = parse_ttl(ctl->argv[++i]);
		else if (strcmp(ctl->argv[i], "--scope") == 0 && has_value)
			scope = ctl->argv[++i];
		else if (user == NULL && ctl->argv[i][0] != '-')
			user = ctl->argv[i];
		else
			return ctl_usage(usage);
	}
	if (user == NULL)
		return ctl_usage(usage);
	if (ttl_secs < 0)
		return ctl_misuse("--ttl: must be a whole number of seconds from 1 to %d (ten years)", TTL_MAX_SECS);
	if (ctl_check_user(user) != 0)
		return 2;

	char *why;
	struct token_keys *keys = token_keys_new(ctl->conf, &why);
	if (keys == NULL) {
		ctl_fail("%s", why);
		free(why);
		return 1;
	}
	int64_t expires_ms;
	char *token = token_issue(keys, user, 0, scope, ttl_secs, &expires_ms, &reason);
	token_keys_free(&keys);
	if (token == NULL)
		return ctl_fail("%s", reason);
	if (ctl->json) {
		char expires[CLOCK_RFC3339_LEN + 1];
		clock_format_rfc3339(expires, expires_ms);
		printf("{\"token\":\"%s\",\"expires_at\":\"%s\"}\n", token, expires);
	} else {
		printf("%s\n", token);
	}
	free(token);
	return 0;
}

int ctl_befriend(const struct ctl *ctl)
{
	char *reason;
	if (ctl->argc != 2)
		return ctl_usage("befriend A B");
	for (int i = 0; i < 2; i++)
		if (ctl_check_user(ctl->argv[i]) != 0)
			return 2;
	if (strcmp(ctl->argv[0], ctl->argv[1]) == 0)
		return ctl_misuse("a user cannot be a friend of themselves");
	if (admin_befriend(ctl->conf, ctl->argv[0], ctl->argv[1], &reason) != 0) {
		ctl_fail("%s", reason);
		free(reason);
		return 1;
	}
	if (ctl->json)
		printf("{\"friends\":[\"%s\",\"%s\"]}\n", ctl->argv[0], ctl->argv[1]);
	else
		printf("%s and %s are friends\n", ctl->argv[0], ctl->argv[1]);
	return 0;
}
