// store_memory_spared.c: node/store/store.h in memory, the part about spared clients: a short list of
// hashes. A scenario holds a few clients, not thousands.
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

void memory_spared_read(const struct store *store, struct spared_client *client)
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

void memory_spared_write(struct store *store, const char *name, const struct spared_change *change)
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

// ---- what an operator asks

static void look(struct store *store, const char *name, bool forget, struct spared_done done)
{
    enum store_state state = store->trouble[MEMORY_ADMIN];
    bool is_done = forget ? memory_writes(state) && state != STORE_SLOW : memory_reads(state);
    struct memory_spared *stored = find(store->memory, name);
    struct spared_client client = {.known = false};

    store->memory->used.write_admin += forget;
    memcpy(client.name, name, strlen(name) + 1);
    if (is_done)
        memory_spared_read(store, &client);
    if (is_done && forget && stored != NULL)
        stored->client.count = 0;
    done.fn(done.arg, is_done ? STORE_UP : state, &client);
}

void store_spared_show(struct store *store, const char *name, struct spared_done done)
{
    look(store, name, false, done);
}

void store_spared_forget(struct store *store, const char *name, struct spared_done done)
{
    look(store, name, true, done);
}
