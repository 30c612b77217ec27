/* SPDX-License-Identifier: BSD-2-Clause */
/* What the load generator's modes share: the options, tokens and names of users. */
#ifndef TIDINGS_BENCH_LOAD_H
#define TIDINGS_BENCH_LOAD_H

#include "core/base.h"
#include "peer.h"
#include "tally.h"

struct options {
	struct sockaddr_in server[8]; /* all but mode group use the first alone */
	size_t servers;
	const char *prefix;	 /* http.prefix */
	const char *user_prefix; /* users are PREFIX0, PREFIX1, … */
	char secret[256];
	size_t secret_len;
	unsigned pairs;
	unsigned in_flight;
	unsigned bytes;	  /* of a text */
	int delivered_ms; /* modes ws and http: what comes is reported as delivered that often a conversation; -1: never
			   */
	bool deflate;	  /* offer permessage-deflate, and compress what is sent */
	double warmup_secs;
	double duration_secs;
	unsigned connections;
	unsigned users;		  /* mode open: how many there are; after the last comes the first again */
	uint64_t conversation_id; /* mode group */
	unsigned senders;
	double rate;	       /* messages a second, of all senders; modes ws and http: 0 keeps in_flight under way */
	unsigned per_process;  /* connections; beyond it further processes hold the rest */
	const char *path[256]; /* mode ask: asked for in turn */
	size_t paths;
	struct buf body; /* mode ask: it is posted; empty: nothing is */
	struct procs group[8];
	size_t groups;
};

/* "Bearer" content for user number `user`: HS256, valid for a day. To be freed. */
char *token_make(const struct options *o, unsigned user);

/* The modes; each prints its figures as "name value" lines and returns the exit status. */
int run_traffic(const struct options *o, enum peer_kind senders);
int run_change(const struct options *o, bool reacts);
int run_idle(const struct options *o);
int run_open(const struct options *o);
int run_group(const struct options *o);
int run_ask(const struct options *o);

#endif
