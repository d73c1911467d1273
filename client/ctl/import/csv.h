// csv.h: a line of comma-separated values (RFC 4180), as spreadsheets write them. Pure. A field with quotes may hold
// separators and, doubled, quotes, but no end of line.
#pragma once

#include <stddef.h>

// csv_begin: a file's first line without the mark that some programs put in front of UTF-8.
char *csv_begin(char *line);

// csv_separator: what parts the fields of that line: a comma, or where there is none a semicolon or a tab.
char csv_separator(const char *line);

// csv_split: cuts the line into fields, without their quotes and without blanks around what has none; the first max of
// them are at field. Returns how many there are (1 for an empty line), or 0 where a quote is not closed, or something
// stands behind one that is.
size_t csv_split(char *line, char separator, char **field, size_t max);
