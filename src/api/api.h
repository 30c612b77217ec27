/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of api/ share: what a worker answers requests with, beside its live layer. */
#ifndef TIDINGS_API_API_H
#define TIDINGS_API_API_H

#include "core/base.h"
#include "core/json.h"
#include "core/media_url.h"
#include "core/token.h"
#include "core/wheel.h"
#include "live/live.h"
#include "net/http.h"

struct before_send;
struct command_table;
struct picture_cache;
struct inspector;
struct uploads;
struct work;

struct api {
	struct live *live;
	const struct command_table *commands;
	struct http_server *http;
	struct http_server *admin;
	struct token_keys *keys;
	struct work *work;	     /* passwords */
	struct inspector *inspector; /* media/inspect.h */
	struct picture_cache *pictures;
	struct uploads *uploads; /* NULL: files are not taken here */
	struct media_urls media_urls;
	struct picture_cache *media_facts; /* cmd/media_show.c */
	bool accounts;			   /* users can register and log in here */
	bool search;			   /* messages can be searched */
	bool audit_ended;		   /* audit.h: nothing is noted any more */
	unsigned audit_calls;		   /* that are noted and have not ended */
	bool directory;			   /* users can be found */
	unsigned imports;		   /* cmd/import.c: under way */
	unsigned exports;		   /* cmd/export.c: likewise */
	struct json_doc *doc;		   /* of the request that is being read: parsing never spans a turn */
	/* A connection of any listener has closed, or the socket to a writer. */
	void (*changed)(void *ctx);
	void *changed_ctx;

	struct before_send *before_send; /* NULL: nobody is asked about messages */

	/* cmd/forward.c */
	struct {
		size_t bytes; /* that the answers under way may have */
		TAILQ_HEAD(forward_target_list, forward_target) waiting;
		bool ended; /* nothing more is begun */
	} forwards;

	/* observe.c */
	struct wheel_timer access; /* lines of the access log wait to be written */
};

#endif
