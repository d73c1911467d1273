// desk.c: who asks, who waits, what is under way. Promises: one evaluation for all who ask the same
// at the same time; a bounded number of evaluations, of which slow ones that nobody waits for give
// way to new ones, so that whoever has slow name servers cannot take SPF from all others; every
// waiter hears once, in time. Without DNS
// nobody waits: after UNREACHABLE_MAX questions in a row that no server answered, askers go on at
// once while evaluations go on trying, and the log says when that begins and ends.
#include "client/spf/desk.h"

#include "client/spf/cache.h"
#include "proto/base/clock.h"
#include "proto/base/dns.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "proto/text.h"

enum {
    UNREACHABLE_MAX = 5,
    REPORT_MS = 3600000,
    GIVES_WAY_MS = 1000, // an evaluation that took less does not give way
    ORPHANS_FACTOR = 4,  // questions of given up ones: so many times `parallel`
};

struct spf_waiter {
    TAILQ_ENTRY(spf_waiter) in_entry;
    TAILQ_ENTRY(spf_waiter) in_due;
    struct spf_entry *entry;
    struct spf_subject subject;
    uint64_t due_ms;
    void (*done)(void *arg, enum spf_outcome outcome);
    void *arg;
};

// What DNS is asked. It cannot be taken back, so it may live longer than its evaluation.
struct question {
    struct spf_desk *desk;
    struct flight *flight; // NULL = was given up
};

// An evaluation under way.
struct flight {
    TAILQ_ENTRY(flight) in_all;
    struct spf_desk *desk;
    struct question *question; // NULL = there is none under way
    struct spf_entry *entry;   // whose it is
    enum spf_key kind;         // of the entry
    struct spf_subject subject;
    uint64_t began_ms;
    bool is_stepping; // further down the stack
    bool is_answered; // DNS said something that was not looked at yet
    bool is_over;     // there is no memory for more answers
    struct spf_result result;
    struct spf_facts facts;
};

struct spf_desk {
    const struct spf_settings *settings;
    struct dns *resolver;
    struct spf_cache *cache;
    struct spf_waiters due; // all waiters; all wait equally long, so the first is due first
    struct loop_timer *due_timer;
    struct loop_timer *report;
    TAILQ_HEAD(flights, flight) flights; // oldest first
    uint64_t flight_count;
    uint64_t orphans;     // questions without an evaluation
    unsigned unreachable; // questions in a row
    bool is_closing;
    struct log_limit full;
    struct log_limit given_up;
    struct spf_counts counts;
    uint64_t reported; // counts.asked of the last line
};

static void step(struct flight *flight);

const char *spf_outcome_name(enum spf_outcome outcome)
{
    static const char *const names[SPF_OUTCOMES] = {
        [SPF_UNKNOWN] = "unknown",     [SPF_NONE] = "none",          [SPF_PASS] = "pass",
        [SPF_FAIL] = "fail",           [SPF_SOFTFAIL] = "softfail",  [SPF_NEUTRAL] = "neutral",
        [SPF_TEMPERROR] = "temperror", [SPF_PERMERROR] = "permerror"};

    return names[outcome];
}

// ---- waiters

static void set_due_timer(struct spf_desk *desk)
{
    const struct spf_waiter *first = TAILQ_FIRST(&desk->due);
    const uint64_t now_ms = clock_mono_ms();

    if (first == NULL)
        loop_timer_cancel(desk->due_timer);
    else
        loop_timer_set(desk->due_timer, first->due_ms > now_ms ? first->due_ms - now_ms : 0, 0);
}

static void attach(struct spf_waiter *waiter, struct spf_entry *entry)
{
    waiter->entry = entry;
    TAILQ_INSERT_TAIL(&entry->waiters, waiter, in_entry);
}

void spf_desk_forget(struct spf_desk *desk, struct spf_waiter **waiter)
{
    if (*waiter == NULL)
        return;
    TAILQ_REMOVE(&(*waiter)->entry->waiters, *waiter, in_entry);
    TAILQ_REMOVE(&desk->due, *waiter, in_due);
    mem_free(*waiter);
    *waiter = NULL;
}

// tell: the last that a waiter hears.
static void tell(struct spf_desk *desk, struct spf_waiter *waiter, enum spf_outcome outcome)
{
    void (*done)(void *arg, enum spf_outcome outcome) = waiter->done;
    void *arg = waiter->arg;

    spf_desk_forget(desk, &waiter);
    done(arg, outcome);
}

