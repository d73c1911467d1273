// Auto Allow in a real redis-server: stamps that only grow, whoever writes them when; how long keys live and what is over in
// them; lists; a server that is away, full, or that holds what is not ours.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/store_scene.h"
#include "tests/support/table.h"

static const char ANN[] = "ann@corp.example";
static const char BOB[] = "bob@ext.example";
static const uint64_t DAY_MS = 24ULL * 3600 * 1000;
#define LIFE_MS (120 * DAY_MS)

struct question {
    unsigned calls;
    enum store_state state;
};

static void answered(void *arg, uint64_t token, enum store_state state)
{
    struct question *question = arg;

    assert_int_equal(token, 17);
    question->calls++;
    question->state = state;
}

static bool is_answered(void *arg)
{
    return ((struct question *)arg)->calls > 0;
}

static enum store_state wait_for(struct scene *scene, struct question *question)
{
    stage_until(&scene->stage, is_answered, question);
    assert_int_equal(question->calls, 1);
    return question->state;
}

static enum store_state note(struct scene *scene, struct store_allow *list, bool read_only)
{
    struct question question = {.calls = 0};

    store_allow_note(scene->store, list, LIFE_MS, read_only,
                     (struct store_done){.fn = answered, .arg = &question, .token = 17});
    return wait_for(scene, &question);
}

// What the key holds of that field, as text; "" if nothing.
static const char *value_of(struct scene *scene, const char *key, const char *field)
{
    static char text[128];
    redisReply *reply = stage_ask(&scene->stage, "HGET %s %s", key, field);

    (void)snprintf(text, sizeof(text), "%s", reply->type == REDIS_REPLY_STRING ? reply->str : "");
    freeReplyObject(reply);
    return text;
}

static struct store_allow entry_of(uint64_t sent_ms, uint64_t disabled_ms)
{
    return (struct store_allow){
        .owner = ANN, .external = BOB, .sent_ms = sent_ms, .disabled_ms = disabled_ms};
}

#define KEY "a:{ann@corp.example}"

// ---- stamps

struct stamps_row {
    const char *name;
    const char *before; // NULL = nothing
    uint64_t sent_ms, disabled_ms;
    const char *after;
};

static const struct stamps_row stamps_rows[] = {
    {"the first", NULL, 4102444800000, 0, "4102444800000 0"},
    {"a later one", "4102444800000 0", 4102444800001, 0, "4102444800001 0"},
    {"an earlier one", "4102444800000 0", 4102444799999, 0, "4102444800000 0"},
    {"disabled", "4102444800000 0", 0, 4102444800005, "4102444800000 4102444800005"},
    {"disabled earlier", "4102444800000 4102444800005", 0, 4102444800004,
     "4102444800000 4102444800005"},
    {"sent since", "4102444800000 4102444800005", 4102444800006, 0, "4102444800006 4102444800005"},
    {"disabled before anything was sent", NULL, 0, 4102444800005, "0 4102444800005"},
    {"both at once", "5 6", 7, 8, "7 8"},
    {"the largest", NULL, 9007199254740991, 0, "9007199254740991 0"},
    {"what was not ours is gone", "nonsense", 4102444800000, 0, "4102444800000 0"},
};

static void stamps(void **state)
{
    const struct stamps_row *row = *state;
    struct scene scene;
    struct store_allow entry = entry_of(row->sent_ms, row->disabled_ms);
    const bool is_ours = row->before == NULL || row->before[0] != 'n';

    scene_open(&scene);
    if (row->before != NULL)
        stage_do(&scene.stage, "HSET %s %s %b", KEY, BOB, row->before, strlen(row->before));
    assert_int_equal(note(&scene, &entry, false), is_ours ? STORE_UP : STORE_ERROR);
    assert_string_equal(value_of(&scene, KEY, BOB), row->after);
    assert_int_equal(entry.before.state, row->before == NULL ? FACT_ABSENT
                                         : is_ours           ? FACT_PRESENT
                                                             : FACT_UNKNOWN);
    // written again, by whomever, it is the same
    assert_int_equal(note(&scene, &entry, false), STORE_UP);
    assert_string_equal(value_of(&scene, KEY, BOB), row->after);
    scene_close(&scene);
}

