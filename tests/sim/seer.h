/* The oracle's process: oracle.py behind two pipes. Its answers are read as they come, so that it works beside us. */
#ifndef SPOKE_TESTS_SIM_SEER_H
#define SPOKE_TESTS_SIM_SEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct seer {
    pid_t pid;
    int in, out;     /* its standard input and output */
    char line[4096]; /* an answer that has not come whole */
    size_t have;
    uint64_t worlds; /* answered */
    uint64_t decisions;
};
/* 0 or -1 with a message. */
int seer_start(struct seer *v);
/* Take the answers that are there; to_end: close its input first and take all. A world that it judges bad ends in a
 * message like sim_fail's and exit code 3. */
void seer_listen(struct seer *v, bool to_end);

#endif
