/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "store/change.h"

const struct change_info change_kinds[CHANGE_KINDS] = {
	[CHANGE_RECALLED] = {"recalled", OUTBOX_RECALLED},
	[CHANGE_READ] = {"read", OUTBOX_READ},
	[CHANGE_DELETED] = {"deleted", OUTBOX_DELETED},
	[CHANGE_EDITED] = {"edited", OUTBOX_EDITED},
};

const char *change_kind_name(enum change_kind k)
{
	return change_kinds[k].name;
}
