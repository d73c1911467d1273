// steps_expect.c: `expect store`, `expect stats`, `expect events`, `expect waiting`.
#include "tests/scenario/steps_expect.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/reason.h"

// ---- The store: what is kept, and what was asked since the last such line

static bool look_up_kept(const struct world *world, const char *name, uint64_t *out)
{
    if (strcmp(name, "pending") == 0)
        *out = memory_count(world->memory, KEY_PENDING);
    else if (strcmp(name, "passed") == 0)
        *out = memory_count(world->memory, KEY_PASSED);
    else if (strcmp(name, "tracks") == 0)
        *out = memory_tracks(world->memory);
    else if (strcmp(name, "spared") == 0)
        *out = memory_spared(world->memory);
    else if (strcmp(name, "limits") == 0)
        *out = memory_limits(world->memory);
    else if (strcmp(name, "harvest") == 0)
        *out = memory_harvested(world->memory, false);
    else if (strcmp(name, "harvest.existing") == 0)
        *out = memory_harvested(world->memory, true);
    else if (strcmp(name, "entities") == 0)
        *out = memory_entities(world->memory);
    else if (strcmp(name, "reported") == 0)
        *out = memory_events(world->memory);
    else if (strcmp(name, "held") == 0)
        *out = memory_held(world->memory, NULL);
    else if (strcmp(name, "retry.first") == 0)
        *out = memory_retries(world->memory).first_tries;
    else if (strcmp(name, "retry.passes") == 0)
        *out = memory_retries(world->memory).passes;
    else
        return false;
    return true;
}

static struct memory_used used_since(const struct memory_used *now, const struct memory_used *then)
{
    return (struct memory_used){
        .read_passed = now->read_passed - then->read_passed,
        .read_person = now->read_person - then->read_person,
        .read_pending = now->read_pending - then->read_pending,
        .write_pending = now->write_pending - then->write_pending,
        .write_passed = now->write_passed - then->write_passed,
        .write_answer = now->write_answer - then->write_answer,
        .write_align = now->write_align - then->write_align,
        .write_spared = now->write_spared - then->write_spared,
        .read_limit = now->read_limit - then->read_limit,
        .read_levels = now->read_levels - then->read_levels,
        .write_report = now->write_report - then->write_report,
        .write_volume = now->write_volume - then->write_volume,
        .write_limit = now->write_limit - then->write_limit,
        .write_harvest = now->write_harvest - then->write_harvest,
        .write_settle = now->write_settle - then->write_settle,
        .write_allow = now->write_allow - then->write_allow,
        .write_track = now->write_track - then->write_track,
        .write_admin = now->write_admin - then->write_admin,
    };
}

static bool look_up_store(struct world *world, const struct node *node, const char *name,
                          uint64_t *out)
{
    const struct memory_used since = used_since(memory_used(world->memory), &world->used);
    const struct {
        const char *name;
        uint64_t value;
    } USED[] = {
        {"reads", since.read_passed + since.read_pending + since.read_limit},
        {"reads.passed", since.read_passed},
        {"reads.person", since.read_person},
        {"reads.pending", since.read_pending},
        {"reads.limit", since.read_limit},
        {"reads.levels", since.read_levels},
        {"writes", memory_writes_asked(&since)},
        {"writes.pending", since.write_pending},
        {"writes.passed", since.write_passed},
        {"writes.answer", since.write_answer},
        {"writes.align", since.write_align},
        {"writes.spared", since.write_spared},
        {"writes.limit", since.write_limit},
        {"writes.harvest", since.write_harvest},
        {"writes.report", since.write_report},
        {"writes.volume", since.write_volume},
        {"writes.settle", since.write_settle},
        {"writes.allow", since.write_allow},
        {"writes.track", since.write_track},
        {"writes.admin", since.write_admin},
    };

    (void)node;
    for (size_t i = 0; i < sizeof(USED) / sizeof(USED[0]); i++) {
        if (strcmp(USED[i].name, name) == 0) {
            *out = USED[i].value;
            return true;
        }
    }
    return look_up_kept(world, name, out);
}

// ---- The node's counters: a name of STATS_COUNTER_LIST, verdicts.REASON or shadowed.REASON

static uint64_t sum_of_reason(const uint64_t counters[REASON_COUNT], const char *name, bool *known)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < REASON_COUNT; i++) {
        if (strcmp(reason_row((enum reason)i)->name, name) == 0) {
            sum += counters[i];
            *known = true;
        }
    }
    return sum;
}

