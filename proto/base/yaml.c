// yaml.c: bytes of YAML -> a tree of nodes (yaml_read.c reads settings out of it).
//
// Built from libyaml's events, because only these still show aliases, anchors and tags. The tree
// lives in a chain of chunks that is freed at once. Whatever is wrong ends as ERR_CONFIG and one
// line `file:line: what`; no input aborts or recurses.
#include "proto/base/yaml.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "proto/base/mem.h"
#include "proto/text.h"

enum {
    DEPTH_MAX = 64,
    BYTES_MAX = 64 << 20,
    NODES_MAX = 4000000,
    CHUNK_BYTES = 64 << 10,
    SAMPLE_MAX = 60, // bytes of the file that a message repeats
};

// ---- Memory of a tree

struct chunk {
    struct chunk *next;
    size_t size;
    size_t used;
    alignas(max_align_t) unsigned char bytes[];
};

struct yaml {
    struct chunk *chunks; // the newest first
    const struct yaml_node *root;
};

static void *tree_alloc(struct yaml *yaml, size_t size)
{
    size_t rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct chunk *chunk = yaml->chunks;

    if (chunk == NULL || chunk->size - chunk->used < rounded) {
        size_t room = rounded > CHUNK_BYTES ? rounded : CHUNK_BYTES;

        chunk = mem_new(sizeof(*chunk) + room);
        *chunk = (struct chunk){.next = yaml->chunks, .size = room};
        yaml->chunks = chunk;
    }
    chunk->used += rounded;
    return chunk->bytes + (chunk->used - rounded);
}

