// fuzz_import.c: what `reevectl import` reads of other programs: a line of a mail log, a record of
// postgrey's database, a row of sqlgrey's tables. The first byte says which.
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The pure parts, which are in no library.
#include "client/ctl/import/maillog.c"
#define starts  starts_of_exim
#define take_id take_id_of_exim
#include "client/ctl/import/eximlog.c"
#undef starts
#undef take_id
#define starts           starts_of_verdicts
#define behind           behind_of_verdicts
#define take_id          take_id_of_verdicts
#define read_task        read_task_of_verdicts
#define read_task_sender read_task_sender_of_verdicts
#define read_postfix     read_postfix_of_verdicts
#include "client/ctl/import/verdicts.c"
#undef starts
#undef behind
#undef take_id
#undef read_task
#undef read_task_sender
#undef read_postfix
#define is_loopback is_loopback_of_rest
#define read_client read_client_of_entry
#include "client/ctl/import/postgrey_entry.c"
#define read_time read_time_of_row
#include "client/ctl/import/sqlgrey_row.c"
#define local_ms local_ms_of_stamp
#define digits   digits_of_stamp
#include "client/ctl/import/stamp.c"
#undef digits
#include "client/ctl/when.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_exim(const char *line)
{
    char *text = strdup(line);
    const char *end = text + strlen(text);
    struct maillog came;

    eximlog_read(text, &came);
    assert(strlen(came.id) <= 23);
    if (came.kind == MAILLOG_SENT)
        assert(came.recipient >= text && came.recipient <= end);
    if (came.kind == MAILLOG_CAME && came.client[0] != '\0')
        assert(came.client >= text && came.client <= end);
    if (came.login[0] != '\0')
        assert(came.is_own && came.login >= text && came.login <= end);
    free(text);
}

static void read_verdict(const char *line)
{
    char *text = strdup(line);
    const char *end = text + strlen(text);
    struct verdicts_line said;

    verdicts_read(text, &said);
    const char *const texts[] = {said.id, said.message_id, said.client, said.sender};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert(texts[i][0] == '\0' || (texts[i] >= text && texts[i] + strlen(texts[i]) <= end));
    free(text);
}

static void read_log(char *text, size_t size)
{
    struct stamp_clock clock = {.latest_ms = 1795295581000ULL};
    struct maillog line;
    uint64_t at_ms = 0;
    size_t took = 0;

    if (stamp_read(&clock, text, &at_ms, &took))
        assert(took <= size);
    read_exim(text);
    read_verdict(text);
    maillog_read(text, &line);
    assert(strlen(line.id) <= 23);
    if (line.login[0] != '\0')
        assert(line.login >= text && line.login <= text + size);
    if (line.kind == MAILLOG_SENT)
        assert(line.recipient >= text && line.recipient <= text + size);
    if (line.kind == MAILLOG_CLIENT || line.kind == MAILLOG_TASK)
        assert(line.client >= text && line.client <= text + size);
}

static void read_record(const char *text, size_t size)
{
    const char *newline = memchr(text, '\n', size);
    size_t len = newline == NULL ? size : (size_t)(newline - text);
    const struct postgrey_bytes key = {text, len};
    const struct postgrey_bytes value = {text + len, size - len};
    const struct postgrey_bytes rest = {value.len > 0 ? value.at + 1 : value.at,
                                        value.len > 0 ? value.len - 1 : 0};
    struct postgrey_entry entry;
    struct ip_net net;

    if (postgrey_read(key, rest, &entry) == POSTGREY_ENTRY)
        assert(ip_net_parse(entry.client, &net, NULL) == ERR_NONE && entry.recipient[0] != '\0');
    if (postgrey_read_client(key, rest, &entry) == POSTGREY_ENTRY)
        assert(ip_net_parse(entry.client, &net, NULL) == ERR_NONE);
}

static void read_table(char *text)
{
    char *field[5] = {NULL};
    char *copy = strdup(text);
    size_t count = sqlgrey_split(text, ',', field, 5);
    struct sqlgrey_known known;
    struct sqlgrey_row row = {.src = field[0]};

    assert(count >= 1 && count <= 5);
    row.sender_name = field[1];
    row.sender_domain = field[2];
    row.last_seen = field[3];
    row.rcpt = field[4];
    (void)sqlgrey_read(&row, &known);
    row.rcpt = NULL;
    if (sqlgrey_read(&row, &known) == SQLGREY_KNOWN)
        assert(known.from[0] != '\0' && known.source[0] != '\0');
    assert(sqlgrey_split(copy, '\t', field, 5) >= 1);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size == 0)
        return 0;
    text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 3 == 0)
        read_log(text, size - 1);
    else if (data[0] % 3 == 1)
        read_record(text, size - 1);
    else
        read_table(text);
    free(text);
    return 0;
}
