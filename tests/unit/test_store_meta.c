// What is concluded from the hash meta: what is missing, what is in force, and who does not belong
// here.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/store/meta.h"
#include "tests/support/redis_replies.h"
#include "tests/support/table.h"

#define HEX_A "000102030405060708090a0b0c0d0e0f"
#define HEX_B "ffeeddccbbaa99887766554433221100"

// ---- meta

static const char *check_of(const char *hex, char out[17])
{
    struct key_epoch epoch = {.buckets = 1};

    assert_true(secret_from_hex(hex, epoch.secret));
    key_epoch_check(&epoch, out);
    return out;
}

// A in a text stands for the check value of HEX_A, B for that of HEX_B.
static void fill_in(const char *text, char out[200])
{
    char check[17];
    size_t used = 0;

    for (; *text != '\0'; text++) {
        const char *piece = (const char[]){*text, '\0'};

        if (*text == 'A')
            piece = check_of(HEX_A, check);
        if (*text == 'B')
            piece = check_of(HEX_B, check);
        used += (size_t)snprintf(out + used, 200 - used, "%s", piece);
    }
}

enum { META_PAIRS = 8, NOW = 1000000 };

static const struct meta_row {
    const char *name;
    const char *stored[META_PAIRS * 2]; // name, value, ...
    const char *file;                   // secrets, 'A' and 'B', NULL = no secret_file
    uint64_t since_ms[2];               // of the file's lines
    const char *ring;                   // secrets that this node has used, NULL = none
    enum meta_verdict verdict;
    const char *expect[6]; // META_FINE: the secrets in force; META_MISSING: name, value, ...;
                           // META_FOREIGN: part of why
} METAS[] = {
    {"an empty store gets a secret", {0}, NULL, {0}, NULL, META_MISSING, {"secret:0", HEX_B}},
    {"then the epoch and the format",
     {"secret:0", HEX_A},
     NULL,
     {0},
     NULL,
     META_MISSING,
     {"epoch:0", "0 1024 A", "format", "1"}},
    {"then it is founded",
     {"format", "1", "secret:0", HEX_A, "epoch:0", "0 1024 A"},
     NULL,
     {0},
     NULL,
     META_FINE,
     {"A"}},
    {"an empty store and a secret_file",
     {0},
     "A",
     {0},
     NULL,
     META_MISSING,
     {"epoch:0", "0 1024 A", "format", "1"}},
    {"the format is written last",
     {"epoch:0", "0 1024 A"},
     "A",
     {0},
     NULL,
     META_MISSING,
     {"format", "1"}},
    {"a secret_file that matches",
     {"format", "1", "epoch:0", "0 1024 A"},
     "A",
     {0},
     NULL,
     META_FINE,
     {"A"}},
    {"other buckets than configured win",
     {"format", "1", "epoch:0", "0 64 A"},
     "A",
     {0},
     NULL,
     META_FINE,
     {"A"}},
    {"another secret_file",
     {"format", "1", "epoch:0", "0 1024 A"},
     "B",
     {0},
     NULL,
     META_FOREIGN,
     {"same secret_file"}},
    {"a secret_file where the store has a secret",
     {"format", "1", "secret:0", HEX_A, "epoch:0", "0 1024 A"},
     "B",
     {0},
     NULL,
     META_FOREIGN,
     {"same secret_file"}},
    {"no secret_file where the others have one",
     {"format", "1", "epoch:0", "0 1024 A"},
     NULL,
     {0},
     NULL,
     META_FOREIGN,
     {"set secret_file"}},
    {"a secret that is not its epoch's",
     {"format", "1", "secret:0", HEX_B, "epoch:0", "0 1024 A"},
     NULL,
     {0},
     NULL,
     META_FOREIGN,
     {"set secret_file"}},
    {"two epochs",
     {"format", "1", "secret:0", HEX_A, "epoch:0", "0 1024 A", "secret:1", HEX_B, "epoch:1",
      "500 64 B"},
     NULL,
     {0},
     NULL,
     META_FINE,
     {"A", "B"}},
    {"two epochs in any order",
     {"epoch:1", "500 64 B", "secret:1", HEX_B, "secret:0", HEX_A, "epoch:0", "0 1024 A", "format",
      "1"},
     NULL,
     {0},
     NULL,
     META_FINE,
     {"A", "B"}},
    {"a claimed number that was not opened",
     {"format", "1", "secret:0", HEX_A, "epoch:0", "0 1024 A", "secret:1", HEX_B},
     NULL,
     {0},
     NULL,
     META_FINE,
     {"A"}},
    {"a new secret of the file is announced",
     {"format", "1", "epoch:0", "0 1024 A"},
     "AB",
     {0, NOW + 5},
     NULL,
     META_MISSING,
     {"epoch:1", "1000005 1024 B"}},
    {"a new secret whose moment has passed",
     {"format", "1", "epoch:0", "0 1024 A"},
     "AB",
     {0, NOW - 5},
     NULL,
     META_FOREIGN,
     {"name one in the future"}},
    {"an announced secret that this node lacks",
     {"format", "1", "epoch:0", "0 1024 A", "epoch:1", "1000005 1024 B"},
     "A",
     {0},
     NULL,
     META_FINE,
     {"A"}},
    {"a secret in force that this node lacks",
     {"format", "1", "epoch:0", "0 1024 A", "epoch:1", "999995 1024 B"},
     "A",
     {0},
     NULL,
     META_FOREIGN,
     {"add it to secret_file"}},
    {"an old secret of the file that the store has dropped",
     {"format", "1", "epoch:1", "500 1024 B"},
     "AB",
     {0, 500},
     NULL,
     META_FINE,
     {"B"}},
    {"a later format",
     {"format", "2", "secret:0", HEX_A, "epoch:0", "0 1024 A"},
     NULL,
     {0},
     NULL,
     META_FOREIGN,
     {"upgrade this node"}},
    {"what a later version adds is passed over",
     {"format", "1", "secret:0", HEX_A, "epoch:0", "0 1024 A", "colour", "blue"},
     NULL,
     {0},
     NULL,
     META_FINE,
     {"A"}},
    {"a format that is no number", {"format", "one"}, NULL, {0}, NULL, META_FOREIGN, {"'format'"}},
    {"an epoch without buckets", {"epoch:0", "0 A"}, NULL, {0}, NULL, META_FOREIGN, {"'epoch:0'"}},
    {"buckets no power of two",
     {"epoch:0", "0 1000 A"},
     NULL,
     {0},
     NULL,
     META_FOREIGN,
     {"'epoch:0'"}},
    {"buckets 0", {"epoch:0", "0 0 A"}, NULL, {0}, NULL, META_FOREIGN, {"'epoch:0'"}},
    {"something behind the check value",
     {"epoch:0", "0 64 Aff"},
     NULL,
     {0},
     NULL,
     META_FOREIGN,
     {"'epoch:0'"}},
    {"a secret that is none", {"secret:0", "xyz"}, NULL, {0}, NULL, META_FOREIGN, {"'secret:0'"}},
    {"an emptied store gets back its secret",
     {0},
     NULL,
     {0},
     "A",
     META_MISSING,
     {"secret:0", HEX_A, "epoch:0", "0 1024 A", "format", "1"}},
    {"an emptied store gets back its epochs",
     {0},
     "AB",
     {0, 500},
     "AB",
     META_MISSING,
     {"epoch:0", "0 1024 A", "epoch:1", "1 1024 B", "format", "1"}},
    {"half given back",
     {"secret:0", HEX_A},
     NULL,
     {0},
     "A",
     META_MISSING,
     {"epoch:0", "0 1024 A", "format", "1"}},
    {"emptied, and a stranger begins it anew",
     {"secret:0", HEX_B},
     NULL,
     {0},
     "A",
     META_FOREIGN,
     {"restart this node"}},
    {"emptied, and a stranger has begun it anew",
     {"format", "1", "secret:0", HEX_B, "epoch:0", "0 1024 B"},
     NULL,
     {0},
     "A",
     META_FOREIGN,
     {"is not the store's"}},
    {"a running node learns a new epoch",
     {"format", "1", "secret:0", HEX_A, "epoch:0", "0 1024 A", "secret:1", HEX_B, "epoch:1",
      "500 64 B"},
     NULL,
     {0},
     "A",
     META_FINE,
     {"A", "B"}},
};

