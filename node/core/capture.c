// capture.c: what an outbound message teaches. A mail that a person wrote teaches that its recipients may answer; one that
// a machine wrote, or that went to a list, teaches nothing. Promises: nothing is learnt of a source that is not
// trusted, of the null sender, or about an address of ours; the same message gives the same result.
#include "node/core/capture.h"

#include <string.h>

#include "proto/mail.h"
#include "proto/text.h"

enum { WORD_MAX = 64 };

static const char *const words[] = {
#define CAPTURE_SKIP_WORD(name, word) [CAPTURE_##name] = (word),
    CAPTURE_SKIP_LIST(CAPTURE_SKIP_WORD)
#undef CAPTURE_SKIP_WORD
};

const char *capture_skip_word(enum capture_skip skip)
{
    return words[skip];
}

struct work {
    const struct capture_in *in;
    struct arena *arena;
    struct capture *out;
    bool full;
    struct mail_address sender;
    struct policy_party sender_party;
    struct mail_address login; // "" = none that is an address of ours
    struct policy_party login_party;
    const char **external;
    const char **skipped;
};

// ---- Addresses

// The parts of a local part between these tell what it is for.
static const char PARTING[] = "-_.+=";

static bool is_one_of(const char *word, size_t len, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strlen(*list) == len && strncmp(word, *list, len) == 0)
            return true;
    return false;
}

// Without what parts its words: no-reply, no_reply and noreply are one.
static void squeeze(const char *local, char out[MAIL_ADDRESS_MAX + 1])
{
    size_t used = 0;

    for (; *local != '\0' && used < MAIL_ADDRESS_MAX; local++)
        if (strchr(PARTING, *local) == NULL)
            out[used++] = *local;
    out[used] = '\0';
}

static bool is_robot(const char *local)
{
    static const char *const inside[] = {"noreply", "donotreply", "dontreply", "mailerdaemon",
                                         NULL};
    static const char *const first[] = {"bounce",   "bounces",   "srs0",  "srs1", "prvs",
                                        "listserv", "majordomo", "sympa", NULL};
    const size_t len = strcspn(local, PARTING);
    const char *last = local + strlen(local);
    char squeezed[MAIL_ADDRESS_MAX + 1];

    squeeze(local, squeezed);
    for (size_t i = 0; inside[i] != NULL; i++)
        if (strstr(squeezed, inside[i]) != NULL)
            return true;
    while (last > local && strchr(PARTING, last[-1]) == NULL)
        last--;
    return is_one_of(local, len, first) || (last > local && strcmp(last, "request") == 0);
}

enum capture_skip capture_robot(const char *local)
{
    static const char *const leaving[] = {"unsubscribe", "unsub",   "leave",   "remove",
                                          "optout",      "signoff", "signout", NULL};

    for (const char *at = local; *at != '\0';) {
        const size_t len = strcspn(at, PARTING);

        if (is_one_of(at, len, leaving))
            return CAPTURE_UNSUBSCRIBE;
        at += len + (at[len] != '\0');
    }
    return is_robot(local) ? CAPTURE_ROBOT : CAPTURE_SKIPS;
}

static bool is_address(const struct mail_address *address)
{
    return address->flaw == MAIL_OK && !address->null && address->domain[0] != '\0';
}

// While no domain is declared whatever is in the sender's own domain is ours.
static bool is_ours(const struct work *work, const struct mail_address *address)
{
    if (work->in->policy->domain_count == 0)
        return strcmp(address->domain, work->sender.domain) == 0;
    return policy_is_internal(work->in->policy, address->domain);
}

bool capture_is_group(const struct policy *policy, const struct mail_address *address)
{
    const struct policy_pattern pattern = {POLICY_ADDRESS, false, address->base, address->domain};
    const uint32_t number = policy_find(policy, &pattern);

    if (number == POLICY_NOBODY)
        return false;
    const struct policy_known *known = &policy->known[number];

    for (uint32_t i = 0; i < known->group_count; i++)
        if (policy->membership[known->first_group + i].as_recipient)
            return true;
    return false;
}

