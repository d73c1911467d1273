// yaml_read.c: settings out of a tree of nodes, by a table of rows; and the same table printed
// again.
//
// A type is one row of kinds[]: how its text becomes a value, how the value becomes text, and what
// a person is told to write. The defaults go the way of the file's values, so a default outside its
// own range is found by the first test.
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/base/mem.h"
#include "proto/base/yaml.h"
#include "proto/base/yaml_values.h"
#include "proto/text.h"

enum { VALUE_TEXT_MAX = 32, WORDS_TEXT_MAX = 256 };

static const char *const kind_names[] = {
    [YAML_TEXT] = "text", [YAML_LIST] = "a list", [YAML_MAP] = "a map"};

// ---- Types: text -> value (in memory that may be of any alignment), value -> text, what to write

static bool in_range(const struct yaml_row *row, uint64_t value)
{
    return value >= row->min && value <= row->max;
}

static bool take_text(const struct yaml_row *row, const char *text, void *field)
{
    if (!in_range(row, strlen(text)))
        return false;
    memcpy(field, &text, sizeof(text));
    return true;
}

static bool take_bool(const struct yaml_row *row, const char *text, void *field)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

    (void)row;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        bool value = i % 2 == 1;

        if (strcasecmp(text, words[i]) == 0) {
            memcpy(field, &value, sizeof(value));
            return true;
        }
    }
    return false;
}

static bool take_number(const struct yaml_row *row, bool fits, uint64_t value, void *field)
{
    if (!fits || !in_range(row, value))
        return false;
    memcpy(field, &value, sizeof(value));
    return true;
}

static bool take_count(const struct yaml_row *row, const char *text, void *field)
{
    uint64_t value = 0;
    const char *rest = NULL;
    bool fits = unit_digits(text, &value, &rest) && *rest == '\0';

    return take_number(row, fits, value, field);
}

static bool take_duration(const struct yaml_row *row, const char *text, void *field)
{
    uint64_t value = 0;
    bool fits = yaml_duration(text, &value);

    return take_number(row, fits, value, field);
}

static bool take_size(const struct yaml_row *row, const char *text, void *field)
{
    uint64_t value = 0;
    bool fits = yaml_size(text, &value);

    return take_number(row, fits, value, field);
}

// Digits, and up to six decimals: no sign, no exponent, no nan.
static bool take_decimal(const char *text, double *out)
{
    size_t whole = strspn(text, "0123456789");
    size_t decimals = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
    size_t len = whole + (decimals > 0 ? decimals + 1 : 0);

    if (whole < 1 || whole > 15 || decimals > 6 || text[len] != '\0')
        return false;
    *out = strtod(text, NULL);
    return true;
}

static bool take_share(const struct yaml_row *row, const char *text, void *field)
{
    double value;

    (void)row;
    if (strspn(text, "0123456789") != 1 || !take_decimal(text, &value) || value > 1)
        return false;
    memcpy(field, &value, sizeof(value));
    return true;
}

static bool take_real(const struct yaml_row *row, const char *text, void *field)
{
    double value;

    if (!take_decimal(text, &value) || value < (double)row->min || value > (double)row->max)
        return false;
    memcpy(field, &value, sizeof(value));
    return true;
}

static bool take_word(const struct yaml_row *row, const char *text, void *field)
{
    for (int i = 0; row->words[i] != NULL; i++) {
        if (strcmp(row->words[i], text) == 0) {
            memcpy(field, &i, sizeof(i));
            return true;
        }
    }
    return false;
}

static bool take_words(const struct yaml_row *row, const char *text, void *field)
{
    uint64_t bits = 0;

    if (!words_read(row->words, text, &bits) || (bits & row->min) != row->min)
        return false;
    memcpy(field, &bits, sizeof(bits));
    return true;
}

static void expect_text(const struct yaml_row *row, struct text_buf *out)
{
    text_buf_add(out, "text of %" PRIu64 " to %" PRIu64 " bytes", row->min, row->max);
}

