// script.c: a scenario file as logical lines, and a logical line as words.
#include "tests/scenario/script.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- Lines

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static void cut_end(char *text)
{
    size_t len = strlen(text);

    while (len > 0 && (is_space(text[len - 1]) || text[len - 1] == '\n' || text[len - 1] == '\r'))
        text[--len] = '\0';
}

static struct script_line *add_line(struct script *script, unsigned number, const char *text)
{
    struct script_line *line;

    script->line = mem_grow(script->line, script->count + 1, sizeof(*script->line));
    line = &script->line[script->count++];
    *line = (struct script_line){.number = number, .text = mem_text(text)};
    return line;
}

// The lines of a block up to its end word. False if the file ends before.
static bool read_block(FILE *file, const char *end, struct script_line *line, unsigned *number)
{
    char *buffer = NULL;
    size_t size = 0;
    bool is_closed = false;

    line->block = mem_text("");
    while (!is_closed && getline(&buffer, &size, file) >= 0) {
        char *longer;

        (*number)++;
        cut_end(buffer);
        is_closed = strcmp(buffer, end) == 0;
        longer = is_closed ? NULL : mem_format("%s%s\n", line->block, buffer);
        if (longer != NULL) {
            mem_free(line->block);
            line->block = longer;
        }
    }
    free(buffer);
    return is_closed;
}

// One line of the file, its newline and trailing blanks cut off.
static enum err take_line(struct script *script, FILE *file, char *text, unsigned *number,
                          struct err_detail *detail)
{
    struct script_line *last = script->count > 0 ? &script->line[script->count - 1] : NULL;
    char *mark = strstr(text, "<<");

    if (text[strspn(text, " \t")] == '\0' || text[strspn(text, " \t")] == '#')
        return ERR_NONE;
    if (is_space(text[0]) && last == NULL)
        return err_say(detail, ERR_SYNTAX, "%s:%u: the first line is indented", script->path,
                       *number);
    if (is_space(text[0])) {
        char *joined = mem_format("%s %s", last->text, text + strspn(text, " \t"));

        mem_free(last->text);
        last->text = joined;
        return ERR_NONE;
    }
    if (mark != NULL)
        *mark = '\0';
    last = add_line(script, *number, text);
    if (mark == NULL || read_block(file, mark + 2, last, number))
        return ERR_NONE;
    return err_say(detail, ERR_SYNTAX, "%s:%u: the block is not ended by a line '%s'", script->path,
                   last->number, mark + 2);
}

enum err script_load(const char *path, struct script **out, struct err_detail *detail)
{
    FILE *file = fopen(path, "r");
    struct script *script;
    char *buffer = NULL;
    size_t size = 0;
    unsigned number = 0;
    enum err err = ERR_NONE;

    if (file == NULL)
        return err_say(detail, ERR_SYSTEM, "%s: %s", path, strerror(errno));
    script = mem_new(sizeof(*script));
    script->path = mem_text(path);
    while (err == ERR_NONE && getline(&buffer, &size, file) >= 0) {
        number++;
        cut_end(buffer);
        err = take_line(script, file, buffer, &number, detail);
    }
    free(buffer);
    (void)fclose(file);
    if (err != ERR_NONE) {
        script_free(&script);
        return err;
    }
    *out = script;
    return ERR_NONE;
}

void script_free(struct script **script)
{
    if (*script == NULL)
        return;
    for (size_t i = 0; i < (*script)->count; i++) {
        mem_free((*script)->line[i].text);
        mem_free((*script)->line[i].block);
    }
    mem_free((*script)->line);
    mem_free((*script)->path);
    mem_free(*script);
    *script = NULL;
}

// ---- Words

// word_end: the first white space outside of quotes; NULL if a quote is not closed.
static const char *word_end(const char *text)
{
    bool is_quoted = false;
    bool is_escaped = false;

    for (; *text != '\0' && (is_quoted || !is_space(*text)); text++) {
        if (*text == '"' && !is_escaped)
            is_quoted = !is_quoted;
        is_escaped = *text == '\\' && !is_escaped;
    }
    return is_quoted ? NULL : text;
}

