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

/*
 * name, key for tidingsctl, Prometheus family without tidings_ and _total ("": what it tells is in another family),
 * label of that family or "", help. Rows of one family stand together and share their help.
 */
#define STATS_COUNTERS(X)                                                                                              \
	X(ACCEPTED, "connections_accepted", "connections_accepted", "", "Connections taken over by workers")           \
	X(CLOSED, "connections_closed", "connections_closed", "", "Connections closed")                                \
	X(CLOSED_SLOW, "connections_too_slow", "connections_too_slow", "rule=\"rate\"", STATS_HELP_SLOW)               \
	X(CLOSED_UNSENT, "connections_unsent_closed", "connections_too_slow", "rule=\"memory\"", STATS_HELP_SLOW)      \
	X(REQUESTS, "http_requests", "", "", "")                                                                       \
	X(REQUESTS_4XX, "http_requests_4xx", "", "", "")                                                               \
	X(REQUESTS_5XX, "http_requests_5xx", "", "", "")                                                               \
	X(FRAMES_IN, "websocket_messages_received", "websocket_messages_received", "", "WebSocket messages received")  \
	X(FRAMES_OUT, "websocket_messages_sent", "websocket_messages_sent", "",                                        \
	  "WebSocket messages queued to clients")                                                                      \
	X(SENDS_HTTP, "sends_http", "sends", "door=\"http\"", STATS_HELP_SENDS)                                        \
	X(SENDS_WEBSOCKET, "sends_websocket", "sends", "door=\"websocket\"", STATS_HELP_SENDS)                         \
	X(ACKS_HTTP, "acks_http", "acks", "door=\"http\"", STATS_HELP_ACKS)                                            \
	X(ACKS_WEBSOCKET, "acks_websocket", "acks", "door=\"websocket\"", STATS_HELP_ACKS)                             \
	X(SENDS, "messages_stored", "messages_stored", "", "Messages stored")                                          \
	X(REPLAYS, "messages_replayed", "messages_replayed", "",                                                       \
	  "Sends answered from an earlier one with the same client_msg_id")                                            \
	X(PUSHES, "events_pushed", "events_pushed", "", "Events given to sessions")                                    \
	X(BUS_OUT, "bus_published", "bus_published", "", "Events published to the bus")                                \
	X(BUS_IN, "bus_received", "bus_received", "", "Events received from the bus")                                  \
	X(BUS_LOST, "bus_lost", "bus_lost", "", "Events that could not be published")                                  \
	X(BATCHES, "store_batches", "", "", "")                                                                        \
	X(BATCH_OPS, "store_batch_operations", "", "", "")                                                             \
	X(BATCH_RETRIES, "store_batch_retries", "store_batch_retries", "",                                             \
	  "Transactions run again after a deadlock or a lost link")                                                    \
	X(BATCH_GUESSES, "store_batches_guessed", "store_batches_guessed", "result=\"right\"", STATS_HELP_GUESSES)     \
	X(BATCH_GUESSES_WRONG, "store_batches_guessed_wrong", "store_batches_guessed", "result=\"wrong\"",             \
	  STATS_HELP_GUESSES)                                                                                          \
	X(RELAY_REPAIRS, "relay_repairs", "relay_repairs", "",                                                         \
	  "Transactions whose events the relay has replaced by telling sessions to catch up")                          \
	X(MESSAGES_TOO_OLD, "messages_too_old", "messages_too_old", "",                                                \
	  "Messages deleted because they were older than message.keep_days")                                           \
	X(NOTIFICATIONS_TOO_OLD, "notifications_too_old", "notifications_too_old", "",                                 \
	  "Notifications deleted because they were older than notifications.keep_days")                                \
	X(HOOK_DELIVERED, "webhook_events", "webhook_events", "result=\"delivered\"", STATS_HELP_HOOKS)                \
	X(HOOK_LOST, "webhook_events_lost", "webhook_events", "result=\"lost\"", STATS_HELP_HOOKS)                     \
	X(HOOK_FAILED, "webhook_failures", "webhook_failures", "", "Requests to webhooks that did not succeed")        \
	X(BEFORE_SEND_ASKED, "before_send_asked", "before_send_asked", "",                                             \
	  "Messages and edits that before_send was asked about")                                                       \
	X(BEFORE_SEND_REFUSED, "before_send_refused", "before_send", "result=\"refused\"", STATS_HELP_BEFORE_SEND)     \
	X(BEFORE_SEND_REPLACED, "before_send_replaced", "before_send", "result=\"replaced\"", STATS_HELP_BEFORE_SEND)  \
	X(BEFORE_SEND_FAILED, "before_send_failed", "before_send", "result=\"failed\"", STATS_HELP_BEFORE_SEND)        \
	X(BEFORE_SEND_UNASKED, "before_send_unasked", "before_send", "result=\"unasked\"", STATS_HELP_BEFORE_SEND)     \
	X(PUSHES_SENT, "pushes_sent", "pushes", "result=\"sent\"", STATS_HELP_PUSHES)                                  \
	X(PUSHES_RETRIED, "pushes_retried", "pushes", "result=\"retried\"", STATS_HELP_PUSHES)                         \
	X(PUSHES_FAILED, "pushes_failed", "pushes", "result=\"failed\"", STATS_HELP_PUSHES)                            \
	X(DEVICES_REMOVED, "devices_removed", "pushes", "result=\"device_gone\"", STATS_HELP_PUSHES)                   \
	X(SESSIONS_OPENED, "sessions_opened", "sessions_opened", "", "WebSocket sessions opened")                      \
	X(SESSIONS_KICKED, "sessions_kicked", "sessions_kicked", "", "WebSocket sessions closed with 4001")            \
	X(SESSIONS_FULL, "sessions_refused", "sessions_refused", "", "WebSocket sessions refused for want of room")    \
	X(CONNECTIONS_REFUSED, "connections_refused", "connections_refused", "",                                       \
	  "Connections refused because their address opened, or has, too many")                                        \
	X(PASSWORDS, "passwords_hashed", "passwords_hashed", "", "Passwords hashed, to be stored or compared")         \
	X(ACCESS_LOST, "access_log_lost", "access_log_lost", "", "Lines of the access log that could not be written")  \
	X(INSPECTED, "files_inspected", "files_inspected", "result=\"ok\"", STATS_HELP_INSPECTED)                      \
	X(INSPECT_REFUSED, "files_refused", "files_inspected", "result=\"refused\"", STATS_HELP_INSPECTED)             \
	X(INSPECT_UNAVAILABLE, "files_not_inspected", "files_inspected", "result=\"unavailable\"",                     \
	  STATS_HELP_INSPECTED)                                                                                        \
	X(LOG_LOST, "log_lost", "log_lost", "", "Lines of the event log that could not be written in time")
