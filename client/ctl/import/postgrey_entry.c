// postgrey_entry.c: see postgrey_entry.h. Promises: any bytes give an entry or a word why
// not.
#include "client/ctl/import/postgrey_entry.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "proto/ip.h"

enum { SHA1_LEN = 40, DIGITS_MAX = 11, NET_IPV4 = 24, NET_IPV6 = 64 };

// read_pair: "123,456" or "123,456,host".
static bool read_pair(struct postgrey_bytes value, uint64_t *first, uint64_t *second)
{
    uint64_t number[2] = {0, 0};
    size_t at = 0;

    for (int i = 0; i < 2; i++) {
        size_t start = at;

        for (; at < value.len && value.at[at] >= '0' && value.at[at] <= '9'; at++)
            number[i] = number[i] * 10 + (uint64_t)(value.at[at] - '0');
        if (at == start || at - start > DIGITS_MAX)
            return false;
        if (i == 0 && (at == value.len || value.at[at++] != ','))
            return false;
    }
    *first = number[0];
    *second = number[1];
    return at == value.len || value.at[at] == ',';
}

// take_text: a terminated copy; false if it is too long or holds a NUL.
static bool take_text(struct postgrey_bytes key, char *out, size_t size)
{
    if (key.len == 0 || key.len >= size || memchr(key.at, '\0', key.len) != NULL)
        return false;
    memcpy(out, key.at, key.len);
    out[key.len] = '\0';
    return true;
}

static bool is_hash(const char *text)
{
    return strlen(text) == SHA1_LEN && strspn(text, "0123456789abcdef") == SHA1_LEN;
}

// read_client: postgrey keeps the first address of the client's network. Which one it was is not said:
// where the host bits are zero it is the usual one; else an address stands for itself.
static bool read_client(const char *text, char out[POSTGREY_CLIENT_MAX])
{
    struct ip_net net;
    struct ip ip;

    if (!ip_parse(text, &ip))
        return false;
    net = ip_net_of(&ip, ip.family == 4 ? NET_IPV4 : NET_IPV6);
    if (ip_equal(&net.ip, &ip))
        (void)ip_net_format(&net, out);
    else
        (void)ip_format(&ip, out);
    return true;
}

// skip_bits: "32/" of an address that NetAddr::IP has written with its length.
static char *skip_bits(char *text)
{
    size_t digits = strspn(text, "0123456789");

    return digits > 0 && digits <= 3 && text[digits] == '/' ? text + digits + 1 : text;
}

// sender_end: the slash between sender and recipient: both may hold slashes, but no domain does.
static char *sender_end(char *text)
{
    char *at = text[0] == '/' ? text : strchr(text, '@');
    char *slash = at == NULL ? NULL : strchr(at, '/');

    // A sender without a domain: the @ was the recipient's.
    return slash != NULL ? slash : strchr(text, '/');
}

static bool split(struct postgrey_entry *out)
{
    char *slash = strchr(out->text, '/');
    char *rest;

    if (slash == NULL)
        return false;
    *slash = '\0';
    rest = skip_bits(slash + 1);
    slash = sender_end(rest);
    if (slash == NULL || slash[1] == '\0')
        return false;
    *slash = '\0';
    out->sender = rest;
    out->recipient = slash + 1;
    return read_client(out->text, out->client);
}

enum postgrey_kind postgrey_read(struct postgrey_bytes key, struct postgrey_bytes value,
                                 struct postgrey_entry *out)
{
    if (!read_pair(value, &out->first_s, &out->last_s) ||
        !take_text(key, out->text, sizeof(out->text)))
        return POSTGREY_UNREADABLE;
    if (is_hash(out->text))
        return POSTGREY_HASHED;
    return split(out) ? POSTGREY_ENTRY : POSTGREY_UNREADABLE;
}

enum postgrey_kind postgrey_read_client(struct postgrey_bytes key, struct postgrey_bytes value,
                                        struct postgrey_entry *out)
{
    struct ip ip;

    out->sender = out->recipient = "";
    if (!read_pair(value, &out->first_s, &out->last_s) ||
        !take_text(key, out->text, sizeof(out->text)))
        return POSTGREY_UNREADABLE;
    if (is_hash(out->text))
        return POSTGREY_HASHED;
    if (!ip_parse(out->text, &ip))
        return POSTGREY_UNREADABLE;
    (void)ip_format(&ip, out->client);
    return POSTGREY_ENTRY;
}
