// config.c: reeve.yaml -> struct config. The tables below make the defaults, the ranges, the checks
// and `reeved -T`; a unit test holds the manual page (reeve.yaml.5) against them. Whatever is wrong
// is ERR_CONFIG with file and line, and nothing is opened, resolved or created here.
#include "node/config.h"

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/dns.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "proto/ip.h"

enum {
    NODE_MAX = 64,         // MSG_GATEWAY_MAX: a name in replies and metrics
    SOCKET_PATH_MAX = 107, // sun_path without its terminator, unix(7)
    PATH_TEXT_MAX = 4095,
    POLICY_FILES_MAX = 64,
    DNS_SERVERS_MAX = 8,
};

// What config_load gives away, with what only this file needs.
struct loaded {
    struct config config; // first: config_free finds the rest by it
    int stats_addresses;  // index in address_words
    int store_mode;
    struct yaml *yaml;
    char *base;   // directory that relative paths start from, with its slash
    void **owned; // texts that were made here
    size_t owned_count;
};

// ---- The tables

static const char *const level_words[] = {
    [LOG_DEBUG_LEVEL] = "debug", [LOG_INFO_LEVEL] = "info",    [LOG_WARN_LEVEL] = "warn",
    [LOG_ERROR_LEVEL] = "error", [LOG_ERROR_LEVEL + 1] = NULL,
};
static const char *const address_words[] = {"hidden", "shown", NULL};
static const char *const mode_words[] = {
    [STORE_EMBEDDED] = "embedded", [STORE_SINGLE] = "single", [STORE_SINGLE + 1] = NULL};

#define AT(field) offsetof(struct loaded, field)

static const struct yaml_row root_rows[] = {
    {"node", YAML_IS_TEXT, AT(config.node), NULL, 0, NODE_MAX, NULL,
     "name in replies, logs and metrics; empty: the host's name"},
    {"state_dir", YAML_IS_TEXT, AT(config.state_dir), "/var/lib/reeve", 1, PATH_TEXT_MAX, NULL,
     "directory of the embedded store; one node alone may use it"},
    {"secret_file", YAML_IS_TEXT, AT(config.store.secret_file), NULL, 0, PATH_TEXT_MAX, NULL,
     "file with the cluster's secret; empty: the first node makes one and keeps it in the store"},
    {"policy", YAML_IS_TEXTS, AT(config.policy), NULL, 0, POLICY_FILES_MAX, NULL,
     "policy files, read as one set at start and on SIGHUP"},
    {"log", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "what is logged"},
    {"lookups", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "the door for gateways"},
    {"admin", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "the door for operators"},
    {"stats", YAML_IS_OTHER, 0, NULL, 0, 0, NULL,
     "the socket that publishes counters and decisions"},
    {"store", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "where triplets are kept"},
    {"geo", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "what is known of addresses"},
    {"ldap", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "how the node proves itself to directory servers"},
    {"dns", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "how DNS lists are asked"},
    {0},
};
static const struct yaml_row log_rows[] = {
    {"level", YAML_IS_WORD, AT(config.log_level), "info", 0, 0, level_words,
     "least level that is written"},
    {0},
};
static const struct yaml_row lookups_rows[] = {
    {"listen", YAML_IS_TEXT, AT(config.lookups_listen), "tcp://127.0.0.1:7170", 1, PATH_TEXT_MAX,
     NULL, "endpoint that gateways connect to"},
    {"budget", YAML_IS_DURATION, AT(config.lookups_budget_ms), "200ms", 10, 60000, NULL,
     "time for a request that names no budget of its own"},
    {"seats", YAML_IS_COUNT, AT(config.lookups_seats), "1024", 1, 65536, NULL,
     "requests under way at most; one more is answered \"overloaded\" at once"},
    {0},
};
static const struct yaml_row admin_rows[] = {
    {"listen", YAML_IS_TEXT, AT(config.admin_listen), "ipc:///run/reeve/admin.sock", 1,
     PATH_TEXT_MAX, NULL,
     "endpoint of reevectl; who can connect to it may change what is remembered"},
    {"mode", YAML_IS_TEXT, AT(config.admin_mode_text), "0660", 1, 8, NULL,
     "mode of its socket file: who may connect"},
    {"group", YAML_IS_TEXT, AT(config.admin_group_name), NULL, 0, 64, NULL,
     "group of its socket file; empty: the node's own"},
    {0},
};
static const struct yaml_row stats_rows[] = {
    {"listen", YAML_IS_TEXT, AT(config.stats_listen), "tcp://127.0.0.1:7171", 0, PATH_TEXT_MAX,
     NULL, "endpoint to subscribe to; empty: none"},
    {"addresses", YAML_IS_WORD, AT(stats_addresses), "hidden", 0, 0, address_words,
     "whether published decisions name senders and recipients"},
    {0},
};
static const struct yaml_row store_rows[] = {
    {"mode", YAML_IS_WORD, AT(store_mode), "embedded", 0, 0, mode_words,
     "embedded: a redis-server of the node's own; single: one that runs already"},
    {"address", YAML_IS_TEXT, AT(config.store.address), NULL, 0, PATH_TEXT_MAX, NULL,
     "single: unix:/path, or a numeric address and port"},
    {"user", YAML_IS_TEXT, AT(config.store.user), NULL, 0, 128, NULL,
     "single: ACL user; empty: the default user"},
    {"password_file", YAML_IS_TEXT, AT(config.store.password_file), NULL, 0, PATH_TEXT_MAX, NULL,
     "single: file whose first line is the password; empty: none"},
    {"buckets", YAML_IS_COUNT, AT(config.store.buckets), "65536", 1, 1U << 20, NULL,
     "hashes that triplets are spread over, a power of two; counts for a fresh store only"},
    {"deadline", YAML_IS_DURATION, AT(config.store.deadline_ms), "100ms", 1, 10000, NULL,
     "how long one operation may take before its facts count as unknown"},
    {"cache", YAML_IS_SIZE, AT(config.store.near_bytes), "8M", 0, 1ULL << 30, NULL,
     "memory for known senders that need not be asked for; 0: none"},
    {"redis_server", YAML_IS_TEXT, AT(config.store.redis_server), "redis-server", 1, PATH_TEXT_MAX,
     NULL, "embedded: the program to start; without a slash it is looked up in PATH"},
    {"memory", YAML_IS_SIZE, AT(config.store.embedded_bytes), "256M", 4ULL << 20, 1ULL << 40, NULL,
     "embedded: maxmemory of the server; when it is full, mail passes as degraded"},
    {0},
};

