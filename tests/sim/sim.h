/* The simulator: a whole MASH in one process and one thread, from one number. README.md beside this file says what it
 * is for; this header is what its files share. Everything in a world is drawn from its seed: the same seed gives the
 * same trace, byte for byte.
 *
 * Who has what: world.c makes a world, runs its events and heals it; plan.c draws what it is like; device.c switches
 * computers on and off; people.c, think.c, office.c and hostile.c are what people do; wire.c and courier.c carry bytes;
 * mishap.c breaks things; ledger.c, canary.c, check.c, lease.c and wipe.c judge; trace.c remembers; oracle.py says who
 * may see what. */
#ifndef SPOKE_TESTS_SIM_SIM_H
#define SPOKE_TESTS_SIM_SIM_H

#include "crypto/hash.h"
#include "hub/hub.h"
#include "node/node.h"
#include "tests/sim/machine.h"
#include "tests/sim/rows.h"

#define SIM_SITES     12u
#define SIM_DEVICES   16u
#define SIM_TEMPLATES 8u
#define SIM_BUNDLE    (64u << 20)
#define SIM_START     1760000000000 /* when every world begins, Unix milliseconds */
#define SIM_HOUR      3600000
#define SIM_DAY       (24 * (int64_t)SIM_HOUR)

struct sim;
struct sim_options;
struct ledger;  /* ledger.c */
struct canary;  /* canary.c */
struct trace;   /* trace.c */
struct courier; /* courier.c */
struct calamity; /* disaster.c */

/* ------------------------------------------------------------------------------------------------------- events */
enum sim_kind {
    /* people */
    SIM_EDIT,    /* one transaction at a device */
    SIM_CLASH,   /* the same column at every device that has it */
    SIM_HOSTILE, /* a device with a valid key sends what it may not */
    SIM_SHADOW,  /* work that no other agency may see (only in pairs of worlds) */
    SIM_OFFICE,  /* an administrator's act at the hub */
    SIM_PERSON_KINDS,
    /* carriage */
    SIM_SYNC = SIM_PERSON_KINDS, /* a device talks with the hub over a wire */
    SIM_POST,                    /* a device hands a request to a courier */
    SIM_AT_HUB,                  /* a courier's request arrives (queued by SIM_POST) */
    SIM_AT_DEVICE,               /* a courier's answer arrives (queued by SIM_AT_HUB) */
    SIM_CUT,                     /* a link is cut */
    SIM_MEND,                    /* and mended */
    SIM_CARRIAGE_KINDS,
    /* mishaps */
    SIM_POWER = SIM_CARRIAGE_KINDS, /* the power fails at a device or the hub, now or in the midst of the next work */
    SIM_RESTART,                    /* a computer is switched off and on, or on again after SIM_POWER */
    SIM_FULL,                       /* a disk is full for a while */
    SIM_READ_ERROR,                 /* a read fails */
    SIM_ROT,                        /* bits flip on a disk */
    SIM_ROT_OUTBOX,                 /* and where a change waits to be sent */
    SIM_LIE,                        /* a disk that does not sync, then a power failure */
    SIM_IMAGE,                      /* an image of a device's disk is taken */
    SIM_PUT_BACK,                   /* and put back */
    SIM_CLONE,                      /* and put into a second computer */
    SIM_REJOIN,                     /* a computer that the hub refused is enrolled anew (queued when it is refused) */
    SIM_HUB_BACK,                   /* the hub is put back from an old image, without anybody saying so */
    SIM_SKEW,                       /* a clock goes wrong */
    SIM_HUB_CLOCK,                  /* the hub's, for some minutes */
    SIM_POLICY,                     /* another policy comes, a few cases at a time (queued by itself) */
    SIM_KNOCK,                      /* one that was wiped says so at the hub's door (queued when it is) */
    SIM_PASS,                       /* time passes: hours to months */
    SIM_MISHAP_KINDS,
    /* disasters, in worlds that have them (disaster.c) */
    SIM_BACKUP = SIM_MISHAP_KINDS, /* of the hub */
    SIM_DISASTER,                  /* the hub is destroyed, and put back from its last backup */
    SIM_LOST,                      /* a device is lost for ever while the hub gathers (queued) */
    SIM_RELEASE,                   /* the hub is opened before all have reported (queued) */
    SIM_OLD_HUB,                   /* the hub of before is there again (queued) */
    /* in some worlds (bag.c) */
    SIM_BAG, /* several devices' requests at one moment */
    SIM_KINDS
};
extern const char *const sim_kind_names[SIM_KINDS]; /* plan.c */