#define STATS_HELP_BEFORE_SEND                                                                                         \
	"Messages that before_send did not simply allow: refused, replaced, not answered in a way that can be used, "  \
	"or "                                                                                                          \
	"not asked about because it fails or has too many"
#define STATS_HELP_HOOKS                                                                                               \
	"Events that webhooks have taken, and, counted by transactions, those that were given up after three days"
#define STATS_HELP_INSPECTED "Files given to the media process: read, refused for what is in them, or not read"
#define STATS_HELP_SLOW                                                                                                \
	"Connections closed because their clients read too slowly, or held most of what all clients did not read"
#define STATS_HELP_GUESSES "Transactions tried in one round trip; wrong ones are run again in two"
#define STATS_HELP_PUSHES                                                                                              \
	"Pushes to devices that a service has answered, or has not: tried again, given up, device not known any more"
#define STATS_HELP_SENDS "Sends that were well formed"
#define STATS_HELP_ACKS "Sends acknowledged, those answered from an earlier one included"

/* name, Prometheus family without tidings_, help, how many of its units one unit of the family is. */
#define STATS_GAUGES(X)                                                                                                \
	X(UNSENT, "unsent_bytes", "Memory of output that clients have not read yet", 1)                                \
	X(RECEIVING, "receiving_bytes", "Memory of bodies and WebSocket messages that are not whole yet", 1)           \
	X(PUSHES_WAITING, "pushes_waiting", "Pushes to devices that wait, those that are to be decided included", 1)   \
	X(GROUP_QUEUE, "group_queue_bytes", "Events of groups that were not given to all members yet", 1)              \
	X(RETENTION, "retention_running", "1 while what is older than keep_days is looked for and deleted", 1)         \
	X(RETENTION_AT, "retention_conversation",                                                                      \
	  "The conversation that the search for old messages has come to; 0: none", 1)                                 \
	X(HOOK_LAG, "webhook_lag_seconds", "How long the oldest event has waited that a webhook has not taken", 1e3)

