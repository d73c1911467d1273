// geo.c: databases of countries and of ASs, read with libmaxminddb. Promises: whatever a file holds, an address has a
// country and an AS or has none; a file that changes while it is used changes nothing, because a copy of it is (watched.h).
//
// libmaxminddb maps a file that it opens by name, so it gets the name of the copy: /proc/self/fd/<n>.
#include "node/geo.h"

#include <ctype.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "node/geo_walk.h"
#include "node/watched.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

enum {
    EVERY_MS = 1000,
    CHECK_NODES = 4096, // of the tree that are looked at before it is taken
    CHECK_DEPTH = 129,
    PATH_KEYS = 3,
};
#define BYTES_MAX (1ULL << 30)

// What a record says. Zeroed: nothing.
struct found {
    char country[GEO_COUNTRY_MAX];
    uint32_t asn;
};

// A database of one kind.
struct base {
    const struct kind *kind;
    struct geo_counters counters;
    const char *path;
    struct watched *file; // NULL = there is none
    bool is_open;
    MMDB_s db;
};

struct geo {
    struct base base[GEO_KINDS];
};

// ---- what a value says

static bool read_country(const MMDB_entry_data_s *data, struct found *out)
{
    if (data->type != MMDB_DATA_TYPE_UTF8_STRING || data->data_size != 2 ||
        !isalpha((unsigned char)data->utf8_string[0]) ||
        !isalpha((unsigned char)data->utf8_string[1]))
        return false;
    out->country[0] = (char)toupper((unsigned char)data->utf8_string[0]);
    out->country[1] = (char)toupper((unsigned char)data->utf8_string[1]);
    out->country[2] = '\0';
    return true;
}

// read_digits: "AS64500" or "64500"; 0 where it is neither.
static uint64_t read_digits(const char *text, size_t len)
{
    size_t at =
        len > 2 && (text[0] == 'A' || text[0] == 'a') && (text[1] == 'S' || text[1] == 's') ? 2 : 0;
    uint64_t number = 0;

    for (; at < len; at++) {
        if (!isdigit((unsigned char)text[at]) || number > UINT32_MAX)
            return 0;
        number = number * 10 + (uint64_t)(text[at] - '0');
    }
    return number;
}

static uint64_t read_number(const MMDB_entry_data_s *data)
{
    if (data->type == MMDB_DATA_TYPE_UINT32)
        return data->uint32;
    if (data->type == MMDB_DATA_TYPE_UINT16)
        return data->uint16;
    if (data->type == MMDB_DATA_TYPE_UINT64)
        return data->uint64;
    if (data->type == MMDB_DATA_TYPE_INT32)
        return data->int32 > 0 ? (uint64_t)data->int32 : 0;
    if (data->type == MMDB_DATA_TYPE_UTF8_STRING)
        return read_digits(data->utf8_string, data->data_size);
    return 0;
}

static bool read_asn(const MMDB_entry_data_s *data, struct found *out)
{
    enum { AS_TRANS = 23456 }; // stands in for a number of 32 bits in messages that have but 16
    const uint64_t number = read_number(data);

    if (number == 0 || number >= UINT32_MAX || number == AS_TRANS)
        return false;
    out->asn = (uint32_t)number;
    return true;
}

// ---- where a record says it

// The keys of the databases of the world: MaxMind's and DB-IP's, those made of allocations or of routing tables, and IPinfo's.
static const char *const COUNTRY_AT[][PATH_KEYS] = {
    {"country", "iso_code"}, {"country_code"}, {"country"}, {NULL}};
static const char *const ASN_AT[][PATH_KEYS] = {
    {"autonomous_system_number"}, {"asn"}, {"traits", "autonomous_system_number"}, {NULL}};

static const struct kind {
    const char *fault; // said of a database that has nothing of the kind
    const char *loaded;
    const char *lost;
    const char *const (*at)[PATH_KEYS]; // an empty one ends them
    bool (*read)(const MMDB_entry_data_s *data, struct found *out);
} KINDS[GEO_KINDS] = {
    [GEO_COUNTRY] = {"it is a database of something else: no record names a country",
                     "countries are known", "no country is known until geo.country is another file",
                     COUNTRY_AT, read_country},
    [GEO_ASN] = {"it is a database of something else: no record names an AS", "ASs are known",
                 "no AS is known until geo.asn is another file", ASN_AT, read_asn},
};

// read_record: an error of the library's, and nothing where the record does not say. *says: it does.
static int read_record(const struct kind *kind, const MMDB_entry_s *entry, struct found *out,
                       bool *says)
{
    *says = false;
    if (!geo_walk_record(entry))
        return MMDB_INVALID_DATA_ERROR;
    for (size_t i = 0; kind->at[i][0] != NULL; i++) {
        MMDB_entry_s start = *entry;
        MMDB_entry_data_s data = {.has_data = false};
        int error = MMDB_aget_value(&start, &data, kind->at[i]);

        if (error == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR)
            continue;
        if (error != MMDB_SUCCESS)
            return error;
        if (!data.has_data || !kind->read(&data, out))
            continue;
        *says = true;
        return MMDB_SUCCESS;
    }
    return MMDB_SUCCESS;
}

// ---- is it one of its kind?

struct check {
    const struct kind *kind;
    uint64_t node[CHECK_DEPTH];
    unsigned count;
    bool says;
    int error;
};

static void look_at_record(struct check *check, uint64_t record, uint8_t type,
                           const MMDB_entry_s *entry)
{
    struct found found;

    if (type == MMDB_RECORD_TYPE_SEARCH_NODE && check->count < CHECK_DEPTH)
        check->node[check->count++] = record;
    else if (type == MMDB_RECORD_TYPE_INVALID)
        check->error = MMDB_CORRUPT_SEARCH_TREE_ERROR;
    else if (type == MMDB_RECORD_TYPE_DATA)
        check->error = read_record(check->kind, entry, &found, &check->says);
}

