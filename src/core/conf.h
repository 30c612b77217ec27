/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration: one struct, one table. conf_table.c holds a row an option
 * (section, name, type, place in struct conf, default, limits, whether a reload
 * takes it up, help text); the parser, the checks, `tidingsd -t`, the sample file
 * conf/tidings.conf and the manual page tidings.conf.5 all come from those rows.
 *
 * The syntax is libconfuse's; conf.c is its only door.
 */
#ifndef TIDINGS_CORE_CONF_H
#define TIDINGS_CORE_CONF_H

#include "core/base.h"
#include "core/log.h"

struct conf_list {
	char **item;
	size_t count;
};

enum conf_session_policy { SESSION_SINGLE, SESSION_DEVICE, SESSION_MULTI };

/* auto: the best one that is built in. */
enum conf_search_backend { SEARCH_BACKEND_AUTO, SEARCH_BACKEND_OFF };

enum conf_registration { REGISTRATION_OPEN, REGISTRATION_CLOSED };

enum conf_jwt_algorithm {
	JWT_HS256,
	JWT_HS384,
	JWT_HS512,
	JWT_RS256,
	JWT_ES256,
	JWT_EDDSA,
};

/* One key of the jwt section: the section's own, which also signs, a `key "KID" { }`, or one out of jwks_file. */
struct conf_jwt_key {
	char *kid;     /* "" for the section's own key */
	int algorithm; /* enum conf_jwt_algorithm */
	char *secret;  /* resolved from secret_file or the key set: secret_len bytes, of any value */
	size_t secret_len;
	char *secret_file;
	char *public_key_file;
	char *public_key; /* PEM: the text of public_key_file, or made from the key set */
};

/* What hooks are called for; conf_hook_event_names has their names. */
enum conf_hook_event {
	HOOK_MESSAGE,
	HOOK_RECALLED,
	HOOK_EDITED,
	HOOK_READ,
	HOOK_REACTION,
	HOOK_GROUP,
	HOOK_FRIEND,
	HOOK_USER,
	HOOK_PRESENCE,
};
#define HOOK_EVENTS (HOOK_PRESENCE + 1)
extern const char *const conf_hook_event_names[HOOK_EVENTS];

/* A `webhook "NAME" { }` of the section relay. */
#define CONF_WEBHOOKS_MAX 16
struct conf_webhook {
	char *name;
	char *url;
	char *secret_file;
	char *secret; /* resolved from secret_file: secret_len bytes, of any value */
	size_t secret_len;
	struct conf_list events;
	unsigned event_mask; /* resolved from it: a bit for each enum conf_hook_event */
	int batch;
};

/* What becomes of a message that before_send has not decided about. */
enum conf_on_failure { ON_FAILURE_ALLOW, ON_FAILURE_REFUSE };

/* Where the options stood in the file, for faults that come to light later; conf_line reads it. */
struct conf_places;

/* Strings are never NULL; "" where not given. Sizes in bytes, times in seconds. */
struct conf {
	char *path; /* the file it came from; "" for built-in defaults */
	struct conf_places *places;
	struct conf_list warnings; /* what the administrator may not expect; see conf_log_warnings */

	char *user;
	char *run_dir;
	int workers; /* resolved: never 0 after loading */
	int writers;
	int worker_connections;
	int worker_unsent;
	char *node_id; /* resolved: never "" after loading */
	struct conf_list listen;
	bool proxy_protocol;
	struct conf_list trusted_proxies;
	int drain_timeout_secs;
	bool accounts;

