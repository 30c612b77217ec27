/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts a worker's parts together, and takes them apart: start, drain, end. */
#include "core/base.h"
#include "im/im_priv.h"

#include "api/api.h"
#include "api/audit.h"
#include "api/event.h"
#include "api/frame.h"
#include "api/http_door.h"
#include "api/observe.h"
#include "api/render.h"
#include "cmd/before_send.h"
#include "cmd/cmd.h"
#include "cmd/erasure.h"
#include "cmd/expiry.h"
#include "cmd/forward.h"
#include "cmd/operator.h"
#include "cmd/picture_cache.h"
#include "core/clock.h"
#include "core/log.h"
#include "hub/tickets.h"
#include "live/beat.h"
#include "live/live.h"
#include "live/look.h"
#include "live/push.h"
#include "live/session.h"
#include "live/watch.h"
#include "media/upload.h"
#include "net/backlog.h"
#include "net/tls.h"
#include "net/work.h"

#include <stdlib.h>
#include <unistd.h>

/* Goodbyes a second, so that a node's clients do not all come back at one moment. */
#define GOODBYES_PER_SECOND 2000
#define GOODBYE_STEP_MS 50
/* So close to the deadline nothing is waited for. */
#define PATIENCE_MS 1000
/*
 * An idle HTTP connection may have a request on its way, so it gets so long, or half of the time, for one that is
 * answered with Connection: close. After as long an idleness its end is what keep-alive clients expect anyway.
 */
#define LAST_REQUEST_MS 2000
/* Passwords that wait to be hashed: some seconds of work. */
#define PASSWORDS_WAITING_MAX 64

/* ---- TLS ---- */

static void take_ticket_key(const struct ticket_key *key, struct tls_ticket_key *out)
{
	memcpy(out->name, key->name, sizeof(out->name));
	memcpy(out->aes, key->aes, sizeof(out->aes));
	memcpy(out->hmac, key->hmac, sizeof(out->hmac));
}

static void newest_ticket_key(struct tls_ticket_key *out, void *ctx)
{
	struct ticket_key key;
	ticket_key_newest(ctx, clock_mono_ms(), &key);
	take_ticket_key(&key, out);
}

static bool find_ticket_key(const unsigned char *name, struct tls_ticket_key *out, bool *newest_r, void *ctx)
{
	struct ticket_key key;
	if (!ticket_key_find(ctx, name, clock_mono_ms(), &key, newest_r))
		return false;
	take_ticket_key(&key, out);
	return true;
}

static const struct tls_tickets tickets = {.newest = newest_ticket_key, .find = find_ticket_key};

int im_tls_new(const struct conf *conf, struct hub *hub, struct tls_server **tls_r, char **err_r)
{
	*tls_r = NULL;
	if (conf->tls.listen.count == 0)
		return 0;
	*tls_r = tls_server_new(conf, &tickets, hub, err_r);
	return *tls_r != NULL ? 0 : -1;
}

/* ---- the whole ---- */

char *im_fault(const struct conf *conf)
{
	char *reason = NULL;
	struct token_keys *keys = token_keys_new(conf, &reason);
	token_keys_free(&keys);
	if (reason == NULL && conf->tls.listen.count != 0)
		reason = tls_fault(conf);
	return reason;
}

struct im *im_new(const struct im_options *opt, char **err_r)
{
	struct token_keys *keys = token_keys_new(opt->conf, err_r);
	if (keys == NULL)
		return NULL;