static const char *tree_text(struct yaml *yaml, const char *text, size_t len)
{
    char *copy = tree_alloc(yaml, len + 1);

    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

void yaml_free(struct yaml **yaml)
{
    if (*yaml == NULL)
        return;
    for (struct chunk *chunk = (*yaml)->chunks; chunk != NULL;) {
        struct chunk *next = chunk->next;

        mem_free(chunk);
        chunk = next;
    }
    mem_free(*yaml);
    *yaml = NULL;
}

const struct yaml_node *yaml_root(const struct yaml *yaml)
{
    return yaml->root;
}

// ---- Under construction

// A list or map that is not closed yet.
struct level {
    struct yaml_node *node;
    struct yaml_node *last; // child
    const char *key;        // of the entry whose value comes next
    unsigned key_line;
};

struct builder {
    struct yaml *yaml;
    const char *file;
    const char *bytes;
    size_t len;
    struct level level[DEPTH_MAX];
    unsigned depth;
    unsigned documents;
    size_t nodes;
    yaml_parser_t parser;
    struct err_detail *detail;
};

static unsigned line_of(const yaml_mark_t *mark)
{
    return (unsigned)mark->line + 1;
}

// at_mark: where in the file a mark points: marks count characters, not bytes.
static const char *at_mark(const struct builder *b, const yaml_mark_t *mark)
{
    const char *at = b->bytes;
    const char *end = b->bytes + b->len;

    for (size_t left = mark->index; left > 0 && at < end; left--) {
        at++;
        while (at < end && ((unsigned char)*at & 0xC0U) == 0x80U)
            at++;
    }
    return at;
}

// sample_len: how long the plain value at that place is: to the end of the line, a comma, a closing
// bracket, ": " or " #".
static size_t sample_len(const char *at, const char *end)
{
    size_t len = 0;

    while (at + len < end && strchr("\r\n,[]{}\"", at[len]) == NULL) {
        bool last = at + len + 1 == end;

        if (at[len] == ':' && (last || strchr(" \t\r\n", at[len + 1]) != NULL))
            break;
        if (at[len] == '#' && len > 0 && at[len - 1] == ' ')
            break;
        len++;
    }
    while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t'))
        len--;
    return len;
}

static enum err say_quote(const struct builder *b, const yaml_mark_t *mark)
{
    const char *at = at_mark(b, mark);
    size_t len = sample_len(at, b->bytes + b->len);

    if (len > SAMPLE_MAX)
        return err_say(b->detail, ERR_CONFIG,
                       "%s:%u: a value that starts with '%c' must be put in quotes", b->file,
                       line_of(mark), *at);
    return err_say(b->detail, ERR_CONFIG,
                   "%s:%u: a value that starts with '%c' must be put in quotes: \"%.*s\"", b->file,
                   line_of(mark), *at, (int)len, at);
}

// say_reader: libyaml names a character that YAML forbids by its offset alone.
static enum err say_reader(const struct builder *b)
{
    size_t offset = b->parser.problem_offset < b->len ? b->parser.problem_offset : b->len;
    unsigned line = 1;

    for (size_t i = 0; i < offset; i++)
        line += b->bytes[i] == '\n';
    return err_say(b->detail, ERR_CONFIG, "%s:%u: %s", b->file, line, b->parser.problem);
}

// starts_with_colon: [::1] is an address to people and an empty key to YAML.
static bool starts_with_colon(const struct builder *b)
{
    const char *at = at_mark(b, &b->parser.problem_mark);

    return b->bytes + b->len - at > 1 && at[0] == ':' && strchr(" \t\r\n", at[1]) == NULL;
}

static enum err say_parser(const struct builder *b)
{
    const yaml_parser_t *p = &b->parser;
    const yaml_mark_t *context = &p->context_mark;
    const char *at = at_mark(b, context);
    char first = at < b->bytes + b->len ? *at : '\0';

    if (p->error == YAML_MEMORY_ERROR)
        return err_say(b->detail, ERR_MEMORY, "%s: out of memory", b->file);
    if (p->error == YAML_READER_ERROR)
        return say_reader(b);
    if (p->error == YAML_SCANNER_ERROR && first != '\0' && strchr("*&@`!%|>", first) != NULL)
        return say_quote(b, context);
    if (p->error == YAML_SCANNER_ERROR && first == '\t')
        return err_say(b->detail, ERR_CONFIG, "%s:%u: a tab cannot indent; use spaces", b->file,
                       line_of(context));
    if (p->error == YAML_PARSER_ERROR && starts_with_colon(b))
        return say_quote(b, &p->problem_mark);
    if (p->context == NULL)
        return err_say(b->detail, ERR_CONFIG, "%s:%u: %s", b->file, line_of(&p->problem_mark),
                       p->problem);
    return err_say(b->detail, ERR_CONFIG, "%s:%u: %s %s (which begins in line %u)", b->file,
                   line_of(&p->problem_mark), p->problem, p->context, line_of(context));
}

// check_bytes: what libyaml would name by offset alone, or not at all.
static enum err check_bytes(const struct builder *b)
{
    const char *at = b->bytes;
    const char *end = b->bytes + b->len;

    if (b->len > BYTES_MAX)
        return err_say(b->detail, ERR_CONFIG, "%s: larger than %d MiB", b->file, BYTES_MAX >> 20);
    for (unsigned line = 1; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop != NULL ? stop + 1 : end) - at);

        if (memchr(at, '\0', len) != NULL)
            return err_say(b->detail, ERR_CONFIG, "%s:%u: a NUL byte: this is no text file",
                           b->file, line);
        if (!text_is_utf8(at, len))
            return err_say(b->detail, ERR_CONFIG, "%s:%u: not valid UTF-8", b->file, line);
        at += len;
    }
    return ERR_NONE;
}

// ---- Nodes

static struct yaml_node *add_node(struct builder *b, enum yaml_kind kind, unsigned line)
{
    struct yaml_node *node = tree_alloc(b->yaml, sizeof(*node));
    struct level *parent = b->depth > 0 ? &b->level[b->depth - 1] : NULL;

    *node = (struct yaml_node){.kind = kind, .line = line, .file = b->file};
    if (parent == NULL) {
        b->yaml->root = node;
        return node;
    }
    if (parent->key != NULL) {
        node->key = parent->key;
        node->line = parent->key_line;
        parent->key = NULL;
    }
    if (parent->last == NULL)
        parent->node->child = node;
    else
        parent->last->next = node;
    parent->last = node;
    parent->node->count++;
    return node;
}

