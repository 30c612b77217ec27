/* SPDX-License-Identifier: BSD-2-Clause */
/* Passwords. What is left of one in memory is wiped. */
#include "core/base.h"
#include "core/password.h"

#include <crypt.h>
#include <stdlib.h>

#define PREFERRED_METHOD "$y$"

/* The setting, or the hash, says how; the result is to be freed. */
static char *hash_with(const char *password, const char *setting)
{
	struct crypt_data *data = xcalloc(1, sizeof(*data));
	const char *hash = crypt_rn(password, setting, data, sizeof(*data));
	char *copy = hash != NULL ? xstrdup(hash) : NULL;
	explicit_bzero(data, sizeof(*data));
	free(data);
	return copy;
}

char *password_hash(const char *password)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	if (crypt_gensalt_rn(PREFERRED_METHOD, 0, NULL, 0, setting, sizeof(setting)) == NULL)
		return NULL;
	return hash_with(password, setting);
}

static bool equal_in_constant_time(const char *a, const char *b)
{
	size_t len = strlen(a);
	unsigned char difference = 0;
	if (strlen(b) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		difference |= (unsigned char)(a[i] ^ b[i]);
	return difference == 0;
}

bool password_matches(const char *password, const char *hash)
{
	/* Without one to compare with, a new one is made and thrown away: it costs the same. */
	char *made = hash != NULL ? hash_with(password, hash) : password_hash(password);
	bool matches = made != NULL && hash != NULL && equal_in_constant_time(made, hash);
	free(made);
	return matches;
}
