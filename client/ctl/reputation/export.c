// export.c: `reevectl reputation export`: what is known, for programs that know nothing of Reeve: a DNS list, or reputons.
// Promises: a file is there as a whole or as it was before (rbldnsd reads it whenever it changes), and an export that
// fails half way leaves the old one.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/args.h"
#include "client/ctl/reputation/entities.h"
#include "client/ctl/reputation/zone.h"
#include "proto/base/mem.h"

enum format { FORMAT_RBLDNSD, FORMAT_BIND, FORMAT_REPUTON };
static const char *const FORMATS[] = {"rbldnsd", "bind-dnsbl", "reputon", NULL};
static const char *const KINDS[] = {"ip", "net", "wide", "domain", NULL};
static const char *const DEFAULT_KINDS[] = {"ip", "domain"};

#define TTL_DEFAULT_MS  (600ULL * 1000)
#define TTL_MOST_MS     (7ULL * 24 * 3600 * 1000)
#define REPUTON_LIFE_MS (24ULL * 3600 * 1000)

struct export
{
    struct ctl *ctl;
    const struct command *command;
    int format;
    struct arg_texts kinds;
    double least_p, least_lower, least_evidence;
    uint64_t least_gateways, ttl_ms;
    const char *output; // NULL = standard output
    struct zone zone;
    char rater[256];
};

// ---- what is exported

static bool is_listed(const struct export *export, const struct entity *entity)
{
    return entity->p >= export->least_p && entity->lower >= export->least_lower &&
           entity->reporters >= export->least_gateways;
}

static bool read_name(const struct entity *entity, struct zone_entry *out)
{
    struct err_detail detail;

    if (strcmp(entity->kind, "domain") == 0) {
        out->domain = mem_text(entity->name);
        return true;
    }
    return ip_net_parse(entity->name, &out->net, &detail) == ERR_NONE;
}

static void take(void *arg, const struct entity *entity)
{
    struct export *export = arg;
    struct zone *zone = &export->zone;
    const double weight = entity->spam + entity->ham;
    struct zone_entry entry = {
        .domain = "",
        .p = entity->p,
        .weight = weight,
        .confidence = weight + entity->strength > 0 ? weight / (weight + entity->strength) : 0,
        .reporters = entity->reporters,
        .is_listed = is_listed(export, entity),
    };

    if (!read_name(entity, &entry))
        return;
    zone->entry = mem_grow(zone->entry, zone->count + 1, sizeof(*zone->entry));
    zone->entry[zone->count++] = entry;
}

static int read_all(struct export *export, char **texts[], size_t *text_count)
{
    struct zone *zone = &export->zone;
    const struct entities_query query = {&export->kinds, export->least_evidence};
    struct progress *progress = progress_new(export->output != NULL);
    int code;

    progress_begin(progress, "reading");
    code = entities_read(export->ctl, &query, progress, take, export);
    if (code == CTL_FINE && progress_was_interrupted(progress))
        code = ctl_fail(export->ctl, CTL_NEGATIVE, "interrupted; nothing was written");
    progress_free(&progress);
    *texts = mem_new_array(zone->count + 1, sizeof(**texts));
    for (size_t i = 0; i < zone->count; i++)
        if (zone->entry[i].domain[0] != '\0')
            (*texts)[(*text_count)++] = (char *)(uintptr_t)zone->entry[i].domain;
    return code;
}

// ---- writing it

static size_t write_format(struct export *export, FILE *out, size_t *left_out)
{
    switch ((enum format) export->format) {
    case FORMAT_RBLDNSD:
        return zone_write_rbldnsd(&export->zone, out);
    case FORMAT_BIND:
        return zone_write_bind(&export->zone, out, left_out);
    case FORMAT_REPUTON:
        break;
    }
    return zone_write_reputons(&export->zone, out);
}

// write_file: beside it first, then in its place.
static int write_file(struct export *export, size_t *count, size_t *left_out)
{
    char *beside = mem_format("%s.new", export->output);
    FILE *out = fopen(beside, "we");
    bool good = out != NULL;
    int code = CTL_FINE;

    if (good) {
        *count = write_format(export, out, left_out);
        good = fflush(out) == 0 && ferror(out) == 0 && fsync(fileno(out)) == 0;
        good = fclose(out) == 0 && good;
    }
    if (!good || rename(beside, export->output) != 0) {
        code = ctl_fail(export->ctl, CTL_USAGE, "--output: %s: %s", beside, strerror(errno));
        (void)unlink(beside);
    }
    mem_free(beside);
    return code;
}

