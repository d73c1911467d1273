// print.c: the set in force, as YAML that policy_load takes again and that gives the same version.
#include <inttypes.h>
#include <stdio.h>

#include "node/policy/build.h"
#include "node/policy/set.h"

static void print_domains(const struct policy *policy, FILE *out)
{
    (void)fputs(policy->domain_count > 0 ? "domains:\n" : "domains: {}\n", out);
    for (size_t i = 0; i < policy->domain_count; i++) {
        (void)fputs("  ", out);
        yaml_print_text(policy->domain[i].name, out);
        (void)fputs(": {recipients: any}\n", out);
    }
}

static void print_nets(const char *key, const struct ip_net *nets, size_t count, FILE *out)
{
    char text[IP_NET_TEXT_MAX];

    (void)fprintf(out, "%s: [", key);
    for (size_t i = 0; i < count; i++)
        (void)fprintf(out, "%s\"%s\"", i > 0 ? ", " : "", ip_net_format(&nets[i], text));
    (void)fputs("]\n", out);
}

static void print_pattern(const char *key, const struct policy_pattern *pattern, FILE *out)
{
    char text[POLICY_PATTERN_TEXT_MAX];

    (void)fprintf(out, "    %s: ", key);
    yaml_print_text(pattern_format(pattern, text), out);
    (void)fputc('\n', out);
}

static void print_valid(const struct policy_rule *rule, FILE *out)
{
    char text[POLICY_DATE_TEXT_MAX];

    if (rule->valid_from_ms == 0 && rule->valid_until_ms == 0)
        return;
    (void)fprintf(out, "    valid: {from: %s", date_format(rule->valid_from_ms, text));
    if (rule->valid_until_ms != 0)
        (void)fprintf(out, ", until: %s", date_format(rule->valid_until_ms, text));
    (void)fputs("}\n", out);
}

static void print_flag(const char *key, bool value, FILE *out)
{
    (void)fprintf(out, "    %s: %s\n", key, value ? "true" : "false");
}

static void print_countries(const struct policy_rule *rule, FILE *out)
{
    (void)fputs("    country: [", out);
    for (size_t i = 0; i < rule->country_count; i++)
        (void)fprintf(out, "%s\"%s\"", i > 0 ? ", " : "", rule->country[i]);
    (void)fputs("]\n", out);
}

static void print_rule(const struct policy *policy, const struct policy_rule *rule, FILE *out)
{
    static const char *const parts[] = {"", "envelope", "header", "both"};

    (void)fputs("  - id: ", out);
    yaml_print_text(rule->id, out);
    (void)fputs(" # ", out);
    yaml_print_text(rule->file, out);
    (void)fprintf(out, ":%u\n    kind: %s\n    option: %s\n    part: %s\n", rule->line,
                  policy_kind_word(rule->kind), policy_option_word(rule), parts[rule->part]);
    print_pattern("from", &policy->known[rule->from].pattern, out);
    print_pattern("to", &policy->known[rule->to].pattern, out);
    if (rule->country_count > 0)
        print_countries(rule, out);
    if (rule->source_count > 0)
        print_nets("    source", rule->source, rule->source_count, out);
    print_valid(rule, out);
    print_flag("enabled", rule->enabled, out);
    print_flag("override", rule->override, out);
    print_flag("bidirectional", rule->bidirectional, out);
    (void)fprintf(out,
                  "    mode: %s\n    note: ", rule->mode == POLICY_SHADOW ? "shadow" : "enforce");
    yaml_print_text(rule->note, out);
    (void)fputc('\n', out);
}

void policy_print(const struct policy *policy, void *stdio_file)
{
    FILE *out = stdio_file;

    (void)fprintf(out, "# version %" PRIu64 "\n", policy->version);
    print_domains(policy, out);
    print_nets("trusted_sources", policy->trusted, policy->trusted_count, out);
    settings_print(&policy->settings, out);
    (void)fputs(policy->rule_count > 0 ? "policies:\n" : "policies: []\n", out);
    for (size_t i = 0; i < policy->rule_count; i++)
        print_rule(policy, &policy->rule[i], out);
}
