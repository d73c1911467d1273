// zone.c: see zone.h. Promises: a list that is off, or sound again, is logged once.
#include "node/dnslist/zone.h"

#include <arpa/nameser.h>
#include <stdio.h>
#include <string.h>

#include "node/dnslist/question.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

SLIST_HEAD(zone_list, dnslist_zone);

struct dnslist_zones {
    struct zone_list all;
    struct dns *resolver;
    struct dnslist_zone_calls calls;
};

// A question of a check.
struct test {
    struct dnslist_zone *zone;
    enum dnslist_test kind;
};

static void ask(struct dnslist_zone *zone, enum dnslist_test kind);

// ---- what becomes of it

static void look_after(struct dnslist_zone *zone, uint64_t ms)
{
    zone->check_ms = clock_mono_ms() + ms;
}

static void go_off(struct dnslist_zone *zone, const char *why, uint32_t code)
{
    const bool was_off = zone->health == DNSLIST_OFF;

    zone->health = DNSLIST_OFF;
    look_after(zone, DNSLIST_OFF_MS);
    if (was_off)
        return;
    zone->round++;
    log_warn("a DNS list is off until it is sound again list=%s why=\"%s\" answer=%u.%u.%u.%u",
             zone->name, why, code >> 24, code >> 16 & 255, code >> 8 & 255, code & 255);
}

void dnslist_zone_refuse(struct dnslist_zone *zone, uint32_t code)
{
    zone->is_refused = true;
    go_off(zone,
           code >> 24 == 127 ? "it refuses to answer this resolver"
                             : "what it answers is no listing: the zone is somebody else's",
           code);
}

static void is_sound(struct dnslist_zone *zone)
{
    if (zone->health == DNSLIST_OFF)
        log_info("a DNS list is sound again list=%s", zone->name);
    zone->health = DNSLIST_SOUND;
    look_after(zone, DNSLIST_SOUND_MS);
}

// never_came: what the list says of 127.0.0.1 decides.
static void never_came(struct dnslist_zone *zone, const struct dnslist_answer *answer)
{
    look_after(zone, zone->health == DNSLIST_OFF ? DNSLIST_OFF_MS : DNSLIST_UNKNOWN_MS);
    if (answer->said == DNSLIST_UNSOUND)
        dnslist_zone_refuse(zone, answer->code[0]);
    else if (answer->said == DNSLIST_LISTED)
        go_off(zone, zone->of_sender ? "it lists invalid" : "it lists 127.0.0.1", answer->code[0]);
    else if (answer->said == DNSLIST_CLEAR && !zone->is_refused)
        is_sound(zone);
    zone->is_checking = false;
    zone->zones->calls.checked(zone->zones->calls.arg, zone);
}

static void always_came(struct dnslist_zone *zone, const struct dnslist_answer *answer)
{
    const bool was_empty = zone->is_empty;

    if (answer->said == DNSLIST_UNSOUND)
        dnslist_zone_refuse(zone, answer->code[0]);
    if (answer->said == DNSLIST_FAILED)
        return;
    zone->is_empty = answer->said == DNSLIST_CLEAR;
    if (zone->is_empty && !was_empty)
        log_warn("a DNS list does not list what every list does: is it still one, and does it "
                 "answer us? "
                 "list=%s test=%s",
                 zone->name, zone->of_sender ? "test" : "127.0.0.2");
}

static void answer_came(void *arg, const struct dns_reply *reply)
{
    struct test *test = arg;
    const struct test was = *test;
    struct dnslist_answer answer;

    mem_free(test);
    dnslist_answer_read(reply, &answer);
    if (was.kind == DNSLIST_NEVER)
        never_came(was.zone, &answer);
    else
        always_came(was.zone, &answer);
}

// ---- a check

static void ask(struct dnslist_zone *zone, enum dnslist_test kind)
{
    char name[DNSLIST_NAME_MAX];
    struct test *test = mem_new(sizeof(*test));

    *test = (struct test){zone, kind};
    if (dnslist_test_name(zone->name, zone->of_sender, kind, name))
        dns_ask(zone->zones->resolver, name, ns_t_a, answer_came, test);
    else
        answer_came(test, &(struct dns_reply){.state = DNS_FAILED});
}

void dnslist_zone_look(struct dnslist_zone *zone)
{
    if (zone->is_checking || clock_mono_ms() < zone->check_ms)
        return;
    zone->is_checking = true;
    zone->is_refused = false;
    ask(zone, DNSLIST_ALWAYS);
    ask(zone, DNSLIST_NEVER);
}

// ---- all of them

struct dnslist_zone *dnslist_zone_of(struct dnslist_zones *zones, const char *name, bool of_sender)
{
    struct dnslist_zone *zone = NULL;

    SLIST_FOREACH(zone, &zones->all, next)
    if (zone->of_sender == of_sender && strcmp(zone->name, name) == 0)
        return zone;
    zone = mem_new(sizeof(*zone));
    zone->zones = zones;
    zone->of_sender = of_sender;
    (void)snprintf(zone->name, sizeof(zone->name), "%s", name);
    TAILQ_INIT(&zone->waiters);
    SLIST_INSERT_HEAD(&zones->all, zone, next);
    return zone;
}

struct dnslist_zone *dnslist_zone_first(const struct dnslist_zones *zones)
{
    return SLIST_FIRST(&zones->all);
}

struct dnslist_zones *dnslist_zones_new(struct dns *resolver, struct dnslist_zone_calls calls)
{
    struct dnslist_zones *zones = mem_new(sizeof(*zones));

    SLIST_INIT(&zones->all);
    zones->resolver = resolver;
    zones->calls = calls;
    return zones;
}

void dnslist_zones_free(struct dnslist_zones **zones)
{
    if (*zones == NULL)
        return;
    while (!SLIST_EMPTY(&(*zones)->all)) {
        struct dnslist_zone *zone = SLIST_FIRST(&(*zones)->all);

        SLIST_REMOVE_HEAD(&(*zones)->all, next);
        mem_free(zone);
    }
    mem_free(*zones);
    *zones = NULL;
}
