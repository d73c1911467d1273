// The whole chain over random sets and mails, two ways each that must end in the same verdict: with and without the policies
// that are not about the mail, with and without a trace, in another order of the files, in one go and again.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/chain.h"
#include "node/policy/lint.h"
#include "node/policy/set.h"
#include "proto/base/mem.h"
#include "tests/support/policy_kinds.h"
#include "tests/support/policy_reference.h"
#include "tests/support/table.h"

enum { SETS = 400, MAILS = 25, LARGE = 40, TEXT_BYTES = 4096 };

// ---- A mail, judged

struct judged {
    enum outcome outcome;
    struct verdict verdict;
    char rule[32], shadow_rule[32], note[64], hold_for[16];
    struct trace_row rows[CHAIN_STEPS_MAX];
    struct trace trace;
    char text[TEXT_BYTES];
};

// What beside the addresses a mail brings.
struct manner {
    enum msg_stage stage;
    enum msg_auth spf;
    bool has_login;
    const char *country;
    bool is_passed; // its triplet
    bool dry_run;
};

static void facts_of(const struct policy *policy, const struct written_mail *mail,
                     const struct manner *manner, struct arena *arena, struct facts *out)
{
    *out = (struct facts){
        .stage = manner->stage,
        .name = "",
        .spf_domain = "",
        .auth_user = manner->has_login ? mail->from.text : "",
        .client_name = "",
        .helo = "",
        .country = manner->country,
        .external = "",
        .spf = manner->spf,
        .smtputf8 = true,
        .recipient_count = 1,
        .names_all = true,
        .now_ms = mail->now_ms,
        .clock_ok = true,
        .keys_known = true,
        .dry_run = manner->dry_run,
    };
    assert_true(mail->client[0] == '\0' || ip_parse(mail->client, &out->client));
    assert_int_equal(mail_parse(mail->from.text, arena, &out->sender), ERR_NONE);
    policy_party_of(policy, &out->sender, POLICY_AS_SENDER, &out->sender_party);
    if (manner->has_login) {
        assert_int_equal(mail_parse(out->auth_user, arena, &out->login), ERR_NONE);
        policy_party_of(policy, &out->login, POLICY_AS_SENDER, &out->login_party);
    }
    out->trusted = manner->has_login || policy_is_trusted_ip(policy, &out->client);
}

static void fill_stamps(const struct manner *manner, uint64_t now_ms, struct facts_recipient *out)
{
    out->triplet.identity_count = 2;
    for (unsigned age = 0; age < 2; age++) {
        for (unsigned i = 0; i < KEY_IDENTITY_MAX; i++) {
            out->grey.passed[age][i].state = FACT_ABSENT;
            out->grey.pending[age][i].state = FACT_ABSENT;
        }
    }
    if (manner->is_passed)
        out->grey.passed[KEY_CURRENT][1] = (struct fact_stamp){FACT_PRESENT, now_ms - 1000, 9};
}

static void keep_text(const char *text, char *out, size_t size)
{
    (void)snprintf(out, size, "%s", text != NULL ? text : "");
}

static void judge(const struct policy *policy, const struct written_mail *mail,
                  const struct manner *manner, bool traced, struct judged *out)
{
    static char memory[8192];
    struct arena arena;
    struct facts facts;
    struct facts_members members = {.count = 0};
    struct facts_recipient recipient = {.place = 1, .mark = 7};
    const struct facts_recipient *const named[] = {&recipient};
    struct chain_in in = {&facts, &recipient, policy};
    struct chain_start start;
    struct trace *trace = traced ? &out->trace : NULL;

    memset(out, 0, sizeof(*out));
    out->trace.rows = out->rows;
    text_buf_init(&out->trace.text, out->text, sizeof(out->text));
    arena_init(&arena, memory, sizeof(memory));
    facts_of(policy, mail, manner, &arena, &facts);
    facts.named = named;
    facts.named_count = 1;
    facts.members = &members;
    assert_int_equal(mail_parse(mail->to.text, &arena, &recipient.address), ERR_NONE);
    policy_party_of(policy, &recipient.address, POLICY_AS_RECIPIENT, &recipient.party);
    fill_stamps(manner, mail->now_ms, &recipient);
    chain_begin(&in, &start, trace);
    out->outcome = chain_run(&in, &start, &out->verdict, trace);
    keep_text(out->verdict.rule, out->rule, sizeof(out->rule));
    keep_text(out->verdict.shadow_rule, out->shadow_rule, sizeof(out->shadow_rule));
    keep_text(out->verdict.note, out->note, sizeof(out->note));
    keep_text(out->verdict.hold_for, out->hold_for, sizeof(out->hold_for));
}

