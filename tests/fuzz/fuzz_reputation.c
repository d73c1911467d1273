// Fuzzes node/core/reputation: what a store holds is believed only if it is ours; then every state can be decayed, judged, added to
// and undone without a number going astray, and is written as it was read. The first byte chooses: a key, an entity, a root.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/reputation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static void try_key(const uint8_t *data, size_t size)
{
    char *key = malloc(size + 1);
    char written[REPUTATION_KEY_MAX], text[REPUTATION_TEXT_MAX];
    struct reputation_id id;

    if (key == NULL)
        return;
    memcpy(key, data, size);
    key[size] = '\0';
    if (reputation_id_read(key, &id)) {
        expect(reputation_key(&id, written) == strlen(key) && strcmp(written, key) == 0);
        expect(strlen(reputation_text(&id, text)) > 0);
    }
    free(key);
}

static void expect_sound(const struct reputation_state *state)
{
    expect(state->spam >= 0 && state->ham >= 0 && state->hour >= 0 && state->week >= 0);
    expect(isfinite(state->spam + state->ham + state->hour + state->week));
    for (unsigned i = 0; i < state->slot_count; i++)
        expect(state->slot[i].spam >= 0 && state->slot[i].ham >= 0);
}

static void try_judge(enum reputation_kind kind, const struct reputation_settings *settings,
                      const struct reputation_state *state, uint32_t now_s)
{
    const struct reputation_reporters reporters = {NULL, 5};
    struct reputation_facts facts = {.count = 2, .address_count = 2};
    struct reputation_result is;
    bool says_spam;

    for (unsigned i = 0; i < 2; i++) {
        facts.level[i].id.kind = kind;
        facts.level[i].state = FACT_PRESENT;
        facts.level[i].is = *state;
    }
    facts.level[0].id.kind = REPUTATION_IP;
    facts.level[0].is.slot_count = REPUTATION_SLOTS;
    reputation_judge(&facts, settings, &reporters, REPUTATION_UNASKED, now_s * 1000ULL, &is);
    expect(is.p >= 0 && is.p <= 1 && is.lower >= 0 && is.lower <= is.p && is.upper <= 1 &&
           is.upper >= is.p);
    (void)reputation_others(&facts, false, 1, settings, &reporters, now_s * 1000ULL, &says_spam);
    (void)reputation_is_warm(&facts, settings, &reporters, now_s * 1000ULL);
    (void)reputation_surges(state, is.p, now_s * 1000ULL, 20, 8);
}

static void try_state(enum reputation_kind kind, const uint8_t *data, size_t size)
{
    const struct reputation_settings settings = {
        .level = {[REPUTATION_IP] = {1, 2592000000}, [REPUTATION_WORLD] = {0, 2592000000}}};
    const struct reputation_level_settings *level = &settings.level[kind];
    const uint32_t now_s = size > 0 ? 1700000000U + data[size - 1] * 40000U : 0;
    const struct reputation_report report = {7, 5, size % 2 == 0, 1, now_s};
    uint8_t written[REPUTATION_ROOT_BYTES];
    struct reputation_state state;
    struct reputation_added added;

    if (reputation_unpack(kind, data, size, &state) != ERR_NONE)
        return;
    expect_sound(&state);
    expect(reputation_pack(kind, &state, written) == size && memcmp(written, data, size) == 0);
    try_judge(kind, &settings, &state, now_s);
    expect(reputation_life_ms(level, &state) > 0);
    added = reputation_add(kind, level, &report, &state);
    expect(added.added >= 0 && added.added <= 1 && added.onward >= 0 && added.onward <= 1);
    expect_sound(&state);
    (void)reputation_undo(kind, level, 7, now_s, &state);
    expect_sound(&state);
    reputation_add_volume(level, 1, now_s + 1, &state);
    if (state.spam + state.ham + state.hour >
        1e14) // more than was ever reported, and near what is believed
        return;
    expect(reputation_pack(kind, &state, written) == size);
    expect(reputation_unpack(kind, written, size, &state) == ERR_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 3 == 0)
        try_key(data + 1, size - 1);
    else
        try_state(data[0] % 3 == 1 ? REPUTATION_IP : REPUTATION_WORLD, data + 1, size - 1);
    return 0;
}