static void time_is_over(void *arg)
{
    struct spf_desk *desk = arg;
    const uint64_t now_ms = clock_mono_ms();
    struct spf_waiter *waiter = NULL;

    while ((waiter = TAILQ_FIRST(&desk->due)) != NULL && waiter->due_ms <= now_ms) {
        desk->counts.late++;
        tell(desk, waiter, SPF_UNKNOWN);
    }
    set_due_timer(desk);
}

// ---- evaluations

static uint64_t life_of(const struct flight *flight)
{
    const enum spf_outcome outcome = flight->result.outcome;
    const uint64_t most_ms = outcome == SPF_PASS ? SPF_LIFE_PASS_MS : SPF_LIFE_OTHER_MS;
    uint64_t life_ms = (uint64_t)flight->facts.ttl_s * 1000;

    if (outcome == SPF_TEMPERROR)
        return SPF_LIFE_TEMPERROR_MS;
    life_ms = life_ms < most_ms ? life_ms : most_ms;
    return life_ms > SPF_LIFE_LEAST_MS ? life_ms : SPF_LIFE_LEAST_MS;
}

static void settle(struct spf_entry *entry, const struct flight *flight)
{
    entry->outcome = flight->result.outcome;
    entry->varies = false;
    entry->expires_ms = clock_mono_ms() + life_of(flight);
}

static bool is_fresh(const struct spf_entry *entry)
{
    return !entry->is_under_way && clock_mono_ms() < entry->expires_ms;
}

static void give_up(struct flight *flight)
{
    struct spf_desk *desk = flight->desk;

    flight->question->flight = NULL;
    desk->orphans++;
    flight->entry->is_under_way = false;
    flight->entry->is_pinned = false;
    flight->entry->expires_ms = 0;
    TAILQ_REMOVE(&desk->flights, flight, in_all);
    desk->flight_count--;
    desk->counts.given_up++;
    mem_free(flight);
    log_limited(&desk->given_up, clock_mono_ms(), LOG_WARN_LEVEL,
                "slow SPF evaluations give way to new ones parallel=%llu",
                (unsigned long long)desk->settings->parallel);
}

// make_room: the oldest evaluation that nobody waits for gives way, if it had some time.
static void make_room(struct spf_desk *desk)
{
    const uint64_t now_ms = clock_mono_ms();
    struct flight *flight = NULL;

    if (desk->orphans >= ORPHANS_FACTOR * desk->settings->parallel)
        return;
    TAILQ_FOREACH(flight, &desk->flights, in_all)
    {
        if (now_ms - flight->began_ms < GIVES_WAY_MS)
            return;
        if (!flight->is_stepping && TAILQ_EMPTY(&flight->entry->waiters)) {
            give_up(flight);
            return;
        }
    }
}

static bool begin(struct spf_desk *desk, struct spf_entry *entry, enum spf_key kind,
                  const struct spf_subject *subject)
{
    struct flight *flight = NULL;

    if (desk->flight_count >= desk->settings->parallel)
        make_room(desk);
    if (desk->flight_count >= desk->settings->parallel)
        return false;
    flight = mem_new(sizeof(*flight));
    flight->desk = desk;
    flight->entry = entry;
    flight->kind = kind;
    flight->subject = *subject;
    flight->began_ms = clock_mono_ms();
    spf_facts_init(&flight->facts);
    entry->is_under_way = true;
    entry->is_pinned = true;
    TAILQ_INSERT_TAIL(&desk->flights, flight, in_all);
    desk->flight_count++;
    desk->counts.begun++;
    step(flight);
    return true;
}

// find_entry: where the outcome for this subject is, or will be.
static struct spf_entry *find_entry(struct spf_desk *desk, const struct spf_subject *subject,
                                    enum spf_key *kind)
{
    struct spf_entry *entry = spf_cache_take(desk->cache, subject, SPF_KEY_DOMAIN);

    *kind = SPF_KEY_DOMAIN;
    if (!is_fresh(entry) || !entry->varies)
        return entry;
    *kind = SPF_KEY_SENDER;
    return spf_cache_take(desk->cache, subject, SPF_KEY_SENDER);
}

static void note_full(struct spf_desk *desk)
{
    desk->counts.full++;
    log_limited(&desk->full, clock_mono_ms(), LOG_WARN_LEVEL,
                "too many SPF evaluations under way, mail goes on without parallel=%llu",
                (unsigned long long)desk->settings->parallel);
}

// look: the entry of a subject, with an evaluation begun where one is needed. NULL: there is no
// room for one.
static struct spf_entry *look(struct spf_desk *desk, const struct spf_subject *subject)
{
    enum spf_key kind = SPF_KEY_DOMAIN;
    struct spf_entry *entry = find_entry(desk, subject, &kind);
    bool is_begun = false;

