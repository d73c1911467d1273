// store_memory.c: node/store/store.h in memory, the part that requests use. What an operator asks
// is in store_memory_admin.c.
//
//     node a --- struct store --+                        +-- table: g:{b}:<slice>, p:{b}:<slice>
//                               +-- struct memory -------+-- rows:  tracking
//     node b --- struct store --+    held operations     +-- ring:  secrets
//
// An operation is a struct op. It runs at once, or waits among the held ones until the script
// releases it; then it meets the trouble of that moment, not of the moment when it was asked.
#include "tests/support/store_memory.h"

#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "tests/support/store_memory_inside.h"

static const uint64_t JUMP_LIMIT_MS = 60000;

const char *memory_moment_word(enum memory_moment moment)
{
    static const char *const WORDS[] = {
#define MEMORY_MOMENT_WORD(name, word) [MEMORY_##name] = (word),
        MEMORY_MOMENT_LIST(MEMORY_MOMENT_WORD)
#undef MEMORY_MOMENT_WORD
    };

    return WORDS[moment];
}

const char *store_state_text(enum store_state state)
{
    static const char *const TEXTS[] = {
#define STATE_TEXT(name, text) [STORE_##name] = (text),
        STORE_STATE_LIST(STATE_TEXT)
#undef STATE_TEXT
    };

    return TEXTS[state];
}

// ---- The server

struct memory *memory_new(bool expires)
{
    struct memory *memory = mem_new(sizeof(*memory));

    memory->table.expires = expires;
    memory->ring.count = 1;
    memory->ring.epoch[0].buckets = 65536;
    memcpy(memory->ring.epoch[0].secret, "scenario's secret", KEY_SECRET_BYTES);
    return memory;
}

void memory_free(struct memory **memory)
{
    if (*memory == NULL)
        return;
    memory_clear(*memory);
    mem_free(*memory);
    *memory = NULL;
}

void memory_clear(struct memory *memory)
{
    memory_table_clear(&memory->table);
    memory_rows_clear(memory);
    memory->spared_count = 0;
    memory->roll.count = 0;
    memory->counted_count = 0;
    mirror_clear(&memory->mirror);
    since_clear(&memory->since);
    memory_used_clear(memory);
    memory_kept_clear(memory);
    directory_clear(&memory->directories);
    bans_clear(&memory->bans);
    memory_policy_clear(memory);
    memory_reputation_clear(memory);
}

uint64_t memory_now_ms(const struct memory *memory)
{
    return (uint64_t)((int64_t)clock_wall_ms() + memory->clock_offset_ms);
}

void memory_clock_jump(struct memory *memory, int64_t by_ms)
{
    memory->clock_offset_ms += by_ms;
    for (struct store *store = memory->stores; store != NULL; store = store->next)
        if ((uint64_t)(by_ms < 0 ? -by_ms : by_ms) > JUMP_LIMIT_MS)
            store->clock_jumped = true;
}

size_t memory_count(const struct memory *memory, enum key_table table)
{
    return memory_table_count(&memory->table, table, memory_now_ms(memory));
}

const struct memory_used *memory_used(const struct memory *memory)
{
    return &memory->used;
}

uint64_t memory_writes_asked(const struct memory_used *used)
{
    return used->write_pending + used->write_passed + used->write_align + used->write_spared +
           used->write_answer + used->write_limit + used->write_harvest + used->write_settle +
           used->write_allow + used->write_track + used->write_report + used->write_volume +
           used->write_admin;
}

void memory_set_used(struct memory *memory, const struct memory_used *used)
{
    memory->used = *used;
}

// ---- One node's connection

struct store *memory_connect(struct memory *memory)
{
    struct store *store = mem_new(sizeof(*store));

    store->memory = memory;
    store->next = memory->stores;
    memory->stores = store;
    store->node = ++memory->connects;
    store->named = named_new(NAMED_CLIENTS);
    memcpy(store->trouble, memory->trouble, sizeof(store->trouble));
    return store;
}

enum err store_new(struct store **out, struct loop *loop, const struct store_config *config,
                   struct err_detail *detail)
{
    (void)loop;
    (void)config;
    (void)out;
    return err_say(detail, ERR_UNSUPPORTED, "this store is made with memory_connect");
}

