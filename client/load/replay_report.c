// replay_report.c: see replay_report.h.
#include "client/load/replay_report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "client/ctl/json.h"
#include "proto/base/mem.h"

// The kinds, then, where there are clients with IPv6 as well, the same of IPv4 alone.
enum { ROWS_MAX = 2 * FIGURES_KIND_COUNT, NAME_BYTES = 24, NUMBER_BYTES = 16, DAY_BYTES = 16 };

struct rows {
    struct figures figures[ROWS_MAX];
    char name[ROWS_MAX][NAME_BYTES];
    unsigned count;
};

static bool has_both_families(const struct messages *messages)
{
    size_t ipv4 = 0;

    for (size_t i = 0; i < messages->count; i++)
        ipv4 += messages->item[i].is_ipv4;
    return ipv4 > 0 && ipv4 < messages->count;
}

static void make_rows(const struct replay_about *about, struct rows *out)
{
    const unsigned turns = has_both_families(about->messages) ? 2 : 1;

    out->count = 0;
    for (unsigned turn = 0; turn < turns; turn++) {
        for (unsigned kind = 0; kind < FIGURES_KIND_COUNT; kind++) {
            (void)snprintf(out->name[out->count], NAME_BYTES, "%s%s", figures_kind_name(kind),
                           turn == 1 ? "_ipv4" : "");
            figures_make(about->messages, about->result->prediction, kind, turn == 1,
                         &out->figures[out->count++]);
        }
    }
}

// Messages of a class in each band.
struct band_counts {
    size_t ham[REPLAY_BANDS_MAX], spam[REPLAY_BANDS_MAX];
};

static void count_bands(const struct replay_about *about, struct band_counts *out)
{
    *out = (struct band_counts){{0}, {0}};
    for (size_t i = 0; i < about->messages->count; i++) {
        const unsigned band = about->result->prediction[i].band;

        if (!about->result->prediction[i].is_judged)
            continue;
        out->spam[band] += about->messages->item[i].is_spam;
        out->ham[band] += !about->messages->item[i].is_spam;
    }
}

static double share_of(size_t part, size_t all)
{
    return all == 0 ? NAN : (double)part / (double)all;
}

// ---- text

static const char *number_text(double value, char text[NUMBER_BYTES])
{
    if (isnan(value))
        return "-";
    (void)snprintf(text, NUMBER_BYTES, "%.4f", value);
    return text;
}

static void print_number(FILE *out, double value)
{
    char text[NUMBER_BYTES];

    (void)fprintf(out, " %8s", number_text(value, text));
}

static const char *day_of(uint64_t at_ms, char text[DAY_BYTES])
{
    const time_t seconds = (time_t)(at_ms / 1000);
    struct tm utc;

    if (gmtime_r(&seconds, &utc) == NULL || strftime(text, DAY_BYTES, "%Y-%m-%d", &utc) == 0)
        return "-";
    return text;
}

static void print_head(const struct replay_about *about, FILE *out)
{
    const struct messages *messages = about->messages;
    char from[DAY_BYTES], to[DAY_BYTES];

    (void)fprintf(
        out,
        "%s: %zu messages (%zu spam, %zu ham) from %zu addresses, %s to %s\n"
        "through %zu node%s, %u at once; labels by %u gateway%s, %" PRIu64 " s late; %.1f s\n",
        about->path, messages->count, messages->spam, messages->count - messages->spam,
        messages->addresses, day_of(messages->item[0].at_ms, from),
        day_of(messages->item[messages->count - 1].at_ms, to), about->config->talk.node_count,
        about->config->talk.node_count == 1 ? "" : "s", about->config->talk.window,
        about->config->gateways, about->config->gateways == 1 ? "" : "s",
        about->config->delay_ms / 1000, (double)about->result->took_us / 1e6);
    if (messages->left_out > 0)
        (void)fprintf(out, "left out: %zu rows; the first, line %" PRIu64 ": %s\n",
                      messages->left_out, messages->left_out_line, messages->left_out_why.text);
    if (about->result->unjudged > 0)
        (void)fprintf(out,
                      "not judged, and not counted below: %zu messages (the first is line %" PRIu64
                      "), of clients whom the nodes trust\n",
                      about->result->unjudged, about->result->unjudged_line);
}

