// choose.c: see choose.h.
#include "client/lib/choose.h"

#include <string.h>

// Lower is better. RANK_SAME is added to the rank of a node that was asked at another address.
enum { RANK_UP, RANK_DRAINING, RANK_SUSPECT, RANK_GONE, RANK_SAME, RANK_NEVER = 2 * RANK_SAME };

// ---- affinity

// FNV-1a: the gateway's own words, so nobody chooses collisions, and they cost only time.
uint64_t affinity_hash(const char *transaction)
{
    uint64_t hash = 0xcbf29ce484222325U;

    for (; *transaction != '\0'; transaction++)
        hash = (hash ^ (unsigned char)*transaction) * 0x100000001b3U;
    return hash == 0 ? 1 : hash;
}

// row_of: the upper half mixes best in FNV.
static size_t row_of(uint64_t transaction)
{
    return (size_t)(transaction >> 32) % AFFINITY_ROWS;
}

uint64_t affinity_of(const struct affinity *affinity, uint64_t transaction)
{
    size_t row = row_of(transaction);

    return affinity->row[row].transaction == transaction ? affinity->row[row].serial : 0;
}

void affinity_note(struct affinity *affinity, uint64_t transaction, uint64_t serial)
{
    size_t row = row_of(transaction);

    affinity->row[row].transaction = transaction;
    affinity->row[row].serial = serial;
}

// ---- choosing

// was_asked: over this very connection. One that came back is another.
static bool was_asked(const struct ask *ask, const struct node *node)
{
    for (size_t i = 0; i < ask->copy_count; i++) {
        if (ask->copy[i].serial == node->serial && ask->copy[i].connection == node->link.connects)
            return true;
    }
    return false;
}

static bool is_same_node(const struct nodes *nodes, const struct ask *ask, const struct node *node)
{
    for (size_t i = 0; i < ask->copy_count && node->name[0] != '\0'; i++) {
        const struct node *asked = nodes_find(nodes, ask->copy[i].serial);

        if (asked != NULL && asked != node && strcmp(asked->name, node->name) == 0)
            return true;
    }
    return false;
}

static int rank_of(const struct nodes *nodes, const struct ask *ask, const struct node *node)
{
    int rank = RANK_UP;

    if (!node->link.is_up || node->is_full || was_asked(ask, node))
        return RANK_NEVER;
    if (node->health.is_draining)
        rank = RANK_DRAINING;
    if (node->health.is_suspect)
        rank = RANK_SUSPECT;
    if (node->sources == 0)
        rank = RANK_GONE;
    return is_same_node(nodes, ask, node) ? rank + RANK_SAME : rank;
}

// gather: the nodes of the best rank. Returns how many.
static size_t gather(const struct nodes *nodes, const struct ask *ask, struct node **out)
{
    int best = RANK_NEVER;
    size_t count = 0;

    for (size_t i = 0; i < nodes->count; i++) {
        int rank = rank_of(nodes, ask, nodes->node[i]);

        if (rank < best)
            count = 0;
        best = rank < best ? rank : best;
        if (rank == best && rank != RANK_NEVER)
            out[count++] = nodes->node[i];
    }
    return count;
}

static bool is_clearly_busier(const struct node *one, const struct node *other)
{
    return one->seen.in_flight > 2 * other->seen.in_flight + AFFINITY_SLACK;
}

// draw: the less busy of two random ones; of equals the first.
static struct node *draw(struct node *const *node, size_t count, uint64_t random)
{
    size_t first = (size_t)(random % count), second = first;

    if (count > 1)
        second = (first + 1 + (size_t)(random >> 32) % (count - 1)) % count;
    return node[second]->seen.in_flight < node[first]->seen.in_flight ? node[second] : node[first];
}

struct node *choose_node(const struct nodes *nodes, const struct ask *ask, uint64_t preferred,
                         uint64_t random)
{
    struct node *good[NODES_MAX];
    size_t count = gather(nodes, ask, good);
    struct node *drawn = count == 0 ? NULL : draw(good, count, random);

    for (size_t i = 0; i < count && preferred != 0; i++) {
        if (good[i]->serial == preferred && !is_clearly_busier(good[i], drawn))
            return good[i];
    }
    return drawn;
}