static const struct yaml_row geo_rows[] = {
    {"country", YAML_IS_TEXT, AT(config.geo_country), NULL, 0, PATH_TEXT_MAX, NULL,
     "database of countries in MaxMind's format; empty: no country is known"},
    {"asn", YAML_IS_TEXT, AT(config.geo_asn), NULL, 0, PATH_TEXT_MAX, NULL,
     "database of ASs in MaxMind's format; empty: no AS is known"},
    {0},
};

static const struct yaml_row ldap_rows[] = {
    {"password_file", YAML_IS_TEXT, AT(config.ldap.password_file), NULL, 0, PATH_TEXT_MAX, NULL,
     "file whose first line is the password of settings.ldap.bind_dn; empty: none"},
    {"ca_file", YAML_IS_TEXT, AT(config.ldap.ca_file), "/etc/ssl/certs/ca-certificates.crt", 1,
     PATH_TEXT_MAX, NULL, "certificates that a directory server's must be signed by"},
    {0},
};

static const struct yaml_row dns_rows[] = {
    {"servers", YAML_IS_TEXTS, AT(config.dns.servers), NULL, 0, DNS_SERVERS_MAX, NULL,
     "name servers to ask about DNS lists, ADDRESS:PORT; empty: those of the system"},
    {"timeout", YAML_IS_DURATION, AT(config.dns.timeout_ms), "2s", 100, 10000, NULL,
     "how long one of them is waited for before the next is asked"},
    {"cache", YAML_IS_COUNT, AT(config.dns.cache), "20000", 16, 1000000, NULL,
     "answers of lists that are kept"},
    {0},
};

