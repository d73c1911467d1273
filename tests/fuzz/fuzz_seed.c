// fuzz_seed.c: any bytes as the document of grey.seed, and of allow.seed.
#include <assert.h>
#include <stdint.h>
#include <string.h>

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
    return 0;
}
