// request.c: the parser of policy requests. Promises: bounded work and memory whatever comes, no
// allocation, and a reason in words for everything it refuses. A refused request stays refused
// until the reset.
//
// How a request lies in memory while it grows (values of unknown attributes are overwritten by the
// next line):
//
//     | value \0 | value \0 | value \0 | name=val...            |
//     0                                kept      kept+line_bytes
#include "client/policyd/request.h"

#include <stddef.h>
#include <string.h>

#include "proto/base/log.h"

void policy_parser_reset(struct policy_parser *parser)
{
    parser->request = (struct policy_request){
#define POLICY_EMPTY(name) .name = "",
        POLICY_TEXTS(POLICY_EMPTY)
#undef POLICY_EMPTY
    };
    parser->why.text[0] = '\0';
    parser->state = POLICY_MORE;
    parser->taken = 0;
    parser->line_count = 1;
    parser->next_slot = 0;
    parser->kept = 0;
    parser->line_bytes = 0;
}

bool policy_parser_is_idle(const struct policy_parser *parser)
{
    return parser->taken == 0;
}

// The attributes that are known.
static const struct slot {
    const char *name;
    size_t len;
    size_t offset; // in struct policy_request
    bool is_number;
} slots[] = {
#define POLICY_TEXT_SLOT(name) \
    {#name, sizeof(#name) - 1, offsetof(struct policy_request, name), false},
#define POLICY_NUMBER_SLOT(name) \
    {#name, sizeof(#name) - 1, offsetof(struct policy_request, name), true},
    POLICY_TEXTS(POLICY_TEXT_SLOT) POLICY_NUMBERS(POLICY_NUMBER_SLOT)
#undef POLICY_TEXT_SLOT
#undef POLICY_NUMBER_SLOT
};

enum { SLOT_COUNT = sizeof(slots) / sizeof(slots[0]) };

// find_slot: NULL for a name that is not known. Postfix sends its attributes in the order in which
// they are listed, so the search begins behind the last one that was found.
static const struct slot *find_slot(struct policy_parser *parser, const char *name, size_t len)
{
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        const struct slot *slot = &slots[(parser->next_slot + i) % SLOT_COUNT];

        if (slot->len != len || memcmp(slot->name, name, len) != 0)
            continue;
        parser->next_slot = (unsigned)(slot - slots) + 1;
        return slot;
    }
    return NULL;
}

static bool is_name_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '-' || byte == '.';
}

static bool name_is_valid(const char *name, size_t len)
{
    if (len == 0 || len > POLICY_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_name_byte(name[i]))
            return false;
    }
    return true;
}

