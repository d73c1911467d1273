// ldap.c: what a policy set says of directory servers: what it is wrong about is said with file and line, because what is
// found out when a recipient is asked about is a deferral of real mail.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/ldap_text.h"
#include "node/policy/build.h"

enum { SERVERS_MOST = 8 };

// ---- URIs

static const char *skip_host(const char *at)
{
    if (*at == '[') {
        at += 1 + strspn(at + 1, "0123456789abcdefABCDEF:.");
        return *at == ']' ? at + 1 : NULL;
    }
    while (isalnum((unsigned char)*at) || (*at != '\0' && strchr("-._", *at) != NULL))
        at++;
    return at;
}

static bool is_end(char c)
{
    return c == '\0' || c == ' ';
}

static const char *skip_port(const char *at)
{
    const size_t digits = strspn(at, "0123456789");
    const unsigned long port = strtoul(at, NULL, 10);

    return digits > 0 && digits <= 5 && port > 0 && port <= 65535 ? at + digits : NULL;
}

// skip_uri: behind one URI, or NULL if it is none that is taken: no path, no query.
static const char *skip_uri(const char *at)
{
    const bool is_local = strncmp(at, "ldapi://", 8) == 0;
    const size_t scheme = is_local || strncmp(at, "ldaps://", 8) == 0 ? 8
                          : strncmp(at, "ldap://", 7) == 0            ? 7
                                                                      : 0;
    const char *host = at + scheme;

    if (scheme == 0 || is_end(*host))
        return NULL;
    if (is_local) {
        while (isalnum((unsigned char)*host) || (*host != '\0' && strchr("-._%", *host) != NULL))
            host++;
        return is_end(*host) ? host : NULL;
    }
    at = skip_host(host);
    if (at == NULL || at == host)
        return NULL;
    if (*at == ':')
        at = skip_port(at + 1);
    return at != NULL && is_end(*at) ? at : NULL;
}

static enum err say(const struct yaml_node *node, const char *key, const char *what,
                    struct err_detail *detail)
{
    return err_say(detail, ERR_CONFIG, "%s:%u: %s: %s", node->file, node->line, key, what);
}

static enum err check_servers(const struct policy_build *build, struct err_detail *detail)
{
    static const char KEY[] = "settings.ldap.servers";
    const struct yaml_node *node = setting_node(build, "ldap.servers");
    const char *at = build->policy.settings.ldap.servers;
    unsigned count = 0;

    if (node == NULL)
        return ERR_NONE;
    for (at += strspn(at, " "); *at != '\0'; at += strspn(at, " ")) {
        if (build->policy.settings.ldap.start_tls && strncmp(at, "ldaps://", 8) == 0)
            return say(node, KEY, "ldaps:// is encrypted from the start: without start_tls, please",
                       detail);
        at = skip_uri(at);
        if (at == NULL)
            return say(node, KEY,
                       "expected URIs like ldap://ldap.corp.example or ldaps://192.0.2.1:636, "
                       "parted by blanks",
                       detail);
        if (++count > SERVERS_MOST)
            return say(node, KEY, "more than 8 servers", detail);
    }
    return ERR_NONE;
}

// ---- what they are asked

static enum err check_filter(const struct policy_build *build, struct err_detail *detail)
{
    const struct yaml_node *node = setting_node(build, "ldap.filter");
    const char *flaw = ldap_text_flaw(LDAP_TEXT_FILTER, build->policy.settings.ldap.filter);

    if (node == NULL || flaw == NULL)
        return ERR_NONE;
    return err_say(detail, ERR_CONFIG,
                   "%s:%u: settings.ldap.filter: %s (expected a filter like (mail=%%s))",
                   node->file, node->line, flaw);
}

static enum err check_base(const char *file, unsigned line, const char *key, const char *base,
                           struct err_detail *detail)
{
    const char *flaw = ldap_text_flaw(LDAP_TEXT_BASE, base);

    if (flaw == NULL)
        return ERR_NONE;
    return err_say(detail, ERR_CONFIG, "%s:%u: %s: %s", file, line, key, flaw);
}

static enum err check_mailbox(const struct policy_build *build, struct err_detail *detail)
{
    const struct yaml_node *node = setting_node(build, "ldap.mailbox");

    for (const char *at = build->policy.settings.ldap.mailbox; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr("-.;", *at) == NULL)
            return say(node, "settings.ldap.mailbox", "expected the name of an attribute", detail);
    return ERR_NONE;
}

static enum err check_domain(const struct policy_build *build, const struct policy_domain *domain,
                             struct err_detail *detail)
{
    const bool is_ldap = domain->recipients == POLICY_RECIPIENTS_LDAP;

    if (is_ldap && build->policy.settings.ldap.servers[0] == '\0')
        return err_say(detail, ERR_CONFIG,
                       "%s:%u: %s: recipients: ldap needs settings.ldap.servers", domain->file,
                       domain->line, domain->name);
    if (!is_ldap && domain->ldap_base[0] != '\0')
        return err_say(detail, ERR_CONFIG, "%s:%u: %s: base is for recipients: ldap alone",
                       domain->file, domain->line, domain->name);
    return check_base(domain->file, domain->line, domain->name, domain->ldap_base, detail);
}

enum err ldap_check(const struct policy_build *build, struct err_detail *detail)
{
    const struct yaml_node *base = setting_node(build, "ldap.base");
    enum err err = check_servers(build, detail);

    if (err == ERR_NONE)
        err = check_filter(build, detail);
    if (err == ERR_NONE && base != NULL)
        err = check_base(base->file, base->line, "settings.ldap.base",
                         build->policy.settings.ldap.base, detail);
    if (err == ERR_NONE)
        err = check_mailbox(build, detail);
    for (size_t i = 0; i < build->policy.domain_count && err == ERR_NONE; i++)
        err = check_domain(build, &build->policy.domain[i], detail);
    return err;
}
