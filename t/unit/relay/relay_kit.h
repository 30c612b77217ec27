/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Relays with a real MariaDB and a real Redis, in one process. Time is moved by the test alone, but the database's:
 * what has to come is waited for. What relays say is heard by a bus of the test's own.
 */
#ifndef TIDINGS_T_UNIT_RELAY_KIT_H
#define TIDINGS_T_UNIT_RELAY_KIT_H

#include "core/base.h"
#include "relay/relay_priv.h"

#include "bus/bus.h"
#include "net/loop.h"
#include "store/outbox_items.h"

#include "../bus/server.h"
#include "../live/clock_kit.h"
#include "../store/calls.h"
#include "../store/db.h"
#include "../store/proxy.h"
#include "../log_kit.h"
#include "../tap.h"

#define DIRECT(seq) ((5ULL << 28) + (seq)) /* a message of alice and bob */
#define OTHERS(seq) ((6ULL << 28) + (seq)) /* of carol and dave */
#define GROUP_ID GROUP_ID_MIN
#define OF_GROUP(seq) ((GROUP_ID << 28) + (seq))
#define S1 1000ULL
#define S2 2000ULL
#define RELAYS_MAX 3

static struct loop *loop;
static struct conf *conf;
static enum conf_search_backend kit_backend = SEARCH_BACKEND_OFF;
static struct server redis;
static struct relay *relay[RELAYS_MAX]; /* those that live */
static struct bus *ear;
static struct evconnlistener *proxy;

/* ---- what relays say ---- */

static char heard[4 << 20]; /* "topic data|…" */
static size_t heard_len;
static unsigned heard_count, ear_subscribed; /* but BUS_BYE */
static unsigned roll_calls;
static char roll_call[64]; /* the last one */

static void ear_message(struct str topic, struct str data, void *ctx)
{
	const struct str call = STR_LIT("@1-S" ORIGIN_RELAY);
	if (str_is(topic, "all") && data.len > call.len && memcmp(data.s, call.s, call.len) == 0) {
		roll_calls++;
		snprintf(roll_call, sizeof(roll_call), "%.*s", (int)(data.len - call.len), data.s + call.len);
		return;
	}
	if (str_is(topic, "all")) {
		if (!str_is(data, "B" ORIGIN_RELAY))
			ok(false, "nothing on the topic of all but goodbyes and roll calls");
		return;
	}
	heard_count++;
	if (heard_len + topic.len + data.len + 3 < sizeof(heard))
		heard_len += (size_t)sprintf(heard + heard_len, "%.*s %.*s|", (int)topic.len, topic.s, (int)data.len,
					     data.s);
}

static void ear_on_subscribed(struct str topic, void *ctx)
{
	ear_subscribed++;
}

static void ear_up(bool missed, bool lost, void *ctx)
{
}

static void ear_down(const char *reason, void *ctx)
{
}

/* What was heard since the last call. */
static inline const char *hear(void)
{
	static char text[sizeof(heard)];
	memcpy(text, heard, heard_len);
	text[heard_len] = '\0';
	heard_len = heard_count = 0;
	return text;
}

#define CATCH_UP(user) "u:" user " @1+U" ORIGIN_RELAY "|"
#define UNSURE(user) "u:" user " @1+Y" ORIGIN_RELAY "|"
#define UNSURE_GROUP "c:17179869184 @1+Y" ORIGIN_RELAY "|"

/* ---- time ---- */

static inline int64_t real_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void kit_nothing(struct loop_task *t)
{
}

static inline void kit_turn(void)
{
	static struct loop_task task = {.fn = kit_nothing};
	loop_defer(loop, &task);
	loop_turn(loop);
}

