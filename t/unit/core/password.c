/* SPDX-License-Identifier: BSD-2-Clause */
/* Hashes: salted, verified, of other systems too, and nothing that is none opens anything. */
#include "core/base.h"
#include "core/password.h"

#include "../tap.h"

#include <stdlib.h>

int main(void)
{
	char *one = password_hash("correct horse"), *two = password_hash("correct horse");
	ok(one != NULL && strncmp(one, "$y$", 3) == 0, "a yescrypt hash");
	ok(two != NULL && strcmp(one, two) != 0, "each with a salt of its own");
	ok(password_matches("correct horse", one) && password_matches("correct horse", two), "both match");
	ok(!password_matches("correct horsf", one) && !password_matches("", one), "nothing else does");
	free(one);
	free(two);

	char longest[PASSWORD_MAX + 1], other[PASSWORD_MAX + 1];
	memset(longest, 'x', PASSWORD_MAX);
	longest[PASSWORD_MAX] = '\0';
	memcpy(other, longest, sizeof(other));
	other[PASSWORD_MAX - 1] = 'y';
	char *hash = password_hash(longest);
	ok(hash != NULL && password_matches(longest, hash) && !password_matches(other, hash), "to the last byte");
	free(hash);

	ok(password_matches("Hello world!", "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnI"
					    "FNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"),
	   "SHA-512 crypt");
	ok(password_matches("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"), "bcrypt");

	static const char *const none[] = {"",	  "*",	    "*0", "!", "x", "$", "$y$", "$9$x$y", "correct horse",
					   "$6$", "$2a$05$"};
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		ok(!password_matches("correct horse", none[i]) && !password_matches(none[i], none[i]),
		   "'%s' is no hash", none[i]);
	ok(!password_matches("correct horse", NULL), "without a hash nothing matches");
	return done_testing();
}
