// steps_store.c: lines about the store: its troubles, operations that wait, what it loses and what stands in it.
#include <inttypes.h>
#include <strings.h>

#include "tests/scenario/steps_line.h"
#include "tests/scenario/when.h"

// The nodes that a line is about: the one of node=, or all.
static bool is_meant(const struct step_line *line, const struct node *node)
{
    const char *name = value_of(line, "node");

    return name == NULL || strcmp(name, node->name) == 0;
}

static bool read_state(const char *text, enum store_state *out)
{
    static const char *const WORDS[] = {
#define STATE_WORD(name, text) [STORE_##name] = #name,
        STORE_STATE_LIST(STATE_WORD)
#undef STATE_WORD
    };

    for (size_t i = 0; i < STORE_STATE_COUNT; i++) {
        if (strcasecmp(text, WORDS[i]) == 0) {
            *out = (enum store_state)i;
            return true;
        }
    }
    return false;
}

// The moment behind the word `at`; all moments if there is no such word. False if there is no such
// moment.
static bool read_moments(const struct step_line *line, bool moments[MEMORY_MOMENT_COUNT])
{
    const char *name = NULL;
    bool is_any = false;

    for (size_t i = 1; i + 1 < line->words.count; i++)
        if (strcmp(line->words.word[i], "at") == 0)
            name = line->words.word[i + 1];
    for (size_t i = 0; i < MEMORY_MOMENT_COUNT; i++) {
        moments[i] = name == NULL || strcmp(name, memory_moment_word((enum memory_moment)i)) == 0;
        is_any = is_any || moments[i];
    }
    return is_any;
}

static void store_trouble(struct step_line *line, enum store_state state)
{
    struct world *world = line->world;
    const char *name = value_of(line, "node");
    struct store *store = name == NULL ? NULL : world_node(world, name)->store;
    bool moments[MEMORY_MOMENT_COUNT];

    if (!read_moments(line, moments)) {
        misunderstood(line, "store STATE [at read|pending|passed|align|track|admin] [node=NAME]");
        return;
    }
    for (size_t i = 0; i < MEMORY_MOMENT_COUNT; i++)
        if (moments[i])
            memory_trouble(world->memory, store, (enum memory_moment)i, state);
}

static void store_hold(struct step_line *line)
{
    bool moments[MEMORY_MOMENT_COUNT];

    if (!read_moments(line, moments)) {
        misunderstood(line, "store hold [at read|pending|passed|align|track] [node=NAME]");
        return;
    }
    for (size_t n = 0; n < line->world->node_count; n++)
        for (size_t i = 0; i < MEMORY_MOMENT_COUNT; i++)
            if (is_meant(line, &line->world->node[n]) && moments[i])
                memory_hold(line->world->node[n].store, (enum memory_moment)i, true);
}

// release N: that many go on, and what comes still waits. release: all go on, and nothing waits any
// more.
static void store_release(struct step_line *line)
{
    struct world *world = line->world;
    const char *name = value_of(line, "node");
    struct store *store = name == NULL ? NULL : world_node(world, name)->store;
    uint64_t count = 0;
    bool is_counted = read_count(word(line, 2), &count);

    for (size_t n = 0; n < world->node_count && !is_counted; n++)
        for (size_t i = 0; i < MEMORY_MOMENT_COUNT; i++)
            if (is_meant(line, &world->node[n]))
                memory_hold(world->node[n].store, (enum memory_moment)i, false);
    for (uint64_t i = 0; i < count || !is_counted; i++) {
        if (memory_release(world->memory, store))
            continue;
        if (is_counted)
            world_fail(world, &line->place, "only %" PRIu64 " operations were held", i);
        break;
    }
    world_settle(world);
}

static void store_jump(struct step_line *line)
{
    int64_t by_ms;

    if (!when_span(word(line, 2), &by_ms))
        misunderstood(line, "store clock-jump 61s (or -61s)");
    else
        memory_clock_jump(line->world->memory, by_ms);
}

static void store_forget(struct step_line *line)
{
    memory_clear(line->world->memory);
}

static void store_forget_directory(struct step_line *line)
{
    memory_lose_directory(line->world->memory);
}

static void store_put(struct step_line *line)
{
    struct err_detail detail = {""};
    struct bytes value;

    if (line->words.count != 5 ||
        script_value(word(line, 4), &line->world->scratch, &value, &detail) != ERR_NONE)
        misunderstood(line, "store put KEY FIELD VALUE");
    else
        memory_put(line->world->memory, word(line, 2), word(line, 3), value.at);
}

void step_store(struct step_line *line)
{
    static const struct {
        const char *word;
        void (*run)(struct step_line *line);
    } RUN[] = {
        {"hold", store_hold},
        {"release", store_release},
        {"clock-jump", store_jump},
        {"forget-all", store_forget},
        {"forget-directory", store_forget_directory},
        {"put", store_put},
    };
    enum store_state state;

    (void)world_node(line->world, "a");
    for (size_t i = 0; i < sizeof(RUN) / sizeof(RUN[0]); i++) {
        if (strcmp(word(line, 1), RUN[i].word) == 0) {
            RUN[i].run(line);
            return;
        }
    }
    if (read_state(word(line, 1), &state))
        store_trouble(line, state);
    else
        misunderstood(line,
                      "store up|down|slow|full|... or hold, release, clock-jump, forget-all, put");
}

void step_directory(struct step_line *line)
{
    if (line->words.count < 2 || !memory_directory(line->world->memory, line->words.word[1],
                                                   line->words.word + 2, line->words.count - 2))
        misunderstood(line, "directory DOMAIN [ADDRESS | ADDRESS=STATE | ALIAS=ADDRESS] ...");
}