	struct im *im = xcalloc(1, sizeof(*im));
	struct live *live = &im->live;
	struct api *api = &im->api;
	im->tls = opt->tls;
	live_init(live, opt->loop, opt->conf, opt->hub, opt->slot, opt->name);
	live->received = frame_received;
	live->received_ctx = api;
	live->conversation_event = event_conversation;
	api->live = live;
	api->commands = &cmd_table;
	api->changed = opt->changed;
	api->changed_ctx = opt->ctx;
	api->keys = keys;
	api->accounts = opt->conf->accounts && opt->conf->jwt.own.secret_len > 0;
	api->search = opt->conf->search.backend != SEARCH_BACKEND_OFF;
	api->directory = opt->conf->account.directory;
	api->doc = json_doc_new();
	forwards_init(api);
	api->before_send = before_send_new(api);
	backlog_set_budget(loop_backlog(live->loop), (size_t)live->conf->worker_unsent);
	live->store = store_new_with_writers(loop_base(live->loop), live->conf, &observe_store, api);
	live->bus = bus_new(loop_base(live->loop), live->conf, &push_bus_events, live);
	api->http = http_server_new(live->loop, live->conf, &http_door, &door_observer, api);
	if (live->conf->proxy_protocol)
		http_server_expect_proxy(api->http);
	render_set_prefix(opt->conf->http.prefix);
	api->media_urls = media_urls_of(opt->conf);
	if (opt->conf->media.directory[0] != '\0') {
		render_set_media_urls(&api->media_urls);
		api->uploads = uploads_new(live->loop, opt->conf, opt->mailbox);
		api->media_facts = picture_cache_new();
	}
	api->pictures = picture_cache_new();
	api->work = work_new(live->loop, PASSWORDS_WAITING_MAX);
	api->admin = http_server_new(live->loop, live->conf, &admin_door, &admin_observer, api);
	looks_init(live);
	beat_start(live);
	told_start(live);
	revoked_start(live);
	tracing_start(live);
	im->expiry = expiry_start(live);
	im->erasure = erasure_start(live);
	return im;
}

void im_free(struct im **imp)
{
	struct im *im = *imp;
	if (im == NULL)
		return;
	*imp = NULL;
	bool in_doubt = store_pending(im->live.store) != 0;
	wheel_cancel(&im->drain);
	expiry_stop(im->expiry);
	erasure_stop(im->erasure);
	resync_fini(&im->live);
	revoked_stop(&im->live);
	/*
	 * Requests end before what they are made of: the store answers them, the servers drop the answers. Who asks the
	 * bus has had the store's answer, and comes first: that may let another request go on to the store.
	 */
	online_fini(&im->live);
	tracing_fini(&im->live);
	deliveries_fini(&im->live);
	before_send_stop(im->api.before_send);
	forwards_fini(&im->api);
	audit_fini(&im->api);
	told_fini(&im->live);
	uploads_free(&im->api.uploads);
	work_free(&im->api.work);
	store_free(&im->live.store);
	before_send_free(&im->api.before_send);
	picture_cache_free(&im->api.pictures);
	picture_cache_free(&im->api.media_facts);
	expiry_free(&im->expiry);
	erasure_free(&im->erasure);
	wheel_cancel(&im->live.recheck);
	http_server_free(&im->api.http);
	http_server_free(&im->api.admin);
	/* The sessions hear of their ends while there is still something to tell it to. */
	loop_settle(im->live.loop);
	observe_fini(&im->api);
	tls_server_free(&im->tls);
	looks_fini(&im->live);
	roll_fini(&im->live);
	/* Behind all that was published, so who hears the goodbye has heard that. */
	beat_fini(&im->live, in_doubt);
	bus_free(&im->live.bus);
	live_fini(&im->live);
	token_keys_free(&im->api.keys);
	json_doc_free(&im->api.doc);
	free(im);
}

void im_accept(struct im *im, int fd, enum im_door door, const struct addr *peer)
{
	/* tls.listen changes only in a restart: all workers have the certificate, or there is no such listener. */
	ASSERT(door != IM_DOOR_TLS || im->tls != NULL);
	http_server_accept(door == IM_DOOR_ADMIN ? im->api.admin : im->api.http, fd, peer,
			   door == IM_DOOR_TLS ? im->tls : NULL);
}

void im_take_writer(struct im *im, unsigned index, int fd)
{
	store_take_writer(im->live.store, index, fd);
}

