// store_memory_reputation.c: reputation in memory: the part of node/store/store.h that node/store/reputation*.c do in Redis. Here
// what a leaf passes on climbs to the root at once, and volumes are written at once; everything else is the same.
#include <math.h>
#include <string.h>

#include "proto/base/mem.h"
#include "tests/support/store_memory_inside.h"

static const uint64_t EVENT_LIFE_MS = 31ULL * 24 * 3600 * 1000;
static const double COUNTS_HALF_LIFE_MS = 30.0 * 24 * 3600 * 1000;
static const uint64_t HOUR_MS = 3600ULL * 1000;
enum { VOLUME_LEAST = 10 };

// ---- entities

static struct memory_entity **chain_of(struct memory *memory, const char *key)
{
    uint64_t hash = 14695981039346656037U;

    for (const char *at = key; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * 1099511628211U;
    return &memory->reputation.chain[hash % MEMORY_ENTITY_CHAINS];
}

static bool is_alive(const struct memory *memory, const struct memory_entity *entity)
{
    return !memory->table.expires || entity->expires_ms == 0 ||
           memory_now_ms(memory) < entity->expires_ms;
}

// get: the entity as it is stored; NULL = nothing is kept of it.
static struct memory_entity *get(struct memory *memory, const char *key)
{
    for (struct memory_entity *entity = *chain_of(memory, key); entity != NULL;
         entity = entity->next)
        if (strcmp(entity->key, key) == 0 && is_alive(memory, entity))
            return entity;
    return NULL;
}

static struct memory_entity *get_id(struct memory *memory, const struct reputation_id *id)
{
    char key[REPUTATION_KEY_MAX];

    (void)reputation_key(id, key);
    return get(memory, key);
}

// is_of: what is stored of it, or nothing.
static struct reputation_state is_of(struct memory *memory, const struct reputation_id *id)
{
    const struct memory_entity *entity = get_id(memory, id);
    const struct reputation_state none = {
        .slot_count = reputation_is_root(id->kind) ? REPUTATION_ROOT_SLOTS : REPUTATION_SLOTS};

    return entity != NULL ? entity->is : none;
}

static void put(struct store *store, const struct reputation_id *id,
                const struct reputation_level_settings *level, const struct reputation_state *is)
{
    char key[REPUTATION_KEY_MAX];

    (void)reputation_key(id, key);
    struct memory_entity **chain = chain_of(store->memory, key);
    struct memory_entity *entity = *chain;

    while (entity != NULL && strcmp(entity->key, key) != 0)
        entity = entity->next;
    if (entity == NULL) {
        entity = mem_new(sizeof(*entity));
        *entity = (struct memory_entity){.next = *chain, .key = mem_text(key), .kind = id->kind};
        *chain = entity;
    }
    entity->is = *is;
    reputation_round(id->kind, &entity->is);
    entity->expires_ms =
        store->replay_ms != 0 ? 0 : store_now_ms(store) + reputation_life_ms(level, is);
}

size_t memory_entities(const struct memory *memory)
{
    size_t count = 0;

    for (size_t i = 0; i < MEMORY_ENTITY_CHAINS; i++)
        for (const struct memory_entity *entity = memory->reputation.chain[i]; entity != NULL;
             entity = entity->next)
            count += is_alive(memory, entity);
    return count;
}

size_t memory_events(const struct memory *memory)
{
    size_t count = 0;

    for (const struct memory_event *event = memory->reputation.events; event != NULL;
         event = event->next)
        count += memory_now_ms(memory) < event->expires_ms;
    return count;
}

void memory_reputation_clear(struct memory *memory)
{
    struct memory_reputation *reputation = &memory->reputation;

    for (size_t i = 0; i < MEMORY_ENTITY_CHAINS; i++) {
        struct memory_entity *next = NULL;

        for (struct memory_entity *at = reputation->chain[i]; at != NULL; at = next) {
            next = at->next;
            mem_free(at->key);
            mem_free(at);
        }
        reputation->chain[i] = NULL;
    }
    struct memory_event *next = NULL;

    for (struct memory_event *at = reputation->events; at != NULL; at = next) {
        next = at->next;
        mem_free(at->name);
        mem_free(at);
    }
    reputation->events = NULL;
    reputation->reporter_count = 0;
}

// ---- what a node has of it

void memory_heard_clear(struct store *store)
{
    struct memory_volume *next = NULL;

    for (struct memory_volume *at = store->heard.volumes; at != NULL; at = next) {
        next = at->next;
        mem_free(at->key);
        mem_free(at);
    }
    store->heard.volumes = NULL;
    mem_free(store->heard.trust);
    store->heard.trust = NULL;
}

static bool are_roots_empty(struct memory *memory)
{
    return get_id(memory, &(struct reputation_id){.kind = REPUTATION_WORLD}) == NULL &&
           get_id(memory, &(struct reputation_id){.kind = REPUTATION_SENDERS}) == NULL;
}

static void note_trust(struct memory_heard *heard, const struct store_reporter *reporter)
{
    if (heard->trust == NULL) {
        heard->trust = mem_new_array(REPUTATION_REPORTERS, sizeof(*heard->trust));
        for (size_t i = 0; i < REPUTATION_REPORTERS; i++)
            heard->trust[i] = 1;
    }
    heard->trust[reporter->id] = (float)reporter->trust;
}

// To its readers the store does not change; what it has heard does.
static struct memory_heard *heard_of(const struct store *store)
{
    struct store *writable = (struct store *)(uintptr_t)store;
    struct memory_heard *heard = &writable->heard;
    const struct memory_reputation *reputation = &store->memory->reputation;

