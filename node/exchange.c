/* A round with the hub, and rounds until nothing is left to send, pull or confirm. */
#include "node/trouble.h"
#include "node/wipe.h"

#include "sync/bundle.h"
#include "sync/courier.h"

#include <inttypes.h>
#include <string.h>

#define EXCHANGE_MAX_ROUNDS 10000u

/* Where an answer's pieces go. */
struct arrival {
    struct node *n;
    uint64_t at; /* bytes in the spool */
    struct round_result *out;
};

static enum err spool_piece(void *ctx, struct bytes piece, struct why *why)
{
    struct arrival *a = ctx;
    enum err e = spool_put_answer(a->n, a->at, piece, why);
    if (e == ERR_OK) {
        a->at += piece.n;
        a->out->bytes_in += piece.n;
    }
    return e;
}

/* After what the carrier says: nothing is lost, and how much waits, the one thing a person wants to know now. What it
 * says is to be done stays, and the other way stands beside it. */
static enum err unreachable(struct node *n, struct why *why)
{
    struct why said = {0};
    uint64_t unsent = 0;
    int64_t oldest;
    if (why != NULL) said = *why;
    (void)trouble_plain(ERR_UNREACHABLE, &said);
    const char *detail = trouble_detail(said.next);
    const size_t next = trouble_advice(said.next);
    if (outbox_count(n, &unsent, &oldest, NULL) != ERR_OK) unsent = 0;
    (void)why_set(why, ERR_UNREACHABLE, "%.200s%sNothing is lost: %" PRIu64 " %s here and %s with the next contact.",
                  said.text, said.text[0] != '\0' ? " " : "", unsent, unsent == 1 ? "change waits" : "changes wait",
                  unsent == 1 ? "goes" : "go");
    return why_next(why, ERR_UNREACHABLE,
                    "%.*s Or carry the changes on a USB stick. " TROUBLE_DETAIL "spoke bundle export%s%s",
                    next > 0 ? (int)next : 16, next > 0 ? said.next : "Try again later.", detail != NULL ? "; " : "",
                    detail != NULL ? detail : "");
}

/* What the hub says over the link is nobody's word, and changes nothing here; but the person has to know what to do. */
static enum err set_up_anew(struct node *n, enum err e, struct why *why)
{
    struct why said = {0};
    if (why != NULL) said = *why;
    if (e == ERR_EXISTS)
        (void)why_set(why, e,
                      "The MASH server has had newer requests from this device than this one. It was put back from an "
                      "older copy, or a copy of it is in use elsewhere.");
    else
        (void)why_set(why, e, "%s", said.text);
    return why_next(why, e,
                    "If this device was put back from an older copy: ask your administrator for a new invitation for "
                    "%.40s. What you have not sent is kept and goes to a manager. " TROUBLE_DETAIL
                    "spoke enrol --again --code-file FILE",
                    n->site);
}

/* It has joined, and nobody at the MASH has approved it yet. */
static enum err waits(struct node *n, struct why *why)
{
    char spoken[48];
    identity_spoken(n->self.pub.kid, spoken, sizeof spoken);
    (void)why_set(why, ERR_REFUSED,
                  "This device has joined, and waits for approval by the MASH. Nothing is lost: what is written here goes once it is "
                  "approved.");
    return why_next(why, ERR_REFUSED,
                    "Read these groups to the MASH's administrator, who has to see the same: %s. Then try again. " TROUBLE_DETAIL
                    "spoke sync",
                    spoken);
}

static enum err said_no(struct node *n, enum err e, struct why *why)
{
    if (e == ERR_DENIED) return waits(n, why);
    return e == ERR_REFUSED || e == ERR_EXISTS ? set_up_anew(n, e, why) : e;
}

/* Fetch from where the last try broke off. Only a broken link leaves the pieces in the spool. */
static enum err fetch(struct node *n, const struct carrier *via, const struct request *req, uint64_t wait_ms,
                      struct round_result *out, bool *out_resumed, struct why *why)
{
    struct arrival a = {.n = n, .out = out};
    enum err e = spool_answer_size(n, &a.at, why);
    if (e != ERR_OK) return e;
    *out_resumed = a.at > 0;
    if (a.at == 0) out->bytes_out += req->bytes.len;
    e = via->exchange(via->ctx, buf_bytes(&req->bytes), a.at, wait_ms, spool_piece, &a, why);
    if (e == ERR_UNREACHABLE) return unreachable(n, why);
    if (e != ERR_OK && e != ERR_INTERRUPTED && spool_drop_answer(n, NULL) != ERR_OK)
        return e; /* the carrier's error says more than that of the removal */
    return said_no(n, e, why);
}

