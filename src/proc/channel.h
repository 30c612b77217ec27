/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the master and one worker or writer: a SOCK_SEQPACKET pair. One way go orders, and sockets with them
 * (SCM_RIGHTS, unix(7)); the other way the process reports what it has taken and can take. Nobody ever waits on it.
 */
#ifndef TIDINGS_PROC_CHANNEL_H
#define TIDINGS_PROC_CHANNEL_H

#include "core/base.h"
#include "core/id.h"
#include "net/addr.h"

enum order_kind {
	ORDER_SOCKET,	  /* take this connection */
	ORDER_DRAIN,	  /* say goodbye within deadline_ms, then leave */
	ORDER_QUIT,	  /* leave at once */
	ORDER_LOG,	  /* the event log was opened again; with it goes its file, if it is one */
	ORDER_ACCESS_LOG, /* the same, of the access log */
	ORDER_KICK,	  /* end the sessions of `user` */
	ORDER_LOST,	  /* another worker of this node, `name`, has died */
	ORDER_GROUP,  /* add `user` to the group, or remove them; the answer goes to the descriptor, a line of JSON */
	ORDER_WRITER, /* to a worker: a socket to writer `number`, in place of the one before */
	ORDER_WORKER, /* to a writer: a socket to another worker */
};

struct order {
	enum order_kind kind;
	int door;		    /* enum im_door; ORDER_SOCKET */
	unsigned number;	    /* ORDER_WRITER */
	int64_t deadline_ms;	    /* ORDER_DRAIN */
	struct addr peer;	    /* ORDER_SOCKET */
	char user[USER_ID_MAX + 1]; /* ORDER_KICK, ORDER_GROUP */
	char name[WORKER_NAME_LEN]; /* ORDER_LOST */
	uint64_t group_id;	    /* ORDER_GROUP */
	bool removes, bans;
};

/*
 * What a worker says of itself: when its state changes, when it has taken sockets (before it reads from them), and soon
 * after one has closed. The master passes a limited number of sockets before it hears of them, so reports
 * always find room.
 */
struct report {
	uint64_t taken;	      /* sockets, since it started */
	uint32_t connections; /* of the public listeners */
	uint32_t admin_connections;
	uint32_t state;		  /* enum worker_state */
	uint32_t writers_taken;	  /* sockets to writers, since it started */
	uint64_t writers_missing; /* a bit for each that it has none to now, 1 for number 0 */
	/* of a media process, which does not see the hub and reports each second */
	uint32_t jobs; /* under way */
	uint32_t resident_kib, private_kib;
	uint64_t jobs_done;
};

/* Both ends close-on-exec and non-blocking. */
int channel_pair(int pair[2]) MUST_CHECK;
/* fd: the connection to pass, or -1. 0; -1 with errno (EAGAIN: the worker is behind). The caller keeps its fd. */
int channel_send(int channel, const struct order *order, int fd) MUST_CHECK;
/* The worker's way. */
int channel_report(int channel, const struct report *report) MUST_CHECK;
/* The master's: 1: a report; 0: nothing there; -1: the other end is gone, or what it says is none. */
int channel_receive_report(int channel, struct report *report_r) MUST_CHECK;
/* 1: an order, *fd_r is -1 (also where this process may open no more) or ours now; 0: nothing there; -1: the other end
 * is gone. */
int channel_receive(int channel, struct order *order_r, int *fd_r) MUST_CHECK;

#endif
