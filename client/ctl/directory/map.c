// map.c: see map.h. Promises: any line is read to its end and nothing beyond it.
#include "client/ctl/directory/map.h"

#include <string.h>

static const char blanks[] = " \t\r";

// Blanks inside of quotes belong to the key.
static char *end_of_key(char *key)
{
    bool is_quoted = false;

    for (; *key != '\0' && (is_quoted || strchr(blanks, *key) == NULL); key++) {
        if (*key == '\\' && is_quoted && key[1] != '\0')
            key++;
        else
            is_quoted ^= *key == '"';
    }
    return key;
}

enum map_kind map_read(char *line, struct map_line *out)
{
    char *key = line + strspn(line, blanks);
    char *end = end_of_key(key);
    char *value = end + strspn(end, blanks);
    char *last = value + strlen(value);

    if (*key == '\0' || *key == '#')
        return MAP_NONE;
    while (last > value && strchr(blanks, last[-1]) != NULL)
        *--last = '\0';
    *end = '\0';
    *out = (struct map_line){key, value};
    if (*key == '/' || *key == '!' || strcmp(key, "if") == 0 || strcmp(key, "endif") == 0)
        return MAP_PATTERN;
    if (*key == '@')
        return MAP_CATCHALL;
    if (strchr(key, '@') == NULL && strchr(key, '.') != NULL && strchr(value, '@') == NULL)
        return MAP_DOMAIN;
    return MAP_ENTRY;
}

const char *map_target(const char *value)
{
    const char *at = strchr(value, '@');

    return at != NULL && strpbrk(value, " \t,|/:\"\\") == NULL ? value : NULL;
}
