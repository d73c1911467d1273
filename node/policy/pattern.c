// pattern.c: who a policy is about: the text of a from or a to -> struct policy_pattern, and back.
//
//     *              everyone                      dom, @dom      that domain alone
//     internal       a domain of `domains`         .dom, *.dom    any depth below it, not itself
//     external       any other                     user@*         this user in every domain
//     <>             the null sender               user@dom       one address
//
// A domain without a dot is written @dom alone.
#include <stdio.h>
#include <string.h>

#include "node/policy/build.h"
#include "node/policy/pattern.h"
#include "proto/base/mem.h"
#include "proto/text.h"

// One text while it is read. What is made of it lies in scratch until it has a number.
struct reading {
    const struct pattern_text *given;
    struct arena *scratch;
    struct err_detail *detail;
};

enum { SCRATCH_BYTES = 8192 }; // an address in parts, normalised, and more

static const char *const role_words[] = {[PATTERN_FROM] = "from",
                                         [PATTERN_TO] = "to",
                                         [PATTERN_MEMBER] = "member",
                                         [PATTERN_SEND_AS] = "send_as"};

static enum err say(const struct reading *r, const char *why)
{
    if (r->given->file == NULL) // nobody has written it into a file
        return err_say(r->detail, ERR_CONFIG, "'%.320s' is not a pattern: %s", r->given->text, why);
    return err_say(r->detail, ERR_CONFIG, "%s:%u: %s: '%s' is not a pattern: %s", r->given->file,
                   r->given->line, role_words[r->given->role], r->given->text, why);
}

static unsigned count_labels(const char *domain)
{
    unsigned count = 1;

    while ((domain = strchr(domain, '.')) != NULL) {
        domain++;
        count++;
    }
    return count;
}

static enum err read_domain(const struct reading *r, const char *text,
                            enum policy_pattern_kind kind, struct policy_pattern *out)
{
    char domain[MAIL_DOMAIN_MAX + 1];
    struct ip_net net;

    if (strchr(text, '*') != NULL)
        return say(r, "a star stands alone, before a dot (*.dom), or behind an @ (user@*)");
    if (ip_net_parse(text, &net, NULL) == ERR_NONE)
        return say(r, "networks of the client stand in source");
    if (!mail_domain_normalise(text, domain))
        return say(r, "not a domain name");
    if (ip_net_parse(domain, &net, NULL) == ERR_NONE) // 192.0.2.1. with a dot behind it
        return say(r, "networks of the client stand in source");
    if (kind == POLICY_BELOW && count_labels(domain) > POLICY_BELOW_LABELS_MAX)
        return say(r, "too many labels (16 at most)");
    *out = (struct policy_pattern){
        .kind = kind, .local = "", .domain = arena_text(r->scratch, domain, strlen(domain))};
    return out->domain != NULL ? ERR_NONE : say(r, "too long");
}

// read_name: a word alone is hardly ever a domain: it is a group whose braces were forgotten, a party that is written
// otherwise, or a top level. As a domain it would match nothing, and nobody would notice.
static enum err read_name(const struct reading *r, const char *text, struct policy_pattern *out)
{
    static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

    if (text[strspn(text, fine)] == '\0')
        return say(r, "a word alone is internal or external; a group is {group: name}, all below a "
                      "top level .name, a domain without a dot \"@name\"");
    return read_domain(r, text, POLICY_DOMAIN, out);
}

// check_tag: recipients are compared without their +tag, so a `to` with one would match nobody.
static enum err check_tag(const struct reading *r, const struct mail_address *address)
{
    if (r->given->role == PATTERN_TO && strcmp(address->local, address->base) != 0)
        return say(r, "recipients are compared without +tag, so leave it out");
    return ERR_NONE;
}

static enum err read_parts(const struct reading *r, const char *text, bool any_domain,
                           struct policy_pattern *out)
{
    struct mail_address address;
    enum err err = mail_parse(text, r->scratch, &address);

    if (err != ERR_NONE)
        return say(r, "too long");
    if (address.flaw != MAIL_OK)
        return say(r, mail_flaw_text(address.flaw));
    err = check_tag(r, &address);
    if (err != ERR_NONE)
        return err;
    *out = (struct policy_pattern){
        .kind = any_domain ? POLICY_LOCAL : POLICY_ADDRESS,
        .local = address.local,
        .domain = any_domain ? "" : address.domain,
    };
    return ERR_NONE;
}

static enum err read_address(const struct reading *r, const char *at, struct policy_pattern *out)
{
    const char *text = r->given->text;
    bool any_domain = strcmp(at, "@*") == 0;
    char with_domain[MAIL_ADDRESS_MAX + sizeof(".invalid")];

    if (strncmp(text, "*@", 2) == 0)
        return say(r, "for all of a domain write the domain alone");
    if (memchr(text, '*', (size_t)(at - text)) != NULL || (!any_domain && strchr(at, '*') != NULL))
        return say(r, "a star stands alone, before a dot (*.dom), or behind an @ (user@*)");
    if (!any_domain)
        return read_parts(r, text, false, out);
    (void)snprintf(with_domain, sizeof(with_domain), "%.*s@any.invalid", (int)(at - text), text);
    return read_parts(r, with_domain, true, out);
}

static enum err read_text(const struct reading *r, struct policy_pattern *out)
{
    const char *text = r->given->text;
    const char *at = strrchr(text, '@');