static bool wants_key(const struct builder *b)
{
    const struct level *top = b->depth > 0 ? &b->level[b->depth - 1] : NULL;

    return top != NULL && top->node->kind == YAML_MAP && top->key == NULL;
}

static enum err take_scalar(struct builder *b, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    unsigned line = line_of(&event->start_mark);
    struct yaml_node *node;

    if (!text_is_clean(value, len, len < 4 ? 4 : len))
        return err_say(
            b->detail, ERR_CONFIG,
            "%s:%u: a line break or control character inside a value (with >- a long text may"
            " be folded)",
            b->file, line);
    if (wants_key(b)) {
        if (len == 0)
            return err_say(b->detail, ERR_CONFIG, "%s:%u: an empty key", b->file, line);
        b->level[b->depth - 1].key = tree_text(b->yaml, value, len);
        b->level[b->depth - 1].key_line = line;
        return ERR_NONE;
    }
    node = add_node(b, YAML_TEXT, line);
    node->text = tree_text(b->yaml, value, len);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return ERR_NONE;
}

static enum err open_level(struct builder *b, enum yaml_kind kind, unsigned line)
{
    if (wants_key(b))
        return err_say(
            b->detail, ERR_CONFIG,
            "%s:%u: a key must be text, not a %s (a value that starts with '%c' must be put in"
            " quotes)",
            b->file, line, kind == YAML_MAP ? "map" : "list", kind == YAML_MAP ? '{' : '[');
    if (b->depth == DEPTH_MAX)
        return err_say(b->detail, ERR_CONFIG, "%s:%u: nested deeper than %d levels", b->file, line,
                       DEPTH_MAX);
    b->level[b->depth] = (struct level){.node = add_node(b, kind, line)};
    b->depth++;
    return ERR_NONE;
}

static int compare_keys(const void *a, const void *b)
{
    const struct yaml_node *const *left = a;
    const struct yaml_node *const *right = b;
    int order = strcmp((*left)->key, (*right)->key);

    if (order == 0)
        order = ((*left)->line > (*right)->line) - ((*left)->line < (*right)->line);
    return order;
}

static enum err check_keys(const struct builder *b, const struct yaml_node *map)
{
    const struct yaml_node **sorted = mem_new_array(map->count, sizeof(*sorted));
    size_t count = 0;
    enum err err = ERR_NONE;

    for (const struct yaml_node *node = map->child; node != NULL; node = node->next)
        sorted[count++] = node;
    qsort(sorted, count, sizeof(*sorted), compare_keys);
    for (size_t i = 1; i < count && err == ERR_NONE; i++) {
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
            err = err_say(b->detail, ERR_CONFIG, "%s:%u: key '%s' stands twice (first in line %u)",
                          b->file, sorted[i]->line, sorted[i]->key, sorted[i - 1]->line);
    }
    mem_free(sorted);
    return err;
}

// join_texts: a list of nothing but text also gets its texts as one array.
static void join_texts(struct builder *b, struct yaml_node *list)
{
    const char **texts = tree_alloc(b->yaml, list->count * sizeof(*texts));
    size_t count = 0;

    for (const struct yaml_node *node = list->child; node != NULL; node = node->next) {
        if (node->kind != YAML_TEXT)
            return;
        texts[count++] = node->text;
    }
    list->texts = texts;
}

static enum err close_level(struct builder *b)
{
    struct yaml_node *node = b->level[--b->depth].node;

    if (node->kind == YAML_MAP)
        return check_keys(b, node);
    join_texts(b, node);
    return ERR_NONE;
}

// ---- Events

static enum err check_bounds(struct builder *b, const yaml_event_t *event, bool decorated)
{
    if (decorated)
        return say_quote(b, &event->start_mark);
    if (++b->nodes > NODES_MAX)
        return err_say(b->detail, ERR_CONFIG, "%s:%u: more than %d values", b->file,
                       line_of(&event->start_mark), NODES_MAX);
    return ERR_NONE;
}

