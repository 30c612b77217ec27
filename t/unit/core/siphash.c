/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash against published values. */
#include "core/base.h"
#include "core/siphash.h"

#include "../tap.h"

int main(void)
{
	/* Appendix A of the paper: key 00 01 .. 0f, message 00 01 .. 0e. */
	unsigned char bytes[16];
	uint64_t key[2];
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	memcpy(key, bytes, sizeof(key));
	ok(siphash(key, bytes, 15) == UINT64_C(0xa129ca6149be45e5), "the paper's test vector");
	ok(siphash(key, bytes, 0) == UINT64_C(0x726fdb47dd0e0e31), "the reference code's vector for no bytes");
	return done_testing();
}
