// mail.c: what policies of the kinds mail and limit have of their own.
//
//     default: allow|block, except: [conditions]            the one has the action opposite to the other's
//     when: conditions, action: allow|block|hold, except: [conditions]
//     rcpt_per_mail, rcpt_per_day, mail_per_day, exempt: [{user, source}]
#include <string.h>

#include "node/policy/build.h"
#include "node/policy/line.h"
#include "proto/base/mem.h"

#define LIMIT_MOST 1000000

const char *const mail_keys[] = {"default", "except", "when", "action", "hold_for", NULL};
const char *const limit_keys[] = {"rcpt_per_mail", "rcpt_per_day", "mail_per_day", "exempt", NULL};

// ---- kind mail

static enum err say(const struct yaml_node *node, const struct policy_rule *rule, const char *what,
                    struct err_detail *detail)
{
    return err_say(detail, ERR_CONFIG, "%s:%u: policy '%s': %s", node->file, node->line, rule->id,
                   what);
}

// read_action: of the key default or action.
static enum err read_action(const struct yaml_node *map, const char *key, struct policy_rule *rule,
                            struct err_detail *detail)
{
    static const char *const not_yet[] = {"strip", "tag", "copy", "notify", "redirect", NULL};
    const struct yaml_node *node = yaml_find(map, key);
    bool may_hold = strcmp(key, "action") == 0;
    enum err err = yaml_expect(node, YAML_TEXT, key, detail);

    if (err != ERR_NONE)
        return err;
    rule->option = POLICY_NO_ACTION;
    if (strcmp(node->text, "allow") == 0)
        rule->option = POLICY_ALLOW;
    else if (strcmp(node->text, "block") == 0)
        rule->option = POLICY_REJECT;
    else if (may_hold && strcmp(node->text, "hold") == 0)
        rule->option = POLICY_HOLD;
    if (rule->option != POLICY_NO_ACTION)
        return ERR_NONE;
    if (may_hold && build_has_word(not_yet, node->text))
        return err_say(detail, ERR_CONFIG, "%s:%u: action: %s is not supported by this version",
                       node->file, node->line, node->text);
    return err_say(detail, ERR_CONFIG, "%s:%u: policy '%s': %s: expected %s, not '%s'", node->file,
                   node->line, rule->id, key, may_hold ? "allow, block or hold" : "allow or block",
                   node->text);
}

static enum err read_hold_for(const struct yaml_node *map, struct policy_rule *rule,
                              struct err_detail *detail)
{
    static const char *const words[] = {"user", "moderator", "admin", NULL};
    const struct yaml_node *node = yaml_find(map, "hold_for");
    enum err err;

    rule->hold_for = "moderator";
    if (node == NULL)
        return ERR_NONE;
    err = yaml_expect(node, YAML_TEXT, "hold_for", detail);
    if (err != ERR_NONE)
        return err;
    if (rule->option != POLICY_HOLD)
        return say(node, rule, "hold_for belongs to action: hold", detail);
    if (!build_has_word(words, node->text))
        return say(node, rule, "hold_for: expected user, moderator or admin", detail);
    rule->hold_for = node->text;
    return ERR_NONE;
}

static enum err read_exceptions(struct policy_build *build, const struct yaml_node *map,
                                struct policy_rule *rule, struct err_detail *detail)
{
    const struct yaml_node *list = yaml_find(map, "except");
    struct policy_when *except;
    enum err err;

    if (list == NULL)
        return ERR_NONE;
    err = yaml_expect(list, YAML_LIST, "except", detail);
    if (err != ERR_NONE || list->child == NULL)
        return err;
    except = build_keep(build, mem_new_array(list->count, sizeof(*except)));
    rule->except = except;
    for (const struct yaml_node *node = list->child; node != NULL && err == ERR_NONE;
         node = node->next)
        err = when_read(build, node, &except[rule->except_count++], detail);
    return err;
}

// Which side it is on, and which of the two forms it has.
static enum err read_form(struct policy_build *build, const struct yaml_node *map,
                          struct policy_rule *rule, struct err_detail *detail)
{
    const struct yaml_node *when = yaml_find(map, "when");
    bool is_rule = when != NULL || yaml_find(map, "action") != NULL;
    bool has_default = yaml_find(map, "default") != NULL;
    bool is_sender = yaml_find(map, "from") != NULL;
    enum err err;