    if (entry->is_under_way || is_fresh(entry))
        return entry;
    entry->is_pinned = true; // it may all be over at once
    is_begun = begin(desk, entry, kind, subject);
    entry->is_pinned = entry->is_under_way;
    if (!is_begun) {
        note_full(desk);
        return NULL;
    }
    if (entry->is_under_way || !entry->varies)
        return entry;
    return spf_cache_take(desk->cache, subject, SPF_KEY_SENDER);
}

// move_waiter: the evaluation that it waited for says nothing about its sender.
static void move_waiter(struct spf_desk *desk, struct spf_waiter *waiter)
{
    struct spf_entry *entry = NULL;

    TAILQ_REMOVE(&waiter->entry->waiters, waiter, in_entry);
    entry = look(desk, &waiter->subject);
    if (entry != NULL && entry->is_under_way) {
        attach(waiter, entry);
        return;
    }
    tell(desk, waiter, entry != NULL ? entry->outcome : SPF_UNKNOWN);
}

// tell_all: those who wait for this entry. It is settled, so no new ones come.
static void tell_all(struct spf_desk *desk, struct spf_entry *entry)
{
    struct spf_waiter *waiter = NULL;

    while ((waiter = TAILQ_FIRST(&entry->waiters)) != NULL) {
        if (entry->varies)
            move_waiter(desk, waiter);
        else
            tell(desk, waiter, entry->outcome);
    }
}

static void finish(struct flight *flight)
{
    struct spf_desk *desk = flight->desk;
    struct spf_entry *entry = flight->entry;

    desk->counts.outcomes[flight->result.outcome]++;
    settle(entry, flight);
    entry->is_under_way = false;
    if (flight->kind == SPF_KEY_DOMAIN && flight->result.varies) {
        entry->varies = true;
        settle(spf_cache_take(desk->cache, &flight->subject, SPF_KEY_SENDER), flight);
    }
    TAILQ_REMOVE(&desk->flights, flight, in_all);
    desk->flight_count--;
    mem_free(flight);
    tell_all(desk, entry);
    entry->is_pinned = false; // not before the last has heard
    set_due_timer(desk);
}

// note_reach: whether there is DNS at all.
static void note_reach(struct spf_desk *desk, const struct dns_reply *reply)
{
    if (reply->unreachable && ++desk->unreachable == UNREACHABLE_MAX)
        log_warn("no name server answers, mail goes on without SPF why=\"%s\"", reply->why);
    if (reply->unreachable)
        return;
    if (desk->unreachable >= UNREACHABLE_MAX)
        log_info("name servers answer again unanswered=%u", desk->unreachable);
    desk->unreachable = 0;
}

static void answer_came(void *arg, const struct dns_reply *reply)
{
    struct question *question = arg;
    struct spf_desk *desk = question->desk;
    struct flight *flight = question->flight;

    mem_free(question);
    if (desk->is_closing)
        return;
    note_reach(desk, reply);
    if (flight == NULL) {
        desk->orphans--;
        return;
    }
    const struct spf_query *query = &flight->result.query;
    flight->question = NULL;
    if (spf_facts_add(&flight->facts, query->name, query->type, reply->state, reply->bytes,
                      reply->len) != ERR_NONE)
        flight->is_over = true;
    flight->is_answered = true;
    if (!flight->is_stepping)
        step(flight);
}

// limit: an evaluation that wants more than anybody should gets the outcome that RFC 7208 section
// 4.6.4 has for it.
static void limit(struct flight *flight)
{
    if (flight->result.outcome != SPF_UNKNOWN)
        return;
    if (flight->is_over || flight->facts.count >= SPF_ANSWERS_MAX)
        flight->result.outcome = SPF_PERMERROR;
    else if (clock_mono_ms() - flight->began_ms >= SPF_EVALUATION_MS)
        flight->result.outcome = SPF_TEMPERROR;
}

static void ask_dns(struct flight *flight)
{
    struct question *question = mem_new(sizeof(*question));

    question->desk = flight->desk;
    question->flight = flight;
    flight->question = question;
    dns_ask(flight->desk->resolver, flight->result.query.name, (int)flight->result.query.type,
            answer_came, question);
}

// step: as far as it goes without waiting for DNS.
static void step(struct flight *flight)
{
    flight->is_stepping = true;
    do {
        flight->is_answered = false;
        spf_evaluate(&flight->subject, &flight->facts, &flight->result);
        limit(flight);
        if (flight->result.outcome != SPF_UNKNOWN) {
            finish(flight);
            return;
        }
        ask_dns(flight);
    } while (flight->is_answered);
    flight->is_stepping = false;
}