const char *capture_mailbox(const struct policy *policy, const struct mail_address *address,
                            const struct policy_party *party, struct arena *arena)
{
    const struct policy_user *user = policy_user_of(policy, party);

    if (user == NULL)
        return mail_recipient_key(address, arena);
    const struct policy_pattern *mailbox = &policy->known[user->mailbox].pattern;
    const size_t size = strlen(mailbox->local) + strlen(mailbox->domain) + 2;
    char *text = arena_alloc(arena, size);
    struct text_buf buf;

    if (text == NULL)
        return NULL;
    text_buf_init(&buf, text, size);
    text_buf_put(&buf, mailbox->local);
    text_buf_put(&buf, "@");
    text_buf_put(&buf, mailbox->domain);
    return text;
}

// ---- Headers

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

// Names of headers are compared without regard to case, in ASCII.
static bool is_named(const struct msg_header *header, const char *name)
{
    const char *at = header->name;

    for (; *at != '\0' && lower(*at) == lower(*name); at++, name++)
        continue;
    return *at == *name; // both at their end
}

// The first word of a value, in lower case, without what is put around it (RFC 5322: blanks and comments).
static void read_word(const char *value, char out[WORD_MAX])
{
    unsigned depth = 0;
    size_t used = 0;

    for (; *value != '\0' && used + 1 < WORD_MAX; value++) {
        const bool is_blank = *value == ' ' || *value == '\t';

        if (*value == '(')
            depth++;
        else if (depth > 0)
            depth -= *value == ')';
        else if (*value == ';' || *value == ',' || (is_blank && used > 0))
            break;
        else if (!is_blank)
            out[used++] = lower(*value);
    }
    out[used] = '\0';
}

// Whether one of those headers has a value that is wanted; accepts NULL: any.
static bool has_header(const struct work *work, const char *name, bool (*accepts)(const char *word))
{
    const struct msg_sent *sent = work->in->sent;
    char word[WORD_MAX];

    for (size_t i = 0; i < sent->header_count; i++) {
        if (!is_named(&sent->headers[i], name))
            continue;
        read_word(sent->headers[i].value, word);
        if (accepts == NULL || accepts(word))
            return true;
    }
    return false;
}

static bool is_automatic(const char *word)
{
    return strcmp(word, "no") != 0;
}

static bool is_bulk(const char *word)
{
    return strcmp(word, "bulk") == 0 || strcmp(word, "list") == 0 || strcmp(word, "junk") == 0;
}

static bool is_report(const char *word)
{
    return strcmp(word, "multipart/report") == 0;
}

// ---- Rules about the message

static bool untrusted(const struct work *work)
{
    const struct capture_in *in = work->in;

    return in->login[0] == '\0' &&
           (in->client.family == 0 || !policy_is_trusted_ip(in->policy, &in->client));
}

static bool null_sender(const struct work *work)
{
    return work->sender.null;
}

static bool bad_sender(const struct work *work)
{
    return !is_address(&work->sender);
}

static bool external_sender(const struct work *work)
{
    return !is_ours(work, &work->sender);
}

static bool not_a_user(const struct work *work)
{
    return capture_is_group(work->in->policy, &work->sender) ||
           capture_robot(work->sender.local) != CAPTURE_SKIPS;
}

static bool auto_submitted(const struct work *work)
{
    return has_header(work, "Auto-Submitted", is_automatic);
}

static bool bulk(const struct work *work)
{
    return has_header(work, "Precedence", is_bulk);
}

static bool list(const struct work *work)
{
    return has_header(work, "List-Id", NULL) || has_header(work, "List-Unsubscribe", NULL);
}

static bool report(const struct work *work)
{
    return has_header(work, "Content-Type", is_report);
}

static bool autoreply(const struct work *work)
{
    return has_header(work, "X-Autoreply", NULL) || has_header(work, "X-Autorespond", NULL);
}

static bool too_old(const struct work *work)
{
    return work->in->now_ms - work->out->sent_ms > work->in->policy->settings.auto_allow.life_ms;
}

static bool too_many(const struct work *work)
{
    const uint64_t most = work->in->policy->settings.auto_allow.most_recipients;

    return most != 0 && work->in->sent->recipient_total > most;
}