static void expect_bool(const struct yaml_row *row, struct text_buf *out)
{
    (void)row;
    text_buf_add(out, "true or false");
}

static void expect_count(const struct yaml_row *row, struct text_buf *out)
{
    text_buf_add(out, "a number between %" PRIu64 " and %" PRIu64, row->min, row->max);
}

static void expect_unit(const struct yaml_row *row, const char *what, const struct unit *units,
                        struct text_buf *out)
{
    char min[VALUE_TEXT_MAX];
    char max[VALUE_TEXT_MAX];

    unit_format(row->min, units, min, sizeof(min));
    unit_format(row->max, units, max, sizeof(max));
    text_buf_add(out, "%s between %s and %s", what, min, max);
}

static void expect_duration(const struct yaml_row *row, struct text_buf *out)
{
    expect_unit(row, "a duration like 60s", unit_times, out);
}

static void expect_size(const struct yaml_row *row, struct text_buf *out)
{
    expect_unit(row, "a size like 64M", unit_sizes, out);
}

static void expect_share(const struct yaml_row *row, struct text_buf *out)
{
    (void)row;
    text_buf_add(out, "a share between 0 and 1 like 0.01 (six decimals at most)");
}

static void expect_real(const struct yaml_row *row, struct text_buf *out)
{
    text_buf_add(out,
                 "a number between %" PRIu64 " and %" PRIu64 " like 0.5 (six decimals at most)",
                 row->min, row->max);
}

static void expect_word(const struct yaml_row *row, struct text_buf *out)
{
    for (size_t i = 0; row->words[i] != NULL; i++)
        text_buf_add(out, "%s%s", i == 0 ? "" : (row->words[i + 1] == NULL ? " or " : ", "),
                     row->words[i]);
}

static void expect_words(const struct yaml_row *row, struct text_buf *out)
{
    text_buf_add(out, "a list of ");
    words_print(row->words, UINT64_MAX, out);
    if (row->min == 0)
        return;
    text_buf_add(out, ", ");
    words_print(row->words, row->min, out);
    text_buf_add(out, " among them");
}

static void expect_texts(const struct yaml_row *row, struct text_buf *out)
{
    text_buf_add(out, "a list of %" PRIu64 " to %" PRIu64 " texts, none of them empty", row->min,
                 row->max);
}

static uint64_t number_at(const void *field)
{
    uint64_t value = 0;

    memcpy(&value, field, sizeof(value));
    return value;
}

static void print_text(const struct yaml_row *row, const void *field, FILE *out)
{
    const char *text = NULL;

    (void)row;
    memcpy(&text, field, sizeof(text));
    yaml_print_text(text != NULL ? text : "", out);
}

static void print_bool(const struct yaml_row *row, const void *field, FILE *out)
{
    bool value = false;

    (void)row;
    memcpy(&value, field, sizeof(value));
    (void)fputs(value ? "true" : "false", out);
}

static void print_count(const struct yaml_row *row, const void *field, FILE *out)
{
    (void)row;
    (void)fprintf(out, "%" PRIu64, number_at(field));
}

static void print_duration(const struct yaml_row *row, const void *field, FILE *out)
{
    char text[24];

    (void)row;
    (void)fputs(yaml_duration_format(number_at(field), text), out);
}

static void print_size(const struct yaml_row *row, const void *field, FILE *out)
{
    char text[VALUE_TEXT_MAX];

    (void)row;
    unit_format(number_at(field), unit_sizes, text, sizeof(text));
    (void)fputs(text, out);
}

static void print_share(const struct yaml_row *row, const void *field, FILE *out)
{
    char text[VALUE_TEXT_MAX];
    double value = 0;
    size_t len;

    (void)row;
    memcpy(&value, field, sizeof(value));
    (void)snprintf(text, sizeof(text), "%.6f", value);
    for (len = strlen(text); text[len - 1] == '0'; len--)
        ;
    if (text[len - 1] == '.')
        len--;
    (void)fprintf(out, "%.*s", (int)len, text);
}

