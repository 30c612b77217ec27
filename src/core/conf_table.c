/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The option table: everything that is true of one option stands in its row and
 * nowhere else. The parser, the checks, the sample file and the manual page read
 * it; after changing a row run `make docs`.
 */
#include "core/base.h"
#include "core/conf_table.h"

#include <limits.h>

#define AT(field) offsetof(struct conf, field)
#define AT_KEY(field) offsetof(struct conf_jwt_key, field)
#define AT_HOOK(field) offsetof(struct conf_webhook, field)

#define HOUR 3600
#define DAY 86400
#define MIB 1048576

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
	NULL,
};

static const char *const format_names[] = {
	[LOG_FORMAT_TEXT] = "text",
	[LOG_FORMAT_JSON] = "json",
	NULL,
};

static const char *const registration_names[] = {
	[REGISTRATION_OPEN] = "open",
	[REGISTRATION_CLOSED] = "closed",
	NULL,
};

static const char *const policy_names[] = {
	[SESSION_SINGLE] = "single",
	[SESSION_DEVICE] = "device",
	[SESSION_MULTI] = "multi",
	NULL,
};

static const char *const on_failure_names[] = {
	[ON_FAILURE_ALLOW] = "allow",
	[ON_FAILURE_REFUSE] = "refuse",
	NULL,
};

static const char *const search_names[] = {
	[SEARCH_BACKEND_AUTO] = "auto",
	[SEARCH_BACKEND_OFF] = "off",
	NULL,
};

static const char *const algorithm_names[] = {
	[JWT_HS256] = "HS256",
	[JWT_HS384] = "HS384",
	[JWT_HS512] = "HS512",
	[JWT_RS256] = "RS256",
	[JWT_ES256] = "ES256",
	[JWT_EDDSA] = "EdDSA",
	NULL,
};

const char *const conf_hook_event_names[HOOK_EVENTS] = {
	[HOOK_MESSAGE] = "message", [HOOK_RECALLED] = "recalled", [HOOK_EDITED] = "edited",
	[HOOK_READ] = "read",	    [HOOK_REACTION] = "reaction", [HOOK_GROUP] = "group",
	[HOOK_FRIEND] = "friend",   [HOOK_USER] = "user",	  [HOOK_PRESENCE] = "presence",
};

const struct conf_titled_kind conf_titled_kinds[CONF_TITLED] = {
	[TITLED_KEY] = {"key", "jwt", "a kid belongs before the brace: key \"KID\" { ... }", conf_check_kid},
	[TITLED_WEBHOOK] = {"webhook", "relay", "a name belongs before the brace: webhook \"NAME\" { ... }",
			    conf_check_hook_name, CONF_WEBHOOKS_MAX},
};

const struct conf_section conf_sections[] = {
	{"", "Options of the whole node."},
	{"account", "The accounts that this server keeps, if accounts is true."},
	{"log", "The event log."},
	{"admin", "Health, metrics and administration."},
	{"tls", "Encrypted listeners."},
	{"mysql", "The database, MariaDB or MySQL. It holds everything that lasts."},
	{"redis", "Redis carries events between workers and nodes. It holds nothing that lasts."},
	{"jwt", "How clients prove who they are: JSON Web Tokens, whose algorithm is pinned here."},
	{"http", "HTTP connections."},
	{"websocket", "WebSocket connections."},
	{"message", "Messages."},
	{"notifications", "Notifications."},
	{"session", "Sessions: the open WebSockets of a user."},
	{"groups", "Groups. The same on all nodes of a cluster."},
	{"search", "Searching messages. The same on all nodes of a cluster."},
	{"media", "Files that users upload. The same on all nodes of a cluster."},
	{"s3",
	 "A service that speaks Amazon's S3, where complete files are kept then; they are received in media.directory "
	 "all the same.",
	 "media"},
	{"relay", "What is told to other servers and services, and pushed to the devices of users who have no session: "
		  "a background "
		  "process, one in the cluster, does it. The same on all nodes of a cluster."},
	{"before_send",
	 "A server that is asked about each message before it is stored. The workers ask it. The same on all nodes of "
	 "a "
	 "cluster.",
	 "relay"},
	{"limits", "Limits of a node, shared by its workers."},
};
const size_t conf_section_count = ARRAY_LEN(conf_sections);

