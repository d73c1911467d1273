// policy_step.c: the step `policy`: what the site's own people may send, and what they receive. No permit skips it.
//
// Asked in this order; the first refusal is the verdict, and mail that is held is only held if nothing refuses it:
// size, login match, number of recipients, users that are disabled, mail policies, limits, holds. At MAIL the first two.
#include <string.h>

#include "node/core/apply.h"
#include "node/core/limit.h"
#include "node/core/login.h"
#include "node/core/mail_policy.h"

// One run of the step.
struct work {
    const struct chain_in *in;
    struct verdict *out;
    struct text_buf *why;
    bool in_shadow;           // something would have decided
    struct mail_finding held; // HOLD: unless something refuses
    bool held_for_leaving;
};

static void begin_words(const struct work *work)
{
    if (work->why->used > 0)
        text_buf_put(work->why, "; ");
}

static void say(const struct work *work, const char *what)
{
    begin_words(work);
    text_buf_put(work->why, what);
}

// rule: "" where no policy says so; nor does one that has let the mail through before.
static enum outcome refuse(const struct work *work, enum reason reason, const char *rule)
{
    work->out->reason = reason;
    work->out->rule = rule;
    work->out->note = "";
    return OUTCOME_HIT;
}

static enum outcome refuse_by(const struct work *work, enum reason reason,
                              const struct policy_rule *rule)
{
    work->out->reason = reason;
    apply_take(work->out, rule);
    return OUTCOME_HIT;
}

// ---- the message alone

static enum outcome judge_size(struct work *work)
{
    const uint64_t most = work->in->policy->settings.limits.message_size;
    const uint64_t size = work->in->facts->size_bytes;

    if (most == 0 || size <= most)
        return OUTCOME_PASS;
    begin_words(work);
    text_buf_add(work->why, "%llu bytes, %llu at most (settings.limits.message_size)",
                 (unsigned long long)size, (unsigned long long)most);
    return refuse(work, REASON_size, "");
}

static enum outcome refuse_login(struct work *work)
{
    begin_words(work);
    text_buf_add(work->why, "%s is no address of login %s, and it has no send_as for it",
                 work->in->facts->sender.text, work->in->facts->auth_user);
    if (work->in->policy->settings.login_match == POLICY_LOGIN_ENFORCE)
        return refuse(work, REASON_login_mismatch, "");
    (void)apply_shadow(work->out, REASON_login_mismatch, NULL);
    work->in_shadow = true;
    return OUTCOME_PASS;
}

static enum outcome judge_login(struct work *work)
{
    if (work->in->policy->settings.login_match == POLICY_LOGIN_OFF)
        return OUTCOME_PASS;
    switch (login_match(work->in->facts, work->in->policy)) {
    case LOGIN_FOREIGN:
        return refuse_login(work);
    case LOGIN_SEND_AS:
        say(work, "the login has a send_as for this sender");
        break;
    case LOGIN_UNJUDGED:
        if (work->in->policy->domain_count > 0)
            say(work, "login match: the login is no address (settings.auth_domain makes it one)");
        break;
    case LOGIN_OWN:
    case LOGIN_NO_LOGIN:
        break;
    }
    return OUTCOME_PASS;
}

// ---- the recipients

static enum outcome judge_place(struct work *work)
{
    const uint64_t most = work->in->policy->settings.limits.recipients;
    const uint32_t place = work->in->recipient->place;

    if (most == 0 || place <= most)
        return OUTCOME_PASS;
    begin_words(work);
    text_buf_add(work->why, "recipient %u, %llu at most (settings.limits.recipients)",
                 (unsigned)place, (unsigned long long)most);
    return refuse(work, REASON_rcpt_count, "");
}

// ---- users

// The first of login and sender that is a user in that state.
static const struct policy_user *user_in(const struct work *work, enum policy_user_state state)
{
    const struct facts *facts = work->in->facts;
    const struct policy_user *login = policy_user_of(work->in->policy, &facts->login_party);
    const struct policy_user *sender = policy_user_of(work->in->policy, &facts->sender_party);

    if (login != NULL && login->state == state)
        return login;
    return sender != NULL && sender->state == state ? sender : NULL;
}

static void say_user(const struct work *work, const struct policy_user *user, const char *what)
{
    const struct policy_pattern *mailbox = &work->in->policy->known[user->mailbox].pattern;

    begin_words(work);
    text_buf_add(work->why, "user %s@%s is %s (%s:%u)", mailbox->local, mailbox->domain, what,
                 user->file, user->line);
}

static enum outcome judge_users(struct work *work)
{
    const struct policy_user *disabled = user_in(work, POLICY_USER_DISABLED);
    const struct policy_user *leaving = user_in(work, POLICY_USER_LEAVING);

    if (disabled != NULL) {
        say_user(work, disabled, "disabled and sends nothing");
        return refuse(work, REASON_policy_sender, "disabled");
    }
    if (leaving != NULL && work->out->direction == MSG_OUTBOUND) {
        say_user(work, leaving, "leaving: outbound mail is held");
        work->held_for_leaving = true;
    }
    return OUTCOME_PASS;
}

// ---- mail policies