static void print_word(const struct yaml_row *row, const void *field, FILE *out)
{
    int value = 0;

    memcpy(&value, field, sizeof(value));
    (void)fputs(row->words[value], out);
}

static void print_words(const struct yaml_row *row, const void *field, FILE *out)
{
    char text[WORDS_TEXT_MAX];
    struct text_buf words;

    text_buf_init(&words, text, sizeof(text));
    words_print(row->words, number_at(field), &words);
    (void)fprintf(out, "[%s]", text);
}

static void print_texts(const struct yaml_row *row, const void *field, FILE *out)
{
    struct yaml_texts texts = {0};

    (void)row;
    memcpy(&texts, field, sizeof(texts));
    (void)fputc('[', out);
    for (size_t i = 0; i < texts.count; i++) {
        (void)fputs(i > 0 ? ", " : "", out);
        yaml_print_text(texts.text[i], out);
    }
    (void)fputc(']', out);
}

static const struct kind {
    bool (*take)(const struct yaml_row *row, const char *text, void *field);
    void (*print)(const struct yaml_row *row, const void *field, FILE *out);
    void (*expect)(const struct yaml_row *row, struct text_buf *out);
    size_t size;
} kinds[] = {
    [YAML_IS_TEXT] = {take_text, print_text, expect_text, sizeof(char *)},
    [YAML_IS_BOOL] = {take_bool, print_bool, expect_bool, sizeof(bool)},
    [YAML_IS_COUNT] = {take_count, print_count, expect_count, sizeof(uint64_t)},
    [YAML_IS_DURATION] = {take_duration, print_duration, expect_duration, sizeof(uint64_t)},
    [YAML_IS_SIZE] = {take_size, print_size, expect_size, sizeof(uint64_t)},
    [YAML_IS_SHARE] = {take_share, print_share, expect_share, sizeof(double)},
    [YAML_IS_REAL] = {take_real, print_share, expect_real, sizeof(double)},
    [YAML_IS_WORD] = {take_word, print_word, expect_word, sizeof(int)},
    [YAML_IS_WORDS] = {take_words, print_words, expect_words, sizeof(uint64_t)},
    [YAML_IS_TEXTS] = {NULL, print_texts, expect_texts, sizeof(struct yaml_texts)},
    [YAML_IS_OTHER] = {NULL, NULL, NULL, 0},
};

// ---- Maps

static void *field_of(const struct yaml_row *row, void *into)
{
    return (unsigned char *)into + row->offset;
}

static bool is_left_out(const struct yaml_node *node)
{
    return node->kind == YAML_TEXT && !node->quoted && node->text[0] == '\0';
}

const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key)
{
    for (const struct yaml_node *node = map != NULL ? map->child : NULL; node != NULL;
         node = node->next) {
        if (node->key != NULL && strcmp(node->key, key) == 0)
            return node;
    }
    return NULL;
}

enum err yaml_expect(const struct yaml_node *node, enum yaml_kind kind, const char *what,
                     struct err_detail *detail)
{
    if (node->kind == kind || (kind != YAML_TEXT && is_left_out(node)))
        return ERR_NONE;
    return err_say(detail, ERR_CONFIG, "%s:%u: %s: expected %s, not %s", node->file, node->line,
                   what, kind_names[kind], kind_names[node->kind]);
}

static enum err say_unknown(const struct yaml_node *node, const char *where,
                            const struct yaml_row *rows, struct err_detail *detail)
{
    char known[sizeof(detail->text)];
    struct text_buf list;

    text_buf_init(&list, known, sizeof(known));
    for (const struct yaml_row *row = rows; row->key != NULL; row++)
        text_buf_add(&list, "%s%s", row == rows ? "" : ", ", row->key);
    if (where[0] == '\0')
        return err_say(detail, ERR_CONFIG, "%s:%u: unknown key '%s' (known: %s)", node->file,
                       node->line, node->key, known);
    return err_say(detail, ERR_CONFIG, "%s:%u: unknown key '%s' in '%s' (known: %s)", node->file,
                   node->line, node->key, where, known);
}

