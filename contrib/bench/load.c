/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A load generator for Tidings: sends and receives messages as fast as the server
 * lets it, holds idle connections, opens and closes them, listens with many to a group, or asks for the same
 * again and again. Here: the options and the tokens.
 *
 * Speaks to the server as any client would; users and friendships have to exist.
 */
#include "core/base.h"
#include "load.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char usage[] =
	"usage: load [OPTIONS] --secret-file FILE ws|http|edit|react|idle|open|group|ask\n"
	"  ws    pairs of users online over WebSocket, who send over it\n"
	"  http  the same, sending by POST /messages/send over --in-flight connections\n"
	"  edit, react  each user of the pairs edits its message or reacts to it, --in-flight at a time\n"
	"  idle  open --connections WebSockets and hold them; memory of the --pids groups\n"
	"  open  open WebSockets as fast as the server lets it, --in-flight at a time; the newest "
	"--connections stay\n"
	"  group --connections members of --group online, --senders of them send; when has the last one each message?\n"
	"  ask   --connections keep-alive connections of --user-count users, of which each asks for the next --path "
	"once it "
	"is answered\n"
	"  -a, --address HOST:PORT    of the server (127.0.0.1:8080); for group up to 8 times\n"
	"  -s, --secret-file FILE     of jwt, for HS256 tokens\n"
	"  -x, --prefix PATH          http.prefix\n"
	"  -u, --users NAME           users are NAME0, NAME1, ...; pairs are friends (bench)\n"
	"  -P, --pairs N              (200)\n"
	"  -K, --in-flight N          sends or handshakes without an answer yet, over all users (128)\n"
	"  -b, --bytes N              of a text (100)\n"
	"  -D, --delivered MS         recipients report messages as delivered, every MS milliseconds for a "
	"conversation; 0: each message\n"
	"  -z, --deflate              compressed WebSockets, where the server has them\n"
	"  -w, --warm-up SECONDS      (2)\n"
	"  -d, --duration SECONDS     measured, or held idle (10)\n"
	"  -n, --connections N        idle, open or online ones (15000)\n"
	"  -N, --user-count N         users who open in turn (any number)\n"
	"  -g, --group ID             whose members are NAME0, NAME1, ...\n"
	"  -S, --senders N            (1)\n"
	"  -R, --rate N               messages a second of all senders (group: 20). ws, http: sent at fixed times, "
	"answered or not;\n"
	"                             latencies count from these times. --in-flight connections for http\n"
	"  -m, --per-process N        of them; further processes, each from an address of its own, "
	"hold the rest (14000)\n"
	"  -t, --path PATH            up to 256 times\n"
	"  -B, --body FILE            it is posted to the path\n"
	"  -p, --pids NAME=PID,...    tell what these processes used; up to 8 times\n";

