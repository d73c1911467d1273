// admin.h: the verb Admin: a word and its arguments. Each word has a row in admin.c's table; its
// function lives in the file that is called like the word's first half.
#pragma once

#include "node/verbs/internal.h"
#include "node/verbs/rows.h"

// One admin request under way. Lives in its seat's arena, so it is there until it is answered.
struct admin_call {
    struct server *server;
    struct seat *seat;
    struct rows rows;
    const char *cursor;
    const void *document; // of the answer
    size_t document_bytes;
    struct key_triplet key;        // grey.*
    struct store_triplet *retries; // track: which deferred tries have passed since
    size_t *retry_rows;            // the row of each
    uint64_t *retry_at_ms;
    size_t retry_count;
};

// admin_arg: an argument's text, or "" if it was not given.
const char *admin_arg(const struct admin_call *call, const char *key);
// admin_answer: sends the rows. The call is gone afterwards.
void admin_answer(struct admin_call *call);
// admin_answer_store: sends the rows if the store did its work, else STATUS_UNAVAILABLE and why.
void admin_answer_store(struct admin_call *call, enum store_state state);
// admin_refuse: STATUS_BAD_REQUEST.
void admin_refuse(struct admin_call *call, const char *fmt, ...) PRINTF_LIKE(2, 3);
// admin_number: an argument as a number. False (and refused) if it is none; missing = otherwise.
MUST_USE bool admin_number(struct admin_call *call, const char *key, uint64_t otherwise,
                           uint64_t *out);
// admin_page: the arguments limit (otherwise some; never more than most) and cursor (0 at the beginning). False (and refused) if one
// of them is none. admin_next: where the next page begins; 0 = there is none.
MUST_USE bool admin_page(struct admin_call *call, size_t otherwise, size_t most, uint64_t *cursor,
                         size_t *limit);
void admin_next(struct admin_call *call, uint64_t cursor);
// admin_now_ms: the store's time.
uint64_t admin_now_ms(const struct admin_call *call);

void allow_list(struct admin_call *call);
void allow_show(struct admin_call *call);
void allow_disable(struct admin_call *call);
void allow_forget(struct admin_call *call);
void allow_seed(struct admin_call *call);
void directory_begin(struct admin_call *call);
void directory_add(struct admin_call *call);
void directory_switch(struct admin_call *call);
void directory_abort(struct admin_call *call);
void directory_status(struct admin_call *call);
void directory_show(struct admin_call *call);
void directory_drop(struct admin_call *call);
// directory_method: how the policy set knows the recipients of a domain, in its words; "" = it is not in the set.
const char *directory_method(const struct policy *policy, const char *domain);
void blocked_list(struct admin_call *call);
void blocked_show(struct admin_call *call);
void blocked_lift(struct admin_call *call);
void expect_add(struct admin_call *call);
void expect_list(struct admin_call *call);
void expect_remove(struct admin_call *call);
void grey_show(struct admin_call *call);
void grey_pass(struct admin_call *call);
void grey_forget(struct admin_call *call);
void grey_list(struct admin_call *call);
void grey_seed(struct admin_call *call);
void managed_add(struct admin_call *call);
void managed_del(struct admin_call *call);
void managed_import(struct admin_call *call);
void managed_list(struct admin_call *call);
void managed_users(struct admin_call *call);
void policy_used(struct admin_call *call);
// policy_unused: adds a finding for each policy of the set (NULL: none) that has not decided anything since that moment, and
// answers.
void policy_unused(struct admin_call *call, struct policy_hold *set, uint64_t since_ms);
void policy_stage(struct admin_call *call);
void policy_diff_sets(struct admin_call *call);
void policy_activate(struct admin_call *call);
void policy_undo(struct admin_call *call);
void policy_history(struct admin_call *call);
void policy_show(struct admin_call *call);
void policy_status(struct admin_call *call);
void reputation_show(struct admin_call *call);
void reputation_list(struct admin_call *call);
void reputation_gateways(struct admin_call *call);
void reputation_take_out(struct admin_call *call);
void spared_show(struct admin_call *call);
void spared_forget(struct admin_call *call);
void track_find(struct admin_call *call);