static enum err check_known(const struct yaml_node *map, const char *where,
                            const struct yaml_row *rows, struct err_detail *detail)
{
    for (const struct yaml_node *node = map->child; node != NULL; node = node->next) {
        const struct yaml_row *row = rows;

        while (row->key != NULL && strcmp(row->key, node->key) != 0)
            row++;
        if (row->key == NULL)
            return say_unknown(node, where, rows, detail);
    }
    return ERR_NONE;
}

// join: a list of words as one text, parted by blanks.
static void join(const struct yaml_node *list, struct text_buf *out)
{
    for (const struct yaml_node *one = list->child; one != NULL; one = one->next)
        text_buf_add(out, "%s%s", one == list->child ? "" : " ",
                     one->kind == YAML_TEXT ? one->text : kind_names[one->kind]);
}

static enum err say_expected(const struct yaml_node *node, const char *where,
                             const struct yaml_row *row, struct err_detail *detail)
{
    char text[sizeof(detail->text)];
    struct text_buf expected;

    text_buf_init(&expected, text, sizeof(text));
    kinds[row->type].expect(row, &expected);
    text_buf_add(&expected, ", not ");
    if (node->kind == YAML_TEXT)
        text_buf_add(&expected, "'%s'", node->text);
    else if (node->kind == YAML_LIST && row->type == YAML_IS_WORDS)
        join(node, &expected);
    else
        text_buf_add(&expected, "%s", kind_names[node->kind]);
    return err_say(detail, ERR_CONFIG, "%s:%u: %s%s%s: expected %s", node->file, node->line, where,
                   where[0] != '\0' ? "." : "", row->key, text);
}

// take_list: one text stands for a list of it.
static bool take_list(const struct yaml_row *row, const struct yaml_node *node, void *field)
{
    struct yaml_texts texts = {0};

    if (node->kind == YAML_TEXT && !is_left_out(node))
        texts = (struct yaml_texts){.text = &node->text, .count = 1};
    else if (node->kind == YAML_LIST && node->texts != NULL)
        texts = (struct yaml_texts){.text = node->texts, .count = node->count};
    else if (node->kind != YAML_TEXT)
        return false;
    for (size_t i = 0; i < texts.count; i++) {
        if (texts.text[i][0] == '\0')
            return false;
    }
    if (!in_range(row, texts.count))
        return false;
    memcpy(field, &texts, sizeof(texts));
    return true;
}

// take_word_list: one word stands for a list of it.
static bool take_word_list(const struct yaml_row *row, const struct yaml_node *node, void *field)
{
    char text[WORDS_TEXT_MAX];
    struct text_buf words;

    if (node->kind != YAML_LIST)
        return node->kind == YAML_TEXT && take_words(row, node->text, field);
    text_buf_init(&words, text, sizeof(text));
    join(node, &words);
    return !words.full && take_words(row, text, field);
}

static bool take_node(const struct yaml_row *row, const struct yaml_node *node, void *field)
{
    if (row->type == YAML_IS_WORDS)
        return take_word_list(row, node, field);
    if (row->type == YAML_IS_TEXTS)
        return take_list(row, node, field);
    return node->kind == YAML_TEXT && kinds[row->type].take(row, node->text, field);
}

