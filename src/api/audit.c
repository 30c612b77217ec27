/* SPDX-License-Identifier: BSD-2-Clause */
/* Holds a call until it is noted, and its answer until its status is. */
#include "core/base.h"
#include "api/audit.h"

#include "core/log.h"
#include "store/audit.h"

#include <inttypes.h>

/* Calls under way in this worker: the ends of all of them have room in the queue of transactions. */
#define CALLS_MAX 32
/* Whose turn an end takes: no user has a space. */
#define ENDING STR_LIT(" audit")

struct audited {
	struct request *r;
	void (*proceed)(struct request *r);
	struct answer answer;
};

/* ---- before ---- */

static void on_begun(enum store_status status, uint64_t id, void *arg)
{
	const struct audited *c = arg;
	c->r->api->audit_calls -= status != STORE_OK;
	if (status != STORE_OK) {
		request_fail_store(c->r, status);
		return;
	}
	c->r->audit_id = id;
	c->proceed(c->r);
}

void audit_begin(struct request *r, void (*proceed)(struct request *r))
{
	if (r->api->audit_calls == CALLS_MAX) {
		request_fail(r, request_problem(r, PROBLEM_OVERLOADED, "this worker has %d calls of administrators to do",
						CALLS_MAX));
		return;
	}
	r->api->audit_calls++;
	struct audited *c = arena_alloc(&r->arena, sizeof(*c));
	*c = (struct audited){.r = r, .proceed = proceed};
	const struct audit_call call = {
		.actor = request_user(r),
		.method = str_from(http_verb_name(r->http->verb)),
		.path = r->http->path,
	};
	store_audit_begin(r->live->store, &call, on_begun, c);
}

/* ---- after ---- */

static int http_status_of(const struct request *r, const struct answer *a)
{
	if (a == NULL || r->http == NULL)
		return problem_status(PROBLEM_UNAVAILABLE);
	return a->problem != NULL ? problem_status(a->problem->code) : a->http_status;
}

static void on_ended(enum store_status status, uint64_t id, void *arg)
{
	struct audited *c = arg;
	c->r->api->audit_calls--;
	if (status != STORE_OK)
		log_warn_gated("audit: the status of call %" PRIu64 " could not be noted: %s", id, store_status_name(status));
	request_end(c->r, &c->answer);
}

bool audit_end(struct request *r, const struct answer *a)
{
	uint64_t id = r->audit_id;
	if (id == 0 || r->api->audit_ended)
		return false;
	r->audit_id = 0;
	struct audited *c = arena_alloc(&r->arena, sizeof(*c));
	c->r = r;
	c->answer = a != NULL ? *a : (struct answer){0};
	c->answer.json = arena_str(&r->arena, c->answer.json);
	store_audit_end(r->live->store, ENDING, id, http_status_of(r, a), on_ended, c);
	return true;
}

void audit_fini(struct api *api)
{
	api->audit_ended = true;
}