// ---- One set

struct play {
    uint64_t seed;
    struct random random;
    struct written_set set;
    struct policy *policy;
    char yaml[WRITTEN_YAML_MAX];
    unsigned long judged, by_policy;
};

static struct policy *compiled(struct play *play, const struct written_set *set,
                               const struct written_shuffle *shuffle)
{
    struct err_detail detail = {.text = ""};
    struct policy *policy = NULL;

    written_yaml(set, shuffle, 0, play->yaml);
    if (policy_parse("set.yaml", play->yaml, strlen(play->yaml), &policy, &detail) == ERR_NONE)
        return policy;
    (void)fprintf(stderr, "REEVE_SEED=%llu\n%s\n", (unsigned long long)play->seed, play->yaml);
    fail_msg("the set is refused: %s", detail.text);
    return NULL;
}

static const struct written_shuffle in_order = {.files = 1};

static void play_open(struct play *play, uint64_t seed)
{
    const struct written_shape shape = {.kind = written_kinds,
                                        .kind_count = WRITTEN_KINDS,
                                        .policies = seed % 3 == 0 ? LARGE : 8,
                                        .groups = true,
                                        .users = true};

    play->seed = seed;
    play->random.state = seed;
    written_random(&play->random, &shape, &play->set);
    play->policy = compiled(play, &play->set, &in_order);
}

static struct manner random_manner(struct random *random)
{
    static const enum msg_stage stages[] = {MSG_MAIL, MSG_RCPT, MSG_RCPT, MSG_RCPT, MSG_END};
    static const enum msg_auth spf[] = {MSG_AUTH_UNSPECIFIED, MSG_AUTH_PASS, MSG_AUTH_FAIL,
                                        MSG_AUTH_SOFTFAIL};
    static const char *const countries[] = {"", "DE", "ZA"};

    return (struct manner){
        .stage = RANDOM_OF(random, stages),
        .spf = RANDOM_OF(random, spf),
        .has_login = random_chance(random, 25),
        .country = RANDOM_OF(random, countries),
        .is_passed = random_chance(random, 30),
        .dry_run = random_chance(random, 30),
    };
}

static void must_be_same(struct play *play, const struct written_mail *mail,
                         const struct judged *one, const struct judged *other, const char *what)
{
    const struct verdict *a = &one->verdict;
    const struct verdict *b = &other->verdict;
    bool is_same =
        one->outcome == other->outcome && a->reason == b->reason && a->shadow == b->shadow &&
        a->direction == b->direction && a->skip_reputation == b->skip_reputation &&
        a->skip_greylist == b->skip_greylist && a->skip_spam == b->skip_spam &&
        a->degraded == b->degraded && a->retry_after_ms == b->retry_after_ms &&
        a->changes.want_pending == b->changes.want_pending &&
        a->changes.want_recipient_count == b->changes.want_recipient_count &&
        a->changes.want_mail_count == b->changes.want_mail_count && a->carries == b->carries &&
        a->changes.write_passed == b->changes.write_passed && strcmp(one->rule, other->rule) == 0 &&
        strcmp(one->shadow_rule, other->shadow_rule) == 0 && strcmp(one->note, other->note) == 0 &&
        strcmp(one->hold_for, other->hold_for) == 0;

    if (is_same)
        return;
    written_yaml(&play->set, &in_order, 0, play->yaml);
    (void)fprintf(stderr, "REEVE_SEED=%llu\n%s\nfrom <%s> to <%s> client '%s' at %llu\n",
                  (unsigned long long)play->seed, play->yaml, mail->from.text, mail->to.text,
                  mail->client, (unsigned long long)mail->now_ms);
    fail_msg("%s: %s %s (shadow %s), else %s %s (shadow %s)", what, reason_row(a->reason)->id,
             one->rule, one->shadow_rule, reason_row(b->reason)->id, other->rule,
             other->shadow_rule);
}

