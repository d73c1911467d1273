// store_memory_policy.c: node/store/store.h in memory, the part about the policy set: versions, documents, and which node
// has what. A node hears of a change at once if it can reach the server, and else when it can again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/mem.h"
#include "proto/text.h"
#include "tests/support/store_memory_inside.h"

static enum store_state trouble(const struct store *store)
{
    return store->trouble[MEMORY_ADMIN];
}

static bool reads(const struct store *store)
{
    return memory_reads(trouble(store)) && trouble(store) != STORE_SLOW;
}

static bool writes(const struct store *store)
{
    return memory_writes(trouble(store)) && trouble(store) != STORE_SLOW;
}

// ---- documents

static struct memory_document **document_at(struct memory *memory, const char *name)
{
    struct memory_document **at = &memory->documents;

    while (*at != NULL && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

// NULL if it is not there, or staged so long ago that it is gone.
static struct memory_document *find_document(struct memory *memory, const char *name)
{
    struct memory_document *document = *document_at(memory, name);

    return document != NULL &&
                   (document->until_ms == 0 || document->until_ms > memory_now_ms(memory))
               ? document
               : NULL;
}

static void drop_document(struct memory *memory, const char *name)
{
    struct memory_document **at = document_at(memory, name);
    struct memory_document *gone = *at;

    if (gone == NULL)
        return;
    *at = gone->next;
    mem_free(gone->bytes);
    mem_free(gone);
}

void store_policy_stage(struct store *store, const char *document, const void *bytes, size_t len,
                        struct store_done done)
{
    struct memory *memory = store->memory;
    struct memory_document *known = find_document(memory, document);

    memory->used.write_admin++;
    if (!writes(store)) {
        done.fn(done.arg, done.token, trouble(store));
        return;
    }
    if (known == NULL) {
        drop_document(memory, document);
        known = mem_new(sizeof(*known));
        *known = (struct memory_document){.next = memory->documents,
                                          .bytes = mem_text_n(bytes, len),
                                          .len = len,
                                          .until_ms = memory_now_ms(memory) + STORE_STAGED_MS};
        (void)snprintf(known->name, sizeof(known->name), "%s", document);
        memory->documents = known;
    }
    for (struct store *one = memory->stores; one != NULL; one = one->next)
        if (reads(one) && one->follows.staged != NULL)
            one->follows.staged(one->follows.arg, document);
    done.fn(done.arg, done.token, STORE_UP);
}

void store_policy_fetch(struct store *store, const char *document, struct store_document_done done)
{
    const struct memory_document *found =
        reads(store) ? find_document(store->memory, document) : NULL;

    done.fn(done.arg, reads(store) ? STORE_UP : trouble(store),
            found != NULL ? mem_text_n(found->bytes, found->len) : NULL,
            found != NULL ? found->len : 0);
}

// ---- versions

static const struct store_version *newest(const struct memory *memory)
{
    static const struct store_version none = {.version = 0};

    return memory->version_count > 0 ? &memory->version[memory->version_count - 1] : &none;
}

void memory_policy_look(struct store *store)
{
    struct store_version tip = *newest(store->memory);

    if (reads(store) && store->follows.tip != NULL)
        store->follows.tip(store->follows.arg, &tip,
                           find_document(store->memory, tip.document) != NULL);
}

void memory_policy_clear(struct memory *memory)
{
    while (memory->documents != NULL)
        drop_document(memory, memory->documents->name);
    memory->version_count = 0;
    memory->node_count = 0;
    for (struct store *store = memory->stores; store != NULL; store = store->next)
        memory_policy_look(store);
}

void store_policy_follow(struct store *store, struct store_policy_calls calls)
{
    store->follows = calls;
    memory_policy_look(store);
}

void store_policy_tip(struct store *store, struct store_version_done done)
{
    struct store_version tip = *newest(store->memory);

    done.fn(done.arg, reads(store) ? STORE_UP : trouble(store), reads(store) ? &tip : NULL);
}

static void add_version(struct memory *memory, const struct store_version *row)
{
    if (memory->version_count == MEMORY_VERSIONS) {
        memmove(memory->version, memory->version + 1,
                (MEMORY_VERSIONS - 1) * sizeof(memory->version[0]));
        memory->version_count--;
    }
    memory->version[memory->version_count++] = *row;
    find_document(memory, row->document)->until_ms = 0;
}

static bool is_same(const struct store_version *one, const struct store_version *other)
{
    return one->version == other->version && one->at_ms == other->at_ms &&
           strcmp(one->document, other->document) == 0 && strcmp(one->by, other->by) == 0;
}

void store_policy_activate(struct store *store, const struct store_version *row,
                           struct store_activate_done done)
{
    struct memory *memory = store->memory;
    enum store_activation end = STORE_ACTIVATED;
    struct store_version tip;

    memory->used.write_admin++;
    if (!writes(store)) {
        done.fn(done.arg, STORE_FAILED, trouble(store), NULL, false);
        return;
    }
    if (find_document(memory, row->document) == NULL)
        end = STORE_MISSING;
    else if (newest(memory)->version < row->version)
        add_version(memory, row);
    else if (!is_same(newest(memory), row))
        end = STORE_OVERTAKEN;
    tip = *newest(memory);
    done.fn(done.arg, end, STORE_UP, &tip, false);
    for (struct store *one = memory->stores; end == STORE_ACTIVATED && one != NULL; one = one->next)
        memory_policy_look(one);
}

void store_policy_history(struct store *store, uint64_t before, size_t limit,
                          struct store_history_done done)
{
    struct memory *memory = store->memory;
    struct store_version rows[MEMORY_VERSIONS];
    size_t count = 0;

    for (size_t i = memory->version_count; i > 0 && count < limit; i--)
        if (before == 0 || memory->version[i - 1].version < before)
            rows[count++] = memory->version[i - 1];
    done.fn(done.arg, reads(store) ? STORE_UP : trouble(store), rows, reads(store) ? count : 0);
}

// ---- nodes

void store_policy_beat(struct store *store, const struct store_node *node)
{
    struct memory *memory = store->memory;
    size_t at = 0;

    if (!writes(store))
        return;
    while (at < memory->node_count && strcmp(memory->node[at].name, node->name) != 0)
        at++;
    if (at == MEMORY_NODES)
        return;
    memory->node[at] = *node;
    memory->node[at].seen_ms = memory_now_ms(memory);
    if (at == memory->node_count)
        memory->node_count++;
}

void store_policy_leave(struct store *store)
{
    (void)store; // it is seen no more, which tells the same
}

void store_policy_nodes(struct store *store, struct store_nodes_done done)
{
    struct memory *memory = store->memory;
    struct store_node rows[MEMORY_NODES];
    size_t count = 0;

    for (size_t i = 0; reads(store) && i < memory->node_count; i++)
        if (memory->node[i].seen_ms + STORE_NODE_LIVES_MS >= memory_now_ms(memory))
            rows[count++] = memory->node[i];
    done.fn(done.arg, reads(store) ? STORE_UP : trouble(store), rows, count);
}
