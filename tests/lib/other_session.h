/* For tests: a session with the database that is nobody's program, as psql is one: it asks for no lock of the hub's. */
#ifndef SPOKE_TESTS_LIB_OTHER_SESSION_H
#define SPOKE_TESTS_LIB_OTHER_SESSION_H

struct other_session; /* opaque */

/* `url` as tests/postgres/run gives it; names mean what is in `schema`. Both fail the test where something is wrong. */
struct other_session *other_session_open(const char *url, const char *schema);
void other_session_run(struct other_session *s, const char *sql); /* several statements are fine */
/* What the database says where it refuses: its message, and how it can be done; empty where it does not. */
void other_session_refused(struct other_session *s, const char *sql, char out[400]);
void other_session_close(struct other_session *s);

#endif
