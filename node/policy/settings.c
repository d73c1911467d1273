// settings.c: the section `settings`. The tables make defaults, ranges, checks and `reeved -T`; a
// unit test holds the manual page (reeve-policy.5) against them. A setting may stand in any file of
// the set, but in one only.
#include <stdio.h>
#include <string.h>

#include "node/core/ldap_text.h"
#include "node/policy/build.h"
#include "proto/base/mem.h"

#define MINUTE_MS (60ULL * 1000)
#define HOUR_MS   (3600ULL * 1000)
#define DAY_MS    (24 * HOUR_MS)

static const char *const mode_words[] = {
    [POLICY_ENFORCE] = "enforce", [POLICY_SHADOW] = "shadow", [POLICY_SHADOW + 1] = NULL};
static const char *const relay_words[] = {
    [POLICY_RELAY_JUDGE] = "judge", [POLICY_RELAY_IGNORE] = "ignore", NULL};
static const char *const fail_words[] = {
    [POLICY_FAIL_PASS] = "pass", [POLICY_FAIL_DEFER] = "defer", NULL};
static const char *const scope_words[] = {
    [POLICY_SCOPE_PAIR] = "pair", [POLICY_SCOPE_ORG] = "org", [POLICY_SCOPE_OFF] = "off", NULL};
static const char *const login_words[] = {[POLICY_LOGIN_ENFORCE] = "enforce",
                                          [POLICY_LOGIN_SHADOW] = "shadow",
                                          [POLICY_LOGIN_OFF] = "off",
                                          NULL};
static const char *const starttls_words[] = {
    [POLICY_STARTTLS_MAY] = "may", [POLICY_STARTTLS_NEVER] = "never", NULL};
static const char *const identity_words[] = {[POLICY_IDENTITY_NET] = "net",
                                             [POLICY_IDENTITY_NAME] = "name",
                                             [POLICY_IDENTITY_SPF] = "spf",
                                             [POLICY_IDENTITY_ASN] = "asn",
                                             NULL};
static const char *const ldap_scope_words[] = {
    [POLICY_LDAP_BASE] = "base", [POLICY_LDAP_ONE] = "one", [POLICY_LDAP_SUB] = "sub", NULL};
static const char *const reputation_words[] = {[POLICY_REPUTATION_AUTO] = "auto",
                                               [POLICY_REPUTATION_SHADOW] = "shadow",
                                               [POLICY_REPUTATION_ENFORCE] = "enforce",
                                               [POLICY_REPUTATION_OFF] = "off",
                                               NULL};
enum { COUNT_MOST = 1000000, ZONE_NAME_MAX = 64, LDAP_ATTRIBUTE_MAX = 64 };
#define SIZE_MOST (1ULL << 40)

#define AT(field) offsetof(struct policy_settings, field)