// ---- the desk

static struct spf_waiter *wait_for(struct spf_desk *desk, const struct spf_subject *subject,
                                   struct spf_entry *entry)
{
    struct spf_waiter *waiter = mem_new(sizeof(*waiter));

    waiter->subject = *subject;
    waiter->due_ms = clock_mono_ms() + desk->settings->deadline_ms;
    attach(waiter, entry);
    TAILQ_INSERT_TAIL(&desk->due, waiter, in_due);
    set_due_timer(desk);
    return waiter;
}

struct spf_waiter *spf_desk_ask(struct spf_desk *desk, const struct spf_subject *subject,
                                void (*done)(void *arg, enum spf_outcome outcome), void *arg,
                                enum spf_outcome *now)
{
    const uint64_t begun = desk->counts.begun;
    struct spf_entry *entry = look(desk, subject);
    struct spf_waiter *waiter = NULL;

    desk->counts.asked++;
    *now = SPF_UNKNOWN;
    if (entry == NULL)
        return NULL;
    if (!entry->is_under_way) {
        desk->counts.known += desk->counts.begun == begun;
        *now = entry->outcome;
        return NULL;
    }
    desk->counts.joined += desk->counts.begun == begun;
    if (desk->unreachable >= UNREACHABLE_MAX || desk->settings->deadline_ms == 0) {
        desk->counts.late++;
        return NULL;
    }
    waiter = wait_for(desk, subject, entry);
    waiter->done = done;
    waiter->arg = arg;
    return waiter;
}

const struct spf_counts *spf_desk_counts(const struct spf_desk *desk)
{
    return &desk->counts;
}

void spf_desk_log(const struct spf_desk *desk)
{
    const struct spf_counts *counts = &desk->counts;
    char memory[256];
    struct text_buf outcomes;

    text_buf_init(&outcomes, memory, sizeof(memory));
    for (int i = SPF_NONE; i < SPF_OUTCOMES; i++)
        text_buf_add(&outcomes, " %s=%llu", spf_outcome_name((enum spf_outcome)i),
                     (unsigned long long)counts->outcomes[i]);
    log_info("spf asked=%llu known=%llu joined=%llu late=%llu full=%llu evaluated=%llu%s kept=%zu "
             "given_up=%llu",
             (unsigned long long)counts->asked, (unsigned long long)counts->known,
             (unsigned long long)counts->joined, (unsigned long long)counts->late,
             (unsigned long long)counts->full, (unsigned long long)counts->begun, memory,
             spf_cache_count(desk->cache), (unsigned long long)counts->given_up);
}

static void report(void *arg)
{
    struct spf_desk *desk = arg;

    if (desk->counts.asked == desk->reported)
        return;
    desk->reported = desk->counts.asked;
    spf_desk_log(desk);
}

enum err spf_desk_new(struct spf_desk **out, struct loop *loop, const struct spf_settings *settings,
                      struct err_detail *detail)
{
    struct dns *resolver = NULL;
    struct spf_desk *desk = NULL;
    const struct dns_config config = {.servers = settings->servers};
    enum err err = dns_new(&resolver, loop, &config, detail);

    if (err != ERR_NONE)
        return err;
    desk = mem_new(sizeof(*desk));
    desk->settings = settings;
    desk->resolver = resolver;
    desk->cache = spf_cache_new((size_t)settings->cache);
    TAILQ_INIT(&desk->due);
    TAILQ_INIT(&desk->flights);
    desk->due_timer = loop_timer_new(loop, time_is_over, desk);
    desk->report = loop_timer_new(loop, report, desk);
    loop_timer_set(desk->report, REPORT_MS, REPORT_MS);
    *out = desk;
    return ERR_NONE;
}

void spf_desk_free(struct spf_desk **desk)
{
    struct flight *flight = NULL;

    if (*desk == NULL)
        return;
    report(*desk);
    (*desk)->is_closing = true;
    dns_free(&(*desk)->resolver);
    while ((flight = TAILQ_FIRST(&(*desk)->flights)) != NULL) {
        TAILQ_REMOVE(&(*desk)->flights, flight, in_all);
        mem_free(flight);
    }
    loop_timer_free(&(*desk)->due_timer);
    loop_timer_free(&(*desk)->report);
    spf_cache_free(&(*desk)->cache);
    mem_free(*desk);
    *desk = NULL;
}
