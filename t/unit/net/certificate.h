/* SPDX-License-Identifier: BSD-2-Clause */
/* A certificate for the tests of TLS, in files. */
#ifndef TIDINGS_T_NET_CERTIFICATE_H
#define TIDINGS_T_NET_CERTIFICATE_H

#include "core/base.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/conf.h"

static char certificate[] = "/tmp/tidings-tls-XXXXXX", key[] = "/tmp/tidings-tls-XXXXXX";

/* A key and a certificate that it signed itself. */
static inline void make_certificate(struct conf *conf)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	FILE *cert_file = fdopen(mkstemp(certificate), "w"), *key_file = fdopen(mkstemp(key), "w");
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, pkey);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1,
				   -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	if (cert_file == NULL || key_file == NULL || X509_sign(x, pkey, EVP_sha256()) == 0 ||
	    PEM_write_X509(cert_file, x) != 1 || PEM_write_PrivateKey(key_file, pkey, NULL, NULL, 0, NULL, NULL) != 1)
		abort();
	fclose(cert_file);
	fclose(key_file);
	X509_free(x);
	EVP_PKEY_free(pkey);
	conf->tls.certificate = certificate;
	conf->tls.key = key;
}

static inline void remove_certificate(void)
{
	unlink(certificate);
	unlink(key);
}

#endif
