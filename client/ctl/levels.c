// levels.c: see levels.h. Promises: every number of the computation is printed with nine digits, so that what is computed
// again from the text differs by less than one in a million; texts are a node's, which libreeve has cleaned.
#include "client/ctl/levels.h"

#include <math.h>
#include <string.h>

#include "client/ctl/print.h"
#include "proto/text.h"

enum { NUMBER_MAX = 32, DAY_S = 24 * 3600 };
#define CERTAIN 1e-6 // no p counts as nearer to 0 or 1 than this (node/core/reputation.h)

// exactly: with as many digits as the computation needs; short: as many as a person does.
static const char *exactly(double number, char out[NUMBER_MAX])
{
    (void)snprintf(out, NUMBER_MAX, "%.9g", number);
    return out;
}

static const char *shortly(double number, char out[NUMBER_MAX])
{
    (void)snprintf(out, NUMBER_MAX, "%.3f", number);
    return out;
}

static const char *span(uint64_t seconds, char out[NUMBER_MAX])
{
    struct text_buf text;

    text_buf_init(&text, out, NUMBER_MAX);
    text_buf_add_duration(&text, seconds * 1000);
    return out;
}

// ---- one chain

static void add_level(struct table *table, const struct reeve_level *level)
{
    char text[NUMBER_MAX];

    table_cell(table, level->kind);
    table_cell(table, level->name);
    table_cell(table, level->is_known ? shortly(level->spam, text) : "");
    table_cell(table, level->is_known ? shortly(level->ham, text) : "");
    table_cell(table, shortly(level->p, text));
    (void)snprintf(text, sizeof(text), "%.1f %%", 100 * level->share);
    table_cell(table, text);
    table_cell(table, level->is_known ? shortly(level->hour, text) : "");
    table_cell(table, level->is_known ? shortly(level->week, text) : "");
    table_cell(table, level->is_known ? span(level->age_s, text) : "");
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)(level->first_s / DAY_S));
    table_cell(table, level->is_known ? text : "");
}

static void print_table(const struct reeve_level *level, size_t count, FILE *out)
{
    static const char *const titles[] = {"LEVEL", "NAME", "SPAM",    "HAM",        "P", "SHARE",
                                         "HOUR",  "WEEK", "WRITTEN", "DAYS KNOWN", NULL};
    struct table table;

    table_begin(&table, titles);
    for (size_t i = 0; i < count; i++)
        add_level(&table, &level[i]);
    table_end(&table, out);
}

static size_t count_reporters(const struct reeve_level *level, size_t count)
{
    size_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += level[i].reporter_count;
    return sum;
}

static void add_reporter(struct table *table, const struct reeve_level *level,
                         const struct reeve_reporter *reporter)
{
    char text[NUMBER_MAX];

    table_cell(table, level->kind);
    table_cell(table, reporter->name[0] == '\0' ? "(forgotten)" : reporter->name);
    table_cell(table, shortly(reporter->spam, text));
    table_cell(table, shortly(reporter->ham, text));
    table_cell(table, shortly(reporter->trust, text));
    table_cell(table, reporter->at_cap ? "may not add more" : "");
}

static void print_reporters(const struct reeve_level *level, size_t count, FILE *out)
{
    static const char *const titles[] = {"LEVEL", "REPORTED BY", "SPAM", "HAM",
                                         "TRUST", "CAP",         NULL};
    struct table table;

    if (count_reporters(level, count) == 0)
        return;
    table_begin(&table, titles);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < level[i].reporter_count; k++)
            add_reporter(&table, &level[i], &level[i].reporters[k]);
    }
    table_end(&table, out);
}

// print_sum: "    ip      0.9 = (3 + 1 * 0.6) / (3 + 0 + 1)"; the root is weighed with one spam and one ham.
static void print_sum(const struct reeve_level *level, const struct reeve_level *parent, FILE *out)
{
    char p[NUMBER_MAX], spam[NUMBER_MAX], ham[NUMBER_MAX], m[NUMBER_MAX], above[NUMBER_MAX];

    (void)fprintf(out, "    %-8s %s = ", level->kind, exactly(level->p, p));
    (void)exactly(level->spam, spam);
    (void)exactly(level->ham, ham);
    (void)exactly(level->strength, m);
    if (parent == NULL)
        (void)fprintf(out, "(%s + 1) / (%s + %s + 2)\n", spam, spam, ham);
    else
        (void)fprintf(out, "(%s + %s * %s) / (%s + %s + %s)\n", spam, m, exactly(parent->p, above),
                      spam, ham, m);
}

void levels_print_chain(const char *title, const struct reeve_level *level, size_t count, FILE *out)
{
    (void)fprintf(out, "%s\n", title);
    print_table(level, count, out);
    print_reporters(level, count, out);
    (void)fputs(
        "each level's p = (spam + m * p of the level above it) / (spam + ham + m), from the "
        "root down:\n",
        out);
    for (size_t i = count; i-- > 0;)
        print_sum(&level[i], i + 1 < count ? &level[i + 1] : NULL, out);
}

// ---- both

static double logit(double p)
{
    const double inside = p < CERTAIN ? CERTAIN : p > 1 - CERTAIN ? 1 - CERTAIN : p;

    return log(inside / (1 - inside));
}

