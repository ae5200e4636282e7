/* The raw limit of a hub whose store is on PostgreSQL: the same rows by libpq alone, into the same table in a schema of
 * its own on the same server; a prepared INSERT each, which is a transaction by itself. */
#ifndef SPOKE_TESTS_LIB_BENCH_LIBPQ_H
#define SPOKE_TESTS_LIB_BENCH_LIBPQ_H

#include "base/env.h"

struct bench_libpq; /* opaque */

/* Only where test_store_is_postgres (tests/lib/test_store.h). The schema is removed when the process ends. */
struct bench_libpq *bench_libpq_open(const struct env *env);
void bench_libpq_person(struct bench_libpq *raw, const uint8_t id[16], const uint8_t case_id[16]);
void bench_libpq_close(struct bench_libpq *raw);

#endif