/* clang-format off */
const struct conf_row conf_rows[] = {
	{"", "user", CONF_STRING, AT(user), .def = "", .check = conf_check_plain, .change = CONF_RESTART,
	 .help = "The system user that workers and writers become once the sockets are bound. "
		 "Empty: they stay what they were started as."},
	{"", "run_dir", CONF_PATH, AT(run_dir), .def = "/run/tidings", .required = true, .change = CONF_RESTART,
	 .help = "The directory of the control socket that tidingsctl talks to, and of admin.trace_size's files."},
	{"", "workers", CONF_INT, AT(workers), .def = "0", .min = 0, .max = 1024,
	 .help = "How many worker processes serve clients. 0: one a processor core."},
	{"", "writers", CONF_INT, AT(writers), .def = "1", .min = 1, .max = 64,
	 .help = "How many processes write messages to the database. The workers hand them what is sent, read, recalled "
		 "and deleted, so that many workers share large transactions. A second one pays only with many "
		 "processor cores: where a writer takes a core for itself."},
	{"", "worker_connections", CONF_INT, AT(worker_connections), .def = "16384", .min = 1, .max = MIB,
	 .change = CONF_RESTART,
	 .help = "How many connections a worker takes. Its limit of open files is raised to fit."},
	{"", "worker_unsent", CONF_BYTES, AT(worker_unsent), .def = "134217728", .min = MIB, .max = 1024L * MIB,
	 .help = "How much memory a worker's answers and messages may take while its clients have not read them, all "
		 "connections together. Beyond it the connections that hold most and read least are closed. However "
		 "much there is, a client that has output waiting and reads less than 1024 bytes a second, on average "
		 "over 30 seconds, loses its connection."},
	{"", "node_id", CONF_STRING, AT(node_id), .def = "", .check = conf_check_node_id, .change = CONF_RESTART,
	 .help = "The name of this node, unique in the cluster: up to 64 letters, digits, dots, underscores and "
		 "hyphens. Empty: the host name."},
	{"", "listen", CONF_LIST, AT(listen), .def = "127.0.0.1:8080", .check = conf_check_listen,
	 .change = CONF_RESTART,
	 .help = "Where clients connect, any number of addresses: \"127.0.0.1:8080\", \"[::]:8080\", "
		 "\"*:8080\" for any address of both families, \"unix:/path\"."},
	{"", "proxy_protocol", CONF_BOOL, AT(proxy_protocol), .def = "false",
	 .help = "Whether every connection to listen and tls.listen begins with a PROXY header, version 1 or 2, that "
		 "tells the client's address."},
	{"", "trusted_proxies", CONF_LIST, AT(trusted_proxies), .def = "127.0.0.1/32", .check = conf_check_network,
	 .help = "The addresses of the load balancers that may send a PROXY header; with proxy_protocol, "
		 "connections from elsewhere are closed."},
	{"", "drain_timeout", CONF_SECS, AT(drain_timeout_secs), .def = "30", .min = 0, .max = DAY,
	 .help = "How long a leaving worker spreads the goodbyes to its clients over."},
	{"", "accounts", CONF_BOOL, AT(accounts), .def = "true",
	 .help = "Whether this server registers users and logs them in. Otherwise another system fills the "
		 "table of users and signs the tokens."},

	{"account", "registration", CONF_ENUM, AT(account.registration), .def = "open", .names = registration_names,
	 .help = "Who can make an account. open: anybody; closed: only the administrator, with tidingsctl user add."},
	{"account", "directory", CONF_BOOL, AT(account.directory), .def = "true",
	 .help = "Users can be found by others, by the beginning of their id or a part of their nickname (GET /users)."},
	{"account", "erase_messages", CONF_BOOL, AT(account.erase_messages), .def = "false",
	 .help = "What an erased user has sent is recalled. Otherwise it stays in the histories of others. What was set when "
		 "the user was erased counts."},
	{"account", "refresh_lifetime", CONF_SECS, AT(account.refresh_lifetime_secs), .def = "2592000", .min = 1,
	 .max = 3650L * DAY,
	 .help = "How long a login lasts after its last use: its refresh token is valid for so long. (30 days)"},

	{"log", "level", CONF_ENUM, AT(log.level), .def = "info", .names = level_names,
	 .help = "The least severe kind of event that is logged. error: somebody should act; warn: something was "
		 "refused or repaired; info: the life of processes and links; debug: single connections."},
	{"log", "format", CONF_ENUM, AT(log.format), .def = "text", .names = format_names,
	 .help = "A line of text, or a JSON object a line."},
	{"log", "target", CONF_STRING, AT(log.target), .def = "stderr", .required = true,
	 .check = conf_check_log_target,
	 .help = "Where events go: stderr, syslog, or a file, which is opened again at the signal USR1. "
		 "A daemon (-D) needs one of the latter two."},
	{"log", "access", CONF_PATH, AT(log.access), .def = "",
	 .help = "A file with a line for each request: client address, method, path without query, status, "
		 "bytes, milliseconds, request id. Its format is that of the event log, and USR1 opens it again too. "
		 "Empty: off."},

	{"admin", "listen", CONF_STRING, AT(admin.listen), .def = "127.0.0.1:8081", .check = conf_check_listen,
	 .change = CONF_RESTART,
	 .help = "The address that answers /healthz, /readyz, /metrics and administrators (/admin), and nothing that "
		 "users ask for. Empty: none."},
	{"admin", "docroot", CONF_PATH, AT(admin.docroot), .def = "",
	 .help = "A directory of files that admin.listen serves beside these: the operator's page, which make install "
		 "puts into share/tidings/admin. Empty: none."},
	{"admin", "trace_size", CONF_BYTES, AT(admin.trace_size), .def = "8388608", .min = 0, .max = 1024L * MIB,
	 .help = "How much each worker and each relay keeps, in run_dir, of what became of messages, for GET "
		 "/admin/messages/{id}/trace: 32 bytes a message pushed to a session, so that 8 MiB reach back 52 seconds "
		 "at 5000 pushes a second and worker, and a day at 3. 0: nothing; the least is 64 KiB."},

	{"tls", "listen", CONF_LIST, AT(tls.listen), .def = "", .check = conf_check_listen, .change = CONF_RESTART,
	 .help = "Addresses where clients connect through TLS, 1.2 or 1.3, written as in listen."},
	{"tls", "certificate", CONF_PATH, AT(tls.certificate), .def = "",
	 .help = "The file of the certificate chain, in PEM."},
	{"tls", "key", CONF_PATH, AT(tls.key), .def = "",
	 .help = "The file of the certificate's private key, in PEM."},

	{"mysql", "host", CONF_STRING, AT(mysql.host), .def = "127.0.0.1", .check = conf_check_host,
	 .required = true,
	 .help = "The server's address or name. A name is looked up for each connection, in /etc/hosts and by DNS, and "
		 "all its addresses are tried, so that it may move to another server."},
	{"mysql", "port", CONF_INT, AT(mysql.port), .def = "3306", .min = 1, .max = 65535,
	 .help = "The server's TCP port."},
	{"mysql", "socket", CONF_PATH, AT(mysql.socket), .def = "",
	 .help = "The server's UNIX socket. If given, host and port do not count."},
	{"mysql", "user", CONF_STRING, AT(mysql.user), .def = "tidings", .required = true,
	 .help = "The database user."},
	{"mysql", "password", CONF_STRING, AT(mysql.password), .def = "", .secret = true,
	 .help = "The database user's password. Better in a file of its own: password_file."},
	{"mysql", "password_file", CONF_PATH, AT(mysql.password_file), .def = "",
	 .help = "A file that holds the password. A line feed at its end, or CR LF, is not part of it."},
	{"mysql", "database", CONF_STRING, AT(mysql.database), .def = "tidings", .check = conf_check_plain,
	 .required = true, .help = "The database; tidingsctl migrate makes its tables."},
	{"mysql", "connections", CONF_INT, AT(mysql.connections), .def = "4", .min = 1, .max = 64,
	 .help = "How many connections each worker has for messages: one writes, the others read, one at least. "
		 "One more serves users, friends and notifications, and one searches."},

	{"redis", "host", CONF_STRING, AT(redis.host), .def = "127.0.0.1", .check = conf_check_host,
	 .required = true, .help = "The server's address or name, as in the section mysql."},
	{"redis", "port", CONF_INT, AT(redis.port), .def = "6379", .min = 1, .max = 65535,
	 .help = "The server's TCP port."},
	{"redis", "socket", CONF_PATH, AT(redis.socket), .def = "",
	 .help = "The server's UNIX socket. If given, host and port do not count."},
	{"redis", "password", CONF_STRING, AT(redis.password), .def = "", .secret = true,
	 .help = "The password, where the server wants one. Better in a file of its own: password_file."},
	{"redis", "password_file", CONF_PATH, AT(redis.password_file), .def = "",
	 .help = "A file that holds the password. A line feed at its end, or CR LF, is not part of it."},
	{"redis", "prefix", CONF_STRING, AT(redis.prefix), .def = "tidings:", .check = conf_check_plain,
	 .change = CONF_RESTART,
	 .help = "What the names of all channels begin with. The same on all nodes of a cluster, and another for "
		 "each cluster on the same Redis."},

	{"jwt", "algorithm", CONF_ENUM, AT(jwt.own.algorithm), .def = "HS256", .names = algorithm_names,
	 .help = "The only algorithm that tokens without a kid may be signed with."},
	{"jwt", "secret", CONF_STRING, AT(jwt.own.secret), .def = "", .secret = true,
	 .help = "The secret of HS256, HS384 or HS512, 32 bytes or more. Better in a file of its own: secret_file."},
	{"jwt", "secret_file", CONF_PATH, AT(jwt.own.secret_file), .def = "",
	 .help = "A file that holds the secret. A line feed at its end, or CR LF, is not part of it."},
	{"jwt", "public_key_file", CONF_PATH, AT(jwt.own.public_key_file), .def = "",
	 .help = "A file with the public key of RS256, ES256 or EdDSA, in PEM. Such a key verifies tokens but "
		 "does not sign them."},
	{"jwt", "jwks_file", CONF_PATH, AT(jwt.jwks_file), .def = "",
	 .help = "A file with a JSON Web Key Set (RFC 7517), as identity providers publish them: more keys to verify "
		 "with, each chosen by its kid. It is read again with the configuration, so that new keys are taken "
		 "up by a HUP. RSA keys are for RS256, those of the curve P-256 for ES256, of Ed25519 for EdDSA, and "
		 "oct for the HMAC that their alg names, or HS256. Keys with another use than sig, or with key_ops "
		 "without verify, are passed over, and so are, with a warning, those of a kty, crv or alg that this "
		 "server does not have. A malformed key, or a kid that is there twice, is a fault."},
	{"jwt", "issuer", CONF_STRING, AT(jwt.issuer), .def = "",
	 .help = "What a token's iss has to be. Empty: not checked."},
	{"jwt", "audience", CONF_STRING, AT(jwt.audience), .def = "",
	 .help = "What a token's aud has to be or to contain. Empty: not checked."},
	{"jwt", "user_claim", CONF_STRING, AT(jwt.user_claim), .def = "sub", .required = true,
	 .help = "The claim that holds the user id."},
	{"jwt", "leeway", CONF_SECS, AT(jwt.leeway_secs), .def = "30", .min = 0, .max = HOUR,
	 .help = "By how much the clocks of the issuer and of this server may differ when exp and nbf are checked."},
	{"jwt", "lifetime", CONF_SECS, AT(jwt.lifetime_secs), .def = "3600", .min = 1, .max = 3650L * DAY,
	 .help = "How long the tokens that this server signs are valid. Clients get new ones by their refresh token."},

	{"key", "algorithm", CONF_ENUM, AT_KEY(algorithm), .def = "HS256", .names = algorithm_names,
	 .help = "The only algorithm that tokens with this kid may be signed with."},
	{"key", "secret", CONF_STRING, AT_KEY(secret), .def = "", .secret = true,
	 .help = "As in the section jwt."},
	{"key", "secret_file", CONF_PATH, AT_KEY(secret_file), .def = "", .help = "As in the section jwt."},
	{"key", "public_key_file", CONF_PATH, AT_KEY(public_key_file), .def = "",
	 .help = "As in the section jwt."},

	{"http", "prefix", CONF_STRING, AT(http.prefix), .def = "", .check = conf_check_url_prefix,
	 .help = "What all paths begin with, as in \"/api/v1\"."},
	{"http", "max_body", CONF_BYTES, AT(http.max_body), .def = "65536", .min = 1, .max = 16 * MIB,
	 .help = "The largest body of a request."},
	{"http", "header_timeout", CONF_SECS, AT(http.header_timeout_secs), .def = "10", .min = 1, .max = HOUR,
	 .help = "How long a client may take to send a request's line and headers."},
	{"http", "body_timeout", CONF_SECS, AT(http.body_timeout_secs), .def = "30", .min = 1, .max = HOUR,
	 .help = "How long a client may take to send a request's body, or a WebSocket message, from its first byte to its "
		 "last."},
	{"http", "keepalive_timeout", CONF_SECS, AT(http.keepalive_timeout_secs), .def = "75", .min = 1, .max = DAY,
	 .help = "How long a connection may wait for the next request."},
	{"http", "cors_origins", CONF_LIST, AT(http.cors_origins), .def = "", .check = conf_check_origin,
	 .help = "The origins whose pages may use this server, as in \"https://chat.example.org\"; compared byte "
		 "by byte with what the browser sends, which is in lower case and without a scheme's usual port."},
	{"http", "docroot", CONF_PATH, AT(http.docroot), .def = "",
	 .help = "A directory of files that are served under paths that nothing else answers. Empty: none."},

	{"websocket", "max_message", CONF_BYTES, AT(websocket.max_message), .def = "65536", .min = 1,
	 .max = 16 * MIB, .help = "The largest message a client may send."},
	{"websocket", "ping_interval", CONF_SECS, AT(websocket.ping_interval_secs), .def = "30", .min = 1,
	 .max = HOUR, .help = "How often the server pings."},
	{"websocket", "idle_timeout", CONF_SECS, AT(websocket.idle_timeout_secs), .def = "75", .min = 1, .max = DAY,
	 .help = "After how long without a byte from the client the connection is closed. More than "
		 "ping_interval."},
	{"websocket", "send_queue", CONF_BYTES, AT(websocket.send_queue), .def = "262144", .min = 1024,
	 .max = 64 * MIB,
	 .help = "How much may wait for a client that reads slowly, before the connection is closed."},
	{"websocket", "compression", CONF_BOOL, AT(websocket.compression), .def = "false",
	 .help = "Whether messages are compressed for clients that offer it (permessage-deflate), as browsers do. That "
		 "costs processor time and spares bandwidth; max_message bounds a message as it is once unpacked."},

	{"message", "recall_window", CONF_SECS, AT(message.recall_window_secs), .def = "120", .min = 0,
	 .max = 366L * DAY, .help = "For how long its sender can recall a message."},
	{"message", "edit_window", CONF_SECS, AT(message.edit_window_secs), .def = "172800", .min = 0,
	 .max = 366L * DAY, .help = "For how long its sender can edit a message; 0: not at all."},
	{"message", "max_content", CONF_BYTES, AT(message.max_content), .def = "16384", .min = 1, .max = 65535,
	 .help = "The longest text of a message, in bytes of UTF-8. In a request's JSON, where a control character is an "
		 "escape of six bytes, it may take three quarters of the smaller one of http.max_body and "
		 "websocket.max_message: that way both take the same texts."},
	{"message", "keep_days", CONF_INT, AT(message.keep_days), .def = "0", .min = 0, .max = 36500,
	 .help = "For how many days messages are kept; 0: for ever. Older ones are deleted for everybody, with their reactions, "
		 "pins and files, in the background: within a minute after the start, and then every hour. The same on all "
		 "nodes of a cluster."},

	{"notifications", "keep_days", CONF_INT, AT(notifications.keep_days), .def = "90", .min = 0, .max = 36500,
	 .help = "For how many days notifications are kept, read or not; 0: for ever. Older ones are deleted as messages are. "
		 "The same on all nodes of a cluster."},

	{"session", "policy", CONF_ENUM, AT(session.policy), .def = "multi", .names = policy_names,
	 .help = "Who stays when a user logs in again. single: the newest session; device: the newest of each "
		 "device class; multi: the newest max. The same on all nodes of a cluster."},
	{"session", "max", CONF_INT, AT(session.max), .def = "8", .min = 1, .max = 64,
	 .help = "How many sessions a user may have where policy is multi."},
	{"session", "presence", CONF_BOOL, AT(session.presence), .def = "true",
	 .help = "Whether friends can see who is online."},

	{"groups", "max_members", CONF_INT, AT(groups.max_members), .def = "10000", .min = 1, .max = 10000,
	 .help = "How many members a group may have."},
	{"groups", "max_per_user", CONF_INT, AT(groups.max_per_user), .def = "2000", .min = 1, .max = 10000,
	 .help = "How many groups a user may be in. Dissolved ones do not count, but a user may keep no more than as many again. "
		 "The more groups, the more a user's list costs the database."},
	{"groups", "receipts_max", CONF_INT, AT(groups.receipts_max), .def = "200", .min = 0, .max = 10000,
	 .help = "The largest group in which all members are told who has read what and who is typing."},
	{"groups", "fanout_per_second", CONF_INT, AT(groups.fanout_per_second), .def = "200000", .min = 0, .max = 100L * MIB,
	 .help = "How many messages to groups the node gives to its sessions a second; a message counts once for each "
		 "member who is online there. Those above are answered 429 with Retry-After. 0: any number."},

	{"search", "backend", CONF_ENUM, AT(search.backend), .def = "auto", .names = search_names,
	 .help = "How messages are found. auto: by an index in the database's own tables, which the relay writes in the "
		 "background. off: there is no search and no index; with auto again it is made anew."},

	{"media", "directory", CONF_PATH, AT(media.directory), .def = "", .change = CONF_RESTART,
	 .help = "Where uploaded files are kept. All nodes of a cluster need the same files: a shared file system. Empty: "
		 "nothing can be uploaded, and there is no media process."},
	{"media", "max_size", CONF_SIZE, AT(media.max_size), .def = "104857600", .min = 1024, .max = 1024L * 1024 * MIB,
	 .help = "The largest file."},
	{"media", "quota_per_user", CONF_SIZE, AT(media.quota_per_user), .def = "0", .min = 0, .max = 1024L * 1024 * MIB,
	 .help = "How much a user's files may take, all together. 0: any number."},
	{"media", "url_secret_file", CONF_PATH, AT(media.url_secret_file), .def = "",
	 .help = "A file that holds the secret, of at least 32 bytes, that the URLs of files are signed with; the same on all "
		 "nodes. Whoever knows it can read any file whose id they know. A line feed at its end, or CR LF, is not part of "
		 "it. Empty: a secret that is made of jwt.secret."},
	{"media", "url_lifetime", CONF_SECS, AT(media.url_lifetime_secs), .def = "3600", .min = 1, .max = 3650L * DAY,
	 .help = "How long a URL that was given out works, at least; up to an eighth longer, so that it stays the same for a "
		 "while and can be cached."},
	{"media", "base_url", CONF_STRING, AT(media.base_url), .def = "", .check = conf_check_base_url,
	 .help = "What URLs of files begin with, where a proxy or another host name serves them: "
		 "\"https://media.example.org\". Empty: they are paths on this server."},
	{"media", "scanner", CONF_STRING, AT(media.scanner), .def = "", .check = conf_check_scanner,
	 .help = "Who is asked about each uploaded file before it is taken: clamd at its socket, \"unix:/run/clamav/clamd.ctl\" or "
		 "\"127.0.0.1:3310\", or a program, \"/usr/local/bin/check\", that reads the file from its standard input and ends with "
		 "0 if it may pass, with 1 if not. While it cannot be asked, uploads are answered 503. Empty: nobody."},
	{"media", "processes", CONF_INT, AT(media.processes), .def = "2", .min = 1, .max = 64,
	 .help = "How many files are looked at at once. Each takes a processor for up to 15 seconds, and up to 768 MiB of "
		 "memory."},
	{"media", "user", CONF_STRING, AT(media.user), .def = "", .check = conf_check_plain,
	 .help = "The system user that reads uploaded files to find out what they are, where the server is started as root. "
		 "One that owns nothing and runs nothing else is safest. Empty: the user of the option user."},

	{"s3", "endpoint", CONF_STRING, AT(media.s3.endpoint), .def = "", .check = conf_check_base_url,
	 .help = "The service, as in \"https://s3.eu-central-1.amazonaws.com\"; clients are sent there, too. A bucket is named in the "
		 "path. Empty: files are kept in media.directory."},
	{"s3", "bucket", CONF_STRING, AT(media.s3.bucket), .def = "", .check = conf_check_bucket,
	 .help = "The bucket. Nothing else should be in it, and nobody else read it."},
	{"s3", "region", CONF_STRING, AT(media.s3.region), .def = "us-east-1", .check = conf_check_plain,
	 .help = "The region that requests are signed for."},
	{"s3", "access_key", CONF_STRING, AT(media.s3.access_key), .def = "", .check = conf_check_plain,
	 .help = "The id of the key that they are signed with."},
	{"s3", "secret_key_file", CONF_PATH, AT(media.s3.secret_key_file), .def = "",
	 .help = "A file that holds the key. A line feed at its end, or CR LF, is not part of it."},

	{"relay", "webpush_subject", CONF_STRING, AT(relay.webpush_subject), .def = "", .check = conf_check_contact,
	 .help = "Whom the services of browsers can ask about the pushes of this server, as in \"mailto:ops@example.org\" or "
		 "\"https://example.org/contact\". Needed with vapid_key_file."},
	{"relay", "vapid_key_file", CONF_PATH, AT(relay.vapid_key_file), .def = "",
	 .help = "A file with the private key of the curve P-256, in PEM, that pushes to browsers are signed with (VAPID): "
		 "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256. Browsers subscribe to its public key: with "
		 "another key all have to subscribe anew. Empty: no Web Push."},
	{"relay", "fcm_credentials_file", CONF_PATH, AT(relay.fcm_credentials_file), .def = "",
	 .help = "The JSON file of a service account that may send by Firebase Cloud Messaging, as Google's console makes it. "
		 "Empty: nothing is sent to Android devices."},
	{"relay", "apns_key_file", CONF_PATH, AT(relay.apns_key_file), .def = "",
	 .help = "The file of a key for Apple's push service, in PEM (AuthKey_....p8). Empty: nothing is sent to Apple's "
		 "devices."},
	{"relay", "apns_key_id", CONF_STRING, AT(relay.apns_key_id), .def = "", .check = conf_check_plain,
	 .help = "The id of that key: ten letters and digits."},
	{"relay", "apns_team_id", CONF_STRING, AT(relay.apns_team_id), .def = "", .check = conf_check_plain,
	 .help = "The id of the team that it belongs to."},
	{"relay", "apns_topic", CONF_STRING, AT(relay.apns_topic), .def = "", .check = conf_check_plain,
	 .help = "The bundle id of the app."},
	{"relay", "fcm_url", CONF_STRING, AT(relay.fcm_url), .def = "https://fcm.googleapis.com", .required = true,
	 .check = conf_check_base_url, .help = "Where messages for Firebase Cloud Messaging are sent."},
	{"relay", "apns_url", CONF_STRING, AT(relay.apns_url), .def = "https://api.push.apple.com", .required = true,
	 .check = conf_check_base_url,
	 .help = "Where pushes for Apple's devices are sent; those of an app under development go to "
		 "https://api.sandbox.push.apple.com."},
	{"relay", "ca_file", CONF_PATH, AT(relay.ca_file), .def = "",
	 .help = "A file of certificates, in PEM, of authorities that are trusted beside the system's where other servers "
		 "are called. Empty: none."},
	{"relay", "allow_private", CONF_BOOL, AT(relay.allow_private), .def = "false",
	 .help = "Whether other servers may be called at addresses that are not public, and on this host by http as well. "
		 "Otherwise they are called by https at public addresses alone, so that nobody can have this server call one "
		 "that only it can reach."},

	{"webhook", "url", CONF_STRING, AT_HOOK(url), .def = "", .check = conf_check_call_url,
	 .help = "Where its events are sent to, by POST. Redirects are not followed."},
	{"webhook", "secret_file", CONF_PATH, AT_HOOK(secret_file), .def = "",
	 .help = "A file that holds the secret, of at least 32 bytes, that what is sent is signed with. A line feed at its "
		 "end, or CR LF, is not part of it."},
	{"webhook", "events", CONF_LIST, AT_HOOK(events), .def = "message", .check = conf_check_hook_event,
	 .help = "What is sent: message, recalled, edited, read, reaction, group, friend, user, presence. presence needs "
		 "session.presence, and costs a row in the database whenever a user comes or goes."},
	{"webhook", "batch", CONF_INT, AT_HOOK(batch), .def = "1", .min = 1, .max = 1000,
	 .help = "How many events a request has at most. With 1 its body is the event; with more it is an array of those "
		 "that are there, also where there is only one."},

	{"before_send", "url", CONF_STRING, AT(relay.before_send.url), .def = "", .check = conf_check_call_url,
	 .help = "Where the message is sent to, by POST. Redirects are not followed. Empty: nobody is asked."},
	{"before_send", "secret_file", CONF_PATH, AT(relay.before_send.secret_file), .def = "",
	 .help = "A file that holds the secret, of at least 32 bytes, that what is sent is signed with. A line feed at its "
		 "end, or CR LF, is not part of it."},
	{"before_send", "timeout_ms", CONF_INT, AT(relay.before_send.timeout_ms), .def = "500", .min = 10, .max = 10000,
	 .help = "How many milliseconds an answer may take. A message waits for it, and so do those that the same WebSocket sends "
		 "after it."},
	{"before_send", "on_failure", CONF_ENUM, AT(relay.before_send.on_failure), .def = "allow", .names = on_failure_names,
	 .help = "What becomes of a message where there is no answer in time, or none that can be used: it is stored (allow), or "
		 "answered 503 (refuse)."},

	{"limits", "sends_per_second", CONF_INT, AT(limits.sends_per_second), .def = "50", .min = 0, .max = MIB,
	 .help = "How many messages a user may send a second, on average, edits, reactions and pins included; and as many changes of "
		 "friends and blocks. 0: any number."},
	{"limits", "burst", CONF_INT, AT(limits.burst), .def = "200", .min = 1, .max = MIB,
	 .help = "How many messages a user may send at once after a pause."},
	{"limits", "requests_per_second", CONF_INT, AT(limits.requests_per_second), .def = "50", .min = 0, .max = MIB,
	 .help = "How many other requests a user may make a second, on average, by HTTP and WebSocket together. Those "
		 "above are answered 429 with Retry-After. Messages and notifications that are sent do not count; a "
		 "search, of messages, of users or among the members of a group, counts as ten. For every 150 of them a user may make a group and "
		 "change what all members are shown of one, and for every 500 join and leave one group. An address may have "
		 "as many pictures of stickers read, which need no token, unless it is one of trusted_proxies. 0: any number."},
	{"limits", "requests_burst", CONF_INT, AT(limits.requests_burst), .def = "500", .min = 1, .max = MIB,
	 .help = "How many other requests a user may make at once after a pause. Two in five of them may make a group, or "
		 "change what all members are shown of one; three in fifty may join and leave one group."},
	{"limits", "connections_per_minute", CONF_INT, AT(limits.connections_per_minute), .def = "0", .min = 0,
	 .max = MIB,
	 .help = "How many connections an address may open a minute; those above are closed at once. 0: any number."},
	{"limits", "connections_per_address", CONF_INT, AT(limits.connections_per_address), .def = "2048", .min = 0,
	 .max = MIB,
	 .help = "How many connections an address (of IPv6 a /64) may have to the node at a time; a request on one above "
		 "them is answered 503, or the connection closed. With proxy_protocol it is the client's address that "
		 "counts. UNIX sockets and admin.listen have no such limit. 0: any number."},
	{"limits", "sessions_per_second", CONF_INT, AT(limits.sessions_per_second), .def = "5000", .min = 0, .max = MIB,
	 .help = "How many WebSocket sessions the node begins a second; four seconds' worth may come at once, and those "
		 "above are answered 503 with Retry-After, so that a storm of reconnects is spread. Before that is looked at, "
		 "an address may begin a quarter of them, unless it is in trusted_proxies, and a user 5 a second and 100 at "
		 "once; those above are answered 429. 0: any number."},
	{"limits", "logins_per_minute", CONF_INT, AT(limits.logins_per_minute), .def = "30", .min = 0, .max = MIB,
	 .help = "How many registrations and logins may be tried a minute from an address; how often a login may be "
		 "renewed, and a user's password be changed. An address may bring ten times as many refresh tokens that "
		 "are none. A user may fail to log in ten times as often, from all addresses together; beyond that each address has a tenth of its tries for this user, so that a "
		 "right password is still heard. 0: any number."},
	{"limits", "friend_requests_per_day", CONF_INT, AT(limits.friend_requests_per_day), .def = "50", .min = 0,
	 .max = MIB,
	 .help = "How many friend requests a user may send a day, on all nodes together. All of them may be sent at once; "
		 "each can be sent again after a day divided by this number. A request that is pending already and one "
		 "that crosses another do not count. 0: any number."},
	{"limits", "uploads_per_day", CONF_INT, AT(limits.uploads_per_day), .def = "500", .min = 0, .max = MIB,
	 .help = "How many files a user may begin to upload a day, on all nodes together. All of them may come at once; each "
		 "can come again after a day divided by this number. 0: any number."},
};
/* clang-format on */
const size_t conf_row_count = ARRAY_LEN(conf_rows);