static const struct section {
    const char *key; // "" = the root
    const struct yaml_row *rows;
} sections[] = {
    {"", root_rows},       {"log", log_rows},     {"lookups", lookups_rows},
    {"admin", admin_rows}, {"stats", stats_rows}, {"store", store_rows},
    {"geo", geo_rows},     {"ldap", ldap_rows},   {"dns", dns_rows},
};

// ---- Complaints

// complain: ERR_CONFIG about one key, with the line it stands in, or should stand in, or with the
// file alone when the default of a whole section is the trouble.
static enum err complain(const struct loaded *loaded, const char *section, const char *key,
                         struct err_detail *detail, const char *fmt, ...) PRINTF_LIKE(5, 6);

static enum err complain(const struct loaded *loaded, const char *section, const char *key,
                         struct err_detail *detail, const char *fmt, ...)
{
    const struct yaml_node *root = loaded->yaml != NULL ? yaml_root(loaded->yaml) : NULL;
    const struct yaml_node *where = section[0] != '\0' ? yaml_find(root, section) : root;
    const struct yaml_node *found = yaml_find(where, key);
    const struct yaml_node *node =
        found != NULL ? found : where; // a missing key: where it is missed
    const char *dot = section[0] != '\0' ? "." : "";
    char what[sizeof(detail->text)];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    if (node != NULL)
        return err_say(detail, ERR_CONFIG, "%s:%u: %s%s%s: %s", node->file, node->line, section,
                       dot, key, what);
    if (loaded->config.path != NULL)
        return err_say(detail, ERR_CONFIG, "%s: %s%s%s: %s", loaded->config.path, section, dot, key,
                       what);
    return err_say(detail, ERR_CONFIG, "%s%s%s: %s", section, dot, key, what);
}

// ---- Addresses and ports

// split_port: "host:port" or "[host]:port" -> host without brackets, in out, and what stands behind
// the last colon. NULL if there is no colon or the host does not fit.
static const char *split_port(const char *text, char out[IP_TEXT_MAX])
{
    const char *colon = strrchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;

    if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    } else if (memchr(text, ':', len) != NULL) {
        return NULL; // IPv6 without brackets
    }
    if (colon == NULL || len >= IP_TEXT_MAX)
        return NULL;
    memcpy(out, text, len);
    out[len] = '\0';
    return colon + 1;
}

static bool is_port(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= 5 && strspn(text, "0123456789") == len &&
           strtoul(text, NULL, 10) <= 65535;
}

// split_numeric: as split_port, and the host must be an IP address.
static bool split_numeric(const char *text, struct ip *ip, const char **port)
{
    char host[IP_TEXT_MAX];

    *port = split_port(text, host);
    return *port != NULL && ip_parse(host, ip);
}

static bool is_ipc(const char *endpoint)
{
    return strncmp(endpoint, "ipc://", 6) == 0;
}

static bool is_tcp(const char *endpoint)
{
    return strncmp(endpoint, "tcp://", 6) == 0;
}

static bool is_local(const char *endpoint)
{
    struct ip ip;
    const char *port = NULL;

    if (endpoint[0] == '\0' || is_ipc(endpoint))
        return true;
    return is_tcp(endpoint) && split_numeric(endpoint + 6, &ip, &port) && ip_is_loopback(&ip);
}

// has_free_port: ZeroMQ chooses one when it binds.
static bool has_free_port(const char *endpoint)
{
    const char *port = is_tcp(endpoint) ? strrchr(endpoint, ':') : NULL;

    return port != NULL && (strcmp(port, ":*") == 0 || strcmp(port, ":0") == 0);
}

// ---- Checks between values

static enum err check_listen(const struct loaded *loaded, const char *section, const char *endpoint,
                             struct err_detail *detail)
{
    struct ip ip;
    const char *port = NULL;

