/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters and histograms, named in one list each. Every worker adds to its own
 * row without locks, the reader sums the rows; a worker's successor in the slot goes on adding to the
 * same row, so sums never fall.
 */
#ifndef TIDINGS_HUB_STATS_H
#define TIDINGS_HUB_STATS_H

#include "core/base.h"
#include "hub/hub.h"

/* name, Prometheus name without tidings_ and _total, help */
#define STATS_COUNTERS(X)                                                                                              \
	X(ACCEPTED, "connections_accepted", "Connections taken over by workers")                                       \
	X(CLOSED, "connections_closed", "Connections closed")                                                          \
	X(REQUESTS, "http_requests", "HTTP requests answered")                                                         \
	X(REQUESTS_4XX, "http_requests_4xx", "HTTP requests answered with a 4xx status")                               \
	X(REQUESTS_5XX, "http_requests_5xx", "HTTP requests answered with a 5xx status")                               \
	X(FRAMES_IN, "websocket_messages_received", "WebSocket messages received")                                     \
	X(FRAMES_OUT, "websocket_messages_sent", "WebSocket messages queued to clients")                               \
	X(SENDS, "messages_stored", "Messages stored")                                                                 \
	X(REPLAYS, "messages_replayed", "Sends answered from an earlier one with the same client_msg_id")              \
	X(PUSHES, "events_pushed", "Events given to sessions")                                                         \
	X(BUS_OUT, "bus_published", "Events published to the bus")                                                     \
	X(BUS_IN, "bus_received", "Events received from the bus")                                                      \
	X(BUS_LOST, "bus_lost", "Events that could not be published")                                                  \
	X(BATCHES, "store_batches", "Transactions committed by the write lane")                                        \
	X(BATCH_OPS, "store_batch_operations", "Operations in those transactions")                                     \
	X(BATCH_RETRIES, "store_batch_retries", "Transactions run again after a deadlock or a lost link")              \
	X(REFUSED_OVERLOAD, "refused_overloaded", "Operations refused because a queue was full")                       \
	X(REFUSED_UNAVAILABLE, "refused_unavailable", "Operations refused because the database was away")              \
	X(REFUSED_RATE, "refused_rate_limited", "Operations refused by a rate limit")                                  \
	X(REFUSED_FULL, "refused_hub_full", "Sessions refused because the presence table was full")                    \
	X(SESSIONS_OPENED, "sessions_opened", "WebSocket sessions opened")                                             \
	X(SESSIONS_KICKED, "sessions_kicked", "WebSocket sessions closed with 4001")                                   \
	X(PASSWORDS, "passwords_hashed", "Passwords hashed, to be stored or compared")                                 \
	X(TOKENS_REFUSED, "tokens_refused", "Requests with a bad or expired token")

/* name, Prometheus name without tidings_, help; observed in microseconds unless the name says otherwise */
#define STATS_HISTOGRAMS(X)                                                                                            \
	X(COMMIT, "commit_seconds", "From the start of a transaction to its commit")                                   \
	X(REQUEST, "http_request_seconds", "From the first byte of a request to its answer")

#define X(name, prom, help) STAT_##name,
enum stat_counter { STATS_COUNTERS(X) STAT_COUNTERS };
#undef X
#define X(name, prom, help) STAT_HIST_##name,
enum stat_histogram { STATS_HISTOGRAMS(X) STAT_HISTOGRAMS };
#undef X

/* Cumulative, as Prometheus has it: bucket i counts the values up to 2^i us, the last one all. */
#define STAT_BUCKETS 26

/*
 * Which row this process adds to: a worker's slot, or hub_worker_slots() for the master's own. Before the first call
 * additions are dropped.
 */
void stats_attach(struct hub *h, unsigned slot);
void stat_add(enum stat_counter c, uint64_t n);
void stat_observe(enum stat_histogram hist, uint64_t usecs);

uint64_t stats_sum(const struct hub *h, enum stat_counter c);
struct stat_sum {
	uint64_t bucket[STAT_BUCKETS];
	uint64_t count;
	uint64_t total_usecs;
};
void stats_histogram(const struct hub *h, enum stat_histogram hist, struct stat_sum *out);
const char *stat_counter_name(enum stat_counter c);
const char *stat_counter_help(enum stat_counter c);
const char *stat_histogram_name(enum stat_histogram hist);
const char *stat_histogram_help(enum stat_histogram hist);

#endif
