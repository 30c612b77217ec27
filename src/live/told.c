/* SPDX-License-Identifier: BSD-2-Clause */
/* From the bus to the store: of which answers others know. */
#include "core/base.h"
#include "live/told.h"

#include "live/live.h"

#define STEP_MS 200

static void on_step(struct wheel_timer *timer)
{
	struct live *live = container_of(timer, struct live, told.timer);
	struct told *t = &live->told;
	wheel_set(loop_wheel(live->loop), timer, STEP_MS, on_step);
	if (!t->open && !store_has_told(live->store)) {
		store_cut(live->store);
		t->open = true;
		t->called = false;
	}
	if (t->open && !t->called && store_cut_is_called(live->store)) {
		t->called = true;
		t->position = bus_position(live->bus);
	}
	if (t->open && t->called && bus_settled(live->bus) >= t->position) {
		store_cut_is_told(live->store);
		t->open = false;
	}
}

void told_start(struct live *live)
{
	wheel_set(loop_wheel(live->loop), &live->told.timer, STEP_MS, on_step);
}

void told_fini(struct live *live)
{
	wheel_cancel(&live->told.timer);
}

bool told_all(const struct live *live)
{
	return store_has_told(live->store) || !bus_is_up(live->bus);
}