static const struct yaml_row root_rows[] = {
    {"relay", YAML_IS_WORD, AT(relay), "judge", 0, 0, relay_words,
     "judge: mail of strangers to domains that are not ours is refused; ignore: the gateway has "
     "decided that before"},
    {"fail", YAML_IS_WORD, AT(fail), "pass", 0, 0, fail_words,
     "what happens to mail while the store is away"},
    {"auth_domain", YAML_IS_TEXT, AT(auth_domain), NULL, 0, MAIL_DOMAIN_MAX, NULL,
     "domain of logins that are written without one"},
    {"login_match", YAML_IS_WORD, AT(login_match), "enforce", 0, 0, login_words,
     "whether a login may send as addresses alone that are its own or granted to it"},
    {"auth_failure_voids", YAML_IS_BOOL, AT(auth_failure_voids), "true", 0, 0, NULL,
     "whether a permit does not count for mail that SPF fails"},
    {"timezone", YAML_IS_TEXT, AT(timezone), "UTC", 1, ZONE_NAME_MAX, NULL,
     "of the tz database, like Europe/Berlin: in which days begin and time windows are meant"},
    {"personal_lists", YAML_IS_BOOL, AT(personal_lists), "true", 0, 0, NULL,
     "whether recipients' own lists are heeded; without them a lookup costs a question less"},
    {"admin_permit_over_user_block", YAML_IS_BOOL, AT(admin_permit_over_user_block), "false", 0, 0,
     NULL,
     "whether an administrator's permit counts more than a block in the recipient's own list"},
    {"greylist", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "greylisting"},
    {"auto_allow", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "mail from whom somebody has written to"},
    {"callforward", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "hosts that are asked for recipients"},
    {"abuse", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "clients that try out which recipients exist"},
    {"ldap", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "directory servers that know the recipients"},
    {"reputation", YAML_IS_OTHER, 0, NULL, 0, 0, NULL,
     "what addresses and senders are known to send"},
    {"reputation_levels", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "how it is counted, level by level"},
    {"reputation_weights", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "what reports weigh"},
    {"limits", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "of a message"},
    {"leaving", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "of users that are leaving"},
    {"tracking", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "the record of decisions"},
    {0},
};
static const struct yaml_row greylist_rows[] = {
    {"mode", YAML_IS_WORD, AT(greylist.mode), "shadow", 0, 0, mode_words,
     "shadow: what would be deferred is counted and listed, and passes; enforce: it is deferred"},
    {"delay", YAML_IS_DURATION, AT(greylist.delay_ms), "60s", 1000, DAY_MS, NULL,
     "age from which a retry passes"},
    {"window", YAML_IS_DURATION, AT(greylist.window_ms), "12h", HOUR_MS, 7 * DAY_MS, NULL,
     "age up to which a retry passes; an older one is a first try again"},
    {"life", YAML_IS_DURATION, AT(greylist.life_ms), "36d", 7 * DAY_MS, 36 * DAY_MS, NULL,
     "how long a pass holds after the last mail"},
    {"net_ipv4", YAML_IS_COUNT, AT(greylist.net_ipv4), "24", 8, 32, NULL,
     "bits of an IPv4 address that a retry must share"},
    {"net_ipv6", YAML_IS_COUNT, AT(greylist.net_ipv6), "64", 16, 128, NULL,
     "bits of an IPv6 address that a retry must share"},
    {"new_per_hour", YAML_IS_COUNT, AT(greylist.new_per_hour), "1000", 0, 1000000, NULL,
     "first tries that a node stores of one network in an hour; 0: any number"},
    {"identities", YAML_IS_WORDS, AT(greylist.identities), "net name spf",
     1ULL << POLICY_IDENTITY_NET, 0, identity_words,
     "by what a client that retries is recognised; any one will do, and net is always among them"},
    {"fold_sender", YAML_IS_BOOL, AT(greylist.fold_sender), "true", 0, 0, NULL,
     "whether senders that differ in a number, a +tag or a bounce signature are one"},
    {"recipient_check_first", YAML_IS_BOOL, AT(greylist.recipient_check_first), "false", 0, 0, NULL,
     "whether it is looked at whether the recipient exists before greylisting instead of behind "
     "it"},
    {0},
};
static const struct yaml_row auto_allow_rows[] = {
    {"days", YAML_IS_COUNT, AT(auto_allow.days), "120", 1, 3650, NULL,
     "for how many days an entry holds after the last mail that was sent"},
    {"scope", YAML_IS_WORD, AT(auto_allow.scope), "pair", 0, 0, scope_words,
     "pair: for who has written alone; org: for everybody here, as soon as anybody has written; "
     "off: there is no Auto Allow, and a lookup costs a question less"},
    {"most_recipients", YAML_IS_COUNT, AT(auto_allow.most_recipients), "50", 0, COUNT_MOST, NULL,
     "a mail to more of them teaches nothing; 0: any number"},
    {0},
};
static const struct yaml_row callforward_rows[] = {
    {"positive_life", YAML_IS_DURATION, AT(callforward.positive_ms), "7d", MINUTE_MS, 36 * DAY_MS,
     NULL, "how long it counts that a recipient exists; asked again behind its back after half"},
    {"negative_life", YAML_IS_DURATION, AT(callforward.negative_ms), "1h", 1000, 7 * DAY_MS, NULL,
     "how long it counts that there is none"},
    {"reply_timeout", YAML_IS_DURATION, AT(callforward.reply_ms), "20s", 100, 5 * MINUTE_MS, NULL,
     "how long each reply may take"},
    {"timeout", YAML_IS_DURATION, AT(callforward.whole_ms), "60s", 1000, 10 * MINUTE_MS, NULL,
     "how long a question may take in all, its wait for a connection included"},
    {"connections", YAML_IS_COUNT, AT(callforward.connections), "4", 1, 64, NULL,
     "of a node to one host at a time"},
    {"waiting", YAML_IS_COUNT, AT(callforward.waiting), "256", 1, 1024, NULL,
     "questions of a node for one host that wait for a connection; those above are refused at "
     "once"},
    {"starttls", YAML_IS_WORD, AT(callforward.starttls), "may", 0, 0, starttls_words,
     "may: in TLS where that is offered, whoever's certificate it is; never: in the clear"},
    {"helo", YAML_IS_TEXT, AT(callforward.helo), NULL, 0, MAIL_DOMAIN_MAX, NULL,
     "the name that the host is told in EHLO; without it, this machine's"},
    {0},
};
static const struct yaml_row abuse_rows[] = {
    {"mode", YAML_IS_WORD, AT(abuse.mode), "enforce", 0, 0, mode_words,
     "shadow: bans are made and listed, and mail passes; enforce: mail is deferred"},
    {"unknown_per_hour", YAML_IS_COUNT, AT(abuse.unknown_per_hour), "25", 0, COUNT_MOST, NULL,
     "different recipients that do not exist, by which a client is banned; 0: nobody is"},
    {"unknown_share", YAML_IS_SHARE, AT(abuse.unknown_share), "0.5", 0, 0, NULL,
     "if they are more than this share of all recipients that it named in the hour"},
    {"ban", YAML_IS_DURATION, AT(abuse.ban_ms), "5min", 1000, DAY_MS, NULL,
     "how long the first ban is; one that follows within a day is twice as long as the last"},
    {"ban_most", YAML_IS_DURATION, AT(abuse.ban_most_ms), "1h", 1000, DAY_MS, NULL,
     "the longest ban"},
    {0},
};
static const struct yaml_row ldap_rows[] = {
    {"servers", YAML_IS_TEXT, AT(ldap.servers), NULL, 0, LDAP_TEXT_MAX, NULL,
     "URIs of directory servers, parted by blanks; the next is asked when one is away"},
    {"start_tls", YAML_IS_BOOL, AT(ldap.start_tls), "false", 0, 0, NULL,
     "whether connections to ldap:// are encrypted before anything is asked"},
    {"bind_dn", YAML_IS_TEXT, AT(ldap.bind_dn), NULL, 0, LDAP_TEXT_MAX, NULL,
     "name by which the node logs in, with ldap.password_file of its reeve.yaml; empty: "
     "anonymous"},
    {"base", YAML_IS_TEXT, AT(ldap.base), NULL, 0, LDAP_TEXT_MAX, NULL,
     "entry below which recipients are searched, for domains that name none of their own"},
    {"scope", YAML_IS_WORD, AT(ldap.scope), "sub", 0, 0, ldap_scope_words,
     "base: that entry alone; one: those right below it; sub: it and all below"},
    {"filter", YAML_IS_TEXT, AT(ldap.filter), "(mail=%s)", 1, LDAP_TEXT_MAX, NULL,
     "filter that finds a recipient: %s is the address, %u what stands before the @, %d the "
     "domain"},
    {"mailbox", YAML_IS_TEXT, AT(ldap.mailbox), NULL, 0, LDAP_ATTRIBUTE_MAX, NULL,
     "attribute whose value is the mailbox that an address belongs to; empty: its own"},
    {"connections", YAML_IS_COUNT, AT(ldap.connections), "4", 1, 32, NULL,
     "of a node to its server at a time"},
    {"reply_timeout", YAML_IS_DURATION, AT(ldap.timeout_ms), "2s", 100, 30000, NULL,
     "how long connecting, TLS, the login and an answer may take, each"},
    {"timeout", YAML_IS_DURATION, AT(ldap.whole_ms), "6s", 100, 60000, NULL,
     "how long a question may take in all, its wait for a connection included"},
    {"positive_life", YAML_IS_DURATION, AT(ldap.positive_ms), "12h", 1000, 36 * DAY_MS, NULL,
     "how long it counts that a recipient exists; asked again behind its back after half"},
    {"negative_life", YAML_IS_DURATION, AT(ldap.negative_ms), "5min", 1000, 7 * DAY_MS, NULL,
     "how long it counts that there is none"},
    {0},
};
static const struct yaml_row reputation_rows[] = {
    {"mode", YAML_IS_WORD, AT(reputation.mode), "auto", 0, 0, reputation_words,
     "auto: in shadow until enough of both classes was reported; shadow: it is counted and traced, "
     "and decides nothing; enforce; off: there is no score"},
    {"two_step", YAML_IS_BOOL, AT(reputation.two_step), "false", 0, 0, NULL,
     "whether what would be refused is deferred first, and refused when it comes again after "
     "long_delay"},
    {"dns_threshold", YAML_IS_REAL, AT(reputation.dns_threshold), "1", 0, 1000, NULL,
     "mail is refused where the weights of the lists that name it sum up to this; 0: never"},
    {"reject_from", YAML_IS_SHARE, AT(reputation.reject_p), "0.97", 0, 0, NULL,
     "mail is refused where spam is so likely"},
    {"reject_lower", YAML_IS_SHARE, AT(reputation.reject_lower), "0.9", 0, 0, NULL,
     "and the lower bound of that is at least this"},
    {"long_from", YAML_IS_SHARE, AT(reputation.long_p), "0.6", 0, 0, NULL,
     "greylisting takes long_delay where spam is so likely"},
    {"long_delay", YAML_IS_DURATION, AT(reputation.long_delay_ms), "15min", 1000, DAY_MS, NULL,
     "age from which a retry of such mail passes"},
    {"skip_below", YAML_IS_SHARE, AT(reputation.skip_p), "0.1", 0, 0, NULL,
     "greylisting is skipped where spam is less likely than this"},
    {"skip_upper", YAML_IS_SHARE, AT(reputation.skip_upper), "0.2", 0, 0, NULL,
     "and the upper bound of that is below this"},
    {"skip_evidence", YAML_IS_REAL, AT(reputation.skip_evidence), "3", 0, 32, NULL,
     "and the address itself has so much evidence, seen on two days"},
    {"surge_mails", YAML_IS_REAL, AT(reputation.surge_mails), "20", 1, COUNT_MOST, NULL,
     "who sends so many mails in an hour"},
    {"surge_ratio", YAML_IS_REAL, AT(reputation.surge_ratio), "8", 1, COUNT_MOST, NULL,
     "and so many times as many as before is not spared greylisting, while it is new or not "
     "known to be good"},
    {"gateways", YAML_IS_TEXT, AT(reputation.gateways), NULL, 0, COUNT_MOST, NULL,
     "gateways whose reports are worth less than others: NAME=WEIGHT, from 0 to 1, parted by "
     "blanks"},
    {"lists", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "DNS lists of those who send spam"},
    {"good", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "DNS lists of those who do not"},
    {0},
};
static const struct yaml_row reputation_level_rows[] = {
    {"ip_strength", YAML_IS_REAL, AT(reputation.levels.level[REPUTATION_IP].strength), "1", 1, 32,
     NULL, "how many reports the level above counts as: an address"},
    {"ip_half_life", YAML_IS_DURATION, AT(reputation.levels.level[REPUTATION_IP].half_life_ms),
     "30d", DAY_MS, 3650 * DAY_MS, NULL, "after which what was reported counts half: an address"},
    {"net_strength", YAML_IS_REAL, AT(reputation.levels.level[REPUTATION_NET].strength), "1", 1, 32,
     NULL, "how many reports the level above counts as: a /24, or an IPv6 /64"},
    {"net_half_life", YAML_IS_DURATION, AT(reputation.levels.level[REPUTATION_NET].half_life_ms),
     "60d", DAY_MS, 3650 * DAY_MS, NULL,
     "after which what was reported counts half: a /24, or an IPv6 /64"},
    {"wide_strength", YAML_IS_REAL, AT(reputation.levels.level[REPUTATION_WIDE].strength), "1", 1,
     32, NULL, "how many reports the level above counts as: a /16, or an IPv6 /48"},
    {"wide_half_life", YAML_IS_DURATION, AT(reputation.levels.level[REPUTATION_WIDE].half_life_ms),
     "90d", DAY_MS, 3650 * DAY_MS, NULL,
     "after which what was reported counts half: a /16, or an IPv6 /48"},
    {"asn_strength", YAML_IS_REAL, AT(reputation.levels.level[REPUTATION_ASN].strength), "2", 1, 32,
     NULL, "how many reports the level above counts as: an AS"},
    {"asn_half_life", YAML_IS_DURATION, AT(reputation.levels.level[REPUTATION_ASN].half_life_ms),
     "120d", DAY_MS, 3650 * DAY_MS, NULL, "after which what was reported counts half: an AS"},
    {"country_strength", YAML_IS_REAL, AT(reputation.levels.level[REPUTATION_COUNTRY].strength),
     "4", 1, 32, NULL, "how many reports the level above counts as: a country"},
    {"country_half_life", YAML_IS_DURATION,
     AT(reputation.levels.level[REPUTATION_COUNTRY].half_life_ms), "180d", DAY_MS, 3650 * DAY_MS,
     NULL, "after which what was reported counts half: a country"},
    {"world_half_life", YAML_IS_DURATION,
     AT(reputation.levels.level[REPUTATION_WORLD].half_life_ms), "180d", DAY_MS, 3650 * DAY_MS,
     NULL, "after which what was reported counts half: all addresses"},
    {"sender_strength", YAML_IS_REAL, AT(reputation.levels.level[REPUTATION_SENDER].strength), "1",
     1, 32, NULL, "how many reports the level above counts as: a domain at an AS"},
    {"sender_half_life", YAML_IS_DURATION,
     AT(reputation.levels.level[REPUTATION_SENDER].half_life_ms), "30d", DAY_MS, 3650 * DAY_MS,
     NULL, "after which what was reported counts half: a domain at an AS"},
    {"domain_strength", YAML_IS_REAL, AT(reputation.levels.level[REPUTATION_DOMAIN].strength), "1",
     1, 32, NULL, "how many reports the level above counts as: a registrable domain"},
    {"domain_half_life", YAML_IS_DURATION,
     AT(reputation.levels.level[REPUTATION_DOMAIN].half_life_ms), "60d", DAY_MS, 3650 * DAY_MS,
     NULL, "after which what was reported counts half: a registrable domain"},
    {"tld_strength", YAML_IS_REAL, AT(reputation.levels.level[REPUTATION_TLD].strength), "2", 1, 32,
     NULL, "how many reports the level above counts as: a top-level domain"},
    {"tld_half_life", YAML_IS_DURATION, AT(reputation.levels.level[REPUTATION_TLD].half_life_ms),
     "120d", DAY_MS, 3650 * DAY_MS, NULL,
     "after which what was reported counts half: a top-level domain"},
    {"senders_half_life", YAML_IS_DURATION,
     AT(reputation.levels.level[REPUTATION_SENDERS].half_life_ms), "180d", DAY_MS, 3650 * DAY_MS,
     NULL, "after which what was reported counts half: all senders"},
    {0},
};
static const struct yaml_row reputation_weight_rows[] = {
    {"ham", YAML_IS_REAL, AT(reputation.report[MSG_HAM]), "1", 0, 3, NULL,
     "of a report that a scanner, or a person, found it good; 0: none is heard"},
    {"spam", YAML_IS_REAL, AT(reputation.report[MSG_SPAM]), "1", 0, 3, NULL,
     "of a report that a scanner found it to be spam; 0: none is heard"},
    {"virus", YAML_IS_REAL, AT(reputation.report[MSG_VIRUS]), "1", 0, 3, NULL,
     "of a report that a scanner found a virus; 0: none is heard"},
    {"trap", YAML_IS_REAL, AT(reputation.report[MSG_TRAP]), "3", 0, 3, NULL,
     "of a report that it came to an address that nobody has; 0: none is heard"},
    {"complaint", YAML_IS_REAL, AT(reputation.report[MSG_COMPLAINT]), "1", 0, 3, NULL,
     "of a report that a person called it junk; 0: none is heard"},
    {"not_spam", YAML_IS_REAL, AT(reputation.report[MSG_NOT_SPAM]), "1", 0, 3, NULL,
     "of a report that a person called it no junk; 0: none is heard"},
    {"unknown_recipient", YAML_IS_REAL, AT(reputation.report[MSG_UNKNOWN_RECIPIENT]), "0.5", 0, 3,
     NULL, "of a report that it named a recipient that does not exist; 0: none is heard"},
    {"auto_allowed", YAML_IS_REAL, AT(reputation.auto_allowed), "0.3", 0, 3, NULL,
     "of authenticated mail that Auto Allow let in, as good; 0: none is heard"},
    {0},
};
static const struct yaml_row limit_rows[] = {
    {"message_size", YAML_IS_SIZE, AT(limits.message_size), "0", 0, SIZE_MOST, NULL,
     "a larger message is refused; 0: any size"},
    {"recipients", YAML_IS_COUNT, AT(limits.recipients), "100", 0, COUNT_MOST, NULL,
     "of a message; those above are deferred; 0: any number"},
    {0},
};
static const struct yaml_row leaving_rows[] = {
    {"rcpt_per_mail", YAML_IS_COUNT, AT(leaving.rcpt_per_mail), "5", 0, COUNT_MOST, NULL,
     "recipients of one message; 0: any number"},
    {"rcpt_per_day", YAML_IS_COUNT, AT(leaving.rcpt_per_day), "20", 0, COUNT_MOST, NULL,
     "recipients in a day; 0: any number"},
    {0},
};
static const struct yaml_row tracking_rows[] = {
    {"sample", YAML_IS_SHARE, AT(tracking_sample), "0.01", 0, 0, NULL,
     "share of accepts that are recorded; the rest always is"},
    {0},
};