struct parcel {      /* a courier's; courier.c */
    int device;      /* whose request it is, or whom the answer is for */
    uint64_t number; /* of a request: how many of that device the hub had answered when it was handed over; of an
                      * answer: which request it answers */
    struct buf body; /* owned */
    unsigned copies; /* further ones under way or lost */
};

struct event {
    int64_t at;     /* world clock */
    uint32_t order; /* among events at the same time */
    uint32_t no;    /* of the planned event; of a queued one: of the planned event it comes from */
    enum sim_kind kind;
    bool queued;           /* by another event, not planned */
    int device;            /* -1: the hub, or nobody */
    struct parcel *parcel; /* owned; NULL: none */
    struct draw draw;      /* its own stream */
};

/* --------------------------------------------------------------------------------------------------------- plan */
/* What this seed is like. Rates are per mille; whole classes are off in half of the seeds. */
struct plan {
    unsigned n_events;    /* planned ones */
    unsigned n_devices;   /* enrolled at the start */
    unsigned template_no; /* which shape of agencies and sites (template.c) */
    unsigned weight[SIM_KINDS];
    bool crowded;                            /* people work at the same few rows */
    bool hurried;                            /* minutes between events instead of days */
    unsigned lose, cut, repeat, lose_answer; /* of a wire's rounds */
    unsigned late, twice, astray;            /* of a courier's parcels */
    unsigned small_budget;                   /* of rounds, so that answers come in many pages */
    unsigned clocks_wrong;                   /* of computers */
    int64_t skew_max_ms;
    bool few_rows;                           /* devices may hold few rows, at times */
    bool disasters;                          /* the hub may be destroyed */
};
void plan_draw(struct plan *out, uint64_t seed, const struct sim_options *opt);

/* -------------------------------------------------------------------------------------------------------- world */
struct sim_site {
    char agency[16], kind[16]; /* its agency and that one's kind */
    char code[20], site_kind[16];
    char areas[2][8]; /* "" none; no area at all: every one */
    unsigned n_areas;
};

enum device_state {
    DEVICE_NONE,    /* slot not in use */
    DEVICE_LIVE,    /* enrolled; its disk may be dark just now */
    DEVICE_REVOKED, /* an administrator cut it off */
    DEVICE_WIPED,   /* by order of the hub: nothing is left of it */
    DEVICE_STUCK /* put back, cloned, rotten or its disk lied: the hub or it itself refuses to go on. Enrolled anew it
                     * is another device, in a slot of its own */
};

#define SIM_TYPED 16 /* of each device; the log was cut since then */
struct device {
    int no;   /* index in s->devices */
    int site; /* index in s->sites */
    enum device_state state;
    struct machine m;
    char home[16];
    struct node *n; /* NULL while it is switched off */
    uint8_t kid[16], user[16];
    bool link_up;
    bool suspect;  /* its disk lied, rotted or was put back: it may be refused, and may refuse to open */
    bool ailing;   /* faults of its disk are armed: full, a failing read */
    bool hostile;  /* it sent what it may not: its envelopes may be faults */
    int clone_of;  /* -1: none. A clone has the same kid */
    bool unproven; /* put back or cloned, and not told to be up to date since: its rows are of another time */
    bool lying;    /* its disk says that it synced, and did not */
    bool mixed;    /* its disk lied and the power failed: nobody can say what it should hold */
    bool damaged;  /* bits flipped in what it had not sent, and it did not empty that page since */
    bool rotten;   /* bits of its disk flipped */
    bool forgot;   /* it was told to forget something, or may have been when its power failed */
    struct ids strange; /* rows that it had of a hub that was lost; check.c */
    bool refused;  /* by the hub, because it was put back or cloned: it can be enrolled anew, once */
    struct disk_image *image;               /* owned; NULL: none taken */
    uint64_t image_seq;                     /* last envelope written when it was taken */
    uint64_t image_answered, image_pending; /* requests then: node/store.sql, n_number */
    struct buf old_request, old_answer;     /* of a courier: to be brought again, too late */
    uint64_t requests;                      /* requests the hub answered for it, as the hub saw */
    int64_t contact_hub, contact_world;     /* its last contact, by the hub's clock and by the world's */
    bool contact_unsure;                    /* another one was begun, and may have counted */
    bool locked;                            /* to people, by its clock, and no contact or power failure since */
    bool at_once;                           /* its wipe did not wait for what it had not sent */
    unsigned n_knocks;                      /* in the healing, since it was wiped */
    uint8_t asked[32], told[32];            /* hashes of the request answered last, and of its answer */
    char typed[SIM_TYPED][64];              /* what was asked in emergencies: references told by others */
    unsigned n_typed;
};