void memory_trouble(struct memory *memory, struct store *store, enum memory_moment moment,
                    enum store_state state)
{
    for (struct store *one = memory->stores; one != NULL; one = one->next)
        if (store == NULL || one == store)
            one->trouble[moment] = state;
    if (store == NULL)
        memory->trouble[moment] = state;
    for (struct store *one = memory->stores; state == STORE_UP && one != NULL; one = one->next)
        if ((store == NULL || one == store) && moment == MEMORY_ADMIN)
            memory_policy_look(one);
}

void memory_hold(struct store *store, enum memory_moment moment, bool hold)
{
    store->hold[moment] = hold;
}

enum store_state store_state(const struct store *store)
{
    for (size_t i = 1; i < MEMORY_MOMENT_COUNT; i++)
        if (store->trouble[i] != store->trouble[0])
            return STORE_UP;
    return store->trouble[0];
}

void store_describe(const struct store *store, struct text_buf *out)
{
    text_buf_add(out, "memory, %s", store_state_text(store_state(store)));
}

bool memory_reads(enum store_state state)
{
    return state == STORE_UP || state == STORE_READONLY || state == STORE_FULL ||
           state == STORE_DISK || state == STORE_NOREPLICAS;
}

bool memory_writes(enum store_state state)
{
    return state == STORE_UP || state == STORE_SLOW;
}

// The ring is learnt at the first moment at which the server answers, and kept from then on.
const struct key_ring *store_ring(const struct store *store)
{
    static const struct key_ring UNKNOWN;
    struct store *learning = store->memory->stores;

    while (learning != store)
        learning = learning->next;
    if (memory_reads(store_state(store)))
        learning->has_met = true;
    return learning->has_met ? &store->memory->ring : &UNKNOWN;
}

// ---- The clock

uint64_t store_now_ms(const struct store *store)
{
    uint64_t now_ms = memory_now_ms(store->memory);

    if (store->replay_ms != 0)
        return store->replay_ms;
    return now_ms;
}

bool store_clock_ok(const struct store *store)
{
    return !store->clock_jumped;
}

void store_clock_accept(struct store *store)
{
    store->clock_jumped = false;
}

int64_t store_clock_offset_ms(const struct store *store)
{
    return store->memory->clock_offset_ms;
}

void store_replay(struct store *store, uint64_t now_ms)
{
    if (now_ms > store->replay_ms)
        store->replay_ms = now_ms;
}

// ---- Operations

static struct memory_name name_of(enum key_table table, const struct key_place *place,
                                  unsigned identity)
{
    return (struct memory_name){table, place, place->field[identity]};
}

static struct fact_stamp look_up(const struct store *store, const struct memory_name *name)
{
    struct fact_stamp stamp = {.state = FACT_ABSENT};
    const struct memory_field *field =
        memory_table_get(&store->memory->table, name, store_now_ms(store));

    if (field != NULL && key_value_unpack(field->value, KEY_VALUE_BYTES, &stamp.at_ms, &stamp.mark))
        stamp.state = FACT_PRESENT;
    return stamp;
}

// HMGET of both or one of the slices; slices that are not known stay unknown.
static void look_up_all(const struct store *store, const struct key_triplet *key,
                        enum key_table table, unsigned age, struct fact_stamp *out)
{
    const struct key_place *place = table == KEY_PASSED ? &key->passed[age] : &key->pending[age];

    for (unsigned i = 0; i < key->identity_count; i++) {
        struct memory_name name = name_of(table, place, i);

        out[i] = look_up(store, &name);
    }
}

// HSET or, with keep, HSETNX of every identity but KEY_ANY.
static void write_all(struct store *store, const struct key_place *place, const struct op *op,
                      bool keep)
{
    enum key_table table = op->moment == MEMORY_PASSED ? KEY_PASSED : KEY_PENDING;
    uint8_t value[KEY_VALUE_BYTES];

    key_value_pack(op->at_ms, op->mark, value);
    for (unsigned i = 0; i < op->key.identity_count; i++) {
        struct memory_name name = name_of(table, place, i);

        if (op->key.identity[i].kind != KEY_ANY)
            memory_table_set(&store->memory->table, &name, keep, value, store_now_ms(store));
    }
}

static void answer(const struct op *op, enum store_state state)
{
    op->done.fn(op->done.arg, op->done.token, state);
}

static void run_read(struct store *store, struct op *op, enum store_state state)
{
    for (struct store_triplet *one = op->list; one != NULL; one = one->next) {
        store->memory->used.read_passed++;
        for (unsigned age = 0; memory_reads(state) && age < (op->both ? 2 : 1); age++)
            look_up_all(store, one->key, KEY_PASSED, age, one->facts->passed[age]);
    }
    answer(op, memory_reads(state) ? STORE_UP : state);
}

