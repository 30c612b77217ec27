/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-2-4, the keyed hash of Aumasson and Bernstein ("SipHash: a fast short-input PRF", INDOCRYPT 2012): whoever
 * chooses names cannot choose where they land in our tables.
 */
#ifndef TIDINGS_CORE_SIPHASH_H
#define TIDINGS_CORE_SIPHASH_H

#include "core/base.h"

uint64_t siphash(const uint64_t key[2], const void *data, size_t len);

#endif