    if (!memory_reads(store_state(store)))
        return heard;
    memcpy(heard->reporter, reputation->reporter, sizeof(heard->reporter));
    heard->reporter_count = reputation->reporter_count;
    heard->has_looked = true;
    heard->is_empty = are_roots_empty(writable->memory);
    for (size_t i = 0; i < heard->reporter_count; i++)
        note_trust(heard, &heard->reporter[i]);
    return heard;
}

static bool is_active(const struct store *store, const struct store_reporter *reporter)
{
    return reporter->last_ms + REPUTATION_ACTIVE_MS > store_now_ms(store);
}

struct reputation_reporters store_reporters(const struct store *store)
{
    const struct memory_heard *heard = heard_of(store);
    struct reputation_reporters out = {.trust = heard->trust};

    for (size_t i = 0; i < heard->reporter_count; i++)
        out.active += is_active(store, &heard->reporter[i]);
    return out;
}

const char *store_reporter_name(const struct store *store, uint16_t reporter)
{
    const struct memory_heard *heard = heard_of(store);

    for (size_t i = 0; i < heard->reporter_count; i++)
        if (heard->reporter[i].id == reporter)
            return heard->reporter[i].name;
    return "";
}

size_t store_reporters_list(const struct store *store, struct store_reporter *out, size_t max)
{
    const struct memory_heard *heard = heard_of(store);
    size_t count = 0;

    for (size_t i = 0; i < heard->reporter_count && count < max; i++) {
        size_t at = count++;

        for (; at > 0 && strcmp(out[at - 1].name, heard->reporter[i].name) > 0; at--)
            out[at] = out[at - 1];
        out[at] = heard->reporter[i];
    }
    return count;
}

// ---- reading

static void read_level(struct memory *memory, struct reputation_level *level)
{
    const struct memory_entity *entity = get_id(memory, &level->id);

    level->state = entity != NULL ? FACT_PRESENT : FACT_ABSENT;
    level->is = is_of(memory, &level->id);
}

static void read_levels(struct memory *memory, struct reputation_facts *facts)
{
    for (unsigned i = 0; i < facts->count; i++)
        read_level(memory, &facts->level[i]);
}

void memory_levels_read(struct store *store, struct op *op, enum store_state state)
{
    store->memory->used.read_levels += op->levels->count;
    if (memory_reads(state))
        read_levels(store->memory, op->levels);
    op->done.fn(op->done.arg, op->done.token, memory_reads(state) ? STORE_UP : state);
}

void store_read_reputation(struct store *store, struct reputation_facts *facts,
                           struct store_done done)
{
    const struct memory_heard *heard = heard_of(store);
    struct op op = {.store = store, .moment = MEMORY_LEVELS, .levels = facts, .done = done};

