// directory_row.c: reads the documents about directories. Promises: any bytes are read to their end, line by line; what is
// no row is told as such; an address that comes out is one of the domain that it was named under.
#include "node/verbs/directory_row.h"

#include <stdio.h>
#include <string.h>

#include "proto/mail.h"
#include "proto/text.h"

enum { FIELDS = 4, DIGITS_MAX = 19, STATE_MAX = 16 };

// One line, parted by tabs.
struct fields {
    const char *at[FIELDS];
    size_t len[FIELDS];
};

// next_line: false at the end.
static bool next_line(struct directory_lines *lines, const char **line, size_t *len)
{
    while (lines->left > 0) {
        const char *end = memchr(lines->at, '\n', lines->left);
        const size_t took = end == NULL ? lines->left : (size_t)(end - lines->at) + 1;

        *line = lines->at;
        *len = end == NULL ? took : took - 1;
        lines->at += took;
        lines->left -= took;
        lines->line++;
        if (*len > 0)
            return true;
    }
    return false;
}

// split: false if there are more or fewer.
static bool split(const char *line, size_t len, struct fields *out)
{
    const char *end = line + len;

    for (size_t i = 0; i < FIELDS; i++) {
        const char *tab = memchr(line, '\t', (size_t)(end - line));

        if ((tab == NULL) != (i == FIELDS - 1))
            return false;
        out->at[i] = line;
        out->len[i] = (size_t)((tab == NULL ? end : tab) - line);
        line = tab == NULL ? end : tab + 1;
    }
    return true;
}

static bool read_number(const struct fields *fields, size_t field, uint64_t max, uint64_t *out)
{
    uint64_t number = 0;

    if (fields->len[field] == 0 || fields->len[field] > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < fields->len[field]; i++) {
        const char digit = fields->at[field][i];

        if (digit < '0' || digit > '9')
            return false;
        number = number * 10 + (uint64_t)(digit - '0');
    }
    *out = number;
    return number <= max;
}

// ---- a directory

static const char *read_part(const struct fields *fields, struct arena *arena,
                             struct directory_line *out)
{
    char *domain = arena_alloc(arena, MAIL_DOMAIN_MAX + 1);
    char given[MAIL_DOMAIN_MAX + 1];
    uint64_t buckets = 0;

    if (domain == NULL)
        return "there is no memory left for this line";
    if (fields->len[0] - 1 > MAIL_DOMAIN_MAX)
        return "the domain is too long";
    (void)snprintf(given, sizeof(given), "%.*s", (int)(fields->len[0] - 1), fields->at[0] + 1);
    if (!mail_domain_normalise(given, domain))
        return "there is no domain behind the @";
    if (!read_number(fields, 1, DIRECTORY_ENTRIES_MAX, &out->entries))
        return "expected a number of addresses, at most 268435456, as the second field";
    if (!read_number(fields, 2, UINT64_MAX, &out->directory.version))
        return "expected a version as the third field";
    if (!read_number(fields, 3, UINT32_MAX, &buckets))
        return "expected a number of buckets as the fourth field";
    out->domain = domain;
    out->directory.buckets = (uint32_t)buckets;
    out->kind = DIRECTORY_PART;
    return "";
}

// ---- an address

// read_address: the base address; NULL and *why.
static const char *read_address(const struct fields *fields, size_t field, struct arena *arena,
                                struct mail_address *out, const char **why)
{
    char *text = arena_alloc(arena, MAIL_ADDRESS_MAX + 1);
    const char *key = NULL;

    *why = "there is no memory left for this line";
    if (text == NULL)
        return NULL;
    (void)text_clean(text, MAIL_ADDRESS_MAX, fields->at[field], fields->len[field]);
    if (mail_parse(text, arena, out) != ERR_NONE)
        return NULL;
    if (out->flaw == MAIL_OK && !out->null)
        key = mail_recipient_key(out, arena);
    else
        *why = out->null ? "the address is empty" : mail_flaw_text(out->flaw);
    return key;
}

static const char *read_status(const struct fields *fields, enum person_status *out)
{
    char text[STATE_MAX];

    (void)snprintf(text, sizeof(text), "%.*s", fields->len[1] < STATE_MAX ? (int)fields->len[1] : 0,
                   fields->at[1]);
    for (int i = PERSON_ACTIVE; i <= PERSON_DISABLED; i++) {
        if (strcmp(text, person_status_text((enum person_status)i)) != 0)
            continue;
        *out = (enum person_status)i;
        return "";
    }
    return "expected active, send_only or disabled as the second field";
}

static const char *read_mailbox(const struct fields *fields, struct arena *arena,
                                const char *address, struct person_row *out)
{
    const char *why = "";
    const char *mailbox = "";
    struct mail_address parsed;

    if (fields->len[2] > 0)
        mailbox = read_address(fields, 2, arena, &parsed, &why);
    if (mailbox == NULL)
        return why;
    if (strcmp(mailbox, address) == 0)
        mailbox = "";
    (void)snprintf(out->mailbox, sizeof(out->mailbox), "%s", mailbox);
    return "";
}

static const char *write_value(const struct fields *fields, const struct person_row *row,
                               struct arena *arena, struct directory_line *out)
{
    const size_t size = STATE_MAX + PERSON_ADDRESS_MAX + PERSON_GROUPS_MAX + 4;
    char groups[PERSON_GROUPS_MAX + 1];
    char *value = arena_alloc(arena, size);

    if (!text_is_clean(fields->at[3], fields->len[3], PERSON_GROUPS_MAX))
        return "expected at most 400 bytes of text as the fourth field";
    if (value == NULL)
        return "there is no memory left for this line";
    memcpy(groups, fields->at[3], fields->len[3]);
    groups[fields->len[3]] = '\0';
    (void)person_row_write(row, groups, value, size);
    out->value = value;
    out->kind = DIRECTORY_ENTRY;
    return "";
}

static const char *read_entry(const struct directory_lines *lines, const struct fields *fields,
                              struct arena *arena, struct directory_line *out)
{
    struct person_row row = {.state = FACT_PRESENT};
    struct mail_address parsed;
    const char *why = "";

    if (lines->domain == NULL)
        return "no line before this one names a directory";
    out->address = read_address(fields, 0, arena, &parsed, &why);
    if (out->address == NULL)
        return why;
    if (strcmp(parsed.domain, lines->domain) != 0)
        return "the address is not of the domain whose directory this is";
    why = read_status(fields, &row.status);
    if (why[0] == '\0')
        why = read_mailbox(fields, arena, out->address, &row);
    return why[0] == '\0' ? write_value(fields, &row, arena, out) : why;
}

void directory_line_next(struct directory_lines *lines, struct arena *arena,
                         struct directory_line *out)
{
    struct fields fields;
    const char *line = NULL;
    size_t len = 0;

    *out = (struct directory_line){.kind = DIRECTORY_END};
    if (!next_line(lines, &line, &len))
        return;
    out->kind = DIRECTORY_BAD;
    if (len > DIRECTORY_LINE_MAX)
        out->why = "a line has at most 4096 bytes";
    else if (!split(line, len, &fields))
        out->why = "expected four fields parted by tabs";
    else if (line[0] == '@')
        out->why = read_part(&fields, arena, out);
    else
        out->why = read_entry(lines, &fields, arena, out);
}
