// dnslist.c: the DNS lists that the policy set names: settings.reputation.lists (bad ones) and .good. One array, sorted, so that their order in
// the files says nothing; a list that stands twice is an error that names both places.
//
//     lists:
//       - {zone: bl.example, weight: 2, codes: ["127.0.0.2", "127.0.0.4-11", "127.0.1.0/24"], mode: shadow}
//       - {zone: dbl.example, of: sender}
//     good:
//       - wl.example                      # as {zone: wl.example}
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/policy/build.h"
#include "node/policy/line.h"
#include "proto/base/mem.h"

enum { LISTS_MOST = 32, CODES_MOST = 64, ZONE_MOST = 120, WEIGHT_MOST = 1000, NUMBER_MAX = 24 };
#define CODE_FIRST 0x7f000000U // 127.0.0.0
#define CODE_LAST  0x7fffffffU

static const char *const mode_words[] = {
    [POLICY_ENFORCE] = "enforce", [POLICY_SHADOW] = "shadow", NULL};
static const char *const of_words[] = {"client", "sender", NULL};

struct written {
    const char *zone;
    int of;
    int mode;
    double weight;
    struct yaml_texts codes;
};

#define AT(field) offsetof(struct written, field)
static const struct yaml_row rows[] = {
    {"zone", YAML_IS_TEXT, AT(zone), "!", 1, MAIL_DOMAIN_MAX, NULL, "domain of the list"},
    {"of", YAML_IS_WORD, AT(of), "client", 0, 0, of_words,
     "client: it lists addresses; sender: it lists domains"},
    {"codes", YAML_IS_TEXTS, AT(codes), NULL, 0, CODES_MOST, NULL,
     "answers that count; without them, any"},
    {"mode", YAML_IS_WORD, AT(mode), "enforce", 0, 0, mode_words,
     "shadow: what it would have decided is recorded alone"},
    {"weight", YAML_IS_REAL, AT(weight), "1", 0, WEIGHT_MOST, NULL,
     "of a bad one, against dns_threshold"},
    {0},
};
#undef AT

static enum err say(const struct yaml_node *node, struct err_detail *detail, const char *what)
{
    return err_say(detail, ERR_CONFIG, "%s:%u: settings.reputation: %s", node->file, node->line,
                   what);
}

// ---- Codes

static bool read_code(const char *text, uint32_t *out)
{
    struct ip ip;

    if (!ip_parse(text, &ip) || ip.family != 4)
        return false;
    *out = (uint32_t)ip.bytes[0] << 24 | (uint32_t)ip.bytes[1] << 16 | (uint32_t)ip.bytes[2] << 8 |
           ip.bytes[3];
    return true;
}

// read_last: the other end of a range: an address, or its last number alone.
static bool read_last(const char *text, uint32_t low, uint32_t *out)
{
    const size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 3 || text[digits] != '\0')
        return read_code(text, out);
    const unsigned long last = strtoul(text, NULL, 10);

    *out = (low & ~255U) | (uint32_t)last;
    return last <= 255;
}

static bool read_net(const char *text, struct policy_dns_code *out)
{
    struct ip_net net;
    char address[IP_TEXT_MAX];

    if (ip_net_parse(text, &net, NULL) != ERR_NONE || net.ip.family != 4 || net.bits < 8)
        return false;
    if (!read_code(ip_format(&net.ip, address), &out->low))
        return false;
    out->high = out->low | (uint32_t)(0xffffffffULL >> net.bits);
    return true;
}

static bool read_range(const char *text, struct policy_dns_code *out)
{
    const char *dash = strchr(text, '-');
    char first[IP_TEXT_MAX];

    if (dash == NULL)
        return read_net(text, out); // of one address, too
    const size_t len = (size_t)(dash - text);

    if (len >= sizeof(first))
        return false;
    memcpy(first, text, len);
    first[len] = '\0';
    return read_code(first, &out->low) && read_last(dash + 1, out->low, &out->high) &&
           out->low <= out->high;
}

// No listing has such a code, whatever is counted (dnslist_is_error).
static bool is_error(const struct policy_dns_code *code)
{
    return (code->low == CODE_FIRST + 1 && code->high == CODE_FIRST + 1) ||
           (code->low >= 0x7fffff00U && code->high <= CODE_LAST);
}

static int compare_codes(const void *a, const void *b)
{
    const struct policy_dns_code *left = a;
    const struct policy_dns_code *right = b;

    if (left->low != right->low)
        return left->low < right->low ? -1 : 1;
    return (left->high > right->high) - (left->high < right->high);
}