enum sim_count {
    COUNT_EVENTS,
    COUNT_EDITS,
    COUNT_DENIED,
    COUNT_SYNCS,
    COUNT_BROKEN,
    COUNT_PARCELS,
    COUNT_HELD,
    COUNT_CONFLICTS,
    COUNT_DISPUTED, /* 1: people's values met in a conflict at the hub, open or ruled */
    COUNT_DROPPED,
    COUNT_JUDGED,
    COUNT_RESENT,
    COUNT_MERGED,
    COUNT_WAITS,
    COUNT_HOSTILE,
    COUNT_FAULTS /* envelopes */,
    COUNT_CRASHES,
    COUNT_TORN /* unsynced writes lost or torn */,
    COUNT_TOGETHER /* requests that the hub took in one commit with others */,
    COUNT_BAGS /* of them: whole requests of several devices */,
    COUNT_UNDONE /* commits of several requests that came to nothing */,
    COUNT_ROTS,
    COUNT_ROTS_NOTICED,
    COUNT_SPOILT,
    COUNT_GAPS,
    COUNT_REFUSED,
    COUNT_STUCK,
    COUNT_REJOINED,
    COUNT_RESCUED /* envelopes */,
    COUNT_KNOWN /* of them: the hub had them already */,
    COUNT_EVICTIONS,
    COUNT_REPLIES,
    COUNT_REKEYED /* stores, whole */,
    COUNT_WIPED,
    COUNT_LOCKED /* openings refused, because the lease was over */,
    COUNT_SCANS,
    COUNT_DECISIONS,
    COUNT_DAYS,
    COUNT_STOPPED /* rounds that ended because the device may hold no more */,
    COUNT_MISCOUNTED /* devices of which the hub's count was a little off */,
    COUNT_DISASTERS,
    COUNT_GONE /* devices lost with it */,
    COUNT_GHOSTS /* devices that met the hub of before */,
    COUNT_COMPARED /* verdicts of before, once the hub was put back */,
    COUNT_SEEN_AGAIN /* rows seen again because their withdrawal had not been acknowledged */,
    COUNT_LIES /* devices that a hub lied to about its log, at the end of a world */,
    COUNTS
};
extern const char *const sim_count_names[COUNTS]; /* main.c */

struct sim_options {
    unsigned n_events; /* 0: default */
    const bool *skip;  /* planned events that are left out (shrinking), n_events of them; NULL: none */
    bool loud;         /* print the trace as it grows */
    int oracle_fd;     /* where the oracle's lines go; -1: nowhere */
    /* For pairs of worlds (twin.c): */
    bool calm;         /* no mishaps: where one strikes depends on every byte written before */
    bool clocks_right; /* every clock is right */
    bool no_steering;  /* nobody changes a later-wins column that decides who sees what */
    bool shadowed;     /* one device takes no part in ordinary work (s->shadow) */
    bool shadow_works; /* and does work that no other agency may see */
};

struct sim {
    uint64_t seed;
    struct sim_options opt;
    struct plan plan;
    int64_t clock;
    struct event *queue; /* owned; a heap by at, order */
    size_t n_queue, cap_queue;
    uint32_t queued;    /* events so far: order */
    uint32_t n_planned; /* planned events still to come */
    uint32_t event_no;  /* planned event that is running */
    struct draw draw;   /* of the running event */
    bool healing;       /* nothing breaks any more */
    bool hub_lost_time; /* the hub was put back or its disk lied: devices ahead of it are refused */
    bool hub_ailing;    /* faults of the hub's disk are armed */
    struct machine hub_machine;
    struct hub *hub;             /* NULL while it is switched off */
    uint32_t hub_died_for; /* in whose exchanges its power failed, a bit for each; it may have committed */
    int64_t hub_died_at;
    struct machine *outside_hub, *outside_device; /* whose randomness comes back at hub_leave, device_leave */
    uint32_t *children;                           /* owned; events queued so far by each planned one */
    bool policies;                                /* there was more than one */
    int64_t hub_version;                          /* up to which the trace has told the hub's rows */
    struct sim_site sites[SIM_SITES];
    unsigned n_sites;
    struct device devices[SIM_DEVICES];
    unsigned n_devices;  /* slots in use, DEVICE_NONE among them */
    int shadow;          /* device of shadow.c; -1: none */
    struct ids asked;    /* of rows that somebody asked about without seeing them (shadow.c) */
    unsigned words;      /* texts written so far: each is new */
    char arena[1 << 15]; /* texts of the edit in hand */
    size_t used;
    struct trace *trace;
    struct ledger *ledger;
    struct canary *canary;
    struct disk_image *hub_image; /* owned; NULL: none taken */
    struct calamity *calamity;    /* owned; NULL: there was no backup yet */
    uint64_t counts[COUNTS];
};

