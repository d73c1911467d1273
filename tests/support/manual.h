// manual.h: holds a manual page against the settings that a program prints. Every `key: value #
// default: help` of the printed YAML must have an item `.It Ic section.key` with the help and, if
// it is the default, with `Default: value.`; and the page must have no item more. Include
// <cmocka.h> and what it needs first.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/mem.h"

static inline char *manual_read(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = mem_new(1U << 20);

    if (file == NULL)
        fail_msg("%s cannot be read: run the tests in the top folder", path);
    assert_true(fread(text, 1, (1U << 20) - 1, file) > 0);
    assert_int_equal(fclose(file), 0);
    return text;
}

// manual_item: a copy of one item's lines.
static inline char *manual_item(const char *page, const char *name)
{
    char *head = mem_format("\n.It Ic %s\n", name);
    const char *at = strstr(page, head);
    const char *end = at != NULL ? strstr(at + 1, "\n.It ") : NULL;
    const char *list_end = at != NULL ? strstr(at + 1, "\n.El") : NULL;

    if (at == NULL)
        fail_msg("the manual page has no item '%s'", name);
    mem_free(head);
    if (end == NULL || list_end < end)
        end = list_end;
    assert_non_null(end);
    return mem_text_n(at, (size_t)(end - at));
}

static inline void manual_check_item(const char *page, const char *name, const char *value,
                                     const char *comment)
{
    static const char mark[] = "default: ";
    char *item = manual_item(page, name);
    bool is_default = strncmp(comment, mark, sizeof(mark) - 1) == 0;
    const char *help = is_default ? comment + sizeof(mark) - 1 : comment;
    char *want = mem_format("\nDefault: %s.\n", value[0] != '\0' ? value : "empty");
    char *item_line = mem_format("%s\n", item);

    if (strstr(item, help + 1) == NULL) // it begins with a capital there
        fail_msg("item '%s' does not say: %s", name, help);
    if (is_default && strstr(item_line, want) == NULL)
        fail_msg("item '%s' does not say:%s", name, want);
    mem_free(item_line);
    mem_free(want);
    mem_free(item);
}

// manual_unquote: "x" and [..] as the page writes them.
static inline void manual_unquote(char *value)
{
    size_t len = strlen(value);

    if (len >= 2 && value[0] == '"') {
        memmove(value, value + 1, len - 2);
        value[len - 2] = '\0';
    } else if (strcmp(value, "[]") == 0) {
        value[0] = '\0';
    }
}

static inline size_t manual_count(const char *page)
{
    size_t count = 0;

    for (const char *at = page; (at = strstr(at, "\n.It Ic ")) != NULL; at++)
        count++;
    return count;
}

// manual_check: printed is changed. Returns how many settings it held against the page.
static inline size_t manual_check(const char *page, char *printed)
{
    char section[64] = "";
    size_t count = 0;
    char *rest = NULL;

    for (char *line = strtok_r(printed, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        size_t indent = strspn(line, " ");
        char *colon = strstr(line, ": ");
        char *hash = strstr(line, " # ");
        char *name;

        if (colon == NULL || hash == NULL) {
            line[strcspn(line, ":")] = '\0';
            (void)snprintf(section, sizeof(section), "%s", line + indent);
            continue;
        }
        *colon = *hash = '\0';
        name = indent > 0 && section[0] != '\0' ? mem_format("%s.%s", section, line + indent)
                                                : mem_text(line);
        manual_unquote(colon + 2);
        manual_check_item(page, name, colon + 2, hash + 3);
        mem_free(name);
        count++;
    }
    return count;
}