#define UNTIL(cond)                                                                                                    \
	do {                                                                                                           \
		int64_t end_ = real_ms() + 60000;                                                                      \
		bool met_;                                                                                             \
		while (!(met_ = (cond)) && real_ms() < end_) {                                                         \
			kit_turn();                                                                                    \
			usleep(100);                                                                                   \
		}                                                                                                      \
		if (!met_)                                                                                             \
			ok(false, "waited in vain at line %d: %s", __LINE__, #cond);                                   \
	} while (0)

/* Nothing is left that comes without time. */
static inline bool kit_quiet(const struct relay *r)
{
	return r == NULL || (r->job == NULL && (link_is_idle(r->link) || !link_is_up(r->link)) &&
			     (r->repair.state != REPAIR_SETTLING || !bus_is_up(r->bus) ||
			      bus_settled(r->bus) >= r->repair.position) &&
			     (r->attendance.step != ATTENDANCE_COUNTING || !bus_is_up(r->bus)));
}

static inline bool all_quiet(void)
{
	bool quiet = true;
	for (int i = 0; i < RELAYS_MAX; i++)
		quiet = quiet && kit_quiet(relay[i]);
	return quiet;
}

static inline void pass(int64_t ms)
{
	for (int64_t end_ms = now_ms + ms; now_ms < end_ms;) {
		wheel_pass(loop_wheel(loop), WHEEL_TICK_MS);
		kit_turn();
		UNTIL(all_quiet());
	}
}

/* Time passes until the condition holds. */
#define PASS_UNTIL(cond)                                                                                               \
	do {                                                                                                           \
		int64_t end_ = real_ms() + 60000;                                                                      \
		while (!(cond) && real_ms() < end_) {                                                                  \
			pass(WHEEL_TICK_MS);                                                                           \
			usleep(100);                                                                                   \
		}                                                                                                      \
		if (!(cond))                                                                                           \
			ok(false, "waited in vain at line %d: %s", __LINE__, #cond);                                   \
	} while (0)

/* What the relays have published so far is heard: Redis hands it out in order. */
static inline void fence(void)
{
	for (int i = 0; i < RELAYS_MAX; i++)
		if (relay[i] != NULL && bus_is_up(relay[i]->bus))
			UNTIL(bus_settled(relay[i]->bus) >= bus_position(relay[i]->bus));
	unsigned before = ear_subscribed;
	static int number;
	char topic[32];
	snprintf(topic, sizeof(topic), "fence-%d", number++);
	bus_subscribe(ear, str_from(topic));
	UNTIL(ear_subscribed > before);
}

/* ---- relays ---- */

static void kit_changed(void *ctx)
{
	(*(unsigned *)ctx)++;
}

static unsigned changes[RELAYS_MAX];

static inline struct relay *relay_begin(int i)
{
	relay[i] = relay_new(loop, conf, kit_changed, &changes[i]);
	UNTIL(link_is_up(relay[i]->link) && bus_is_up(relay[i]->bus));
	return relay[i];
}

/* As a kill does: it gives nothing back. */
static inline void relay_dies(int i)
{
	relay_free(&relay[i]);
}

static inline void relay_goes(int i)
{
	relay_leave(relay[i]);
	UNTIL(relay_has_left(relay[i]));
	relay_free(&relay[i]);
}

static inline bool leads(int i)
{
	return relay_state(relay[i]).leads;
}

static inline void lease_ends(void)
{
	db_sql("UPDATE relay_leases SET ends_at=UTC_TIMESTAMP(3)-INTERVAL 1 SECOND");
}

/* ---- the outbox ---- */

static struct buf items;

static inline void with_id(enum outbox_kind kind, uint64_t id)
{
	outbox_put_id(&items, kind, id);
}

static inline void with_user(const char *user)
{
	outbox_put_user(&items, str_from(user));
}

static inline void put_bytes(uint64_t stream, uint64_t n, const void *data, size_t len)
{
	char *hex = xcalloc(2 * len + 1, 1);
	for (size_t i = 0; i < len; i++)
		sprintf(hex + 2 * i, "%02x", ((const unsigned char *)data)[i]);
	db_sql("INSERT INTO outbox (stream,n,at,items) VALUES (%llu,%llu,UTC_TIMESTAMP(3),X'%s')",
	       (unsigned long long)stream, (unsigned long long)n, hex);
	free(hex);
}

/* A row of what was put together. */
static inline void put_row(uint64_t stream, uint64_t n)
{
	put_bytes(stream, n, items.data != NULL ? items.data : "", items.len);
	buf_clear(&items);
}

/* Rows from first to last, each about the user of its number. */
static inline void put_rows(uint64_t stream, uint64_t first, uint64_t last)
{
	db_sql("INSERT INTO outbox (stream,n,at,items) SELECT %llu,seq,UTC_TIMESTAMP(3),CONCAT('u',CHAR(LENGTH("
	       "CONCAT('user',seq))),'user',seq) FROM seq_%llu_to_%llu",
	       (unsigned long long)stream, (unsigned long long)first, (unsigned long long)last);
}

static inline void told(uint64_t stream, uint64_t n)
{
	db_sql("INSERT INTO outbox_done (consumer,stream,n,at) VALUES ('push',%llu,%llu,UTC_TIMESTAMP(3)) "
	       "ON DUPLICATE KEY UPDATE n=GREATEST(n,VALUES(n)),at=VALUES(at)",
	       (unsigned long long)stream, (unsigned long long)n);
}

static inline long long done(uint64_t stream)
{
	return db_sql("SELECT COALESCE(MAX(n),0) FROM outbox_done WHERE consumer='push' AND stream=%llu",
		      (unsigned long long)stream);
}

static inline void outbox_empty(void)
{
	db_sql("DELETE FROM outbox");
	db_sql("DELETE FROM outbox_done");
}

/* ---- all of it ---- */

static inline void ear_listens(const char *topic)
{
	unsigned before = ear_subscribed;
	bus_subscribe(ear, str_from(topic));
	UNTIL(ear_subscribed > before);
}

static inline void kit_start(void)
{
	static const struct bus_events events = {ear_message, ear_on_subscribed, ear_up, ear_down};
	if (system("command -v redis-server > /dev/null") != 0) {
		printf("1..0 # SKIP no redis-server\n");
		exit(0);
	}
	db_start();
	server_init(&redis);
	server_start(&redis, "");
	log_begin(redis.dir);
	conf = db_conf("tidings");
	db_set(&conf->redis.socket, redis.path);
	db_set(&conf->redis.prefix, "");
	/* The search index is another test's: index.c. */
	conf->search.backend = kit_backend;
	db_migrate(conf);
	db_sql("INSERT INTO conversations (id,user1_id,user2_id,created_at,sort_time) VALUES "
	       "(5,'alice','bob',UTC_TIMESTAMP(3),UTC_TIMESTAMP(3)),"
	       "(6,'carol','dave',UTC_TIMESTAMP(3),UTC_TIMESTAMP(3))");
	loop = loop_new();
	base = loop_base(loop);
	proxy = proxy_new();
	db_set(&conf->mysql.socket, proxy_socket);
	ear = bus_new(base, conf, &events, NULL);
	UNTIL(bus_is_up(ear));
	static const char *const topics[] = {"all",    "u:alice", "u:bob",	   "u:carol",
					     "u:dave", "u:erin",  "c:17179869184", "u:frank"};
	for (size_t i = 0; i < ARRAY_LEN(topics); i++)
		ear_listens(topics[i]);
}

static inline void kit_stop(void)
{
	for (int i = 0; i < RELAYS_MAX; i++)
		relay_free(&relay[i]);
	bus_free(&ear);
	/* The proxy's tunnels see their ends. */
	for (int i = 0; i < 20; i++)
		kit_turn();
	proxy_free(proxy);
	loop_free(&loop);
	conf_free(&conf);
	buf_fini(&items);
	log_end();
	server_fini(&redis);
}

#endif
