// config.c: reeve-policyd.yaml. Promises: one list of rows is the default, the range, the check and
// what -T prints; a wrong value is named with its file and line, and nothing is half read.
#include "client/policyd/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/policyd/listen.h"
#include "proto/base/dns.h"
#include "proto/base/mem.h"

enum {
    GATEWAY_MAX = 64, // of the wire contract
    SERVERS_MAX = 8,
};

static const char *const FALLBACKS[] = {
    [REEVE_FALLBACK_ACCEPT] = "dunno", [REEVE_FALLBACK_DEFER] = "defer", NULL};
static const char *const LOG_MODES[] = {[POLICYD_LOG_ALL] = "all",
                                        [POLICYD_LOG_NON_ACCEPT] = "non_accept",
                                        [POLICYD_LOG_NONE] = "none",
                                        NULL};
static const char *const LOG_LEVELS[] = {"debug", "info", "warn", "error", NULL};

#define AT(field) offsetof(struct policyd_config, field)

static const struct yaml_row ROWS[] = {
    {"nodes", YAML_IS_TEXTS, AT(nodes), "tcp://127.0.0.1:7170", 1, 64, NULL,
     "lookup doors of the nodes to ask"},
    {"listen", YAML_IS_TEXTS, AT(listen), "127.0.0.1:10045", 1, 64, NULL,
     "where Postfix connects: ADDRESS:PORT, [IPV6]:PORT or unix:/PATH"},
    {"socket_mode", YAML_IS_TEXT, AT(socket_mode_text), "0666", 3, 4, NULL,
     "permissions of unix sockets, octal"},
    {"gateway", YAML_IS_TEXT, AT(gateway), "", 0, GATEWAY_MAX, NULL,
     "this gateway's label in the node's records; empty: the host's name"},
    {"deadline", YAML_IS_DURATION, AT(deadline_ms), "250ms", 1, 60000, NULL,
     "time for one question, after which the fallback answers"},
    {"hedge", YAML_IS_DURATION, AT(hedge_ms), "100ms", 0, 60000, NULL,
     "a question unanswered for so long goes to another node too; 0ms: never"},
    {"fallback", YAML_IS_WORD, AT(fallback), "dunno", 0, 0, FALLBACKS,
     "dunno: mail passes while no node answers; defer: it is put off with 4.3.0"},
    {"log_decisions", YAML_IS_WORD, AT(log_decisions), "non_accept", 0, 0, LOG_MODES,
     "which decisions get a log line"},
    {"prepend", YAML_IS_BOOL, AT(prepend), "false", 0, 0, NULL,
     "whether mail that had to wait gets an X-Greylist header"},
    {"report_sent", YAML_IS_BOOL, AT(report_sent), "true", 0, 0, NULL,
     "whether nodes are told what one's own users send, so that answers to it are let through"},
    {"stall_timeout", YAML_IS_DURATION, AT(stall_ms), "1min", 100, 3600000, NULL,
     "how long a request may stay unfinished, or an answer unread"},
    {"spf", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "whether and how SPF is evaluated"},
    {"log", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "what is logged"},
    {0},
};

static const struct yaml_row SPF_ROWS[] = {
    {"evaluate", YAML_IS_BOOL, AT(spf.evaluate), "true", 0, 0, NULL,
     "whether SPF is evaluated here"},
    {"deadline", YAML_IS_DURATION, AT(spf.deadline_ms), "150ms", 0, 10000, NULL,
     "how long a question waits for SPF before it goes on without"},
    {"servers", YAML_IS_TEXTS, AT(spf.servers), NULL, 0, SERVERS_MAX, NULL,
     "name servers to ask, ADDRESS:PORT; empty: those of the system"},
    {"cache", YAML_IS_COUNT, AT(spf.cache), "10000", 16, 1000000, NULL,
     "outcomes that are remembered"},
    {"parallel", YAML_IS_COUNT, AT(spf.parallel), "256", 1, 4096, NULL,
     "evaluations at the same time; beyond, mail goes on without SPF"},
    {0},
};

