/* Operations of a whole device: joining, a change, passphrases, recovery, a new data key, and the wipe. */
#include "tests/crash/crash.h"

#include "node/wipe.h"
#include "tests/lib/mock_hub.h"

#include <stdlib.h>
#include <string.h>

#define PASS     MOCK_PASSPHRASE
#define NEW_PASS "another quiet farm"
#define DEVICE   HOME "/device.secret"

/* What an operation of a device needs besides. */
struct device {
    struct mock_hub hub;
    struct node *n;
    uint8_t joining[KID_BYTES]; /* the key id with which it asked to join */
    bool asked;
    bool lost; /* its secret was */
    uint8_t user[16];
};

static struct device *device_of(struct world *w)
{
    return w->device;
}

static void shut(struct world *w)
{
    struct device *d = device_of(w);
    world_close(w);
    if (d != NULL) node_close(d->n);
    if (d != NULL) d->n = NULL;
}

static bool done(struct world *w, enum err e, const struct why *why)
{
    if (e == ERR_OK) return true;
    return disk_is_dead(w->disk) ? false : wrong(w, "error %d: %.200s", (int)e, why->text);
}

static bool enter(struct world *w)
{
    struct why why = {0};
    return done(w, node_open(&device_of(w)->n, &w->env, HOME, bytes_of_str(PASS), &why), &why);
}

static bool reenter(struct world *w)
{
    shut(w);
    return enter(w);
}

/* ---- what is there ---- */

static bool opens(struct world *w, const char *passphrase, bool *out)
{
    struct why why = {0};
    struct node *n = NULL;
    w->now += 3600000; /* nobody has to wait because of wrong ones */
    enum err e = node_open(&n, &w->env, HOME, bytes_of_str(passphrase), &why);
    *out = e == ERR_OK;
    if (e != ERR_OK)
        node_close(n);
    else
        device_of(w)->n = n;
    bool no_device = e == ERR_TAMPERED && device_of(w)->lost; /* that is what the code is for */
    return e == ERR_OK || e == ERR_PASSPHRASE || no_device ||
           wrong(w, "opening gives error %d: %.200s", (int)e, why.text);
}

static bool code_opens(struct world *w, const char *code, uint64_t *h, bool must_open)
{
    static const struct keyfile at = {.path = HOME "/replica.key", .device = DEVICE};
    struct keyring r = {0};
    struct why why = {0};
    if (code[0] == '\0') return true;
    enum err e = keyslot_open_code(&w->env, &at, bytes_of_str(code), &r, &why);
    keyring_release(&r);
    if (e != ERR_OK && e != ERR_PASSPHRASE)
        return wrong(w, "the recovery code gives error %d: %.200s", (int)e, why.text);
    if (!must_open) *h = mix(*h, e == ERR_OK);
    return e == ERR_OK || !must_open || wrong(w, "the recovery code that people wrote down does not open");
}

static bool look_within(struct world *w, uint64_t *h)
{
    struct device *d = device_of(w);
    struct node_info i;
    struct verify_result v;
    struct why why = {0};
    enum err e = node_get_info(d->n, &i, &why);
    if (e == ERR_OK) e = node_verify(d->n, &v, &why);
    if (e != ERR_OK) return wrong(w, "verify gives error %d: %.200s", (int)e, why.text);
    *h = mix(mix(mix(*h, i.unsent), i.rows), i.epoch);
    return true;
}

/* Not joined yet: the same code leads on, with the keys that the hub may have heard of. */
static bool not_joined(struct world *w)
{
    struct device *d = device_of(w);
    struct invitation code;
    struct buf request;
    struct why why = {0};
    uint8_t keys[PUBLIC_BYTES];
    buf_init(&request, 1u << 20);
    mock_hub_invite(&d->hub, &code);
    mock_hub_public(&d->hub, keys);
    enum err e = node_enrol_begin(&w->env, HOME, bytes_of_str(PASS), &code, bytes_of(keys, sizeof keys), "Mair Evans",
                                  &request, &why);
    bool ok = e == ERR_OK || wrong(w, "joining again gives error %d: %.200s", (int)e, why.text);
    if (ok) mock_hub_enrol(&d->hub, buf_bytes(&request), &request);
    if (ok && d->asked && w->floor > 0 && memcmp(d->joining, d->hub.node.kid, KID_BYTES) != 0)
        ok = wrong(w, "it asks to join with other keys than before");
    buf_release(&request);
    return ok;
}

