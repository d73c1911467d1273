// geo.c: the database of countries, read with libmaxminddb. Promises: whatever the file holds, an address has a country
// or has none; a file that changes while it is used changes nothing, because a copy of it is (watched.h).
//
// libmaxminddb maps a file that it opens by name, so it gets the name of the copy: /proc/self/fd/<n>.
#include "node/geo.h"

#include <ctype.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "node/watched.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

enum {
    EVERY_MS = 1000,
    CHECK_NODES = 4096, // of the tree that are looked at before it is taken
    CHECK_DEPTH = 129,
    RECORD_DEPTH = 32, // maps of a record lie so deep inside of each other at most
    RECORD_VALUES = 4096,
    METADATA_BYTES = 128 << 10, // from the end of the file
};
#define BYTES_MAX (1ULL << 30)

struct geo {
    struct geo_counters counters;
    const char *path;
    struct watched *file;
    bool is_open;
    MMDB_s db;
};

// ---- is a record what a record is?

// The library skips what it was not asked for by calling itself for each map in a map: a broken file could take it so
// deep that the stack ends. So each record is walked before it is shown to it, within bounds. Its format:
// https://maxmind.github.io/MaxMind-DB/, "Output Data Section".
struct walk {
    const uint8_t *data;
    uint32_t size;
    unsigned values_left;
};

struct control {
    unsigned type;
    uint32_t size; // of a pointer: where it leads
};

// read_number: big endian, of so many bytes. False if they are not there.
static bool read_number(const struct walk *walk, uint32_t *at, unsigned bytes, uint32_t *out)
{
    if (walk->size - *at < bytes)
        return false;
    for (*out = 0; bytes > 0; bytes--)
        *out = *out << 8 | walk->data[(*at)++];
    return true;
}

static bool read_pointer(const struct walk *walk, uint32_t *at, unsigned control, uint32_t *out)
{
    static const uint32_t BASE[] = {0, 1U << 11, (1U << 19) + (1U << 11), 0};
    const unsigned length = control >> 3 & 3U;

    if (!read_number(walk, at, length + 1, out))
        return false;
    if (length < 3)
        *out += ((control & 7U) << (8 * (length + 1))) + BASE[length];
    return true;
}

static bool read_control(const struct walk *walk, uint32_t *at, struct control *out)
{
    static const uint32_t BASE[] = {29, 285, 65821};
    uint32_t control = 0;
    uint32_t extended = 0;

    if (!read_number(walk, at, 1, &control))
        return false;
    out->type = control >> 5;
    if (out->type == MMDB_DATA_TYPE_POINTER)
        return read_pointer(walk, at, control, &out->size);
    if (out->type == MMDB_DATA_TYPE_EXTENDED) {
        if (!read_number(walk, at, 1, &extended))
            return false;
        out->type = extended + 7;
    }
    out->size = control & 31U;
    if (out->size < BASE[0])
        return true;
    const unsigned more = out->size - BASE[0];

    if (!read_number(walk, at, more + 1, &out->size))
        return false;
    out->size += BASE[more];
    return true;
}

// is_tame: the value that begins at *at, which moves behind it, with all that it holds and points at.
static bool is_tame(struct walk *walk, uint32_t *at, unsigned depth)
{
    struct control control;

    if (depth == 0 || walk->values_left-- == 0 || *at > walk->size ||
        !read_control(walk, at, &control)) {
        walk->values_left = 0;
        return false;
    }
    if (control.type == MMDB_DATA_TYPE_POINTER)
        return is_tame(walk, &control.size, depth - 1);
    if (control.type == MMDB_DATA_TYPE_MAP || control.type == MMDB_DATA_TYPE_ARRAY) {
        const unsigned each = control.type == MMDB_DATA_TYPE_MAP ? 2 : 1;

        for (uint32_t i = 0; i < control.size; i++)
            for (unsigned k = 0; k < each; k++)
                if (!is_tame(walk, at, depth - 1))
                    return false;
        return true;
    }
    if (control.type == MMDB_DATA_TYPE_BOOLEAN)
        return true; // its size is its value
    if (walk->size - *at < control.size)
        return false;
    *at += control.size;
    return true;
}

