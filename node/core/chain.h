// chain.h: the decision table (README.md) as an array of steps, and what comes out of it.
//
// A step looks at the facts and says pass (goes on), skip (does not apply), hit (decided) or wait
// (needs a fact that the caller must fetch first: run the chain again when it is there). The first
// hit is the verdict; but one that only holds the mail does not save it from what rejects or defers it behind that. Same input, same output: no clock, no socket, no heap, no log.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/facts.h"
#include "node/core/policy.h"
#include "node/core/reason.h"
#include "proto/text.h"

enum outcome { OUTCOME_PASS, OUTCOME_SKIP, OUTCOME_HIT, OUTCOME_SHADOW, OUTCOME_WAIT };

enum { CHAIN_STEPS_MAX = 32 };

struct trace_row {
    const char *step;
    enum outcome outcome;
    const char *rule;
    const char *why; // in words; in the memory of the trace
};

// Where the trace goes. rows NULL = no trace is wanted.
struct trace {
    struct trace_row *rows; // CHAIN_STEPS_MAX
    size_t count;
    struct text_buf text; // memory for the why of each row
};

// What must be written so that the verdict holds. The caller writes; the chain only says.
struct changes {
    // OUTCOME_WAIT: count this recipient, and its mail (in a dry run: read only), then run again. What is counted and
    // then not accepted is taken back.
    bool want_recipient_count;
    bool want_mail_count;
    bool
        want_probe; // OUTCOME_WAIT: ask the other server whether the recipient exists (in a dry run: nobody is
                    // asked), then run again
    bool want_pending;    // OUTCOME_WAIT: make the second trip (in a dry run: read only), then run
                          // again
    bool write_passed;    // every identity of the request is passed now
    uint32_t passed_mark; // mark of the transaction that made it pass, or 0 for a refresh
    bool align_pending; // identities of the current slice get the earliest first-seen and its mark
    uint64_t earliest_ms;
    uint32_t earliest_mark;
};

// A policy that applied, whether or not something came of it: what operators count.
struct used_rule {
    const struct policy_rule *rule;
    bool in_shadow; // it would have applied
};
// One of each kind, in force and in shadow; the sender's kinds of mail policies are asked for the login as well.
enum { VERDICT_USED_MAX = 2 * (POLICY_KINDS + 2) };

struct verdict {
    enum reason reason;
    const char *rule;
    const char *note;
    enum msg_direction direction;
    bool skip_reputation;
    bool skip_greylist;
    bool skip_spam;
    uint64_t retry_after_ms;
    uint64_t waited_ms;
    uint64_t first_seen_ms; // the first try that the verdict rests on; 0 = none
    bool degraded;
    const char *degraded_why; // static; NULL = the store's own word says it
    enum reason shadow;       // would have decided; REASON_COUNT = nothing
    const char *shadow_rule;
    const char *hold_for;         // of a hold: user, moderator, admin; of the policy set, or static
    struct facts_for_all for_all; // what holds for all recipients of the message
    // A step holds it: what rejects or defers it behind that wins, else it is held in the end. reason REASON_COUNT =
    // none does; the first one counts.
    struct held {
        enum reason reason;
        const char *rule, *note, *hold_for;
    } held;
    struct used_rule used[VERDICT_USED_MAX]; // each once
    unsigned used_count;
    bool is_watched; // what its client names is counted (harvest.h)
    bool greylisted; // it waits, or would if greylisting were not in shadow
    bool is_new;     // its own first try is what it rests on
    bool carries;    // it is known by what this client did: it carries the other recipients
    bool is_carried; // it is known because another recipient of its transaction is
    struct changes changes;
};

struct chain_in {
    const struct facts *facts;
    const struct facts_recipient *recipient;
    const struct policy *policy;
};

// One step. why is what was known and what was compared, for the trace.
struct step {
    const char
        *name;       // of the decision table: the file, the trace, the metric and the manual use it
    unsigned stages; // bits 1 << enum msg_stage
    bool is_late;    // it looks at what is stored or remembered: it runs again when that has come
    // Whether this row is the one that runs, of a step that has two places; NULL = always. Else it leaves no trace.
    bool (*is_placed)(const struct chain_in *in);
    enum outcome (*run)(const struct chain_in *in, struct verdict *out, struct text_buf *why);
};

// chain_steps: the array, ended by a row without a name.
const struct step *chain_steps(void);

// What the steps that need nothing stored have said of a recipient; kept, so that they run once.
struct chain_start {
    struct verdict verdict;
    const struct step *next; // the first that is late
    const char *decider;     // the step that decided; NULL = none did
    size_t rows;             // of the trace
    size_t text_used;
};

// chain_begin: runs the steps up to the first that is late.
void chain_begin(const struct chain_in *in, struct chain_start *out, struct trace *trace);

// chain_run: goes on from where chain_begin ended. OUTCOME_WAIT in the result means that out->changes.want_pending (or want_count) is set and
// out holds no verdict yet; else OUTCOME_PASS with the verdict in *out.
enum outcome chain_run(const struct chain_in *in, const struct chain_start *start,
                       struct verdict *out, struct trace *trace);

// chain_merge: STAGE_END's one reply out of the recipients' reasons: all rejected = the first
// reject; all refused somehow = the first deferral; else accept, or where nobody accepts the first hold. Returns the
// index of the verdict that speaks, count must not be 0.
size_t chain_merge(const enum reason *reasons, size_t count);

