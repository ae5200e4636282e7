#include "node/trouble.h"

#include <stdio.h>
#include <string.h>

struct words {
    const char *happened, *next;
};

/* As much of the detail as there is room for, and never half a character of it. */
static enum err say(const struct words *w, enum err e, const char *detail, struct why *why)
{
    char text[sizeof why->next]; /* the detail may be of `why` itself */
    size_t room = sizeof text - strlen(w->next) - sizeof " " TROUBLE_DETAIL, n = detail != NULL ? strlen(detail) : 0;
    if (n > room)
        for (n = room; n > 0 && ((unsigned char)detail[n] & 0xC0) == 0x80;) n--;
    if (n > 0) memcpy(text, detail, n);
    text[n] = '\0';
    (void)why_set(why, e, "%s", w->happened);
    return why_next(why, e, "%s%s%s", w->next, text[0] != '\0' ? " " TROUBLE_DETAIL : "", text);
}

enum err trouble_say(enum trouble t, const char *detail, struct why *why)
{
    static const struct words all[TROUBLES] = {
        [TROUBLE_NO_NETWORK] = {"This computer has no network just now, so it could not reach the MASH.",
                                "Connect it to a network, then try again."},
        [TROUBLE_NO_NAME] = {"The MASH could not be found from here. This network may not lead to the internet.",
                             "See whether other pages open on this computer. If they do, ring the MASH."},
        [TROUBLE_REFUSED] =
            {"The MASH's computer is there, but it does not answer just now. It may be starting up.",
             "Try again in a few minutes. If it stays so, ring the MASH."},
        [TROUBLE_TIMEOUT] = {"The MASH did not answer in time: the connection is very slow, or it broke off.",
                             "Try again, on a better connection if there is one."},
        [TROUBLE_CERTIFICATE] =
            {"This computer could not make sure that it is the MASH which answers, so nothing was sent.",
             "See that date and time on this computer are right, or use another network. If it stays so, "
             "ring the MASH."},
        [TROUBLE_BROKE] = {"The connection to the MASH broke off in the middle.",
                           "Try again: it goes on where it stopped."},
        [TROUBLE_BUSY] = {"The MASH answers, but can take nothing in just now. It may be busy, or be looked after.",
                          "Try again in a few minutes. If it stays so, ring the MASH."},
        [TROUBLE_STRANGER] =
            {"Something else answers in the MASH's place, such as the sign-in page of a guest network.",
             "Sign in to this network, or use another one, and try again."},
        [TROUBLE_ADDRESS] = {"The address of the MASH that this device was given cannot be used.",
                             "Tell whoever looks after Spoke."},
        [TROUBLE_OTHER] = {"The MASH could not be reached.",
                           "Check the connection and try again later. If it stays so, ring the MASH."},
    };
    return say(&all[t < TROUBLES ? t : TROUBLE_OTHER], ERR_UNREACHABLE, detail, why);
}

/* Layers that know no people begin without a capital. */
static bool is_for_programs(const char *text)
{
    static const char *const words[] = {"SQLite", "HTTP", "bundle"};
    if (text[0] == '\0' || (text[0] >= 'a' && text[0] <= 'z')) return true;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(text, words[i]) != NULL) return true;
    return false;
}

enum err trouble_plain(enum err e, struct why *why)
{
    static const struct words full = {
        "The disk of this computer is full, so what came from the MASH could not be kept. Nothing "
        "is lost.",
        "Free some space on it, then try again."};
    static const struct words disk = {
        "This computer could not read or write its own disk, so the contact was not finished.",
        "Try again. If it happens again, tell whoever looks after this computer."};
    static const struct words memory = {"This computer has too little memory free just now. Nothing is lost.",
                                        "Close other programs, then try again."};
    static const struct words answer = {
        "The answer of the MASH could not be read: it was damaged on the way, or something else "
        "answered in its place. Nothing was changed here, and nothing is lost.",
        "Try again. If it happens again, use another network, or ring the MASH."};
    static const struct words other = {"The contact with the MASH was not finished. Nothing is lost.",
                                       "Try again. If it happens again, tell whoever looks after Spoke."};
    if (e == ERR_OK || why == NULL || !is_for_programs(why->text)) return e;
    switch (e) {
    case ERR_FULL: return say(&full, e, why->text, why);
    case ERR_IO: return say(&disk, e, why->text, why);
    case ERR_NOMEM: return say(&memory, e, why->text, why);
    case ERR_TAMPERED:
    case ERR_FORMAT:
    case ERR_LIMIT:
    case ERR_REFUSED: return say(&answer, e, why->text, why);
    case ERR_UNREACHABLE: return trouble_say(TROUBLE_OTHER, why->text, why);
    default: return say(&other, e, why->text, why);
    }
}

const char *trouble_detail(const char *next)
{
    const char *at = strstr(next, TROUBLE_DETAIL);
    return at != NULL ? at + strlen(TROUBLE_DETAIL) : NULL;
}

size_t trouble_advice(const char *next)
{
    const char *detail = trouble_detail(next);
    size_t n = detail == NULL ? strlen(next) : (size_t)(detail - next) - strlen(TROUBLE_DETAIL);
    while (n > 0 && next[n - 1] == ' ') n--;
    return n;
}
