// dnslist.c: who asks, who waits, what is under way. Promises: each name that is under way is there once; whoever waits hears once,
// and no later than they said; what DNS has to do is bounded, in all and of each list. Nobody waits for a list that eight waited for
// in vain, one after the other: else a silent one would hold the seats that everybody needs; its next answer makes it one
// to wait for again.
#include "node/dnslist/dnslist.h"

#include <arpa/nameser.h>
#include <string.h>

#include "node/dnslist/cache.h"
#include "node/dnslist/question.h"
#include "node/dnslist/zone.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

enum { UNDER_WAY_MAX = 2048, OF_ONE_MAX = 512, QUIET_AFTER = 8 };

// One list that somebody waits for.
struct dnslist_item {
    TAILQ_ENTRY(dnslist_item) next;
    struct dnslist_items *in; // an entry's or a zone's waiters
    struct visit *visit;
    struct dnslist_zone *zone;
    size_t list;                // which of the visit's
    struct facts_list if_sound; // in a zone's: what the list has said
};

// Somebody who asked.
struct visit {
    TAILQ_ENTRY(visit) next;
    struct dnslist *desk;
    const struct policy_dns_list *list;
    struct facts_list *out;
    struct dnslist_done done;
    struct loop_timer *timer; // NULL while dnslist_ask is on the stack
    size_t left;              // items that are waited for
    struct dnslist_item item[];
};
TAILQ_HEAD(visits, visit);

// What DNS is asked.
struct question {
    struct dnslist *desk;
    struct dnslist_zone *zone;
    struct dnslist_entry *entry;
};

struct dnslist {
    struct loop *loop;
    struct dns *resolver;
    struct dnslist_cache *cache;
    struct dnslist_zones *zones;
    struct visits visits; // all that wait
    struct dnslist_counters counters;
    unsigned under_way;
    bool is_closing;
};

// ---- who waits

static void end_visit(struct visit *visit)
{
    const struct dnslist_done done = visit->done;

    TAILQ_REMOVE(&visit->desk->visits, visit, next);
    loop_timer_free(&visit->timer);
    mem_free(visit);
    done.fn(done.arg, done.token);
}

// settle: one of its lists is known. The visit may be over behind it.
static void settle(struct dnslist_item *item, struct facts_list said)
{
    struct visit *visit = item->visit;

    visit->out[item->list] = said;
    item->zone->hits += said.said == FACTS_LIST_HIT;
    visit->desk->counters.silent += said.said == FACTS_LIST_SILENT;
    TAILQ_REMOVE(item->in, item, next);
    item->in = NULL;
    if (--visit->left == 0 && visit->timer != NULL)
        end_visit(visit);
}

static void wait_in(struct dnslist_item *item, struct dnslist_items *in)
{
    item->in = in;
    TAILQ_INSERT_TAIL(in, item, next);
}

static void has_waited(void *arg)
{
    static const struct facts_list silence = {.said = FACTS_LIST_SILENT};
    struct visit *visit = arg;
    size_t left = visit->left;

    for (size_t i = 0; left > 0; i++) {
        if (visit->item[i].in == NULL)
            continue;
        visit->item[i].zone->silent++;
        left--;
        settle(&visit->item[i], silence);
    }
}

// ---- what an answer says

// A listing counts only of a list that is sound; that somebody is not listed needs no proof.
static bool is_decided(const struct dnslist_zone *zone, const struct dnslist_entry *entry)
{
    return entry->answer.said != DNSLIST_LISTED || zone->health == DNSLIST_SOUND;
}

static void forget_answer(struct dnslist_entry *entry)
{
    entry->answer = (struct dnslist_answer){.said = DNSLIST_FAILED};
    entry->expires_ms = 0;
}

// hear: the entry's answer is there: what that says is known now, or when the list was looked at.
static void hear(struct dnslist_item *item, const struct dnslist_entry *entry)
{
    static const struct facts_list silence = {.said = FACTS_LIST_SILENT};
    struct dnslist_zone *zone = item->zone;

    item->if_sound = dnslist_judge(&item->visit->list[item->list], &entry->answer);
    if (is_decided(zone, entry) || !zone->is_checking) {
        settle(item, is_decided(zone, entry) ? item->if_sound : silence);
        return;
    }
    TAILQ_REMOVE(item->in, item, next);
    wait_in(item, &zone->waiters);
}

static void tell_all(struct dnslist_entry *entry)
{
    struct dnslist_item *item = NULL;

    while ((item = TAILQ_FIRST(&entry->waiters)) != NULL)
        hear(item, entry);
}

