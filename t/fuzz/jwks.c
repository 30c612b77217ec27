/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a key set: what is taken is usable and under a kid of its own, what is said is one thing a key. */
#include "core/base.h"

#include <stdlib.h>

#include "core/conf_table.h"
#include "core/jwks.h"
#include "core/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool cond)
{
	if (!cond)
		abort();
}

static void check_key(const struct jwks *set, size_t i)
{
	const struct conf_jwt_key *key = &set->keys[i];

	must(key->kid[0] != '\0' && strlen(key->kid) <= CONF_KID_MAX && token_key_fault(key) == NULL);
	must(key->secret_file[0] == '\0' && key->public_key_file[0] == '\0');
	if (conf_jwt_algorithm_is_hmac((enum conf_jwt_algorithm)key->algorithm))
		must(key->secret_len >= CONF_HMAC_SECRET_MIN && key->public_key[0] == '\0');
	else
		must(key->secret_len == 0 && key->public_key[0] != '\0');
	for (size_t k = 0; k < i; k++)
		must(strcmp(set->keys[k].kid, key->kid) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct jwks set;

	jwks_read(&set, (struct str){(const char *)data, len});
	must(set.count + set.faults.count <= JWKS_KEYS_MAX && set.warnings.count <= JWKS_KEYS_MAX);
	for (size_t i = 0; i < set.count; i++)
		check_key(&set, i);
	for (size_t i = 0; i < set.count; i++)
		conf_jwt_key_fini(&set.keys[i]);
	free(set.keys);
	conf_list_free(&set.faults);
	conf_list_free(&set.warnings);
	return 0;
}
