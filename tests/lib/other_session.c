#include "tests/lib/other_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <libpq-fe.h>

struct other_session {
    PGconn *conn;
};

struct other_session *other_session_open(const char *url, const char *schema)
{
    struct other_session *s = calloc(1, sizeof *s);
    char sql[200];
    assert_non_null(s);
    s->conn = PQconnectdb(url);
    if (PQstatus(s->conn) != CONNECTION_OK) fail_msg("%s", PQerrorMessage(s->conn));
    (void)snprintf(sql, sizeof sql, "SET search_path = \"%s\"", schema);
    other_session_run(s, sql);
    return s;
}

void other_session_run(struct other_session *s, const char *sql)
{
    PGresult *r = PQexec(s->conn, sql);
    ExecStatusType status = PQresultStatus(r);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail_msg("%s: %s", sql, PQresultErrorMessage(r));
    PQclear(r);
}

void other_session_refused(struct other_session *s, const char *sql, char out[400])
{
    PGresult *r = PQexec(s->conn, sql);
    const char *message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = PQresultErrorField(r, PG_DIAG_MESSAGE_HINT);
    (void)snprintf(out, 400, "%s%s%s", message != NULL ? message : "", hint != NULL ? " " : "", hint != NULL ? hint : "");
    PQclear(r);
}

void other_session_close(struct other_session *s)
{
    PQfinish(s->conn);
    free(s);
}