static enum reason reason_of(const struct mail_finding *finding)
{
    if (finding->action == POLICY_HOLD)
        return finding->as_sender ? REASON_policy_sender_hold : REASON_policy_recipient_hold;
    return finding->as_sender ? REASON_policy_sender : REASON_policy_recipient;
}

// What a policy that looks at all recipients said of another one of them. True: it is stricter.
static bool add_for_all(const struct work *work, struct mail_finding *finding)
{
    const struct facts_for_all *for_all = &work->in->facts->for_all;

    if (for_all->rule == NULL || for_all->action <= finding->action)
        return false;
    *finding = (struct mail_finding){
        .action = for_all->action, .rule = for_all->rule, .as_sender = for_all->as_sender};
    return true;
}

static void say_for_all(const struct work *work, const struct policy_rule *rule)
{
    begin_words(work);
    text_buf_add(work->why, "policy %s (%s:%u) decides for all recipients of this message",
                 rule->id, rule->file, rule->line);
}

static void judge_in_shadow(struct work *work, const struct mail_finding *finding)
{
    struct text_buf nowhere;
    struct mail_finding as_if;

    if (!mail_policy_has_shadow(work->in->policy))
        return;
    text_buf_init(&nowhere, NULL, 0);
    as_if = mail_policy_find(work->in, work->out, POLICY_AS_IF, &nowhere);
    (void)add_for_all(work, &as_if);
    if (as_if.rule == NULL || as_if.action == finding->action)
        return;
    say(work, "in shadow: ");
    mail_policy_say(work->why, &as_if);
    if (as_if.action < finding->action)
        return;
    (void)apply_shadow(work->out, reason_of(&as_if), as_if.rule);
    work->in_shadow = true;
}

static enum outcome judge_policies(struct work *work)
{
    struct mail_finding finding = mail_policy_find(work->in, work->out, POLICY_IN_FORCE, work->why);

    if (add_for_all(work, &finding))
        say_for_all(work, finding.rule);
    judge_in_shadow(work, &finding);
    if (finding.action == POLICY_REJECT)
        return refuse_by(work, reason_of(&finding), finding.rule);
    if (finding.action == POLICY_HOLD)
        work->held = finding;
    return OUTCOME_PASS;
}

// ---- limits

static void say_limit(const struct work *work, const struct limit_bounds *bounds,
                      enum limit_word word)
{
    const struct facts_recipient *recipient = work->in->recipient;
    const bool per_mail = word == LIMIT_RCPT_PER_MAIL;
    const bool of_mails = word == LIMIT_MAIL_PER_DAY;
    const uint64_t most = per_mail   ? bounds->rcpt_per_mail
                          : of_mails ? bounds->mail_per_day
                                     : bounds->rcpt_per_day;
    const uint64_t count = per_mail   ? recipient->place
                           : of_mails ? recipient->limit.mails.count
                                      : recipient->limit.recipients.count;

    if (bounds->rule != NULL)
        text_buf_add(work->why, "limit policy %s (%s:%u): ", bounds->rule->id, bounds->rule->file,
                     bounds->rule->line);
    else
        text_buf_put(work->why, "settings.leaving: ");
    text_buf_add(work->why, "%s %llu of %s, %llu at most", of_mails ? "mail" : "recipient",
                 (unsigned long long)count, per_mail ? "this mail" : "today",
                 (unsigned long long)most);
}

static enum reason reason_of_limit(const struct limit_owner *owner, enum limit_word word)
{
    if (word == LIMIT_RCPT_PER_MAIL)
        return REASON_limit_rcpt;
    return owner->by_login ? REASON_limit_day : REASON_limit_day_trusted;
}

static enum outcome judge_silence(struct work *work)
{
    if (!work->out->degraded)
        say(work, "not known how much was sent today: the store did not say");
    work->out->degraded = true;
    if (work->in->policy->settings.fail == POLICY_FAIL_DEFER)
        return refuse(work, REASON_store_down, "");
    if (work->out->reason == REASON_accept)
        work->out->reason = REASON_degraded;
    return OUTCOME_PASS;
}

// All that limits one message.
struct limits {
    struct limit_owner owner;
    struct limit_bounds of_leaver;
    struct limit_bounds of_policy;
    struct limit_bounds in_shadow; // of the policy that would apply
};

static enum outcome judge_bounds(struct work *work, const struct limit_owner *owner,
                                 const struct limit_bounds *bounds)
{
    enum limit_word word = limit_judge(work->in->recipient, bounds);

    if (word == LIMIT_INSIDE || word == LIMIT_UNASKED)
        return OUTCOME_PASS;
    if (word == LIMIT_UNKNOWN)
        return judge_silence(work);
    begin_words(work);
    say_limit(work, bounds, word);
    if (bounds->rule == NULL)
        return refuse(work, reason_of_limit(owner, word), "leaving");
    return refuse_by(work, reason_of_limit(owner, word), bounds->rule);
}

