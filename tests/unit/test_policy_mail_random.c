// Mail policies beside a slow reference: random policies of both forms and both sides, with conditions and exceptions, and mails with
// and without a login. What is compared is what becomes of the mail: allowed, held or blocked, and by whose policy. A failure
// prints the seed, the set and the mail; REEVE_SEED=... plays it again.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/chain.h"
#include "node/policy/set.h"
#include "proto/base/mem.h"
#include "tests/support/policy_reference.h"
#include "tests/support/table.h"

enum { SETS = 1500, MAILS = 30, RULES_MAX = 24, EXCEPTS_MAX = 2 };

// In the order of strictness.
enum action { ALLOW, HOLD, BLOCK };
static const char *const action_words[] = {"allow", "hold", "block"};

struct condition {
    bool has_from, has_to;
    struct written_pattern from, to;
    unsigned size_over; // 0 = any
};

struct rule {
    struct written_policy base; // its id, from or to, source, time
    bool is_rule_form;          // when and action; else default
    enum action action;
    struct condition when;
    struct condition except[EXCEPTS_MAX];
    unsigned except_count;
};

struct play {
    uint64_t seed;
    struct random random;
    struct written_set set; // its groups, users, domains; no policies
    struct rule rule[RULES_MAX];
    unsigned rule_count;
    struct policy *policy;
    char yaml[WRITTEN_YAML_MAX];
    unsigned long seen[3];
};

struct mail {
    struct written_mail envelope;
    bool has_login;
    struct written_address login;
    unsigned size;
};

// ---- Sets

static void random_condition(struct play *play, struct condition *out)
{
    struct random *random = &play->random;
    unsigned parts = 1 + random_below(random, 7);

    *out = (struct condition){.has_from = (parts & 1) != 0, .has_to = (parts & 2) != 0};
    if ((parts & 4) != 0)
        out->size_over = 1 + random_below(random, 3);
    out->from = written_random_pattern(random, true, play->set.group_count);
    out->to = written_random_pattern(random, false, play->set.group_count);
}

static void random_rule(struct play *play, unsigned number, struct rule *out)
{
    static const struct written_kind_row kind = {"mail", {{"", 0, false}}, 1, false};
    struct random *random = &play->random;

    memset(out, 0, sizeof(*out));
    written_random_policy(random, &play->set, &kind, number, &out->base);
    out->base.bidirectional = false;
    if (out->base.has_from && out->base.has_to) { // one of the two
        struct written_pattern everyone = {.local = "", .domain = ""};

        out->base.has_to = random_chance(random, 50);
        out->base.has_from = !out->base.has_to;
        *(out->base.has_to ? &out->base.from : &out->base.to) = everyone;
    }
    out->is_rule_form = random_chance(random, 50);
    out->action = (enum action)random_below(random, 3);
    if (!out->is_rule_form && out->action == HOLD)
        out->action = BLOCK;
    random_condition(play, &out->when);
    out->except_count = random_below(random, EXCEPTS_MAX + 1);
    for (unsigned i = 0; i < out->except_count; i++)
        random_condition(play, &out->except[i]);
}

static void print_condition(const struct written_set *set, const struct condition *condition,
                            FILE *out)
{
    const char *comma = "";

    (void)fprintf(out, "{");
    if (condition->has_from) {
        (void)fprintf(out, "from: ");
        written_print_pattern(set, &condition->from, out);
        comma = ", ";
    }
    if (condition->has_to) {
        (void)fprintf(out, "%sto: ", comma);
        written_print_pattern(set, &condition->to, out);
        comma = ", ";
    }
    if (condition->size_over > 0)
        (void)fprintf(out, "%ssize_over: %u", comma, condition->size_over);
    (void)fprintf(out, "}");
}

static void print_rule(const struct written_set *set, const struct rule *rule, FILE *out)
{
    char line[1024];
    FILE *base = fmemopen(line, sizeof(line), "w");

    written_print_policy(set, &rule->base, base);
    (void)fclose(base);
    *strrchr(line, '}') = '\0'; // more stands before it
    (void)fprintf(out, "%s, %s: %s", line, rule->is_rule_form ? "action" : "default",
                  action_words[rule->action]);
    if (rule->is_rule_form) {
        (void)fprintf(out, ", when: ");
        print_condition(set, &rule->when, out);
    }
    if (rule->except_count > 0)
        (void)fprintf(out, ", except: [");
    for (unsigned i = 0; i < rule->except_count; i++) {
        (void)fprintf(out, "%s", i > 0 ? ", " : "");
        print_condition(set, &rule->except[i], out);
    }
    (void)fprintf(out, "%s}\n", rule->except_count > 0 ? "]" : "");
}

