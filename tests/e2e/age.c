/* age HOME PASSFILE DAYS: as if this node's last contact with the hub had been so many days earlier. The home must not
 * be in use. */
#include "tests/lib/home.h"

#include "node/internal.h"

#include <stdio.h>
#include <stdlib.h>

#define DAY_MS INT64_C(86400000)

int main(int argc, char **argv)
{
    struct why why = {0};
    long days = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
    enum err e = ERR_USAGE;
    if (days < 1 || days > 3650) {
        (void)why_set(&why, e, "see the head of tests/e2e/age.c");
        home_must(e, &why);
        return 1;
    }
    struct node *n = home_node(argv[1], argv[2]);
    const int64_t v[] = {days * DAY_MS};
    e = state_run(n->db, "UPDATE n_number SET value = value - $1 WHERE name = 'lease_contact'", v, 1, &why);
    node_close(n);
    home_must(e, &why);
    return 0;
}