static const struct {
    enum capture_skip skip;
    bool (*holds)(const struct work *work);
} rules[] = {
    {CAPTURE_UNTRUSTED, untrusted},
    {CAPTURE_NULL_SENDER, null_sender},
    {CAPTURE_BAD_SENDER, bad_sender},
    {CAPTURE_EXTERNAL_SENDER, external_sender},
    {CAPTURE_NOT_A_USER, not_a_user},
    {CAPTURE_AUTO_SUBMITTED, auto_submitted},
    {CAPTURE_BULK, bulk},
    {CAPTURE_LIST, list},
    {CAPTURE_REPORT, report},
    {CAPTURE_AUTOREPLY, autoreply},
    {CAPTURE_TOO_OLD, too_old},
    {CAPTURE_TOO_MANY, too_many},
};

// ---- What is said of it

static void skip(struct work *work, enum capture_skip why, const char *rule, const char *recipient)
{
    const size_t size = strlen(words[why]) + strlen(rule) + strlen(recipient) + 3;
    char *text = arena_alloc(work->arena, size);
    struct text_buf buf;

    if (text == NULL) {
        work->full = true;
        return;
    }
    text_buf_init(&buf, text, size);
    text_buf_put(&buf, words[why]);
    if (rule[0] != '\0')
        text_buf_put(&buf, " ");
    text_buf_put(&buf, rule);
    if (recipient[0] != '\0')
        text_buf_put(&buf, " ");
    text_buf_put(&buf, recipient);
    work->skipped[work->out->skipped_count++] = text;
}

static void use(struct capture *out, const struct policy_rule *rule, bool in_shadow)
{
    for (size_t i = 0; i < out->used_count; i++)
        if (out->used[i].rule == rule && out->used[i].in_shadow == in_shadow)
            return;
    if (out->used_count < CAPTURE_USED_MAX)
        out->used[out->used_count++] = (struct capture_used){rule, in_shadow};
}

// ---- Rules about a recipient

// What policies of a sender say about a recipient: the one that says none, or NULL.
static const struct policy_rule *ask(struct work *work, const struct policy_party *from,
                                     const struct policy_party *to)
{
    const struct capture_in *in = work->in;
    const struct policy_query query = {
        .from = from, .to = to, .client = &in->client, .now_ms = in->now_ms};
    const struct policy_rule *rule =
        policy_match(in->policy, POLICY_AUTO_ALLOW, &query, POLICY_IN_FORCE);
    const struct policy_rule *as_if =
        policy_match(in->policy, POLICY_AUTO_ALLOW, &query, POLICY_AS_IF);

    if (rule != NULL)
        use(work->out, rule, false);
    if (as_if != NULL && as_if->mode == POLICY_SHADOW)
        use(work->out, as_if, true);
    return rule != NULL && rule->option == POLICY_REJECT ? rule : NULL;
}

// The sender's policies, and those of whoever is logged in: no address that somebody may send as sheds his own.
static const struct policy_rule *forbids(struct work *work, const struct mail_address *recipient)
{
    const uint32_t tables =
        1U << policy_table(POLICY_AUTO_ALLOW, false) | 1U << policy_table(POLICY_AUTO_ALLOW, true);
    const struct policy_rule *rule;
    struct policy_party to;

    if ((work->in->policy->tables & tables) == 0)
        return NULL;
    policy_party_of(work->in->policy, recipient, POLICY_AS_RECIPIENT, &to);
    rule = ask(work, &work->sender_party, &to);
    return rule == NULL && work->login.text[0] != '\0' ? ask(work, &work->login_party, &to) : rule;
}

static bool is_learnt(const struct work *work, const char *external)
{
    for (size_t i = 0; i < work->out->external_count; i++)
        if (strcmp(work->external[i], external) == 0)
            return true;
    return false;
}

static void learn(struct work *work, const struct mail_address *recipient)
{
    const char *external = mail_sender_key(recipient, false, work->arena);

    if (external == NULL)
        work->full = true;
    else if (!is_learnt(work, external))
        work->external[work->out->external_count++] = external;
}