static void play_open(struct play *play, uint64_t seed)
{
    static const struct written_shape shape = {.groups = true, .users = true};
    static const struct written_shuffle in_order = {.files = 1};
    struct err_detail detail = {.text = ""};
    FILE *out;

    play->seed = seed;
    play->random.state = seed;
    written_random(&play->random, &shape, &play->set);
    for (unsigned i = 0; i < play->set.domain_count; i++)
        play->set.anti_spoof[i] = "{anti_spoof: shadow}"; // no other step refuses
    play->set.head = "settings: {relay: ignore, login_match: off}\n";
    written_yaml(&play->set, &in_order, 0, play->yaml);
    play->rule_count = 1 + random_below(&play->random, RULES_MAX);
    out = fmemopen(play->yaml + strlen(play->yaml), WRITTEN_YAML_MAX / 2, "w");
    (void)fprintf(out, "policies:\n");
    for (unsigned i = 0; i < play->rule_count; i++) {
        random_rule(play, i, &play->rule[i]);
        print_rule(&play->set, &play->rule[i], out);
    }
    (void)fclose(out);
    if (policy_parse("set.yaml", play->yaml, strlen(play->yaml), &play->policy, &detail) ==
        ERR_NONE)
        return;
    (void)fprintf(stderr, "REEVE_SEED=%llu\n%s\n", (unsigned long long)seed, play->yaml);
    fail_msg("the set is refused: %s", detail.text);
}

// ---- The reference

static bool condition_holds(const struct written_set *set, const struct condition *condition,
                            const struct mail *mail)
{
    const struct reference_party from = {set, &mail->envelope.from, REFERENCE_SENDER, true};
    const struct reference_party to = {set, &mail->envelope.to, REFERENCE_RECIPIENT, true};

    return (!condition->has_from || reference_fits(&from, &condition->from)) &&
           (!condition->has_to || reference_fits(&to, &condition->to)) &&
           (condition->size_over == 0 || mail->size > condition->size_over);
}

static enum action rule_says(const struct written_set *set, const struct rule *rule,
                             const struct mail *mail)
{
    for (unsigned i = 0; i < rule->except_count; i++)
        if (condition_holds(set, &rule->except[i], mail))
            return rule->action == ALLOW ? BLOCK : ALLOW;
    return rule->action;
}

// What the policies of one side and form say, asked for this sender.
static enum action side_says(const struct play *play, const struct mail *mail, bool is_sender,
                             bool is_rule_form, const struct written_address *sender)
{
    struct written_mail envelope = mail->envelope;
    struct reference_level best = {{0}};
    enum action strictest = ALLOW;
    bool found = false;

    envelope.from = *sender;
    for (unsigned i = 0; i < play->rule_count; i++) {
        const struct rule *rule = &play->rule[i];
        struct written_policy base = rule->base;
        struct reference_level level;
        static const struct written_option about_users = {"", 0, false};
        enum action says;
        int order;

        base.option = &about_users;
        if (base.has_from != is_sender || rule->is_rule_form != is_rule_form || base.shadow ||
            !reference_fits_mail(&play->set, &base, &envelope, false, &level) ||
            (is_rule_form && !condition_holds(&play->set, &rule->when, mail)))
            continue;
        says = rule_says(&play->set, rule, mail);
        order = found ? reference_compare(&level, &best) : 1;
        if (order > 0 || (order == 0 && says > strictest))
            strictest = says;
        if (order > 0)
            best = level;
        found = true;
    }
    return strictest;
}

static enum action stricter(enum action a, enum action b)
{
    return a > b ? a : b;
}

static enum action sender_says(const struct play *play, const struct mail *mail)
{
    enum action says = ALLOW;

    for (int form = 0; form < 2 && mail->envelope.from.is != WRITTEN_NOBODY; form++) {
        says = stricter(says, side_says(play, mail, true, form == 1, &mail->envelope.from));
        if (mail->has_login)
            says = stricter(says, side_says(play, mail, true, form == 1, &mail->login));
    }
    return says;
}

static enum action recipient_says(const struct play *play, const struct mail *mail)
{
    return stricter(side_says(play, mail, false, false, &mail->envelope.from),
                    side_says(play, mail, false, true, &mail->envelope.from));
}

// ---- The node