    if (text[0] == '\0')
        return say(r, "it is empty; everyone is \"*\", the null sender is <>");
    if (strlen(text) > MAIL_ADDRESS_MAX)
        return say(r, "too long");
    *out = (struct policy_pattern){.kind = POLICY_EVERYONE, .local = "", .domain = ""};
    if (strcmp(text, "*") == 0)
        return ERR_NONE;
    if (strcmp(text, "<>") == 0) {
        out->kind = POLICY_NULL;
        return r->given->role != PATTERN_TO ? ERR_NONE : say(r, "<> is a sender only");
    }
    if (strcmp(text, "internal") == 0 || strcmp(text, "external") == 0) {
        out->kind = POLICY_PARTY;
        out->internal = text[0] == 'i';
        return ERR_NONE;
    }
    if (text[0] == '.')
        return read_domain(r, text + 1, POLICY_BELOW, out);
    if (strncmp(text, "*.", 2) == 0)
        return read_domain(r, text + 2, POLICY_BELOW, out);
    if (at == text)
        return read_domain(r, text + 1, POLICY_DOMAIN, out);
    return at != NULL ? read_address(r, at, out) : read_name(r, text, out);
}

// ---- Of a personal list

enum err pattern_entry(const char *text, char out[PATTERN_ENTRY_MAX], struct err_detail *detail)
{
    const struct pattern_text given = {.text = text, .role = PATTERN_FROM};
    char memory[SCRATCH_BYTES], written[POLICY_PATTERN_TEXT_MAX];
    struct arena scratch;
    struct policy_pattern pattern = {.kind = POLICY_EVERYONE};

    arena_init(&scratch, memory, sizeof(memory));
    const struct reading r = {&given, &scratch, detail};
    const enum err err = read_text(&r, &pattern);

    if (err != ERR_NONE)
        return err;
    if (pattern.kind == POLICY_PARTY)
        return say(&r, "a personal list names addresses and domains, or everybody (*)");
    (void)pattern_format(&pattern, written);
    (void)snprintf(out, PATTERN_ENTRY_MAX, "%s", written + (written[0] == '@'));
    return ERR_NONE;
}

// ---- With a number

enum err pattern_of_text(struct policy_build *build, const struct pattern_text *given,
                         uint32_t *out, struct err_detail *detail)
{
    char memory[SCRATCH_BYTES];
    struct arena scratch;
    struct policy_pattern pattern;
    enum err err;

    arena_init(&scratch, memory, sizeof(memory));
    err = read_text(&(struct reading){given, &scratch, detail}, &pattern);
    if (err == ERR_NONE)
        *out = build_number(build, &pattern);
    return err;
}

struct written_group {
    const char *name;
};

static enum err read_group(struct policy_build *build, const struct yaml_node *node,
                           const char *key, uint32_t *out, struct err_detail *detail)
{
    static const struct yaml_row rows[] = {
        {"group", YAML_IS_TEXT, offsetof(struct written_group, name), "!", 1, POLICY_GROUP_NAME_MAX,
         NULL, "name of a group"},
        {0},
    };
    struct written_group written = {.name = ""};
    enum err err = yaml_read(node, key, rows, &written, detail);

    return err != ERR_NONE ? err : group_number(build, node, written.name, out, detail);
}

enum err pattern_number(struct policy_build *build, const struct yaml_node *node,
                        enum pattern_role role, uint32_t *out, struct err_detail *detail)
{
    const char *key = role_words[role];
    enum err err;

    if (node->kind == YAML_MAP)
        return read_group(build, node, key, out, detail);
    if (node->kind == YAML_LIST && (role == PATTERN_FROM || role == PATTERN_TO))
        return err_say(detail, ERR_CONFIG,
                       "%s:%u: %s: expected one pattern, not a list (write a policy for each)",
                       node->file, node->line, key);
    err = yaml_expect(node, YAML_TEXT, key, detail);
    return err != ERR_NONE
               ? err
               : pattern_of_text(
                     build,
                     &(struct pattern_text){
                         .text = node->text, .file = node->file, .line = node->line, .role = role},
                     out, detail);
}

const char *pattern_format(const struct policy_pattern *pattern, char out[POLICY_PATTERN_TEXT_MAX])
{
    struct text_buf text;
    const char *local = "";
    const char *between = "";
    const char *domain = pattern->domain;

    switch (pattern->kind) {
    case POLICY_EVERYONE:
        local = "*";
        break;
    case POLICY_PARTY:
        local = pattern->internal ? "internal" : "external";
        break;
    case POLICY_NULL:
        local = "<>";
        break;
    case POLICY_BELOW:
        between = ".";
        break;
    case POLICY_DOMAIN: // a word alone is no domain
        between = strchr(domain, '.') == NULL && domain[0] != '[' ? "@" : "";
        break;
    case POLICY_GROUP:
        local = "group:";
        domain = pattern->local;
        break;
    case POLICY_LOCAL:
        local = pattern->local;
        between = "@*";
        break;
    case POLICY_ADDRESS:
        local = pattern->local;
        between = "@";
        break;
    }
    text_buf_init(&text, out,
                  POLICY_PATTERN_TEXT_MAX); // a million times: printf would take half of it
    text_buf_put(&text, local);
    text_buf_put(&text, between);
    text_buf_put(&text, domain);
    return out;
}
