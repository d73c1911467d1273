// fuzz_directory.c: what stands in the store of directories, and any bytes as a document of directory.begin, .add, .switch.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/directory.h"
#include "node/verbs/directory_row.h"
#include "proto/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_stored(const char *field, const char *value)
{
    struct directory_version version;
    struct store_directory again;
    struct store_directory row;
    char text[DIRECTORY_VALUE_MAX];

    if (directory_read(field, value, &row)) {
        assert(row.directory.version != 0 && row.directory.buckets != 0);
        assert(directory_value(&row, text) < sizeof(text));
        assert(directory_read(field, text, &again));
        assert(again.directory.version == row.directory.version && again.at_ms == row.at_ms);
    }
    if (directory_version_read(field, value, &version))
        assert(version.directory.version != 0 && version.directory.buckets != 0);
}

static void check_entry(const struct directory_line *line, const char *domain)
{
    struct person_row row;
    char groups[PERSON_GROUPS_MAX + 1];
    const char *at = strrchr(line->address, '@');

    assert(at != NULL && strcmp(at + 1, domain) == 0);
    assert(text_is_clean(line->address, strlen(line->address), PERSON_ADDRESS_MAX));
    assert(person_row_read(line->value, strlen(line->value), &row, groups));
}

static void read_document(const char *bytes, size_t size)
{
    static unsigned char memory[1 << 16];
    struct directory_lines lines = {.at = bytes, .left = size};
    char domain[MAIL_DOMAIN_MAX + 1];
    struct directory_line line;
    struct arena arena;

    do {
        arena_init(&arena, memory, sizeof(memory));
        directory_line_next(&lines, &arena, &line);
        if (line.kind == DIRECTORY_BAD)
            assert(line.why != NULL && line.why[0] != '\0');
        if (line.kind == DIRECTORY_ENTRY)
            check_entry(&line, domain);
        if (line.kind == DIRECTORY_PART) {
            assert(strlen(line.domain) < sizeof(domain));
            memcpy(domain, line.domain, strlen(line.domain) + 1);
            lines.domain = domain;
        }
    } while (line.kind != DIRECTORY_END);
    assert(lines.left == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char *newline = NULL;

    memcpy(text, data, size);
    text[size] = '\0';
    newline = memchr(text, '\n', size);
    read_document(text, size);
    if (newline != NULL) {
        *newline = '\0';
        read_stored(text, newline + 1);
    }
    free(text);
    return 0;
}