static bool is_record(const MMDB_entry_s *entry)
{
    struct walk walk = {entry->mmdb->data_section, entry->mmdb->data_section_size, RECORD_VALUES};
    uint32_t at = entry->offset;

    return is_tame(&walk, &at, RECORD_DEPTH);
}

// The description of the database stands behind the last of these marks, near the end of the file, in the same format.
static bool has_metadata(int fd)
{
    static const char MARK[] = "\xab\xcd\xefMaxMind.com";
    enum { MARK_BYTES = sizeof(MARK) - 1 };
    const off_t end = lseek(fd, 0, SEEK_END);
    const off_t begin = end > METADATA_BYTES ? end - METADATA_BYTES : 0;
    uint8_t *bytes = mem_new(METADATA_BYTES);
    ssize_t got = pread(fd, bytes, METADATA_BYTES, begin);
    bool is_fine = false;

    for (ssize_t at = got - MARK_BYTES; at >= 0; at--) {
        if (memcmp(bytes + at, MARK, MARK_BYTES) != 0)
            continue;
        struct walk walk = {bytes + at + MARK_BYTES, (uint32_t)(got - at - MARK_BYTES),
                            RECORD_VALUES};
        uint32_t first = 0;

        is_fine = is_tame(&walk, &first, RECORD_DEPTH);
        break;
    }
    mem_free(bytes);
    return is_fine;
}

// ---- its country

// Where the databases of the world keep the country: MaxMind's and DB-IP's, and those made of allocations.
static const char *const PATHS[][3] = {
    {"country", "iso_code", NULL}, {"country_code", NULL}, {"country", NULL}};

static bool is_country(const MMDB_entry_data_s *found)
{
    return found->has_data && found->type == MMDB_DATA_TYPE_UTF8_STRING && found->data_size == 2 &&
           isalpha((unsigned char)found->utf8_string[0]) &&
           isalpha((unsigned char)found->utf8_string[1]);
}

// read_country: an error of the library's, and "" where the record names none.
static int read_country(const MMDB_entry_s *entry, char out[GEO_COUNTRY_MAX])
{
    out[0] = '\0';
    if (!is_record(entry))
        return MMDB_INVALID_DATA_ERROR;
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
        MMDB_entry_s start = *entry;
        MMDB_entry_data_s found = {.has_data = false};
        int error = MMDB_aget_value(&start, &found, PATHS[i]);

        if (error == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR)
            continue;
        if (error != MMDB_SUCCESS)
            return error;
        if (!is_country(&found))
            continue;
        out[0] = (char)toupper((unsigned char)found.utf8_string[0]);
        out[1] = (char)toupper((unsigned char)found.utf8_string[1]);
        out[2] = '\0';
        return MMDB_SUCCESS;
    }
    return MMDB_SUCCESS;
}

// ---- is it one of countries?

struct check {
    uint64_t node[CHECK_DEPTH];
    unsigned count;
    bool has_country;
    int error;
};

static void look_at_record(struct check *check, uint64_t record, uint8_t type,
                           const MMDB_entry_s *entry)
{
    char country[GEO_COUNTRY_MAX];

    if (type == MMDB_RECORD_TYPE_SEARCH_NODE && check->count < CHECK_DEPTH) {
        check->node[check->count++] = record;
    } else if (type == MMDB_RECORD_TYPE_INVALID) {
        check->error = MMDB_CORRUPT_SEARCH_TREE_ERROR;
    } else if (type == MMDB_RECORD_TYPE_DATA) {
        check->error = read_country(entry, country);
        check->has_country = country[0] != '\0';
    }
}