static const struct section {
    const char *key; // "" = settings itself
    const char *where;
    const struct yaml_row *rows;
    const char *const not_yet[8];
} sections[] = {
    {"", "settings", root_rows, {"spam"}},
    {"greylist", "settings.greylist", greylist_rows, {NULL}},
    {"auto_allow", "settings.auto_allow", auto_allow_rows, {"sample"}},
    {"callforward", "settings.callforward", callforward_rows, {NULL}},
    {"abuse", "settings.abuse", abuse_rows, {NULL}},
    {"ldap", "settings.ldap", ldap_rows, {NULL}},
    {"reputation", "settings.reputation", reputation_rows, {NULL}},
    {"reputation_levels", "settings.reputation_levels", reputation_level_rows, {NULL}},
    {"reputation_weights", "settings.reputation_weights", reputation_weight_rows, {NULL}},
    {"limits", "settings.limits", limit_rows, {NULL}},
    {"leaving", "settings.leaving", leaving_rows, {NULL}},
    {"tracking", "settings.tracking", tracking_rows, {NULL}},
};
enum {
    SECTIONS = sizeof(sections) / sizeof(sections[0]),
    GREYLIST_SECTION = 1,
    ABUSE_SECTION = 4,
    REPUTATION_SECTION = 6
};
_Static_assert((int)SECTIONS <= (int)POLICY_SETTING_SECTIONS, "room for the entries of all");

