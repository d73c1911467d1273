// policy_kinds.h: the kinds of policies that random sets are made of (policy_written.h), each option with how restrictive it is
// and whether it lets through: that fits no tagged sender.
#pragma once

#include "node/core/policy.h"
#include "tests/support/policy_written.h"

static const struct written_kind_row written_kinds[] = {
    {"geo, country: [\"*\"]",
     {{"option: no_action", 0, true},
      {"option: permit", 2, true},
      {"option: hold", 3, false},
      {"option: block", 4, false}},
     4,
     false},
    {"anti_spoof",
     {{"option: no_action", 0, true},
      {"option: spf_bypass", 1, true},
      {"option: reject", 4, false}},
     3,
     false},
    {"block", {{"option: no_action", 0, true}, {"", 4, false}}, 2, false},
    // What takes a permit back from an address restricts it, also under a tag.
    {"permit", {{"option: no_action", 0, false}, {"option: permit", 2, true}}, 2, false},
    {"greylist", {{"option: no_action", 0, true}}, 1, false},
    {"auto_allow", {{"option: no_action", 0, true}, {"option: none", 4, false}}, 2, false},
    {"limit", {{"option: no_action", 0, false}, {"rcpt_per_mail: 3", 4, false}}, 2, true},
};
enum { WRITTEN_KINDS = sizeof(written_kinds) / sizeof(written_kinds[0]) };

// How the compiled set calls written_kinds[i].
static const enum policy_kind written_compiled[WRITTEN_KINDS] = {
    POLICY_GEO,      POLICY_ANTI_SPOOF, POLICY_BLOCK, POLICY_PERMIT,
    POLICY_GREYLIST, POLICY_AUTO_ALLOW, POLICY_LIMIT};
