// store_memory_spared.c: node/store/store.h in memory, the part about spared clients: a short list of
// hashes, and one of rows, which each node mirrors; a mirror is brought up to date whenever the node could
// have heard. A scenario holds a few clients, not thousands.
#include <string.h>

#include "tests/support/store_memory_inside.h"

static bool is_alive(const struct memory *memory, const struct memory_spared *one, uint64_t now_ms)
{
    return !memory->table.expires || now_ms < one->expires_ms;
}

// find: the client, dead or alive; NULL if it was never written.
static struct memory_spared *find(const struct memory *memory, const char *name)
{
    struct memory *writable = (struct memory *)(uintptr_t)memory;

    for (size_t i = 0; i < memory->spared_count; i++)
        if (strcmp(memory->spared[i].client.name, name) == 0)
            return &writable->spared[i];
    return NULL;
}

size_t memory_spared(const struct memory *memory)
{
    size_t count = 0;

    for (size_t i = 0; i < memory->spared_count; i++)
        if (memory_now_ms(memory) < memory->spared[i].expires_ms)
            count += memory->spared[i].client.count;
    return count;
}

// HGETALL.
static void read_evidence(const struct store *store, struct spared_client *client)
{
    const struct memory_spared *found = find(store->memory, client->name);

    client->count = 0;
    if (found != NULL && is_alive(store->memory, found, store_now_ms(store)))
        *client = found->client;
    client->known = true;
}

static void remove_pair(struct spared_client *client, const uint8_t pair[KEY_PAIR_BYTES])
{
    for (unsigned i = client->count; i-- > 0;)
        if (memcmp(client->pair[i].pair, pair, KEY_PAIR_BYTES) == 0)
            client->pair[i] = client->pair[--client->count];
}

// HSET, HDEL and EXPIREAT.
static void write_evidence(struct store *store, const char *name,
                           const struct spared_change *change)
{
    struct memory *memory = store->memory;
    struct memory_spared *one = find(memory, name);

    if (one == NULL && memory->spared_count == MEMORY_SPARED_CLIENTS)
        return;
    if (one == NULL) {
        one = &memory->spared[memory->spared_count++];
        memset(one, 0, sizeof(*one));
        memcpy(one->client.name, name, strlen(name) + 1);
    }
    if (!is_alive(memory, one, store_now_ms(store)))
        one->client.count = 0;
    remove_pair(&one->client, change->set.pair);
    if (one->client.count < SPARED_READ_MAX)
        one->client.pair[one->client.count++] = change->set;
    for (unsigned i = 0; i < change->removed_count; i++)
        remove_pair(&one->client, change->removed[i]);
    one->expires_ms = spared_expiry_ms(change->set.day);
}

// ---- who is spared

static struct spared_id *find_row(struct memory_roll *roll, const char *name)
{
    for (size_t i = 0; i < roll->count; i++)
        if (strcmp(roll->item[i].name, name) == 0)
            return &roll->item[i];
    return NULL;
}

static void set_row(struct memory_roll *roll, const char *name, const struct spared_row *row)
{
    struct spared_id *found = find_row(roll, name);

    if (found == NULL && roll->count == MEMORY_SPARED_CLIENTS)
        return;
    if (found == NULL) {
        found = &roll->item[roll->count++];
        memcpy(found->name, name, strlen(name) + 1);
    }
    found->row = *row;
}

// To its readers the store does not change; what it mirrors does.
static struct memory_roll *roll_of(const struct store *store)
{
    struct store *writable = (struct store *)(uintptr_t)store;

    if (memory_reads(store_state(store)) && memory_reads(store->trouble[MEMORY_CLIENTS]))
        writable->roll = store->memory->roll;
    return &writable->roll;
}

struct spared_row store_spared(const struct store *store, const char *name)
{
    const struct spared_id *found = find_row(roll_of(store), name);

    return found != NULL ? found->row : (struct spared_row){.newest = 0};
}

size_t store_spared_count(const struct store *store)
{
    return roll_of(store)->count;
}

void memory_spared_note(struct store *store, const char *name, const struct spared_news *news,
                        enum store_state state)
{
    struct spared_client client = {.known = false};
    struct spared_change change;

    memcpy(client.name, name, strlen(name) + 1);
    if (memory_reads(state))
        read_evidence(store, &client);
    bool writes = spared_note(&client, news, &change);

    store->memory->used.write_spared++;
    if (!memory_reads(state) || (writes && !memory_writes(state))) {
        store->counters.lost_writes++;
        return;
    }
    if (writes)
        write_evidence(store, name, &change);
    const struct spared_row row = spared_row_of(&client);

    set_row(&store->memory->roll, name, &row);
    set_row(&store->roll, name, &row);
}

// ---- what an operator asks

static void look(struct store *store, const char *name, bool forget, struct spared_done done)
{
    const struct spared_row none = {.newest = 0};
    enum store_state state = store->trouble[MEMORY_ADMIN];
    bool is_done = forget ? memory_writes(state) && state != STORE_SLOW : memory_reads(state);
    struct memory_spared *stored = find(store->memory, name);
    struct spared_row row = is_done ? store_spared(store, name) : none;
    struct spared_client client = {.known = false};

    store->memory->used.write_admin += forget;
    memcpy(client.name, name, strlen(name) + 1);
    if (is_done)
        read_evidence(store, &client);
    if (is_done && forget && stored != NULL)
        stored->client.count = 0;
    if (is_done && forget) {
        set_row(&store->memory->roll, name, &none);
        set_row(&store->roll, name, &none);
    }
    done.fn(done.arg, is_done ? STORE_UP : state, &client, &row);
}

void store_spared_show(struct store *store, const char *name, struct spared_done done)
{
    look(store, name, false, done);
}

void store_spared_forget(struct store *store, const char *name, struct spared_done done)
{
    look(store, name, true, done);
}
