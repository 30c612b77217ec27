/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The load generator's side of a connection: an HTTP/1.1 client, or a WebSocket
 * client once it was upgraded. One process has thousands and shares two cores
 * with what it measures, so there is one read buffer for all, one write a turn,
 * and no JSON parser: what comes in is handed on as bytes.
 */
#ifndef TIDINGS_BENCH_PEER_H
#define TIDINGS_BENCH_PEER_H

#include "core/base.h"
#include "core/buf.h"
#include <netinet/in.h>
#include <sys/queue.h>

enum peer_kind { PEER_WS, PEER_HTTP };
enum peer_state { PEER_CONNECTING, PEER_UPGRADING, PEER_OPEN, PEER_CLOSED };

struct peer {
	int fd;
	enum peer_kind kind;
	enum peer_state state;
	unsigned user;	  /* the number of the user it speaks for */
	bool queued;	  /* in the swarm's list of those with output */
	bool wants_write; /* EPOLLOUT is armed */
	bool deflate;	  /* compression was negotiated */
	unsigned pings;	  /* received, and answered */
	struct buf in;	  /* what was half read */
	struct buf out;	  /* what is to be written at the end of the turn */
	STAILQ_ENTRY(peer) dirty;
};

struct peer_events {
	void (*opened)(struct peer *p);						    /* connected, or upgraded */
	void (*text)(struct peer *p, const char *data, size_t len);		    /* WebSocket */
	void (*response)(struct peer *p, int status, const char *body, size_t len); /* HTTP */
	void (*closed)(struct peer *p, const char *reason); /* p stays allocated, its descriptor is gone */
	void (*pinged)(struct peer *p);			    /* may be NULL */
};

struct ws_deflate;

/* All connections of a process. */
struct swarm {
	int epoll;
	struct sockaddr_in server;
	struct in_addr source;	    /* INADDR_ANY: the system's choice */
	const char *prefix;	    /* http.prefix of the server */
	struct ws_deflate *deflate; /* NULL: compression is not offered */
	uint64_t received, sent;    /* bytes, of all connections */
	struct peer_events on;
	STAILQ_HEAD(peer_list, peer) dirty;
};

int swarm_init(struct swarm *s) MUST_CHECK;
/* Writes what is queued, waits up to timeout_us for events, handles them, and writes what they have queued. */
void swarm_turn(struct swarm *s, uint64_t timeout_us);

/* Starts to connect; for PEER_WS with an upgrade that carries the token. 0, or -1 with errno. */
int peer_open(struct swarm *s, struct peer *p, enum peer_kind kind, unsigned user, const char *token) MUST_CHECK;
void peer_send_text(struct swarm *s, struct peer *p, const char *data, size_t len);
void peer_get(struct swarm *s, struct peer *p, const char *path, const char *token);
void peer_post(struct swarm *s, struct peer *p, const char *path, const char *token, const char *body, size_t len);
void peer_close(struct swarm *s, struct peer *p);

#endif
