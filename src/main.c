/* SPDX-License-Identifier: BSD-2-Clause */
/* tidingsd: the command line, then the master. */
#include "core/base.h"

#include "core/conf.h"
#include "core/log.h"
#include "proc/inherit.h"
#include "proc/master.h"
#include "store/migrate.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_CONF SYSCONFDIR "/tidings/tidings.conf"

static const char usage[] = "usage: tidingsd [-c FILE] [-t] [-D] [-V]\n"
			    "  -c FILE  the configuration (default " DEFAULT_CONF ")\n"
			    "  -t       test the configuration and leave\n"
			    "  -D       run as a daemon\n"
			    "  -V       print the version and leave\n";

/* A daemon's parent waits on this for the byte that says "started". */
static int started_fd = -1;

static void tell_started(void)
{
	if (started_fd < 0)
		return;
	if (write(started_fd, "+", 1) != 1)
		log_warn("the starting process did not wait");
	close(started_fd);
	started_fd = -1;
}

/* The parent leaves with 0 once the child has started, with 1 if it never does (daemon(7), SysV daemons). */
static void daemonise(void)
{
	int pair[2];
	char byte;
	if (pipe2(pair, O_CLOEXEC) != 0)
		log_fatal("cannot make a pipe");
	pid_t pid = fork();
	if (pid < 0)
		log_fatal("cannot fork");
	if (pid > 0) {
		close(pair[1]);
		_exit(read(pair[0], &byte, 1) == 1 ? 0 : 1);
	}
	close(pair[0]);
	started_fd = pair[1];
	/* The folder stays: relative paths of the configuration keep their meaning when it is read again. */
	if (setsid() < 0)
		log_fatal("cannot leave the terminal");
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		close(null);
	}
}

/* All that can be checked before anything is started; faults are printed as they are. */
static struct conf *load(const char *path, bool as_daemon)
{
	char *faults;
	struct conf *conf = conf_load(path, &faults);
	if (conf != NULL) {
		faults = master_conf_fault(conf, as_daemon);
		if (faults == NULL)
			return conf;
		conf_free(&conf);
	}
	fprintf(stderr, "%s%s", faults, faults[strlen(faults) - 1] == '\n' ? "" : "\n");
	free(faults);
	return NULL;
}

/* A database that is away may come; one with another schema has to be seen to first. */
static bool schema_fits(const struct conf *conf)
{
	char *reason;
	int version;
	if (migrate_current(conf, &version, &reason) != 0) {
		log_warn("the schema cannot be checked yet: %s", reason);
		free(reason);
		return true;
	}
	if (version == schema_version)
		return true;
	log_error("the database %s has schema %d and this program needs %d: %s", conf->mysql.database, version,
		  schema_version, version < schema_version ? "run tidingsctl migrate" : "it is too old for it");
	return false;
}

int main(int argc, char **argv)
{
	const char *path = DEFAULT_CONF, *reason;
	bool test = false, as_daemon = false;
	int option;

	inherit_take();
	while ((option = getopt(argc, argv, "c:tDVh")) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 't':
			test = true;
			break;
		case 'D':
			as_daemon = true;
			break;
		case 'V':
			printf("tidingsd %s\n", PACKAGE_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "tidingsd: unexpected argument %s\n%s", argv[optind], usage);
		return 2;
	}
	struct conf *conf = load(path, as_daemon);
	if (conf == NULL)
		return 1;
	if (test) {
		conf_log_warnings(conf);
		fprintf(stderr, "%s: the configuration is good\n", path);
		conf_free(&conf);
		return 0;
	}
	/* One that takes over from another is a daemon if that is one. */
	if (as_daemon && inherit_predecessor() < 0)
		daemonise();
	if (log_open(conf->log.target, (enum log_level)conf->log.level, (enum log_format)conf->log.format, &reason) !=
	    0)
		log_fatal("log.target: %s: %s", conf->log.target, reason);
	conf_log_warnings(conf);
	if (!schema_fits(conf)) {
		conf_free(&conf);
		return 1;
	}
	return master_run(conf, as_daemon, argv, tell_started);
}