/* template.c: hubs with sites, people and devices as they are when a world begins, made once a process because keys and
 * tables cost. A site has a person of its own name ("Person CODE") with the duties that go with its kind. */
struct template
{
    struct disk_image *hub;
    struct disk_image *device[SIM_DEVICES];
    int site_of[SIM_DEVICES]; /* of each device */
    unsigned n_devices;
    struct sim_site sites[SIM_SITES];
    unsigned n_sites;
};
const struct template *template_get(unsigned no); /* made when first asked for */
void templates_free(void);
struct joining { /* a new device under the name of the site's person. The home is /home on m's disk */
    struct hub *hub;
    struct machine *at_hub, *m;
    const struct sim_site *site;
    bool again;           /* the home is of a device that the hub refused: it is enrolled anew */
    struct draw *mishaps; /* NULL: none; else the power fails at m now and then, and the same code is used again */
};
enum err template_enrol(const struct joining *j, struct why *why); /* invitation, request, answer */

/* world.c */
struct sim *sim_new(uint64_t seed, const struct sim_options *opt);
void sim_run(
    struct sim *s); /* faults, then healing, then what must hold at rest; ends in sim_fail when anything does not */
void sim_free(struct sim *s);
void sim_queue(struct sim *s, int64_t in_ms, enum sim_kind kind, int device, struct parcel *parcel);
struct device *sim_any_device(struct sim *s); /* switched on and not stuck; NULL: there is none */
/* Draws from the running event's stream. */
uint64_t sim_random(struct sim *s, uint64_t below);
bool sim_chance(struct sim *s, unsigned per_mille);