/* Take the spooled answer. One that cannot be taken is not kept: the hub gives the same one again. */
static enum err take(struct node *n, struct round_result *out, struct taken *taken, struct why *why)
{
    struct buf answer;
    buf_init(&answer, BUNDLE_MAX);
    enum err e = spool_get_answer(n, &answer, why);
    if (e == ERR_OK || e == ERR_NOTFOUND) /* nothing came: as much an answer as any other that is none */
        e = take_answer(n, buf_bytes(&answer), out, taken, why);
    if (e != ERR_OK && spool_drop_answer(n, NULL) != ERR_OK) e = e == ERR_OK ? ERR_IO : e;
    buf_release(&answer);
    return e;
}

struct round_state {
    struct taken taken;
    bool again; /* the request was made at an earlier contact */
};

static enum err round_once(struct node *n, const struct carrier *via, const struct round_options *opt,
                           struct round_result *out, struct round_state *st, struct why *why)
{
    struct request req;
    bool resumed = false;
    enum err e = request_ready(n, opt, &req, why);
    if (e == ERR_OK) e = fetch(n, via, &req, opt->wait_ms, out, &resumed, why);
    bool fetched = e == ERR_OK;
    if (fetched) e = take(n, out, &st->taken, why);
    if (resumed && trust_check(n, NULL) == ERR_OK && (e == ERR_TAMPERED || e == ERR_FORMAT || (fetched && e == ERR_REFUSED))) {
        /* The pieces of two contacts do not fit together, as after a power cut, which may also have taken away whom the
         * answer is for: once more from the start. */
        e = fetch(n, via, &req, opt->wait_ms, out, &resumed, why);
        if (e == ERR_OK) e = take(n, out, &st->taken, why);
    }
    st->again = req.again;
    buf_release(&req.bytes);
    return e;
}

/* Is there reason for another round? Unsent envelopes alone are none: a hub that judges nothing would be asked for
 * ever. The answer to a request of an earlier contact may be as old as that contact: what is new comes after it. */
static enum err wants_more(struct node *n, const struct round_state *st, bool *out, struct why *why)
{
    uint64_t unsent = 0, receipts = 0, questions = 0;
    int64_t oldest;
    enum err e = outbox_count(n, &unsent, &oldest, why);
    if (e == ERR_OK) e = state_ask(n->db, "SELECT count(*) FROM n_receipt WHERE sent = 0", &receipts, why);
    if (e == ERR_OK) e = question_waiting(n, &questions, why);
    if (e == ERR_OK && st->taken.waits)
        *out = st->taken.more || st->again;
    else if (e == ERR_OK && st->taken.revoked)
        /* To confirm what was taken away is all that is left to do; and, before a wipe, to bring everything there. */
        *out = receipts > 0 || (n->to_be_wiped && (st->again || (unsent > 0 && st->taken.judged > 0)));
    else if (e == ERR_OK)
        *out = st->taken.more || receipts > 0 || questions > 0 || st->again || (unsent > 0 && st->taken.judged > 0);
    return e;
}

static enum err revoked(struct why *why)
{
    (void)why_set(why, ERR_REFUSED,
                  "The MASH no longer accepts this device. What you sent is kept there for a manager to decide; "
                  "nothing new reaches this device.");
    return why_next(why, ERR_REFUSED, "Ask your MASH's administrator.");
}

/* Once a contact, when the hub waits for nothing any more; also after one that broke off, for verdicts that came
 * before. What failed first is what a person needs to know. */
static enum err purge_after(struct node *n, enum err e, struct why *why)
{
    enum err purged = purge_run(n, e == ERR_OK ? why : NULL);
    return e == ERR_OK ? purged : e;
}

/* The hub is not trusted: it is sent the request that it has had, byte for byte, and the answer is taken if it brings
 * the statement of a new epoch, whatever else is wrong. ERR_OK: it did, or the hub is trusted. */
static enum err ask_for_statement(struct node *n, const struct carrier *via, struct round_result *out, struct why *why)
{
    static const struct round_options usual = {0};
    struct round_state st = {0};
    struct why said = {0};
    bool trusts = false;
    enum err e = trust_state(n, &trusts, why);
    if (e != ERR_OK || trusts) return e;
    e = round_once(n, via, &usual, out, &st, &said);
    enum err still = trust_check(n, why);
    if (e != ERR_OK && still == ERR_OK) return why_set(why, e, "%s", said.text); /* it was taken, and something else failed then */
    return still;
}