    if (rule->option == POLICY_NO_ACTION && !is_rule && !has_default &&
        yaml_find(map, "except") == NULL) { // it allows, so that less specific ones say nothing
        rule->kind = is_sender ? POLICY_SENDER : POLICY_RECIPIENT;
        return ERR_NONE;
    }
    if (rule->option == POLICY_NO_ACTION)
        return say(map, rule, "option: no_action has no default, when, action or except", detail);
    if (is_rule == has_default)
        return say(
            map, rule,
            "a mail policy has either a default, with exceptions from it, or when and action",
            detail);
    if (!is_rule) {
        rule->kind = is_sender ? POLICY_SENDER : POLICY_RECIPIENT;
        return read_action(map, "default", rule, detail);
    }
    rule->kind = is_sender ? POLICY_SENDER_RULE : POLICY_RECIPIENT_RULE;
    if (when == NULL)
        return say(map, rule, "action needs when: the conditions under which it holds", detail);
    if (yaml_find(map, "action") == NULL)
        return say(map, rule, "when needs action: allow, block or hold", detail);
    err = read_action(map, "action", rule, detail);
    return err != ERR_NONE ? err : when_read(build, when, &rule->when, detail);
}

enum err mail_read(struct policy_build *build, const struct yaml_node *map,
                   struct policy_rule *rule, struct err_detail *detail)
{
    enum err err = ERR_NONE;

    if ((yaml_find(map, "from") != NULL) == (yaml_find(map, "to") != NULL))
        err = say(map, rule,
                  "a mail policy has from (what somebody may send) or to (what somebody receives), "
                  "one of them; the other belongs into its conditions",
                  detail);
    if (err == ERR_NONE && rule->bidirectional)
        err = say(map, rule, "bidirectional: a mail policy has one side; write two", detail);
    if (err == ERR_NONE)
        err = read_form(build, map, rule, detail);
    if (err == ERR_NONE)
        err = read_hold_for(map, rule, detail);
    return err != ERR_NONE ? err : read_exceptions(build, map, rule, detail);
}

// ---- kind limit

struct written_limit {
    uint64_t rcpt_per_mail, rcpt_per_day, mail_per_day;
};

#define AT(field) offsetof(struct written_limit, field)

static const struct yaml_row limit_rows[] = {
    {"rcpt_per_mail", YAML_IS_COUNT, AT(rcpt_per_mail), NULL, 1, LIMIT_MOST, NULL,
     "recipients of one message"},
    {"rcpt_per_day", YAML_IS_COUNT, AT(rcpt_per_day), NULL, 1, LIMIT_MOST, NULL,
     "recipients of a day's messages"},
    {"mail_per_day", YAML_IS_COUNT, AT(mail_per_day), NULL, 1, LIMIT_MOST, NULL,
     "messages of a day"},
    {0},
};

// The map's entries that the rows know; the others are somebody else's.
static enum err read_numbers(const struct yaml_node *map, struct written_limit *out,
                             struct err_detail *detail)
{
    struct yaml_node copy[sizeof(limit_rows) / sizeof(limit_rows[0])];
    struct yaml_node mine = *map;
    size_t count = 0;

    mine.child = NULL;
    for (const struct yaml_row *row = limit_rows; row->key != NULL; row++) {
        const struct yaml_node *node = yaml_find(map, row->key);

        if (node == NULL)
            continue;
        copy[count] = *node;
        copy[count].next = mine.child;
        mine.child = &copy[count++];
    }
    mine.count = count;
    return yaml_read(&mine, "policies", limit_rows, out, detail);
}

static enum err read_exempt(struct policy_build *build, const struct yaml_node *map,
                            struct policy_exempt *out, struct err_detail *detail)
{
    static const struct yaml_row rows[] = {
        {"user", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "who is not limited"},
        {"source", YAML_IS_OTHER, 0, NULL, 0, 0, NULL,
         "from these networks; everywhere unless said"},
        {0},
    };
    const struct yaml_node *user = yaml_find(map, "user");
    const struct yaml_node *source = yaml_find(map, "source");
    struct ip_net *nets = NULL;
    enum err err = yaml_expect(map, YAML_MAP, "exempt", detail);

    if (err == ERR_NONE)
        err = yaml_read(map, "exempt", rows, NULL, detail);
    if (err == ERR_NONE && user == NULL)
        err = err_say(detail, ERR_CONFIG, "%s:%u: exempt.user is required", map->file, map->line);
    if (err == ERR_NONE)
        err = pattern_number(build, user, PATTERN_FROM, &out->user, detail);
    if (err == ERR_NONE && source != NULL) {
        err = nets_read(build, source, &nets, &out->source_count, detail);
        out->source = nets;
        if (err == ERR_NONE && out->source_count == 0)
            err = err_say(
                detail, ERR_CONFIG,
                "%s:%u: exempt.source: an empty list exempts nobody; leave it out for every "
                "client",
                source->file, source->line);
    }
    return err;
}

static enum err read_exempts(struct policy_build *build, const struct yaml_node *map,
                             struct policy_rule *rule, struct err_detail *detail)
{
    const struct yaml_node *list = yaml_find(map, "exempt");
    struct policy_exempt *exempt;
    enum err err;

