/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The services that bring a push to a device: what each is asked, and what its answer means. Keeps the keys and the
 * tokens that prove who we are; asks nobody itself.
 */
#ifndef TIDINGS_RELAY_DEVICES_SERVICE_H
#define TIDINGS_RELAY_DEVICES_SERVICE_H

#include "core/base.h"
#include "core/buf.h"
#include "core/conf.h"
#include "core/fcm.h"
#include "core/json.h"
#include "core/webpush.h"
#include "net/fetch.h"
#include "store/device.h"

struct signer;

#define SERVICE_HEADERS_MAX 10
/* How long a service keeps what it cannot bring yet; and how long we try. */
#define SERVICE_TTL_SECS 86400

/* A signature for a browser's service, good for some hours. */
struct vapid_token {
	char *origin, *authorization;
	int64_t until_ms;
};
#define VAPID_TOKENS 64

struct services {
	const struct conf *conf;
	struct json_doc *doc;
	struct json_out *out;
	struct signer *vapid, *apns; /* NULL: nothing is sent there */
	struct vapid_token vapid_token[VAPID_TOKENS];
	char *apns_authorization;
	int64_t apns_until_ms;
	bool has_fcm;
	struct fcm_account fcm;
	char *fcm_authorization; /* NULL: a token is needed first */
	int64_t fcm_until_ms;
	/* Of the request that was made last. */
	struct buf url, body, text;
	char *header[SERVICE_HEADERS_MAX];
	unsigned header_count;
};

void services_init(struct services *s, const struct conf *conf);
void services_fini(struct services *s);
bool services_have(const struct services *s, enum device_platform p);
/* Of any. */
bool services_are_on(const struct services *s);

struct service_push {
	enum device_platform platform;
	struct str token;
	struct webpush_keys keys; /* of Web Push */
	struct str payload;	  /* as devices_text_put() writes it */
};
/*
 * The request, borrowed until the next one; without what to do with the answer. -1: it cannot be made, and never will.
 * services_needs_token() is false.
 */
int services_request(struct services *s, const struct service_push *p, struct fetch_request *request_r) MUST_CHECK;

/* The message that a payload is about; 0: none. */
uint64_t services_message(struct services *s, struct str payload);

/* FCM wants a token of Google's first: what is asked for it, and what was answered. */
bool services_needs_token(const struct services *s, enum device_platform p);
int services_token_request(struct services *s, struct fetch_request *request_r) MUST_CHECK;
int services_take_token(struct services *s, const struct fetch_answer *answer) MUST_CHECK;

enum service_verdict {
	SERVICE_SENT,
	SERVICE_DEAD,	/* the device is not there any more */
	SERVICE_LATER,	/* to be tried again */
	SERVICE_REFUSED /* this push will never be taken */
};
/* Tokens that prove who we are are made anew where the service does not take them. */
enum service_verdict services_judge(struct services *s, enum device_platform p, const struct fetch_answer *answer);

/*
 * Which queue it waits in, 1 to SERVICE_LANES - 1: each service has its own, and the places where browsers may tell us
 * to send are spread over some.
 */
#define SERVICE_LANES 20
unsigned service_lane(enum device_platform p, struct str token);
/* What a lane sends at a time. */
#define SERVICE_ROOM_MAX 128
unsigned service_room(unsigned lane);
/* All lanes together, at least. */
#define SERVICE_ROOM_ALL (SERVICE_LANES * SERVICE_ROOM_MAX)

#endif
