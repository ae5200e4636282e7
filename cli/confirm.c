#include "cli/confirm.h"

#include <stdio.h>
#include <string.h>

bool confirm_asks(const struct cli *c)
{
    return !c->no_input && !cli_has(c, "yes");
}

enum err confirm_yes(const struct cli *c, const char *question, const char *otherwise, struct why *why)
{
    char line[64] = "";
    if (!confirm_asks(c)) return ERR_OK;
    FILE *tty = fopen("/dev/tty", "r+e"); /* standard input may be the file that is told */
    if (tty == NULL) {
        (void)why_set(why, ERR_USAGE, "There is no terminal to ask on. %s", otherwise);
        return why_next(why, ERR_USAGE, "Look at it with --dry-run; then add --yes.");
    }
    fprintf(tty, "%s ", question);
    fflush(tty);
    bool yes = fgets(line, sizeof line, tty) != NULL && strcmp(line, "yes\n") == 0;
    fclose(tty);
    return yes ? ERR_OK : why_set(why, ERR_DENIED, "You did not say yes. %s", otherwise);
}
