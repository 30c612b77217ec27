/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers that a seed repeats: SplitMix64. Not for secrets. */
#ifndef TIDINGS_TORTURE_RNG_H
#define TIDINGS_TORTURE_RNG_H

#include "core/base.h"

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* The stream number `stream` of a seed: streams do not depend on how far others were read. */
static inline struct rng rng_make(uint64_t seed, uint64_t stream)
{
	struct rng r = {seed ^ (stream * UINT64_C(0xd1342543de82ef95))};
	rng_next(&r);
	return r;
}

/* 0 to n - 1; n is over 0. */
static inline unsigned rng_below(struct rng *r, unsigned n)
{
	return (unsigned)(rng_next(r) % n);
}

/* min to max, both possible. */
static inline int rng_between(struct rng *r, int min, int max)
{
	return min + (int)rng_below(r, (unsigned)(max - min) + 1);
}

static inline bool rng_percent(struct rng *r, unsigned percent)
{
	return rng_below(r, 100) < percent;
}

#endif