static void judge(const struct play *play, const struct mail *mail, struct verdict *out)
{
    static char memory[8192];
    struct arena arena;
    struct facts facts = {.stage = MSG_RCPT,
                          .name = "",
                          .spf_domain = "",
                          .auth_user = mail->has_login ? mail->login.text : "",
                          .client_name = "",
                          .helo = "",
                          .country = "",
                          .external = "",
                          .smtputf8 = true,
                          .size_bytes = mail->size,
                          .recipient_count = 1,
                          .names_all = true,
                          .trusted = mail->has_login,
                          .now_ms = mail->envelope.now_ms,
                          .clock_ok = true,
                          .keys_known = true};
    struct facts_members members = {.count = 0};
    struct facts_recipient recipient = {.place = 1, .mark = 7};
    const struct facts_recipient *const named[] = {&recipient};
    const struct chain_in in = {&facts, &recipient, play->policy};
    struct chain_start start;

    arena_init(&arena, memory, sizeof(memory));
    assert_true(mail->envelope.client[0] == '\0' || ip_parse(mail->envelope.client, &facts.client));
    assert_int_equal(mail_parse(mail->envelope.from.text, &arena, &facts.sender), ERR_NONE);
    assert_int_equal(mail_parse(mail->envelope.to.text, &arena, &recipient.address), ERR_NONE);
    policy_party_of(play->policy, &facts.sender, POLICY_AS_SENDER, &facts.sender_party);
    policy_party_of(play->policy, &recipient.address, POLICY_AS_RECIPIENT, &recipient.party);
    if (mail->has_login) {
        assert_int_equal(mail_parse(mail->login.text, &arena, &facts.login), ERR_NONE);
        policy_party_of(play->policy, &facts.login, POLICY_AS_SENDER, &facts.login_party);
    }
    facts.named = named;
    facts.named_count = 1;
    facts.members = &members;
    recipient.triplet.identity_count = 2;
    recipient.grey.passed[KEY_CURRENT][1] =
        (struct fact_stamp){FACT_PRESENT, mail->envelope.now_ms - 1000, 9};
    chain_begin(&in, &start, NULL);
    assert_int_equal(chain_run(&in, &start, out, NULL), OUTCOME_PASS);
}

static enum action action_of(const struct verdict *verdict)
{
    enum msg_action action = reason_row(verdict->reason)->action;

    return action == MSG_REJECT ? BLOCK : action == MSG_HOLD ? HOLD : ALLOW;
}

static bool is_whose(const struct verdict *verdict, bool is_sender)
{
    if (is_sender)
        return verdict->reason == REASON_policy_sender ||
               verdict->reason == REASON_policy_sender_hold;
    return verdict->reason == REASON_policy_recipient ||
           verdict->reason == REASON_policy_recipient_hold;
}

static void compare(struct play *play, const struct mail *mail)
{
    const enum action sender = sender_says(play, mail);
    const enum action recipient = recipient_says(play, mail);
    const enum action wanted = stricter(sender, recipient);
    struct verdict verdict;
    bool is_same;

    judge(play, mail, &verdict);
    is_same = action_of(&verdict) == wanted;
    if (is_same && wanted != ALLOW)
        is_same = (sender == wanted && is_whose(&verdict, true)) ||
                  (recipient == wanted && is_whose(&verdict, false));
    play->seen[wanted]++;
    if (is_same)
        return;
    (void)fprintf(stderr,
                  "REEVE_SEED=%llu\n%s\nfrom <%s> to <%s> login '%s' client '%s' size %u at %llu\n",
                  (unsigned long long)play->seed, play->yaml, mail->envelope.from.text,
                  mail->envelope.to.text, mail->has_login ? mail->login.text : "",
                  mail->envelope.client, mail->size, (unsigned long long)mail->envelope.now_ms);
    fail_msg("wanted sender %s, recipient %s, came %s by '%s'", action_words[sender],
             action_words[recipient], reason_row(verdict.reason)->id, verdict.rule);
}

static bool random_mail(struct play *play, struct mail *out)
{
    written_random_mail(&play->random, &play->set, &out->envelope);
    out->has_login = random_chance(&play->random, 40);
    written_random_address(&play->random, &play->set, true, &out->login);
    out->size = random_below(&play->random, 5);
    return out->envelope.from.is != WRITTEN_BROKEN && out->envelope.to.is != WRITTEN_BROKEN &&
           out->login.is == WRITTEN_PLAIN;
}

static void mail_policies_do_what_the_specification_says(void **state)
{
    struct play *play = mem_new(sizeof(*play));
    uint64_t seed = random_seed(9000000);

    (void)state;
    for (unsigned i = 0; i < SETS; i++) {
        play_open(play, seed + i);
        for (unsigned k = 0; k < MAILS; k++) {
            struct mail mail;

            if (random_mail(play, &mail))
                compare(play, &mail);
        }
        policy_free(&play->policy);
    }
    print_message("%lu allowed, %lu held, %lu blocked\n", play->seen[ALLOW], play->seen[HOLD],
                  play->seen[BLOCK]);
    assert_true(play->seen[HOLD] > 500 && play->seen[BLOCK] > 1000);
    mem_free(play);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, mail_policies_do_what_the_specification_says);
    return table_run(&table, "policy_mail_random");
}
