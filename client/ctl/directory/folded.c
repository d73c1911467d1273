// folded.c: see folded.h. Promises: memory for two lines, however long they are.
#include "client/ctl/directory/folded.h"

#include <string.h>

#include "proto/base/mem.h"

struct folded {
    struct lines *lines;
    bool drops_blank;
    bool is_ahead; // next holds a line that was read
    uint64_t read; // lines
    char line[LINES_MAX + 1], next[LINES_MAX + 1];
};

struct folded *folded_new(struct lines *lines, bool drops_blank)
{
    struct folded *folded = mem_new(sizeof(*folded));

    folded->lines = lines;
    folded->drops_blank = drops_blank;
    return folded;
}

void folded_free(struct folded **folded)
{
    if (*folded == NULL)
        return;
    lines_close(&(*folded)->lines);
    mem_free(*folded);
    *folded = NULL;
}

// peek: the next physical line, without a carriage return; NULL at the end.
static const char *peek(struct folded *folded)
{
    char *line = NULL;
    size_t len = 0;

    if (folded->is_ahead)
        return folded->next;
    if (!lines_next(folded->lines, &line, &len))
        return NULL;
    if (len > 0 && line[len - 1] == '\r')
        len--;
    memcpy(folded->next, line, len);
    folded->next[len] = '\0';
    folded->is_ahead = true;
    folded->read++;
    return folded->next;
}

bool folded_next(struct folded *folded, char **line, uint64_t *number)
{
    const char *next = peek(folded);
    size_t len = 0;

    if (next == NULL)
        return false;
    *number = folded->read;
    do {
        const size_t skip = len > 0 && folded->drops_blank ? 1 : 0;
        size_t more = strlen(next) - skip;

        if (len + more > LINES_MAX)
            more = LINES_MAX - len;
        memcpy(folded->line + len, next + skip, more);
        len += more;
        folded->is_ahead = false;
        if (len == 0)
            break; // an empty line is whole
        next = peek(folded);
    } while (next != NULL && (next[0] == ' ' || next[0] == '\t'));
    folded->line[len] = '\0';
    *line = folded->line;
    return true;
}
