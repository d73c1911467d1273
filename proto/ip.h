// ip.h: IPv4 and IPv6 addresses and networks. An IPv4-mapped IPv6 address (::ffff:192.0.2.1) is
// IPv4 from the moment it is parsed, so a client that reaches two gateways by different sockets is
// one client.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define IP_TEXT_MAX     46 // longest text of an address, terminator included (INET6_ADDRSTRLEN)
#define IP_NET_TEXT_MAX 50

struct ip {
    uint8_t family;    // 4 or 6; 0 = no address
    uint8_t bytes[16]; // network order; IPv4 uses the first four, the rest is zero
};

struct ip_net {
    struct ip ip; // host bits are zero
    uint8_t bits; // 0..32 or 0..128
};

// ip_parse: an address in text (RFC 4291 section 2.2, dotted quad). No zone, no port, no brackets,
// no leading or trailing space. False, and *out untouched, if it is none.
MUST_USE bool ip_parse(const char *text, struct ip *out);

// ip_net_parse: "192.0.2.0/24", "2001:db8::/32", or a bare address (/32, /128). Host bits must be
// zero: the detail then names the network that was probably meant. ERR_SYNTAX otherwise. An
// IPv4-mapped network of /96 or longer becomes IPv4.
MUST_USE enum err ip_net_parse(const char *text, struct ip_net *out, struct err_detail *detail);

// ip_net_of: the network of the given length around an address; bits above the family's length
// count as that length.
struct ip_net ip_net_of(const struct ip *ip, unsigned bits);

bool ip_equal(const struct ip *a, const struct ip *b);
bool ip_is_loopback(const struct ip *ip); // 127.0.0.0/8, ::1
// ip_net_contains: false for another family.
bool ip_net_contains(const struct ip_net *net, const struct ip *ip);
// ip_net_compare: a total order (family, bytes, bits) for sorting and bsearch.
int ip_net_compare(const struct ip_net *a, const struct ip_net *b);

// ip_format, ip_net_format: canonical text (RFC 5952) into the caller's buffer; they return it. No
// address is "-".
const char *ip_format(const struct ip *ip, char text[IP_TEXT_MAX]);
const char *ip_net_format(const struct ip_net *net, char text[IP_NET_TEXT_MAX]);