// The entries of one section out of all files, as one map of copied nodes.
struct gathered {
    struct yaml_node map;
    struct yaml_node *last;
};

static bool is_section(const char *key)
{
    for (size_t i = 1; i < SECTIONS; i++) {
        if (strcmp(key, sections[i].key) == 0)
            return true;
    }
    return false;
}

static enum err gather_entry(struct policy_build *build, struct gathered *all,
                             const struct yaml_node *node, const char *where,
                             struct err_detail *detail)
{
    const struct yaml_node *first = yaml_find(&all->map, node->key);
    struct yaml_node *copy;

    if (first != NULL && !is_section(node->key))
        return err_say(detail, ERR_CONFIG, "%s:%u: %s.%s is set twice (first in %s:%u)", node->file,
                       node->line, where, node->key, first->file, first->line);
    copy = build_keep(build, mem_new(sizeof(*copy)));
    *copy = *node;
    copy->next = NULL;
    if (all->last == NULL)
        all->map.child = copy;
    else
        all->last->next = copy;
    all->last = copy;
    return ERR_NONE;
}

// gather: what one file adds to a section.
static enum err gather(struct policy_build *build, struct gathered *all, size_t file,
                       const struct section *section, struct err_detail *detail)
{
    const struct yaml_node *map = build_section(build, file, "settings");
    enum err err = ERR_NONE;

    if (section->key[0] != '\0')
        map = yaml_find(map, section->key);
    if (map == NULL)
        return ERR_NONE;
    err = yaml_expect(map, YAML_MAP, section->where, detail);
    if (err == ERR_NONE)
        err = build_refuse(map, section->where, section->not_yet, detail);
    for (const struct yaml_node *node = map->child; node != NULL && err == ERR_NONE;
         node = node->next)
        err = gather_entry(build, all, node, section->where, detail);
    return err;
}

