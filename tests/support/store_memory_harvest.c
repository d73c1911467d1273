// store_memory_harvest.c: clients that harvest, in memory: the part of node/store/store.h that node/store/harvest.c and
// banned.c do in Redis, command by command. What there comes as an event is heard at once here, by every node that the
// server answers; so nobody waits for what the others know, either.
#include <stdio.h>
#include <string.h>

#include "tests/support/store_memory_inside.h"

enum { FIELD_TEXT = 2 * HARVEST_FIELD_BYTES + 1 };

// ---- hashes

// HLEN.
static uint64_t length(const struct memory *memory, const char *key)
{
    const uint64_t now_ms = memory_now_ms(memory);
    uint64_t count = 0;

    for (const struct memory_kept *kept = memory->kept; kept != NULL; kept = kept->next)
        count += strcmp(kept->key, key) == 0 &&
                 (!memory->table.expires || kept->expires_ms == 0 || now_ms < kept->expires_ms);
    return count;
}

static struct harvest_count count_of(const struct memory *memory, const struct named_of *of)
{
    char unknown[HARVEST_KEY_MAX];
    char existing[HARVEST_KEY_MAX];

    (void)harvest_key(HARVEST_UNKNOWN, &of->client, of->hour, unknown);
    (void)harvest_key(HARVEST_EXISTING, &of->client, of->hour, existing);
    return (struct harvest_count){length(memory, unknown), length(memory, existing)};
}

size_t memory_harvested(const struct memory *memory, bool existing)
{
    const char *begin = existing ? "c:exists:{" : "c:harvest:{";
    const uint64_t now_ms = memory_now_ms(memory);
    size_t count = 0;

    for (const struct memory_kept *kept = memory->kept; kept != NULL; kept = kept->next)
        count += strncmp(kept->key, begin, strlen(begin)) == 0 && now_ms < kept->expires_ms;
    return count;
}