    if (is_ipc(endpoint)) {
        if (endpoint[6] != '/')
            return complain(loaded, section, "listen", detail,
                            "expected ipc:///path/of/a.sock, not '%s'", endpoint);
        if (strlen(endpoint + 6) > SOCKET_PATH_MAX)
            return complain(loaded, section, "listen", detail,
                            "the path of a socket may have %d bytes, '%s' has %zu", SOCKET_PATH_MAX,
                            endpoint + 6, strlen(endpoint + 6));
        return ERR_NONE;
    }
    if (!is_tcp(endpoint))
        return complain(loaded, section, "listen", detail,
                        "expected tcp://ADDRESS:PORT or ipc:///PATH, not '%s'", endpoint);
    if (!split_numeric(endpoint + 6, &ip, &port))
        return complain(loaded, section, "listen", detail,
                        "expected a numeric address like tcp://127.0.0.1:7170 or tcp://[::1]:7170, "
                        "not '%s' (looking up a name could"
                        " block the node; all addresses are 0.0.0.0 or [::])",
                        endpoint);
    if (strcmp(port, "*") != 0 && !is_port(port))
        return complain(loaded, section, "listen", detail,
                        "expected a port from 1 to 65535, or * for any free one, not '%s'", port);
    return ERR_NONE;
}

static enum err check_listeners(const struct loaded *loaded, struct err_detail *detail)
{
    const struct config *config = &loaded->config;
    const struct {
        const char *section;
        const char *endpoint;
    } doors[] = {{"lookups", config->lookups_listen},
                 {"admin", config->admin_listen},
                 {"stats", config->stats_listen}};
    enum err err = ERR_NONE;

    for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]) && err == ERR_NONE; i++) {
        if (doors[i].endpoint[0] != '\0')
            err = check_listen(loaded, doors[i].section, doors[i].endpoint, detail);
        for (size_t j = 0; j < i && err == ERR_NONE; j++) {
            if (strcmp(doors[i].endpoint, doors[j].endpoint) == 0 &&
                !has_free_port(doors[i].endpoint))
                err = complain(loaded, doors[i].section, "listen", detail,
                               "the same endpoint as %s.listen", doors[j].section);
        }
    }
    return err;
}

// take_mode: octal, read and write alone, and always for the owner.
static enum err take_mode(struct loaded *loaded, struct err_detail *detail)
{
    const char *text = loaded->config.admin_mode_text;
    unsigned long mode = strtoul(text, NULL, 8);

    if (strspn(text, "01234567") != strlen(text) || (mode & ~0666UL) != 0 || (mode & 0600) != 0600)
        return complain(loaded, "admin", "mode", detail,
                        "expected 0600 (the owner), 0660 (the group too) or 0666 (everybody), not "
                        "'%s'",
                        text);
    loaded->config.admin_mode = (unsigned)mode;
    return ERR_NONE;
}

static enum err take_group(struct loaded *loaded, struct err_detail *detail)
{
    const char *name = loaded->config.admin_group_name;
    const struct group *entry = name[0] == '\0' ? NULL : getgrnam(name);

    loaded->config.admin_group = entry == NULL ? CONFIG_NO_GROUP : (uint32_t)entry->gr_gid;
    if (entry == NULL && name[0] != '\0')
        return complain(loaded, "admin", "group", detail,
                        "there is no group '%s' on this host (groupadd --system %s makes it)", name,
                        name);
    if (name[0] != '\0' && !is_ipc(loaded->config.admin_listen))
        return complain(loaded, "admin", "group", detail,
                        "only a socket file has a group: admin.listen is %s",
                        loaded->config.admin_listen);
    return ERR_NONE;
}

static enum err check_single(const struct loaded *loaded, struct err_detail *detail)
{
    const char *address = loaded->config.store.address;
    struct ip ip;
    const char *port = NULL;

    if (address[0] == '\0')
        return complain(loaded, "store", "address", detail,
                        "required with mode single: unix:/run/redis/redis.sock, or 10.0.0.5:6379");
    if (strncmp(address, "unix:", 5) == 0) {
        if (address[5] == '\0')
            return complain(loaded, "store", "address", detail, "expected a path behind unix:");
        if (strlen(address + 5) > SOCKET_PATH_MAX)
            return complain(loaded, "store", "address", detail,
                            "the path of a socket may have %d bytes, '%s' has %zu", SOCKET_PATH_MAX,
                            address + 5, strlen(address + 5));
        return ERR_NONE;
    }
    if (!split_numeric(address, &ip, &port))
        return complain(loaded, "store", "address", detail,
                        "expected unix:/PATH, or a numeric address like 10.0.0.5:6379 or "
                        "[2001:db8::5]:6379, not '%s' (looking up"
                        " a name could block the node)",
                        address);
    if (!is_port(port) || strtoul(port, NULL, 10) == 0)
        return complain(loaded, "store", "address", detail,
                        "expected a port from 1 to 65535, not '%s'", port);
    return ERR_NONE;
}