/* trace.c. A note is for people and for the trace hash; a line for the oracle is hashed too. */
struct trace *trace_new(int oracle_fd, bool loud);
void trace_free(struct trace *t);
uint64_t trace_hash(const struct trace *t);
void sim_note(struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void sim_tell(struct sim *s, struct buf *line); /* one line for the oracle, without its end; empties the buffer */
void sim_traffic(struct sim *s, const struct device *d, bool up, struct bytes b); /* what a wire or courier could see */
struct traffic {                                                                  /* of one message */
    int device;
    bool up;
    size_t n;
    uint64_t hash;
    uint32_t event;
};
/* All messages so far, in their order. Borrowed. */
const struct traffic *trace_traffic(const struct trace *t, size_t *out_n);
/* Something does not hold: seed, commit, event, invariant, last events and how to replay go to stderr; exit code 3. */
void sim_fail(struct sim *s, unsigned invariant, const char *fmt, ...) PRINTF_LIKE(3, 4) __attribute__((noreturn));
void sim_must(struct sim *s, enum err e, const char *what,
              const struct why *why); /* invariant 0: it must have worked */

/* device.c. Every call into a node goes between device_enter and device_leave: they switch libsodium's randomness, and
 * device_leave notices that the power failed meanwhile: it then closes the node, lets the disk forget and queues the
 * restart. true: it died; the result of the call means nothing then. The same for the hub. */
void device_enter(struct sim *s, struct device *d);
bool device_leave(struct sim *s, struct device *d);
void hub_enter(struct sim *s);
bool hub_leave(struct sim *s);
/* Switch on. What cannot be opened is DEVICE_STUCK if the device is suspect, and a failure if it is not. */
void device_on(struct sim *s, struct device *d);
void device_off(struct sim *s, struct device *d, bool orderly); /* orderly: with everything synced */
void hub_on(struct sim *s);
void hub_off(struct sim *s, bool orderly);
/* Enrol a device at a site under the name of a practitioner there; NULL when there is no slot left. */
struct device *device_enrol(struct sim *s, int site);
/* A computer that the hub refused, from its disk as it is: a device with new keys in another slot. */
void device_rejoin(struct sim *s, struct device *was);
void device_init(struct sim *s, struct device *d, int no, int site); /* an empty computer with a clock of its own */
void device_stuck(struct sim *s, struct device *d, const char *because);
void device_release(struct device *d);

/* people.c, clash.c: handlers of SIM_EDIT, SIM_CLASH. */
void people_edit(struct sim *s, struct device *d);
void people_clash(struct sim *s);
bool people_resend(struct sim *s, struct device *d); /* resend.c; false: nothing to send again */
/* think.c; edit.h has the rest of it. */
void think_id(struct sim *s, uint8_t out[16]); /* a new row id: UUIDv7 of the world's clock and the event's stream */
/* hostile.c, office.c */
void hostile_act(struct sim *s, struct device *d);
void office_act(struct sim *s);
void office_wipe_put_back(struct sim *s, const struct device *d); /* perhaps: one that the hub does not hear any more */
void office_tell_all(struct sim *s); /* agencies, sites, people and devices for the oracle, at the start of a world */

/* wire.c */
void wire_sync(struct sim *s, struct device *d);
bool wire_sync_clean(struct sim *s, struct device *d); /* healing: no faults. true: something moved */
/* One request at the hub: between hub_enter and hub_leave, with what the oracle, the ledger and the traffic want to
 * know. ERR_UNREACHABLE: the hub is off, or its power failed. */
enum err wire_at_hub(struct sim *s, struct device *d, struct bytes request, struct buf *out, struct why *why);
/* A courier's file with changes beside its request (sync/courier.h): they count also where that was answered before. */
bool wire_brings_more(struct bytes file);
void wire_hub_is_back(struct sim *s); /* after hub_on: what it committed in the moment that its power failed is told */
void wire_last_word(struct sim *s, struct device *d); /* a mixed device talks once more, and is out of use */
/* What a round brought, counted; a fault that nobody earned is a failure. */
void wire_result(struct sim *s, struct device *d, const struct round_result *r);
/* The one integer that a question with at most one id answers. false: there is no row, or it cannot be read. */
/* Devices that may hold few rows; budget.c */
void budget_event(struct sim *s);
void budget_heal(struct sim *s);
bool budget_stops(struct sim *s, const struct device *d); /* it got nothing new in its last round because of that */
void budget_at_rest(struct sim *s, const struct device *d);

bool wire_ask(struct db *db, const char *sql, const uint8_t id[16], int64_t *out);
/* What counts of a request that the hub answered, and what everybody is told of it; for requests taken in one commit
 * apart. `before`: the number of the device's last one. false: nothing of it is new. */
bool wire_count(struct sim *s, struct device *d, struct bytes request, struct bytes answer, uint64_t before);
void wire_tell(struct sim *s, const uint32_t devices); /* a bit for each that was answered */
uint64_t wire_last_request(struct sim *s, const struct device *d);

/* bag.c: several devices' requests at one moment, in one commit. */
void bag_event(struct sim *s);

/* courier.c */
void courier_post(struct sim *s, struct device *d);
bool courier_export(struct sim *s, struct device *d, struct buf *out); /* false: it could not, or its power failed */
/* What the hub says to a request that was handed over when it had answered `number` of that device; it has `before`. */
void courier_judge(struct sim *s, const struct device *d, uint64_t number, uint64_t before, enum err e, const struct why *why);
void courier_answer(struct sim *s, struct device *d, struct bytes answer);  /* goes on its way */
void courier_deliver(struct sim *s, struct device *d, struct bytes answer); /* is there */
void courier_at_hub(struct sim *s, struct event *e);
void courier_at_device(struct sim *s, struct event *e);
void parcel_free(struct parcel *p);

/* shadow.c: a device that works where nobody else may look, and the choice of it. */
void shadow_choose(struct sim *s);
void shadow_act(struct sim *s);

/* twin.c: pairs of worlds that must agree (invariants 8 and 9). No oracle listens. */
void twin_hidden(uint64_t seed, bool loud);
void twin_clocks(uint64_t seed, bool loud);

/* policies.c */
void policy_event(struct sim *s, const struct event *e);

/* mishap.c: handlers of the mishaps. */
void mishap(struct sim *s, struct event *e);
void mishap_over(struct device *d); /* faults armed for the work in hand end */
/* Its power fails in one of the next so many steps of the work in hand. */
void mishap_in(struct sim *s, struct device *d, unsigned steps);
void outbox_rot(struct sim *s);     /* outbox_rot.c */
/* Does a page still hold some of what was judged since, and can nothing there be read? Its device sent that before the
 * bits flipped, keeps it for its author while it is held, and makes the page new when it next empties that table. */
bool outbox_rot_lurks(const struct device *d);
/* image.c: the ones with images of disks. */
void image_take(struct sim *s);
void image_put_back(struct sim *s);
void image_clone(struct sim *s);
void image_hub_back(struct sim *s, const struct event *e);


/* ledger.c: what people wrote, and what became of it. Invariants 2, 3 and 5. */
struct ledger_op { /* one column that somebody wrote, or a row that somebody made (col -1) */
    int tbl, col;
    uint8_t id[16], case_id[16];
    struct value value; /* borrowed for the call */
    struct value saw;   /* what stood there before */
    bool fresh;         /* part of a new row */
    bool forged; /* nobody could write this honestly: when the hub judges its envelope, that may not be applied or
                         * merged; nor may it become either later, unless a manager accepts it */
};
struct ledger *ledger_new(void);
void ledger_free(struct ledger *l);
void ledger_note(struct sim *s, struct device *d, const struct ledger_op *op); /* of the edit in hand */
void ledger_commit(struct sim *s, struct device *d,
                   uint64_t seq); /* it became envelope seq; reads its hash from the outbox */
void ledger_cancel(struct sim *s);
void ledger_unsure(
    struct sim *s); /* the power failed in its commit: it may be there all the same; nothing is claimed of it */
void ledger_put_back(struct sim *s,
                     struct device *d); /* its disk is an old image: what it wrote since is gone with the disk */
/* A device is enrolled anew, now as *d: everything that *was had not sent must be in its outbox again. */
void ledger_rescued(struct sim *s, const struct device *was, struct device *d);
void ledger_rotten(struct sim *s, const struct device *d); /* a gap may be sent in the place of what it has not sent */
/* Was this envelope lost to rot? Then it may be a fault at the hub. */
bool ledger_is_gap(const struct sim *s, const struct device *d, uint64_t seq);
/* What waits to be sent at a device that the hub refused: none of it may be lost when it is enrolled anew. */
void ledger_owed(struct sim *s, const struct device *d);
void ledger_at_hub(struct sim *s); /* after each event at the hub: envelopes that are new or judged anew */
void ledger_at_rest(struct sim *s);
void ledger_hub_lost(struct sim *s); /* what it has is looked at anew */

/* lease.c: how long a device may be opened without contact. Promise 11. */
void lease_joined(struct sim *s, struct device *d);               /* open for the first time */
void lease_opened(struct sim *s, struct device *d, bool refused); /* people were refused, and it is open for the hub */
/* One that may have counted. sure: it did. None that only said that it is cut off. */
void lease_contact(struct sim *s, struct device *d, bool sure);
bool lease_lets_in(struct sim *s, struct device *d);              /* somebody comes to work at it */

/* wipe.c: orders to destroy everything. Promise 12. */
bool wipe_is_noted(const struct device *d); /* it has heard of one: it is closed to people */
bool wipe_is_ordered(struct sim *s, const struct device *d);
bool wipe_may_be_ordered(struct sim *s, const struct device *d, bool at_once);
void wipe_done(struct sim *s, struct device *d); /* it was begun: is it whole? Switches it off for good */
bool wipe_was_found(struct sim *s, struct device *d, enum err e); /* e: of opening it. true: there is nothing to open */
void wipe_knock(struct sim *s, struct device *d); /* at the hub's door, switched on and not opened */
void wipe_at_rest(struct sim *s);

/* canary.c: every row that people make carries 128 random bits in a text of its own. Invariants 4 and 6. */
struct canary *canary_new(void);
void canary_free(struct canary *c);
/* A text of at most n - 1 bytes into out, with a new canary in it, for a row. */
void canary_text(struct sim *s, const uint8_t id[16], int tbl, char *out, size_t n);
/* A device forgot rows and is about to say so: nothing of them may be left on its disk. Called by check.c. */
void canary_scan(struct sim *s, struct device *d, const struct ids *must_not);

/* check.c: after every event, and at rest. */
void check_device(struct sim *s, struct device *d,
                  bool complete); /* after a contact; complete: it was told to be up to date */
void check_hub(struct sim *s);    /* tells the oracle what changed */
void check_at_rest(struct sim *s);

#include "tests/sim/lost.h"

#endif