uint64_t im_missing_writers(const struct im *im)
{
	return store_missing_writers(im->live.store);
}

static size_t goodbyes_now(const struct im *im, size_t left)
{
	/* Fast enough to be done after half of the time that is left. */
	int64_t half_ms = (im->drain_deadline_ms - clock_mono_ms()) / 2;
	size_t by_rate = GOODBYES_PER_SECOND * GOODBYE_STEP_MS / 1000;
	size_t steps = half_ms > GOODBYE_STEP_MS ? (size_t)(half_ms / GOODBYE_STEP_MS) : 1;
	size_t by_time = (left + steps - 1) / steps;
	return by_rate > by_time ? by_rate : by_time;
}

static void on_drain_step(struct wheel_timer *t)
{
	struct im *im = container_of(t, struct im, drain);
	size_t left = 0, said = 0;
	struct session *s;
	int64_t until_ms = im->drain_deadline_ms - clock_mono_ms();

	LIST_FOREACH (s, &im->live.sessions, all)
		left += !s->leaving;
	size_t now = goodbyes_now(im, left);
	LIST_FOREACH (s, &im->live.sessions, all) {
		if (s->leaving)
			continue;
		if (said == now)
			break;
		/* One that has something in progress gets its answers first, and a new one its hello. */
		if ((s->pending != 0 || !s->greeted) && until_ms > PATIENCE_MS)
			continue;
		/* They come back over as long a time as the whole node needs to say goodbye. */
		session_leave(s, (int64_t)(arc4random_uniform(1000 + (uint32_t)(left / 2))));
		said++;
	}
	if (!im->idle_ended && clock_mono_ms() >= im->end_idle_ms) {
		im->idle_ended = true;
		http_server_end_idle(im->api.http);
		http_server_end_idle(im->api.admin);
	}
	/* Until the end: a handshake may still come on a connection that was there before. */
	wheel_set(loop_wheel(im->live.loop), t, GOODBYE_STEP_MS, on_drain_step);
}

void im_drain(struct im *im, int64_t deadline_ms)
{
	if (im->draining)
		return;
	im->draining = true;
	expiry_stop(im->expiry);
	erasure_stop(im->erasure);
	im->drain_deadline_ms = clock_mono_ms() + deadline_ms;
	im->end_idle_ms = clock_mono_ms() + (deadline_ms / 2 < LAST_REQUEST_MS ? deadline_ms / 2 : LAST_REQUEST_MS);
	http_server_drain(im->api.http);
	http_server_drain(im->api.admin);
	on_drain_step(&im->drain);
}

void im_kick(struct im *im, const char *user_id)
{
	push_kick(&im->live, str_from(user_id), STR_NULL);
}

void im_change_group(struct im *im, uint64_t group_id, const char *user_id, bool removes, bool bans, int fd)
{
	operator_change_group(&im->live, group_id, str_from(user_id), removes, bans, fd);
}

void im_worker_lost(struct im *im, const char *name)
{
	beat_worker_lost(&im->live, name);
}

bool im_is_idle(const struct im *im)
{
	return http_server_connections(im->api.http) == 0 && http_server_connections(im->api.admin) == 0 &&
	       before_send_is_idle(im->api.before_send) && store_pending(im->live.store) == 0 &&
	       deliveries_pending(&im->live) == 0 && told_all(&im->live);
}

size_t im_connections(const struct im *im)
{
	return http_server_connections(im->api.http);
}

size_t im_admin_connections(const struct im *im)
{
	return http_server_connections(im->api.admin);
}

bool im_is_connected(const struct im *im)
{
	return store_is_up(im->live.store) && bus_is_up(im->live.bus) && revoked_is_ready(&im->live);
}

bool im_is_learning(const struct im *im)
{
	return store_is_up(im->live.store) && !revoked_is_ready(&im->live);
}

void im_fill_row(const struct im *im, struct worker_row *row)
{
	observe_fill_row(&im->api, row);
}