/*
 * name, Prometheus family without tidings_, help, how many of its units one unit of the family is, how many bounds
 * are told.
 */
#define STATS_HISTOGRAMS(X)                                                                                            \
	X(COMMIT, "commit_seconds", "From the start of a transaction to its commit", 1e6, STAT_BUCKETS - 1)            \
	X(BATCH, "batch_operations", "Operations in a transaction of the write lane", 1, 9)                            \
	X(BUS_LAG, "bus_lag_seconds", "From publishing a heartbeat to its return through Redis", 1e6,                  \
	  STAT_BUCKETS - 1)                                                                                            \
	X(EXPIRY_LAG, "expiry_lag_seconds", "From the time at which a message expires to its recall", 1e6,             \
	  STAT_BUCKETS - 1)                                                                                            \
	X(BEFORE_SEND, "before_send_seconds",                                                                          \
	  "From a question to before_send to its answer, or to the end of its time", 1e6, STAT_BUCKETS - 1)            \
	X(INSPECT, "inspect_seconds", "From the end of an upload to the media process' answer", 1e6, STAT_BUCKETS - 1) \
	X(REQUEST, "http_request_seconds", "From the first byte of a request to its answer", 1e6, STAT_BUCKETS - 1)

#define X(name, key, family, label, help) STAT_##name,
enum stat_counter { STATS_COUNTERS(X) STAT_COUNTERS };
#undef X
#define X(name, family, help, unit) STAT_##name,
enum stat_gauge { STATS_GAUGES(X) STAT_GAUGES };
#undef X
#define X(name, family, help, unit, bounds) STAT_HIST_##name,
enum stat_histogram { STATS_HISTOGRAMS(X) STAT_HISTOGRAMS };
#undef X

/* Cumulative, as Prometheus has it: bucket i counts the values up to 2^i, the last one all. */
#define STAT_BUCKETS 26

/* Tables, for what is counted by something that this folder does not know: its caller numbers and names it. */
#define STAT_ROUTES 128
#define STAT_REASONS 40
/* The statuses of answers, each with a place of its own; a strange one is counted as the last of them. */
#define STATS_STATUSES                                                                                                 \
	{                                                                                                              \
		101, 200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 416, 417, 426,    \
			429, 431, 501, 503, 505, 500                                                                   \
	}
#define STAT_STATUSES 26
extern const int stat_statuses[STAT_STATUSES];

/*
 * Which row this process adds to: a worker's, writer's, relay's or media process's slot, or hub_slots() for the
 * master's own. Before the first call additions are dropped.
 */
void stats_attach(struct hub *h, unsigned slot);
void stat_add(enum stat_counter c, uint64_t n);
/* What this process has now; a worker that died has nothing. */
void stat_set(enum stat_gauge g, uint64_t value);
/* In the histogram's own unit: microseconds, or operations. */
void stat_observe(enum stat_histogram hist, uint64_t value);
/* route < STAT_ROUTES */
void stat_answered(unsigned route, int status);
/* reason < STAT_REASONS */
void stat_refused(unsigned reason);

/* What one slot's processes have counted, and all of them. */
uint64_t stats_of(const struct hub *h, unsigned slot, enum stat_counter c);
uint64_t stats_sum(const struct hub *h, enum stat_counter c);
uint64_t stats_gauge(const struct hub *h, enum stat_gauge g);
/* of stat_statuses[status] */
uint64_t stats_answered(const struct hub *h, unsigned route, unsigned status);
uint64_t stats_refused(const struct hub *h, unsigned reason);
struct stat_sum {
	uint64_t bucket[STAT_BUCKETS];
	uint64_t count;
	uint64_t total;
};
void stats_histogram(const struct hub *h, enum stat_histogram hist, struct stat_sum *out);

/* What is known of a counter or histogram before it counts anything. */
struct stat_counter_info {
	const char *key, *family, *label, *help;
};
struct stat_histogram_info {
	const char *family, *help;
	double unit;
	unsigned bounds;
};
struct stat_gauge_info {
	const char *family, *help;
	double unit;
};
extern const struct stat_counter_info stat_counters[STAT_COUNTERS];
extern const struct stat_gauge_info stat_gauges[STAT_GAUGES];
extern const struct stat_histogram_info stat_histograms[STAT_HISTOGRAMS];
const char *stat_counter_name(enum stat_counter c); /* its key */

#endif