	struct {
		int registration; /* enum conf_registration */
		int refresh_lifetime_secs;
		bool directory;
		bool erase_messages;
	} account;
	struct {
		int level;  /* enum log_level */
		int format; /* enum log_format */
		char *target;
		char *access;
	} log;
	struct {
		char *listen;
		char *docroot;
		int trace_size; /* of a process's ring; 0: off */
	} admin;
	struct {
		struct conf_list listen;
		char *certificate;
		char *key;
	} tls;
	struct {
		char *host;
		int port;
		char *socket;
		char *user;
		char *password; /* resolved from password_file */
		char *password_file;
		char *database;
		int connections;
	} mysql;
	struct {
		char *host;
		int port;
		char *socket;
		char *password; /* resolved from password_file */
		char *password_file;
		char *prefix;
	} redis;
	struct {
		struct conf_jwt_key own;
		struct conf_jwt_key *keys; /* the titled ones */
		size_t key_count;
		char *jwks_file;
		struct conf_jwt_key *jwks; /* resolved from jwks_file; no kid is among `keys` too */
		size_t jwks_count;
		char *issuer;
		char *audience;
		char *user_claim;
		int leeway_secs;
		int lifetime_secs;
	} jwt;
	struct {
		char *prefix;
		int max_body;
		int header_timeout_secs;
		int body_timeout_secs;
		int keepalive_timeout_secs;
		struct conf_list cors_origins;
		char *docroot;
	} http;
	struct {
		int max_message;
		int ping_interval_secs;
		int idle_timeout_secs;
		int send_queue;
		bool compression;
	} websocket;
	struct {
		int recall_window_secs, edit_window_secs;
		int max_content;
		int keep_days; /* 0: for ever */
	} message;
	struct {
		int keep_days; /* 0: for ever */
	} notifications;
	struct {
		int policy; /* enum conf_session_policy */
		int max;
		bool presence;
	} session;
	struct {
		int max_members;
		int max_per_user;
		int receipts_max;
		int fanout_per_second;
	} groups;
	struct {
		int backend; /* enum conf_search_backend */
	} search;
	struct {
		char *directory; /* "": no media */
		int64_t max_size;
		int64_t quota_per_user; /* 0: none */
		char *url_secret_file;
		char *url_secret; /* resolved from url_secret_file */
		size_t url_secret_len;
		int url_lifetime_secs;
		struct {
			char *endpoint; /* "": files are kept in the directory */
			char *bucket, *region, *access_key, *secret_key_file;
			char *secret_key; /* resolved */
		} s3;
		char *scanner; /* "": none */
		char *base_url;
		int processes;
		char *user;
	} media;
	struct {
		char *webpush_subject, *vapid_key_file;
		char *vapid_key;    /* resolved, as all that is named by file */
		char *vapid_public; /* its public key, as clients are told it; "": no Web Push */
		char *fcm_credentials_file, *fcm_credentials, *fcm_url;
		char *apns_key_file, *apns_key, *apns_key_id, *apns_team_id, *apns_topic, *apns_url;
		char *ca_file; /* "": none */
		bool allow_private;
		struct conf_webhook *webhooks;
		size_t webhook_count;
		struct {
			char *url; /* "": nobody is asked */
			char *secret_file;
			char *secret; /* resolved from it: secret_len bytes, of any value */
			size_t secret_len;
			int timeout_ms;
			int on_failure; /* enum conf_on_failure */
		} before_send;
		bool presence; /* resolved: a webhook is told of it; known also to those who forget the webhooks */
	} relay;
	struct {
		int sends_per_second;
		int burst;
		int requests_per_second;
		int requests_burst;
		int logins_per_minute, connections_per_minute, connections_per_address, sessions_per_second;
		int friend_requests_per_day, uploads_per_day;
	} limits;
};

/* The master's control socket, in run_dir. */
#define CONF_CONTROL_SOCKET "control.sock"
/* Of a node: workers times worker_connections. */
#define CONF_CONNECTIONS_MAX (1 << 24)

/*
 * Reads and checks the file (path NULL: the built-in defaults). Returns NULL with
 * every fault found, one a line as "FILE:LINE: reason", in *err_r, to be freed by
 * the caller. Unknown options and sections are faults. Secrets are read from their
 * files here (a line's end at the end dropped, LF or CR LF) and checked: an HMAC secret under
 * 32 bytes is a fault. A configuration without any secret or key is not a fault
 * here, for tools that need none; see conf_check_server.
 */
struct conf *conf_load(const char *path, char **err_r) MUST_CHECK;
/* What only a server needs: a usable signing or verifying key, files that exist. Faults as above; NULL if none. */
char *conf_check_server(const struct conf *c) MUST_CHECK;
/* The keys of tokens, for a process that needs none; and all other keys, too. */
void conf_forget_token_keys(struct conf *c);
void conf_forget_keys(struct conf *c);
/* What convinces other services that it is us: the relay alone needs it. */
void conf_forget_relay_keys(struct conf *c);
/* The secret of before_send, which workers alone need. */
void conf_forget_before_send(struct conf *c);
/* NULL is allowed; *c becomes NULL. Secrets are wiped. */
void conf_free(struct conf **c);

/*
 * For a reload: gives `next` the values of `running` for the options that only a
 * restart takes up, so that it can be put to use. Returns the names of those that
 * the new file changes ("listen, node_id"), to be freed by the caller; NULL if none.
 */
char *conf_carry_over(struct conf *next, const struct conf *running) MUST_CHECK;
/*
 * Tells of each option whose value differs, in the order of the table: its name, the values as text, "(secret)" for
 * what is one, and whether only a restart takes the new one up. Keys are told of by their kid and algorithm.
 */
typedef void conf_differs_fn(const char *option, const char *from, const char *to, bool needs_restart, void *arg);
void conf_compare(const struct conf *running, const struct conf *next, conf_differs_fn *tell, void *arg);
/* Logs, as warnings, keys of jwks_file that were passed over, and accounts that get no tokens. */
void conf_log_warnings(const struct conf *c);

/* How many connections the workers of a node take, all together; a session needs one. */
int64_t conf_connections_max(const struct conf *c);

/*
 * What a message's content may take in the JSON of a request, where each escape counts as it is written: three quarters
 * of what the narrower door lets in, so that no content is taken by the one and refused by the other.
 */
int conf_content_json_max(const struct conf *c);

/* The line at which the field of c (&c->log.level) was given; 0 if it was not. */
unsigned conf_line(const struct conf *c, const void *field);

const char *conf_jwt_algorithm_name(enum conf_jwt_algorithm a);
bool conf_jwt_algorithm_is_hmac(enum conf_jwt_algorithm a);

#endif
