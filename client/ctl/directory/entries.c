// entries.c: see entries.h. Promises: memory stays within a few MiB whatever comes; the temporary file is gone when the
// program is, however it ends.
#include "client/ctl/directory/entries.h"

#include <sqlite3.h>
#include <stdio.h>

#include "proto/base/mem.h"

struct entries {
    sqlite3 *db;
    sqlite3_stmt *add, *domains, *next;
};

// "" is SQLite's name for a private file that is deleted at once. No journal: nobody reads a half.
static const char SETUP[] =
    "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16384;"
    "PRAGMA locking_mode=EXCLUSIVE;"
    "CREATE TABLE entry(domain TEXT, address TEXT, state TEXT, mailbox TEXT, groups TEXT,"
    " own INTEGER, PRIMARY KEY(domain, address)) WITHOUT ROWID;"
    "BEGIN";
static const char ADD[] =
    "INSERT INTO entry VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET"
    " state = excluded.state, mailbox = excluded.mailbox, groups = excluded.groups,"
    " own = excluded.own WHERE excluded.own >= own";
static const char COUNT[] = "SELECT count(*) FROM entry";
static const char DOMAINS[] = "SELECT domain, count(*) FROM entry GROUP BY domain ORDER BY domain";
static const char NEXT[] =
    "SELECT domain, address, state, mailbox, groups, own FROM entry ORDER BY domain, address";
static const char DANGLING[] =
    "SELECT count(*), min(address) FROM entry AS alias WHERE mailbox LIKE '%@' || domain"
    " AND NOT EXISTS (SELECT 1 FROM entry WHERE domain = alias.domain AND address = alias.mailbox)";

struct entries *entries_new(const char **why)
{
    struct entries *entries = mem_new(sizeof(*entries));

    if (sqlite3_open("", &entries->db) == SQLITE_OK &&
        sqlite3_exec(entries->db, SETUP, NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(entries->db, ADD, -1, &entries->add, NULL) == SQLITE_OK)
        return entries;
    *why = sqlite3_errstr(sqlite3_errcode(entries->db));
    entries_free(&entries);
    return NULL;
}

void entries_free(struct entries **entries)
{
    if (*entries == NULL)
        return;
    (void)sqlite3_finalize((*entries)->add);
    (void)sqlite3_finalize((*entries)->domains);
    (void)sqlite3_finalize((*entries)->next);
    (void)sqlite3_close((*entries)->db);
    mem_free(*entries);
    *entries = NULL;
}

bool entries_add(struct entries *entries, const struct entry *entry)
{
    const char *const text[] = {entry->domain, entry->address, entry->state, entry->mailbox,
                                entry->groups};
    bool is_done = true;

    for (int i = 0; i < 5; i++)
        is_done &= sqlite3_bind_text(entries->add, i + 1, text[i], -1, SQLITE_STATIC) == SQLITE_OK;
    is_done &= sqlite3_bind_int(entries->add, 6, !entry->is_alias) == SQLITE_OK;
    is_done = is_done && sqlite3_step(entries->add) == SQLITE_DONE;
    (void)sqlite3_reset(entries->add);
    return is_done;
}

// number_of: the first column of a question's one row; its second into example (NULL = none).
static uint64_t number_of(struct entries *entries, const char *question, char *example, size_t size)
{
    sqlite3_stmt *statement = NULL;
    uint64_t number = 0;

    if (sqlite3_prepare_v2(entries->db, question, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        number = (uint64_t)sqlite3_column_int64(statement, 0);
        if (number > 0 && example != NULL)
            (void)snprintf(example, size, "%s", (const char *)sqlite3_column_text(statement, 1));
    }
    (void)sqlite3_finalize(statement);
    return number;
}

uint64_t entries_count(struct entries *entries)
{
    return number_of(entries, COUNT, NULL, 0);
}

uint64_t entries_dangling(struct entries *entries, char *example, size_t size)
{
    return number_of(entries, DANGLING, example, size);
}

static bool step(struct entries *entries, sqlite3_stmt **statement, const char *question)
{
    if (*statement == NULL &&
        sqlite3_prepare_v2(entries->db, question, -1, statement, NULL) != SQLITE_OK)
        return false;
    if (sqlite3_step(*statement) == SQLITE_ROW)
        return true;
    (void)sqlite3_finalize(*statement); // the next call begins again
    *statement = NULL;
    return false;
}

bool entries_domain_next(struct entries *entries, const char **domain, uint64_t *count)
{
    if (!step(entries, &entries->domains, DOMAINS))
        return false;
    *domain = (const char *)sqlite3_column_text(entries->domains, 0);
    *count = (uint64_t)sqlite3_column_int64(entries->domains, 1);
    return *domain != NULL;
}

bool entries_next(struct entries *entries, struct entry *out)
{
    if (!step(entries, &entries->next, NEXT))
        return false;
    *out = (struct entry){
        .domain = (const char *)sqlite3_column_text(entries->next, 0),
        .address = (const char *)sqlite3_column_text(entries->next, 1),
        .state = (const char *)sqlite3_column_text(entries->next, 2),
        .mailbox = (const char *)sqlite3_column_text(entries->next, 3),
        .groups = (const char *)sqlite3_column_text(entries->next, 4),
        .is_alias = sqlite3_column_int(entries->next, 5) == 0,
    };
    return out->domain != NULL && out->address != NULL && out->state != NULL &&
           out->mailbox != NULL && out->groups != NULL;
}