const struct conf_row *conf_row_find(struct str section, struct str name)
{
	for (size_t i = 0; i < conf_row_count; i++) {
		if (str_is(section, conf_rows[i].section) && str_is(name, conf_rows[i].name))
			return &conf_rows[i];
	}
	return NULL;
}

enum conf_titled conf_titled_find(struct str within, struct str section)
{
	for (int i = 0; i < CONF_TITLED; i++)
		if (str_is(within, conf_titled_kinds[i].within) && str_is(section, conf_titled_kinds[i].section))
			return (enum conf_titled)i;
	return TITLED_NONE;
}

enum conf_titled conf_row_titled(const struct conf_row *row)
{
	for (int i = 0; i < CONF_TITLED; i++)
		if (strcmp(row->section, conf_titled_kinds[i].section) == 0)
			return (enum conf_titled)i;
	return TITLED_NONE;
}

bool conf_section_exists(struct str outer, struct str name)
{
	for (size_t i = 0; i < conf_section_count; i++) {
		const char *within = conf_sections[i].within != NULL ? conf_sections[i].within : "";
		if (name.len > 0 && str_is(name, conf_sections[i].name) && str_is(outer, within))
			return true;
	}
	return false;
}

const char *conf_jwt_algorithm_name(enum conf_jwt_algorithm a)
{
	return algorithm_names[a];
}

bool conf_jwt_algorithm_is_hmac(enum conf_jwt_algorithm a)
{
	return a == JWT_HS256 || a == JWT_HS384 || a == JWT_HS512;
}