// parse_number: decimal digits alone, "" is 0.
static bool parse_number(const char *text, uint64_t *out)
{
    uint64_t number = 0;

    for (; *text != '\0'; text++) {
        unsigned digit = (unsigned char)*text - (unsigned)'0';

        if (digit > 9 || number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out = number;
    return true;
}

static enum err refuse_line(struct policy_parser *parser, const char *what, const char *line)
{
    char quoted[LOG_QUOTE_MAX];

    return err_say(&parser->why, ERR_SYNTAX, "line %u %s: %s", parser->line_count, what,
                   log_quote(quoted, line));
}

// keep_attribute: the line is name '=' value, cut in two at the '='. A known text stays in memory
// where it is.
static enum err keep_attribute(struct policy_parser *parser, const struct slot *slot, char *value,
                               size_t value_bytes)
{
    void *field = (char *)&parser->request + slot->offset;
    char *home = parser->memory + parser->kept;

    if (slot->is_number && !parse_number(value, field))
        return err_say(&parser->why, ERR_SYNTAX, "line %u: %s is not a number", parser->line_count,
                       slot->name);
    if (slot->is_number)
        return ERR_NONE;
    memmove(home, value, value_bytes + 1);
    *(const char **)field = home;
    parser->kept += value_bytes + 1;
    return ERR_NONE;
}

static enum err end_attribute(struct policy_parser *parser)
{
    char *line = parser->memory + parser->kept;
    char *equals = memchr(line, '=', parser->line_bytes);

    line[parser->line_bytes] = '\0';
    if (equals == NULL)
        return refuse_line(parser, "is not name=value", line);
    *equals = '\0';
    size_t name_bytes = (size_t)(equals - line);

    const struct slot *slot = find_slot(parser, line, name_bytes);

    if (slot == NULL && !name_is_valid(line, name_bytes))
        return refuse_line(parser, "does not begin with an attribute's name", line);
    if (slot == NULL)
        return ERR_NONE;
    return keep_attribute(parser, slot, equals + 1, parser->line_bytes - name_bytes - 1);
}

// end_line: a newline came. *whole becomes true when it ended the request.
static enum err end_line(struct policy_parser *parser, bool *whole)
{
    enum err err = ERR_NONE;

    if (parser->line_bytes == 0) {
        *whole = true;
        return parser->line_count > 1
                   ? ERR_NONE
                   : err_say(&parser->why, ERR_SYNTAX, "an empty line before any attribute");
    }
    if (parser->line_count > POLICY_ATTRIBUTES_MAX)
        return err_say(&parser->why, ERR_LIMIT, "more than %d attributes", POLICY_ATTRIBUTES_MAX);
    err = end_attribute(parser);
    parser->line_bytes = 0;
    parser->line_count++;
    return err;
}

static enum err take_byte(struct policy_parser *parser, unsigned char byte, bool *whole)
{
    if (parser->taken > POLICY_REQUEST_MAX)
        return err_say(&parser->why, ERR_LIMIT, "a request of more than %d bytes",
                       POLICY_REQUEST_MAX);
    if (byte == '\n')
        return end_line(parser, whole);
    if (byte < ' ' || byte == 0x7f)
        return err_say(&parser->why, ERR_SYNTAX, "line %u holds the control character 0x%02x",
                       parser->line_count, byte);
    if (parser->line_bytes == POLICY_LINE_MAX)
        return err_say(&parser->why, ERR_LIMIT, "line %u is longer than %d bytes",
                       parser->line_count, POLICY_LINE_MAX);
    parser->memory[parser->kept + parser->line_bytes] = (char)byte;
    parser->line_bytes++;
    return ERR_NONE;
}

// Takes the bytes at the front that only make the line longer, at once; what ends it, or breaks the
// form, is left to take_byte.
static size_t take_run(struct policy_parser *parser, const unsigned char *bytes, size_t len)
{
    size_t line_left = POLICY_LINE_MAX - parser->line_bytes;
    size_t request_left =
        parser->taken < POLICY_REQUEST_MAX ? POLICY_REQUEST_MAX - parser->taken : 0;
    size_t most = line_left < request_left ? line_left : request_left;
    size_t run = 0;

    if (most > len)
        most = len;
    while (run < most && bytes[run] >= ' ' && bytes[run] != 0x7f)
        run++;
    memcpy(parser->memory + parser->kept + parser->line_bytes, bytes, run);
    parser->line_bytes += run;
    parser->taken += run;
    return run;
}

enum policy_feed policy_parser_feed(struct policy_parser *parser, const void *bytes, size_t len,
                                    size_t *taken)
{
    const unsigned char *next = bytes;
    size_t used = 0;

    while (parser->state == POLICY_MORE && used < len) {
        bool whole = false;
        enum err err = ERR_NONE;

        used += take_run(parser, next + used, len - used);
        if (used == len)
            break;
        parser->taken++;
        err = take_byte(parser, next[used++], &whole);
        if (err != ERR_NONE)
            parser->state = POLICY_BROKEN;
        else if (whole)
            parser->state = POLICY_COMPLETE;
    }
    *taken = used;
    return parser->state;
}