enum err script_words(const char *text, struct arena *arena, struct words *out,
                      struct err_detail *detail)
{
    size_t room = strlen(text) / 2 + 1;
    char **word = arena_alloc(arena, room * sizeof(*word));
    size_t count = 0;

    if (word == NULL)
        return err_say(detail, ERR_MEMORY, "the line is too long");
    for (text += strspn(text, " \t"); *text != '\0'; text += strspn(text, " \t")) {
        const char *end = word_end(text);

        if (end == NULL)
            return err_say(detail, ERR_SYNTAX, "a quote is not closed: %s", text);
        word[count] = arena_text(arena, text, (size_t)(end - text));
        if (word[count++] == NULL)
            return err_say(detail, ERR_MEMORY, "the line is too long");
        text = end;
    }
    *out = (struct words){word, count};
    return ERR_NONE;
}

// ---- Values

enum { REPEAT_MAX = 1000000 };

// A value while it is being built. With at NULL it is only measured.
struct building {
    char *at;
    size_t len;
};

static void build(struct building *to, const char *bytes, size_t len)
{
    if (to->at != NULL)
        memcpy(to->at + to->len, bytes, len);
    to->len += len;
}

static enum err build_value(struct building *to, const char *text, const char *end, unsigned depth,
                            struct err_detail *detail);

// close_of: the parenthesis that closes what inside stands in, or NULL.
static const char *close_of(const char *inside)
{
    unsigned open = 1;

    for (; *inside != '\0'; inside++) {
        open += *inside == '(';
        open -= *inside == ')';
        if (open == 0)
            return inside;
    }
    return NULL;
}

// repeat(TEXT,N): the last comma parts them; TEXT may hold hex(). Returns what follows, or NULL if
// it is not well formed.
static const char *build_repeat(struct building *to, const char *inside, unsigned depth)
{
    const char *close = close_of(inside);
    const char *comma = close == NULL ? NULL : memrchr(inside, ',', (size_t)(close - inside));
    unsigned long times;
    char *end;

    if (comma == NULL || depth > 1)
        return NULL;
    times = strtoul(comma + 1, &end, 10);
    if (end != close || times > REPEAT_MAX)
        return NULL;
    for (; times > 0; times--)
        if (build_value(to, inside, comma, depth + 1, NULL) != ERR_NONE)
            return NULL;
    return close + 1;
}

static const char *build_hex(struct building *to, const char *inside)
{
    while (*inside != ')') {
        unsigned byte;
        char bytes[1];

        if (sscanf(inside, "%2x", &byte) != 1 || inside[1] == '\0' || inside[1] == ')')
            return NULL;
        bytes[0] = (char)(unsigned char)byte;
        build(to, bytes, 1);
        inside += 2;
    }
    return inside + 1;
}

static enum err build_value(struct building *to, const char *text, const char *end, unsigned depth,
                            struct err_detail *detail)
{
    while (text < end) {
        const char *next = text + 1;

        if (strncmp(text, "repeat(", 7) == 0)
            next = build_repeat(to, text + 7, depth);
        else if (strncmp(text, "hex(", 4) == 0)
            next = build_hex(to, text + 4);
        else
            build(to, text, 1);
        if (next == NULL)
            return err_say(detail, ERR_SYNTAX, "expected repeat(TEXT,N) or hex(00ff), not '%s'",
                           text);
        text = next;
    }
    return ERR_NONE;
}

enum err script_value(const char *word, struct arena *arena, struct bytes *out,
                      struct err_detail *detail)
{
    size_t len = strlen(word);
    bool is_wrapped = len >= 2 && ((word[0] == '<' && word[len - 1] == '>') ||
                                   (word[0] == '"' && word[len - 1] == '"'));
    const char *start = word + is_wrapped;
    const char *end = word + len - is_wrapped;
    struct building building = {0};
    enum err err = build_value(&building, start, end, 0, detail);

    if (err != ERR_NONE)
        return err;
    *out = (struct bytes){arena_zalloc(arena, building.len + 1), building.len};
    if (out->at == NULL)
        return err_say(detail, ERR_MEMORY, "the value is too long");
    building = (struct building){.at = out->at};
    return build_value(&building, start, end, 0, detail);
}
