/* SPDX-License-Identifier: BSD-2-Clause */
/* Service accounts, and their access tokens. */
#include "core/base.h"
#include "core/fcm.h"

#include <stdlib.h>

#include "core/json.h"
#include "core/signer.h"
#include "core/url.h"

#define SCOPE "https://www.googleapis.com/auth/firebase.messaging"
#define GRANT "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="
#define LIFETIME_SECS 3600
#define TEXT_MAX 1024
#define TOKEN_MAX 4096

/* They go into URLs, headers and JSON: letters, digits and signs that need no escape there. */
static bool is_plain(struct str s, size_t max)
{
	if (s.len == 0 || s.len > max)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.s[i] <= ' ' || s.s[i] > '~' || s.s[i] == '"' || s.s[i] == '\\')
			return false;
	return true;
}

static char *take(const struct json *of, const char *name)
{
	const struct json *v = json_get(of, name);
	return v != NULL && v->type == JSON_STRING && is_plain(v->text, TEXT_MAX) ? xstrndup(v->text.s, v->text.len)
										    : NULL;
}

static const char *read_account(const struct json *json, struct fcm_account *a)
{
	const char *err;
	const struct json *key = json_get(json, "private_key"), *type = json_get(json, "type");
	if (type == NULL || type->type != JSON_STRING || !str_is(type->text, "service_account"))
		return "it is not that of a service account: its type is not service_account";
	a->project_id = take(json, "project_id");
	a->client_email = take(json, "client_email");
	a->token_uri = take(json, "token_uri");
	a->key_id = take(json, "private_key_id");
	if (a->project_id == NULL || strpbrk(a->project_id, "/?#%") != NULL)
		return "project_id is missing, or not plain text";
	if (a->client_email == NULL)
		return "client_email is missing, or not plain text";
	if (a->token_uri == NULL || !url_is_web(str_from(a->token_uri)))
		return "token_uri is missing, or no http or https URL";
	if (key == NULL || key->type != JSON_STRING)
		return "private_key is missing";
	a->signer = signer_new(key->text, SIGNER_RS256, &err);
	return err;
}

int fcm_account_read(struct str json, struct fcm_account *account_r, const char **err_r)
{
	const char *err;
	struct json_doc *doc = json_doc_new();
	const struct json *v = json_parse(doc, json, &err);
	*account_r = (struct fcm_account){0};
	*err_r = v == NULL ? "it is not JSON" : read_account(v, account_r);
	json_doc_free(&doc);
	return *err_r == NULL ? 0 : -1;
}

void fcm_account_fini(struct fcm_account *a)
{
	free(a->project_id);
	free(a->client_email);
	free(a->token_uri);
	free(a->key_id);
	signer_free(&a->signer);
	*a = (struct fcm_account){0};
}

int fcm_put_token_request(const struct fcm_account *a, int64_t now_secs, struct buf *out)
{
	struct buf claims = {0};
	buf_printf(&claims, "{\"iss\":\"%s\",\"scope\":\"" SCOPE "\",\"aud\":\"%s\",\"iat\":%lld,\"exp\":%lld}",
		   a->client_email, a->token_uri, (long long)now_secs, (long long)now_secs + LIFETIME_SECS);
	buf_append_str(out, STR_LIT(GRANT));
	int result = signer_jwt(a->signer, a->key_id, (struct str){claims.data, claims.len}, out);
	buf_fini(&claims);
	return result;
}

int fcm_take_token(struct str body, char **token_r, int64_t *lifetime_secs_r)
{
	const char *err;
	int result = -1;
	struct json_doc *doc = json_doc_new();
	const struct json *v = json_parse(doc, body, &err), *token = json_get(v, "access_token");
	if (token != NULL && token->type == JSON_STRING && is_plain(token->text, TOKEN_MAX) &&
	    json_int(json_get(v, "expires_in"), lifetime_secs_r) == 0 && *lifetime_secs_r > 0) {
		*token_r = xstrndup(token->text.s, token->text.len);
		result = 0;
	}
	json_doc_free(&doc);
	return result;
}