// The first records of the tree are read, until one says what they are for. Returns what is wrong, or NULL.
static const char *find_fault(const struct kind *kind, const MMDB_s *db)
{
    struct check check = {.kind = kind, .count = 1};

    for (unsigned i = 0; i < CHECK_NODES && check.count > 0 && !check.says; i++) {
        MMDB_search_node_s node;

        check.error = MMDB_read_node(db, (uint32_t)check.node[--check.count], &node);
        if (check.error == MMDB_SUCCESS)
            look_at_record(&check, node.right_record, node.right_record_type,
                           &node.right_record_entry);
        if (check.error == MMDB_SUCCESS && !check.says)
            look_at_record(&check, node.left_record, node.left_record_type,
                           &node.left_record_entry);
        if (check.error != MMDB_SUCCESS)
            return MMDB_strerror(check.error);
    }
    return check.says ? NULL : kind->fault;
}

// ---- the files

static void close_db(struct base *base)
{
    if (base->is_open)
        MMDB_close(&base->db);
    base->is_open = false;
}

static void lost(void *arg, const char *why)
{
    struct base *base = arg;
    char path[LOG_QUOTE_MAX];

    close_db(base);
    base->counters.errors++;
    log_warn("%s path=%s why=%s", base->kind->lost, log_quote(path, base->path), why);
}

static void came(void *arg, int fd)
{
    struct base *base = arg;
    char name[64];
    char path[LOG_QUOTE_MAX];
    const char *fault = NULL;
    MMDB_s db;

    if (!geo_walk_metadata(fd)) {
        lost(base, "it is no MaxMind DB, or not all of one");
        return;
    }
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    int error = MMDB_open(name, MMDB_MODE_MMAP, &db);

    if (error != MMDB_SUCCESS) {
        lost(base, MMDB_strerror(error));
        return;
    }
    fault = find_fault(base->kind, &db);
    if (fault != NULL) {
        MMDB_close(&db);
        lost(base, fault);
        return;
    }
    close_db(base);
    base->db = db;
    base->is_open = true;
    base->counters.loads++;
    log_info("%s path=%s type=%.64s built=%llu", base->kind->loaded, log_quote(path, base->path),
             db.metadata.database_type != NULL ? db.metadata.database_type : "",
             (unsigned long long)db.metadata.build_epoch);
}

static void open_base(struct base *base, enum geo_kind kind, const struct geo_config *config)
{
    const struct watched_config file = {.loop = config->loop,
                                        .path = config->path[kind],
                                        .every_ms =
                                            config->every_ms != 0 ? config->every_ms : EVERY_MS,
                                        .bytes_max = BYTES_MAX,
                                        .came = came,
                                        .lost = lost,
                                        .arg = base};

    base->kind = &KINDS[kind];
    base->path = config->path[kind];
    if (base->path != NULL && base->path[0] != '\0')
        watched_new(&base->file, &file);
}

void geo_new(struct geo **out, const struct geo_config *config)
{
    struct geo *geo = mem_new(sizeof(*geo));

    for (int kind = 0; kind < GEO_KINDS; kind++)
        open_base(&geo->base[kind], (enum geo_kind)kind, config);
    *out = geo;
}

void geo_free(struct geo **geo)
{
    if (*geo == NULL)
        return;
    for (int kind = 0; kind < GEO_KINDS; kind++) {
        watched_free(&(*geo)->base[kind].file);
        close_db(&(*geo)->base[kind]);
    }
    mem_free(*geo);
    *geo = NULL;
}

// ---- asking

static MMDB_lookup_result_s find(const MMDB_s *db, const struct ip *ip, int *error)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (ip->family == 4) {
        memcpy(&v4.sin_addr, ip->bytes, sizeof(v4.sin_addr));
        return MMDB_lookup_sockaddr(db, (const struct sockaddr *)&v4, error);
    }
    memcpy(&v6.sin6_addr, ip->bytes, sizeof(v6.sin6_addr));
    return MMDB_lookup_sockaddr(db, (const struct sockaddr *)&v6, error);
}

static void look_up(struct geo *geo, enum geo_kind kind, const struct ip *ip, struct found *out)
{
    int error = MMDB_SUCCESS;
    bool says = false;

    *out = (struct found){.asn = 0};
    if (!geo_is_known(geo, kind) || ip->family == 0)
        return;
    struct base *base = &geo->base[kind];
    MMDB_lookup_result_s found = find(&base->db, ip, &error);

    if (error == MMDB_SUCCESS && found.found_entry)
        error = read_record(base->kind, &found.entry, out, &says);
    if (error != MMDB_SUCCESS && error != MMDB_IPV6_LOOKUP_IN_IPV4_DATABASE_ERROR)
        base->counters.errors++;
}

const char *geo_country(struct geo *geo, const struct ip *ip, char out[GEO_COUNTRY_MAX])
{
    struct found found;

    look_up(geo, GEO_COUNTRY, ip, &found);
    memcpy(out, found.country, GEO_COUNTRY_MAX);
    return out;
}

uint32_t geo_asn(struct geo *geo, const struct ip *ip)
{
    struct found found;

    look_up(geo, GEO_ASN, ip, &found);
    return found.asn;
}

bool geo_is_known(const struct geo *geo, enum geo_kind kind)
{
    return geo != NULL && geo->base[kind].is_open;
}

const struct geo_counters *geo_counters(const struct geo *geo, enum geo_kind kind)
{
    static const struct geo_counters none;

    return geo != NULL ? &geo->base[kind].counters : &none;
}
