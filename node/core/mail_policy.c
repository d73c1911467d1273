// mail_policy.c: which mail policies apply, and what they say.
//
//                 default and exceptions     when, action and exceptions
//     from ...    the most specific one      the most specific one whose conditions hold       the sender's
//     to ...      the most specific one      the most specific one whose conditions hold       the recipient's
//
// Of each of the four one applies, and all must allow. Of equally specific ones (the groups that somebody is in) each
// is asked, and the strictest word counts. Whoever has authenticated himself is asked for under his envelope
// sender and under his login: no address that he may send as sheds his own policies. The null sender has none.
#include "node/core/mail_policy.h"

#include "node/core/apply.h"

// ---- one policy

static bool is_rule_form(enum policy_kind kind)
{
    return kind == POLICY_SENDER_RULE || kind == POLICY_RECIPIENT_RULE;
}

static enum policy_option opposite(enum policy_option action)
{
    return action == POLICY_ALLOW ? POLICY_REJECT : POLICY_ALLOW;
}

static bool is_leaving(const struct policy *policy, const struct policy_party *party)
{
    const struct policy_user *user = policy_user_of(policy, party);

    return user != NULL && user->state == POLICY_USER_LEAVING;
}

// One kind of policies while it is searched.
struct search {
    struct when_case when;
    enum policy_kind kind;
    bool by_leaver; // who leaves the house finds the protected groups closed
    struct mail_finding best;
    uint32_t level; // of the best
    int source_bits;
    const struct policy_rule *near; // would apply but for this condition
    const char *missed;
};

// The first exception that holds; 0 = none does.
static size_t exception_of(const struct search *search, const struct policy_rule *rule)
{
    struct when_case when = search->when;

    when.without_groups = search->by_leaver && rule->option != POLICY_ALLOW;
    for (size_t i = 0; i < rule->except_count; i++)
        if (when_miss(&when, &rule->except[i]) == NULL)
            return i + 1;
    return 0;
}

static struct mail_finding ask(const struct search *search, const struct policy_rule *rule)
{
    struct mail_finding finding = {
        .action = rule->option,
        .rule = rule,
        .as_sender = rule->kind == POLICY_SENDER || rule->kind == POLICY_SENDER_RULE,
        .for_all = is_rule_form(rule->kind) && when_is_for_all(&rule->when)};

    if (rule->option == POLICY_NO_ACTION) {
        finding.action = POLICY_ALLOW;
        return finding;
    }
    finding.exception = exception_of(search, rule);
    if (finding.exception > 0) {
        finding.action = opposite(rule->option);
        finding.for_all |= when_is_for_all(&rule->except[finding.exception - 1]);
    }
    return finding;
}

// ---- the most specific ones of a kind

static bool is_stricter(const struct mail_finding *a, const struct mail_finding *b)
{
    return b->rule == NULL || a->action > b->action ||
           (a->action == b->action && a->rule < b->rule); // sorted by id
}

static bool visit(const struct policy_fit *fit, void *arg)
{
    struct search *search = arg;
    struct mail_finding finding;
    const char *missed;

    if (search->best.rule != NULL && fit->level != search->level)
        return false; // less specific ones come now
    if (search->best.rule != NULL && fit->source_bits < search->source_bits)
        return true;
    missed = is_rule_form(search->kind) ? when_miss(&search->when, &fit->rule->when) : NULL;
    if (missed != NULL) {
        if (search->near == NULL) {
            search->near = fit->rule;
            search->missed = missed;
        }
        return true;
    }
    finding = ask(search, fit->rule);
    if (fit->source_bits > search->source_bits || is_stricter(&finding, &search->best)) {
        search->best = finding;
        search->level = fit->level;
        search->source_bits = fit->source_bits;
    }
    return true;
}

static const char *word_for(enum policy_option action)
{
    if (action == POLICY_REJECT)
        return "blocks it";
    return action == POLICY_HOLD ? "holds it" : "allows it";
}

static void begin_words(struct text_buf *why)
{
    if (why->used > 0)
        text_buf_put(why, "; ");
}