static enum err say_at(const struct gathered *all, const char *key, const char *what,
                       struct err_detail *detail)
{
    const struct yaml_node *node = yaml_find(&all->map, key);

    return err_say(detail, ERR_CONFIG, "%s:%u: %s", node->file, node->line, what);
}

// check_delay: with nothing between delay and window no retry could ever pass.
static enum err check_delay(const struct gathered *all, const struct policy_settings *settings,
                            struct err_detail *detail)
{
    char delay[24];
    char window[24];
    char what[128];

    if (settings->greylist.delay_ms < settings->greylist.window_ms)
        return ERR_NONE;
    (void)snprintf(what, sizeof(what),
                   "settings.greylist.delay (%s) must be shorter than the window (%s)",
                   yaml_duration_format(settings->greylist.delay_ms, delay),
                   yaml_duration_format(settings->greylist.window_ms, window));
    return say_at(all, yaml_find(&all->map, "delay") != NULL ? "delay" : "window", what, detail);
}

// check_reputation: its bounds are in order, and what waits longer can still pass.
static enum err check_reputation(const struct gathered *all, const struct policy_settings *settings,
                                 struct err_detail *detail)
{
    static const char *const keys[] = {"long_delay", "skip_below", "long_from", "reject_from"};
    const bool is_delay = settings->reputation.long_delay_ms >= settings->greylist.window_ms;
    const char *found = "reputation";

