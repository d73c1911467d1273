// parties.c: who is ours: the internal domains, and the networks whose mail is trusted. Several
// files add up; what stands twice is an error that names both places, because one of the two is
// then not what its author thinks.
#include <stdlib.h>
#include <string.h>

#include "node/core/ldap_text.h"
#include "node/policy/build.h"
#include "proto/base/mem.h"

// ---- Domains

struct named_domain {
    const char *name;          // normalised
    int anti_spoof;            // enum policy_spoof
    struct policy_domain said; // what else is said of it
    const struct yaml_node *node;
    size_t order; // as read
};

// Call forward needs a host, and nothing else has a use for one.
static enum err read_domain_host(struct policy_build *build, const struct yaml_node *node,
                                 struct policy_domain *out, struct err_detail *detail)
{
    const struct yaml_node *host = yaml_find(node, "host");
    const bool is_asked = out->recipients == POLICY_RECIPIENTS_CALLFORWARD;

    out->host = "";
    if (host == NULL && is_asked)
        return err_say(detail, ERR_CONFIG,
                       "%s:%u: %s: recipients: callforward asks a host: say which, host: "
                       "\"mx.internal:25\"",
                       node->file, node->line, node->key);
    if (host != NULL && !is_asked)
        return err_say(detail, ERR_CONFIG,
                       "%s:%u: %s: host is what recipients: callforward asks; nobody asks it here",
                       host->file, host->line, node->key);
    return host != NULL ? host_read(build, host, out, detail) : ERR_NONE;
}

// read_domain: what stands under one name.
static enum err read_domain(struct policy_build *build, const struct yaml_node *node,
                            struct named_domain *out, struct err_detail *detail)
{
    static const char *const recipient_words[] = {[POLICY_RECIPIENTS_ANY] = "any",
                                                  [POLICY_RECIPIENTS_SEND_ONLY] = "send_only",
                                                  [POLICY_RECIPIENTS_DIRECTORY] = "directory",
                                                  [POLICY_RECIPIENTS_CALLFORWARD] = "callforward",
                                                  [POLICY_RECIPIENTS_LDAP] = "ldap",
                                                  NULL};
    static const char *const unknown_words[] = {
        [POLICY_UNKNOWN_REJECT] = "reject", [POLICY_UNKNOWN_DEFER] = "defer", NULL};
    static const char *const spoof_words[] = {[POLICY_SPOOF_AGED] = "aged",
                                              [POLICY_SPOOF_ENFORCE] = "enforce",
                                              [POLICY_SPOOF_SHADOW] = "shadow",
                                              NULL};
    static const struct yaml_row rows[] = {
        {"recipients", YAML_IS_WORD, offsetof(struct named_domain, said.recipients), "any", 0, 0,
         recipient_words, "how it is known which recipients it has"},
        {"host", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "that is asked for them by SMTP"},
        {"unknown", YAML_IS_WORD, offsetof(struct named_domain, said.unknown), "reject", 0, 0,
         unknown_words, "what mail to an unknown recipient gets"},
        {"learn", YAML_IS_BOOL, offsetof(struct named_domain, said.learn), "false", 0, 0, NULL,
         "whether a recipient that has sent mail exists"},
        {"base", YAML_IS_TEXT, offsetof(struct named_domain, said.ldap_base), NULL, 0,
         LDAP_TEXT_MAX, NULL, "entry of the directory server below which its recipients are"},
        {"anti_spoof", YAML_IS_WORD, offsetof(struct named_domain, anti_spoof), "aged", 0, 0,
         spoof_words, "in shadow for 7 days from its first declaration, or as is said"},
        {0},
    };
    enum err err = yaml_expect(node, YAML_MAP, node->key, detail);

    if (err == ERR_NONE)
        err = yaml_read(node, node->key, rows, out, detail);
    return err == ERR_NONE ? read_domain_host(build, node, &out->said, detail) : err;
}