static void a_dry_run_writes_nothing(void **state)
{
    struct scene scene;
    struct store_allow entry = entry_of(4102444800000, 0);

    (void)state;
    scene_open(&scene);
    assert_int_equal(note(&scene, &entry, true), STORE_UP);
    assert_int_equal(entry.before.state, FACT_ABSENT);
    assert_int_equal(stage_number(&scene.stage, "EXISTS %s", KEY), 0);
    stage_do(&scene.stage, "HSET %s %s %b", KEY, BOB, "5 6", (size_t)3);
    assert_int_equal(note(&scene, &entry, true), STORE_UP);
    assert_int_equal(entry.before.state, FACT_PRESENT);
    assert_int_equal(entry.before.sent_ms, 5);
    assert_int_equal(entry.before.disabled_ms, 6);
    assert_string_equal(value_of(&scene, KEY, BOB), "5 6");
    scene_close(&scene);
}

// ---- several in one trip

static void several_owners_and_who_has_sent(void **state)
{
    struct scene scene;
    struct store_allow list[5] = {
        entry_of(4102444801000, 0),
        entry_of(4102444801000, 0),
        entry_of(4102444802000, 0),
        {.owner = "org/abc", .external = BOB, .sent_ms = 4102444801000},
        {.owner = ANN, .sent_ms = 4102444803000},
    };

    (void)state;
    list[1].external = "carl@ext.example";
    for (unsigned i = 0; i < 4; i++)
        list[i].next = &list[i + 1];
    scene_open(&scene);
    stage_do(&scene.stage, "HSET v:{%s} answer %s learnt %s", ANN, "+", "4102444802999");
    const uint64_t commands = scene.store->counters.commands;

    assert_int_equal(note(&scene, list, false), STORE_UP);
    assert_in_range(scene.store->counters.commands - commands, 4,
                    12); // and what a node asks beside
    assert_string_equal(value_of(&scene, KEY, BOB), "4102444802000 0");
    assert_string_equal(value_of(&scene, KEY, "carl@ext.example"), "4102444801000 0");
    assert_string_equal(value_of(&scene, "a:{org/abc}", BOB), "4102444801000 0");
    assert_string_equal(value_of(&scene, "v:{ann@corp.example}", "learnt"), "4102444803000");
    assert_string_equal(value_of(&scene, "v:{ann@corp.example}", "answer"), "+");
    scene_close(&scene);
}

// More than a command holds.
static void a_thousand_recipients(void **state)
{
    enum { MANY = 1000 };
    struct scene scene;
    struct store_allow *list = mem_new_array(MANY, sizeof(*list));
    char(*text)[64] = mem_new_array(MANY, sizeof(*text));

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "recipient-number-%u@some.host.ext.example", i);
        list[i] = (struct store_allow){.next = i + 1 < MANY ? &list[i + 1] : NULL,
                                       .owner = ANN,
                                       .external = text[i],
                                       .sent_ms = 4102444801000};
    }
    scene_open(&scene);
    assert_int_equal(note(&scene, list, false), STORE_UP);
    assert_int_equal(stage_number(&scene.stage, "HLEN %s", KEY), MANY);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(list[i].before.state, FACT_ABSENT);
    assert_int_equal(note(&scene, list, true), STORE_UP);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(list[i].before.sent_ms, 4102444801000);
    scene_close(&scene);
    mem_free(list);
    mem_free(text);
}

// ---- lives

static void a_key_lives_a_day_longer_than_its_entries(void **state)
{
    struct scene scene;
    struct store_allow entry = entry_of(4102444801000, 0);
    const long long life_s = (LIFE_MS + DAY_MS) / 1000;

    (void)state;
    scene_open(&scene);
    assert_int_equal(note(&scene, &entry, false), STORE_UP);
    assert_in_range(stage_number(&scene.stage, "TTL %s", KEY), life_s - 5, life_s);
    stage_do(&scene.stage, "EXPIRE %s 100", KEY);
    assert_int_equal(note(&scene, &entry, false), STORE_UP);
    assert_in_range(stage_number(&scene.stage, "TTL %s", KEY), life_s - 5, life_s);
    stage_do(&scene.stage, "EXPIRE %s 999999999", KEY); // somebody means it to live longer
    assert_int_equal(note(&scene, &entry, false), STORE_UP);
    assert_in_range(stage_number(&scene.stage, "TTL %s", KEY), 999999000, 999999999);
    scene_close(&scene);
}

