/* One round: sealed request in, sealed answer out, everything between in one transaction. Read hub_exchange first. */
#include "hub/known.h"
#include "hub/round.h"

#include "sync/bundle.h"
#include "sync/courier.h"

#include <string.h>

#define MAX_OVERTAKEN 8 /* times in a row: somebody sends one request after the other to several processes */

/* Its request was answered before. A device that is shut out has its answer again, and nothing of it is taken; nor of
 * one whose work of before a hub that was put back waits for: it keeps what is new, having no verdict. */
static enum err run_more(struct round *r, struct why *why)
{
    bool overtaken = false, judges = false;
    if (r->more.n == 0) return ERR_OK;
    enum err e = hub_begin(r->h, why);
    if (e != ERR_OK) return e;
    e = known_again(r->h, r->request, &r->node, &overtaken, why);
    bool shut_out = r->node.replaced || strcmp(r->node.state, "forked") == 0;
    if (e == ERR_OK) e = hear_judges(r->h, &r->node, &judges, why);
    if (e == ERR_OK && !shut_out && judges) e = round_take_more(r, why);
    if (e == ERR_OK) e = nodes_save(r->h, &r->node, why);
    if (e == ERR_OK) return hub_commit(r->h, why);
    hub_abort(r->h);
    return e;
}

/* *out_overtaken: while it waited for its transaction another process answered the device, and nothing was done. */
static enum err attempt(struct hub *h, struct bytes request, struct bytes more, bool may_park, struct buf *out,
                        struct hub_exchange_result *result, bool *out_overtaken, struct why *why)
{
    struct round r;
    struct hub_exchange_result res = {0};
    struct buf answer;
    bool again = false, unanswered = false;
    round_init(&r, h, request, more);
    buf_init(&answer, BUNDLE_MAX);
    enum err e = known_node(h, request, &r.node, why);
    if (e == ERR_OK) e = nodes_must_be_approved(h, &r.node, why);
    /* Given again also to a device revoked since: it may have had these very bytes already, and nothing newer. */
    if (e == ERR_OK && r.node.last_request > 0 && memcmp(r.node.request_hash, r.request_hash, HASH_BYTES) == 0) {
        e = known_answer(h, r.request_hash, &answer, &again, why);
        if (e == ERR_OK && !again) e = hear_unanswered(h, &r.node, &unanswered, why);
    }
    if (e == ERR_OK && !unanswered) e = again ? run_more(&r, why) : known_refuse_late(h, &r.node, r.request_hash, why);
    /* Or another process answered this very request between two of these questions: then it did not come late. */
    if (e == ERR_EXISTS && known_again(h, request, &r.node, out_overtaken, NULL) == ERR_OK && *out_overtaken) e = ERR_OK;
    if (e == ERR_OK && !again && !*out_overtaken) {
        e = hear_begin(h, &r.node, why);
        if (e == ERR_OK) {
            h->routine = true;
            e = known_again(h, request, &r.node, out_overtaken, why);
            if (e == ERR_OK && !*out_overtaken) e = round_run(&r, may_park, &res.parked, &answer, why);
            if (e == ERR_OK && res.parked) res.waiting = waiting_since(h, &r.node);
            res.moved = h->moved && !res.parked;
            memcpy(res.verdicts, h->verdicts, sizeof res.verdicts);
            if (e == ERR_OK && !res.parked && !*out_overtaken)
                e = hub_commit(h, why);
            else
                hub_abort(h);
        }
    }
    if (e == ERR_REFUSED && r.refusal != NULL) round_record_refusal(h, &r);
    if (e == ERR_OK && res.parked) res.park_ms = round_park_ms(&r);
    if (e == ERR_OK) buf_put_bytes(out, buf_bytes(&answer));
    if (e == ERR_OK && out->err != ERR_OK)
        e = why_set(why, out->err, "There is not enough memory to answer."); /* asked again, it gets the stored one */
    if (e == ERR_OK && result != NULL) *result = res;
    buf_release(&answer);
    round_release(&r);
    return e;
}

static enum err exchange(struct hub *h, struct bytes request, struct bytes more, bool may_park, struct buf *out,
                         struct hub_exchange_result *result, struct why *why)
{
    for (int i = 0; i < MAX_OVERTAKEN; i++) {
        bool overtaken = false;
        enum err e = attempt(h, request, more, may_park, out, result, &overtaken, why);
        if (!overtaken) return e;
    }
    return why_set(why, ERR_BUSY, "Another process of this hub answers this device just now.");
}

enum err hub_exchange(struct hub *h, struct bytes request, bool may_park, struct buf *out,
                      struct hub_exchange_result *result, struct why *why)
{
    return exchange(h, request, (struct bytes){0}, may_park, out, result, why);
}

enum err hub_exchange_file(struct hub *h, struct bytes file, struct buf *out, struct why *why)
{
    struct bytes request, more;
    enum err e = courier_split(file, &request, &more, why);
    return e == ERR_OK ? exchange(h, request, more, false, out, NULL, why) : e;
}
