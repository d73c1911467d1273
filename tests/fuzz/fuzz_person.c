// fuzz_person.c: any bytes as a value that is kept of a recipient. What is taken is written as it was read.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/person.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_entry(const char *bytes, size_t size)
{
    static const struct person_patterns patterns = {.count = 2,
                                                    .of = {{"ann@x.example", true}, {"*", false}}};
    struct person_list list = {.action = PERSON_NONE};
    struct person_entry entry, again;
    char written[PERSON_VALUE_MAX];

    for (unsigned i = 0; i < patterns.count; i++) {
        bool is_entry = person_list_take(&list, &patterns, i, bytes, size, 1000);

        assert(is_entry == person_entry_read(bytes, size, &entry));
    }
    if (!person_entry_read(bytes, size, &entry))
        return;
    const size_t len = person_entry_write(&entry, written);

    assert(len < sizeof(written) && person_entry_read(written, len, &again));
    assert(again.action == entry.action && again.until_ms == entry.until_ms &&
           again.since_ms == entry.since_ms && strcmp(again.by, entry.by) == 0 &&
           strcmp(again.note, entry.note) == 0);
}

static void read_row(const char *bytes, size_t size)
{
    char groups[PERSON_GROUPS_MAX + 1], written[PERSON_ADDRESS_MAX + PERSON_GROUPS_MAX + 32];
    struct person_row row, again;

    if (!person_row_read(bytes, size, &row, groups))
        return;
    const size_t len = person_row_write(&row, groups, written, sizeof(written));

    assert(person_row_read(written, len, &again, NULL));
    assert(again.status == row.status && strcmp(again.mailbox, row.mailbox) == 0);
}

static void read_stamps(const char *bytes, size_t size)
{
    char written[PERSON_VALUE_MAX];
    struct person_allow allow, allow_again;
    struct person_answer answer, answer_again;
    struct person_learnt learnt;

    if (person_allow_read(bytes, size, &allow))
        assert(person_allow_read(written, person_allow_write(&allow, written), &allow_again) &&
               allow.sent_ms == allow_again.sent_ms &&
               allow.disabled_ms == allow_again.disabled_ms);
    if (person_answer_read(bytes, size, &answer))
        assert(person_answer_read(written, person_answer_write(&answer, written), &answer_again) &&
               answer.exists == answer_again.exists && answer.until_ms == answer_again.until_ms);
    (void)person_learnt_read(bytes, size, &learnt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size + 1); // exactly as long, so that a byte too many is seen

    memcpy(bytes, data, size);
    bytes = realloc(bytes, size > 0 ? size : 1);
    read_entry(bytes, size);
    read_row(bytes, size);
    read_stamps(bytes, size);
    free(bytes);
    return 0;
}