static void take_default(const struct yaml_row *row, void *field)
{
    bool fits = true;
    const char *empty = "";

    memset(field, 0, kinds[row->type].size);
    if (row->type == YAML_IS_TEXT)
        memcpy(field, &empty, sizeof(empty));
    if (row->def == NULL || strcmp(row->def, "!") == 0)
        return;
    if (row->type == YAML_IS_TEXTS)
        memcpy(field, &(struct yaml_texts){.text = &row->def, .count = 1},
               sizeof(struct yaml_texts));
    else
        fits = kinds[row->type].take(row, row->def, field);
    assert(fits); // the table contradicts itself
    (void)fits;
}

static enum err say_missing(const struct yaml_node *map, const char *where,
                            const struct yaml_row *row, struct err_detail *detail)
{
    if (map == NULL)
        return err_say(detail, ERR_CONFIG, "%s%s%s is required (%s)", where,
                       where[0] != '\0' ? "." : "", row->key, row->help);
    return err_say(detail, ERR_CONFIG, "%s:%u: %s%s%s is required (%s)", map->file, map->line,
                   where, where[0] != '\0' ? "." : "", row->key, row->help);
}

static enum err read_row(const struct yaml_node *map, const char *where, const struct yaml_row *row,
                         void *into, struct err_detail *detail)
{
    const struct yaml_node *node = yaml_find(map, row->key);

    if (row->def != NULL && strcmp(row->def, "!") == 0 && node == NULL)
        return say_missing(map, where, row, detail);
    if (row->type == YAML_IS_OTHER)
        return ERR_NONE;
    take_default(row, field_of(row, into));
    if (node != NULL && !take_node(row, node, field_of(row, into)))
        return say_expected(node, where, row, detail);
    return ERR_NONE;
}

enum err yaml_read(const struct yaml_node *map, const char *where, const struct yaml_row *rows,
                   void *into, struct err_detail *detail)
{
    enum err err = ERR_NONE;

    if (map != NULL)
        err = yaml_expect(map, YAML_MAP, where[0] != '\0' ? where : "the file", detail);
    if (err == ERR_NONE && map != NULL)
        err = check_known(map, where, rows, detail);
    for (const struct yaml_row *row = rows; err == ERR_NONE && row->key != NULL; row++)
        err = read_row(map, where, row, into, detail);
    return err;
}

// ---- Print

static bool same_texts(const void *a, const void *b)
{
    struct yaml_texts left;
    struct yaml_texts right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    if (left.count != right.count)
        return false;
    for (size_t i = 0; i < left.count; i++) {
        if (strcmp(left.text[i], right.text[i]) != 0)
            return false;
    }
    return true;
}

static bool same_text(const void *a, const void *b)
{
    const char *left = NULL;
    const char *right = NULL;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return strcmp(left != NULL ? left : "", right != NULL ? right : "") == 0;
}

static bool is_default(const struct yaml_row *row, const void *field)
{
    unsigned char value[sizeof(struct yaml_texts)];

    take_default(row, value);
    if (row->type == YAML_IS_TEXT)
        return same_text(field, value);
    if (row->type == YAML_IS_TEXTS)
        return same_texts(field, value);
    return memcmp(field, value, kinds[row->type].size) == 0;
}

bool yaml_is_default(const struct yaml_row *row, const void *from)
{
    return is_default(row, (const unsigned char *)from + row->offset);
}

char *yaml_value(const struct yaml_row *row, const void *from)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        return mem_text("");
    kinds[row->type].print(row, (const unsigned char *)from + row->offset, out);
    (void)fclose(out);
    return text;
}

void yaml_print(const struct yaml_row *rows, const void *from, unsigned indent, void *stdio_file)
{
    FILE *out = stdio_file;

    for (const struct yaml_row *row = rows; row->key != NULL; row++) {
        const void *field = (const unsigned char *)from + row->offset;

        if (row->type == YAML_IS_OTHER)
            continue;
        (void)fprintf(out, "%*s%s: ", (int)indent, "", row->key);
        kinds[row->type].print(row, field, out);
        (void)fprintf(out, " # %s%s\n", is_default(row, field) ? "default: " : "", row->help);
    }
}
