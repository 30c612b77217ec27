/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The product, as one worker runs it: routes, commands, sessions, pushing. What
 * proc needs of it: begin, take sockets, drain, end.
 */
#ifndef TIDINGS_IM_IM_H
#define TIDINGS_IM_IM_H

#include "core/base.h"
#include "core/conf.h"
#include "hub/hub.h"
#include "net/addr.h"
#include "net/loop.h"

struct im;
struct tls_server;

/* Which listener a socket came from. */
enum im_door { IM_DOOR_PUBLIC, IM_DOOR_TLS, IM_DOOR_ADMIN };

struct im_options {
	struct loop *loop;
	const struct conf *conf; /* borrowed */
	struct hub *hub;
	unsigned slot;
	const char *name;	/* of WORKER_NAME_LEN characters, this process' alone in the whole cluster */
	int mailbox;		/* of the media process (media/inspect.h), taken over; -1: there is none */
	struct tls_server *tls; /* of im_tls_new(); im_free() frees it */
	/* A connection of any listener has closed, also within im_free(), or the socket to a writer. Must be quick: it
	 * may be called many times a turn. */
	void (*changed)(void *ctx);
	void *ctx;
};

/* What conf_load() cannot see: why keys or certificate cannot be used, to be freed; NULL if they can. */
char *im_fault(const struct conf *conf) MUST_CHECK;
/*
 * Reads certificate and key, for which more rights may be needed than for all else: *tls_r is NULL where no listener is
 * encrypted. -1 with a reason in *err_r, to be freed.
 */
int im_tls_new(const struct conf *conf, struct hub *hub, struct tls_server **tls_r, char **err_r) MUST_CHECK;
/* NULL with a reason in *err_r, to be freed. Database and Redis are connected to in the background. */
struct im *im_new(const struct im_options *opt, char **err_r) MUST_CHECK;
void im_free(struct im **im);

/* Takes over a connected, non-blocking socket. */
void im_accept(struct im *im, int fd, enum im_door door, const struct addr *peer);
/* A stream socket to the writer process of that number, under conf->writers; taken over. */
void im_take_writer(struct im *im, unsigned index, int fd);
/* A bit for each writer that there is no socket to, 1 for number 0. */
uint64_t im_missing_writers(const struct im *im);
/*
 * Says goodbye: answers carry Connection: close, idle HTTP connections end a little later, requests in progress are
 * answered, WebSockets get `reconnect` and 1001, spread so that they do not all come back at one moment. Done within
 * deadline_ms.
 */
void im_drain(struct im *im, int64_t deadline_ms);
/* Ends all of a user's sessions, wherever in the cluster they are, with 4001. */
void im_kick(struct im *im, const char *user_id);
/*
 * The server's operator adds a user to a group, or removes and maybe bans them. The sessions are told as when a member
 * does it. The answer goes to fd, which is closed: a line of JSON with ok, and changed or error.
 */
void im_change_group(struct im *im, uint64_t group_id, const char *user_id, bool removes, bool bans, int fd);
/* The worker of that name (WORKER_NAME_LEN) has died. */
void im_worker_lost(struct im *im, const char *name);
/* Nothing is connected or in progress any more. */
bool im_is_idle(const struct im *im);
/* Connections of the public listeners, and of the admin listener. */
size_t im_connections(const struct im *im);
size_t im_admin_connections(const struct im *im);
/* With the database, which can be written to and has told what is revoked, and with Redis. */
bool im_is_connected(const struct im *im);
/* The database is there, and what is revoked is not known yet. */
bool im_is_learning(const struct im *im);
/* The fields of the worker's row of the scoreboard that are of clients, database and Redis. */
void im_fill_row(const struct im *im, struct worker_row *row);

#endif