static enum err check_embedded(const struct loaded *loaded, struct err_detail *detail)
{
    const struct store_config *store = &loaded->config.store;
    const struct {
        const char *key;
        const char *value;
    } foreign[] = {{"address", store->address},
                   {"user", store->user},
                   {"password_file", store->password_file}};
    size_t len = strlen(store->state_dir) + strlen("/redis.sock");

    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        if (foreign[i].value[0] != '\0')
            return complain(loaded, "store", foreign[i].key, detail,
                            "only for mode single; the embedded store runs in state_dir (write "
                            "mode: single, or leave it out)");
    }
    if (len > SOCKET_PATH_MAX)
        return complain(loaded, "", "state_dir", detail,
                        "too long: the path of a socket may have %d bytes, '%s/redis.sock' has %zu",
                        SOCKET_PATH_MAX, store->state_dir, len);
    return ERR_NONE;
}

static enum err check_store(const struct loaded *loaded, struct err_detail *detail)
{
    const struct config *config = &loaded->config;
    const struct store_config *store = &config->store;
    char deadline[24];
    char budget[24];

    if ((store->buckets & (store->buckets - 1)) != 0)
        return complain(loaded, "store", "buckets", detail,
                        "expected a power of two like 65536, not %llu",
                        (unsigned long long)store->buckets);
    if (store->deadline_ms > config->lookups_budget_ms)
        return complain(loaded, "store", "deadline", detail,
                        "%s is longer than lookups.budget (%s), so no answer would wait for it",
                        yaml_duration_format(store->deadline_ms, deadline),
                        yaml_duration_format(config->lookups_budget_ms, budget));
    return store->mode == STORE_SINGLE ? check_single(loaded, detail)
                                       : check_embedded(loaded, detail);
}

static enum err check_dns(const struct loaded *loaded, struct err_detail *detail)
{
    struct err_detail why = {""};
    const enum err err = dns_servers_check(&loaded->config.dns.servers, &why);

    return err == ERR_NONE ? err : complain(loaded, "dns", "servers", detail, "%s", why.text);
}

// ---- Texts that are made here

static void *keep(struct loaded *loaded, void *memory)
{
    loaded->owned = mem_grow(loaded->owned, loaded->owned_count + 1, sizeof(*loaded->owned));
    loaded->owned[loaded->owned_count++] = memory;
    return memory;
}

// from_base: a relative path behind a prefix such as "ipc://" becomes an absolute one. Names that
// are no paths stay: "" and abstract sockets ("@name", which check_listen refuses because nothing
// guards them).
static void from_base(struct loaded *loaded, const char **text, const char *prefix)
{
    size_t len = strlen(prefix);

    if (strncmp(*text, prefix, len) == 0 && strchr("/@", (*text)[len]) == NULL)
        *text = keep(loaded, mem_format("%s%s%s", prefix, loaded->base, *text + len));
}

static void resolve_paths(struct loaded *loaded)
{
    struct config *config = &loaded->config;
    const char **policy = keep(loaded, mem_new_array(config->policy.count, sizeof(*policy)));

    for (size_t i = 0; i < config->policy.count; i++) {
        policy[i] = config->policy.text[i];
        from_base(loaded, &policy[i], "");
    }
    config->policy.text = policy;
    from_base(loaded, &config->state_dir, "");
    from_base(loaded, &config->geo_country, "");
    from_base(loaded, &config->geo_asn, "");
    from_base(loaded, &config->ldap.password_file, "");
    from_base(loaded, &config->ldap.ca_file, "");
    from_base(loaded, &config->store.secret_file, "");
    from_base(loaded, &config->store.password_file, "");
    from_base(loaded, &config->store.address, "unix:");
    from_base(loaded, &config->lookups_listen, "ipc://");
    from_base(loaded, &config->admin_listen, "ipc://");
    from_base(loaded, &config->stats_listen, "ipc://");
    if (strchr(config->store.redis_server, '/') != NULL)
        from_base(loaded, &config->store.redis_server, "");
}