// The pipeline of one triplet: HMGET p(previous); HMGET g(previous); HSETNX g(current); HMGET
// g(current).
static void add_one(struct store *store, struct store_triplet *one, const struct op *op,
                    enum store_state state)
{
    struct op write = {.moment = MEMORY_PENDING, .at_ms = one->now_ms, .mark = one->mark};
    const struct key_triplet *key = one->key;

    store->memory->used.read_pending++;
    store->memory->used.write_pending += !op->read_only;
    if (memory_reads(store->trouble[MEMORY_BEFORE]))
        look_up_all(store, key, KEY_PASSED, KEY_PREVIOUS, one->facts->passed[KEY_PREVIOUS]);
    if (memory_reads(state))
        look_up_all(store, key, KEY_PENDING, KEY_PREVIOUS, one->facts->pending[KEY_PREVIOUS]);
    one->facts->refused = !memory_writes(state) && !op->read_only;
    if (memory_writes(state) && !op->read_only) {
        write.key = *key;
        write_all(store, &key->pending[KEY_CURRENT], &write, true);
    }
    if (memory_reads(state))
        look_up_all(store, key, KEY_PENDING, KEY_CURRENT, one->facts->pending[KEY_CURRENT]);
}

static void run_pending(struct store *store, struct op *op, enum store_state state)
{
    bool is_done = memory_reads(state) && (op->read_only || memory_writes(state));

    for (struct store_triplet *one = op->list; one != NULL; one = one->next)
        add_one(store, one, op, state);
    answer(op, is_done ? STORE_UP : state);
}

static void run_write(struct store *store, struct op *op, enum store_state state)
{
    bool is_pass = op->moment == MEMORY_PASSED;
    const struct key_place *place = is_pass ? op->key.passed : op->key.pending;

    *(is_pass ? &store->memory->used.write_passed : &store->memory->used.write_align) += 1;
    if (memory_writes(state))
        write_all(store, &place[KEY_CURRENT], op, false);
    else
        store->counters.lost_writes++;
}

static void run_spared(struct store *store, struct op *op, enum store_state state)
{
    memory_spared_note(store, op->name, &op->news, state);
}

static void run_track(struct store *store, struct op *op, enum store_state state)
{
    store->memory->used.write_track++;
    if (memory_writes(state)) {
        memory_rows_add(store->memory, op->row);
        op->row = NULL;
    } else {
        store->counters.lost_writes++;
    }
}

static void op_run(struct op *op)
{
    static void (*const RUN[])(struct store *, struct op *, enum store_state) = {
        [MEMORY_READ] = run_read,
        [MEMORY_PENDING] = run_pending,
        [MEMORY_PASSED] = run_write,
        [MEMORY_ALIGN] = run_write,
        [MEMORY_TRACK] = run_track,
        [MEMORY_SPARED] = run_spared,
        [MEMORY_PERSON] = memory_person_read,
        [MEMORY_HARVEST] = memory_harvest_note,
        [MEMORY_LIMIT] = memory_limit_add,
        [MEMORY_ALLOW] = memory_allow_note,
        [MEMORY_SETTLE] = memory_limit_settle,
        [MEMORY_LEVELS] = memory_levels_read,
        [MEMORY_REPORT] = memory_report,
        [MEMORY_VOLUME] = memory_volume,
    };
    struct store *store = op->store;

    RUN[op->moment](store, op, store->trouble[op->moment]);
    memory_row_free(&op->row);
}

void memory_submit(struct op *op)
{
    struct op **last = &op->store->memory->held;
    struct op *copy;

    if (!op->store->hold[op->moment]) {
        op_run(op);
        return;
    }
    while (*last != NULL)
        last = &(*last)->next;
    copy = mem_new(sizeof(*copy));
    *copy = *op;
    *last = copy;
}

// take: the oldest held operation of the store out of the list, or NULL.
static struct op *take(struct memory *memory, const struct store *store)
{
    struct op **at = &memory->held;
    struct op *op;

    while (*at != NULL && store != NULL && (*at)->store != store)
        at = &(*at)->next;
    op = *at;
    if (op != NULL)
        *at = op->next;
    return op;
}

bool memory_release(struct memory *memory, struct store *store)
{
    struct op *op = take(memory, store);

    if (op == NULL)
        return false;
    op_run(op);
    mem_free(op);
    return true;
}