// The first records of the tree are read, until one names a country. Returns what is wrong, or NULL.
static const char *find_fault(const MMDB_s *db)
{
    struct check check = {.count = 1};

    for (unsigned i = 0; i < CHECK_NODES && check.count > 0 && !check.has_country; i++) {
        MMDB_search_node_s node;

        check.error = MMDB_read_node(db, (uint32_t)check.node[--check.count], &node);
        if (check.error == MMDB_SUCCESS)
            look_at_record(&check, node.right_record, node.right_record_type,
                           &node.right_record_entry);
        if (check.error == MMDB_SUCCESS && !check.has_country)
            look_at_record(&check, node.left_record, node.left_record_type,
                           &node.left_record_entry);
        if (check.error != MMDB_SUCCESS)
            return MMDB_strerror(check.error);
    }
    return check.has_country ? NULL
                             : "it is a database of something else: no record names a country";
}

// ---- the file

static void close_db(struct geo *geo)
{
    if (geo->is_open)
        MMDB_close(&geo->db);
    geo->is_open = false;
}

static void lost(void *arg, const char *why)
{
    struct geo *geo = arg;
    char path[LOG_QUOTE_MAX];

    close_db(geo);
    geo->counters.errors++;
    log_warn("no country is known until geo.country is another file path=%s why=%s",
             log_quote(path, geo->path), why);
}

static void came(void *arg, int fd)
{
    struct geo *geo = arg;
    char name[64];
    char path[LOG_QUOTE_MAX];
    const char *fault = NULL;
    MMDB_s db;

    if (!has_metadata(fd)) {
        lost(geo, "it is no MaxMind DB, or not all of one");
        return;
    }
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    int error = MMDB_open(name, MMDB_MODE_MMAP, &db);

    if (error != MMDB_SUCCESS) {
        lost(geo, MMDB_strerror(error));
        return;
    }
    fault = find_fault(&db);
    if (fault != NULL) {
        MMDB_close(&db);
        lost(geo, fault);
        return;
    }
    close_db(geo);
    geo->db = db;
    geo->is_open = true;
    geo->counters.loads++;
    log_info("countries are known path=%s type=%.64s built=%llu", log_quote(path, geo->path),
             db.metadata.database_type != NULL ? db.metadata.database_type : "",
             (unsigned long long)db.metadata.build_epoch);
}

void geo_new(struct geo **out, const struct geo_config *config)
{
    struct geo *geo = mem_new(sizeof(*geo));
    const struct watched_config file = {.loop = config->loop,
                                        .path = config->path,
                                        .every_ms =
                                            config->every_ms != 0 ? config->every_ms : EVERY_MS,
                                        .bytes_max = BYTES_MAX,
                                        .came = came,
                                        .lost = lost,
                                        .arg = geo};

    geo->path = config->path;
    watched_new(&geo->file, &file);
    *out = geo;
}

void geo_free(struct geo **geo)
{
    if (*geo == NULL)
        return;
    watched_free(&(*geo)->file);
    close_db(*geo);
    mem_free(*geo);
    *geo = NULL;
}

// ---- asking

static MMDB_lookup_result_s find(const struct geo *geo, const struct ip *ip, int *error)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (ip->family == 4) {
        memcpy(&v4.sin_addr, ip->bytes, sizeof(v4.sin_addr));
        return MMDB_lookup_sockaddr(&geo->db, (const struct sockaddr *)&v4, error);
    }
    memcpy(&v6.sin6_addr, ip->bytes, sizeof(v6.sin6_addr));
    return MMDB_lookup_sockaddr(&geo->db, (const struct sockaddr *)&v6, error);
}

const char *geo_country(struct geo *geo, const struct ip *ip, char out[GEO_COUNTRY_MAX])
{
    int error = MMDB_SUCCESS;

    out[0] = '\0';
    if (geo == NULL || !geo->is_open || ip->family == 0)
        return out;
    MMDB_lookup_result_s found = find(geo, ip, &error);

    if (error == MMDB_SUCCESS && found.found_entry)
        error = read_country(&found.entry, out);
    if (error != MMDB_SUCCESS && error != MMDB_IPV6_LOOKUP_IN_IPV4_DATABASE_ERROR)
        geo->counters.errors++;
    return out;
}

bool geo_is_known(const struct geo *geo)
{
    return geo != NULL && geo->is_open;
}

const struct geo_counters *geo_counters(const struct geo *geo)
{
    return &geo->counters;
}
