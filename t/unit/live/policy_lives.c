/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.c in random histories of a cluster: messages arrive in any order, and still all workers agree on which
 * sessions stay, and none is closed for an older one.
 */
#include "core/base.h"
#include "policy_kit.h"

/* Two logins whose announcements come within this of each other may change places where links break between them. */
#define TOLERANCE_US 1000000
/* Lives with broken links in which the limit may be met that policy.h tells of. */
#define LIMIT_ONE_IN 500

static unsigned wrong_kicks;

/* ---- what must be true ---- */

static bool rivals(const struct fact *a, const struct fact *b)
{
	return conf.session.policy != SESSION_DEVICE || strcmp(a->device, b->device) == 0;
}

static unsigned allowed(void)
{
	return conf.session.policy == SESSION_MULTI ? (unsigned)conf.session.max : 1;
}

/* Empty, or what is wrong. `all_stay`: nobody left or died, so as many as allowed must be there. */
static const char *fault(bool all_stay)
{
	for (unsigned i = 0; i < fact_count; i++) {
		const struct fact *f = &facts[i];
		unsigned newer = 0, ever = 0, staying = 0;
		if (f->wrongly) {
			wrong_kicks++;
			return "one had to go for none that could be newer";
		}
		for (unsigned k = 0; k < fact_count; k++) {
			const struct fact *g = &facts[k];
			if (!rivals(f, g))
				continue;
			ever++;
			staying += g->s != NULL && !g->kicked;
			newer += g != f && g->told_us != 0 && g->told_us + TOLERANCE_US >= f->told_us;
		}
		if (f->kicked && newer < allowed())
			return "one had to go although too few are newer";
		if (staying > allowed())
			return "too many stay";
		if (all_stay && staying != (ever < allowed() ? ever : allowed()))
			return "too few stay";
	}
	return "";
}

/* A life of a cluster by chance; returns what is wrong at its end. calm: no links break. */
static const char *live(uint64_t seed, bool calm, bool deaths)
{
	static const char *const devices[] = {"ios", "web"};
	dice = seed * 7919 + 1;
	now_us = 1000000 + (int64_t)chance(1000000);
	conf.session.policy = (int[]){SESSION_SINGLE, SESSION_DEVICE, SESSION_MULTI}[chance(3)];
	conf.session.max = 1 + (int)chance(4);
	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		worker_start(i, true);
		id_clock_error_ms[i] = (int64_t)chance(7200000) - 3600000;
	}
	beats();
	for (unsigned step = 0; step < 400; step++) {
		unsigned i = chance(WORKERS_MAX), what = chance(100);
		struct worker *w = &workers[i];
		if (what < 40) {
			publish_one(i);
		} else if (what < 80) {
			hear_one(i);
		} else if (what < 88) {
			if (w->alive && fact_count < 60)
				session_begin(i, devices[chance(2)]);
		} else if (what < 91) {
			/* A pause, in which all is heard by all who can. */
			settle();
			now_us += 2 * TOLERANCE_US;
			beats();
		} else if (!calm && what < 94) {
			if (w->alive && w->up)
				link_down(i);
		} else if (!calm && what < 97) {
			if (w->alive && !w->up)
				link_up(i);
		} else if (deaths && what < 98 && fact_count != 0) {
			struct fact *f = &facts[chance(fact_count)];
			if (f->s != NULL)
				session_end(f);
		} else if (deaths && what < 99) {
			if (w->alive)
				worker_die(i);
			else
				worker_start(i, chance(2) != 0);
		}
		now_us += chance(50);
	}
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		if (workers[i].alive && !workers[i].up)
			link_up(i);
	beats();
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		if (workers[i].alive && !workers[i].live.lamport.synced) {
			lamport_settle(&workers[i].live.lamport);
			policy_announce_all(&workers[i].live);
		}
	settle();
	const char *wrong = fault(!deaths);
	clear();
	return wrong;
}

static unsigned wrong_lives(unsigned count, bool calm, bool deaths)
{
	unsigned wrong = 0;
	for (uint64_t seed = 1; seed <= count; seed++) {
		const char *what = live(seed, calm, deaths);
		if (what[0] == '\0')
			continue;
		if (wrong++ < 5)
			printf("# seed %llu: %s\n", (unsigned long long)seed, what);
	}
	return wrong;
}

int main(void)
{
	/* More of them: TIDINGS_LIVES=100000. */
	const char *more = getenv("TIDINGS_LIVES");
	unsigned lives = more != NULL ? (unsigned)strtoul(more, NULL, 10) : 3000;
	is_int((int)wrong_lives(lives, true, false), 0, "%u lives of a cluster, logins at the same moment", lives);
	for (int deaths = 0; deaths < 2; deaths++) {
		unsigned wrong = wrong_lives(lives, false, deaths != 0);
		ok(wrong <= lives / LIMIT_ONE_IN, "%u, links break%s (%u are beyond the limit of policy.h)", lives,
		   deaths ? ", sessions end and workers die" : "", wrong);
	}
	is_int((int)wrong_kicks, 0, "and none went for one that had ended before it began");
	return done_testing();
}
