// carried.c: a table of sets of four. Promises: no allocation after carried_new; a transaction is a keyed
// hash, so nobody chooses the set that his falls into; what is pushed out costs a recipient a delay, no more.
#include "node/verbs/carried.h"

#include "node/core/chain.h"
#include "proto/base/mem.h"

enum { WAYS = 4 };

struct entry {
    uint64_t transaction; // 0 = free
    uint64_t at_ms;
};

struct carried {
    size_t sets;
    struct entry *entry; // sets * WAYS
};

struct carried *carried_new(size_t count)
{
    struct carried *carried = mem_new(sizeof(*carried));

    carried->sets = count / WAYS;
    carried->entry = mem_new_array(count, sizeof(*carried->entry));
    return carried;
}

void carried_free(struct carried **carried)
{
    if (*carried == NULL)
        return;
    mem_free((*carried)->entry);
    mem_free(*carried);
    *carried = NULL;
}

static struct entry *set_of(const struct carried *carried, uint64_t transaction)
{
    return &carried->entry[transaction % carried->sets * WAYS];
}

void carried_keep(struct carried *carried, uint64_t transaction, uint64_t now_ms)
{
    struct entry *set = set_of(carried, transaction);
    struct entry *place = set;

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].transaction == transaction) {
            place = &set[i];
            break;
        }
        if (set[i].at_ms < place->at_ms) // a free one is the oldest of all
            place = &set[i];
    }
    *place = (struct entry){transaction, now_ms};
}

bool carried_find(const struct carried *carried, uint64_t transaction, uint64_t now_ms)
{
    const struct entry *set = set_of(carried, transaction);

    for (size_t i = 0; i < WAYS; i++)
        if (set[i].transaction == transaction)
            return now_ms <= set[i].at_ms || now_ms - set[i].at_ms <= GREYLIST_TRANSACTION_MS;
    return false;
}