    if (list == NULL)
        return ERR_NONE;
    err = yaml_expect(list, YAML_LIST, "exempt", detail);
    if (err != ERR_NONE || list->child == NULL)
        return err;
    exempt = build_keep(build, mem_new_array(list->count, sizeof(*exempt)));
    rule->exempt = exempt;
    for (const struct yaml_node *node = list->child; node != NULL && err == ERR_NONE;
         node = node->next)
        err = read_exempt(build, node, &exempt[rule->exempt_count++], detail);
    return err;
}

// A limit says how much, and no_action that it is none.
static enum err check_sense(const struct yaml_node *map, const struct policy_rule *rule,
                            const struct written_limit *written, struct err_detail *detail)
{
    const bool has_number =
        written->rcpt_per_mail > 0 || written->rcpt_per_day > 0 || written->mail_per_day > 0;

    if (rule->option != POLICY_NO_ACTION)
        return has_number ? ERR_NONE
                          : say(map, rule,
                                "it limits nothing: give rcpt_per_mail, rcpt_per_day or "
                                "mail_per_day",
                                detail);
    if (has_number || yaml_find(map, "exempt") != NULL)
        return say(map, rule,
                   "option: no_action has no rcpt_per_mail, rcpt_per_day, mail_per_day or exempt",
                   detail);
    return ERR_NONE;
}

enum err limit_read(struct policy_build *build, const struct yaml_node *map,
                    struct policy_rule *rule, struct err_detail *detail)
{
    struct written_limit written = {0};
    enum err err = ERR_NONE;

    rule->kind = POLICY_LIMIT;
    if (yaml_find(map, "to") != NULL || yaml_find(map, "from") == NULL)
        err = say(map, rule, "a limit policy is about who sends: it has from, and no to", detail);
    if (err == ERR_NONE && rule->bidirectional)
        err = say(map, rule, "bidirectional: a limit policy has one side", detail);
    if (err == ERR_NONE)
        err = read_numbers(map, &written, detail);
    if (err == ERR_NONE)
        err = check_sense(map, rule, &written, detail);
    rule->rcpt_per_mail = written.rcpt_per_mail;
    rule->rcpt_per_day = written.rcpt_per_day;
    rule->mail_per_day = written.mail_per_day;
    return err != ERR_NONE ? err : read_exempts(build, map, rule, detail);
}

// ---- writing

static const char *action_word(enum policy_option action)
{
    if (action == POLICY_HOLD)
        return "hold";
    return action == POLICY_REJECT ? "block" : "allow";
}

static void put_mail(struct line *line, const struct policy *policy, const struct policy_rule *rule)
{
    const bool is_rule = rule->kind == POLICY_SENDER_RULE || rule->kind == POLICY_RECIPIENT_RULE;

    if (is_rule) {
        line_key(line, "when");
        when_put(line, policy, &rule->when);
    }
    if (rule->option != POLICY_NO_ACTION)
        line_word(line, is_rule ? "action" : "default", action_word(rule->option));
    if (rule->option == POLICY_HOLD && strcmp(rule->hold_for, "moderator") != 0)
        line_word(line, "hold_for", rule->hold_for);
    if (rule->except_count == 0)
        return;
    line_key(line, "except");
    line_open(line, "[");
    for (size_t i = 0; i < rule->except_count; i++) {
        line_item(line);
        when_put(line, policy, &rule->except[i]);
    }
    line_close(line, "]");
}

static void put_number(struct line *line, const char *key, uint64_t number)
{
    if (number == 0)
        return;
    line_key(line, key);
    line_number(line, number);
}

static void put_exempt(struct line *line, const struct policy *policy,
                       const struct policy_exempt *exempt)
{
    line_item(line);
    line_open(line, "{");
    line_key(line, "user");
    line_pattern(line, &policy->known[exempt->user].pattern);
    if (exempt->source_count > 0)
        line_nets(line, "source", exempt->source, exempt->source_count);
    line_close(line, "}");
}

static void put_limit(struct line *line, const struct policy *policy,
                      const struct policy_rule *rule)
{
    put_number(line, "rcpt_per_mail", rule->rcpt_per_mail);
    put_number(line, "rcpt_per_day", rule->rcpt_per_day);
    put_number(line, "mail_per_day", rule->mail_per_day);
    if (rule->exempt_count == 0)
        return;
    line_key(line, "exempt");
    line_open(line, "[");
    for (size_t i = 0; i < rule->exempt_count; i++)
        put_exempt(line, policy, &rule->exempt[i]);
    line_close(line, "]");
}

void mail_put(struct line *line, const struct policy *policy, const struct policy_rule *rule)
{
    if (rule->kind == POLICY_LIMIT)
        put_limit(line, policy, rule);
    else if (rule->kind >= POLICY_SENDER && rule->kind <= POLICY_RECIPIENT_RULE)
        put_mail(line, policy, rule);
}