static void print_table(const struct rows *rows, FILE *out)
{
    (void)fprintf(out, "\n%-13s %8s %8s %8s %8s %8s %8s %8s\n", "", "AUC", "first", "repeat",
                  "TPR@.1%", "TPR@1%", "Brier", "ECE");
    for (unsigned i = 0; i < rows->count; i++) {
        const struct figures *figures = &rows->figures[i];

        (void)fprintf(out, "%-13s", rows->name[i]);
        print_number(out, figures->auc);
        print_number(out, figures->auc_first);
        print_number(out, figures->auc_repeat);
        print_number(out, figures->tpr_01);
        print_number(out, figures->tpr_1);
        print_number(out, figures->brier);
        print_number(out, figures->ece);
        (void)fputc('\n', out);
    }
    (void)fputs("\nspam until an address was first flagged, at 1 % of ham\n", out);
    (void)fprintf(out, "%-13s %8s %8s %8s %8s\n", "", "senders", "at once", "flagged", "mean");
    for (unsigned i = 0; i < rows->count; i++) {
        const struct figures *figures = &rows->figures[i];

        (void)fprintf(out, "%-13s %8zu %8zu %8zu", rows->name[i], figures->spammers,
                      figures->at_once, figures->flagged);
        print_number(out, figures->mean_until);
        (void)fputc('\n', out);
    }
}

static void print_bands(const struct replay_about *about, FILE *out)
{
    const struct messages *messages = about->messages;
    struct band_counts counts;

    count_bands(about, &counts);
    (void)fprintf(out, "\n%-24s %8s %8s %8s %8s\n", "band", "ham", "of ham", "spam", "of spam");
    for (unsigned i = 0; i < about->result->bands; i++) {
        (void)fprintf(out, "%-24s %8zu", about->result->band[i], counts.ham[i]);
        print_number(out, share_of(counts.ham[i], messages->count - messages->spam));
        (void)fprintf(out, " %8zu", counts.spam[i]);
        print_number(out, share_of(counts.spam[i], messages->spam));
        (void)fputc('\n', out);
    }
}

static void print_bins(const struct figures *both, FILE *out)
{
    (void)fprintf(out, "\n%-13s %8s %8s %8s\n", "p (both)", "messages", "mean p", "spam");
    for (unsigned i = 0; i < SCORE_BINS; i++) {
        const struct score_bin *bin = &both->bin[i];

        if (bin->count == 0)
            continue;
        (void)fprintf(out, "%.1f to %.1f    %8zu", i / 10.0, (i + 1) / 10.0, bin->count);
        print_number(out, bin->sum / (double)bin->count);
        print_number(out, share_of(bin->spam, bin->count));
        (void)fputc('\n', out);
    }
}

static const char *tongue_text(enum replay_tongue tongue)
{
    static const char *const words[] = {"says the truth", "says the contrary", "says spam of all",
                                        "says ham of all", "is silent"};

    return words[tongue];
}

static void print_gateways(const struct replay_about *about, FILE *out)
{
    if (about->config->gateways == 1)
        return;
    (void)fprintf(out, "\n%-13s %8s\n", "gateway", "trust");
    for (unsigned i = 0; i < about->config->gateways; i++) {
        (void)fprintf(out, "replay-%-6u", i + 1);
        print_number(out, about->result->trust[i]);
        (void)fprintf(out, "  %s\n", tongue_text(about->config->tongue[i]));
    }
}

void replay_print_text(const struct replay_about *about, FILE *out)
{
    struct rows rows;

    make_rows(about, &rows);
    print_head(about, out);
    print_table(&rows, out);
    print_bands(about, out);
    print_bins(&rows.figures[FIGURES_both], out);
    print_gateways(about, out);
    if (about->entities != NULL && about->entities->count > 0)
        (void)fprintf(out, "\n%" PRIu64 " entities, %.1f bytes each (MEMORY USAGE)\n",
                      about->entities->count,
                      (double)about->entities->bytes / (double)about->entities->count);
}

// ---- JSON

