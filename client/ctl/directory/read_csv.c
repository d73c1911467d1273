// read_csv.c: directories as comma-separated values: with a line of titles, or in the order address, state, mailbox, groups.
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/ctl/directory/import.h"
#include "client/ctl/import/csv.h"

enum column { ADDRESS, STATE, MAILBOX, GROUPS, ALIASES, COLUMNS };

// What exports call it; small letters alone, up to a bracket ("Email Address [Required]").
static const struct title {
    const char *title;
    enum column column;
} TITLES[] = {
    {"address", ADDRESS},
    {"email", ADDRESS},
    {"emailaddress", ADDRESS},
    {"mail", ADDRESS},
    {"recipient", ADDRESS},
    {"primarysmtpaddress", ADDRESS},
    {"state", STATE},
    {"status", STATE},
    {"mailbox", MAILBOX},
    {"target", MAILBOX},
    {"groups", GROUPS},
    {"group", GROUPS},
    {"aliases", ALIASES},
    {"alias", ALIASES},
    {"emailaddresses", ALIASES},
    {"proxyaddresses", ALIASES},
};

enum { FIELDS_MAX = 64 };

// Of fields behind these nothing is heeded.
struct record {
    char *field[FIELDS_MAX];
    size_t count;
};

struct reading {
    struct directory_import *import;
    struct lines *lines;
    char separator;
    int column[COLUMNS]; // index of the field; -1 = there is none
    uint64_t line;       // that was read last
    uint64_t first_line; // of the record
    char text[2 * LINES_MAX];
};

// ---- the titles

static int find_title(const char *field)
{
    char name[32];
    size_t len = 0;

    for (; *field != '\0' && *field != '[' && len < sizeof(name) - 1; field++)
        if (isalpha((unsigned char)*field) != 0)
            name[len++] = (char)tolower((unsigned char)*field);
    name[len] = '\0';
    for (size_t i = 0; i < sizeof(TITLES) / sizeof(TITLES[0]); i++)
        if (strcmp(TITLES[i].title, name) == 0)
            return (int)TITLES[i].column;
    return -1;
}

// Of two columns of one meaning the first counts.
static void take_titles(struct reading *reading, const struct record *record)
{
    for (int i = 0; i < COLUMNS; i++)
        reading->column[i] = -1;
    for (size_t i = 0; i < record->count; i++) {
        const int column = find_title(record->field[i]);

        if (column >= 0 && reading->column[column] < 0)
            reading->column[column] = (int)i;
    }
}

// ---- records

static const char *field_of(const struct reading *reading, const struct record *record,
                            enum column column)
{
    const int at = reading->column[column];

    return at >= 0 && (size_t)at < record->count ? record->field[at] : "";
}

static void take_alias(struct reading *reading, struct directory_found *alias, const char *text)
{
    const char *colon = strchr(text, ':');

    if (colon != NULL && strncasecmp(text, "smtp:", 5) != 0)
        return; // x500: and the like
    alias->address = colon != NULL ? colon + 1 : text;
    directory_take(reading->import, alias);
}

// Parted by anything that stands in no address; smtp: in front of them is Exchange's.
static void take_aliases(struct reading *reading, const struct directory_found *owner, char *text)
{
    static const char between[] = " ,;|\n";
    struct directory_found alias = *owner;

    alias.is_alias = true;
    alias.mailbox = owner->mailbox[0] != '\0' ? owner->mailbox : owner->address;
    for (text += strspn(text, between); *text != '\0'; text += strspn(text, between)) {
        char *end = text + strcspn(text, between);
        const bool is_last = *end == '\0';

        *end = '\0';
        take_alias(reading, &alias, text);
        text = is_last ? end : end + 1;
    }
}

static void take_record(struct reading *reading, const struct record *record)
{
    const struct directory_found found = {.line = reading->first_line,
                                          .address = field_of(reading, record, ADDRESS),
                                          .mailbox = field_of(reading, record, MAILBOX),
                                          .state = field_of(reading, record, STATE),
                                          .groups = field_of(reading, record, GROUPS),
                                          .is_alias =
                                              field_of(reading, record, MAILBOX)[0] != '\0'};

    if (found.address[0] == '\0') {
        directory_leave(reading->import, LEFT_NO_ADDRESS, found.line, "no address");
        return;
    }
    directory_take(reading->import, &found);
    if (reading->column[ALIASES] >= 0 && (size_t)reading->column[ALIASES] < record->count)
        take_aliases(reading, &found, record->field[reading->column[ALIASES]]);
}

// add_line: one more of a record; false at the end, or if it is too long.
static bool add_line(struct reading *reading)
{
    const size_t used = strlen(reading->text);
    char *line = NULL;
    size_t len = 0;

    if (!lines_next(reading->lines, &line, &len) || used + len + 2 > sizeof(reading->text))
        return false;
    reading->line++;
    (void)snprintf(reading->text + used, sizeof(reading->text) - used, "%s%s", used > 0 ? "\n" : "",
                   line);
    return true;
}

// Are all quotes closed at the end?
static bool is_closed(const char *text)
{
    bool is_quoted = false;

    for (; *text != '\0'; text++)
        is_quoted ^= *text == '"';
    return !is_quoted;
}

// next_whole: the text of a record that is not empty; false at the end.
static bool next_whole(struct reading *reading)
{
    do {
        reading->text[0] = '\0';
        if (!add_line(reading))
            return false;
    } while (strspn(reading->text, " \t\r") == strlen(reading->text));
    reading->first_line = reading->line;
    while (!is_closed(reading->text) && add_line(reading))
        ;
    return true;
}

// next_record: the next that is one; false at the end.
static bool next_record(struct reading *reading, struct record *out)
{
    while (next_whole(reading)) {
        if (reading->separator == '\0')
            reading->separator = csv_separator(reading->text);
        out->count = csv_split(reading->text, reading->separator, out->field, FIELDS_MAX);
        if (out->count > FIELDS_MAX)
            out->count = FIELDS_MAX;
        if (out->count > 0)
            return true;
        directory_leave(reading->import, LEFT_UNREADABLE, reading->first_line,
                        "a quote is not closed, or something stands behind one that is");
    }
    return false;
}

static int read_all(struct reading *reading)
{
    struct directory_import *import = reading->import;
    struct record record = {.count = 0};
    bool is_record = next_record(reading, &record);

    if (!is_record)
        return CTL_FINE;
    record.field[0] = csv_begin(record.field[0]);
    if (strchr(record.field[0], '@') == NULL) {
        take_titles(reading, &record);
        if (reading->column[ADDRESS] < 0)
            return directory_fail(
                import, CTL_USAGE,
                "%s:%llu: expected an address, or a line of titles of which one is "
                "'address'",
                import->path, (unsigned long long)reading->first_line);
        is_record = next_record(reading, &record);
    }
    while (is_record && directory_goes_on(import, reading->lines)) {
        take_record(reading, &record);
        is_record = next_record(reading, &record);
    }
    return CTL_FINE;
}

int directory_read_csv(struct directory_import *import, struct lines *lines)
{
    struct reading *reading = mem_new(sizeof(*reading));
    int code = CTL_FINE;

    reading->import = import;
    reading->lines = lines;
    for (int i = 0; i < COLUMNS; i++)
        reading->column[i] = i == ALIASES ? -1 : i;
    code = read_all(reading);
    lines_close(&reading->lines);
    mem_free(reading);
    return code;
}