    for (unsigned i = 0; i < facts->count; i++)
        facts->level[i].state = FACT_UNKNOWN;
    if (!heard->has_looked || !heard->is_empty) {
        memory_submit(&op);
        return;
    }
    for (unsigned i = 0; i < facts->count; i++)
        read_level(store->memory, &facts->level[i]);
    done.fn(done.arg, done.token, STORE_UP);
}

// ---- reports

// claim: false: another report counted the event before.
static bool claim(struct store *store, struct store_report *report)
{
    struct memory_reputation *reputation = &store->memory->reputation;
    const uint64_t now_ms = store_now_ms(store);
    struct memory_event *event = reputation->events;

    if (report->claim == 0)
        report->claim = ++reputation->last_claim;
    while (event != NULL &&
           (strcmp(event->name, report->event) != 0 || now_ms >= event->expires_ms))
        event = event->next;
    if (event != NULL)
        return event->claim == report->claim;
    event = mem_new(sizeof(*event));
    *event = (struct memory_event){.next = reputation->events,
                                   .name = mem_text(report->event),
                                   .claim = report->claim,
                                   .expires_ms = now_ms + EVENT_LIFE_MS};
    reputation->events = event;
    return true;
}

// reporter_of: its row, which is made; NULL = there are too many.
static struct store_reporter *reporter_of(struct memory *memory, const char *name)
{
    struct memory_reputation *reputation = &memory->reputation;

    for (size_t i = 0; i < reputation->reporter_count; i++)
        if (strcmp(reputation->reporter[i].name, name) == 0)
            return &reputation->reporter[i];
    if (reputation->reporter_count == MEMORY_REPORTERS)
        return NULL;
    struct store_reporter *fresh = &reputation->reporter[reputation->reporter_count++];

    *fresh = (struct store_reporter){.id = (uint16_t)reputation->reporter_count, .trust = 1};
    memcpy(fresh->name, name, strlen(name) + 1);
    return fresh;
}

static void count_report(struct store_reporter *reporter, const struct store_report *report,
                         uint64_t now_ms)
{
    const uint64_t since_ms = now_ms > reporter->last_ms ? now_ms - reporter->last_ms : 0;
    const double kept = pow(2, -(double)since_ms / COUNTS_HALF_LIFE_MS);

    reporter->spam = reporter->spam * kept + (report->is_spam ? report->weight : 0);
    reporter->ham = reporter->ham * kept + (report->is_spam ? 0 : report->weight);
    if (now_ms > reporter->last_ms)
        reporter->last_ms = now_ms;
}

static void judge_reporter(const struct store *store, struct store_reporter *reporter,
                           const struct store_report *report)
{
    const struct reputation_reporters reporters = store_reporters(store);

    for (int of_sender = 0; of_sender < 2; of_sender++) {
        bool says_spam = false;

        if (reputation_others(&report->facts, of_sender == 1, reporter->id, &report->settings,
                              &reporters, report->at_ms, &says_spam))
            reputation_record_note(&reporter->record, says_spam, says_spam == report->is_spam);
    }
    reporter->trust = reputation_trust(&reporter->record);
}

// climb: from a leaf to its root, as far as something is passed on.
static void climb(struct store *store, const struct store_report *report, uint16_t reporter,
                  unsigned first, unsigned end)
{
    struct reputation_report part = {.reporter = reporter,
                                     .active = store_reporters(store).active,
                                     .is_spam = report->is_spam,
                                     .weight = report->weight * report->trusted,
                                     .now_s = (uint32_t)(report->at_ms / 1000)};

    for (unsigned i = first; i < end && part.weight >= REPUTATION_LEAST; i++) {
        const struct reputation_id *id = &report->facts.level[i].id;
        const struct reputation_level_settings *level = &report->settings.level[id->kind];
        struct reputation_state is = is_of(store->memory, id);

        const struct reputation_added added = reputation_add(id->kind, level, &part, &is);

        if (added.added > 0)
            put(store, id, level, &is);
        part.weight = added.onward;
    }
}

static void take_report(struct store *store, struct store_report *report)
{
    struct store_reporter *reporter = reporter_of(store->memory, report->gateway);

    if (reporter == NULL)
        return;
    read_levels(store->memory, &report->facts);
    report->trusted = reputation_trust(&reporter->record);
    count_report(reporter, report, store_now_ms(store));
    if (report->judges)
        judge_reporter(store, reporter, report);
    climb(store, report, reporter->id, 0, report->facts.address_count);
    if (report->auth != REPUTATION_FAILED)
        climb(store, report, reporter->id, report->facts.address_count, report->facts.count);
}

void memory_report(struct store *store, struct op *op, enum store_state state)
{
    struct store_report *report = op->report;

    store->memory->used.write_report++;
    if (memory_writes(state)) {
        const bool is_claimed = claim(store, report);

        report->is_new = is_claimed && state == STORE_UP; // a slow one does it and is not heard
        if (report->is_new)
            take_report(store, report);
    }
    op->done.fn(op->done.arg, op->done.token, state);
}

void store_report(struct store *store, struct store_report *report, struct store_done done)
{
    struct op op = {.store = store, .moment = MEMORY_REPORT, .report = report, .done = done};

    report->is_new = false;
    report->trusted = 0;
    memory_submit(&op);
}

void store_reputation_flush(struct store *store)
{
    (void)store; // nothing waits
}

size_t store_reputation_waiting(const struct store *store)
{
    (void)store;
    return 0;
}

// ---- volumes

static struct memory_volume *volume_of(struct store *store, const char *key, uint64_t hour)
{
    struct memory_volume *volume = store->heard.volumes;