static bool node_observe(struct world *w, uint64_t *out)
{
    bool old = false, new = false;
    uint64_t h = 5;
    shut(w);
    *out = 4;
    struct why why = {0};
    struct node *n = NULL;
    enum err e = node_open(&n, &w->env, HOME, bytes_of_str(PASS), &why);
    node_close(n);
    if (e == ERR_UNINIT) return not_joined(w);
    bool ok = opens(w, PASS, &old) && (!old || look_within(w, &h));
    shut(w);
    ok = ok && opens(w, NEW_PASS, &new) && (!new || look_within(w, &h));
    shut(w);
    h = mix(mix(h, old), new);
    ok = ok && code_opens(w, w->code[0], &h, false) && code_opens(w, w->code[1], &h, w->floor == w->at);
    *out = h;
    return ok && (old || new || w->code[0][0] != '\0' || wrong(w, "it opens to nobody"));
}

static void find_file(void *ctx, const char *name, struct bytes content)
{
    const char **left = ctx;
    (void)content;
    /* the note itself, and what was left of writing it: nothing in it is secret */
    if (strncmp(name, HOME "/wipe", strlen(HOME "/wipe")) != 0) *left = name;
}

/* Ordered and nothing touched: 1. Begun: then it is finished by looking, nothing is left but the note with its receipt:
 * 2. */
static bool wipe_observe(struct world *w, uint64_t *out)
{
    struct why why = {0};
    struct node *n = NULL;
    struct wipe_note note;
    const char *left = NULL;
    shut(w);
    enum err e = node_open(&n, &w->env, HOME, bytes_of_str(PASS), &why);
    node_close(n);
    if (e != ERR_REFUSED) return wrong(w, "a device that is to be wiped gives error %d: %.200s", (int)e, why.text);
    e = wipe_load(&w->env, HOME, &note, &why);
    *out = e == ERR_OK && note.state == WIPE_WAITS ? 1 : 2;
    bool receipt = e == ERR_OK && note.receipt.len > 0;
    wipe_note_release(&note);
    if (e != ERR_OK) return wrong(w, "the note of the wipe gives error %d: %.200s", (int)e, why.text);
    if (*out == 2) {
        disk_each(w->disk, find_file, &left);
        return (left == NULL && receipt) ||
               wrong(w, "%s is left of a wiped device", left == NULL ? "no receipt" : left);
    }
    const struct node_key key = {.passphrase = bytes_of_str(PASS)};
    e = node_open_as(&device_of(w)->n, &w->env, HOME, &key, NODE_FOR_HUB, &why);
    bool ok =
        e == ERR_OK || wrong(w, "contact of a device that is to be wiped gives error %d: %.200s", (int)e, why.text);
    shut(w);
    return ok;
}

/* ---- what the operations begin with ---- */

void device_free(struct world *w)
{
    struct device *d = device_of(w);
    if (d == NULL) return;
    shut(w);
    identity_release(&d->hub.id);
    identity_release(&d->hub.recovery);
    buf_release(&d->hub.last);
    mock_request_release(&d->hub.seen);
    free(d);
    w->device = NULL;
}

static void hub_prepare(struct world *w)
{
    device_free(w);
    struct device *d = calloc(1, sizeof *d);
    must(d != NULL, "memory");
    w->device = d;
    must(identity_generate(&d->hub.id, NULL) == ERR_OK && identity_generate(&d->hub.recovery, NULL) == ERR_OK, "a hub");
    memset(d->hub.token, 7, sizeof d->hub.token);
    buf_init(&d->hub.last, 1u << 20);
    d->hub.clock_ms = (uint64_t)w->now;
    memset(w->code, 0, sizeof w->code);
}

