/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides which bucket a login or a session takes its token from, and in which order. */
#include "core/base.h"
#include "live/admission.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "hub/bucket.h"

#define SESSIONS_BURST_SECS 4
#define SESSIONS_A_USER_BURST_SECS 20
#define SESSIONS_AN_ADDRESS 4 /* a quarter */
#define PICTURES_AGAIN_MS 1000
#define GUESSED_AT 10 /* a tenth */

/* The name of an address's bucket; "" for a UNIX socket, which is no address. */
struct address_name {
	char text[ADDR_TEXT_MAX];
};

static struct address_name name_of(const struct addr *peer)
{
	struct address_name n;
	addr_format_network(peer, n.text);
	return n;
}

static int64_t take_try(struct live *live, enum bucket_kind kind, const struct addr *peer, double per_minute)
{
	struct address_name address = name_of(peer);
	if (address.text[0] == '\0')
		return 0;
	return bucket_take(live->hub, kind, address.text, per_minute / 60, per_minute, clock_mono_ms());
}

int64_t admission_try(struct live *live, const struct addr *peer)
{
	return take_try(live, BUCKET_TRIES, peer, live->conf->limits.logins_per_minute);
}

/* ---- refresh tokens ---- */

static double refreshes_per_minute(const struct live *live)
{
	return (double)live->conf->limits.logins_per_minute * REFRESHES_A_TRY;
}

struct login_name {
	char text[24];
};

static struct login_name name_of_login(uint64_t login)
{
	struct login_name n;
	snprintf(n.text, sizeof(n.text), "%" PRIu64, login);
	return n;
}

int64_t admission_refresh(struct live *live, const struct addr *peer)
{
	const double per_minute = refreshes_per_minute(live);
	struct address_name address = name_of(peer);
	if (address.text[0] == '\0')
		return 0;
	return bucket_wait(live->hub, BUCKET_REFRESHES, address.text, per_minute / 60, per_minute, clock_mono_ms());
}

/* The login's is only looked at, for anybody can name one. */
int64_t admission_refresh_begin(struct live *live, const struct addr *peer, uint64_t login)
{
	const double of_login = live->conf->limits.logins_per_minute;
	int64_t wait_ms = bucket_wait(live->hub, BUCKET_RENEWALS, name_of_login(login).text, of_login / 60, of_login,
				      clock_mono_ms());
	return wait_ms != 0 ? wait_ms : take_try(live, BUCKET_REFRESHES, peer, refreshes_per_minute(live));
}

void admission_refresh_forgive(struct live *live, const struct addr *peer)
{
	const double per_minute = refreshes_per_minute(live);
	struct address_name address = name_of(peer);
	if (address.text[0] != '\0')
		bucket_give_back(live->hub, BUCKET_REFRESHES, address.text, 1, per_minute / 60, per_minute);
}

void admission_refresh_genuine(struct live *live, const struct addr *peer, uint64_t login)
{
	const double of_login = live->conf->limits.logins_per_minute;
	admission_refresh_forgive(live, peer);
	bucket_charge(live->hub, BUCKET_RENEWALS, name_of_login(login).text, 1, of_login / 60, of_login,
		      clock_mono_ms());
}

/* ---- balancers ---- */

static bool is_balancer(const struct conf *conf, const struct addr *peer)
{
	struct addr_network n;
	for (size_t i = 0; i < conf->trusted_proxies.count; i++)
		if (addr_network_parse(&n, conf->trusted_proxies.item[i]) == 0 && addr_network_holds(&n, peer))
			return true;
	return false;
}

/* ---- pictures ---- */

/* An address with pictures that are being read. */
struct picture_reader {
	unsigned count;
	struct address_name address;
};

static struct str reader_key(const void *reader)
{
	return str_from(((const struct picture_reader *)reader)->address.text);
}

void admissions_init(struct live *live)
{
	table_init(&live->picture_readers, reader_key);
}

void admissions_fini(struct live *live)
{
	ASSERT(live->picture_readers.count == 0);
	table_fini(&live->picture_readers);
}

