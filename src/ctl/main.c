/* SPDX-License-Identifier: BSD-2-Clause */
/* tidingsctl: the command line and the table of commands. */
#include "core/base.h"
#include "ctl/ctl.h"

#include "core/id.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_CONF SYSCONFDIR "/tidings/tidings.conf"

static const struct {
	const char *name, *args, *help;
	int (*run)(const struct ctl *ctl);
} commands[] = {
	{"status", "", "the node: workers, connections, counters", ctl_status},
	{"workers", "", "a line a worker, a writer, a relay and a media process", ctl_workers},
	{"sessions", "[USER]", "the WebSocket sessions of this node, or of one user", ctl_sessions},
	{"kick", "USER", "end the sessions of a user, in the whole cluster", ctl_kick},
	{"reload", "[--dry-run]", "read the configuration again, or tell what that would change", ctl_reload},
	{"drain", "", "take this node out of service: not ready, sessions sent elsewhere, then the end", ctl_drain},
	{"top", "", "what the node does, each second; q leaves", ctl_top},
	{"migrate", "", "create or upgrade the schema of the configured database; safe to repeat", ctl_migrate},
	{"token", "USER [--ttl S] [--scope S]", "print a JWT for the user", ctl_token},
	{"user", "add USER [--nickname NAME] | passwd USER | show USER | revoke USER | disable USER | enable USER | erase USER",
	 "add an account, change its password (read from standard input), or show it; refuse a user's tokens, or the user; erase one",
	 ctl_user},
	{"group", "show ID | members ID | add ID USER | remove ID USER [--ban]",
	 "show a group or its members; add a user to it, or remove (and ban) one, in the running server", ctl_group},
	{"stickers", "import DIR | list | remove PACK [--erase]",
	 "import a pack of stickers (pack.json and the pictures), list the packs, or remove one", ctl_stickers},
	{"media", "show ID | check | gc [--now]",
	 "show an uploaded file, hold the files against the database, or show (and hasten) what is to be deleted",
	 ctl_media},
	{"search", "status | rebuild", "show the state of the search index; make it anew while the server runs",
	 ctl_search},
	{"hooks", "list | pause NAME | resume NAME | replay NAME --since TIME",
	 "show what webhooks have been told; stop or resume one; tell it again what has happened since", ctl_hooks},
	{"befriend", "A B", "make two users friends, creating them where they are missing", ctl_befriend},
#ifdef TIDINGS_DEBUG
	{"clock", "[wall] SECONDS", "shift the node's clocks, or the wall clock alone (debug builds only)", ctl_clock},
#endif
};

static void print_fault(const char *fmt, va_list ap)
{
	fputs("tidingsctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

int ctl_fail(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	print_fault(fmt, ap);
	va_end(ap);
	return 1;
}

int ctl_misuse(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	print_fault(fmt, ap);
	va_end(ap);
	return 2;
}

int ctl_check_user(const char *user)
{
	if (id_user_valid(str_from(user)))
		return 0;
	return ctl_misuse("'%s' is no user id: " USER_ID_RULE, user);
}

int ctl_usage(const char *usage)
{
	fprintf(stderr, "usage: tidingsctl [-c FILE] [--json] %s\n", usage);
	return 2;
}

static void print_usage(FILE *to)
{
	fputs("usage: tidingsctl [-c FILE] [--json] COMMAND\n"
	      "  -c FILE        the configuration (default " DEFAULT_CONF ")\n"
	      "  --json         print JSON\n"
	      "  -V, --version  print the version and leave\n"
	      "  -h, --help     print this summary and leave\n\ncommands:\n",
	      to);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(to, "  %s %s\n        %s\n", commands[i].name, commands[i].args, commands[i].help);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	const char *path = DEFAULT_CONF;
	struct ctl ctl = {0};
	char *faults;
	int option;

	/* '+': a command's own options are its own. */
	while ((option = getopt_long(argc, argv, "+c:hV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'j':
			ctl.json = true;
			break;
		case 'h':
			print_usage(stdout);
			return 0;
		case 'V':
			printf("tidingsctl %s\n", PACKAGE_VERSION);
			return 0;
		default:
			print_usage(stderr);
			return 2;
		}
	}
	if (optind == argc) {
		print_usage(stderr);
		return 2;
	}
	const char *name = argv[optind];
	size_t i = 0;
	while (i < ARRAY_LEN(commands) && strcmp(commands[i].name, name) != 0)
		i++;
	if (i == ARRAY_LEN(commands)) {
		ctl_fail("there is no command %s", name);
		print_usage(stderr);
		return 2;
	}
	struct conf *conf = conf_load(path, &faults);
	if (conf == NULL) {
		fprintf(stderr, "%s%s", faults, faults[strlen(faults) - 1] == '\n' ? "" : "\n");
		free(faults);
		return 1;
	}
	ctl.conf = conf;
	ctl.argc = argc - optind - 1;
	ctl.argv = argv + optind + 1;
	/* --json may also stand behind the command. */
	if (ctl.argc > 0 && strcmp(ctl.argv[ctl.argc - 1], "--json") == 0) {
		ctl.json = true;
		ctl.argc--;
	}
	int status = commands[i].run(&ctl);
	conf_free(&conf);
	return status;
}