static void join_run(struct world *w)
{
    struct device *d = device_of(w);
    struct invitation code;
    struct buf request, answer;
    struct why why = {0};
    uint8_t keys[PUBLIC_BYTES];
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    mock_hub_invite(&d->hub, &code);
    mock_hub_public(&d->hub, keys);
    d->asked = false;
    if (done(w,
             node_enrol_begin(&w->env, HOME, bytes_of_str(PASS), &code, bytes_of(keys, sizeof keys), "Mair Evans",
                              &request, &why),
             &why)) {
        mock_hub_enrol(&d->hub, buf_bytes(&request), &answer);
        memcpy(d->joining, d->hub.node.kid, KID_BYTES);
        d->asked = true;
        if (world_done(w) &&
            done(w, node_enrol_finish(&w->env, HOME, bytes_of_str(PASS), buf_bytes(&answer), &why), &why))
            (void)world_done(w);
    }
    buf_release(&request);
    buf_release(&answer);
}

static void joined_prepare(struct world *w)
{
    struct node_info i;
    struct why why = {0};
    bool recording = w->recording;
    hub_prepare(w);
    w->recording = false;
    join_run(w);
    w->recording = recording;
    must(w->at == 2 && enter(w), w->fault);
    must(node_get_info(device_of(w)->n, &i, &why) == ERR_OK, why.text);
    memcpy(device_of(w)->user, i.user, sizeof i.user);
    shut(w);
}

static void coded_prepare(struct world *w)
{
    struct why why = {0};
    joined_prepare(w);
    must(enter(w) && node_recovery_code(device_of(w)->n, w->code[0], &why) == ERR_OK, why.text);
    shut(w);
}

static void device_lost_prepare(struct world *w)
{
    coded_prepare(w);
    must(disk_remove_file(w->disk, DEVICE, NULL) == ERR_OK, "removing");
    device_of(w)->lost = true;
}

/* The hub's order stands here, to be carried out at the next contact. */
static void order(struct world *w)
{
    struct device *d = device_of(w);
    struct wipe_note note;
    struct why why = {0};
    struct order o = {.number = 1, .kind = ORDER_WIPE, .value = ORDER_WHEN_SENT, .at_ms = (uint64_t)w->now};
    memcpy(o.node, d->hub.node.kid, KID_BYTES);
    wipe_note_init(&note);
    note.state = WIPE_WAITS;
    note.said = o;
    mock_hub_public(&d->hub, note.hub);
    must(message_put_order(&note.order, &d->hub.id, &o, &why) == ERR_OK, why.text);
    must(wipe_save(&w->env, HOME, &note, &why) == ERR_OK, why.text);
    wipe_note_release(&note);
}

static void ordered_prepare(struct world *w)
{
    coded_prepare(w);
    order(w);
}

static void find_half(void *ctx, const char *name, struct bytes content)
{
    if (strstr(name, "replica.key.tmp") != NULL && content.n > 0) *(bool *)ctx = true;
}

static void passphrase_run(struct world *w);

/* The power failed while a new key file was written beside the old one; then the wipe is ordered. */
static void half_key_file_prepare(struct world *w)
{
    bool half = false;
    coded_prepare(w);
    struct disk_image *whole = disk_image_take(w->disk);
    for (uint64_t i = 0; !half; i++) {
        must(i < 1000, "no key file was cut off");
        disk_put_back(w->disk, whole);
        struct draw by = draw_stream(i, 9, 0);
        w->at = 0;
        disk_set_faults(w->disk, &(struct disk_faults){.die_after = 1 + i / 20});
        passphrase_run(w);
        (void)disk_power_off(w->disk, &by);
        disk_each(w->disk, find_half, &half);
    }
    disk_image_free(whole);
    order(w);
    w->fault[0] = '\0';
}

/* ---- what they do ---- */

static bool put(struct world *w, unsigned number)
{
    struct node *n = device_of(w)->n;
    struct why why = {0};
    uint8_t case_id[16], id[16];
    uint64_t seq = 0;
    mock_id(case_id, number);
    mock_id(id, number + 1);
    struct row rows[2] = {mock_case(case_id), mock_person(id, case_id, "Somebody")};
    enum err e = node_edit_begin(n, &why);
    for (size_t i = 0; e == ERR_OK && i < 2; i++) e = db_row_put(node_db(n), &rows[i], &why);
    if (e == ERR_OK) e = node_edit_commit(n, "wrote something", &seq, &why);
    return done(w, e, &why);
}

