// version.c: one number for what is in force: BLAKE2b over a list of facts, one a line. What does
// not change any decision or answer (order, comments, files, defaults that are written out) is not
// in it. The layout of the lines is part of the number: nodes of two releases agree on it only
// while this file stays as it is, so new settings are appended, and only when they are not the
// default.
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "node/policy/build.h"

struct sum {
    crypto_generichash_state state;
};

static void add(struct sum *sum, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void add(struct sum *sum, const char *fmt, ...)
{
    char line[POLICY_PATTERN_TEXT_MAX + 256]; // the longest is a pattern
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    (void)crypto_generichash_update(&sum->state, (const unsigned char *)line, strlen(line));
}

static void add_settings(struct sum *sum, const struct policy_settings *settings)
{
    add(sum, "greylist %d %d\n", settings->greylist.mode, settings->greylist.fold_sender);
    add(sum, "delay %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", settings->greylist.delay_ms,
        settings->greylist.window_ms, settings->greylist.life_ms);
    add(sum, "net %" PRIu64 " %" PRIu64 "\n", settings->greylist.net_ipv4,
        settings->greylist.net_ipv6);
    add(sum, "new_per_hour %" PRIu64 "\n", settings->greylist.new_per_hour);
    add(sum, "relay %d\nfail %d\nauth_domain %s\n", settings->relay, settings->fail,
        settings->auth_domain);
    add(sum, "tracking %.6f\n", settings->tracking_sample);
}

static void add_pattern(struct sum *sum, const struct policy *policy, const char *key,
                        uint32_t number)
{
    char pattern[POLICY_PATTERN_TEXT_MAX];

    add(sum, "%s %s\n", key, pattern_format(&policy->known[number].pattern, pattern));
}

static void add_rule(struct sum *sum, const struct policy *policy, const struct policy_rule *rule)
{
    char net[IP_NET_TEXT_MAX];

    add(sum, "%s %s %s\n", policy_kind_word(rule->kind), policy_option_word(rule), rule->id);
    add_pattern(sum, policy, "from", rule->from);
    add_pattern(sum, policy, "to", rule->to);
    for (size_t i = 0; i < rule->source_count; i++)
        add(sum, "source %s\n", ip_net_format(&rule->source[i], net));
    for (size_t i = 0; i < rule->country_count; i++)
        add(sum, "country %s\n", rule->country[i]);
    add(sum, "flags %d %d %d %d %d\n", rule->enabled, rule->override, rule->bidirectional,
        (int)rule->mode, (int)rule->part);
    add(sum, "valid %" PRIu64 " %" PRIu64 "\n", rule->valid_from_ms, rule->valid_until_ms);
    add(sum, "note %s\n", rule->note);
}

static void add_policy(struct sum *sum, const struct policy *policy)
{
    char net[IP_NET_TEXT_MAX];

    for (size_t i = 0; i < policy->domain_count; i++)
        add(sum, "domain %s\n", policy->domain[i].name);
    for (size_t i = 0; i < policy->trusted_count; i++)
        add(sum, "trusted %s\n", ip_net_format(&policy->trusted[i], net));
    add_settings(sum, &policy->settings);
    for (size_t i = 0; i < policy->rule_count; i++)
        add_rule(sum, policy, &policy->rule[i]);
}

uint64_t version_of(const struct policy *policy)
{
    struct sum sum;
    unsigned char bytes[crypto_generichash_BYTES_MIN];
    uint64_t number = 0;

    (void)crypto_generichash_init(&sum.state, NULL, 0, sizeof(bytes));
    add_policy(&sum, policy);
    (void)crypto_generichash_final(&sum.state, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(number); i++)
        number = number << 8 | bytes[i];
    number &= (1ULL << 53) - 1; // exact also where it becomes a double: metrics, JSON
    return number != 0 ? number : 1;
}
