// apply.h: what the steps that rest on policies share: which policy applies, what those in shadow would change, and
// the words about it in a trace.
#pragma once

#include "node/core/chain.h"

// What applies to a message: in force, and as it were if what is in shadow were in force. The same one, where shadow
// changes nothing.
struct applied {
    const struct policy_rule *rule; // NULL = none
    const struct policy_rule *as_if;
};

// apply_find: the most specific policy of the kind; noted as used.
struct applied apply_find(const struct chain_in *in, enum policy_kind kind, struct verdict *out);
// apply_has_shadow: a policy of the kind is in shadow, so POLICY_AS_IF may say something else.
bool apply_has_shadow(const struct policy *policy, enum policy_kind kind);

// apply_take: the verdict is this policy's.
void apply_take(struct verdict *out, const struct policy_rule *rule);
// apply_shadow: notes what would have been decided, with the policy in shadow that would have, or NULL where the step
// is in shadow itself: the first one stays, but a refusal takes the place of what would only have let it through.
// Returns OUTCOME_SHADOW.
enum outcome apply_shadow(struct verdict *out, enum reason reason, const struct policy_rule *rule);

// apply_is_voided: SPF failed, so that no permit and no Auto Allow counts (settings.auth_failure_voids).
bool apply_is_voided(const struct chain_in *in);
// apply_let_through: without abuse, reputation, greylisting and spam checks. The first step that lets it through gives
// the reason.
void apply_let_through(struct verdict *out, enum reason reason);
// apply_silence: the store did not say what the step rests on: settings.fail decides.
enum outcome apply_silence(const struct chain_in *in, struct verdict *out);

// apply_say: "policy c blocks it (policy.yaml:7): from spam.example to *, client 192.0.2.1 in its source". what is
// the verb: "blocks it".
void apply_say(struct text_buf *why, const struct chain_in *in, const struct policy_rule *rule,
               const char *what);
// apply_say_pattern: a pattern as the policy file writes it.
void apply_say_pattern(struct text_buf *why, const struct policy *policy, uint32_t pattern);