static const char *words_of_weight(double weight)
{
    if (weight >= 1)
        return "it is authenticated";
    return weight > 0 ? "nobody knows whether the sender is its own"
                      : "it failed authentication, and says nothing";
}

static void print_joined(const struct reeve_reputation *reputation, FILE *out)
{
    char p[NUMBER_MAX], one[NUMBER_MAX], other[NUMBER_MAX], weight[NUMBER_MAX];

    (void)exactly(reputation->p, p);
    (void)exactly(reputation->address, one);
    if (!reputation->has_sender) {
        (void)fprintf(out, "together: p = %s, that of the address alone\n", p);
        return;
    }
    (void)exactly(reputation->sender, other);
    (void)exactly(reputation->sender_weight, weight);
    (void)fprintf(
        out,
        "together, where logit p = ln(p / (1 - p)), and the sender counts %s times (%s):\n"
        "    logit p  = (logit %s + %s * logit %s) / (1 + %s)\n",
        weight, words_of_weight(reputation->sender_weight), one, weight, other, weight);
    (void)fprintf(out, "             = (%s", exactly(logit(reputation->address), one));
    (void)fprintf(out, " + %s * %s) / %s\n", weight, exactly(logit(reputation->sender), other),
                  exactly(1 + reputation->sender_weight, p));
    (void)fprintf(out, "    p        = %s\n", exactly(reputation->p, p));
}

static void print_certainty(const struct reeve_reputation *reputation, FILE *out)
{
    char p[NUMBER_MAX], lower[NUMBER_MAX], upper[NUMBER_MAX], n[NUMBER_MAX], m[NUMBER_MAX];
    const struct reeve_level *leaf = reputation->levels;

    if (reputation->address_count == 0)
        return;
    (void)fprintf(out, "certainty: %s to %s = p -+ 1.645 * sqrt(p * (1 - p) / (%s + %s + 1))\n",
                  exactly(reputation->lower, lower), exactly(reputation->upper, upper),
                  exactly(leaf->spam + leaf->ham, n), exactly(leaf->strength, m));
    (void)fprintf(out, "score: %s = 100 * (1 - p); ", exactly(100 * (1 - reputation->p), p));
    (void)fprintf(out, "by a plain list of addresses p would be %s\n", exactly(reputation->ip, n));
}

static void print_band(const struct reeve_reputation *reputation, FILE *out)
{
    (void)fprintf(out, "made of it: %s\n",
                  reputation->band[0] == '\0' ? "nothing" : reputation->band);
    if (!reputation->is_warm)
        (void)fputs(
            "cold start: too little was reported yet of spam or of ham; with mode auto this "
            "decides nothing\n",
            out);
}

void levels_print(const struct reeve_reputation *reputation, FILE *out)
{
    const size_t address = reputation->address_count < reputation->level_count
                               ? reputation->address_count
                               : reputation->level_count;

    if (address > 0)
        levels_print_chain("the address", reputation->levels, address, out);
    if (reputation->level_count > address) {
        (void)fputc('\n', out);
        levels_print_chain("the sender", reputation->levels + address,
                           reputation->level_count - address, out);
    }
    (void)fputc('\n', out);
    print_joined(reputation, out);
    print_certainty(reputation, out);
    print_band(reputation, out);
}

// ---- JSON

static void print_level_json(struct json *json, const struct reeve_level *level)
{
    json_open(json, NULL, '{');
    json_text(json, "kind", level->kind);
    json_text(json, "name", level->name);
    json_bool(json, "known", level->is_known);
    json_number(json, "spam", level->spam);
    json_number(json, "ham", level->ham);
    json_number(json, "strength", level->strength);
    json_number(json, "p", level->p);
    json_number(json, "share", level->share);
    json_count(json, "age_s", level->age_s);
    json_count(json, "first_s", level->first_s);
    json_number(json, "hour", level->hour);
    json_number(json, "week", level->week);
    json_open(json, "reporters", '[');
    for (size_t i = 0; i < level->reporter_count; i++) {
        json_open(json, NULL, '{');
        json_text(json, "gateway", level->reporters[i].name);
        json_number(json, "spam", level->reporters[i].spam);
        json_number(json, "ham", level->reporters[i].ham);
        json_number(json, "trust", level->reporters[i].trust);
        json_bool(json, "at_cap", level->reporters[i].at_cap);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

void levels_print_json(struct json *json, const char *key,
                       const struct reeve_reputation *reputation)
{
    json_open(json, key, '{');
    json_number(json, "p", reputation->p);
    json_number(json, "address", reputation->address);
    json_number(json, "sender", reputation->has_sender ? reputation->sender : NAN);
    json_number(json, "sender_weight", reputation->sender_weight);
    json_number(json, "ip", reputation->ip);
    json_number(json, "lower", reputation->lower);
    json_number(json, "upper", reputation->upper);
    json_text(json, "band", reputation->band);
    json_bool(json, "warm", reputation->is_warm);
    json_count(json, "address_levels", reputation->address_count);
    json_open(json, "levels", '[');
    for (size_t i = 0; i < reputation->level_count; i++)
        print_level_json(json, &reputation->levels[i]);
    json_close(json, ']');
    json_close(json, '}');
}
