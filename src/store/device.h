/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices that users are told by while they have no session, and what users set for all of them
 * (schema/0024_devices.sql).
 *
 * As in store.h: arguments are copied, every callback runs exactly once, from the loop, and its results are borrowed
 * for it. Changes are transactions (txn.h), answered once they have committed. A device belongs to a login and is gone
 * with it (device_priv.h).
 */
#ifndef TIDINGS_STORE_DEVICE_H
#define TIDINGS_STORE_DEVICE_H

#include "core/base.h"
#include "core/zone.h"
#include "store/store.h"

/* A user; of more the longest unused goes. */
#define DEVICES_MAX 20
#define DEVICE_TOKEN_MAX 4096
/* Of a label, in characters; of a language tag, in bytes. */
#define DEVICE_APP_MAX 128
#define DEVICE_LOCALE_MAX 35

/* Stored: a new one goes to the end. */
enum device_platform { DEVICE_WEBPUSH = 1, DEVICE_FCM, DEVICE_APNS };
#define DEVICE_PLATFORMS (DEVICE_APNS + 1)
/* NULL: there is none of that number. */
const char *device_platform_name(enum device_platform p);
/* 0: there is none of that name. */
enum device_platform device_platform_of(struct str name);

struct store_device {
	struct str user, id;
	uint64_t login; /* that it belongs to; 0: none */
	enum device_platform platform;
	struct str token;
	struct str p256dh, auth; /* of Web Push; else absent */
	struct str app, locale;	 /* absent: null */
};
typedef void store_device_fn(enum store_status status, void *arg);
/*
 * Takes the token away from the device that had it. STORE_LOGIN_ENDED: the device's login has ended. May be repeated.
 */
void store_put_device(struct store *s, const struct store_device *d, store_device_fn *fn, void *arg);
/* Also where there is none. */
void store_remove_device(struct store *s, struct str user, struct str id, store_device_fn *fn, void *arg);

struct device_shown {
	struct str id, app, locale;
	enum device_platform platform;
	uint64_t login;
	int64_t created_ms, used_ms;
};
struct store_devices {
	enum store_status status;
	const struct device_shown *item; /* the one used last first */
	size_t count;
};
typedef void store_devices_fn(const struct store_devices *r, void *arg);
void store_list_devices(struct store *s, struct str user, store_devices_fn *fn, void *arg);

/* What a user sets for all devices. */
struct push_settings {
	bool preview;
	bool has_dnd;
	int dnd_from, dnd_to; /* minutes since midnight */
	char dnd_zone[ZONE_NAME_MAX + 1];
};
struct store_push_settings {
	struct str user;
	bool sets_preview, sets_dnd; /* what is not set stays */
	struct push_settings to;
};
typedef void store_push_settings_fn(enum store_status status, const struct push_settings *now, void *arg);
void store_find_push_settings(struct store *s, struct str user, store_push_settings_fn *fn, void *arg);
void store_set_push_settings(struct store *s, const struct store_push_settings *p, store_push_settings_fn *fn,
			     void *arg);

#endif