enum err node_sync(struct node *n, const struct carrier *via, const struct round_options *opt, struct round_result *out,
                   struct why *why)
{
    static const struct round_options usual = {0};
    const struct round_options *o = opt != NULL ? opt : &usual;
    unsigned max = o->max_rounds != 0 ? o->max_rounds : EXCHANGE_MAX_ROUNDS;
    struct round_result r = {0};
    bool more = true;
    *out = r;
    if (n->capture != NULL) return why_set(why, ERR_FAILED, "A change is being made just now.");
    enum err e = ask_for_statement(n, via, &r, why);
    if (e != ERR_OK) return e;
    e = node_tick(n, NULL);     /* done with each answer too, and what keeps it from that is reported there */
    e = drops_confirm(n, NULL); /* what an earlier fault left to be done */
    e = orders_start(n, why);        /* a full disk must not keep the news out, and is reported after the answer */
    for (unsigned i = 0; e == ERR_OK && more && i < max; i++) {
        struct round_state st = {0};
        e = round_once(n, via, o, &r, &st, why);
        if (e == ERR_OK) e = wants_more(n, &st, &more, why);
    }
    e = purge_after(n, e, why);
    e = orders_end(n, e, why);
    if (e == ERR_OK && r.revoked) e = revoked(why);
    *out = r;
    return trouble_plain(e, why);
}

enum err node_bundle_export(struct node *n, struct buf *out, struct why *why)
{
    static const struct round_options usual = {0};
    struct request req;
    struct buf more;
    bool trusts = false;
    enum err e = trust_state(n, &trusts, why);
    if (e != ERR_OK) return e;
    buf_init(&more, BUNDLE_MAX);
    e = request_ready(n, &usual, &req, why);
    if (e == ERR_OK && trusts) e = request_more(n, &more, why);
    if (e == ERR_OK) {
        courier_put(out, buf_bytes(&req.bytes), buf_bytes(&more));
        e = out->err == ERR_OK ? ERR_OK : why_set(why, out->err, "There is not enough memory for this file.");
    }
    buf_release(&req.bytes);
    buf_release(&more);
    return e;
}

enum err node_bundle_import(struct node *n, struct bytes answer, struct round_result *out, struct why *why)
{
    struct round_result r = {.bytes_in = answer.n};
    struct taken taken = {0};
    enum err e = n->capture != NULL ? why_set(why, ERR_FAILED, "A change is being made just now.") : ERR_OK;
    if (e == ERR_OK) e = orders_start(n, why);
    if (e == ERR_OK) {
        e = take_answer(n, answer, &r, &taken, why);
        e = purge_after(n, e, why);
        e = orders_end(n, e, why);
    }
    *out = r;
    return e;
}

/* ------------------------------------------------------------------------------------------------------- in halves */
void node_round_init(struct node_round *r)
{
    *r = (struct node_round){0};
    buf_init(&r->request, BUNDLE_MAX);
}

void node_round_release(struct node_round *r)
{
    buf_release(&r->request);
}

enum err node_round_begin(struct node *n, const struct round_options *opt, struct node_round *out, struct why *why)
{
    struct request req;
    if (n->capture != NULL) return why_set(why, ERR_FAILED, "A change is being made just now.");
    enum err e = node_tick(n, NULL); /* as in node_sync */
    e = drops_confirm(n, NULL);
    e = request_ready(n, opt, &req, why);
    if (e == ERR_OK) {
        buf_release(&out->request);
        out->request = req.bytes;
        out->again = req.again;
    } else {
        buf_release(&req.bytes);
    }
    return e;
}

static enum err round_over(struct node *n, enum err e, const struct round_result *r, struct why *why)
{
    if (e == ERR_UNREACHABLE) e = unreachable(n, why);
    e = purge_after(n, e, why);
    e = orders_end(n, e, why);
    return e == ERR_OK && r->revoked ? revoked(why) : trouble_plain(e, why);
}

enum err node_round_end(struct node *n, const struct node_round *r, struct bytes answer, struct round_result *out,
                        bool *out_more, struct why *why)
{
    struct round_result got = {.rounds = 1, .bytes_in = answer.n, .bytes_out = r->request.len};
    struct round_state st = {.again = r->again};
    *out_more = false;
    enum err e = n->capture != NULL ? why_set(why, ERR_FAILED, "A change is being made just now.") : orders_start(n, why);
    if (e != ERR_OK) return e;
    e = take_answer(n, answer, &got, &st.taken, why);
    if (e == ERR_OK) e = wants_more(n, &st, out_more, why);
    *out = got;
    return e == ERR_OK && *out_more ? ERR_OK : round_over(n, e, &got, why);
}

enum err node_round_broke(struct node *n, enum err e, struct why *why)
{
    struct round_result none = {0};
    struct why found = {0};
    e = said_no(n, e, why);
    if (trust_check(n, &found) == ERR_TAMPERED) { /* says more, and that the device is not to be set up anew */
        e = ERR_TAMPERED;
        if (why != NULL) *why = found;
    }
    enum err before = orders_start(n, NULL); /* it is read again with the next contact */
    (void)before;
    return round_over(n, e, &none, why);
}