static struct meta known(const struct meta_row *row)
{
    struct meta meta = {.buckets = 1024, .file = {.path = "secret"}};

    for (size_t i = 0; row->file != NULL && row->file[i] != '\0'; i++) {
        struct secret_line *line = &meta.file.line[meta.file.count++];

        assert_true(secret_from_hex(row->file[i] == 'A' ? HEX_A : HEX_B, line->secret));
        line->since_ms = row->since_ms[i];
    }
    for (size_t i = 0; row->ring != NULL && row->ring[i] != '\0'; i++) {
        struct key_epoch *epoch = &meta.ring.epoch[meta.ring.count++];

        assert_true(secret_from_hex(row->ring[i] == 'A' ? HEX_A : HEX_B, epoch->secret));
        epoch->since_ms = i;
        epoch->buckets = 1024;
    }
    return meta;
}

static void assert_ring(const struct key_ring *ring, const char *const *expect)
{
    unsigned count = 0;

    for (; expect[count] != NULL; count++) {
        char wanted[200];
        char found[17];

        assert_true(count < ring->count);
        fill_in(expect[count], wanted);
        key_epoch_check(&ring->epoch[count], found);
        assert_string_equal(found, wanted);
    }
    assert_int_equal(ring->count, count);
}

static void assert_fields(const struct meta_judgement *judgement, const char *const *expect)
{
    unsigned count = 0;

    for (; count < 3 && expect[2 * count] != NULL; count++) {
        char value[200];

        assert_true(count < judgement->field_count);
        fill_in(expect[2 * count + 1], value);
        assert_string_equal(judgement->field[count].name, expect[2 * count]);
        if (strcmp(expect[2 * count + 1], HEX_A) != 0 && strcmp(expect[2 * count + 1], HEX_B) != 0)
            assert_string_equal(judgement->field[count].value, value);
        else
            assert_string_equal(judgement->field[count].value, expect[2 * count + 1]);
    }
    assert_int_equal(judgement->field_count, count);
}