int64_t admission_picture(struct live *live, const struct addr *peer, struct picture_reader **reader_r)
{
	const struct conf *conf = live->conf;
	struct address_name address = name_of(peer);
	*reader_r = NULL;
	if (address.text[0] == '\0' || is_balancer(conf, peer))
		return 0;
	struct picture_reader *reader = table_find(&live->picture_readers, str_from(address.text));
	if (reader != NULL && reader->count >= PICTURES_AT_ONCE)
		return PICTURES_AGAIN_MS;
	int64_t wait_ms = bucket_take(live->hub, BUCKET_PICTURES, address.text, conf->limits.requests_per_second,
				      conf->limits.requests_burst, clock_mono_ms());
	if (wait_ms != 0)
		return wait_ms;
	if (reader == NULL) {
		reader = xcalloc(1, sizeof(*reader));
		reader->address = address;
		table_add(&live->picture_readers, reader);
	}
	reader->count++;
	*reader_r = reader;
	return 0;
}

void admission_picture_read(struct live *live, struct picture_reader *reader)
{
	if (reader == NULL || --reader->count != 0)
		return;
	table_remove(&live->picture_readers, reader);
	free(reader);
}

/* ---- logins ---- */

struct pair_name {
	char text[USER_ID_MAX + 1 + ADDR_TEXT_MAX];
};

static struct pair_name pair_of(const struct addr *peer, const char *user_id)
{
	struct pair_name pair;
	snprintf(pair.text, sizeof(pair.text), "%s %s", user_id, name_of(peer).text);
	return pair;
}

int64_t admission_login(struct live *live, const struct addr *peer, const char *user_id)
{
	const double of_user = (double)live->conf->limits.logins_per_minute * LOGIN_ADDRESSES;
	const double of_pair = (double)live->conf->limits.logins_per_minute / GUESSED_AT;
	int64_t now_ms = clock_mono_ms();
	if (bucket_wait(live->hub, BUCKET_FAILED_LOGINS, user_id, of_user / 60, of_user, now_ms) == 0)
		return 0;
	return bucket_wait(live->hub, BUCKET_FAILED_PAIRS, pair_of(peer, user_id).text, of_pair / 60, of_pair, now_ms);
}

/* A token that is not there is not missing: both were asked for before, by tries that were on their way together. */
void admission_failed(struct live *live, const struct addr *peer, const char *user_id)
{
	const double of_user = (double)live->conf->limits.logins_per_minute * LOGIN_ADDRESSES;
	const double of_pair = (double)live->conf->limits.logins_per_minute / GUESSED_AT;
	int64_t now_ms = clock_mono_ms();
	(void)bucket_take(live->hub, BUCKET_FAILED_LOGINS, user_id, of_user / 60, of_user, now_ms);
	(void)bucket_take(live->hub, BUCKET_FAILED_PAIRS, pair_of(peer, user_id).text, of_pair / 60, of_pair, now_ms);
}

int64_t admission_password(struct live *live, const char *user_id)
{
	const double per_minute = live->conf->limits.logins_per_minute;
	return bucket_take(live->hub, BUCKET_PASSWORDS, user_id, per_minute / 60, per_minute, clock_mono_ms());
}

/* ---- sessions ---- */

int64_t admission_session(struct live *live, const struct addr *peer, const char *user_id)
{
	const double per_second = live->conf->limits.sessions_per_second;
	int64_t now_ms = clock_mono_ms();
	if (per_second == 0)
		return 0;
	int64_t wait_ms = bucket_take(live->hub, BUCKET_USER_SESSIONS, user_id, SESSIONS_A_USER,
				      SESSIONS_A_USER * SESSIONS_A_USER_BURST_SECS, now_ms);
	struct address_name address = name_of(peer);
	if (wait_ms != 0 || address.text[0] == '\0' || is_balancer(live->conf, peer))
		return wait_ms;
	const double of_address = per_second / SESSIONS_AN_ADDRESS;
	return bucket_take(live->hub, BUCKET_ADDRESS_SESSIONS, address.text, of_address,
			   of_address * SESSIONS_BURST_SECS, now_ms);
}

void admission_session_groups(struct live *live, const char *user_id, size_t groups)
{
	if (live->conf->limits.sessions_per_second != 0)
		bucket_charge(live->hub, BUCKET_USER_SESSIONS, user_id, groups / GROUPS_A_SESSION, SESSIONS_A_USER,
			      SESSIONS_A_USER * SESSIONS_A_USER_BURST_SECS, clock_mono_ms());
}

int64_t admission_session_node(struct live *live)
{
	const double per_second = live->conf->limits.sessions_per_second;
	return bucket_take(live->hub, BUCKET_NODE_SESSIONS, "", per_second, per_second * SESSIONS_BURST_SECS,
			   clock_mono_ms());
}
