// sqlgrey.c: `reevectl import sqlgrey`: its SQLite file, or a table of another engine dumped
// with a line of titles (psql --csv, mysql -B). All that passed there is known without a recipient,
// so it becomes policies.
//
// Promises: the file is opened read-only, and a running sqlgrey goes on.
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "client/ctl/import/import.h"
#include "client/ctl/import/lines.h"
#include "client/ctl/import/sqlgrey_row.h"

enum { BUSY_MS = 5000, FIELDS_MAX = 16, EXAMPLE_BYTES = 128 };

static const char *or_nothing(const char *text)
{
    return text == NULL ? "" : text;
}

static void take_row(struct import *import, const struct sqlgrey_row *row)
{
    struct sqlgrey_known known;
    char example[EXAMPLE_BYTES];

    import->read++;
    (void)snprintf(example, sizeof(example), "%s %s@%s", or_nothing(row->src),
                   or_nothing(row->sender_name), or_nothing(row->sender_domain));
    switch (sqlgrey_read(row, &known)) {
    case SQLGREY_KNOWN:
        import_exempt(import, &(struct import_exemption){known.from, known.source, known.last_ms});
        return;
    case SQLGREY_PENDING:
        import_leave(import, IMPORT_PENDING, example);
        return;
    case SQLGREY_FOLDED:
        import_leave(import, IMPORT_FOLDED, example);
        return;
    case SQLGREY_UNREADABLE:
        import_leave(import, IMPORT_UNREADABLE, example);
        return;
    }
}

// ---- columns, by their titles

// set_column: the field of a row that a title names.
static void set_column(struct sqlgrey_row *row, const char *title, const char *value)
{
    if (strcmp(title, "sender_name") == 0)
        row->sender_name = value;
    else if (strcmp(title, "sender_domain") == 0)
        row->sender_domain = value;
    else if (strcmp(title, "src") == 0)
        row->src = value;
    else if (strcmp(title, "rcpt") == 0)
        row->rcpt = value;
    else if (strcmp(title, "last_seen") == 0)
        row->last_seen = value;
}

// ---- SQLite

static int read_table(struct import *import, sqlite3 *db, const char *table)
{
    char query[64];
    sqlite3_stmt *rows = NULL;
    int said;

    (void)snprintf(query, sizeof(query), "SELECT * FROM %s", table);
    said = sqlite3_prepare_v2(db, query, -1, &rows, NULL);
    while (said == SQLITE_OK || said == SQLITE_ROW) {
        struct sqlgrey_row row = {.src = NULL};

        said = sqlite3_step(rows);
        for (int i = 0; said == SQLITE_ROW && i < sqlite3_column_count(rows); i++)
            set_column(&row, sqlite3_column_name(rows, i),
                       or_nothing((const char *)sqlite3_column_text(rows, i)));
        if (said == SQLITE_ROW)
            take_row(import, &row);
        if (!import_goes_on(import, 0, 0))
            said = SQLITE_DONE;
    }
    (void)sqlite3_finalize(rows);
    return said == SQLITE_DONE ? CTL_FINE
                               : import_fail(import, "table %s: %s; is it sqlgrey's database?",
                                             table, sqlite3_errmsg(db));
}

static int read_database(struct import *import, const char *path)
{
    static const char *const tables[] = {"from_awl", "domain_awl", "connect"};
    sqlite3 *db = NULL;
    int code = CTL_FINE;

    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        code = import_fail(import, "%s: %s", path, sqlite3_errmsg(db));
    (void)sqlite3_busy_timeout(db, BUSY_MS);
    for (size_t i = 0; i < 3 && code == CTL_FINE; i++)
        code = read_table(import, db, tables[i]);
    (void)sqlite3_close(db);
    return code;
}

// ---- dumps

static int read_dump(struct import *import, struct lines *lines, char *titles)
{
    char separator = strchr(titles, '\t') != NULL ? '\t' : ',';
    char head[1024];
    char *title[FIELDS_MAX], *field[FIELDS_MAX];
    size_t columns, count, len;
    struct sqlgrey_row has = {.src = NULL};
    char *line = NULL;

    (void)snprintf(head, sizeof(head), "%s", titles);
    columns = sqlgrey_split(head, separator, title, FIELDS_MAX);
    for (size_t i = 0; i < columns; i++)
        set_column(&has, title[i], "");
    if (has.src == NULL || has.sender_domain == NULL)
        return import_fail(import,
                           "neither an SQLite database nor a dump of from_awl or domain_awl "
                           "with a line of titles (psql --csv, mysql -B)");
    while (lines_next(lines, &line, &len) &&
           import_goes_on(import, lines_done(lines), lines_size(lines))) {
        struct sqlgrey_row row = {.src = NULL};

        line[strcspn(line, "\r")] = '\0';
        count = sqlgrey_split(line, separator, field, FIELDS_MAX);
        for (size_t i = 0; i < count && i < columns; i++)
            set_column(&row, title[i], field[i]);
        take_row(import, &row);
    }
    return CTL_FINE;
}

int import_sqlgrey(struct import *import, char **sources, int count)
{
    struct lines *lines = NULL;
    struct err_detail detail = {""};
    char *line = NULL;
    size_t len = 0;
    int code;

    (void)count; // one, as the command says
    if (lines_open(&lines, sources[0], &detail) != ERR_NONE)
        return import_fail(import, "%s", detail.text);
    if (!lines_next(lines, &line, &len))
        code = import_fail(import, "%s is empty", sources[0]);
    else if (strncmp(line, "SQLite format 3", strlen("SQLite format 3")) == 0)
        code = read_database(import, sources[0]);
    else {
        line[strcspn(line, "\r")] = '\0';
        code = read_dump(import, lines, line);
    }
    lines_close(&lines);
    return code;
}