static void check_meta(void **state)
{
    const struct meta_row *row = *state;
    struct meta meta = known(row);
    struct meta_judgement judgement;
    uint8_t fresh[KEY_SECRET_BYTES];
    struct replies replies = {.used = 0};
    const char *pair[META_PAIRS * 2] = {NULL};
    char value[META_PAIRS][200];
    size_t count = 0;

    for (; count < META_PAIRS && row->stored[2 * count] != NULL; count++) {
        bool is_epoch = strncmp(row->stored[2 * count], "epoch:", 6) == 0;

        if (is_epoch)
            fill_in(row->stored[2 * count + 1], value[count]);
        pair[2 * count] = row->stored[2 * count];
        pair[2 * count + 1] = is_epoch ? value[count] : row->stored[2 * count + 1];
    }
    assert_true(secret_from_hex(HEX_B, fresh));
    meta_judge(&meta, reply_of_texts(&replies, pair, 2 * count), fresh, NOW, &judgement);
    assert_int_equal(judgement.verdict, row->verdict);
    if (row->verdict == META_FINE)
        assert_ring(&judgement.ring, row->expect);
    else if (row->verdict == META_MISSING)
        assert_fields(&judgement, row->expect);
    else
        assert_non_null(strstr(judgement.why, row->expect[0]));
}

static void an_announced_secret_is_warned_of(void **state)
{
    static const struct meta_row row = {.name = "", .file = "A"};
    static const char *const text[] = {"format",   "1",       "epoch:0",
                                       "0 1024 A", "epoch:1", "1000005 1024 B"};
    const char *filled[6];
    char epoch[2][200];
    struct meta meta = known(&row);
    struct meta_judgement judgement;
    struct replies replies = {.used = 0};
    uint8_t fresh[KEY_SECRET_BYTES] = {0};

    (void)state;
    memcpy(filled, text, sizeof(filled));
    fill_in(text[3], epoch[0]);
    fill_in(text[5], epoch[1]);
    filled[3] = epoch[0];
    filled[5] = epoch[1];
    meta_judge(&meta, reply_of_texts(&replies, filled, 6), fresh, NOW, &judgement);
    assert_int_equal(judgement.verdict, META_FINE);
    assert_non_null(strstr(judgement.warning, "not in force yet"));
}

static void meta_that_is_no_hash_is_foreign(void **state)
{
    struct meta meta = {.buckets = 1024};
    struct meta_judgement judgement;
    struct redisReply reply = {.type = REDIS_REPLY_INTEGER};
    uint8_t fresh[KEY_SECRET_BYTES] = {0};

    (void)state;
    meta_judge(&meta, &reply, fresh, NOW, &judgement);
    assert_int_equal(judgement.verdict, META_FOREIGN);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, METAS, check_meta);
    TABLE_TEST(&table, an_announced_secret_is_warned_of);
    TABLE_TEST(&table, meta_that_is_no_hash_is_foreign);
    return table_run(&table, "meta");
}
