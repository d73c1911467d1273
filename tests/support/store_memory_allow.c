// store_memory_allow.c: Auto Allow in memory: the part of node/store/store.h that node/store/allow.c does in Redis.
#include <stdio.h>
#include <string.h>

#include "proto/base/mem.h"
#include "tests/support/store_memory_inside.h"

static const uint64_t DAY_MS = 24ULL * 3600 * 1000;

static void key_of(const struct store_allow *entry, char key[PERSON_KEY_MAX])
{
    if (entry->external != NULL)
        (void)person_allow_key(entry->owner, key);
    else
        (void)person_answer_key(entry->owner, key);
}

static const char *field_of(const struct store_allow *entry)
{
    return entry->external != NULL ? entry->external : PERSON_LEARNT_FIELD;
}

static void read_before(struct memory *memory, struct store_allow *entry)
{
    char key[PERSON_KEY_MAX];

    key_of(entry, key);
    const char *value = memory_kept_get(memory, key, field_of(entry));

    entry->before.state = FACT_ABSENT;
    if (entry->external != NULL && value != NULL &&
        person_allow_read(value, strlen(value), &entry->before))
        entry->before.state = FACT_PRESENT;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

// What the script does with one field: each stamp is the later of both.
static void write_after(struct store *store, const struct store_allow *entry, uint64_t life_ms)
{
    struct memory *memory = store->memory;
    char key[PERSON_KEY_MAX];
    char text[PERSON_VALUE_MAX];

    key_of(entry, key);
    const char *value = memory_kept_get(memory, key, field_of(entry));
    unsigned long long sent = 0;
    unsigned long long disabled = 0;

    if (value != NULL)
        (void)sscanf(value, "%llu %llu", &sent, &disabled);
    if (entry->external != NULL)
        (void)snprintf(text, sizeof(text), "%llu %llu",
                       (unsigned long long)later(entry->sent_ms, sent),
                       (unsigned long long)later(entry->disabled_ms, disabled));
    else
        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)later(entry->sent_ms, sent));
    memory_kept_set(memory, key, field_of(entry), text,
                    store->replay_ms != 0 ? 0 : store_now_ms(store) + life_ms + DAY_MS);
}

void memory_allow_note(struct store *store, struct op *op, enum store_state state)
{
    const bool is_done = op->read_only ? memory_reads(state) : memory_writes(state);

    for (struct store_allow *entry = op->allows; entry != NULL; entry = entry->next) {
        entry->before = (struct person_allow){.state = FACT_UNKNOWN};
        store->memory->used.write_allow += !op->read_only;
        if (!is_done)
            continue;
        read_before(store->memory, entry);
        if (!op->read_only)
            write_after(store, entry, op->at_ms);
    }
    op->done.fn(op->done.arg, op->done.token,
                is_done ? (state == STORE_SLOW ? state : STORE_UP) : state);
}

void store_allow_note(struct store *store, struct store_allow *list, uint64_t life_ms,
                      bool read_only, struct store_done done)
{
    struct op op = {.store = store, .moment = MEMORY_ALLOW, .allows = list, .done = done};

    op.at_ms = life_ms;
    op.read_only = read_only;
    memory_submit(&op);
}

void store_allow_forget(struct store *store, struct store_allow *entry, struct store_done done)
{
    const enum store_state state = store->trouble[MEMORY_ADMIN];
    char key[PERSON_KEY_MAX];

    store->memory->used.write_admin++;
    entry->before = (struct person_allow){.state = FACT_UNKNOWN};
    if (memory_writes(state)) {
        read_before(store->memory, entry);
        key_of(entry, key);
        memory_kept_set(store->memory, key, field_of(entry), NULL, 0);
    }
    done.fn(done.arg, done.token, state);
}

// A page is limit entries, in no order; the cursor is how many came before.
void store_allow_list(struct store *store, const char *owner, uint64_t cursor, size_t limit,
                      struct store_allow_list_done done)
{
    const enum store_state state = store->trouble[MEMORY_ADMIN];
    struct store_allow_row *row = mem_new_array(limit, sizeof(*row));
    char key[PERSON_KEY_MAX];
    uint64_t at = 0;
    size_t count = 0;

    (void)person_allow_key(owner, key);
    for (const struct memory_kept *kept = store->memory->kept; kept != NULL; kept = kept->next) {
        if (!memory_reads(state) || strcmp(kept->key, key) != 0 ||
            memory_kept_get(store->memory, key, kept->field) == NULL || at++ < cursor)
            continue;
        if (count < limit &&
            person_allow_read(kept->value, strlen(kept->value), &row[count].allow)) {
            row[count].allow.state = FACT_PRESENT;
            row[count++].external = kept->field;
        }
    }
    done.fn(done.arg, memory_reads(state) ? STORE_UP : state, row, count,
            at > cursor + count ? cursor + count : 0);
    mem_free(row);
}