static int write_all(struct export *export)
{
    const size_t unnamed = zone_sort(&export->zone);
    size_t count = 0, left_out = 0;
    int code = CTL_FINE;

    if (export->output != NULL)
        code = write_file(export, &count, &left_out);
    else
        count = write_format(export, stdout, &left_out);
    if (code != CTL_FINE)
        return code;
    if (unnamed > 0)
        ctl_warn("%zu domains are left out: their names may not stand in a zone", unnamed);
    if (left_out > 0)
        ctl_warn("%zu networks are left out: a wildcard would list what is known to be better in "
                 "them (rbldnsd's form has exceptions)",
                 left_out);
    if (export->output != NULL && export->ctl->want_json) {
        json_open(&export->ctl->json, NULL, '{');
        json_text(&export->ctl->json, "output", export->output);
        json_count(&export->ctl->json, "entries", count);
        json_count(&export->ctl->json, "known", export->zone.count);
        json_close(&export->ctl->json, '}');
    } else if (export->output != NULL) {
        (void)printf("%s: %zu entries, of %zu that are known well enough\n", export->output, count,
                     export->zone.count);
    }
    return CTL_FINE;
}

// ---- options

static bool has_kind(const struct export *export, const char *kind)
{
    for (size_t i = 0; i < export->kinds.count; i++)
        if (strcmp(export->kinds.text[i], kind) == 0)
            return true;
    return false;
}

static int check_names(struct export *export)
{
    const struct {
        const char *option, *name;
    } names[] = {{"zone", export->zone.origin},
                 {"server", export->zone.server},
                 {"contact", export->zone.contact},
                 {"rater", export->zone.rater}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].name[0] != '\0' && !zone_is_name(names[i].name, 0))
            return ctl_misuse(export->ctl, export->command,
                              "--%s: expected a domain name like bad.corp.example, not '%s'",
                              names[i].option, names[i].name);
    return CTL_FINE;
}

static int settle(struct export *export)
{
    struct zone *zone = &export->zone;
    int code;

    if (export->kinds.count == 0) {
        export->kinds.text = mem_grow(NULL, 2, sizeof(*export->kinds.text));
        memcpy((void *)export->kinds.text, DEFAULT_KINDS, sizeof(DEFAULT_KINDS));
        export->kinds.count = 2;
    }
    if (zone->rater[0] == '\0' && gethostname(export->rater, sizeof(export->rater) - 1) == 0)
        zone->rater = export->rater;
    if (export->ttl_ms == 0)
        export->ttl_ms = export->format == FORMAT_REPUTON ? REPUTON_LIFE_MS : TTL_DEFAULT_MS;
    zone->ttl_s = export->ttl_ms / 1000;
    zone->now_s = export->ctl->now_ms / 1000;
    zone->of_domains = has_kind(export, "domain");
    zone->of_addresses =
        has_kind(export, "ip") || has_kind(export, "net") || has_kind(export, "wide");
    code = entities_check(export->ctl, export->command, &export->kinds, KINDS);
    return code == CTL_FINE ? check_names(export) : code;
}

static int run(struct export *export)
{
    char **texts = NULL;
    size_t text_count = 0;
    int code = read_all(export, &texts, &text_count);

    if (code == CTL_FINE)
        code = write_all(export);
    for (size_t i = 0; i < text_count; i++)
        mem_free(texts[i]);
    mem_free((void *)texts);
    mem_free(export->zone.entry);
    return code;
}

int run_reputation_export(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct export export = {
        .ctl = ctl,
        .command = command,
        .format = -1,
        .least_p = 0.97,
        .least_lower = 0.9,
        .least_evidence = 2,
        .least_gateways = 1,
        .zone = {.origin = "", .server = "", .contact = "hostmaster.localhost", .rater = ""},
    };
    struct zone *zone = &export.zone;
    const struct arg_row rows[] = {
        {.name = "format", .kind = ARG_WORD, .into = &export.format, .words = FORMATS},
        {.name = "kind", .kind = ARG_TEXTS, .into = &export.kinds},
        {.name = "p", .kind = ARG_REAL, .into = &export.least_p, .max = 1},
        {.name = "lower", .kind = ARG_REAL, .into = &export.least_lower, .max = 1},
        {.name = "evidence", .kind = ARG_REAL, .into = &export.least_evidence},
        {.name = "gateways", .kind = ARG_COUNT, .into = &export.least_gateways},
        {.name = "zone", .kind = ARG_TEXT, .into = &zone->origin},
        {.name = "server", .kind = ARG_TEXT, .into = &zone->server},
        {.name = "contact", .kind = ARG_TEXT, .into = &zone->contact},
        {.name = "rater", .kind = ARG_TEXT, .into = &zone->rater},
        {.name = "ttl", .kind = ARG_SPAN, .into = &export.ttl_ms, .max = TTL_MOST_MS},
        {.name = "output", .kind = ARG_TEXT, .into = &export.output},
        {.name = NULL},
    };
    int code = args_read_all(ctl, command, rows, argc, argv);

    if (code == CTL_FINE && export.format < 0)
        code = ctl_misuse(ctl, command, "--format is missing: rbldnsd, bind-dnsbl or reputon");
    if (code == CTL_FINE)
        code = settle(&export);
    if (code == CTL_FINE)
        code = run(&export);
    mem_free((void *)export.kinds.text);
    return code;
}