static void what_is_over_goes_by_and_by(void **state)
{
    struct scene scene;
    char external[64];
    char recent[64];
    struct store_allow entry = {.owner = ANN, .external = external};

    (void)state;
    scene_open(&scene);
    const uint64_t now_ms = store_now_ms(scene.store);

    (void)snprintf(recent, sizeof(recent), "1000 %llu", (unsigned long long)now_ms);
    for (unsigned i = 0; i < 100; i++) // over; and taken back not long ago
        stage_do(&scene.stage, "HSET %s old%d@x %s kept%d@x %s", KEY, i, "2000", i, recent);
    for (unsigned i = 0; i < 400; i++) {
        (void)snprintf(external, sizeof(external), "new%u@x", i);
        entry.sent_ms = now_ms;
        assert_int_equal(note(&scene, &entry, false), STORE_UP);
    }
    // Each new one looks at four: hardly any that is over is left, and none that is not is gone.
    assert_in_range(stage_number(&scene.stage, "HLEN %s", KEY), 500, 510);
    // One that is not new looks at none.
    stage_do(&scene.stage, "DEL %s", KEY);
    for (unsigned i = 0; i < 20; i++)
        stage_do(&scene.stage, "HSET %s old%d@x %s", KEY, i, "1000-0");
    stage_do(&scene.stage, "HSET %s %s %s", KEY, external, recent);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(note(&scene, &entry, false), STORE_UP);
    assert_int_equal(stage_number(&scene.stage, "HLEN %s", KEY), 21);
    scene_close(&scene);
}

// ---- forget

static void forgotten(void **state)
{
    struct scene scene;
    struct store_allow entry = entry_of(4102444801000, 4102444802000);
    struct question question = {.calls = 0};

    (void)state;
    scene_open(&scene);
    assert_int_equal(note(&scene, &entry, false), STORE_UP);
    store_allow_forget(scene.store, &entry,
                       (struct store_done){.fn = answered, .arg = &question, .token = 17});
    assert_int_equal(wait_for(&scene, &question), STORE_UP);
    assert_int_equal(entry.before.state, FACT_PRESENT);
    assert_int_equal(entry.before.disabled_ms, 4102444802000);
    assert_int_equal(stage_number(&scene.stage, "EXISTS %s", KEY), 0);
    question.calls = 0;
    store_allow_forget(scene.store, &entry,
                       (struct store_done){.fn = answered, .arg = &question, .token = 17});
    assert_int_equal(wait_for(&scene, &question), STORE_UP);
    assert_int_equal(entry.before.state, FACT_ABSENT);
    scene_close(&scene);
}

// ---- lists

struct page {
    unsigned calls;
    enum store_state state;
    size_t count;
    uint64_t sum; // of the stamps
    uint64_t cursor;
};

static void listed(void *arg, enum store_state state, const struct store_allow_row *rows,
                   size_t count, uint64_t cursor)
{
    struct page *page = arg;

    page->calls++;
    page->state = state;
    page->count += count;
    page->cursor = cursor;
    for (size_t i = 0; i < count; i++) {
        assert_non_null(strchr(rows[i].external, '@'));
        assert_int_equal(rows[i].allow.state, FACT_PRESENT);
        page->sum += rows[i].allow.sent_ms;
    }
}

static bool is_listed(void *arg)
{
    return ((struct page *)arg)->calls > 0;
}

static void list(struct scene *scene, struct page *page)
{
    page->calls = 0;
    store_allow_list(scene->store, ANN, page->cursor, 100,
                     (struct store_allow_list_done){listed, page});
    stage_until(&scene->stage, is_listed, page);
}

