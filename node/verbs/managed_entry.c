// managed_entry.c: see managed.h. Promises: what goes into the store is what a lookup will look for: mailboxes without +tag
// and by their user's name, patterns as core/person.c makes them.
#include <string.h>

#include "node/core/capture.h"
#include "node/policy/pattern.h"
#include "node/verbs/managed.h"

// ---- whose list

// Whether the policy set says of an address that it exists, so that its directory need not.
static bool is_named(const struct policy *policy, const struct mail_address *address,
                     const struct policy_party *party)
{
    return party->user != POLICY_NOBODY || capture_is_group(policy, address) ||
           strcmp(address->base, "postmaster") == 0;
}

// What its directory is asked; NULL where there is none to ask.
static void ask_directory(const struct admin_call *call, const struct policy_domain *domain,
                          const char *address, struct managed *out)
{
    out->asked = (struct store_person){.mailbox = out->stored.mailbox,
                                       .address = address,
                                       .now_ms = admin_now_ms(call),
                                       .facts = &out->facts};
    person_facts_clear(&out->facts);
    if (domain == NULL || domain->recipients != POLICY_RECIPIENTS_DIRECTORY)
        return;
    out->asked.answer = domain->learn;
    if (!store_directory(call->server->store, domain->name, &out->asked.directory))
        out->asked.directory.version = 0;
}

static enum err read_address(const char *text, struct arena *arena, struct mail_address *out,
                             struct err_detail *detail)
{
    if (mail_parse(text, arena, out) != ERR_NONE)
        return err_say(detail, ERR_SYNTAX, "user: the address is too long");
    if (out->null || text[0] == '\0')
        return err_say(detail, ERR_SYNTAX, "user: it is empty");
    if (out->flaw != MAIL_OK || out->domain[0] == '\0')
        return err_say(detail, ERR_SYNTAX, "user: '%.320s' is no address: %s", text,
                       mail_flaw_text(out->flaw != MAIL_OK ? out->flaw : MAIL_NO_DOMAIN));
    return ERR_NONE;
}

enum err managed_read_user(const struct admin_call *call, const char *text, struct arena *arena,
                           struct managed *out, struct err_detail *detail)
{
    const struct policy *policy = seat_policy(call->seat);
    const struct policy_domain *domain;
    struct mail_address address;
    struct policy_party party;
    const char *key;
    enum err err = read_address(text, arena, &address, detail);

    if (err != ERR_NONE)
        return err;
    domain = policy_domain_of(policy, address.domain);
    if (domain == NULL && policy->domain_count > 0)
        return err_say(detail, ERR_NOT_FOUND,
                       "user: %.255s is none of the policy set's domains, so that nothing of "
                       "anybody there is ever asked for",
                       address.domain);
    policy_party_of(policy, &address, POLICY_AS_RECIPIENT, &party);
    key = mail_recipient_key(&address, arena);
    out->stored.mailbox = capture_mailbox(policy, &address, &party, arena);
    if (key == NULL || out->stored.mailbox == NULL)
        return err_say(detail, ERR_SYNTAX, "user: the address is too long");
    ask_directory(call, is_named(policy, &address, &party) ? NULL : domain, key, out);
    return ERR_NONE;
}

bool managed_settle_user(struct managed *managed)
{
    const struct person_row *row = &managed->facts.row;

    if (row->state == FACT_PRESENT && row->mailbox[0] != '\0')
        managed->stored.mailbox = row->mailbox;
    return row->state != FACT_ABSENT || managed->facts.learnt.state == FACT_PRESENT;
}

// ---- what it says

enum err managed_read_pattern(const char *text, struct arena *arena, struct managed *out,
                              struct err_detail *detail)
{
    char pattern[PATTERN_ENTRY_MAX];
    enum err err = pattern_entry(text, pattern, detail);

    if (err != ERR_NONE)
        return ERR_SYNTAX;
    out->stored.pattern = arena_text(arena, pattern, strlen(pattern));
    return out->stored.pattern != NULL ? ERR_NONE
                                       : err_say(detail, ERR_SYNTAX, "pattern: it is too long");
}

const char *managed_action_text(enum person_action action)
{
    static const char *const words[] = {
        [PERSON_NONE] = "", [PERSON_PERMIT] = "permit", [PERSON_BLOCK] = "block"};

    return words[action];
}

enum err managed_read_action(const char *text, struct managed *out, struct err_detail *detail)
{
    for (int action = PERSON_PERMIT; action <= PERSON_BLOCK; action++) {
        if (strcmp(text, managed_action_text((enum person_action)action)) != 0)
            continue;
        out->stored.entry.action = (enum person_action)action;
        return ERR_NONE;
    }
    return err_say(detail, ERR_SYNTAX, "action: expected permit or block, not '%.64s'", text);
}

enum err managed_read_by(const char *text, struct managed *out, struct err_detail *detail)
{
    const size_t len = strlen(text);

    if (strchr(text, ' ') != NULL || !text_is_clean(text, len, PERSON_BY_MAX))
        return err_say(detail, ERR_SYNTAX, "by: expected a word of at most %d bytes",
                       PERSON_BY_MAX);
    memcpy(out->stored.entry.by, text, len + 1);
    return ERR_NONE;
}

enum err managed_read_note(const char *text, struct managed *out, struct err_detail *detail)
{
    const size_t len = strlen(text);

    if (!text_is_clean(text, len, PERSON_NOTE_MAX))
        return err_say(detail, ERR_SYNTAX,
                       "note: expected at most %d bytes without control characters",
                       PERSON_NOTE_MAX);
    memcpy(out->stored.entry.note, text, len + 1);
    return ERR_NONE;
}

bool managed_says_the_same(const struct store_list_entry *stored)
{
    return stored->was_there && stored->was.action == stored->entry.action &&
           stored->was.until_ms == stored->entry.until_ms &&
           strcmp(stored->was.note, stored->entry.note) == 0;
}