// A limit in shadow counts as one in force does, and refuses nobody.
static void judge_bounds_in_shadow(struct work *work, const struct limits *limits)
{
    const struct limit_bounds *bounds = &limits->in_shadow;
    enum limit_word word = limit_judge(work->in->recipient, bounds);

    if (word == LIMIT_INSIDE || word == LIMIT_UNKNOWN || word == LIMIT_UNASKED)
        return;
    say(work, "in shadow: ");
    say_limit(work, bounds, word);
    (void)apply_shadow(work->out, reason_of_limit(&limits->owner, word), bounds->rule);
    work->in_shadow = true;
}

// What one in shadow would let is told where the one in force refuses.
static void say_what_shadow_lets(const struct work *work, const struct limits *limits)
{
    const struct policy_rule *rule = limits->in_shadow.rule;

    if (rule == NULL || limit_judge(work->in->recipient, &limits->in_shadow) != LIMIT_INSIDE)
        return;
    begin_words(work);
    text_buf_add(work->why, "policy %s (%s:%u) in shadow would let it", rule->id, rule->file,
                 rule->line);
}

static enum outcome judge_policy_bounds(struct work *work, const struct limits *limits)
{
    const enum outcome outcome = judge_bounds(work, &limits->owner, &limits->of_policy);

    if (outcome == OUTCOME_PASS)
        judge_bounds_in_shadow(work, limits);
    else if (work->out->reason != REASON_store_down)
        say_what_shadow_lets(work, limits);
    return outcome;
}

// It is refused whatever was counted, so it need not be.
static bool is_refused_anyway(const struct work *work, const struct limits *limits)
{
    const struct facts_recipient *recipient = work->in->recipient;

    return limit_judge(recipient, &limits->of_leaver) == LIMIT_RCPT_PER_MAIL ||
           limit_judge(recipient, &limits->of_policy) == LIMIT_RCPT_PER_MAIL;
}

// True: what any of them is about must be counted first.
static bool must_count(const struct work *work, const struct limits *limits)
{
    const struct limit_bounds *const all[] = {&limits->of_leaver, &limits->of_policy,
                                              &limits->in_shadow};
    struct changes *changes = &work->out->changes;

    if (work->in->recipient->limit.asked)
        return false;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        changes->want_recipient_count |= all[i]->rcpt_per_day > 0;
        changes->want_mail_count |= all[i]->mail_per_day > 0;
    }
    return changes->want_recipient_count || changes->want_mail_count;
}

static struct limits limits_of(const struct work *work, const struct limit_owner *owner)
{
    const bool has_shadow = apply_has_shadow(work->in->policy, POLICY_LIMIT);

    return (struct limits){
        .owner = *owner,
        .of_leaver = limit_of_leaver(work->in->policy, owner),
        .of_policy = limit_of_policy(work->in, owner, POLICY_IN_FORCE),
        .in_shadow = has_shadow ? limit_of_policy(work->in, owner, POLICY_AS_IF)
                                : (struct limit_bounds){.rule = NULL},
    };
}

static enum outcome judge_limits(struct work *work)
{
    const struct limit_owner owner = limit_owner(work->in->facts, work->out->direction);
    enum outcome outcome;

    if (owner.party == NULL)
        return OUTCOME_PASS;
    const struct limits limits = limits_of(work, &owner);

    chain_use(work->out, limits.of_policy.rule);
    if (limits.in_shadow.rule != limits.of_policy.rule)
        chain_use(work->out, limits.in_shadow.rule);
    if (!is_refused_anyway(work, &limits) && must_count(work, &limits))
        return OUTCOME_WAIT;
    outcome = judge_bounds(work, &owner, &limits.of_leaver);
    return outcome == OUTCOME_PASS ? judge_policy_bounds(work, &limits) : outcome;
}

// ---- holds

// Nobody who is leaving releases his own mail.
static const char *releaser(const struct work *work)
{
    const char *hold_for = work->held.rule->hold_for;

    return work->held_for_leaving && strcmp(hold_for, "user") == 0 ? "moderator" : hold_for;
}

static enum outcome judge_held(struct work *work)
{
    if (work->held.rule != NULL) {
        work->out->hold_for = releaser(work);
        return refuse_by(work, reason_of(&work->held), work->held.rule);
    }
    if (work->held_for_leaving) {
        work->out->hold_for = "moderator";
        return refuse(work, REASON_policy_sender_hold, "leaving");
    }
    return OUTCOME_PASS;
}

// ---- the step

static enum outcome (*const judges[])(struct work *work) = {
    judge_size, judge_login, judge_place, judge_users, judge_policies, judge_limits, judge_held};
enum { JUDGES = sizeof(judges) / sizeof(judges[0]), JUDGES_AT_MAIL = 2 };

enum outcome policy_step(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    struct work work = {.in = in, .out = out, .why = why};
    const size_t count = in->facts->stage == MSG_MAIL ? JUDGES_AT_MAIL : JUDGES;
    enum outcome outcome = OUTCOME_PASS;

    for (size_t i = 0; i < count && outcome == OUTCOME_PASS; i++)
        outcome = judges[i](&work);
    if (why->used == 0)
        text_buf_put(why, "nothing speaks against it");
    return outcome == OUTCOME_PASS && work.in_shadow ? OUTCOME_SHADOW : outcome;
}