    if (!is_delay && settings->reputation.skip_p <= settings->reputation.long_p &&
        settings->reputation.long_p <= settings->reputation.reject_p)
        return ERR_NONE;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (yaml_find(&all->map, keys[i]) != NULL && (i == 0) == is_delay)
            found = keys[i];
    if (yaml_find(&all->map, found) == NULL)
        return err_say(
            detail, ERR_CONFIG,
            "settings.greylist.window must be longer than settings.reputation.long_delay");
    return say_at(all, found,
                  is_delay
                      ? "settings.reputation.long_delay must be shorter than greylist.window"
                      : "settings.reputation: skip_below must not be above long_from, nor that "
                        "above reject_from",
                  detail);
}

// check_ban: the longest ban is not shorter than the first.
static enum err check_ban(const struct gathered *all, const struct policy_settings *settings,
                          struct err_detail *detail)
{
    char ban[24];
    char most[24];
    char what[128];

    if (settings->abuse.ban_ms <= settings->abuse.ban_most_ms)
        return ERR_NONE;
    (void)snprintf(what, sizeof(what),
                   "settings.abuse.ban (%s) must not be longer than ban_most (%s)",
                   yaml_duration_format(settings->abuse.ban_ms, ban),
                   yaml_duration_format(settings->abuse.ban_most_ms, most));
    return say_at(all, yaml_find(&all->map, "ban") != NULL ? "ban" : "ban_most", what, detail);
}

