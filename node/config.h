// config.h: one node's file, reeve.yaml -> one const struct. What belongs to the whole cluster is
// in the policy set instead.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/store/store.h"
#include "proto/base/yaml.h"
#include "proto/err.h"

#define CONFIG_NO_GROUP UINT32_MAX

struct config {
    const char *node; // name in replies, logs, metrics; default: the host's name
    const char *state_dir;
    const char *lookups_listen; // tcp://... or ipc://...; IPv6 in brackets
    uint64_t lookups_budget_ms;
    uint64_t lookups_seats;
    const char *admin_listen;
    const char *admin_mode_text, *admin_group_name; // as they were written; of an ipc socket:
    unsigned admin_mode;                            // 0600 and what others get
    uint32_t admin_group;                           // CONFIG_NO_GROUP = the process's own
    const char *stats_listen;                       // "" = no stats socket
    bool stats_show_addresses;
    int log_level;           // enum log_level
    const char *geo_country; // path of a database of countries; "" = none
    const char *geo_asn;     // and of one of ASs
    struct {
        const char *password_file; // "" = none
        const char *ca_file;
    } ldap; // what of directory servers is this machine's (settings.ldap of the policy set is the rest)
    struct {
        struct yaml_texts servers; // dns.h; none = those of the system
        uint64_t timeout_ms;       // of one of them, before the next is asked
        uint64_t cache;            // answers that are kept
    } dns;
    struct store_config store;
    struct yaml_texts policy; // paths
    const char *path;         // the file this was read from; NULL = all defaults
};

// config_load: path NULL = all defaults. Relative paths in the file are relative to the file.
// Checks what can be checked without opening a socket: endpoints, lengths of socket paths (107
// bytes), settings that contradict each other.
MUST_USE enum err config_load(const char *path, struct config **out, struct err_detail *detail);
void config_free(struct config **config);
// config_print: what is in force, as YAML (reeved -T).
void config_print(const struct config *config, void *stdio_file);
// config_is_loopback: all listeners are ipc or a loopback address (for --replay).
bool config_is_loopback(const struct config *config);