static void json_bins(struct json *json, const struct figures *figures)
{
    json_open(json, "bins", '[');
    for (unsigned i = 0; i < SCORE_BINS; i++) {
        const struct score_bin *bin = &figures->bin[i];

        json_open(json, NULL, '{');
        json_count(json, "count", bin->count);
        json_count(json, "spam", bin->spam);
        json_number(json, "mean_p", bin->count == 0 ? NAN : bin->sum / (double)bin->count);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void json_figures(struct json *json, const char *name, const struct figures *figures)
{
    json_open(json, name, '{');
    json_count(json, "messages", figures->count);
    json_count(json, "spam", figures->spam);
    json_number(json, "auc", figures->auc);
    json_number(json, "auc_first", figures->auc_first);
    json_number(json, "auc_repeat", figures->auc_repeat);
    json_number(json, "tpr_at_0.1%", figures->tpr_01);
    json_number(json, "tpr_at_1%", figures->tpr_1);
    json_number(json, "threshold_at_0.1%", figures->threshold_01);
    json_number(json, "threshold_at_1%", figures->threshold_1);
    json_number(json, "brier", figures->brier);
    json_number(json, "ece", figures->ece);
    json_count(json, "spam_senders", figures->spammers);
    json_count(json, "flagged_at_once", figures->at_once);
    json_count(json, "flagged", figures->flagged);
    json_number(json, "mean_spam_until_flagged", figures->mean_until);
    json_bins(json, figures);
    json_close(json, '}');
}

static void json_bands(struct json *json, const struct replay_about *about)
{
    struct band_counts counts;

    count_bands(about, &counts);
    json_open(json, "bands", '{');
    for (unsigned i = 0; i < about->result->bands; i++) {
        json_open(json, about->result->band[i], '{');
        json_count(json, "ham", counts.ham[i]);
        json_count(json, "spam", counts.spam[i]);
        json_close(json, '}');
    }
    json_close(json, '}');
}

static void json_gateways(struct json *json, const struct replay_about *about)
{
    json_open(json, "gateways", '[');
    for (unsigned i = 0; i < about->config->gateways; i++) {
        json_open(json, NULL, '{');
        json_text(json, "says", replay_tongue_name(about->config->tongue[i]));
        json_number(json, "trust", about->result->trust[i]);
        json_close(json, '}');
    }
    json_close(json, ']');
}

void replay_print_json(const struct replay_about *about, FILE *out)
{
    struct rows rows;
    struct json json;

    make_rows(about, &rows);
    json_init(&json, out);
    json_open(&json, NULL, '{');
    json_text(&json, "file", about->path);
    json_count(&json, "messages", about->messages->count);
    json_count(&json, "spam", about->messages->spam);
    json_count(&json, "addresses", about->messages->addresses);
    json_count(&json, "left_out", about->messages->left_out);
    json_count(&json, "not_judged", about->result->unjudged);
    json_count(&json, "reports", about->result->reports);
    json_count(&json, "nodes", about->config->talk.node_count);
    json_count(&json, "window", about->config->talk.window);
    json_number(&json, "delay_s", (double)about->config->delay_ms / 1000);
    json_count(&json, "seed", about->config->seed);
    json_number(&json, "seconds", (double)about->result->took_us / 1e6);
    for (unsigned i = 0; i < rows.count; i++)
        json_figures(&json, rows.name[i], &rows.figures[i]);
    json_bands(&json, about);
    json_gateways(&json, about);
    if (about->entities != NULL) {
        json_count(&json, "entities", about->entities->count);
        json_number(&json, "bytes_an_entity",
                    share_of(about->entities->bytes, about->entities->count));
    }
    json_close(&json, '}');
}

// ---- message by message

void replay_print_scores(const struct replay_about *about, FILE *out)
{
    (void)fputs("line,ts,label,gateway,band", out);
    for (unsigned kind = 0; kind < FIGURES_KIND_COUNT; kind++)
        (void)fprintf(out, ",%s", figures_kind_name(kind));
    (void)fputc('\n', out);
    for (size_t i = 0; i < about->messages->count; i++) {
        const struct message *message = &about->messages->item[i];
        const struct prediction *found = &about->result->prediction[i];

        if (!found->is_judged)
            continue;
        (void)fprintf(out, "%" PRIu64 ",%" PRIu64 ".%03u,%d,%u,%s", message->line,
                      message->at_ms / 1000, (unsigned)(message->at_ms % 1000), message->is_spam,
                      found->gateway + 1, about->result->band[found->band]);
        for (unsigned kind = 0; kind < FIGURES_KIND_COUNT; kind++)
            (void)fprintf(out, ",%.17g", found->p[kind]);
        (void)fputc('\n', out);
    }
}