// Plays every set and mail; fn judges it in another way and compares.
static void play_all(uint64_t seed_unless_said,
                     void (*fn)(struct play *play, const struct written_mail *mail,
                                const struct manner *manner, const struct judged *first))
{
    struct play *play = mem_new(sizeof(*play));
    struct judged *first = mem_new(sizeof(*first));
    uint64_t seed = random_seed(seed_unless_said);

    for (unsigned i = 0; i < SETS; i++) {
        play_open(play, seed + i);
        for (unsigned k = 0; k < MAILS; k++) {
            struct manner manner = random_manner(&play->random);
            struct written_mail mail;

            written_random_mail(&play->random, &play->set, &mail);
            judge(play->policy, &mail, &manner, true, first);
            play->judged++;
            play->by_policy += first->rule[0] != '\0' || first->shadow_rule[0] != '\0';
            fn(play, &mail, &manner, first);
        }
        policy_free(&play->policy);
    }
    print_message("%lu mails judged, %lu by a policy\n", play->judged, play->by_policy);
    assert_true(play->by_policy > play->judged / 20);
    mem_free(first);
    mem_free(play);
}

// ---- The properties

static bool is_about(const struct written_set *set, const struct written_policy *policy,
                     const struct written_mail *mail)
{
    struct reference_level level;

    return reference_fits_mail(set, policy, mail, false, &level) ||
           (policy->bidirectional && reference_fits_mail(set, policy, mail, true, &level));
}

static void without_the_others(struct play *play, const struct written_mail *mail,
                               const struct manner *manner, const struct judged *first)
{
    static struct written_set fewer;
    struct judged *other = mem_new(sizeof(*other));
    struct policy *policy;

    fewer = play->set;
    fewer.policy_count = 0;
    for (unsigned i = 0; i < play->set.policy_count; i++)
        if (is_about(&play->set, &play->set.policy[i], mail))
            fewer.policy[fewer.policy_count++] = play->set.policy[i];
    policy = compiled(play, &fewer, &in_order);
    judge(policy, mail, manner, true, other);
    must_be_same(play, mail, first, other, "without the policies that are not about it");
    policy_free(&policy);
    mem_free(other);
}

static void a_policy_that_does_not_match_changes_no_verdict(void **state)
{
    (void)state;
    play_all(1000000, without_the_others);
}

static void in_another_order(struct play *play, const struct written_mail *mail,
                             const struct manner *manner, const struct judged *first)
{
    const struct written_shuffle shuffle = {.files = 1, .seed = random_next(&play->random) | 1};
    struct judged *other = mem_new(sizeof(*other));
    struct policy *policy = compiled(play, &play->set, &shuffle);

    judge(policy, mail, manner, true, other);
    must_be_same(play, mail, first, other, "in another order");
    assert_int_equal(policy->hash, play->policy->hash);
    assert_int_equal(first->trace.count, other->trace.count);
    for (size_t i = 0; i < other->trace.count; i++) {
        assert_int_equal(first->rows[i].outcome, other->rows[i].outcome);
        assert_string_equal(first->rows[i].step, other->rows[i].step);
    }
    policy_free(&policy);
    mem_free(other);
}

static void order_changes_no_verdict(void **state)
{
    (void)state;
    play_all(2000000, in_another_order);
}

static void without_trace(struct play *play, const struct written_mail *mail,
                          const struct manner *manner, const struct judged *first)
{
    struct judged *other = mem_new(sizeof(*other));

    judge(play->policy, mail, manner, false, other);
    must_be_same(play, mail, first, other, "without a trace");
    judge(play->policy, mail, manner, true, other);
    must_be_same(play, mail, first, other, "again");
    assert_memory_equal(first->text, other->text, sizeof(other->text));
    mem_free(other);
}

static void a_trace_changes_no_verdict(void **state)
{
    (void)state;
    play_all(3000000, without_trace);
}

