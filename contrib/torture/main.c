/* SPDX-License-Identifier: BSD-2-Clause */
/* Options. What it is for: doc/torture.md. */
#include "core/base.h"

#include <getopt.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "child.h"
#include "run.h"

static const char usage[] =
	"usage: torture [OPTIONS]\n"
	"Starts a MariaDB, a Redis and some nodes of Tidings, lets people talk while faults happen, and checks that\n"
	"nothing is lost. Exit status 0: nothing was wrong, 1: something was, 2: it could not be tried.\n"
	"  -s, --seed N         of the schedule and of what people do; the same seed gives the same faults (random)\n"
	"  -t, --seconds N      how long faults are begun (60)\n"
	"  -H, --hours N        likewise\n"
	"  -u, --users N        (24)\n"
	"  -g, --groups N       of 2, 4, 8, half and all of the users, and so on; 0: direct conversations alone (5)\n"
	"  -n, --nodes N        (2)\n"
	"  -w, --workers N      of each node (2)\n"
	"  -r, --rate N         sends a second, of all users together (40)\n"
	"  -f, --faults LIST    kinds, separated by commas; \"all\", \"none\"; \"-clock\" is all but that (all)\n"
	"  -o, --only LIST      of the seed's faults these alone, as the report names them: 3.0,7.1\n"
	"  -S, --shrink N       so many runs at most to find a smaller schedule that fails, too (0)\n"
	"  -b, --build DIR      where tidingsd and tidingsctl are (TIDINGS_BUILD, or where this program was built)\n"
	"  -k, --keep           the directory with logs and databases, where something was wrong\n"
	"  -q, --quiet          print no faults as they happen\n"
	"      --list           print the kinds of faults\n"
	"      --self-test      feed the recorder histories that are wrong, and see that it says so; prints TAP\n"
	"      --plan N         print the faults of the first N rounds\n"
	"  -h, --help\n";

static const struct option long_options[] = {
	{"seed", required_argument, NULL, 's'},
	{"seconds", required_argument, NULL, 't'},
	{"hours", required_argument, NULL, 'H'},
	{"users", required_argument, NULL, 'u'},
	{"groups", required_argument, NULL, 'g'},
	{"nodes", required_argument, NULL, 'n'},
	{"workers", required_argument, NULL, 'w'},
	{"rate", required_argument, NULL, 'r'},
	{"faults", required_argument, NULL, 'f'},
	{"only", required_argument, NULL, 'o'},
	{"shrink", required_argument, NULL, 'S'},
	{"build", required_argument, NULL, 'b'},
	{"keep", no_argument, NULL, 'k'},
	{"quiet", no_argument, NULL, 'q'},
	{"list", no_argument, NULL, 'l'},
	{"plan", required_argument, NULL, 'P'},
	{"self-test", no_argument, NULL, 'T'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static void NORETURN die(const char *what, const char *which)
{
	fprintf(stderr, "torture: %s: %s\n", what, which);
	exit(2);
}

static double number(const char *text, double min, double max)
{
	char *end;
	double n = strtod(text, &end);
	if (*text == '\0' || *end != '\0' || !(n >= min && n <= max))
		die("number out of range", text);
	return n;
}

/* As text it is whole and up to 2^53 - 1, so that it can be typed again. */
static uint64_t random_seed(void)
{
	uint32_t seed = 0;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		die("no random numbers", "getrandom");
	return seed;
}

/* contrib/torture lies in the directory of the build. */
static char *default_build(void)
{
	char self[512], *dir = getenv("TIDINGS_BUILD");
	if (dir != NULL)
		return xstrdup(dir);
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		die("cannot find myself", "/proc/self/exe");
	self[n] = '\0';
	return xstrdup(dirname(dirname(dirname(self))));
}

static void list_faults(void)
{
	for (int k = 0; k < FAULTS; k++)
		puts(fault_name((enum fault_kind)k));
}

static void print_plan(const struct plan *p, unsigned rounds)
{
	struct plan_fault fault[ROUND_FAULTS_MAX];
	char text[128];
	for (unsigned round = 1; round <= rounds; round++) {
		unsigned n = plan_round(p, round, fault);
		for (unsigned i = 0; i < n; i++) {
			plan_describe(&fault[i], text, sizeof(text));
			puts(text);
		}
	}
}

static void set_option(struct run_options *o, unsigned *shrink_max, int opt)
{
	switch (opt) {
	case 's':
		o->seed = (uint64_t)number(optarg, 0, 9007199254740991.0);
		break;
	case 't':
		o->run_ms = (int64_t)(number(optarg, 0, 1e7) * 1000);
		break;
	case 'H':
		o->run_ms = (int64_t)(number(optarg, 0, 1e4) * 3600000);
		break;
	case 'u':
		o->users = (unsigned)number(optarg, 6, 500);
		break;
	case 'g':
		o->groups = (unsigned)number(optarg, 0, 500);
		break;
	case 'n':
		o->nodes = (unsigned)number(optarg, 1, 8);
		break;
	case 'w':
		o->workers = (unsigned)number(optarg, 1, 16);
		break;
	case 'r':
		o->sends_per_second = number(optarg, 0.1, 10000);
		break;
	case 'f':
		if (!plan_choose(&o->plan, optarg))
			die("no such kind of fault, see --list", optarg);
		o->faults = optarg;
		break;
	case 'o':
		o->plan.only = optarg;
		break;
	case 'S':
		*shrink_max = (unsigned)number(optarg, 0, 1000);
		break;
	case 'b':
		o->build = optarg;
		break;
	case 'k':
		o->keep = true;
		break;
	case 'q':
		o->quiet = true;
		break;
	case 'P':
		o->plan_rounds = (unsigned)number(optarg, 1, 1000000);
		break;
	case 'l':
		list_faults();
		exit(0);
	case 'T':
		exit(selftest());
	case 'h':
		fputs(usage, stdout);
		exit(0);
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct run_options o = {.run_ms = 60000,
				.users = 24,
				.groups = 5,
				.nodes = 2,
				.workers = 2,
				.sends_per_second = 40,
				.faults = "all",
				.seed = random_seed()};
	unsigned shrink_max = 0;
	int opt;
	char program[512], *build = default_build();
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[len < 0 ? 0 : len] = '\0';
	o.build = build;
	if (!plan_choose(&o.plan, o.faults))
		return 2;
	while ((opt = getopt_long(argc, argv, "s:t:H:u:g:n:w:r:f:o:S:b:kqlTh", long_options, NULL)) != -1)
		set_option(&o, &shrink_max, opt);
	if (optind != argc)
		die("not an option", argv[optind]);
	o.plan.seed = o.seed;
	o.plan.nodes = o.nodes;
	if (o.plan_rounds > 0) {
		print_plan(&o.plan, o.plan_rounds);
		free(build);
		return 0;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	child_setup();
	printf("seed %llu\n", (unsigned long long)o.seed);
	int status = run_once(&o);
	if (status == 1)
		printf("again: torture --seed %llu --users %u --groups %u --nodes %u --workers %u --rate %g --faults "
		       "%s --only "
		       "%s\n",
		       (unsigned long long)o.seed, o.users, o.groups, o.nodes, o.workers, o.sends_per_second, o.faults,
		       run_faults_done());
	if (status == 1 && shrink_max > 0)
		shrink(&o, program, shrink_max, run_faults_done());
	puts(status == 0 ? "all is well" : status == 1 ? "FAILED" : "not tried");
	free(build);
	return status;
}