// What is held is answered as by a server that is gone.
void store_free(struct store **store)
{
    struct store **at;

    if (*store == NULL)
        return;
    for (size_t i = 0; i < MEMORY_MOMENT_COUNT; i++) {
        (*store)->trouble[i] = STORE_DOWN;
        (*store)->hold[i] = false;
    }
    while (memory_release((*store)->memory, *store))
        continue;
    for (at = &(*store)->memory->stores; *at != *store; at = &(*at)->next)
        continue;
    *at = (*store)->next;
    mirror_clear(&(*store)->mirror);
    directory_clear(&(*store)->directories);
    since_clear(&(*store)->since);
    named_free(&(*store)->named);
    bans_clear(&(*store)->bans);
    memory_heard_clear(*store);
    mem_free(*store);
    *store = NULL;
}

size_t memory_held(const struct memory *memory, const struct store *store)
{
    size_t count = 0;

    for (const struct op *op = memory->held; op != NULL; op = op->next)
        count += store == NULL || op->store == store;
    return count;
}

bool memory_is_holding(const struct memory *memory, const struct store *store)
{
    for (size_t i = 0; i < MEMORY_MOMENT_COUNT; i++)
        if (store->hold[i])
            return true;
    return memory_held(memory, NULL) > 0;
}

bool memory_is_calm(const struct store *store)
{
    for (size_t i = 0; i < MEMORY_MOMENT_COUNT; i++)
        if (store->trouble[i] != STORE_UP)
            return false;
    return true;
}

// ---- What requests call

void store_read_passed(struct store *store, enum store_lane lane, struct store_triplet *list,
                       struct store_done done)
{
    struct op op = {.store = store, .moment = MEMORY_READ, .list = list, .done = done};

    op.both = lane == STORE_ADMIN;
    memory_submit(&op);
}

void store_add_pending(struct store *store, struct store_triplet *list, bool read_only,
                       struct store_done done)
{
    struct op op = {.store = store, .moment = MEMORY_PENDING, .list = list, .done = done};

    op.read_only = read_only;
    memory_submit(&op);
}

static void write_later(struct store *store, enum memory_moment moment,
                        const struct key_triplet *key, uint64_t at_ms, uint32_t mark)
{
    struct op op = {.store = store, .moment = moment, .key = *key, .at_ms = at_ms, .mark = mark};

    memory_submit(&op);
}

void store_write_passed(struct store *store, const struct key_triplet *key, uint64_t now_ms,
                        uint32_t mark)
{
    write_later(store, MEMORY_PASSED, key, now_ms, mark);
}

void store_align_pending(struct store *store, const struct key_triplet *key, uint64_t at_ms,
                         uint32_t mark)
{
    write_later(store, MEMORY_ALIGN, key, at_ms, mark);
}

void store_spared_note(struct store *store, const char *name, const struct spared_news *news)
{
    struct op op = {.store = store, .moment = MEMORY_SPARED, .news = *news};

    memcpy(op.name, name, strlen(name) + 1);
    memory_submit(&op);
}

void store_track(struct store *store, const struct track_row *row)
{
    struct op op = {.store = store, .moment = MEMORY_TRACK, .row = memory_row_new(row)};

    memory_submit(&op);
}

void store_limit_add(struct store *store, struct store_limit *list, bool read_only,
                     struct store_done done)
{
    struct op op = {.store = store, .moment = MEMORY_LIMIT, .limits = list, .done = done};

    op.read_only = read_only;
    memory_submit(&op);
}

void store_limit_keep(struct store *store, const struct key_count *key, uint64_t expires_ms)
{
    struct op op = {.store = store, .moment = MEMORY_SETTLE, .count = *key, .at_ms = expires_ms};

    op.keep = true;
    memory_submit(&op);
}

void store_limit_drop(struct store *store, const struct key_count *key)
{
    struct op op = {.store = store, .moment = MEMORY_SETTLE, .count = *key};

    memory_submit(&op);
}

void store_count_retry(struct store *store, uint64_t slice, uint64_t slice_ms, unsigned first_tries,
                       unsigned passes)
{
    memory_retry_add(store->memory, &(struct retry_counts){slice, slice_ms, first_tries, passes});
}

const struct store_counters *store_counters(const struct store *store)
{
    return &store->counters;
}

size_t store_near_entries(const struct store *store)
{
    (void)store; // it has none: each question is answered by what is stored
    return 0;
}
