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
    parser->kept = 0;
    parser->line_bytes = 0;
}

bool policy_parser_is_idle(const struct policy_parser *parser)
{
    return parser->taken == 0;
}

// policy_text_slot: where the value of a known text attribute goes; NULL for any other name.
static const char **policy_text_slot(struct policy_request *request, const char *name)
{
#define POLICY_SLOT(known)         \
    if (strcmp(name, #known) == 0) \
        return &request->known;
    POLICY_TEXTS(POLICY_SLOT)
#undef POLICY_SLOT
    return NULL;
}

static uint64_t *policy_number_slot(struct policy_request *request, const char *name)
{
#define POLICY_SLOT(known)         \
    if (strcmp(name, #known) == 0) \
        return &request->known;
    POLICY_NUMBERS(POLICY_SLOT)
#undef POLICY_SLOT
    return NULL;
}

static bool name_is_valid(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

    return len > 0 && len <= POLICY_NAME_MAX && name[len] == '\0';
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
static enum err keep_attribute(struct policy_parser *parser, const char *name, char *value,
                               size_t value_bytes)
{
    const char **text = policy_text_slot(&parser->request, name);
    uint64_t *number = policy_number_slot(&parser->request, name);

    if (number != NULL && !parse_number(value, number))
        return err_say(&parser->why, ERR_SYNTAX, "line %u: %s is not a number", parser->line_count,
                       name);
    if (text != NULL) {
        char *home = parser->memory + parser->kept;

        memmove(home, value, value_bytes + 1);
        *text = home;
        parser->kept += value_bytes + 1;
    }
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
    if (!name_is_valid(line))
        return refuse_line(parser, "does not begin with an attribute's name", line);
    return keep_attribute(parser, line, equals + 1,
                          parser->line_bytes - (size_t)(equals + 1 - line));
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

enum policy_feed policy_parser_feed(struct policy_parser *parser, const void *bytes, size_t len,
                                    size_t *taken)
{
    const unsigned char *next = bytes;
    size_t used = 0;

    while (parser->state == POLICY_MORE && used < len) {
        bool whole = false;
        enum err err = ERR_NONE;

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
