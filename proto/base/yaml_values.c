// yaml_values.c: numbers with a unit, sets of words, and texts, read and written. Promises: what is written reads back the same.
#include "proto/base/yaml_values.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "proto/base/yaml.h"

const struct unit unit_times[] = {
    {"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000},
    {"ms", 1},       {"m", 60000},   {NULL, 0},
};
const struct unit unit_sizes[] = {
    {"G", 1U << 30}, {"M", 1U << 20}, {"K", 1U << 10}, {"", 1}, {NULL, 0},
};

bool unit_digits(const char *text, uint64_t *out, const char **end)
{
    uint64_t value = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++) {
        unsigned digit = (unsigned)(*at - '0');

        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    *end = at;
    return at > text;
}

bool unit_read(const char *text, const struct unit *units, uint64_t *out)
{
    uint64_t value = 0;
    const char *rest = NULL;

    if (!unit_digits(text, &value, &rest))
        return false;
    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        if (strcasecmp(unit->name, rest) == 0 && value <= UINT64_MAX / unit->factor) {
            *out = value * unit->factor;
            return true;
        }
    }
    return false;
}

void unit_format(uint64_t value, const struct unit *units, char *out, size_t size)
{
    const struct unit *unit = units;

    while (unit->factor > 1 && (value == 0 || value % unit->factor != 0))
        unit++;
    (void)snprintf(out, size, "%" PRIu64 "%s", value / unit->factor, unit->name);
}

bool yaml_duration(const char *text, uint64_t *out_ms)
{
    return unit_read(text, unit_times, out_ms);
}

bool yaml_size(const char *text, uint64_t *out_bytes)
{
    return unit_read(text, unit_sizes, out_bytes);
}

const char *yaml_duration_format(uint64_t ms, char out[24])
{
    unit_format(ms, unit_times, out, 24);
    return out;
}

static bool add_word(const char *const *words, const char *text, size_t len, uint64_t *bits)
{
    for (unsigned i = 0; words[i] != NULL; i++) {
        if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0) {
            *bits |= 1ULL << i;
            return true;
        }
    }
    return false;
}

bool words_read(const char *const *words, const char *text, uint64_t *bits)
{
    const char *at = text;

    for (*bits = 0; *at != '\0'; at++) {
        const size_t len = strcspn(at, " ");

        if (!add_word(words, at, len, bits))
            return false;
        at += len;
        if (*at == '\0')
            return true;
    }
    return at == text; // else it ends with a blank: an empty word
}

void words_print(const char *const *words, uint64_t bits, struct text_buf *out)
{
    const char *before = "";

    for (unsigned i = 0; words[i] != NULL; i++) {
        if ((bits & 1ULL << i) == 0)
            continue;
        text_buf_add(out, "%s%s", before, words[i]);
        before = ", ";
    }
}

void yaml_print_text(const char *text, void *stdio_file)
{
    FILE *out = stdio_file;

    (void)fputc('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at < 0x20 || *at == 0x7F)
            (void)fprintf(out, "\\x%02X", *at);
        else
            (void)fprintf(out, "%s%c", *at == '"' || *at == '\\' ? "\\" : "", *at);
    }
    (void)fputc('"', out);
}