// find_base: the file's directory, absolute, so that a later chdir changes nothing. Symbolic links
// stay as they are: what they point at may be exchanged.
static enum err find_base(struct loaded *loaded, struct err_detail *detail)
{
    const char *path = loaded->config.path != NULL ? loaded->config.path : "";
    const char *slash = strrchr(path, '/');
    int len = slash != NULL ? (int)(slash - path) + 1 : 0;
    char here[PATH_TEXT_MAX + 1];

    if (path[0] == '/') {
        loaded->base = mem_format("%.*s", len, path);
        return ERR_NONE;
    }
    if (getcwd(here, sizeof(here)) == NULL)
        return err_say(detail, ERR_SYSTEM, "the working directory cannot be named: %s",
                       strerror(errno));
    loaded->base = mem_format("%s/%.*s", here, len, path);
    return ERR_NONE;
}

// name_node: who does not name the node gets the host's name.
static void name_node(struct loaded *loaded)
{
    char name[NODE_MAX + 1] = "";

    if (loaded->config.node[0] != '\0')
        return;
    if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0')
        memcpy(name, "node", sizeof("node"));
    loaded->config.node = keep(loaded, mem_text(name));
}

// ---- Load and print

static enum err read_sections(struct loaded *loaded, struct err_detail *detail)
{
    const struct yaml_node *root = loaded->yaml != NULL ? yaml_root(loaded->yaml) : NULL;
    enum err err = ERR_NONE;

    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]) && err == ERR_NONE; i++) {
        const char *key = sections[i].key;

        err = yaml_read(key[0] != '\0' ? yaml_find(root, key) : root, key, sections[i].rows, loaded,
                        detail);
    }
    return err;
}

static void finish(struct loaded *loaded)
{
    struct config *config = &loaded->config;

    resolve_paths(loaded);
    name_node(loaded);
    config->stats_show_addresses = loaded->stats_addresses == 1;
    config->store.mode = loaded->store_mode == STORE_SINGLE ? STORE_SINGLE : STORE_EMBEDDED;
    config->store.state_dir = config->state_dir;
}

static enum err load(struct loaded *loaded, const char *path, struct err_detail *detail)
{
    enum err err = ERR_NONE;

    if (path != NULL) {
        loaded->config.path = keep(loaded, mem_text(path));
        err = yaml_load(path, &loaded->yaml, detail);
    }
    if (err == ERR_NONE)
        err = find_base(loaded, detail);
    if (err == ERR_NONE)
        err = read_sections(loaded, detail);
    if (err != ERR_NONE)
        return err;
    finish(loaded);
    err = check_listeners(loaded, detail);
    if (err == ERR_NONE)
        err = take_mode(loaded, detail);
    if (err == ERR_NONE)
        err = take_group(loaded, detail);
    if (err == ERR_NONE)
        err = check_dns(loaded, detail);
    return err != ERR_NONE ? err : check_store(loaded, detail);
}

enum err config_load(const char *path, struct config **out, struct err_detail *detail)
{
    struct loaded *loaded = mem_new(sizeof(*loaded));
    struct config *config = &loaded->config;
    enum err err = load(loaded, path, detail);

    if (err != ERR_NONE) {
        config_free(&config);
        return err;
    }
    *out = config;
    return ERR_NONE;
}

void config_free(struct config **config)
{
    struct loaded *loaded = (struct loaded *)*config;

    if (loaded == NULL)
        return;
    for (size_t i = 0; i < loaded->owned_count; i++)
        mem_free(loaded->owned[i]);
    mem_free(loaded->owned);
    mem_free(loaded->base);
    yaml_free(&loaded->yaml);
    mem_free(loaded);
    *config = NULL;
}

void config_print(const struct config *config, void *stdio_file)
{
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        bool is_root = sections[i].key[0] == '\0';

        if (!is_root)
            (void)fprintf(stdio_file, "%s:\n", sections[i].key);
        yaml_print(sections[i].rows, config, is_root ? 0 : 2, stdio_file);
    }
}

bool config_is_loopback(const struct config *config)
{
    return is_local(config->lookups_listen) && is_local(config->admin_listen) &&
           is_local(config->stats_listen);
}
