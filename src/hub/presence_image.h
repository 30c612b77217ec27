/* SPDX-License-Identifier: BSD-2-Clause */
/* A row of the presence table as bytes: what its slots hold, one behind the other. Knows neither table nor lock. */
#ifndef TIDINGS_HUB_PRESENCE_IMAGE_H
#define TIDINGS_HUB_PRESENCE_IMAGE_H

#include "core/base.h"
#include "hub/presence.h"

#include <netinet/in.h>

#define PRESENCE_BYTES_MAX (USER_ID_MAX + SESSION_ID_BYTES + DEVICE_MAX + sizeof(struct in6_addr))

struct presence_image {
	uint8_t user_len, device_len;
	bool is_ipv4;
	unsigned char bytes[PRESENCE_BYTES_MAX]; /* the user's id first */
};

/* How many of the bytes there are. */
size_t presence_image_len(const struct presence_image *image);
void presence_image_make(struct presence_image *image, const struct presence_row *row);
/* All but the worker. Whatever is in the image, as long as both lengths are within their bounds. */
void presence_image_read(const struct presence_image *image, struct presence_row *row_r);

#endif
