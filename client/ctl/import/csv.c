// csv.c: see csv.h. Promises: any line is split in place, within its own bytes.
#include "client/ctl/import/csv.h"

#include <stdbool.h>
#include <string.h>

char *csv_begin(char *line)
{
    static const char mark[] = "\xEF\xBB\xBF";

    return strncmp(line, mark, strlen(mark)) == 0 ? line + strlen(mark) : line;
}

char csv_separator(const char *line)
{
    if (strchr(line, ',') != NULL)
        return ',';
    if (strchr(line, ';') != NULL)
        return ';';
    return strchr(line, '\t') != NULL ? '\t' : ',';
}

static bool is_blank(char c, char separator)
{
    return c != separator && c != '\0' && strchr(" \t\r", c) != NULL;
}

// take_quoted: line stands behind the opening quote; *end is behind the closing one and the blanks after it. False: there is
// none, or something else follows.
static bool take_quoted(char *line, char separator, char **end)
{
    char *out = line;

    for (; *line != '\0' && (*line != '"' || line[1] == '"'); line++) {
        line += *line == '"';
        *out++ = *line;
    }
    if (*line == '\0')
        return false;
    line++;
    while (is_blank(*line, separator))
        line++;
    *end = line;
    *out = '\0'; // the closing quote, or before it
    return *line == '\0' || *line == separator;
}

static void take_plain(char *line, char separator, char **end)
{
    char *last = line;

    for (; *line != '\0' && *line != separator; line++)
        if (!is_blank(*line, separator))
            last = line + 1;
    *end = line;
    if (last < line)
        *last = '\0';
}

size_t csv_split(char *line, char separator, char **field, size_t max)
{
    size_t count = 0;

    for (;;) {
        char *end = NULL;
        char *text;

        while (is_blank(*line, separator))
            line++;
        text = *line == '"' ? line + 1 : line;
        if (*line != '"')
            take_plain(line, separator, &end);
        else if (!take_quoted(text, separator, &end))
            return 0;
        if (count < max)
            field[count] = text;
        count++;
        if (*end == '\0')
            return count;
        *end = '\0';
        line = end + 1;
    }
}
