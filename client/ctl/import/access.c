// access.c: see access.h. Promises: what comes out as a pattern is one that a policy takes, and means there what it means
// in the map; any other bytes are told as what they are.
#include "client/ctl/import/access.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/base/mem.h"
#include "proto/text.h"

static const char BLANKS[] = " \t\r\n\v\f";

bool access_split(char *line, char **pattern, char **result)
{
    size_t len = strlen(line);

    while (len > 0 && strchr(BLANKS, line[len - 1]) != NULL)
        line[--len] = '\0';
    line += strspn(line, BLANKS);
    *pattern = line;
    line += strcspn(line, BLANKS);
    if (*line == '\0')
        return false;
    *line++ = '\0';
    *result = line + strspn(line, BLANKS);
    return true;
}

// ---- patterns

static bool put(struct access_who *out, enum access_kind kind, const char *before, const char *text)
{
    out->kind = kind;
    (void)snprintf(out->text, sizeof(out->text), "%s%s", before, text);
    return true;
}

static bool read_net(const char *text, struct access_who *out)
{
    if (ip_net_parse(text, &out->net, NULL) != ERR_NONE)
        return false;
    out->kind = ACCESS_NET;
    (void)ip_net_format(&out->net, out->text);
    return true;
}

// read_octets: "192.0.2", the first octets of an IPv4 address: a network.
static bool read_octets(const char *text, struct access_who *out)
{
    char address[32];
    unsigned dots = 0;

    if (text[0] == '\0' || text[strspn(text, "0123456789.")] != '\0' || strlen(text) > 11)
        return false;
    for (const char *at = text; *at != '\0'; at++)
        dots += *at == '.';
    if (dots > 2)
        return false;
    (void)snprintf(address, sizeof(address), "%s%s/%u", text, &".0.0.0"[2 * dots], 8 * (dots + 1));
    return read_net(address, out);
}

// read_groups: "2001:db8:1:2", the first groups of an IPv6 address.
static bool read_groups(const char *text, struct access_who *out)
{
    char address[64];
    unsigned groups = 1;

    if (strchr(text, ':') == NULL || strstr(text, "::") != NULL || strlen(text) > 39 ||
        text[strspn(text, "0123456789abcdefABCDEF:")] != '\0')
        return false;
    for (const char *at = text; *at != '\0'; at++)
        groups += *at == ':';
    if (groups > 7)
        return false;
    (void)snprintf(address, sizeof(address), "%s::/%u", text, 16 * groups);
    return read_net(address, out);
}

static bool read_client(const char *text, struct access_who *out)
{
    char address[IP_NET_TEXT_MAX + 2];
    size_t len = strlen(text);
    const char *close = strchr(text, ']');

    if (text[0] == '[' && close != NULL &&
        len < sizeof(address)) { // cidr_table(5): [2001:db8::]/32
        (void)snprintf(address, sizeof(address), "%.*s%s", (int)(close - text) - 1, text + 1,
                       close + 1);
        return read_net(address, out);
    }
    return read_net(text, out) || read_octets(text, out) || read_groups(text, out);
}

// is_number: an address cut short, or one with a mistake in it.
static bool is_number(const char *domain)
{
    return domain[strspn(domain, "0123456789.")] == '\0';
}

static bool read_domain(const char *text, struct access_who *out, const char **why)
{
    char domain[MAIL_DOMAIN_MAX + 1];
    bool is_below = text[0] == '.';

    *why = "not a domain name, nor a network";
    if (strpbrk(text, "*#\"\\ ") != NULL || !mail_domain_normalise(text + is_below, domain) ||
        is_number(domain))
        return false;
    return put(out, is_below ? ACCESS_BELOW : ACCESS_DOMAIN, is_below ? "." : "", domain);
}

static bool has_tag(const struct mail_address *address)
{
    return strcmp(address->local, address->base) != 0;
}

// read_address: user@dom, or user@ in every domain.
static bool read_address(enum access_map map, const char *text, struct access_who *out,
                         const char **why)
{
    unsigned char memory[8192];
    char whole[ACCESS_TEXT_MAX + sizeof("any.invalid")];
    bool any_domain = text[strlen(text) - 1] == '@';
    struct arena arena;
    struct mail_address address;

    *why = "not an address";
    if (!text_is_clean(text, strlen(text), MAIL_ADDRESS_MAX) || strpbrk(text, "*#\"\\ ") != NULL)
        return false;
    (void)snprintf(whole, sizeof(whole), "%s%s", text, any_domain ? "any.invalid" : "");
    arena_init(&arena, memory, sizeof(memory));
    if (mail_parse(whole, &arena, &address) != ERR_NONE || address.flaw != MAIL_OK ||
        address.domain[0] == '\0' || address.domain[0] == '[')
        return false;
    *why = "recipients are compared without their +tag here";
    if (map == ACCESS_RECIPIENT && has_tag(&address))
        return false;
    out->kind = any_domain ? ACCESS_LOCAL : ACCESS_ADDRESS;
    (void)snprintf(out->text, sizeof(out->text), "%s@%s", address.local,
                   any_domain ? "*" : address.domain);
    return true;
}

static const char *find_flaw(const char *pattern)
{
    if (pattern[0] == '/' || (pattern[0] == '!' && pattern[1] == '/'))
        return "a regular expression: no policy has one";
    if (pattern[0] == '!')
        return "a negated pattern: no policy has one";
    return pattern[0] == '\0' ? "it is empty" : NULL;
}

