/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header by which a load balancer tells whose connection it passes on: "The PROXY
 * protocol, versions 1 & 2" (haproxy, doc/proxy-protocol.txt, 2020/03/05).
 */
#ifndef TIDINGS_NET_PROXY_HEADER_H
#define TIDINGS_NET_PROXY_HEADER_H

#include "core/base.h"
#include "net/addr.h"

/* With its type-length-values, which are skipped; larger ones are refused. */
#define PROXY_HEADER_MAX 4096

struct proxy_header {
	bool has_source;    /* else the balancer speaks for itself (LOCAL, UNKNOWN) */
	struct addr source; /* the client's */
};

/*
 * Reads the header at the beginning of the bytes. Returns its length, 0 where more bytes are needed, or -1 with a
 * static reason in *err_r.
 */
int proxy_header_parse(const char *data, size_t len, struct proxy_header *out, const char **err_r) MUST_CHECK;

#endif