static void take_recipient(struct work *work, const char *text)
{
    const struct policy_rule *rule = NULL;
    struct mail_address recipient;
    enum capture_skip robot;

    if (mail_parse(text, work->arena, &recipient) != ERR_NONE) {
        work->full = true;
        return;
    }
    robot = capture_robot(recipient.local);
    if (!is_address(&recipient))
        skip(work, CAPTURE_BAD_RECIPIENT, "", text);
    else if (is_ours(work, &recipient))
        skip(work, CAPTURE_INTERNAL, "", text);
    else if (robot != CAPTURE_SKIPS)
        skip(work, robot, "", text);
    else if ((rule = forbids(work, &recipient)) != NULL)
        skip(work, CAPTURE_POLICY, rule->id, text);
    else
        learn(work, &recipient);
}

static void take_recipients(struct work *work)
{
    const struct msg_sent *sent = work->in->sent;

    if (work->in->policy->settings.auto_allow.scope == POLICY_SCOPE_OFF) {
        skip(work, CAPTURE_OFF, "", "");
        return;
    }
    for (size_t i = 0; i < sent->recipient_total && !work->full; i++)
        take_recipient(work, sent->recipients[i]);
}

// ---- Whose it is

static bool read_sender(struct work *work)
{
    const struct capture_in *in = work->in;

    if (mail_parse(in->sent->sender, work->arena, &work->sender) != ERR_NONE ||
        mail_parse(in->login, work->arena, &work->login) != ERR_NONE)
        return false;
    policy_party_of(in->policy, &work->sender, POLICY_AS_SENDER, &work->sender_party);
    if (!is_address(&work->login) || !is_ours(work, &work->login))
        work->login = (struct mail_address){.text = "", .local = "", .base = "", .domain = ""};
    else
        policy_party_of(in->policy, &work->login, POLICY_AS_SENDER, &work->login_party);
    return true;
}

// A domain with learn: true is told which of its addresses send mail: the owner's, and the one it was sent as.
static void note_existence(struct work *work, const char *address, const char *name)
{
    const struct policy_domain *domain = policy_domain_of(work->in->policy, name);
    struct capture *out = work->out;

    if (domain == NULL || !domain->learn)
        return;
    if (out->exists_count > 0 && strcmp(out->exists[0], address) == 0)
        return;
    out->exists[out->exists_count++] = address;
}

static const struct policy_domain *directory_of(const struct policy *policy, const char *name)
{
    const struct policy_domain *domain = policy_domain_of(policy, name);

    return domain != NULL && domain->recipients == POLICY_RECIPIENTS_DIRECTORY ? domain : NULL;
}

static void name_owner(struct work *work)
{
    const struct policy *policy = work->in->policy;
    const bool has_login = work->login.text[0] != '\0';
    const struct mail_address *address = has_login ? &work->login : &work->sender;
    const struct policy_party *party = has_login ? &work->login_party : &work->sender_party;
    const char *sender = mail_recipient_key(&work->sender, work->arena);
    const char *owner = capture_mailbox(policy, address, party, work->arena);

    if (owner == NULL || sender == NULL) {
        work->full = true;
        return;
    }
    work->out->owner = owner;
    if (policy_user_of(policy, party) == NULL)
        work->out->directory = directory_of(policy, address->domain);
    note_existence(work, owner, strrchr(owner, '@') + 1);
    note_existence(work, sender, work->sender.domain);
}

// ---- All of it

static bool is_skipped(struct work *work)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (!rules[i].holds(work))
            continue;
        skip(work, rules[i].skip, "", "");
        return true;
    }
    return false;
}

enum err capture_read(const struct capture_in *in, struct arena *arena, struct capture *out)
{
    const size_t count = in->sent->recipient_total;
    struct work work = {.in = in, .arena = arena, .out = out};

    *out = (struct capture){.owner = "", .sent_ms = in->now_ms};
    if (in->sent->at_ms != 0 && in->sent->at_ms < in->now_ms)
        out->sent_ms = in->sent->at_ms;
    work.external = arena_zalloc(arena, (count + 1) * sizeof(*work.external));
    work.skipped = arena_zalloc(arena, (count + 1) * sizeof(*work.skipped));
    out->external = work.external;
    out->skipped = work.skipped;
    if (work.external == NULL || work.skipped == NULL || !read_sender(&work))
        return ERR_MEMORY;
    if (!is_skipped(&work)) {
        name_owner(&work);
        take_recipients(&work);
    }
    return work.full ? ERR_MEMORY : ERR_NONE;
}
