/* SPDX-License-Identifier: BSD-2-Clause */
/* The word that a profile has changed: BUS_PROFILE on the topic of all, with the user's id. */
#include "core/base.h"
#include "live/profile.h"

#include "live/push.h"
#include "store/people.h"

void profile_changed(struct live *live, struct str user)
{
	/* Workers of the first version would have all their sessions catch up. */
	if (live->legacy_peers == 0)
		push_publish(live, STR_LIT(TOPIC_ALL), BUS_PROFILE, user);
}

void profile_heard(struct live *live, struct str data)
{
	if (id_user_valid(data))
		store_profile_changed(live->store, data);
}
