#include "tests/lib/bench_libpq.h"

#include "sync/db_postgres.h"
#include "sync/schema_sql.h"
#include "tests/lib/bench.h"
#include "tests/lib/test_store.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench_libpq {
    PGconn *conn;
};

static void went_well(PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) bench_fail(PQresultErrorMessage(r));
    PQclear(r);
}

struct bench_libpq *bench_libpq_open(const struct env *env)
{
    struct bench_libpq *raw = calloc(1, sizeof *raw);
    struct why why = {0};
    char url[TEST_STORE_URL], sql[200];
    if (raw == NULL) bench_fail("no memory");
    test_store_url(url, sizeof url);
    BENCH_MUST(db_create_postgres(env, url, NULL, sync_schema_sql, &why));
    char *schema = strstr(url, "schema=");
    if (schema == NULL) bench_fail("no schema in the URL");
    schema[-1] = '\0'; /* libpq does not know it */
    raw->conn = PQconnectdb(url);
    if (PQstatus(raw->conn) != CONNECTION_OK) bench_fail(PQerrorMessage(raw->conn));
    (void)snprintf(sql, sizeof sql, "SET search_path = \"%s\"", schema + strlen("schema="));
    went_well(PQexec(raw->conn, sql));
    went_well(PQprepare(raw->conn, "person",
                        "INSERT INTO person(id, case_id, agency, family_name) VALUES ($1, $2, 'police', 'Anybody')", 2, NULL));
    return raw;
}

void bench_libpq_person(struct bench_libpq *raw, const uint8_t id[16], const uint8_t case_id[16])
{
    const char *const values[] = {(const char *)id, (const char *)case_id};
    const int lengths[] = {16, 16}, formats[] = {1, 1};
    went_well(PQexecPrepared(raw->conn, "person", 2, values, lengths, formats, 1));
}

void bench_libpq_close(struct bench_libpq *raw)
{
    PQfinish(raw->conn);
    free(raw);
}