bool access_who_read(enum access_map map, const char *pattern, struct access_who *out,
                     const char **why)
{
    const bool is_address = map == ACCESS_SENDER || map == ACCESS_RECIPIENT;

    *out = (struct access_who){.kind = ACCESS_NULL};
    *why = find_flaw(pattern);
    if (*why != NULL)
        return false;
    if (map == ACCESS_SENDER && strcmp(pattern, "<>") == 0)
        return put(out, ACCESS_NULL, "", "<>");
    if (map == ACCESS_CLIENT && read_client(pattern, out))
        return true;
    *why = is_address ? "a network or an address literal: of an address no such is looked for"
                      : "not a network";
    if (strpbrk(pattern, "/:[") != NULL && strchr(pattern, '@') == NULL)
        return false;
    if (strchr(pattern, '@') == NULL || pattern[0] == '@')
        return read_domain(pattern, out, why);
    return is_address && read_address(map, pattern, out, why);
}

// ---- results

static const char DEFERS[] = "a policy does not defer; it blocks, or it does not";

// An action of access(5) by its first word.
static const struct {
    const char *word;
    enum access_effect effect;
    const char *why;
} ACTIONS[] = {
    {"OK", ACCESS_LET, ""},
    {"PERMIT", ACCESS_LET, ""},
    {"REJECT", ACCESS_BLOCK, ""},
    {"DUNNO", ACCESS_NONE, ""},
    {"HOLD", ACCESS_HOLD, ""},
    {"DEFER", ACCESS_OTHER, DEFERS},
    {"DEFER_IF_REJECT", ACCESS_OTHER, DEFERS},
    {"DEFER_IF_PERMIT", ACCESS_OTHER, DEFERS},
    {"DISCARD", ACCESS_OTHER, "mail is never thrown away in silence; REJECT or HOLD it"},
    {"FILTER", ACCESS_OTHER, "it stays with Postfix: leave it in the map"},
    {"REDIRECT", ACCESS_OTHER, "it stays with Postfix: leave it in the map"},
    {"BCC", ACCESS_OTHER, "it stays with Postfix: leave it in the map"},
    {"PREPEND", ACCESS_OTHER, "it stays with Postfix: leave it in the map"},
    {"INFO", ACCESS_OTHER, "it only writes a line into Postfix' log"},
    {"WARN", ACCESS_OTHER, "it only writes a line into Postfix' log"},
};

static enum access_effect read_code(const char *word, size_t len, const char **why)
{
    if (len != 3 || (word[0] != '4' && word[0] != '5'))
        return ACCESS_LET; // access(5): all-numerical is OK
    if (word[0] == '5')
        return ACCESS_BLOCK;
    *why = DEFERS;
    return ACCESS_OTHER;
}

enum access_effect access_effect_read(const char *result, const char **text, const char **why)
{
    size_t len = strcspn(result, BLANKS);

    *why = "";
    *text = result + len + strspn(result + len, BLANKS);
    // "550" alone is OK to Postfix; with a text it is a refusal.
    if (len > 0 && strspn(result, "0123456789") == len)
        return (*text)[0] == '\0' ? ACCESS_LET : read_code(result, len, why);
    for (size_t i = 0; i < sizeof(ACTIONS) / sizeof(ACTIONS[0]); i++) {
        if (strlen(ACTIONS[i].word) != len || strncasecmp(ACTIONS[i].word, result, len) != 0)
            continue;
        *why = ACTIONS[i].why;
        return ACTIONS[i].effect;
    }
    *why = "restrictions of Postfix, or no action of access(5)";
    return ACCESS_OTHER;
}

// ---- what is wider

static bool widen_net(const struct access_who *who, struct access_who *out)
{
    if (who->net.bits == 0)
        return false;
    struct access_who wider = {.kind = ACCESS_NET, .net = who->net};

    wider.net.bits--;
    wider.net.ip.bytes[wider.net.bits / 8] &= (uint8_t) ~(0x80U >> wider.net.bits % 8);
    (void)ip_net_format(&wider.net, wider.text);
    *out = wider;
    return true;
}

static bool widen_domain(const char *domain, bool parents, struct access_who *out)
{
    const char *dot = strchr(domain, '.');
    char text[ACCESS_TEXT_MAX];

    if (dot == NULL)
        return false;
    (void)snprintf(text, sizeof(text), "%s", parents ? dot + 1 : dot);
    return put(out, parents ? ACCESS_DOMAIN : ACCESS_BELOW, "", text);
}

// user+tag@dom: user@dom; user@dom: dom.
static bool widen_address(const struct access_who *who, struct access_who *out)
{
    const char *at = strrchr(who->text, '@');
    const char *plus = strchr(who->text + 1, '+');
    char text[ACCESS_TEXT_MAX];

    if (plus == NULL || plus > at) {
        (void)snprintf(text, sizeof(text), "%s", at + 1);
        return put(out, ACCESS_DOMAIN, "", text);
    }
    (void)snprintf(text, sizeof(text), "%.*s%s", (int)(plus - who->text), who->text, at);
    return put(out, ACCESS_ADDRESS, "", text);
}

bool access_wider(const struct access_who *who, bool parents, struct access_who *out)
{
    switch (who->kind) {
    case ACCESS_NET:
        return widen_net(who, out);
    case ACCESS_ADDRESS:
        return widen_address(who, out);
    case ACCESS_DOMAIN:
        return widen_domain(who->text, parents, out);
    case ACCESS_BELOW:
        return widen_domain(who->text + 1, parents, out);
    case ACCESS_NULL:
    case ACCESS_LOCAL:
        break;
    }
    return false;
}