static bool look_up_stats(struct world *world, const struct node *node, const char *name,
                          uint64_t *out)
{
    static const struct {
        const char *name;
        size_t offset;
    } COUNTERS[] = {
#define COUNTER(name, help) {#name, offsetof(struct stats, name)},
        STATS_COUNTER_LIST(COUNTER)
#undef COUNTER
    };
    bool known = false;

    (void)world;
    for (size_t i = 0; i < sizeof(COUNTERS) / sizeof(COUNTERS[0]) && !known; i++) {
        known = strcmp(COUNTERS[i].name, name) == 0;
        if (known)
            memcpy(out, (const char *)&node->stats + COUNTERS[i].offset, sizeof(*out));
    }
    if (strncmp(name, "verdicts.", 9) == 0)
        *out = sum_of_reason(node->stats.verdicts, name + 9, &known);
    if (strncmp(name, "shadowed.", 9) == 0)
        *out = sum_of_reason(node->stats.shadowed, name + 9, &known);
    return known;
}

// ---- Conditions

static enum err compare_one(struct world *world, const struct node *node,
                            bool (*look_up)(struct world *, const struct node *, const char *,
                                            uint64_t *),
                            const char *word, struct err_detail *detail)
{
    const char *equals = strchr(word, '=');
    char name[64];
    uint64_t came = 0;
    uint64_t want;
    char *end;

    if (equals == NULL || (size_t)(equals - word) >= sizeof(name))
        return err_say(detail, ERR_SYNTAX, "name=number, not '%s'", word);
    (void)snprintf(name, sizeof(name), "%.*s", (int)(equals - word), word);
    want = strtoull(equals + 1, &end, 10);
    if (*end != '\0' || !look_up(world, node, name, &came))
        return err_say(detail, ERR_SYNTAX, "there is no '%s' to expect (README.md, Expect)", word);
    if (came != want)
        return err_say(detail, ERR_CONFLICT, "wanted %s=%" PRIu64 ", came %" PRIu64, name, want,
                       came);
    return ERR_NONE;
}

// All conditions of a line; the first that does not hold is told.
static enum err compare_all(struct world *world, const struct words *words,
                            bool (*look_up)(struct world *, const struct node *, const char *,
                                            uint64_t *),
                            struct err_detail *detail)
{
    const char *name = "a";
    const struct node *node;
    enum err err = ERR_NONE;

    for (size_t i = 2; i < words->count; i++)
        if (strncmp(words->word[i], "node=", 5) == 0)
            name = words->word[i] + 5;
    node = world_node(world, name);
    for (size_t i = 2; err == ERR_NONE && i < words->count; i++)
        if (strncmp(words->word[i], "node=", 5) != 0)
            err = compare_one(world, node, look_up, words->word[i], detail);
    return err;
}

static enum err compare_number(const char *what, const char *text, size_t came,
                               struct err_detail *detail)
{
    char *end;
    unsigned long long want = strtoull(text, &end, 10);

    if (end == text || *end != '\0')
        return err_say(detail, ERR_SYNTAX, "a number, not '%s'", text);
    if (want != came)
        return err_say(detail, ERR_CONFLICT, "wanted %llu %s, came %zu", want, what, came);
    return ERR_NONE;
}

enum err expect_run(struct world *world, const struct words *words, struct err_detail *detail)
{
    const char *subject = words->count > 2 ? words->word[1] : "";
    enum err err;

    if (strcmp(subject, "store") == 0) {
        err = compare_all(world, words, look_up_store, detail);
        world->used = *memory_used(world->memory);
        return err;
    }
    if (strcmp(subject, "stats") == 0)
        return compare_all(world, words, look_up_stats, detail);
    if (strcmp(subject, "probes") == 0) {
        err = compare_number("questions", words->word[2],
                             world->probes.asked - world->probes.expected, detail);
        world->probes.expected = world->probes.asked;
        return err;
    }
    if (strcmp(subject, "lists") == 0) {
        err = compare_number("questions", words->word[2],
                             world->dns_lists.asked - world->dns_lists.expected, detail);
        world->dns_lists.expected = world->dns_lists.asked;
        return err;
    }
    if (strcmp(subject, "waiting") == 0)
        return compare_number("requests", words->word[2], world_waiting(world), detail);
    if (strcmp(subject, "events") == 0)
        return compare_number("events", words->word[2],
                              world_heard(world, words->count > 3 ? words->word[3] : ""), detail);
    return err_say(
        detail, ERR_SYNTAX,
        "expect store|stats NAME=N ..., expect waiting|probes|lists N, expect events N [TOPIC]");
}