static void change_run(struct world *w)
{
    if (enter(w) && put(w, 100) && world_done(w) && reenter(w) && put(w, 200)) (void)world_done(w);
    shut(w);
}

static void passphrase_run(struct world *w)
{
    struct device *d = device_of(w);
    struct why why = {0};
    if (enter(w) && done(w, node_person_passphrase(d->n, d->user, bytes_of_str(NEW_PASS), &why), &why))
        (void)world_done(w);
    shut(w);
}

static void code_run(struct world *w)
{
    struct why why = {0};
    char code[RECOVERY_CODE_CHARS];
    w->code[1][0] = '\0';
    if (enter(w) && done(w, node_recovery_code(device_of(w)->n, code, &why), &why)) {
        memcpy(w->code[1], code, sizeof code);
        (void)world_done(w);
    }
    shut(w);
}

static void recover_run(struct world *w)
{
    struct why why = {0};
    if (done(w, node_recover(&w->env, HOME, bytes_of_str(w->code[0]), NULL, bytes_of_str(NEW_PASS), &why), &why))
        (void)world_done(w);
}

/* What was written before it is there after it, and what is written under the new key. */
static void rekey_run(struct world *w)
{
    struct device *d = device_of(w);
    struct why why = {0};
    if (!enter(w) || !put(w, 100) || !world_done(w) || !reenter(w)) return shut(w);
    enum err e = node_rekey(d->n, NULL, &why);
    d->n = NULL; /* closed in any case */
    if (done(w, e, &why) && enter(w) && put(w, 200)) (void)world_done(w);
    shut(w);
}

static void wipe_run(struct world *w)
{
    struct device *d = device_of(w);
    struct why why = {0};
    const struct node_key key = {.passphrase = bytes_of_str(PASS)};
    if (!done(w, node_open_as(&d->n, &w->env, HOME, &key, NODE_FOR_HUB, &why), &why)) return;
    enum err e = orders_start(d->n, &why);
    if (e == ERR_OK) e = orders_end(d->n, ERR_OK, &why);
    if (e == ERR_REFUSED && !disk_is_dead(w->disk))
        (void)world_done(w);
    else if (!disk_is_dead(w->disk))
        (void)wrong(w, "the wipe gives error %d: %.200s", (int)e, why.text);
    shut(w);
}

#define DEVICE_OP .observe = node_observe, .opens = true, .slow = true

static const struct script table[] = {
    {.name = "a device joins", .prepare = hub_prepare, .run = join_run, DEVICE_OP},
    {.name = "changes are written on a device", .prepare = joined_prepare, .run = change_run, DEVICE_OP},
    {.name = "a person of a device changes the passphrase", .prepare = coded_prepare, .run = passphrase_run, DEVICE_OP},
    {.name = "a device gets a recovery code", .prepare = joined_prepare, .run = code_run, DEVICE_OP},
    {.name = "a device gets a recovery code anew", .prepare = coded_prepare, .run = code_run, DEVICE_OP},
    {.name = "a passphrase is recovered with the code", .prepare = coded_prepare, .run = recover_run, DEVICE_OP},
    {.name = "a device whose secret is lost is recovered with the code",
     .prepare = device_lost_prepare,
     .run = recover_run,
     DEVICE_OP},
    {.name = "a device gets a new data key", .prepare = coded_prepare, .run = rekey_run, DEVICE_OP},
    {.name = "a device is wiped where a new key file was cut off",
     .prepare = half_key_file_prepare,
     .run = wipe_run,
     .observe = wipe_observe,
     .opens = true,
     .slow = true},
    {.name = "a device is wiped",
     .prepare = ordered_prepare,
     .run = wipe_run,
     .observe = wipe_observe,
     .opens = true,
     .slow = true},
};

struct scripts ops_node(void)
{
    return (struct scripts){table, sizeof table / sizeof table[0]};
}