static void pages_of_an_owner(void **state)
{
    struct scene scene;
    struct page page = {.calls = 0};
    unsigned pages = 0;

    (void)state;
    scene_open(&scene);
    list(&scene, &page);
    assert_int_equal(page.state, STORE_UP);
    assert_int_equal(page.count + page.cursor, 0);
    stage_do(&scene.stage, "HSET %s a@x %b b@x %b", KEY, "1 0", (size_t)3, "2 3", (size_t)3);
    list(&scene, &page);
    assert_int_equal(page.count, 2);
    assert_int_equal(page.sum, 3);
    for (unsigned i = 0; i < 1000; i++)
        stage_do(&scene.stage, "HSET %s r%d@x %b", KEY, i, "1 0", (size_t)3);
    page = (struct page){.calls = 0};
    do {
        list(&scene, &page);
        pages++;
        assert_int_equal(page.state, STORE_UP);
    } while (page.cursor != 0);
    assert_int_equal(page.count, 1002);
    assert_int_equal(page.sum, 1003);
    assert_in_range(pages, 5, 20);
    scene_close(&scene);
}

static void a_list_with_what_is_not_ours(void **state)
{
    struct scene scene;
    struct page page = {.calls = 0};

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "HSET %s a@x %b b@x nonsense %b %b", KEY, "1 0", (size_t)3, "c@x\0d",
             (size_t)5, "1 0", (size_t)3);
    list(&scene, &page);
    assert_int_equal(page.state, STORE_ERROR);
    assert_int_equal(page.count, 1);
    stage_do(&scene.stage, "DEL %s", KEY);
    stage_do(&scene.stage, "SET %s x", KEY);
    list(&scene, &page);
    assert_int_equal(page.state, STORE_ERROR);
    scene_close(&scene);
}

// ---- trouble

static void a_key_of_another_type(void **state)
{
    struct scene scene;
    struct store_allow entry = entry_of(4102444801000, 0);

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "SET %s x", KEY);
    assert_int_equal(note(&scene, &entry, false), STORE_ERROR);
    assert_int_equal(entry.before.state, FACT_UNKNOWN);
    scene_close(&scene);
}

static void a_full_server_says_so(void **state)
{
    struct scene scene;
    struct store_allow entry = entry_of(4102444801000, 0);

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "CONFIG SET maxmemory 1");
    assert_int_equal(note(&scene, &entry, false), STORE_FULL);
    assert_int_equal(note(&scene, &entry, true), STORE_UP);
    stage_do(&scene.stage, "CONFIG SET maxmemory 0");
    assert_int_equal(note(&scene, &entry, false), STORE_UP);
    scene_close(&scene);
}

static void a_restarted_server_need_not_be_told_the_script(void **state)
{
    struct scene scene;
    struct store_allow entry = entry_of(4102444801000, 0);

    (void)state;
    scene_open(&scene);
    assert_int_equal(note(&scene, &entry, false), STORE_UP);
    stage_do(&scene.stage, "SCRIPT FLUSH");
    entry.sent_ms = 4102444802000;
    assert_int_equal(note(&scene, &entry, false), STORE_UP);
    assert_string_equal(value_of(&scene, KEY, BOB), "4102444802000 0");
    scene_close(&scene);
}

static void a_server_that_is_gone(void **state)
{
    struct scene scene;
    struct store_allow entry = entry_of(4102444801000, 0);
    struct page page = {.calls = 0};

    (void)state;
    scene_open(&scene);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    assert_int_equal(note(&scene, &entry, false), STORE_DOWN);
    list(&scene, &page);
    assert_int_equal(page.state, STORE_DOWN);
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_ROWS(&table, stamps_rows, stamps);
    TABLE_TEST(&table, a_dry_run_writes_nothing);
    TABLE_TEST(&table, several_owners_and_who_has_sent);
    TABLE_TEST(&table, a_thousand_recipients);
    TABLE_TEST(&table, a_key_lives_a_day_longer_than_its_entries);
    TABLE_TEST(&table, what_is_over_goes_by_and_by);
    TABLE_TEST(&table, forgotten);
    TABLE_TEST(&table, pages_of_an_owner);
    TABLE_TEST(&table, a_list_with_what_is_not_ours);
    TABLE_TEST(&table, a_key_of_another_type);
    TABLE_TEST(&table, a_full_server_says_so);
    TABLE_TEST(&table, a_restarted_server_need_not_be_told_the_script);
    TABLE_TEST(&table, a_server_that_is_gone);
    return table_run(&table, "Auto Allow in Redis");
}
