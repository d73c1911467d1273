// host.c: names of clients. Promises: no name, however long or odd, takes more than a pass over it for each octet; a name that cannot
// be judged is nobody's.
#include "proto/host.h"

#include <libpsl.h>
#include <stdio.h>
#include <string.h>

enum { OCTETS = 4 };

// ---- words

// What providers call lines of their customers, and hosting companies the machines they let. A word counts alone between
// anything that is no letter: dsl-12, pool7, a.dyn.b. Left out are words that mail servers' names have as well: static, host, ptr, rev.
static const char *const line_words[] = {
    "abo",        "adsl",        "broadband", "cable", "catv",   "cloudapp", "cpe",         "cust",
    "customer",   "customers",   "dhcp",      "dial",  "dialin", "dialup",   "dip",         "dsl",
    "dyn",        "dynamic",     "dynamicip", "dynip", "fibra",  "fixed",    "fttb",        "ftth",
    "fttx",       "gpon",        "gprs",      "hsd",   "isdn",   "lte",      "mobile",      "modem",
    "nat",        "pool",        "pools",     "ppp",   "pppoe",  "res",      "residential", "sdsl",
    "subscriber", "subscribers", "umts",      "vdsl",  "vds",    "vps",      "wifi",        "wimax",
    "wireless",   "wlan",        "xdsl",
};

// What an owner calls machines that send mail. Some farms number their names by the address, as access providers do
// (out203-205-221-173.mail.qq.com, 69-171-232-143.mail-mail.facebook.com): with such a word the octets say nothing.
static const char *const mail_words[] = {"mail", "mta", "outbound", "smtp"};

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

struct words {
    const char *const *word;
    size_t count;
};

static const struct words LINE_WORDS = {line_words, sizeof(line_words) / sizeof(line_words[0])};
static const struct words MAIL_WORDS = {mail_words, sizeof(mail_words) / sizeof(mail_words[0])};

static bool is_one_of(const struct words *words, const char *text, size_t len)
{
    for (size_t i = 0; i < words->count; i++)
        if (strlen(words->word[i]) == len && memcmp(words->word[i], text, len) == 0)
            return true;
    return false;
}

static bool has_one_of(const struct words *words, const char *host)
{
    for (const char *at = host; *at != '\0';) {
        size_t len = 0;

        while (is_letter(at[len]))
            len++;
        if (is_one_of(words, at, len))
            return true;
        at += len > 0 ? len : 1;
    }
    return false;
}

// ---- octets

// The octets that a name has shown so far; each place of the address is used once.
struct octets {
    const uint8_t *of;
    bool seen[OCTETS];
    unsigned count;
};

static void see(struct octets *octets, unsigned value)
{
    for (unsigned i = 0; i < OCTETS; i++) {
        if (octets->seen[i] || octets->of[i] != value)
            continue;
        octets->seen[i] = true;
        octets->count++;
        return;
    }
}

static unsigned number_of(const char *digits, size_t len, unsigned base)
{
    unsigned value = 0;

    for (size_t i = 0; i < len; i++)
        value = value * base + (is_digit(digits[i]) ? (unsigned)(digits[i] - '0')
                                                    : (unsigned)(digits[i] - 'a' + 10));
    return value;
}

// A run of digits is one octet, or padded octets run together: 192, 007, 192000002007.
static void see_decimals(struct octets *octets, const char *run, size_t len)
{
    if (len <= 3) {
        see(octets, number_of(run, len, 10));
        return;
    }
    for (size_t i = 0; len % 3 == 0 && i < len; i += 3)
        see(octets, number_of(run + i, 3, 10));
}

// The octets run together as they are, forwards or backwards: 200.68.167.39 is 2006816739 or 3916768200.
static bool is_run_together(const char *run, size_t len, const uint8_t *of)
{
    char forward[4 * 3 + 1];
    char backward[4 * 3 + 1];

    (void)snprintf(forward, sizeof(forward), "%u%u%u%u", of[0], of[1], of[2], of[3]);
    (void)snprintf(backward, sizeof(backward), "%u%u%u%u", of[3], of[2], of[1], of[0]);
    return len == strlen(forward) &&
           (memcmp(run, forward, len) == 0 || memcmp(run, backward, len) == 0);
}

static bool holds_decimals(const char *host, const struct ip *ip)
{
    struct octets octets = {.of = ip->bytes};

    for (const char *at = host; *at != '\0';) {
        size_t len = 0;

        while (is_digit(at[len]))
            len++;
        if (len > 3 && is_run_together(at, len, ip->bytes))
            return true;
        see_decimals(&octets, at, len);
        at += len > 0 ? len : 1;
    }
    return octets.count == OCTETS;
}

// Pairs of hex digits: c0000207, c0-00-02-07, 0xc0000207. A run of odd length is a word.
static bool holds_hex(const char *host, const struct ip *ip)
{
    struct octets octets = {.of = ip->bytes};

    for (const char *at = host; *at != '\0';) {
        size_t len = 0;
        size_t skip = at[0] == '0' && at[1] == 'x' ? 2 : 0;

        at += skip;
        while (is_hex(at[len]))
            len++;
        for (size_t i = 0; len % 2 == 0 && i < len; i += 2)
            see(&octets, number_of(at + i, 2, 16));
        at += len > 0 ? len : skip == 0;
    }
    return octets.count == OCTETS;
}

// ---- names

static bool looks_dynamic(const char *host, const struct ip *ip)
{
    if (has_one_of(&LINE_WORDS, host))
        return true;
    return ip->family == 4 && !has_one_of(&MAIL_WORDS, host) &&
           (holds_decimals(host, ip) || holds_hex(host, ip));
}

bool host_identity(const char *name, const struct ip *ip, char out[MAIL_DOMAIN_MAX + 1])
{
    char host[MAIL_DOMAIN_MAX + 1];
    char domain[MAIL_DOMAIN_MAX + 1];

    if (!mail_domain_normalise(name, host) || host[0] == '[')
        return false;
    const char *registrable = psl_registrable_domain(psl_builtin(), host);

    if (registrable == NULL)
        return false;
    (void)snprintf(domain, sizeof(domain), "%s", registrable);
    host[strlen(host) - strlen(domain)] = '\0'; // what is left is the owner's choice
    if (looks_dynamic(host, ip))
        return false;
    memcpy(out, domain, strlen(domain) + 1);
    return true;
}

const char *host_owner(const char *domain)
{
    return domain[0] == '[' ? NULL : psl_registrable_domain(psl_builtin(), domain);
}

bool host_aligned(const char *a, const char *b)
{
    const char *owner_a = host_owner(a);
    const char *owner_b = host_owner(b);

    return owner_a != NULL && owner_b != NULL && strcmp(owner_a, owner_b) == 0;
}
