// sqlgrey_row.c: see sqlgrey_row.h. Promises: any text is read to its end and no further.
#include "client/ctl/import/sqlgrey_row.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/ctl/when.h"

// What sqlgrey writes for the parts of the null sender.
static const char UNDEFINED[] = "-undef-";
enum { STAMP_LEN = 19, ZONED_MAX = 48, NAME_MAX_LEN = 64 };

// ---- times

static bool is_number(const char *text)
{
    return text[0] != '\0' && strlen(text) <= 12 && text[strspn(text, "0123456789")] == '\0';
}

// read_zoned: "2026-11-21 21:13:01.5+01" as PostgreSQL writes a time with its zone.
static bool read_zoned(const char *text, uint64_t *out)
{
    char zoned[ZONED_MAX];
    size_t len = strlen(text);
    bool is_short = len > 3 && (text[len - 3] == '+' || text[len - 3] == '-');

    if (len <= STAMP_LEN || len + 4 > sizeof(zoned))
        return false;
    (void)snprintf(zoned, sizeof(zoned), "%s%s", text, is_short ? ":00" : "");
    return when_parse(zoned, 0, out);
}

static bool read_local(const char *text, uint64_t *out)
{
    struct tm tm = {.tm_isdst = -1};
    const char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
    time_t seconds;

    if (end == NULL || (*end != '\0' && *end != '.') || tm.tm_year > 1000)
        return false;
    tm.tm_isdst = -1;
    seconds = mktime(&tm);
    *out = (uint64_t)seconds * 1000;
    return seconds > 0;
}

static bool read_time(const char *text, uint64_t *out)
{
    if (text == NULL)
        return false;
    if (!is_number(text))
        return read_zoned(text, out) || read_local(text, out);
    return when_parse(text, 0, out);
}

// ---- who

// read_source: a class C and an EUI-64 network lose their host part in sqlgrey.
static bool read_source(const char *text, char out[SQLGREY_SOURCE_MAX])
{
    size_t dots = 0, colons = 0;
    int len;

    if (text == NULL || text[0] == '\0')
        return false;
    for (const char *at = text; *at != '\0'; at++) {
        dots += *at == '.';
        colons += *at == ':';
    }
    if (colons == 0 && dots == 2)
        len = snprintf(out, SQLGREY_SOURCE_MAX, "%s.0/24", text);
    else if (colons == 3 && strstr(text, "::") == NULL)
        len = snprintf(out, SQLGREY_SOURCE_MAX, "%s::/64", text);
    else
        len = snprintf(out, SQLGREY_SOURCE_MAX, "%s", text);
    return len < SQLGREY_SOURCE_MAX;
}

// is_folded: '#' and RCPT stand for what was cut out; a name of 64 letters may have been cut off.
static bool is_folded(const char *name)
{
    return name[0] == '\0' || strchr(name, '#') != NULL || strstr(name, "RCPT") != NULL ||
           strlen(name) >= NAME_MAX_LEN;
}

static bool read_from(const struct sqlgrey_row *row, char out[SQLGREY_FROM_MAX])
{
    const char *domain = row->sender_domain;
    int len;

    if (domain == NULL || domain[0] == '\0')
        return false;
    if (strcmp(domain, UNDEFINED) == 0)
        len = snprintf(out, SQLGREY_FROM_MAX, "<>");
    else if (row->sender_name == NULL)
        len = snprintf(out, SQLGREY_FROM_MAX, "@%s", domain);
    else if (is_folded(row->sender_name) || strcmp(row->sender_name, UNDEFINED) == 0)
        return false;
    else
        len = snprintf(out, SQLGREY_FROM_MAX, "%s@%s", row->sender_name, domain);
    return len < SQLGREY_FROM_MAX;
}

enum sqlgrey_kind sqlgrey_read(const struct sqlgrey_row *row, struct sqlgrey_known *out)
{
    struct sqlgrey_known known = {.last_ms = 0};

    if (row->rcpt != NULL)
        return SQLGREY_PENDING;
    if (!read_source(row->src, known.source) || !read_time(row->last_seen, &known.last_ms))
        return SQLGREY_UNREADABLE;
    if (!read_from(row, known.from))
        return SQLGREY_FOLDED;
    *out = known;
    return SQLGREY_KNOWN;
}

// ---- dumps

// unquote: "a ""b"" c", from behind its first quote; returns what is behind its last one.
static char *unquote(char *text)
{
    char *to = text;

    for (; *text != '\0'; text++) {
        if (*text == '"' && text[1] != '"')
            break;
        text += *text == '"';
        *to++ = *text;
    }
    if (*text == '"')
        text++;
    *to = '\0';
    return text;
}

size_t sqlgrey_split(char *line, char separator, char **field, size_t max)
{
    size_t count = 0;

    while (count < max) {
        char *end = line;

        field[count++] = line;
        if (separator == ',' && *line == '"') {
            field[count - 1] = line + 1;
            end = unquote(line + 1);
        }
        end = strchr(end, separator);
        if (end == NULL)
            return count;
        *end = '\0';
        line = end + 1;
    }
    return count;
}