// Every step of the stage stands in the trace once, in the table's order; a refusal is the last that hit, and what stands
// behind it is skipped. (A hold hits too, and is not the end.)
static void look_at_trace(struct play *play, const struct written_mail *mail,
                          const struct manner *manner, const struct judged *first)
{
    enum msg_action action = reason_row(first->verdict.reason)->action;
    size_t count = 0;
    size_t hit = 0; // row + 1
    size_t other = 0;
    const struct chain_in in = {.policy = play->policy};

    (void)mail;
    for (const struct step *step = chain_steps(); step->name != NULL; step++) {
        if ((step->stages & 1U << manner->stage) == 0 || count >= first->trace.count ||
            (step->is_placed != NULL && !step->is_placed(&in)))
            continue;
        assert_string_equal(first->rows[count].step, step->name);
        count++;
        if (first->rows[count - 1].outcome == OUTCOME_HIT)
            hit = count;
        else if (first->rows[count - 1].outcome != OUTCOME_SKIP)
            other = count;
    }
    assert_int_equal(count, first->trace.count);
    assert_true(count > 0);
    if (action == MSG_DEFER || action == MSG_REJECT)
        assert_true(hit > other);
    if (action == MSG_ACCEPT && first->outcome == OUTCOME_PASS)
        assert_int_equal(hit, 0);
}

static void a_trace_has_each_step_once(void **state)
{
    (void)state;
    play_all(4000000, look_at_trace);
}

// ---- Lint

// Those that lint says never decide anything, by their lines: a policy each.
struct dead {
    unsigned line[WRITTEN_POLICIES_MAX];
    unsigned count;
};

static bool note_dead(const struct policy_finding *finding, void *arg)
{
    struct dead *dead = arg;

    if (strcmp(finding->kind, "dead") != 0 && strcmp(finding->kind, "shadowed") != 0)
        return true;
    assert_true(dead->count < WRITTEN_POLICIES_MAX);
    dead->line[dead->count++] = finding->line;
    return true;
}

static bool is_dead(const struct dead *dead, const struct policy *policy, const char *id)
{
    for (size_t i = 0; i < policy->rule_count; i++)
        for (unsigned k = 0; k < dead->count; k++)
            if (policy->rule[i].line == dead->line[k] && strcmp(policy->rule[i].id, id) == 0)
                return true;
    return false;
}

static unsigned called_dead;

// The verdict without them is the same, but for who is named: one that lets where all is let may well be the one that applies.
static void without_the_dead(struct play *play, const struct written_mail *mail,
                             const struct manner *manner, const struct judged *first)
{
    static struct written_set fewer;
    struct judged *other = mem_new(sizeof(*other));
    struct judged nameless = *first;
    struct dead dead = {.count = 0};
    struct policy *policy;

    policy_lint(play->policy, mail->now_ms, note_dead, &dead);
    fewer = play->set;
    fewer.policy_count = 0;
    for (unsigned i = 0; i < play->set.policy_count; i++)
        if (!is_dead(&dead, play->policy, play->set.policy[i].id))
            fewer.policy[fewer.policy_count++] = play->set.policy[i];
    called_dead += dead.count;
    policy = compiled(play, &fewer, &in_order);
    judge(policy, mail, manner, true, other);
    nameless.rule[0] = nameless.shadow_rule[0] = other->rule[0] = other->shadow_rule[0] = '\0';
    must_be_same(play, mail, &nameless, other, "without those that lint calls dead");
    policy_free(&policy);
    mem_free(other);
}

static void nobody_misses_what_lint_calls_dead(void **state)
{
    (void)state;
    play_all(5000000, without_the_dead);
    print_message("%u times a policy was called dead\n", called_dead);
    assert_true(called_dead > SETS * MAILS / 4);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, a_policy_that_does_not_match_changes_no_verdict);
    TABLE_TEST(&table, order_changes_no_verdict);
    TABLE_TEST(&table, a_trace_changes_no_verdict);
    TABLE_TEST(&table, a_trace_has_each_step_once);
    TABLE_TEST(&table, nobody_misses_what_lint_calls_dead);
    return table_run(&table, "policy_chain");
}