// join_codes: sorted, none touches another: two ways to say the same are the same.
static size_t join_codes(struct policy_dns_code *codes, size_t count)
{
    size_t kept = 0;

    if (count > 0)
        qsort(codes, count, sizeof(*codes), compare_codes);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && codes[i].low <= codes[kept - 1].high + 1) {
            if (codes[i].high > codes[kept - 1].high)
                codes[kept - 1].high = codes[i].high;
            continue;
        }
        codes[kept++] = codes[i];
    }
    return kept;
}

static enum err read_codes(struct policy_build *build, const struct yaml_node *node,
                           const struct yaml_texts *texts, struct policy_dns_list *out,
                           struct err_detail *detail)
{
    struct policy_dns_code *codes =
        build_keep(build, mem_new_array(texts->count + 1, sizeof(*codes)));

    for (size_t i = 0; i < texts->count; i++) {
        if (!read_range(texts->text[i], &codes[i]) || codes[i].low < CODE_FIRST ||
            codes[i].high > CODE_LAST)
            return err_say(
                detail, ERR_CONFIG,
                "%s:%u: settings.reputation: codes of %s: expected answers of a list like "
                "127.0.0.2, 127.0.0.4-11 or 127.0.1.0/24, not '%s'",
                node->file, node->line, out->zone, texts->text[i]);
        if (is_error(&codes[i]))
            return err_say(
                detail, ERR_CONFIG,
                "%s:%u: settings.reputation: codes of %s: %s is what a list answers that "
                "refuses to answer, and never counts",
                node->file, node->line, out->zone, texts->text[i]);
    }
    out->code = codes;
    out->code_count = join_codes(codes, texts->count);
    return ERR_NONE;
}

// ---- One list

// A refusal names it, with a ticket behind it; and the name of a question in front of it must still be one.
static enum err read_zone(struct policy_build *build, const struct yaml_node *node,
                          const char *text, struct policy_dns_list *out, struct err_detail *detail)
{
    char zone[MAIL_DOMAIN_MAX + 1];

    if (!mail_domain_normalise(text, zone) || zone[0] == '[' || strchr(zone, '.') == NULL)
        return err_say(
            detail, ERR_CONFIG,
            "%s:%u: settings.reputation: zone: expected the domain of a list like bl.example, "
            "not '%s'",
            node->file, node->line, text);
    if (strlen(zone) > ZONE_MOST)
        return say(node, detail, "zone: longer than 120 bytes");
    out->zone = build_text(build, zone);
    return ERR_NONE;
}

static enum err read_weight(const struct yaml_node *node, double weight,
                            struct policy_dns_list *out, struct err_detail *detail)
{
    const struct yaml_node *given = yaml_find(node, "weight");

    if (given != NULL && out->is_good)
        return say(given, detail, "a good list has no weight: each counts");
    if (weight <= 0)
        return say(given != NULL ? given : node, detail,
                   "a list of weight 0 is asked in vain: leave it out, or let it be mode: shadow");
    out->weight = weight;
    return ERR_NONE;
}

static enum err read_map(struct policy_build *build, const struct yaml_node *node,
                         struct policy_dns_list *out, struct err_detail *detail)
{
    struct written written = {0};
    enum err err = yaml_read(node, out->is_good ? "good" : "lists", rows, &written, detail);

    if (err != ERR_NONE)
        return err;
    out->of_sender = written.of != 0;
    out->mode = written.mode;
    err = read_zone(build, node, written.zone, out, detail);
    if (err == ERR_NONE)
        err = read_codes(build, node, &written.codes, out, detail);
    return err == ERR_NONE ? read_weight(node, written.weight, out, detail) : err;
}

static enum err read_list(struct policy_build *build, const struct yaml_node *node, bool is_good,
                          struct policy_dns_list *out, struct err_detail *detail)
{
    *out = (struct policy_dns_list){
        .zone = "", .is_good = is_good, .weight = 1, .file = node->file, .line = node->line};
    if (node->kind == YAML_MAP)
        return read_map(build, node, out, detail);
    if (node->kind != YAML_TEXT)
        return say(node, detail, "expected a list like {zone: bl.example}, or its zone alone");
    return read_zone(build, node, node->text, out, detail);
}

// ---- All of them

static int compare_lists(const void *a, const void *b)
{
    const struct policy_dns_list *left = a;
    const struct policy_dns_list *right = b;
    const int order = strcmp(left->zone, right->zone);

    if (left->is_good != right->is_good)
        return left->is_good ? 1 : -1;
    return order != 0 ? order : (int)left->of_sender - (int)right->of_sender;
}

static bool is_same(const struct policy_dns_list *a, const struct policy_dns_list *b)
{
    return a->of_sender == b->of_sender && strcmp(a->zone, b->zone) == 0;
}

