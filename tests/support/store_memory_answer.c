// store_memory_answer.c: what another server said of a recipient, in memory: the part of node/store/store.h that
// node/store/answer.c does in Redis.
#include "tests/support/store_memory_inside.h"

void store_write_answer(struct store *store, const char *address,
                        const struct person_answer *answer, const char *mailbox)
{
    char key[PERSON_KEY_MAX];
    char value[PERSON_ANSWER_MAX];

    store->memory->used.write_answer++;
    if (!memory_writes(store->trouble[MEMORY_ANSWER])) {
        store->counters.lost_writes++;
        return;
    }
    (void)person_answer_key(address, key);
    (void)person_answer_write(answer, mailbox, value);
    memory_kept_set(store->memory, key, PERSON_ANSWER_FIELD, value, answer->until_ms + 1);
}