    while (volume != NULL && strcmp(volume->key, key) != 0)
        volume = volume->next;
    if (volume == NULL) {
        volume = mem_new(sizeof(*volume));
        *volume = (struct memory_volume){.next = store->heard.volumes, .key = mem_text(key)};
        store->heard.volumes = volume;
    }
    if (volume->hour != hour) {
        volume->hour = hour;
        volume->mails = 0;
        volume->waiting = 0;
    }
    return volume;
}

void memory_volume(struct store *store, struct op *op, enum store_state state)
{
    const uint64_t now_ms = store_now_ms(store);
    struct memory_volume *volume = volume_of(store, op->entity, now_ms / HOUR_MS);
    struct reputation_id id;

    volume->mails += op->mails;
    volume->waiting += op->mails;
    if (!reputation_id_read(op->entity, &id) ||
        (get(store->memory, op->entity) == NULL && volume->mails < VOLUME_LEAST))
        return;
    store->memory->used.write_volume++;
    if (!memory_writes(state)) {
        store->counters.lost_writes++;
        return;
    }
    struct reputation_state is = is_of(store->memory, &id);

    reputation_add_volume(&op->level, volume->waiting, (uint32_t)(now_ms / 1000), &is);
    volume->waiting = 0;
    put(store, &id, &op->level, &is);
}

void store_reputation_volume(struct store *store, const struct reputation_id *id, unsigned mails,
                             const struct reputation_level_settings *level)
{
    const struct memory_heard *heard = heard_of(store);
    struct op op = {.store = store, .moment = MEMORY_VOLUME, .level = *level, .mails = mails};

    if (heard->is_empty)
        return;
    (void)reputation_key(id, op.entity);
    memory_submit(&op);
}

// ---- what an operator asks

static bool is_asked(const struct memory *memory, const struct memory_entity *entity,
                     unsigned kinds)
{
    return is_alive(memory, entity) && (kinds & 1U << entity->kind) != 0;
}

// next_row: the entity after at of them; NULL = there is none.
static struct memory_entity *next_row(const struct memory *memory, unsigned kinds, uint64_t *at)
{
    uint64_t seen = 0;

