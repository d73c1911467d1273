// read_ldif.c: directories as LDIF, from ldapsearch(1), slapcat(8) or ldifde. A record is one mailbox: the first value of its
// attribute --mail (mail), and what its further addresses are called (--alias).
//
// An answer that a server has cut short, or a file of changes, is no directory: then nothing is imported.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/ctl/directory/folded.h"
#include "client/ctl/directory/import.h"
#include "client/ctl/directory/ldif.h"
#include "proto/text.h"

enum { ALIASES_MAX = 500, GROUPS_BYTES = 401 };

static const char *const USUAL_ALIASES[] = {"mailalternateaddress", "maillocaladdress", "mailalias",
                                            "proxyaddresses"};

// One record, as far as it was read.
struct ldif_record {
    uint64_t line; // 0 = none has begun
    char *mail;    // NULL = none
    char *alias[ALIASES_MAX];
    size_t alias_count;
    char *state;
    char groups[GROUPS_BYTES];
    struct text_buf list; // in groups
};

struct ldif_reading {
    struct directory_import *import;
    struct ldif_record record;
    int code;
};

static void begin(struct ldif_record *record)
{
    mem_free(record->mail);
    for (size_t i = 0; i < record->alias_count; i++)
        mem_free(record->alias[i]);
    mem_free(record->state);
    *record = (struct ldif_record){.line = 0};
    text_buf_init(&record->list, record->groups, sizeof(record->groups));
}

static void end(struct ldif_reading *reading)
{
    struct ldif_record *record = &reading->record;
    struct directory_found found = {.line = record->line,
                                    .address = record->mail,
                                    .mailbox = "",
                                    .state = record->state != NULL ? record->state : "",
                                    .groups = record->groups};

    if (record->line != 0 && record->mail == NULL)
        directory_leave(reading->import, LEFT_NO_ADDRESS, record->line, "a record");
    if (record->mail != NULL) {
        directory_take(reading->import, &found);
        found.mailbox = record->mail;
        found.is_alias = true;
        for (size_t i = 0; i < record->alias_count; i++) {
            found.address = record->alias[i];
            directory_take(reading->import, &found);
        }
    }
    begin(record);
}

// ---- attributes

static void add_alias(struct ldif_reading *reading, const char *address)
{
    struct ldif_record *record = &reading->record;

    if (record->alias_count < ALIASES_MAX)
        record->alias[record->alias_count++] = mem_text(address);
    else
        directory_leave(reading->import, LEFT_UNREADABLE, record->line, "more than 500 aliases");
}

static void add_mail(struct ldif_reading *reading, const char *address)
{
    if (reading->record.mail == NULL)
        reading->record.mail = mem_text(address);
    else
        add_alias(reading, address);
}

static void add_proxy(struct ldif_reading *reading, const char *value)
{
    bool is_primary = false;
    const char *address = ldif_proxy(value, &is_primary);

    if (address != NULL && is_primary)
        add_mail(reading, address);
    else if (address != NULL)
        add_alias(reading, address);
}

static void add_group(struct ldif_record *record, char *dn)
{
    const char *name = ldif_group(dn);

    if (name == NULL || strpbrk(name, ",\t") != NULL ||
        record->list.used + strlen(name) + 2 > sizeof(record->groups))
        return;
    text_buf_add(&record->list, "%s%s", record->list.used > 0 ? "," : "", name);
}

static bool is_alias(const struct directory_options *options, const char *attribute)
{
    for (size_t i = 0; i < options->alias.count; i++)
        if (strcasecmp(options->alias.text[i], attribute) == 0)
            return true;
    for (size_t i = 0; options->alias.count == 0 && i < sizeof(USUAL_ALIASES) / sizeof(char *); i++)
        if (strcmp(USUAL_ALIASES[i], attribute) == 0)
            return true;
    return false;
}

// What says that this is not all of a directory.
static bool is_trouble(struct ldif_reading *reading, const struct ldif_line *line, uint64_t number)
{
    struct directory_import *import = reading->import;

    if (strcmp(line->attribute, "changetype") == 0 && strcasecmp(line->value, "add") != 0)
        reading->code =
            directory_fail(import, CTL_USAGE,
                           "%s:%llu: these are changes (changetype: %.20s); a directory is needed",
                           import->path, (unsigned long long)number, line->value);
    else if (strcmp(line->attribute, "result") == 0 && reading->record.mail == NULL &&
             line->value[0] != '0')
        reading->code = directory_fail(import, CTL_USAGE,
                                       "%s:%llu: the server did not give all of it (result: %.60s)",
                                       import->path, (unsigned long long)number, line->value);
    return reading->code != CTL_FINE;
}

static void take_attribute(struct ldif_reading *reading, const struct ldif_line *line,
                           uint64_t number)
{
    const struct directory_options *options = &reading->import->options;
    struct ldif_record *record = &reading->record;

    if (is_trouble(reading, line, number))
        return;
    if (strcmp(line->attribute, "dn") == 0)
        record->line = number;
    else if (strcasecmp(line->attribute, options->mail) == 0)
        add_mail(reading, line->value);
    else if (strcmp(line->attribute, "proxyaddresses") == 0 && is_alias(options, line->attribute))
        add_proxy(reading, line->value);
    else if (is_alias(options, line->attribute))
        add_alias(reading, line->value);
    else if (strcmp(line->attribute, "memberof") == 0)
        add_group(record, line->value);
    else if (options->state != NULL && strcasecmp(line->attribute, options->state) == 0 &&
             record->state == NULL)
        record->state = mem_text(line->value);
}

static void take_ldif_line(struct ldif_reading *reading, char *text, uint64_t number)
{
    struct ldif_line line = {.attribute = ""};

    switch (ldif_read(text, &line)) {
    case LDIF_ATTRIBUTE:
        take_attribute(reading, &line, number);
        break;
    case LDIF_END:
        end(reading);
        break;
    case LDIF_OTHER:
        break;
    case LDIF_BAD:
        directory_leave(reading->import, LEFT_UNREADABLE, number, "no attribute and value");
        break;
    }
}

int directory_read_ldif(struct directory_import *import, struct lines *lines)
{
    struct folded *folded = folded_new(lines, true);
    struct ldif_reading *reading = mem_new(sizeof(*reading));
    uint64_t number = 0;
    char *text = NULL;
    int code;

    reading->import = import;
    begin(&reading->record);
    while (reading->code == CTL_FINE && directory_goes_on(import, lines) &&
           folded_next(folded, &text, &number))
        take_ldif_line(reading, text, number);
    if (reading->code == CTL_FINE)
        end(reading);
    begin(&reading->record);
    code = reading->code;
    mem_free(reading);
    folded_free(&folded);
    return code;
}