static enum err add_domain(struct policy_build *build, const struct yaml_node *node,
                           struct named_domain *out, struct err_detail *detail)
{
    char name[MAIL_DOMAIN_MAX + 1];

    if (!mail_domain_normalise(node->key, name))
        return err_say(detail, ERR_CONFIG, "%s:%u: domains: '%s' is not a domain name", node->file,
                       node->line, node->key);
    out->name = build_text(build, name);
    out->node = node;
    return read_domain(build, node, out, detail);
}

static int compare_domains(const void *a, const void *b)
{
    const struct named_domain *left = a;
    const struct named_domain *right = b;
    int order = strcmp(left->name, right->name);

    return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

// store_domains: sorted into the set; none may stand twice.
static enum err store_domains(struct policy_build *build, struct named_domain *found, size_t count,
                              struct err_detail *detail)
{
    struct policy_domain *domains = build_keep(build, mem_new_array(count, sizeof(*domains)));

    if (count > 0)
        qsort(found, count, sizeof(*found), compare_domains);
    for (size_t i = 0; i < count; i++) {
        const struct yaml_node *node = found[i].node;

        if (i > 0 && strcmp(found[i - 1].name, found[i].name) == 0)
            return err_say(detail, ERR_CONFIG, "%s:%u: domain '%s' stands twice (first in %s:%u)",
                           node->file, node->line, found[i].name, found[i - 1].node->file,
                           found[i - 1].node->line);
        domains[i] = found[i].said;
        domains[i].name = found[i].name;
        domains[i].anti_spoof = (enum policy_spoof)found[i].anti_spoof;
        domains[i].file = node->file;
        domains[i].line = node->line;
    }
    build->policy.domain = domains;
    build->policy.domain_count = count;
    return ERR_NONE;
}

enum err domains_read(struct policy_build *build, struct err_detail *detail)
{
    struct named_domain *found = NULL;
    size_t count = 0;
    enum err err = ERR_NONE;

    for (size_t i = 0; i < build->file_count && err == ERR_NONE; i++) {
        const struct yaml_node *section = build_section(build, i, "domains");

        if (section == NULL)
            continue;
        err = yaml_expect(section, YAML_MAP, "domains", detail);
        found = mem_grow(found, count + section->count, sizeof(*found));
        for (const struct yaml_node *node = section->child; node != NULL && err == ERR_NONE;
             node = node->next, count++) {
            found[count].order = count;
            err = add_domain(build, node, &found[count], detail);
        }
    }
    if (err == ERR_NONE)
        err = store_domains(build, found, count, detail);
    mem_free(found);
    return err;
}

// ---- Networks

struct placed_net {
    struct ip_net net;
    const struct yaml_node *node;
    size_t order;
};

struct nets {
    struct placed_net *net;
    size_t count;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed_net *left = a;
    const struct placed_net *right = b;
    int order = ip_net_compare(&left->net, &right->net);

    return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

static enum err add_net(struct nets *nets, const struct yaml_node *node, const char *what,
                        struct err_detail *detail)
{
    struct placed_net *place;
    struct err_detail why = {.text = ""};
    enum err err = yaml_expect(node, YAML_TEXT, what, detail);

    if (err != ERR_NONE)
        return err;
    nets->net = mem_grow(nets->net, nets->count + 1, sizeof(*nets->net));
    place = &nets->net[nets->count];
    *place = (struct placed_net){.node = node, .order = nets->count};
    if (ip_net_parse(node->text, &place->net, &why) != ERR_NONE)
        return err_say(detail, ERR_CONFIG, "%s:%u: %s: %.400s", node->file, node->line, what,
                       why.text);
    nets->count++;
    return ERR_NONE;
}

// add_nets: a list of networks, or one.
static enum err add_nets(struct nets *nets, const struct yaml_node *list, const char *what,
                         struct err_detail *detail)
{
    enum err err = ERR_NONE;

    if (list->kind == YAML_TEXT && (list->quoted || list->text[0] != '\0'))
        return add_net(nets, list, what, detail);
    err = yaml_expect(list, YAML_LIST, what, detail);
    for (const struct yaml_node *node = list->child; node != NULL && err == ERR_NONE;
         node = node->next)
        err = add_net(nets, node, what, detail);
    return err;
}

static enum err sort_nets(struct nets *nets, const char *what, struct err_detail *detail)
{
    char text[IP_NET_TEXT_MAX];

    if (nets->count > 0)
        qsort(nets->net, nets->count, sizeof(*nets->net), compare_placed);
    for (size_t i = 1; i < nets->count; i++) {
        const struct yaml_node *first = nets->net[i - 1].node;
        const struct yaml_node *node = nets->net[i].node;

        if (ip_net_compare(&nets->net[i - 1].net, &nets->net[i].net) == 0)
            return err_say(detail, ERR_CONFIG, "%s:%u: %s: %s stands twice (first in %s:%u)",
                           node->file, node->line, what, ip_net_format(&nets->net[i].net, text),
                           first->file, first->line);
    }
    return ERR_NONE;
}

static struct ip_net *keep_nets(struct policy_build *build, const struct nets *nets)
{
    struct ip_net *kept = build_keep(build, mem_new_array(nets->count, sizeof(*kept)));

    for (size_t i = 0; i < nets->count; i++)
        kept[i] = nets->net[i].net;
    return kept;
}

enum err nets_read(struct policy_build *build, const struct yaml_node *list, struct ip_net **out,
                   size_t *out_count, struct err_detail *detail)
{
    struct nets nets = {0};
    enum err err = add_nets(&nets, list, list->key, detail);

    if (err == ERR_NONE)
        err = sort_nets(&nets, list->key, detail);
    if (err == ERR_NONE) {
        *out = keep_nets(build, &nets);
        *out_count = nets.count;
    }
    mem_free(nets.net);
    return err;
}

// drop_inner: of sorted networks those that lie inside another add nothing. The outer one stands
// before them.
static void drop_inner(struct nets *nets)
{
    size_t kept = 0;

    for (size_t i = 0; i < nets->count; i++) {
        if (kept == 0 || !ip_net_contains(&nets->net[kept - 1].net, &nets->net[i].net.ip))
            nets->net[kept++] = nets->net[i];
    }
    nets->count = kept;
}

// default_trust: who says nothing trusts this host alone.
static void default_trust(struct policy_build *build)
{
    static const char *const loopback[] = {"127.0.0.0/8", "::1"};
    struct ip_net *trusted = build_keep(build, mem_new_array(2, sizeof(*trusted)));

    for (size_t i = 0; i < 2; i++) {
        if (ip_net_parse(loopback[i], &trusted[i], NULL) == ERR_NONE)
            build->policy.trusted_count++;
    }
    build->policy.trusted = trusted;
}

enum err trusted_read(struct policy_build *build, struct err_detail *detail)
{
    struct nets nets = {0};
    bool said = false;
    enum err err = ERR_NONE;

    for (size_t i = 0; i < build->file_count && err == ERR_NONE; i++) {
        const struct yaml_node *section = build_section(build, i, "trusted_sources");

        said = said || section != NULL;
        if (section != NULL)
            err = add_nets(&nets, section, "trusted_sources", detail);
    }
    if (err == ERR_NONE && !said)
        default_trust(build);
    if (err == ERR_NONE)
        err = sort_nets(&nets, "trusted_sources", detail);
    if (err == ERR_NONE && said) {
        drop_inner(&nets);
        build->policy.trusted = keep_nets(build, &nets);
        build->policy.trusted_count = nets.count;
        build->trusted_node =
            build_keep(build, mem_new_array(nets.count, sizeof(*build->trusted_node)));
        for (size_t i = 0; i < nets.count; i++)
            build->trusted_node[i] = nets.net[i].node;
    }
    mem_free(nets.net);
    return err;
}
