// line.h: one line of YAML while it is written: texts in quotes, maps with commas where they belong.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/policy.h"
#include "proto/err.h"

struct line {
    char *text; // terminated once something was put; on the heap
    size_t len;
    size_t room;
    bool is_first; // the next key or item needs no comma
};

void line_free(struct line *line);
// line_clear: empties it; its memory stays. Afterwards text is "".
void line_clear(struct line *line);
void line_put(struct line *line, const char *text);
void line_number(struct line *line, uint64_t number);
// line_quote: the text in double quotes, escaped so that it reads back the same. It is clean text (proto/text.h).
void line_quote(struct line *line, const char *text);

// line_open: a map ("{") or a list ("["); line_close its other end. line_key: a comma if it is needed, and the key;
// line_item: the comma alone.
void line_open(struct line *line, const char *bracket);
void line_close(struct line *line, const char *bracket);
void line_key(struct line *line, const char *key);
void line_item(struct line *line);

void line_flag(struct line *line, const char *key, bool value);
void line_word(struct line *line, const char *key, const char *word);
// line_pattern: as pattern_number takes it: "user@dom", or {group: "name"}.
void line_pattern(struct line *line, const struct policy_pattern *pattern);
void line_nets(struct line *line, const char *key, const struct ip_net *nets, size_t count);
