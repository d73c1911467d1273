// ip.c: addresses and networks. Promises: no allocation; nothing but inet_pton's strict forms is an
// address; a result is written only when all of the text was understood.
#include "proto/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

static unsigned family_bits(const struct ip *ip)
{
    if (ip->family == 0)
        return 0;
    return ip->family == 4 ? 32 : 128;
}

// The address as it is written: an IPv4-mapped one is still IPv6.
static bool parse_as_written(const char *text, struct ip *out)
{
    struct ip ip = {.family = strchr(text, ':') != NULL ? 6 : 4};

    if (inet_pton(ip.family == 6 ? AF_INET6 : AF_INET, text, ip.bytes) != 1)
        return false;
    *out = ip;
    return true;
}

static bool is_mapped(const struct ip *ip)
{
    return ip->family == 6 && memcmp(ip->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static struct ip unmapped(const struct ip *mapped)
{
    struct ip ip = {.family = 4};

    memcpy(ip.bytes, mapped->bytes + sizeof(mapped_prefix), 4);
    return ip;
}

bool ip_parse(const char *text, struct ip *out)
{
    struct ip ip;

    if (!parse_as_written(text, &ip))
        return false;
    *out = is_mapped(&ip) ? unmapped(&ip) : ip;
    return true;
}

// A length in decimal without leading zeros, at most max.
static bool parse_bits(const char *text, unsigned max, unsigned *out)
{
    unsigned bits = 0;
    size_t len = strlen(text);

    if (len == 0 || len > 3 || strspn(text, "0123456789") != len || (text[0] == '0' && len > 1))
        return false;
    for (; *text != '\0'; text++)
        bits = bits * 10 + (unsigned)(*text - '0');
    if (bits > max)
        return false;
    *out = bits;
    return true;
}

static enum err say_no_network(struct err_detail *detail, const char *text)
{
    return err_say(
        detail, ERR_SYNTAX,
        "'%.60s' is no IP address or network (expected one like 192.0.2.0/24 or 2001:db8::/32)",
        text);
}

// Splits "address/bits" into an address as written and the length, which is the family's where none
// is given.
static bool split_net(const char *text, struct ip *ip, unsigned *bits)
{
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    char address[IP_TEXT_MAX];

    if (len >= sizeof(address))
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    if (!parse_as_written(address, ip))
        return false;
    *bits = family_bits(ip);
    return slash == NULL || parse_bits(slash + 1, family_bits(ip), bits);
}

enum err ip_net_parse(const char *text, struct ip_net *out, struct err_detail *detail)
{
    char meant[IP_NET_TEXT_MAX];
    struct ip_net net;
    struct ip ip;
    unsigned bits;

    if (!split_net(text, &ip, &bits))
        return say_no_network(detail, text);
    if (is_mapped(&ip) && bits >= 96) {
        ip = unmapped(&ip);
        bits -= 96;
    }
    net = ip_net_of(&ip, bits);
    if (!ip_equal(&net.ip, &ip))
        return err_say(detail, ERR_SYNTAX, "'%s' has bits set beyond its length; did you mean %s?",
                       text, ip_net_format(&net, meant));
    *out = net;
    return ERR_NONE;
}

struct ip_net ip_net_of(const struct ip *ip, unsigned bits)
{
    unsigned most = family_bits(ip);
    unsigned kept = bits < most ? bits : most;
    struct ip_net net = {.ip = {.family = ip->family}, .bits = (uint8_t)kept};

    memcpy(net.ip.bytes, ip->bytes, kept / 8);
    if (kept % 8 != 0)
        net.ip.bytes[kept / 8] = (uint8_t)(ip->bytes[kept / 8] & (0xFF00U >> kept % 8));
    return net;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool ip_is_loopback(const struct ip *ip)
{
    static const struct ip loopback6 = {.family = 6, .bytes = {[15] = 1}};

    return (ip->family == 4 && ip->bytes[0] == 127) || ip_equal(ip, &loopback6);
}

bool ip_net_contains(const struct ip_net *net, const struct ip *ip)
{
    struct ip_net around = ip_net_of(ip, net->bits);

    return ip->family != 0 && ip_equal(&around.ip, &net->ip);
}

int ip_net_compare(const struct ip_net *a, const struct ip_net *b)
{
    int order;

    if (a->ip.family != b->ip.family)
        return a->ip.family < b->ip.family ? -1 : 1;
    order = memcmp(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes));
    if (order != 0)
        return order;
    return (a->bits > b->bits) - (a->bits < b->bits);
}

// Each lookup names its client, so without printf, which is behind inet_ntop.
static void format_ipv4(const uint8_t bytes[4], char text[IP_TEXT_MAX])
{
    for (unsigned i = 0; i < 4; i++) {
        if (bytes[i] >= 100)
            *text++ = (char)('0' + bytes[i] / 100);
        if (bytes[i] >= 10)
            *text++ = (char)('0' + bytes[i] / 10 % 10);
        *text++ = (char)('0' + bytes[i] % 10);
        *text++ = i < 3 ? '.' : '\0';
    }
}

const char *ip_format(const struct ip *ip, char text[IP_TEXT_MAX])
{
    if (ip->family == 4)
        format_ipv4(ip->bytes, text);
    else if (ip->family != 6 || inet_ntop(AF_INET6, ip->bytes, text, IP_TEXT_MAX) == NULL)
        (void)snprintf(text, IP_TEXT_MAX, "-");
    return text;
}

const char *ip_net_format(const struct ip_net *net, char text[IP_NET_TEXT_MAX])
{
    char address[IP_TEXT_MAX];

    if (net->ip.family == 0)
        (void)snprintf(text, IP_NET_TEXT_MAX, "-");
    else
        (void)snprintf(text, IP_NET_TEXT_MAX, "%s/%u", ip_format(&net->ip, address), net->bits);
    return text;
}