static void is_checked(void *arg, struct dnslist_zone *zone)
{
    static const struct facts_list silence = {.said = FACTS_LIST_SILENT};
    const struct dnslist *desk = arg;
    struct dnslist_item *item = NULL;

    if (desk->is_closing)
        return;
    while ((item = TAILQ_FIRST(&zone->waiters)) != NULL)
        settle(item, zone->health == DNSLIST_SOUND ? item->if_sound : silence);
}

// ---- DNS

static uint64_t life_of(const struct dnslist_answer *answer)
{
    const uint64_t most_ms =
        answer->said == DNSLIST_CLEAR ? DNSLIST_LIFE_CLEAR_MS : DNSLIST_LIFE_MOST_MS;
    uint64_t life_ms = (uint64_t)answer->life_s * 1000;

    if (answer->said == DNSLIST_FAILED)
        return DNSLIST_LIFE_FAILED_MS;
    life_ms = life_ms < most_ms ? life_ms : most_ms;
    return life_ms > DNSLIST_LIFE_LEAST_MS ? life_ms : DNSLIST_LIFE_LEAST_MS;
}

static void count(struct dnslist *desk, enum dnslist_said said)
{
    desk->counters.listed += said == DNSLIST_LISTED;
    desk->counters.clear += said == DNSLIST_CLEAR;
    desk->counters.failed += said == DNSLIST_FAILED || said == DNSLIST_UNSOUND;
}

static void keep(struct dnslist *desk, struct dnslist_zone *zone, struct dnslist_entry *entry)
{
    const struct dnslist_answer *answer = &entry->answer;

    count(desk, answer->said);
    entry->expires_ms = clock_mono_ms() + life_of(answer);
    if (answer->said != DNSLIST_FAILED)
        zone->silent = 0;
    if (answer->said == DNSLIST_UNSOUND)
        dnslist_zone_refuse(zone, answer->code[0]);
    if (entry->round != zone->round || zone->health == DNSLIST_OFF)
        forget_answer(entry);
}

static void answer_came(void *arg, const struct dns_reply *reply)
{
    struct question *question = arg;
    const struct question was = *question;

    mem_free(question);
    if (was.desk->is_closing)
        return;
    was.desk->under_way--;
    was.zone->under_way--;
    dnslist_answer_read(reply, &was.entry->answer);
    was.entry->is_under_way = false;
    keep(was.desk, was.zone, was.entry);
    tell_all(was.entry);
    was.entry->is_pinned = was.entry->is_under_way; // not before the last has heard
}

static void ask_dns(struct dnslist *desk, struct dnslist_zone *zone, struct dnslist_entry *entry)
{
    struct question *question = mem_new(sizeof(*question));

    *question = (struct question){desk, zone, entry};
    entry->is_under_way = true;
    entry->is_pinned = true;
    entry->round = zone->round;
    desk->counters.asked++;
    desk->under_way++;
    zone->under_way++;
    zone->asked++;
    dns_ask(desk->resolver, entry->name, ns_t_a, answer_came, question);
}

// ---- who asks

static bool is_fresh(const struct dnslist_zone *zone, const struct dnslist_entry *entry)
{
    return !entry->is_under_way && entry->round == zone->round &&
           clock_mono_ms() < entry->expires_ms;
}

static bool has_room(struct dnslist *desk, const struct dnslist_zone *zone)
{
    const bool has = desk->under_way < UNDER_WAY_MAX && zone->under_way < OF_ONE_MAX;

    desk->counters.crowded += !has;
    return has;
}

// find: the entry of a name, which is known now, or under way. NULL: too much is.
static struct dnslist_entry *find(struct dnslist *desk, struct dnslist_zone *zone, const char *name)
{
    struct dnslist_entry *entry = dnslist_cache_find(desk->cache, name);

    if (entry != NULL && entry->is_under_way) {
        desk->counters.joined++;
        return entry;
    }
    if (entry != NULL && is_fresh(zone, entry)) {
        desk->counters.known++;
        return entry;
    }
    if (!has_room(desk, zone))
        return NULL;
    entry = dnslist_cache_take(desk->cache, name);
    ask_dns(desk, zone, entry);
    return entry;
}

// join: the item waits for what it needs, or is settled at once.
static void join(struct dnslist_item *item, struct dnslist_entry *entry, bool waits)
{
    wait_in(item, &entry->waiters);
    if (!entry->is_under_way)
        hear(item, entry);
    if (item->in == NULL || (waits && item->zone->silent < QUIET_AFTER))
        return;
    settle(item, (struct facts_list){.said = FACTS_LIST_SILENT});
}

static bool name_of(const struct dnslist_question *question, const struct policy_dns_list *list,
                    char out[DNSLIST_NAME_MAX])
{
    const char *domain = list->is_good ? question->proven : question->domain;

    return dnslist_name(list, question->client, domain, out);
}