// A list cannot be bad and good: with codes, too, one question has one answer.
static enum err check_twice(const struct policy_dns_list *lists, size_t count,
                            struct err_detail *detail)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct policy_dns_list *first = &lists[j];
            const struct policy_dns_list *second = &lists[i];

            if (is_same(first, second))
                return err_say(detail, ERR_CONFIG,
                               "%s:%u: settings.reputation: the list %s is named twice (first in "
                               "%s:%u)",
                               second->file, second->line, second->zone, first->file, first->line);
        }
    }
    return ERR_NONE;
}

static enum err read_all(struct policy_build *build, const char *key, struct policy_dns_list *lists,
                         size_t *count, struct err_detail *detail)
{
    const bool is_good = strcmp(key, "reputation.good") == 0;
    const struct yaml_node *all = setting_node(build, key);
    enum err err = all != NULL ? yaml_expect(all, YAML_LIST, key, detail) : ERR_NONE;

    for (const struct yaml_node *node = all != NULL ? all->child : NULL;
         node != NULL && err == ERR_NONE; node = node->next) {
        if (*count == LISTS_MOST)
            return say(node, detail, "more than 32 lists: each is a question to DNS for each mail");
        err = read_list(build, node, is_good, &lists[*count], detail);
        (*count)++;
    }
    return err;
}

enum err dns_lists_read(struct policy_build *build, struct err_detail *detail)
{
    struct policy_dns_list *lists = build_keep(build, mem_new_array(LISTS_MOST, sizeof(*lists)));
    size_t count = 0;
    enum err err = read_all(build, "reputation.lists", lists, &count, detail);

    if (err == ERR_NONE)
        err = read_all(build, "reputation.good", lists, &count, detail);
    if (err == ERR_NONE)
        err = check_twice(lists, count, detail);
    if (err != ERR_NONE)
        return err;
    if (count > 0)
        qsort(lists, count, sizeof(*lists), compare_lists);
    build->policy.settings.reputation.list = lists;
    build->policy.settings.reputation.list_count = count;
    return ERR_NONE;
}

// ---- As they are read again

static void put_code(struct line *line, const struct policy_dns_code *code)
{
    char text[40];
    const uint32_t low = code->low;
    const uint32_t high = code->high;

    (void)snprintf(text, sizeof(text), "%u.%u.%u.%u", low >> 24, low >> 16 & 255, low >> 8 & 255,
                   low & 255);
    if (high != low)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "-%u.%u.%u.%u", high >> 24,
                       high >> 16 & 255, high >> 8 & 255, high & 255);
    line_item(line);
    line_quote(line, text);
}

static void put_weight(struct line *line, double weight)
{
    char text[NUMBER_MAX];
    size_t len;

    (void)snprintf(text, sizeof(text), "%.6f", weight);
    for (len = strlen(text); text[len - 1] == '0'; len--)
        ;
    text[text[len - 1] == '.' ? len - 1 : len] = '\0';
    line_word(line, "weight", text);
}

static void put_list(struct line *line, const struct policy_dns_list *list)
{
    line_open(line, "{");
    line_key(line, "zone");
    line_quote(line, list->zone);
    if (list->weight < 1 || list->weight > 1)
        put_weight(line, list->weight);
    if (list->code_count > 0) {
        line_key(line, "codes");
        line_open(line, "[");
        for (size_t i = 0; i < list->code_count; i++)
            put_code(line, &list->code[i]);
        line_close(line, "]");
    }
    if (list->of_sender)
        line_word(line, "of", "sender");
    if (list->mode == POLICY_SHADOW)
        line_word(line, "mode", "shadow");
    line_close(line, "}");
}

void dns_lists_each(const struct policy_build *build,
                    void (*visit)(const struct setting *setting, void *arg), void *arg)
{
    struct line line = {0};

    for (size_t i = 0; i < build->policy.settings.reputation.list_count; i++) {
        const struct policy_dns_list *list = &build->policy.settings.reputation.list[i];
        char *key = mem_format("reputation.%s.%s.%s", list->is_good ? "good" : "lists",
                               of_words[list->of_sender ? 1 : 0], list->zone);

        line_clear(&line);
        put_list(&line, list);
        visit(
            &(struct setting){
                .key = key, .value = line.text, .file = list->file, .line = list->line},
            arg);
        mem_free(key);
    }
    line_free(&line);
}

void dns_lists_print(const struct policy_settings *settings, void *stdio_file)
{
    struct line line = {0};

    for (int is_good = 0; is_good < 2; is_good++) {
        bool is_first = true;

        for (size_t i = 0; i < settings->reputation.list_count; i++) {
            const struct policy_dns_list *list = &settings->reputation.list[i];

            if (list->is_good != (is_good != 0))
                continue;
            line_clear(&line);
            put_list(&line, list);
            if (is_first)
                (void)fprintf(stdio_file, "    %s:\n", is_good != 0 ? "good" : "lists");
            (void)fprintf(stdio_file, "      - %s\n", line.text);
            is_first = false;
        }
    }
    line_free(&line);
}
