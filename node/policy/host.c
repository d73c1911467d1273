// host.c: the host that call forward asks: host: "mx.internal:25". A name or an address, and a port; never a domain whose
// MX would be looked up.
#include <stdlib.h>
#include <string.h>

#include "node/policy/build.h"
#include "node/policy/line.h"
#include "proto/ip.h"
#include "proto/mail.h"
#include "proto/text.h"

enum { SMTP_PORT = 25, HOST_TEXT_MAX = MAIL_DOMAIN_MAX + 10 };

static bool read_port(const char *text, uint16_t *out)
{
    char *end = NULL;
    const unsigned long port = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || port == 0 || port > 65535)
        return false;
    *out = (uint16_t)port;
    return true;
}

// An address as it is written everywhere, a name as mail.h normalises it.
static bool read_name(const char *text, bool is_bracketed, char out[MAIL_DOMAIN_MAX + 1])
{
    char address[IP_TEXT_MAX];
    struct ip ip;

    if (ip_parse(text, &ip)) {
        (void)ip_format(&ip, address);
        memcpy(out, address, strlen(address) + 1);
        return true;
    }
    return !is_bracketed && strchr(text, '[') == NULL && mail_domain_normalise(text, out);
}

// NAME, NAME:PORT, [ADDRESS]:PORT; an IPv6 address without a port needs no brackets.
static bool read_host(char *text, char name[MAIL_DOMAIN_MAX + 1], uint16_t *port)
{
    const bool is_bracketed = text[0] == '[';
    char *end = is_bracketed ? strchr(text, ']') : strrchr(text, ':');

    *port = SMTP_PORT;
    if (is_bracketed) {
        if (end == NULL || (end[1] != '\0' && (end[1] != ':' || !read_port(end + 2, port))))
            return false;
        *end = '\0';
        return read_name(text + 1, true, name);
    }
    if (end == NULL || strchr(text, ':') != end) // none, or an IPv6 address
        return read_name(text, false, name);
    *end = '\0';
    return read_port(end + 1, port) && read_name(text, false, name);
}

enum err host_read(struct policy_build *build, const struct yaml_node *node,
                   struct policy_domain *out, struct err_detail *detail)
{
    char text[HOST_TEXT_MAX];
    char name[MAIL_DOMAIN_MAX + 1];
    enum err err = yaml_expect(node, YAML_TEXT, "host", detail);

    if (err != ERR_NONE)
        return err;
    const size_t len = strlen(node->text);

    if (len < sizeof(text))
        memcpy(text, node->text, len + 1);
    if (len >= sizeof(text) || !read_host(text, name, &out->host_port))
        return err_say(detail, ERR_CONFIG,
                       "%s:%u: host: expected a name or an address and a port, like "
                       "\"mx.internal:25\" or \"[2001:db8::5]:25\", not '%.200s'",
                       node->file, node->line, node->text);
    out->host = build_text(build, name);
    return ERR_NONE;
}

void host_put(struct line *line, const struct policy_domain *domain)
{
    const bool is_v6 = strchr(domain->host, ':') != NULL;
    char text[HOST_TEXT_MAX + 2];
    struct text_buf buf;

    text_buf_init(&buf, text, sizeof(text));
    text_buf_add(&buf, is_v6 ? "[%s]:%u" : "%s:%u", domain->host, (unsigned)domain->host_port);
    line_key(line, "host");
    line_quote(line, text);
}
