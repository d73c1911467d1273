// gather.c: see gather.h. Promises: memory stays within a few MiB whatever comes; the
// temporary file is gone when the program is, however it ends.
#include "client/ctl/import/gather.h"

#include <sqlite3.h>

#include "proto/base/mem.h"

struct gather {
    sqlite3 *db;
    sqlite3_stmt *add, *next;
};

// "" is SQLite's name for a private file that is deleted at once. No journal: nobody reads a half.
static const char SETUP[] =
    "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16384;"
    "PRAGMA locking_mode=EXCLUSIVE;"
    "CREATE TABLE row(recipient TEXT, sender TEXT, client TEXT, name TEXT, at INTEGER,"
    " PRIMARY KEY(recipient, sender, client, name)) WITHOUT ROWID;"
    "BEGIN";
static const char ADD[] = "INSERT INTO row VALUES(?1, ?2, ?3, ?4, ?5)"
                          " ON CONFLICT DO UPDATE SET at = max(at, excluded.at)";
static const char NEXT[] = "SELECT recipient, sender, client, name, at FROM row ORDER BY at DESC";

struct gather *gather_new(const char **why)
{
    struct gather *gather = mem_new(sizeof(*gather));

    if (sqlite3_open("", &gather->db) == SQLITE_OK &&
        sqlite3_exec(gather->db, SETUP, NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(gather->db, ADD, -1, &gather->add, NULL) == SQLITE_OK)
        return gather;
    *why = sqlite3_errstr(sqlite3_errcode(gather->db));
    gather_free(&gather);
    return NULL;
}

void gather_free(struct gather **gather)
{
    if (*gather == NULL)
        return;
    (void)sqlite3_finalize((*gather)->add);
    (void)sqlite3_finalize((*gather)->next);
    (void)sqlite3_close((*gather)->db);
    mem_free(*gather);
    *gather = NULL;
}

bool gather_add(struct gather *gather, const struct import_row *row)
{
    const char *const text[] = {row->recipient, row->sender, row->client, row->name};
    bool is_done = true;

    for (int i = 0; i < 4; i++)
        is_done &= sqlite3_bind_text(gather->add, i + 1, text[i], -1, SQLITE_STATIC) == SQLITE_OK;
    is_done &= sqlite3_bind_int64(gather->add, 5, (sqlite3_int64)row->at_ms) == SQLITE_OK;
    is_done = is_done && sqlite3_step(gather->add) == SQLITE_DONE;
    (void)sqlite3_reset(gather->add);
    return is_done;
}

uint64_t gather_count(struct gather *gather)
{
    sqlite3_stmt *count = NULL;
    uint64_t rows = 0;

    if (sqlite3_prepare_v2(gather->db, "SELECT count(*) FROM row", -1, &count, NULL) == SQLITE_OK &&
        sqlite3_step(count) == SQLITE_ROW)
        rows = (uint64_t)sqlite3_column_int64(count, 0);
    (void)sqlite3_finalize(count);
    return rows;
}

bool gather_next(struct gather *gather, struct import_row *out)
{
    if (gather->next == NULL &&
        sqlite3_prepare_v2(gather->db, NEXT, -1, &gather->next, NULL) != SQLITE_OK)
        return false;
    if (sqlite3_step(gather->next) != SQLITE_ROW)
        return false;
    *out = (struct import_row){
        .recipient = (const char *)sqlite3_column_text(gather->next, 0),
        .sender = (const char *)sqlite3_column_text(gather->next, 1),
        .client = (const char *)sqlite3_column_text(gather->next, 2),
        .name = (const char *)sqlite3_column_text(gather->next, 3),
        .at_ms = (uint64_t)sqlite3_column_int64(gather->next, 4),
    };
    return out->recipient != NULL && out->sender != NULL && out->client != NULL &&
           out->name != NULL;
}