void mail_policy_say(struct text_buf *why, const struct mail_finding *finding)
{
    const struct policy_rule *rule = finding->rule;

    text_buf_add(why, "%s policy %s %s", finding->as_sender ? "sender" : "recipient", rule->id,
                 word_for(finding->action));
    if (finding->exception > 0)
        text_buf_add(why, " by its exception %zu", finding->exception);
    else if (rule->kind == POLICY_SENDER || rule->kind == POLICY_RECIPIENT)
        text_buf_put(why, " by default");
    text_buf_add(why, " (%s:%u)", rule->file, rule->line);
}

static void say_search(struct text_buf *why, const struct search *search)
{
    if (search->near != NULL) {
        begin_words(why);
        text_buf_add(why, "policy %s (%s:%u) does not apply: %s does not hold", search->near->id,
                     search->near->file, search->near->line, search->missed);
    }
    if (search->best.rule != NULL) {
        begin_words(why);
        mail_policy_say(why, &search->best);
    }
}

// ---- all kinds

// What was found so far, and how.
struct gathering {
    const struct chain_in *in;
    struct verdict *out;
    enum policy_view view;
    struct mail_finding strictest;
    struct text_buf *why;
};

// Whatever else is said of this recipient, and whoever refuses it in the end.
static void note_for_all(struct verdict *out, const struct mail_finding *finding)
{
    if (finding->for_all && finding->action > POLICY_ALLOW &&
        (out->for_all.rule == NULL || finding->action > out->for_all.action))
        out->for_all = (struct facts_for_all){finding->rule, finding->as_sender, finding->action};
}

static void gather(struct gathering *all, enum policy_kind kind, const struct policy_party *from)
{
    const uint32_t tables = 1U << policy_table(kind, false) | 1U << policy_table(kind, true);
    const struct facts *facts = all->in->facts;
    struct policy_query query = chain_query(all->in);
    struct search search = {.when = {.in = all->in, .direction = all->out->direction},
                            .kind = kind,
                            .by_leaver =
                                (kind == POLICY_RECIPIENT || kind == POLICY_RECIPIENT_RULE) &&
                                (is_leaving(all->in->policy, &facts->sender_party) ||
                                 is_leaving(all->in->policy, &facts->login_party)),
                            .source_bits = -1};

    if ((all->in->policy->tables & tables) == 0)
        return;
    query.from = from;
    policy_each(all->in->policy, kind, &query, all->view, visit, &search);
    say_search(all->why, &search);
    if (search.best.rule != NULL &&
        (all->view == POLICY_IN_FORCE || search.best.rule->mode == POLICY_SHADOW))
        chain_use(all->out, search.best.rule);
    if (all->view == POLICY_IN_FORCE)
        note_for_all(all->out, &search.best);
    if (search.best.rule != NULL &&
        (all->strictest.rule == NULL || search.best.action > all->strictest.action))
        all->strictest = search.best;
}

static bool is_same_party(const struct policy_party *a, const struct policy_party *b)
{
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (a->key[i].pattern != b->key[i].pattern)
            return false;
    return true;
}

struct mail_finding mail_policy_find(const struct chain_in *in, struct verdict *out,
                                     enum policy_view view, struct text_buf *why)
{
    const struct facts *facts = in->facts;
    const struct policy_party *sender = &facts->sender_party;
    const struct policy_party *login = &facts->login_party;
    struct gathering all = {
        .in = in, .out = out, .view = view, .strictest = {.action = POLICY_ALLOW}, .why = why};

    if (!facts->sender.null) {
        gather(&all, POLICY_SENDER, sender);
        gather(&all, POLICY_SENDER_RULE, sender);
    }
    if (!facts->sender.null && login->count > 0 && !is_same_party(login, sender)) {
        gather(&all, POLICY_SENDER, login);
        gather(&all, POLICY_SENDER_RULE, login);
    }
    gather(&all, POLICY_RECIPIENT, sender);
    gather(&all, POLICY_RECIPIENT_RULE, sender);
    return all.strictest;
}

bool mail_policy_has_shadow(const struct policy *policy)
{
    return apply_has_shadow(policy, POLICY_SENDER) ||
           apply_has_shadow(policy, POLICY_SENDER_RULE) ||
           apply_has_shadow(policy, POLICY_RECIPIENT) ||
           apply_has_shadow(policy, POLICY_RECIPIENT_RULE);
}
