/* SPDX-License-Identifier: BSD-2-Clause */
/* What the answers of services mean, and which lane a push waits in. */
#include "core/base.h"
#include "relay/devices_service.h"

#include <stdlib.h>

#include "../tap.h"

static struct services s;

static enum service_verdict judge(enum device_platform p, unsigned status, const char *body)
{
	return services_judge(&s, p, &(struct fetch_answer){.status = status, .body = str_from(body)});
}

int main(void)
{
	struct conf conf = {0};
	static char none[] = "";
	conf.relay.vapid_key = conf.relay.apns_key = conf.relay.fcm_credentials = none;
	services_init(&s, &conf);
	ok(!services_are_on(&s), "without keys nothing is sent");

	static const unsigned later[] = {408, 425, 429, 500, 502, 503, 599}, refused[] = {300, 400, 402, 413, 418};
	static const enum device_platform all[] = {DEVICE_WEBPUSH, DEVICE_FCM, DEVICE_APNS};
	for (size_t p = 0; p < ARRAY_LEN(all); p++) {
		const char *name = device_platform_name(all[p]);
		is_int(services_judge(&s, all[p], &(struct fetch_answer){.error = "timed out"}), SERVICE_LATER,
		       "%s: no answer", name);
		is_int(judge(all[p], 200, "{}"), SERVICE_SENT, "%s: 200", name);
		is_int(judge(all[p], 201, ""), SERVICE_SENT, "%s: 201", name);
		for (size_t i = 0; i < ARRAY_LEN(later); i++)
			is_int(judge(all[p], later[i], "<garbage"), SERVICE_LATER, "%s: %u", name, later[i]);
		for (size_t i = 0; i < ARRAY_LEN(refused); i++)
			is_int(judge(all[p], refused[i], "\xff"), SERVICE_REFUSED, "%s: %u", name, refused[i]);
	}
	is_int(judge(DEVICE_WEBPUSH, 404, ""), SERVICE_DEAD, "a subscription that is not there");
	is_int(judge(DEVICE_WEBPUSH, 410, ""), SERVICE_DEAD, "or not any more");
	is_int(judge(DEVICE_WEBPUSH, 403, ""), SERVICE_REFUSED, "one of another key");
	is_int(judge(DEVICE_FCM, 404, "{\"error\":{\"details\":[{\"errorCode\":\"UNREGISTERED\"}]}}"), SERVICE_DEAD,
	       "FCM: a token that it does not know");
	is_int(judge(DEVICE_FCM, 404, "{}"), SERVICE_LATER, "a project that it does not know costs no device");
	is_int(judge(DEVICE_FCM, 400, "{\"error\":{\"details\":[{\"x\":1},{\"errorCode\":\"UNREGISTERED\"}]}}"),
	       SERVICE_DEAD, "UNREGISTERED");
	is_int(judge(DEVICE_FCM, 400, "{\"error\":{\"details\":[{\"errorCode\":\"INVALID_ARGUMENT\"}]}}"),
	       SERVICE_REFUSED, "another fault is not the device's");
	is_int(judge(DEVICE_FCM, 400, "{\"error\":{\"details\":{}}}"), SERVICE_REFUSED, "a strange body");
	is_int(judge(DEVICE_FCM, 401, "{}"), SERVICE_LATER, "a token that is not taken is made anew");
	is_int(judge(DEVICE_APNS, 410, "{}"), SERVICE_DEAD, "APNs: 410");
	is_int(judge(DEVICE_APNS, 400, "{\"reason\":\"BadDeviceToken\"}"), SERVICE_DEAD, "BadDeviceToken");
	is_int(judge(DEVICE_APNS, 400, "{\"reason\":\"DeviceTokenNotForTopic\"}"), SERVICE_REFUSED,
	       "a wrong topic costs no device");
	is_int(judge(DEVICE_APNS, 400, "{\"reason\":\"PayloadTooLarge\"}"), SERVICE_REFUSED, "another reason");
	is_int(judge(DEVICE_APNS, 403, "{\"reason\":\"ExpiredProviderToken\"}"), SERVICE_LATER, "ExpiredProviderToken");

	unsigned google = service_lane(DEVICE_WEBPUSH, STR_LIT("https://fcm.googleapis.com/fcm/send/x"));
	bool alone = true, within = true;
	for (int i = 0; i < 1000; i++) {
		char url[64];
		snprintf(url, sizeof(url), "https://h%d.example/fcm.googleapis.com", i);
		unsigned lane = service_lane(DEVICE_WEBPUSH, str_from(url));
		alone = alone && lane != google && lane > 2;
		within = within && lane < SERVICE_LANES;
	}
	ok(alone, "no other host shares the lane of a service of browsers, nor that of phones");
	ok(within, "there are so many lanes");
	unsigned windows = service_lane(DEVICE_WEBPUSH, STR_LIT("https://wns2-by3p.notify.windows.com/w/?token=x"));
	is_int(service_lane(DEVICE_WEBPUSH, STR_LIT("https://wns2-PN1P.notify.windows.com/w/?token=x")), windows,
	       "all hosts of Microsoft's service are one");
	ok(windows != service_lane(DEVICE_WEBPUSH, STR_LIT("https://notify.windows.com.example/")) &&
		   windows != service_lane(DEVICE_WEBPUSH, STR_LIT("https://xnotify.windows.com/")),
	   "and no host that only looks like it");
	is_int(service_lane(DEVICE_FCM, STR_LIT("x")), 1, "FCM has its own");
	is_int(service_lane(DEVICE_APNS, STR_LIT("x")), 2, "and APNs");
	is_int(service_lane(DEVICE_WEBPUSH, STR_LIT("https://a.example/1")),
	       service_lane(DEVICE_WEBPUSH, STR_LIT("https://a.example/2?x")), "a host has one");
	services_fini(&s);
	return done_testing();
}
