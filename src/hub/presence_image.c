/* SPDX-License-Identifier: BSD-2-Clause */
/* Most rows are small: a user's id is seldom long, a device seldom named, and an address of IPv4 takes four bytes. */
#include "core/base.h"
#include "hub/presence_image.h"

#include "core/log.h"

#define IPV4_AT (sizeof(struct in6_addr) - sizeof(struct in_addr))

size_t presence_image_len(const struct presence_image *image)
{
	size_t address = image->is_ipv4 ? sizeof(struct in_addr) : sizeof(struct in6_addr);
	return image->user_len + SESSION_ID_BYTES + image->device_len + address;
}

void presence_image_make(struct presence_image *image, const struct presence_row *row)
{
	unsigned char *at = image->bytes;
	image->user_len = (uint8_t)strnlen(row->user_id, USER_ID_MAX);
	image->device_len = (uint8_t)strnlen(row->device, DEVICE_MAX);
	image->is_ipv4 = IN6_IS_ADDR_V4MAPPED(&row->address);
	memcpy(at, row->user_id, image->user_len);
	at += image->user_len;
	bool packed = id_session_pack(row->session_id, at);
	ASSERT(packed);
	at += SESSION_ID_BYTES;
	memcpy(at, row->device, image->device_len);
	at += image->device_len;
	size_t from = image->is_ipv4 ? IPV4_AT : 0;
	memcpy(at, row->address.s6_addr + from, sizeof(row->address) - from);
}

void presence_image_read(const struct presence_image *image, struct presence_row *row_r)
{
	const unsigned char *at = image->bytes;
	*row_r = (struct presence_row){0};
	memcpy(row_r->user_id, at, image->user_len);
	at += image->user_len;
	id_session_unpack(at, row_r->session_id);
	at += SESSION_ID_BYTES;
	memcpy(row_r->device, at, image->device_len);
	at += image->device_len;
	size_t from = 0;
	if (image->is_ipv4) {
		row_r->address.s6_addr[10] = row_r->address.s6_addr[11] = 0xff;
		from = IPV4_AT;
	}
	memcpy(row_r->address.s6_addr + from, at, sizeof(row_r->address) - from);
}
