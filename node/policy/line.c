// line.c: see line.h. Promises: what is written here is YAML that reads back as the same values.
#include "node/policy/line.h"

#include <string.h>

#include "node/policy/build.h"
#include "proto/base/mem.h"
#include "proto/text.h"

void line_free(struct line *line)
{
    mem_free(line->text);
    *line = (struct line){0};
}

// add: len bytes, and a terminator behind them.
static void add(struct line *line, const char *text, size_t len)
{
    if (line->room - line->len <= len) {
        line->room = (line->len + len + 1) * 2 + 120;
        line->text = mem_grow(line->text, line->room, 1);
    }
    memcpy(line->text + line->len, text, len);
    line->len += len;
    line->text[line->len] = '\0';
}

void line_clear(struct line *line)
{
    line->len = 0;
    line->is_first = true;
    add(line, "", 0);
}

void line_put(struct line *line, const char *text)
{
    add(line, text, strlen(text));
}

void line_number(struct line *line, uint64_t number)
{
    char text[TEXT_NUMBER_MAX];

    add(line, text, text_number(text, number));
}

void line_quote(struct line *line, const char *text)
{
    add(line, "\"", 1);
    for (;;) {
        size_t plain = strcspn(text, "\"\\");

        add(line, text, plain);
        text += plain;
        if (*text == '\0')
            break;
        add(line, "\\", 1);
        add(line, text++, 1);
    }
    add(line, "\"", 1);
}

void line_open(struct line *line, const char *bracket)
{
    line_put(line, bracket);
    line->is_first = true;
}

void line_close(struct line *line, const char *bracket)
{
    line_put(line, bracket);
    line->is_first = false;
}

void line_item(struct line *line)
{
    if (!line->is_first)
        line_put(line, ", ");
    line->is_first = false;
}

void line_key(struct line *line, const char *key)
{
    line_item(line);
    line_put(line, key);
    line_put(line, ": ");
}

void line_flag(struct line *line, const char *key, bool value)
{
    line_word(line, key, value ? "true" : "false");
}

void line_word(struct line *line, const char *key, const char *word)
{
    line_key(line, key);
    line_put(line, word);
}

void line_pattern(struct line *line, const struct policy_pattern *pattern)
{
    char text[POLICY_PATTERN_TEXT_MAX];

    if (pattern->kind != POLICY_GROUP) {
        line_quote(line, pattern_format(pattern, text));
        return;
    }
    line_put(line, "{group: ");
    line_quote(line, pattern->local);
    line_put(line, "}");
}

void line_nets(struct line *line, const char *key, const struct ip_net *nets, size_t count)
{
    char text[IP_NET_TEXT_MAX];

    line_key(line, key);
    line_open(line, "[");
    for (size_t i = 0; i < count; i++) {
        line_item(line);
        line_quote(line, ip_net_format(&nets[i], text));
    }
    line_close(line, "]");
}