    for (size_t i = 0; i < MEMORY_ENTITY_CHAINS; i++)
        for (struct memory_entity *entity = memory->reputation.chain[i]; entity != NULL;
             entity = entity->next)
            if (seen++ >= *at) {
                *at = seen;
                if (is_asked(memory, entity, kinds))
                    return entity;
            }
    return NULL;
}

static void show(struct store_entity *row, const struct memory_entity *entity)
{
    memcpy(row->text, entity->key, strlen(entity->key) + 1);
    (void)reputation_id_read(row->text, &row->id);
    row->is = entity->is;
}

void store_reputation_page(struct store *store, uint64_t cursor, size_t limit, unsigned kinds,
                           struct store_entities_done done)
{
    const enum store_state state = store->trouble[MEMORY_ADMIN];
    struct store_entity *row = mem_new_array(limit + 1, sizeof(*row));
    const struct memory_entity *entity = NULL;
    size_t count = 0;

    while (memory_reads(state) && count < limit &&
           (entity = next_row(store->memory, kinds, &cursor)) != NULL)
        show(&row[count++], entity);
    done.fn(done.arg, memory_reads(state) ? STORE_UP : state, row, count,
            entity != NULL ? cursor : 0);
    mem_free(row);
}

// take_out: true if the reporter holds something there.
static bool take_out(struct store *store, struct memory_entity *entity, uint16_t reporter,
                     const struct reputation_settings *settings, bool dry_run)
{
    const struct reputation_level_settings *level = &settings->level[entity->kind];
    struct reputation_state is = entity->is;

    if (!reputation_undo(entity->kind, level, reporter, (uint32_t)(store_now_ms(store) / 1000),
                         &is))
        return false;
    reputation_round(entity->kind, &is);
    if (!dry_run)
        entity->is = is;
    return true;
}

static void forget_record(struct memory *memory, uint16_t reporter)
{
    for (size_t i = 0; i < memory->reputation.reporter_count; i++) {
        struct store_reporter *row = &memory->reputation.reporter[i];

        if (row->id != reporter)
            continue;
        row->record = (struct reputation_record){{0}, {0}};
        row->spam = row->ham = 0;
        row->trust = reputation_trust(&row->record);
    }
}

static uint16_t id_of(const struct memory *memory, const char *gateway)
{
    for (size_t i = 0; i < memory->reputation.reporter_count; i++)
        if (strcmp(memory->reputation.reporter[i].name, gateway) == 0)
            return memory->reputation.reporter[i].id;
    return 0;
}

void store_reputation_undo(struct store *store, uint64_t cursor, size_t limit, const char *gateway,
                           const struct reputation_settings *settings, bool dry_run,
                           struct store_entities_done done)
{
    const enum store_state state = store->trouble[MEMORY_ADMIN];
    const bool is_done = dry_run ? memory_reads(state) : state == STORE_UP;
    const uint16_t reporter = id_of(store->memory, gateway);
    struct store_entity *row = mem_new_array(limit + 1, sizeof(*row));
    struct memory_entity *entity = NULL;
    size_t count = 0;

    store->memory->used.write_admin += !dry_run;
    while (is_done && reporter != 0 && count < limit &&
           (entity = next_row(store->memory, ~0U, &cursor)) != NULL) {
        show(&row[count], entity);
        count += take_out(store, entity, reporter, settings, dry_run);
    }
    if (is_done && !dry_run && entity == NULL)
        forget_record(store->memory, reporter);
    done.fn(done.arg, is_done ? STORE_UP : state, row, count, entity != NULL ? cursor : 0);
    mem_free(row);
}

// ---- what a scenario says

void memory_reputation_put(struct memory *memory, const struct reputation_id *id,
                           const struct reputation_state *is)
{
    char key[REPUTATION_KEY_MAX];

    (void)reputation_key(id, key);
    struct memory_entity **chain = chain_of(memory, key);
    struct memory_entity *entity = *chain;

    while (entity != NULL && strcmp(entity->key, key) != 0)
        entity = entity->next;
    if (entity == NULL) {
        entity = mem_new(sizeof(*entity));
        *entity = (struct memory_entity){.next = *chain, .key = mem_text(key), .kind = id->kind};
        *chain = entity;
    }
    entity->is = *is;
    reputation_round(id->kind, &entity->is);
    entity->expires_ms = 0;
}

uint16_t memory_reporter(struct memory *memory, const char *name)
{
    struct store_reporter *reporter = reporter_of(memory, name);

    if (reporter == NULL)
        return 0;
    reporter->last_ms = memory_now_ms(memory);
    return reporter->id;
}