static const struct option long_options[] = {
	{"address", required_argument, NULL, 'a'},
	{"secret-file", required_argument, NULL, 's'},
	{"prefix", required_argument, NULL, 'x'},
	{"users", required_argument, NULL, 'u'},
	{"pairs", required_argument, NULL, 'P'},
	{"in-flight", required_argument, NULL, 'K'},
	{"bytes", required_argument, NULL, 'b'},
	{"delivered", required_argument, NULL, 'D'},
	{"deflate", no_argument, NULL, 'z'},
	{"warm-up", required_argument, NULL, 'w'},
	{"duration", required_argument, NULL, 'd'},
	{"connections", required_argument, NULL, 'n'},
	{"per-process", required_argument, NULL, 'm'},
	{"user-count", required_argument, NULL, 'N'},
	{"group", required_argument, NULL, 'g'},
	{"senders", required_argument, NULL, 'S'},
	{"rate", required_argument, NULL, 'R'},
	{"path", required_argument, NULL, 't'},
	{"body", required_argument, NULL, 'B'},
	{"pids", required_argument, NULL, 'p'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static void NORETURN die(const char *what, const char *which)
{
	fprintf(stderr, "load: %s: %s\n", what, which);
	exit(2);
}

static unsigned number(const char *text, unsigned min, unsigned max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (*text == '\0' || *end != '\0' || n < min || n > max)
		die("number out of range", text);
	return n;
}

static double seconds(const char *text)
{
	char *end;
	double n = strtod(text, &end);
	if (*text == '\0' || *end != '\0' || !(n >= 0 && n <= 86400))
		die("not a number of seconds", text);
	return n;
}

static struct sockaddr_in address(char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	char *colon = strrchr(text, ':');
	if (colon == NULL)
		die("HOST:PORT expected", text);
	*colon = '\0';
	a.sin_port = htons(number(colon + 1, 1, 65535));
	if (inet_pton(AF_INET, text, &a.sin_addr) != 1)
		die("not an IPv4 address", text);
	return a;
}

static void read_secret(struct options *o, const char *path)
{
	FILE *f = fopen(path, "r");
	if (f == NULL)
		die("cannot open", path);
	o->secret_len = fread(o->secret, 1, sizeof(o->secret), f);
	fclose(f);
	if (o->secret_len > 0 && o->secret[o->secret_len - 1] == '\n')
		o->secret_len--;
	if (o->secret_len < 32)
		die("secret under 32 bytes", path);
}

static void read_body(struct options *o, const char *path)
{
	char part[4096];
	size_t n;
	FILE *f = fopen(path, "r");
	if (f == NULL)
		die("cannot open", path);
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_append(&o->body, part, n);
	fclose(f);
}

static void append_base64url(struct buf *b, const void *data, size_t len)
{
	char text[1024];
	int n;

	if (len > 512)
		die("too long", "token");
	n = EVP_EncodeBlock((unsigned char *)text, data, len);
	for (int i = 0; i < n && text[i] != '='; i++)
		buf_append_char(b, text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
}

char *token_make(const struct options *o, unsigned user)
{
	static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned mac_len;
	struct buf b = {0};
	char payload[256];
	int64_t now = time(NULL);
	int n = snprintf(payload, sizeof(payload), "{\"sub\":\"%s%u\",\"iat\":%lld,\"exp\":%lld}", o->user_prefix, user,
			 (long long)now, (long long)now + 86400);

	append_base64url(&b, header, sizeof(header) - 1);
	buf_append_char(&b, '.');
	append_base64url(&b, payload, n);
	HMAC(EVP_sha256(), o->secret, o->secret_len, (unsigned char *)b.data, b.len, mac, &mac_len);
	buf_append_char(&b, '.');
	append_base64url(&b, mac, mac_len);
	buf_cstr(&b);
	return b.data;
}

static void set_option(struct options *o, int opt)
{
	switch (opt) {
	case 'a':
		if (o->servers == ARRAY_LEN(o->server))
			die("too many addresses", optarg);
		o->server[o->servers++] = address(optarg);
		break;
	case 's':
		read_secret(o, optarg);
		break;
	case 'x':
		o->prefix = optarg;
		break;
	case 'u':
		if (strlen(optarg) > 48)
			die("too long", optarg);
		o->user_prefix = optarg;
		break;
	case 'P':
		o->pairs = number(optarg, 1, 9000);
		break;
	case 'K':
		o->in_flight = number(optarg, 1, 100000);
		break;
	case 'b':
		o->bytes = number(optarg, 16, 4096);
		break;
	case 'D':
		o->delivered_ms = (int)number(optarg, 0, 3600000);
		break;
	case 'z':
		o->deflate = true;
		break;
	case 'w':
		o->warmup_secs = seconds(optarg);
		break;
	case 'd':
		o->duration_secs = seconds(optarg);
		break;
	case 'n':
		o->connections = number(optarg, 1, 10000000);
		break;
	case 'm':
		o->per_process = number(optarg, 1, 10000000);
		break;
	case 'N':
		o->users = number(optarg, 1, 10000000);
		break;
	case 'g':
		o->conversation_id = strtoull(optarg, NULL, 10);
		break;
	case 'S':
		o->senders = number(optarg, 1, 10000);
		break;
	case 'R':
		o->rate = number(optarg, 1, 100000);
		break;
	case 't':
		if (o->paths == ARRAY_LEN(o->path))
			die("too many paths", optarg);
		o->path[o->paths++] = optarg;
		break;
	case 'B':
		read_body(o, optarg);
		break;
	case 'p':
		if (o->groups == ARRAY_LEN(o->group) || procs_parse(&o->group[o->groups++], optarg) != 0)
			die("NAME=PID,... expected", optarg);
		break;
	case 'h':
		fputs(usage, stdout);
		exit(0);
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct options o = {
		.server = {{.sin_family = AF_INET, .sin_port = htons(8080), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}},
		.prefix = "",
		.user_prefix = "bench",
		.pairs = 200,
		.in_flight = 128,
		.bytes = 100,
		.delivered_ms = -1,
		.warmup_secs = 2,
		.duration_secs = 10,
		.connections = 15000,
		.per_process = 14000, /* half of the ports: the kernel finds the other half after a long search */
		.users = 10000000,
		.senders = 1,
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "a:s:x:u:P:K:b:D:zw:d:n:m:N:g:S:R:t:B:p:h", long_options, NULL)) != -1)
		set_option(&o, opt);
	o.servers += o.servers == 0;
	if (optind != argc - 1 || o.secret_len == 0) {
		fputs(usage, stderr);
		return 2;
	}
	if (strcmp(argv[optind], "ws") == 0)
		return run_traffic(&o, PEER_WS);
	if (strcmp(argv[optind], "http") == 0)
		return run_traffic(&o, PEER_HTTP);
	if (strcmp(argv[optind], "edit") == 0 || strcmp(argv[optind], "react") == 0)
		return run_change(&o, argv[optind][0] == 'r');
	if (strcmp(argv[optind], "idle") == 0)
		return run_idle(&o);
	if (strcmp(argv[optind], "open") == 0)
		return run_open(&o);
	if (strcmp(argv[optind], "group") == 0)
		return run_group(&o);
	if (strcmp(argv[optind], "ask") == 0)
		return run_ask(&o);
	die("unknown mode", argv[optind]);
}