const char *outcome_text(enum outcome outcome);

// chain_query: what policies about this message and recipient are matched against.
static inline struct policy_query chain_query(const struct chain_in *in)
{
    return (struct policy_query){.from = &in->facts->sender_party,
                                 .to = &in->recipient->party,
                                 .client = &in->facts->client,
                                 .now_ms = in->facts->now_ms};
}

// chain_person: what is kept of the recipient.
static inline const struct person_facts *chain_person(const struct chain_in *in)
{
    return in->recipient->person != NULL ? in->recipient->person : &PERSON_NOTHING;
}

// chain_use: notes a policy that applied (NULL: none did), as in shadow if that is its mode; once, however often it is said.
void chain_use(struct verdict *out, const struct policy_rule *rule);

// permit_admin_lets: a policy of kind permit lets this recipient's mail through, and nothing voids that.
bool permit_admin_lets(const struct chain_in *in);

// recipient_is_named: the policy set itself says that the recipient exists: postmaster, a user or an alias of one, a
// group's own address.
bool recipient_is_named(const struct chain_in *in);

// greylist_is_due: would this recipient be greylisted if nothing were known of it? False:
// greylist_step needs no fact of the store. so_far is what the steps before have said.
bool greylist_is_due(const struct chain_in *in, const struct verdict *so_far);

// greylist_is_first_try: the store said that nothing is known of this recipient's triplet, and nothing else
// spares it the test: it is new mail. False as long as the second trip was not made.
bool greylist_is_first_try(const struct chain_in *in);
// greylist_defer: a deferral: decides, or where greylisting is in shadow is only noted.
enum outcome greylist_defer(const struct chain_in *in, struct verdict *out, enum reason reason);

// greylist_tried: the first try of this mail that the store holds: how long ago, and whether this very transaction made it.
// False: none is known.
bool greylist_tried(const struct chain_in *in, uint64_t *age_ms, bool *own);

// What the local score makes of a mail; each is stricter than the one before.
enum reputation_band {
    REPUTATION_NO_BAND, // nothing is known
    REPUTATION_SKIP,    // greylisting is skipped
    REPUTATION_NORMAL,
    REPUTATION_LONG, // greylisting takes longer
    REPUTATION_REJECT,
};
enum reputation_band reputation_band(const struct chain_in *in);
const char *reputation_band_text(enum reputation_band band);
// reputation_is_good: a good list names it, or its score is one that skips greylisting; nothing of it in shadow.
bool reputation_is_good(const struct chain_in *in);
// reputation_surge_holds: it suddenly sends much more than before, so that nothing spares it greylisting.
bool reputation_surge_holds(const struct chain_in *in);
// reputation_delay_ms: the age from which a retry of this mail passes greylisting.
uint64_t reputation_delay_ms(const struct chain_in *in);
// Evidence of its own, without which nobody is refused: reports of the address, or of its network.
#define REPUTATION_OWN_IP  2.0
#define REPUTATION_OWN_NET 8.0

// A repeated question is recognised for this long after a first try: longer than any SMTP
// transaction lasts, and short enough that a gateway which sends one constant transaction cannot
// defer a mail for ever.
#define GREYLIST_TRANSACTION_MS (3600ULL * 1000)
// A first try further in the future than this is no first try but a clock that jumped.
#define GREYLIST_FUTURE_MS (60ULL * 1000)

// So long after an internal domain was first declared anti_spoof is only told, inclusive.
#define ANTI_SPOOF_NEW_MS (7ULL * 24 * 3600 * 1000)

// First tries of a network are counted in hours of the store's clock.
#define ABUSE_HOUR_MS (3600ULL * 1000)
// abuse_word: whether the recipient exists, as far as the facts tell, whether or not the chain came to the step recipient:
// what a client that harvests would be told sooner or later.
enum harvest_word { HARVEST_UNTOLD, HARVEST_EXISTS, HARVEST_NOBODY };
enum harvest_word abuse_word(const struct chain_in *in, enum msg_direction direction);

// The steps, in the table's order.
enum outcome geo_step(const struct chain_in *in, struct verdict *out, struct text_buf *why);
enum outcome syntax_step(const struct chain_in *in, struct verdict *out, struct text_buf *why);
enum outcome direction_step(const struct chain_in *in, struct verdict *out, struct text_buf *why);
enum outcome anti_spoof_step(const struct chain_in *in, struct verdict *out, struct text_buf *why);
enum outcome block_admin_step(const struct chain_in *in, struct verdict *out, struct text_buf *why);
enum outcome block_user_step(const struct chain_in *in, struct verdict *out, struct text_buf *why);
enum outcome permit_admin_step(const struct chain_in *in, struct verdict *out,
                               struct text_buf *why);
enum outcome permit_user_step(const struct chain_in *in, struct verdict *out, struct text_buf *why);
enum outcome auto_allow_step(const struct chain_in *in, struct verdict *out, struct text_buf *why);
enum outcome abuse_step(const struct chain_in *in, struct verdict *out, struct text_buf *why);
enum outcome reputation_step(const struct chain_in *in, struct verdict *out, struct text_buf *why);
enum outcome recipient_step(const struct chain_in *in, struct verdict *out, struct text_buf *why);
enum outcome greylist_step(const struct chain_in *in, struct verdict *out, struct text_buf *why);
enum outcome policy_step(const struct chain_in *in, struct verdict *out, struct text_buf *why);