static enum err check_auth_domain(struct policy_build *build, const struct gathered *all,
                                  struct err_detail *detail)
{
    char domain[MAIL_DOMAIN_MAX + 1];

    if (build->policy.settings.auth_domain[0] == '\0')
        return ERR_NONE;
    if (!mail_domain_normalise(build->policy.settings.auth_domain, domain))
        return say_at(all, "auth_domain", "settings.auth_domain: expected a domain name", detail);
    build->policy.settings.auth_domain = build_keep(build, mem_text(domain));
    return ERR_NONE;
}

static enum err check_helo(struct policy_build *build, struct err_detail *detail)
{
    const char **helo = &build->policy.settings.callforward.helo;
    const struct yaml_node *node = setting_node(build, "callforward.helo");
    char name[MAIL_DOMAIN_MAX + 1];

    if (node == NULL || (*helo)[0] == '\0')
        return ERR_NONE;
    if (!mail_domain_normalise(*helo, name))
        return err_say(detail, ERR_CONFIG, "%s:%u: settings.callforward.helo: expected a host name",
                       node->file, node->line);
    *helo = build_text(build, name);
    return ERR_NONE;
}

enum err settings_read(struct policy_build *build, struct err_detail *detail)
{
    struct policy_settings *settings = &build->policy.settings;
    struct gathered all[SECTIONS] = {0};
    enum err err = ERR_NONE;

