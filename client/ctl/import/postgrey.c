// postgrey.c: `reevectl import postgrey`: its Berkeley DB files.
//
// A running postgrey holds much of its database in memory and in the log files beside it. So all of it
// is copied, and what the logs say is done to the copy (Berkeley DB's "hot backup": databases first,
// logs second, catastrophic recovery): the copy is whole, and postgrey's own files are only read.
#include <db.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/ctl/import/import.h"
#include "client/ctl/import/postgrey_entry.h"
#include "proto/base/mem.h"

enum { PATH_BYTES = 4096, COPY_BYTES = 1 << 16 };

static const char TRIPLETS[] = "postgrey.db", CLIENTS[] = "postgrey_clients.db";

struct postgrey {
    struct import *import;
    const char *source; // postgrey's folder
    char copy[PATH_BYTES];
    bool has_logs;
};

// ---- the copy

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, bytes, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        bytes += put;
        len -= (size_t)put;
    }
    return true;
}

static bool copy_bytes(int from, int to)
{
    char *bytes = mem_new(COPY_BYTES);
    ssize_t got = 1;

    while (got > 0) {
        got = read(from, bytes, COPY_BYTES);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0 && !write_all(to, bytes, (size_t)got))
            got = -1;
    }
    mem_free(bytes);
    return got == 0;
}

static int copy_file(struct postgrey *postgrey, const char *name)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    int in, out, code = CTL_FINE;

    if (snprintf(from, sizeof(from), "%s/%s", postgrey->source, name) >= PATH_BYTES ||
        snprintf(to, sizeof(to), "%s/%s", postgrey->copy, name) >= PATH_BYTES)
        return import_fail(postgrey->import, "%s: too long a path", postgrey->source);
    in = open(from, O_RDONLY | O_CLOEXEC);
    out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (in < 0 || out < 0 || !copy_bytes(in, out))
        code =
            import_fail(postgrey->import, "copying %s to %s ($TMPDIR): %s%s", from, postgrey->copy,
                        strerror(errno), errno == EACCES ? " (be root, or the user postgrey)" : "");
    if (in >= 0)
        (void)close(in);
    if (out >= 0 && close(out) != 0 && code == CTL_FINE)
        code = import_fail(postgrey->import, "%s: %s", to, strerror(errno));
    return code;
}

static bool is_log(const char *name)
{
    return strncmp(name, "log.", 4) == 0 && strlen(name) == strlen("log.0000000001") &&
           strspn(name + 4, "0123456789") == 10;
}

static bool exists(const char *folder, const char *name)
{
    char path[PATH_BYTES];

    return snprintf(path, sizeof(path), "%s/%s", folder, name) < PATH_BYTES &&
           access(path, F_OK) == 0;
}

static int copy_logs(struct postgrey *postgrey)
{
    DIR *folder = opendir(postgrey->source);
    const struct dirent *entry;
    int code = CTL_FINE;

    if (folder == NULL)
        return import_fail(postgrey->import, "%s: %s", postgrey->source, strerror(errno));
    while (code == CTL_FINE && (entry = readdir(folder)) != NULL) {
        if (!is_log(entry->d_name))
            continue;
        postgrey->has_logs = true;
        code = copy_file(postgrey, entry->d_name);
    }
    (void)closedir(folder);
    return code;
}

static int copy_all(struct postgrey *postgrey)
{
    int code;

    if (!exists(postgrey->source, TRIPLETS))
        return import_fail(postgrey->import,
                           "%s/%s: %s. Name postgrey's folder (--dbdir, usually /var/lib/postgrey)",
                           postgrey->source, TRIPLETS, strerror(errno));
    code = copy_file(postgrey, TRIPLETS);
    if (code == CTL_FINE && exists(postgrey->source, CLIENTS))
        code = copy_file(postgrey, CLIENTS);
    return code == CTL_FINE ? copy_logs(postgrey) : code;
}

