/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "store/change.h"

const struct act_info *const acts[ACTS] = {
	[ACT_READ] = &act_read, [ACT_RECALL] = &act_recall, [ACT_DELETE] = &act_delete,
	[ACT_EDIT] = &act_edit, [ACT_REACT] = &act_react,   [ACT_UNREACT] = &act_react,
	[ACT_PIN] = &act_pin,	[ACT_UNPIN] = &act_pin,	    [ACT_EXPIRE] = &act_expire,
};

const struct change_info change_kinds[CHANGE_KINDS] = {
	[CHANGE_RECALLED] = {"recalled", OUTBOX_RECALLED}, [CHANGE_READ] = {"read", OUTBOX_READ},
	[CHANGE_DELETED] = {"deleted", OUTBOX_DELETED},	   [CHANGE_EDITED] = {"edited", OUTBOX_EDITED},
	[CHANGE_REACTION] = {"reaction", OUTBOX_REACTION}, [CHANGE_PINNED] = {"pinned", OUTBOX_PINNED},
	[CHANGE_UNPINNED] = {"unpinned", OUTBOX_PINNED},
};

const char *change_kind_name(enum change_kind k)
{
	return change_kinds[k].name;
}
