// policy_ask.h: which policy of a set applies to one sender, recipient and client, written as text.
#pragma once

#include <assert.h>
#include <stdint.h>

#include "node/core/policy.h"
#include "proto/base/mem.h"

struct policy_asked {
    enum policy_kind kind;
    const char *sender; // "" = <>
    const char *recipient;
    const char *client; // "" = not known
    uint64_t now_ms;
};

// policy_ask: NULL = none applies.
static inline const struct policy_rule *
policy_ask(const struct policy *policy, const struct policy_asked *asked, enum policy_view view)
{
    char memory[2][4096];
    struct arena arena[2];
    struct mail_address address[2];
    struct policy_party party[2];
    struct ip ip = {0};
    const struct policy_query query = {&party[0], &party[1], &ip, asked->now_ms, NULL, NULL};

    for (int i = 0; i < 2; i++) {
        arena_init(&arena[i], memory[i], sizeof(memory[i]));
        enum err err =
            mail_parse(i == 0 ? asked->sender : asked->recipient, &arena[i], &address[i]);

        assert(err == ERR_NONE);
        (void)err;
        policy_party_of(policy, &address[i], i == 0 ? POLICY_AS_SENDER : POLICY_AS_RECIPIENT,
                        &party[i]);
    }
    if (asked->client[0] != '\0') {
        bool is_ip = ip_parse(asked->client, &ip);

        assert(is_ip);
        (void)is_ip;
    }
    return policy_match(policy, asked->kind, &query, view);
}