static void ask_one(struct visit *visit, const struct dnslist_question *question, size_t list)
{
    struct dnslist *desk = visit->desk;
    struct dnslist_item *item = &visit->item[list];
    struct dnslist_entry *entry = NULL;
    char name[DNSLIST_NAME_MAX];

    visit->out[list] = (struct facts_list){.said = FACTS_LIST_UNASKED};
    if (!name_of(question, &visit->list[list], name))
        return;
    visit->out[list].said = FACTS_LIST_SILENT;
    desk->counters.questions++;
    item->visit = visit;
    item->list = list;
    item->zone = dnslist_zone_of(desk->zones, visit->list[list].zone, visit->list[list].of_sender);
    dnslist_zone_look(item->zone);
    if (item->zone->health == DNSLIST_OFF) {
        desk->counters.unsound++;
        return;
    }
    entry = find(desk, item->zone, name);
    if (entry == NULL)
        return;
    visit->left++;
    join(item, entry, question->within_ms > 0);
}

static void say_known(struct dnslist *desk, const struct dnslist_question *question)
{
    char name[DNSLIST_NAME_MAX];

    for (size_t i = 0; i < question->count; i++) {
        const struct policy_dns_list *list = &question->list[i];
        const struct dnslist_zone *zone = dnslist_zone_of(desk->zones, list->zone, list->of_sender);
        const struct dnslist_entry *entry = NULL;

        question->out[i] = (struct facts_list){.said = FACTS_LIST_UNASKED};
        if (name_of(question, list, name))
            entry = dnslist_cache_find(desk->cache, name);
        if (entry != NULL && is_fresh(zone, entry) && is_decided(zone, entry))
            question->out[i] = dnslist_judge(list, &entry->answer);
    }
}

void dnslist_ask(struct dnslist *desk, const struct dnslist_question *question,
                 struct dnslist_done done)
{
    struct visit *visit = NULL;

    if (question->known_only) {
        say_known(desk, question);
        done.fn(done.arg, done.token);
        return;
    }
    visit = mem_new(sizeof(*visit) + question->count * sizeof(visit->item[0]));
    visit->desk = desk;
    visit->list = question->list;
    visit->out = question->out;
    visit->done = done;
    TAILQ_INSERT_TAIL(&desk->visits, visit, next);
    for (size_t i = 0; i < question->count; i++)
        ask_one(visit, question, i);
    if (visit->left == 0) {
        end_visit(visit);
        return;
    }
    visit->timer = loop_timer_new(desk->loop, has_waited, visit);
    loop_timer_set(visit->timer, question->within_ms, 0);
}

// ---- what it has to say of itself

const struct dnslist_counters *dnslist_counters(const struct dnslist *desk)
{
    return &desk->counters;
}

uint64_t dnslist_kept(const struct dnslist *desk)
{
    return dnslist_cache_count(desk->cache);
}

size_t dnslist_views(const struct dnslist *desk, struct dnslist_view *out, size_t most)
{
    size_t count_of = 0;

    for (const struct dnslist_zone *zone = dnslist_zone_first(desk->zones);
         zone != NULL && count_of < most; zone = SLIST_NEXT(zone, next))
        out[count_of++] = (struct dnslist_view){
            .zone = zone->name, .is_off = zone->health == DNSLIST_OFF, .hits = zone->hits};
    return count_of;
}

// ---- birth and death

enum err dnslist_new(struct dnslist **out, const struct dnslist_config *config,
                     struct err_detail *detail)
{
    struct dns *resolver = NULL;
    enum err err = dns_new(&resolver, config->loop, &config->dns, detail);

    if (err != ERR_NONE)
        return err;
    struct dnslist *desk = mem_new(sizeof(*desk));

    desk->loop = config->loop;
    desk->resolver = resolver;
    desk->cache = dnslist_cache_new(config->cache);
    desk->zones = dnslist_zones_new(resolver, (struct dnslist_zone_calls){is_checked, desk});
    TAILQ_INIT(&desk->visits);
    *out = desk;
    return ERR_NONE;
}

void dnslist_free(struct dnslist **desk)
{
    if (*desk == NULL)
        return;
    while (!TAILQ_EMPTY(&(*desk)->visits))
        has_waited(TAILQ_FIRST(&(*desk)->visits));
    (*desk)->is_closing = true;
    dns_free(&(*desk)->resolver); // ends what is under way
    dnslist_zones_free(&(*desk)->zones);
    dnslist_cache_free(&(*desk)->cache);
    mem_free(*desk);
    *desk = NULL;
}