    for (size_t i = 0; i < SECTIONS && err == ERR_NONE; i++) {
        all[i].map.kind = YAML_MAP;
        for (size_t file = 0; file < build->file_count && err == ERR_NONE; file++)
            err = gather(build, &all[i], file, &sections[i], detail);
        if (err == ERR_NONE)
            err = yaml_read(&all[i].map, sections[i].where, sections[i].rows, settings, detail);
        build->setting[i] = all[i].map.child;
    }
    if (err == ERR_NONE)
        err = check_auth_domain(build, &all[0], detail);
    if (err == ERR_NONE)
        err = check_helo(build, detail);
    settings->auto_allow.life_ms = settings->auto_allow.days * DAY_MS;
    if (err == ERR_NONE)
        err = zone_read(build, yaml_find(&all[0].map, "timezone"), detail);
    if (err == ERR_NONE)
        err = gateways_read(build, detail);
    if (err == ERR_NONE)
        err = dns_lists_read(build, detail);
    if (err == ERR_NONE)
        err = check_reputation(&all[REPUTATION_SECTION], settings, detail);
    if (err == ERR_NONE)
        err = check_ban(&all[ABUSE_SECTION], settings, detail);
    return err != ERR_NONE ? err : check_delay(&all[GREYLIST_SECTION], settings, detail);
}

void settings_print(const struct policy_settings *settings, void *stdio_file)
{
    (void)fprintf(stdio_file, "settings:\n");
    for (size_t i = 0; i < SECTIONS; i++) {
        bool is_root = sections[i].key[0] == '\0';

        if (!is_root)
            (void)fprintf(stdio_file, "  %s:\n", sections[i].key);
        yaml_print(sections[i].rows, settings, is_root ? 2 : 4, stdio_file);
        if (i == REPUTATION_SECTION)
            dns_lists_print(settings, stdio_file);
    }
}

const struct yaml_node *setting_node(const struct policy_build *build, const char *key)
{
    const char *dot = strchr(key, '.');
    const char *name = dot != NULL ? dot + 1 : key;
    size_t len = dot != NULL ? (size_t)(dot - key) : 0;

    for (size_t i = 0; i < SECTIONS; i++) {
        const struct yaml_node map = {.kind = YAML_MAP, .child = build->setting[i]};

        if (strlen(sections[i].key) == len && strncmp(sections[i].key, key, len) == 0)
            return yaml_find(&map, name);
    }
    return NULL;
}

static void visit_row(const struct policy_build *build, size_t section, const struct yaml_row *row,
                      void (*visit)(const struct setting *setting, void *arg), void *arg)
{
    const char *prefix = sections[section].key;
    char *key = mem_format("%s%s%s", prefix, prefix[0] != '\0' ? "." : "", row->key);
    const struct yaml_node *node = setting_node(build, key);
    char *value = yaml_value(row, &build->policy.settings);

    visit(&(struct setting){.key = key,
                            .value = value,
                            .file = node != NULL ? node->file : "",
                            .line = node != NULL ? node->line : 0},
          arg);
    mem_free(key);
    mem_free(value);
}

void settings_each(const struct policy_build *build,
                   void (*visit)(const struct setting *setting, void *arg), void *arg)
{
    for (size_t i = 0; i < SECTIONS; i++) {
        for (const struct yaml_row *row = sections[i].rows; row->key != NULL; row++) {
            if (row->type != YAML_IS_OTHER && !yaml_is_default(row, &build->policy.settings))
                visit_row(build, i, row, visit, arg);
        }
    }
    dns_lists_each(build, visit, arg);
}
