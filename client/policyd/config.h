// config.h: the adapter's file, reeve-policyd.yaml -> one const struct. reeve-policyd.yaml(5) is
// its manual.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/reeve.h"
#include "client/spf/desk.h"
#include "proto/base/yaml.h"
#include "proto/err.h"

enum policyd_log { POLICYD_LOG_ALL, POLICYD_LOG_NON_ACCEPT, POLICYD_LOG_NONE };

struct policyd_config {
    struct yaml_texts nodes;  // ZeroMQ endpoints of lookup doors
    struct yaml_texts listen; // address:port, [v6]:port, unix:/path
    const char *gateway;      // "" = the host's name
    uint64_t deadline_ms;     // of one question
    uint64_t hedge_ms;        // unanswered for so long, another node is asked too; 0 = never
    int fallback;             // enum reeve_fallback
    int log_decisions;        // enum policyd_log
    bool prepend;             // add X-Greylist to mail that had to wait
    bool report_sent;         // tell nodes what one's own users have sent
    uint64_t stall_ms;        // for how long a request may stay unfinished, or an answer unread
    const char *socket_mode_text;
    unsigned socket_mode; // of unix sockets: the text above, read as octal
    int log_level;        // enum log_level
    struct spf_settings spf;
    struct yaml *tree; // what the texts point into; NULL = all defaults
};

// policyd_config_load: path NULL = all defaults. ERR_SYSTEM if the file cannot be read, ERR_CONFIG
// if something in it is wrong; the detail says where and what. What a node's address may be is
// libreeve's to say, so that is checked by reeve_new.
MUST_USE enum err policyd_config_load(const char *path, struct policyd_config **out,
                                      struct err_detail *detail);
void policyd_config_free(struct policyd_config **config);

// policyd_config_blame: puts the file, the line and the key in front of what the detail says of
// that key's value; the key alone if the value is the default. Returns err.
MUST_USE enum err policyd_config_blame(const struct policyd_config *config, const char *key,
                                       enum err err, struct err_detail *detail);
// policyd_config_print: what is in force, as YAML, to a FILE *.
void policyd_config_print(const struct policyd_config *config, void *stdio_file);
