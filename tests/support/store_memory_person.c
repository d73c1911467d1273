// store_memory_person.c: what is kept of recipients, in memory: the part of node/store/store.h that node/store/person.c
// reads from Redis, command by command.
#include <string.h>

#include "proto/base/mem.h"
#include "tests/support/store_memory_inside.h"

// ---- hashes

static struct memory_kept **find(struct memory *memory, const char *key, const char *field)
{
    struct memory_kept **at = &memory->kept;

    while (*at != NULL && (strcmp((*at)->key, key) != 0 || strcmp((*at)->field, field) != 0))
        at = &(*at)->next;
    return at;
}

static void drop(struct memory_kept **at)
{
    struct memory_kept *kept = *at;

    *at = kept->next;
    mem_free(kept->key);
    mem_free(kept->field);
    mem_free(kept->value);
    mem_free(kept);
}

const char *memory_kept_get(struct memory *memory, const char *key, const char *field)
{
    const struct memory_kept *kept = *find(memory, key, field);

    if (kept == NULL || (memory->table.expires && kept->expires_ms != 0 &&
                         memory_now_ms(memory) >= kept->expires_ms))
        return NULL;
    return kept->value;
}

void memory_kept_set(struct memory *memory, const char *key, const char *field, const char *value,
                     uint64_t expires_ms)
{
    struct memory_kept **at = find(memory, key, field);
    struct memory_kept *kept;

    if (*at != NULL)
        drop(at);
    if (value == NULL)
        return;
    kept = mem_new(sizeof(*kept));
    *kept = (struct memory_kept){.next = memory->kept,
                                 .key = mem_text(key),
                                 .field = mem_text(field),
                                 .value = mem_text(value),
                                 .expires_ms = expires_ms};
    memory->kept = kept;
}

void memory_put(struct memory *memory, const char *key, const char *field, const char *value)
{
    memory_kept_set(memory, key, field, value, 0);
}

void memory_kept_clear(struct memory *memory)
{
    while (memory->kept != NULL)
        drop(&memory->kept);
}

// ---- reading

static void read_list(struct memory *memory, const struct store_person *person)
{
    char key[PERSON_KEY_MAX];

    (void)person_list_key(person->mailbox, key);
    for (unsigned i = 0; i < person->patterns->count; i++) {
        const char *value = memory_kept_get(memory, key, person->patterns->of[i].text);

        if (value != NULL)
            (void)person_list_take(&person->facts->list, person->patterns, i, value, strlen(value),
                                   person->now_ms);
    }
    person->facts->list.state = FACT_PRESENT;
}

static void read_allow(struct memory *memory, const struct store_person *person, unsigned whose)
{
    struct person_allow *allow = &person->facts->allow[whose];
    char owner[PERSON_ORG_OWNER_MAX];
    char key[PERSON_KEY_MAX];

    person_org_owner(person->external, owner);
    (void)person_allow_key(whose == PERSON_ORG ? owner : person->mailbox, key);
    const char *value = memory_kept_get(memory, key, person->external);

    allow->state = value != NULL && person_allow_read(value, strlen(value), allow) ? FACT_PRESENT
                                                                                   : FACT_ABSENT;
}

static void read_row(struct memory *memory, const struct store_person *person)
{
    const uint32_t bucket = person_directory_bucket(&person->directory, person->address);
    struct person_row *row = &person->facts->row;
    char key[PERSON_KEY_MAX];

    (void)person_directory_key(&person->directory, bucket, key);
    const char *value = memory_kept_get(memory, key, person->address);
    const char *whole = memory_kept_get(memory, key, PERSON_WHOLE_FIELD);

    if (whole == NULL || strcmp(whole, PERSON_WHOLE_VALUE) != 0)
        return;
    row->state = FACT_ABSENT;
    if (value != NULL && person_row_read(value, strlen(value), row, person->groups))
        row->state = FACT_PRESENT;
}

static void read_answer(struct memory *memory, const struct store_person *person)
{
    struct person_facts *facts = person->facts;
    char key[PERSON_KEY_MAX];

    (void)person_answer_key(person->address, key);
    const char *answer = memory_kept_get(memory, key, PERSON_ANSWER_FIELD);
    const char *learnt = memory_kept_get(memory, key, PERSON_LEARNT_FIELD);

    facts->answer.state =
        answer != NULL && person_answer_take(facts, answer, strlen(answer), person->now_ms)
            ? FACT_PRESENT
            : FACT_ABSENT;
    facts->learnt.state =
        learnt != NULL && person_learnt_read(learnt, strlen(learnt), &facts->learnt) ? FACT_PRESENT
                                                                                     : FACT_ABSENT;
}

static void read_one(struct memory *memory, const struct store_person *person)
{
    if (person->patterns != NULL)
        read_list(memory, person);
    if (person->external != NULL)
        read_allow(memory, person, PERSON_OWN);
    if (person->external != NULL && person->org)
        read_allow(memory, person, PERSON_ORG);
    if (person->directory.version != 0)
        read_row(memory, person);
    if (person->answer)
        read_answer(memory, person);
}

static unsigned commands_of(const struct store_person *person)
{
    unsigned commands = person->patterns != NULL;

    commands += person->external != NULL;
    commands += person->external != NULL && person->org;
    commands += person->directory.version != 0;
    commands += person->answer;
    return commands;
}

void memory_person_read(struct store *store, struct op *op, enum store_state state)
{
    for (const struct store_person *one = op->persons; one != NULL; one = one->next) {
        store->memory->used.read_person += commands_of(one);
        if (memory_reads(state))
            read_one(store->memory, one);
    }
    op->done.fn(op->done.arg, op->done.token, memory_reads(state) ? STORE_UP : state);
}

void store_read_person(struct store *store, struct store_person *list, struct store_done done)
{
    struct op op = {.store = store, .moment = MEMORY_PERSON, .persons = list, .done = done};

    memory_submit(&op);
}