static const struct yaml_row LOG_ROWS[] = {
    {"level", YAML_IS_WORD, AT(log_level), "info", 0, 0, LOG_LEVELS, "least level that is written"},
    {0},
};

static enum err read_mode(const struct yaml_node *root, struct policyd_config *config,
                          struct err_detail *detail)
{
    const char *text = config->socket_mode_text;
    const struct yaml_node *node = yaml_find(root, "socket_mode");

    if (strspn(text, "01234567") != strlen(text) || strtoul(text, NULL, 8) > 0777)
        return err_say(detail, ERR_CONFIG,
                       "%s:%u: socket_mode: expected octal permissions like 0660, not '%s'",
                       node->file, node->line, text);
    config->socket_mode = (unsigned)strtoul(text, NULL, 8);
    return ERR_NONE;
}

// read_spf: the section and what its servers are.
static enum err read_spf(const struct yaml_node *section, struct policyd_config *config,
                         struct err_detail *detail)
{
    enum err err = yaml_read(section, "spf", SPF_ROWS, config, detail);
    const struct yaml_node *node = section != NULL ? yaml_find(section, "servers") : NULL;
    struct err_detail why = {.text = ""};

    if (err != ERR_NONE || node == NULL ||
        dns_servers_check(&config->spf.servers, &why) == ERR_NONE)
        return err;
    return err_say(detail, ERR_CONFIG, "%s:%u: spf.servers: %s", node->file, node->line, why.text);
}

// check_listen: what can be said of the addresses without listening there.
static enum err check_listen(const struct policyd_config *config, struct err_detail *detail)
{
    struct listen_address address = {0};
    enum err err = ERR_NONE;

    for (size_t i = 0; i < config->listen.count && err == ERR_NONE; i++)
        err = listen_parse(config->listen.text[i], &address, detail);
    return err == ERR_NONE ? err : policyd_config_blame(config, "listen", err, detail);
}

static enum err read_all(const struct yaml_node *root, struct policyd_config *config,
                         struct err_detail *detail)
{
    enum err err = yaml_read(root, "", ROWS, config, detail);

    if (err == ERR_NONE)
        err = yaml_read(yaml_find(root, "log"), "log", LOG_ROWS, config, detail);
    if (err == ERR_NONE)
        err = read_spf(yaml_find(root, "spf"), config, detail);
    if (err == ERR_NONE)
        err = read_mode(root, config, detail);
    if (err == ERR_NONE)
        err = check_listen(config, detail);
    return err;
}

enum err policyd_config_load(const char *path, struct policyd_config **out,
                             struct err_detail *detail)
{
    struct policyd_config *config = mem_new(sizeof(*config));
    enum err err = path != NULL ? yaml_load(path, &config->tree, detail) : ERR_NONE;

    if (err == ERR_NONE)
        err = read_all(path != NULL ? yaml_root(config->tree) : NULL, config, detail);
    if (err != ERR_NONE) {
        policyd_config_free(&config);
        return err;
    }
    *out = config;
    return ERR_NONE;
}

enum err policyd_config_blame(const struct policyd_config *config, const char *key, enum err err,
                              struct err_detail *detail)
{
    const struct yaml_node *node =
        config->tree != NULL ? yaml_find(yaml_root(config->tree), key) : NULL;
    struct err_detail why = {.text = ""};

    if (detail != NULL)
        why = *detail;
    if (node == NULL)
        return err_say(detail, err, "%s: %s", key, why.text);
    return err_say(detail, err, "%s:%u: %s: %s", node->file, node->line, key, why.text);
}

void policyd_config_free(struct policyd_config **config)
{
    if (*config == NULL)
        return;
    yaml_free(&(*config)->tree);
    mem_free(*config);
    *config = NULL;
}

void policyd_config_print(const struct policyd_config *config, void *stdio_file)
{
    yaml_print(ROWS, config, 0, stdio_file);
    (void)fprintf(stdio_file, "spf:\n");
    yaml_print(SPF_ROWS, config, 2, stdio_file);
    (void)fprintf(stdio_file, "log:\n");
    yaml_print(LOG_ROWS, config, 2, stdio_file);
}