// HSET, EXPIREAT.
static void write_field(struct memory *memory, const struct named_of *of, enum harvest_kind kind,
                        const uint8_t field[HARVEST_FIELD_BYTES])
{
    char key[HARVEST_KEY_MAX];
    char text[FIELD_TEXT];

    (void)harvest_key(kind, &of->client, of->hour, key);
    for (unsigned i = 0; i < HARVEST_FIELD_BYTES; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", field[i]);
    memory->used.write_harvest++;
    memory_kept_set(memory, key, text, "", harvest_expiry_ms(of->hour));
}

// ---- the mirror

static void copy_bans(struct bans *to, const struct bans *from, uint64_t now_ms)
{
    bans_clear(to);
    for (size_t i = 0; i < from->count; i++)
        bans_set(to, &from->item[i].client, &from->item[i].ban, now_ms);
}

// To its readers the store does not change; what it mirrors does.
static const struct bans *bans_of(const struct store *store)
{
    struct store *writable = (struct store *)(uintptr_t)store;

    if (memory_reads(store_state(store)) && memory_reads(store->trouble[MEMORY_CLIENTS]))
        copy_bans(&writable->bans, &store->memory->bans, store_now_ms(store));
    return &store->bans;
}

struct harvest_ban store_ban(const struct store *store, const struct ip_net *client)
{
    return bans_find(bans_of(store), client);
}

size_t store_ban_count(const struct store *store)
{
    return bans_of(store)->count;
}

size_t store_ban_list(const struct store *store, const struct ip_net *net,
                      const struct ip_net *after, struct store_banned *out, size_t max)
{
    struct ban_row row;
    struct ip_net from = *after;
    size_t count = 0;

    while (count < max &&
           bans_page(bans_of(store), net, &from, store_now_ms(store), &row, 1) == 1) {
        from = row.client;
        out[count++] = (struct store_banned){.client = row.client, .ban = row.ban};
    }
    return count;
}

// ---- banning

// HGET of the client's row; zeroed if it has none.
static struct harvest_ban stored_ban(struct memory *memory, const struct ip_net *client)
{
    char field[HARVEST_CLIENT_MAX];
    const char *value =
        memory_kept_get(memory, HARVEST_BANS_KEY, harvest_client_text(client, field));
    struct harvest_ban ban;

    return value != NULL && harvest_ban_read(value, &ban) ? ban : (struct harvest_ban){0};
}

// The script.
static void ban(struct store *store, const struct op *op, const struct harvest_count *count)
{
    struct memory *memory = store->memory;
    const struct ip_net *client = &op->named.client;
    const uint64_t now_ms = store_now_ms(store);
    const struct harvest_ban old = stored_ban(memory, client);
    const struct harvest_ban fresh = harvest_ban_next(&old, &op->bounds, count, now_ms);
    char field[HARVEST_CLIENT_MAX];
    char value[HARVEST_VALUE_MAX];

    (void)harvest_ban_write(&fresh, value);
    memory->used.write_harvest++;
    memory_kept_set(memory, HARVEST_BANS_KEY, harvest_client_text(client, field), value, 0);
    bans_set(&memory->bans, client, &fresh, now_ms);
    bans_set(&store->bans, client, &fresh,
             now_ms); // at once here, and elsewhere when they can hear
    store->counters.bans += fresh.since_ms != old.since_ms;
}

// Every node that hears it writes what it has seen of the client.
static void hear(struct memory *memory, const struct named_of *of)
{
    for (struct store *store = memory->stores; store != NULL; store = store->next) {
        struct named_suspicion suspicion = named_suspicion(store->named, of);
        uint8_t field[NAMED_FIELDS][HARVEST_FIELD_BYTES];

        if (suspicion.heard_ms > 0 || !memory_reads(store_state(store)))
            continue;
        suspicion.heard_ms = 1;
        named_set_suspicion(store->named, of, &suspicion);
        const size_t count = named_list(store->named, of, HARVEST_EXISTING, field);

        for (size_t i = 0; i < count; i++)
            write_field(memory, of, HARVEST_EXISTING, field[i]);
    }
}

static void consider(struct store *store, const struct op *op)
{
    struct harvest_count count = count_of(store->memory, &op->named);

    if (!harvest_is_suspect(&op->bounds, count.unknown))
        return;
    hear(store->memory, &op->named);
    count = count_of(store->memory, &op->named);
    if (harvest_is_over(&op->bounds, &count))
        ban(store, op, &count);
}

// ---- notes

void memory_harvest_note(struct store *store, struct op *op, enum store_state state)
{
    const struct harvest_count before = count_of(store->memory, &op->named);

    for (size_t i = 0; i < op->field_count && memory_writes(state); i++)
        write_field(store->memory, &op->named, op->kind, op->field[i]);
    if (state != STORE_UP) { // not done, or not heard of
        named_unlearn(store->named, &op->named, op->kind);
        store->counters.lost_writes++;
        return;
    }
    if (op->kind == HARVEST_UNKNOWN && count_of(store->memory, &op->named).unknown > before.unknown)
        consider(store, op);
}

void store_harvest_note(struct store *store, const struct store_harvest *news)
{
    struct op op = {.store = store, .moment = MEMORY_HARVEST, .kind = news->kind};

    op.named = (struct named_of){news->client, harvest_hour(news->now_ms)};
    op.bounds = news->bounds;
    for (size_t i = 0; i < news->count; i++)
        if (named_add(store->named, &op.named, news->kind, news->field[i]))
            memcpy(op.field[op.field_count++], news->field[i], HARVEST_FIELD_BYTES);
    if (op.field_count > 0 &&
        (news->kind == HARVEST_UNKNOWN || named_suspicion(store->named, &op.named).heard_ms > 0))
        memory_submit(&op);
}

// ---- what an operator asks

void store_ban_show(struct store *store, const struct ip_net *client, struct store_ban_done done)
{
    const struct named_of of = {*client, harvest_hour(store_now_ms(store))};
    const enum store_state state = store->trouble[MEMORY_ADMIN];
    struct store_banned found = {.client = *client};

    if (memory_reads(state)) {
        found.ban = stored_ban(store->memory, client);
        found.hour = count_of(store->memory, &of);
    }
    done.fn(done.arg, memory_reads(state) ? STORE_UP : state, &found);
}

static void forget_hour(struct memory *memory, const struct named_of *of)
{
    for (int kind = HARVEST_UNKNOWN; kind <= HARVEST_EXISTING; kind++) {
        struct memory_kept *next = NULL;
        char key[HARVEST_KEY_MAX];

        (void)harvest_key((enum harvest_kind)kind, &of->client, of->hour, key);
        for (struct memory_kept *kept = memory->kept; kept != NULL; kept = next) {
            next = kept->next;
            if (strcmp(kept->key, key) == 0)
                memory_kept_set(memory, kept->key, kept->field, NULL, 0);
        }
    }
}

void store_ban_lift(struct store *store, const struct ip_net *client, struct store_ban_done done)
{
    const struct named_of of = {*client, harvest_hour(store_now_ms(store))};
    const enum store_state state = store->trouble[MEMORY_ADMIN];
    const bool is_done = memory_writes(state) && state != STORE_SLOW;
    struct store_banned found = {.client = *client, .is_lifted = is_done};
    char field[HARVEST_CLIENT_MAX];

    store->memory->used.write_admin++;
    if (is_done) {
        found.ban = bans_find(&store->memory->bans, client);
        memory_kept_set(store->memory, HARVEST_BANS_KEY, harvest_client_text(client, field), NULL,
                        0);
        (void)bans_remove(&store->memory->bans, client);
        forget_hour(store->memory, &of);
        for (struct store *one = store->memory->stores; one != NULL; one = one->next)
            named_forget(one->named, client);
    }
    done.fn(done.arg, is_done ? STORE_UP : state, &found);
}