static enum err take_event(struct builder *b, const yaml_event_t *event)
{
    unsigned line = line_of(&event->start_mark);
    enum err err = ERR_NONE;

    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++b->documents > 1)
            err = err_say(b->detail, ERR_CONFIG, "%s:%u: more than one document in a file", b->file,
                          line);
        return err;
    case YAML_ALIAS_EVENT:
        return say_quote(b, &event->start_mark);
    case YAML_SCALAR_EVENT:
        err = check_bounds(b, event,
                           event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL);
        return err != ERR_NONE ? err : take_scalar(b, event);
    case YAML_SEQUENCE_START_EVENT:
        err = check_bounds(b, event,
                           event->data.sequence_start.anchor != NULL ||
                               event->data.sequence_start.tag != NULL);
        return err != ERR_NONE ? err : open_level(b, YAML_LIST, line);
    case YAML_MAPPING_START_EVENT:
        err = check_bounds(b, event,
                           event->data.mapping_start.anchor != NULL ||
                               event->data.mapping_start.tag != NULL);
        return err != ERR_NONE ? err : open_level(b, YAML_MAP, line);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return close_level(b);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return ERR_NONE;
    }
    return ERR_NONE;
}

static enum err take_events(struct builder *b)
{
    enum err err = ERR_NONE;
    bool end = false;

    while (err == ERR_NONE && !end) {
        yaml_event_t event;

        if (!yaml_parser_parse(&b->parser, &event))
            return say_parser(b);
        end = event.type == YAML_STREAM_END_EVENT;
        err = take_event(b, &event);
        yaml_event_delete(&event);
    }
    return err;
}

// finish_root: a file without content is an empty map.
static void finish_root(struct builder *b)
{
    const struct yaml_node *root = b->yaml->root;

    if (root != NULL && (root->kind != YAML_TEXT || root->quoted || root->text[0] != '\0'))
        return;
    (void)add_node(b, YAML_MAP, 1);
}

static enum err build(struct builder *b)
{
    enum err err = check_bytes(b);

    if (err != ERR_NONE)
        return err;
    if (!yaml_parser_initialize(&b->parser))
        return err_say(b->detail, ERR_MEMORY, "%s: out of memory", b->file);
    yaml_parser_set_encoding(&b->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b->parser, (const unsigned char *)b->bytes, b->len);
    err = take_events(b);
    if (err == ERR_NONE)
        finish_root(b);
    yaml_parser_delete(&b->parser);
    return err;
}

enum err yaml_parse(const char *name, const void *bytes, size_t len, struct yaml **out,
                    struct err_detail *detail)
{
    struct yaml *yaml = mem_new(sizeof(*yaml));
    struct builder *b = mem_new(sizeof(*b));
    enum err err;

    b->yaml = yaml;
    b->file = tree_text(yaml, name, strlen(name));
    b->bytes = len > 0 ? bytes : "";
    b->len = len;
    b->detail = detail;
    err = build(b);
    mem_free(b);
    if (err != ERR_NONE) {
        yaml_free(&yaml);
        return err;
    }
    *out = yaml;
    return ERR_NONE;
}

enum err yaml_load(const char *path, struct yaml **out, struct err_detail *detail)
{
    FILE *file = fopen(path, "rbe");
    char *bytes;
    size_t len;
    enum err err;

    if (file == NULL)
        return err_say(detail, ERR_SYSTEM, "%s: %s", path, strerror(errno));
    bytes = mem_new(BYTES_MAX + 1);
    len = fread(bytes, 1, BYTES_MAX + 1, file);
    if (ferror(file) != 0)
        err = err_say(detail, ERR_SYSTEM, "%s: %s", path, strerror(errno));
    else
        err = yaml_parse(path, bytes, len, out, detail);
    (void)fclose(file);
    mem_free(bytes);
    return err;
}
