/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "inspector/look.h"

#include "inspector/clip.h"
#include "inspector/picture.h"
#include "inspector/type.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int look_start(const char **err_r)
{
	if (type_start(err_r) != 0 || picture_start(err_r) != 0)
		return -1;
	clip_start();
	return 0;
}

static void set_type(struct inspect_result *r, const char *type)
{
	snprintf(r->content_type, sizeof(r->content_type), "%s", type);
}

/* Whatever cannot be made smaller is at least not left half written. */
static void drop_unused(const struct subject *s, const struct inspect_result *r)
{
	bool ok = r->status == INSPECT_OK;
	if ((!ok || !r->has_thumb) && ftruncate(s->thumb, 0) != 0)
		return;
	if ((!ok || !r->has_clean) && ftruncate(s->clean, 0) != 0)
		return;
}

static void look_inside(int file, int thumb, int clean, struct inspect_result *r)
{
	struct stat st;
	*r = (struct inspect_result){.status = INSPECT_OK, .duration_ms = -1};
	set_type(r, "application/octet-stream");
	if (fstat(file, &st) != 0 || !S_ISREG(st.st_mode) || ftruncate(thumb, 0) != 0 || ftruncate(clean, 0) != 0) {
		r->status = INSPECT_UNAVAILABLE;
		return;
	}
	if (st.st_size == 0)
		return;
	struct subject s = {.file = file, .thumb = thumb, .clean = clean, .len = (size_t)st.st_size};
	void *data = mmap(NULL, s.len, PROT_READ, MAP_PRIVATE, file, 0);
	if (data == MAP_FAILED) {
		r->status = INSPECT_UNAVAILABLE;
		return;
	}
	s.data = data;
	s.type = type_find(s.data, s.len < TYPE_LOOK ? s.len : TYPE_LOOK);
	set_type(r, s.type);
	if (picture_is(s.type))
		picture_look(&s, r);
	else if (clip_is(s.type))
		clip_look(&s, r);
	drop_unused(&s, r);
	munmap(data, s.len);
}

void look(int file, int thumb, int clean, struct inspect_result *r)
{
	look_inside(file, thumb, clean, r);
	if (r->status == INSPECT_OK)
		return;
	/* Nothing else is said of a file then. */
	*r = (struct inspect_result){.status = r->status,
				     .reason = r->status == INSPECT_REFUSED ? r->reason : INSPECT_NO_REASON,
				     .duration_ms = -1};
}