static void remove_copy(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;

    while (folder != NULL && (entry = readdir(folder)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder != NULL)
        (void)closedir(folder);
    (void)rmdir(path);
}

// ---- Berkeley DB

// recover: brings the copy up to its logs.
static int recover(struct postgrey *postgrey)
{
    DB_ENV *env = NULL;
    int err = postgrey->has_logs ? db_env_create(&env, 0) : 0;

    if (err == 0 && env != NULL) {
        env->set_errfile(env, NULL);
        err = env->open(env, postgrey->copy,
                        DB_CREATE | DB_PRIVATE | DB_RECOVER_FATAL | DB_INIT_TXN | DB_INIT_MPOOL |
                            DB_INIT_LOG,
                        0600);
    }
    if (env != NULL)
        (void)env->close(env, 0);
    return err == 0 ? CTL_FINE
                    : import_fail(postgrey->import,
                                  "%s: its logs do not fit the database: %s. Stop postgrey and try "
                                  "again",
                                  postgrey->source, db_strerror(err));
}

// verify: what is damaged is not read: the library would follow its pages anywhere.
static int verify(struct postgrey *postgrey, const char *path, const char *name)
{
    DB *db = NULL;
    int err = db_create(&db, NULL, 0);

    if (err == 0) {
        db->set_errfile(db, NULL);
        err = db->verify(db, path, NULL, NULL, 0); // ends the handle
    }
    return err == 0 ? CTL_FINE
                    : import_fail(postgrey->import,
                                  "%s/%s is no sound Berkeley DB file: %s (db_verify, db_recover)",
                                  postgrey->source, name, db_strerror(err));
}

static int read_records(struct postgrey *postgrey, DB *db,
                        void (*take)(struct import *import, struct postgrey_bytes key,
                                     struct postgrey_bytes value))
{
    struct import *import = postgrey->import;
    DBC *cursor = NULL;
    DBT key = {.flags = 0}, value = {.flags = 0};
    int err = db->cursor(db, NULL, &cursor, 0);

    while (err == 0 && import_goes_on(import, 0, 0)) {
        err = cursor->get(cursor, &key, &value, DB_NEXT);
        if (err != 0)
            break;
        import->read++;
        take(import, (struct postgrey_bytes){key.data, key.size},
             (struct postgrey_bytes){value.data, value.size});
    }
    if (cursor != NULL)
        (void)cursor->close(cursor);
    return err == 0 || err == DB_NOTFOUND
               ? CTL_FINE
               : import_fail(import, "%s: %s", postgrey->source, db_strerror(err));
}

static int read_database(struct postgrey *postgrey, const char *name,
                         void (*take)(struct import *import, struct postgrey_bytes key,
                                      struct postgrey_bytes value))
{
    char path[PATH_BYTES];
    DB *db = NULL;
    int code = CTL_FINE, err;

    if (!exists(postgrey->copy, name))
        return CTL_FINE;
    if (snprintf(path, sizeof(path), "%s/%s", postgrey->copy, name) >= PATH_BYTES)
        return import_fail(postgrey->import, "$TMPDIR is too long a path");
    code = verify(postgrey, path, name);
    if (code != CTL_FINE)
        return code;
    err = db_create(&db, NULL, 0);
    if (err == 0) {
        db->set_errfile(db, NULL);
        err = db->open(db, NULL, path, NULL, DB_UNKNOWN, DB_RDONLY, 0);
    }
    code = err == 0 && db != NULL ? read_records(postgrey, db, take)
                                  : import_fail(postgrey->import, "%s/%s: %s", postgrey->source,
                                                name, db_strerror(err));
    if (db != NULL)
        (void)db->close(db, DB_NOSYNC);
    return code;
}

// ---- records

static void leave(struct import *import, enum import_left why, struct postgrey_bytes key)
{
    char *text = mem_text_n(key.at, key.len < IMPORT_EXAMPLE_MAX ? key.len : IMPORT_EXAMPLE_MAX);

    import_leave(import, why, text);
    mem_free(text);
}

static void take_triplet(struct import *import, struct postgrey_bytes key,
                         struct postgrey_bytes value)
{
    struct postgrey_entry entry;
    enum postgrey_kind kind = postgrey_read(key, value, &entry);

    if (kind == POSTGREY_HASHED)
        leave(import, IMPORT_HASHED, key);
    else if (kind == POSTGREY_UNREADABLE)
        leave(import, IMPORT_UNREADABLE, key);
    else if (entry.last_s < entry.first_s + import->options.delay_s)
        leave(import, IMPORT_PENDING, key);
    else
        import_take(import, &(struct import_row){.at_ms = entry.last_s * 1000,
                                                 .client = entry.client,
                                                 .name = "",
                                                 .sender = entry.sender,
                                                 .recipient = entry.recipient});
}

static void take_client(struct import *import, struct postgrey_bytes key,
                        struct postgrey_bytes value)
{
    struct postgrey_entry entry;
    enum postgrey_kind kind = postgrey_read_client(key, value, &entry);

    if (kind == POSTGREY_HASHED)
        leave(import, IMPORT_HASHED, key);
    else if (kind == POSTGREY_UNREADABLE)
        leave(import, IMPORT_UNREADABLE, key);
    else if (entry.first_s < import->options.clients)
        leave(import, IMPORT_FEW, key);
    else
        import_exempt(import, &(struct import_exemption){"*", entry.client, entry.last_s * 1000});
}

int import_postgrey(struct import *import, char **sources, int count)
{
    const char *folder = getenv("TMPDIR");
    struct postgrey postgrey = {.import = import, .source = sources[0]};
    int code;

    (void)count; // one, as the command says
    (void)snprintf(postgrey.copy, sizeof(postgrey.copy), "%s/reevectl-XXXXXX",
                   folder != NULL && folder[0] != '\0' ? folder : "/tmp");
    if (mkdtemp(postgrey.copy) == NULL)
        return import_fail(import, "no temporary folder %s ($TMPDIR): %s", postgrey.copy,
                           strerror(errno));
    code = copy_all(&postgrey);
    if (code == CTL_FINE)
        code = recover(&postgrey);
    if (code == CTL_FINE)
        code = read_database(&postgrey, TRIPLETS, take_triplet);
    if (code == CTL_FINE)
        code = read_database(&postgrey, CLIENTS, take_client);
    remove_copy(postgrey.copy);
    return code;
}
