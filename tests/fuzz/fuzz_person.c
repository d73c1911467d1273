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
    struct person_learnt learnt;

    if (person_allow_read(bytes, size, &allow))
        assert(person_allow_read(written, person_allow_write(&allow, written), &allow_again) &&
               allow.sent_ms == allow_again.sent_ms &&
               allow.disabled_ms == allow_again.disabled_ms);
    (void)person_learnt_read(bytes, size, &learnt);
}

static void read_answer(const char *bytes, size_t size)
{
    char mailbox[PERSON_ADDRESS_MAX], mailbox_again[PERSON_ADDRESS_MAX];
    char written[PERSON_ANSWER_MAX];
    struct person_answer answer, again;
    struct person_facts facts;

    if (!person_answer_read(bytes, size, &answer, mailbox))
        return;
    const size_t len = person_answer_write(&answer, mailbox, written);

    assert(person_answer_read(written, len, &again, mailbox_again) &&
           answer.exists == again.exists && answer.until_ms == again.until_ms &&
           strcmp(mailbox, mailbox_again) == 0);
    person_facts_clear(&facts);
    facts.row.state = FACT_ABSENT;
    assert(person_answer_take(&facts, bytes, size, answer.until_ms));
    assert(strcmp(facts.row.mailbox, answer.exists ? mailbox : "") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size + 1); // exactly as long, so that a byte too many is seen

    memcpy(bytes, data, size);
    bytes = realloc(bytes, size > 0 ? size : 1);
    read_entry(bytes, size);
    read_row(bytes, size);
    read_stamps(bytes, size);
    read_answer(bytes, size);
    free(bytes);
    return 0;
}
