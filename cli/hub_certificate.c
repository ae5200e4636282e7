#include "cli/hub_certificate.h"

#include <gnutls/x509.h>

#define FILE_MAX_BYTES ((size_t)1 << 20)
#define CHAIN_MAX      16u

static enum err read_first(struct bytes pem, int64_t *out_ms)
{
    const gnutls_datum_t in = {(unsigned char *)(uintptr_t)pem.p, (unsigned)pem.n};
    gnutls_x509_crt_t chain[CHAIN_MAX];
    unsigned n = CHAIN_MAX;
    int got =
        gnutls_x509_crt_list_import(chain, &n, &in, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
    if (got <= 0) return ERR_FORMAT;
    time_t ends = gnutls_x509_crt_get_expiration_time(chain[0]);
    for (int i = 0; i < got; i++) gnutls_x509_crt_deinit(chain[i]);
    if (ends == (time_t)-1) return ERR_FORMAT;
    *out_ms = (int64_t)ends * 1000;
    return ERR_OK;
}

enum err hub_certificate_ends(const struct env *env, const char *path, int64_t *out_ms, struct why *why)
{
    struct buf pem;
    buf_init(&pem, FILE_MAX_BYTES);
    enum err e = env->read_file(env->ctx, path, FILE_MAX_BYTES, &pem, why);
    if (e == ERR_OK && read_first(buf_bytes(&pem), out_ms) != ERR_OK)
        e = why_set(why, ERR_FORMAT, "There is no certificate (PEM) in this file.");
    buf_release(&pem);
    return e;
}
