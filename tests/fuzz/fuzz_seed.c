// fuzz_seed.c: any bytes as the document of grey.seed, of allow.seed and of managed.import, and what stands there as a pattern.
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "node/policy/pattern.h"
#include "node/verbs/seed_row.h"
#include "proto/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_pairs(const uint8_t *data, size_t size)
{
    static unsigned char memory[1 << 16];
    struct seed_rows rows = {.at = (const char *)data, .left = size};
    size_t count = seed_rows_count(&rows);
    enum seed_read read = SEED_ROW;
    struct arena arena;
    struct seed_pair pair;

    for (size_t i = 0; read != SEED_END; i++) {
        const char *why = NULL;

        arena_init(&arena, memory, sizeof(memory));
        read = seed_pair_next(&rows, &arena, &pair, &why);
        assert((read == SEED_END) == (i == count));
        if (read == SEED_NO_ROW)
            assert(why != NULL);
        if (read == SEED_ROW)
            assert(text_is_clean(pair.owner, strlen(pair.owner), 320) &&
                   text_is_clean(pair.external, strlen(pair.external), 320));
    }
    assert(rows.left == 0);
}

// A pattern that is taken is written as it is read again.
static void read_pattern(const char *text)
{
    char pattern[PATTERN_ENTRY_MAX], again[PATTERN_ENTRY_MAX];
    struct err_detail detail = {.text = ""};

    if (pattern_entry(text, pattern, &detail) != ERR_NONE) {
        assert(detail.text[0] != '\0');
        return;
    }
    assert(pattern[0] != '\0');
    if (strchr(pattern, '.') != NULL || strchr(pattern, '@') != NULL)
        assert(pattern_entry(pattern, again, &detail) == ERR_NONE && strcmp(pattern, again) == 0);
}

static void read_entries(const uint8_t *data, size_t size)
{
    static unsigned char memory[1 << 16];
    struct seed_rows rows = {.at = (const char *)data, .left = size};
    size_t count = seed_rows_count(&rows);
    enum seed_read read = SEED_ROW;
    struct arena arena;
    struct seed_entry entry;

    for (size_t i = 0; read != SEED_END; i++) {
        const char *why = NULL;

        arena_init(&arena, memory, sizeof(memory));
        read = seed_entry_next(&rows, &arena, &entry, &why);
        assert((read == SEED_END) == (i == count));
        if (read == SEED_NO_ROW)
            assert(why != NULL);
        if (read != SEED_ROW)
            continue;
        assert(text_is_clean(entry.user, strlen(entry.user), 320) &&
               text_is_clean(entry.note, strlen(entry.note), SEED_LINE_MAX));
        read_pattern(entry.pattern);
    }
    assert(rows.left == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char memory[1 << 16];
    struct seed_rows rows = {.at = (const char *)data, .left = size};
    size_t count = seed_rows_count(&rows);
    enum seed_read read = SEED_ROW;
    struct arena arena;
    struct seed_row row;

    for (size_t i = 0; read != SEED_END; i++) {
        const char *why = NULL;

        arena_init(&arena, memory, sizeof(memory));
        read = seed_row_next(&rows, &arena, &row, &why);
        assert((read == SEED_END) == (i == count));
        if (read == SEED_NO_ROW)
            assert(why != NULL);
        if (read == SEED_ROW)
            assert(text_is_clean(row.sender, strlen(row.sender), 320) &&
                   text_is_clean(row.recipient, strlen(row.recipient), 320) &&
                   text_is_clean(row.name, strlen(row.name), 255) &&
                   text_is_clean(row.client, strlen(row.client), 64));
    }
    assert(rows.left == 0);
    read_pairs(data, size);
    read_entries(data, size);
    return 0;
}
