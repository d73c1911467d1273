// zone.c: see zone.h. Promises: no text of a stranger reaches a zone but names of plain letters; in an order that is always
// the same; nothing that is known to be good is listed.
//
//      sorted: 192.0.0.0/16 bad    -> listed
//              192.0.2.0/24 bad    -> says the same as the /16: nothing to write
//              192.0.2.7    good   -> rbldnsd: !192.0.2.7; BIND: then neither the /16 nor the /24 can be a wildcard
#include "client/ctl/reputation/zone.h"

#include <stdlib.h>
#include <string.h>

#include "client/ctl/json.h"

enum { DEPTH_MAX = 129, NAME_MAX_BYTES = 253, LABEL_MAX_BYTES = 63, TEXT_MAX = 128 };
#define LISTED_AS "127.0.0.2"

// ---- what may be in it

bool zone_is_name(const char *name, size_t more)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t len = strlen(name);

    if (len == 0 || len + more > NAME_MAX_BYTES)
        return false;
    for (;;) {
        size_t label = strspn(name, letters);

        if (label == 0 || label > LABEL_MAX_BYTES)
            return false;
        name += label;
        if (*name == '\0')
            return true;
        if (*name++ != '.')
            return false;
    }
}

static int compare(const void *a, const void *b)
{
    const struct zone_entry *one = a;
    const struct zone_entry *other = b;

    if (one->net.ip.family != other->net.ip.family)
        return one->net.ip.family < other->net.ip.family ? -1 : 1;
    return one->net.ip.family == 0 ? strcmp(one->domain, other->domain)
                                   : ip_net_compare(&one->net, &other->net);
}

// Where the test entries of RFC 5782 are, and nobody's mail comes from.
static bool is_reserved(const struct zone_entry *entry)
{
    const struct ip mapped = {.family = 6, .bytes = {[10] = 0xFF, [11] = 0xFF}};
    const struct ip_net old = {mapped, 96};

    return entry->net.ip.family == 4
               ? entry->net.ip.bytes[0] == 127
               : ip_is_loopback(&entry->net.ip) || ip_net_contains(&old, &entry->net.ip);
}

size_t zone_sort(struct zone *zone)
{
    size_t kept = 0, unnamed = 0;

    if (zone->count > 0)
        qsort(zone->entry, zone->count, sizeof(*zone->entry), compare);
    for (size_t i = 0; i < zone->count; i++) {
        const struct zone_entry *entry = &zone->entry[i];
        const bool is_domain = entry->net.ip.family == 0;

        if (kept > 0 && compare(&zone->entry[kept - 1], entry) == 0)
            continue;
        if (is_domain && !zone_is_name(entry->domain, strlen(zone->origin) + strlen("*..")))
            unnamed++;
        else if (is_domain || !is_reserved(entry))
            zone->entry[kept++] = *entry;
    }
    zone->count = kept;
    return unnamed;
}

// ---- networks in networks

// The networks around an entry, from the widest on.
struct around {
    const struct zone_entry *entry[DEPTH_MAX];
    size_t depth;
};

// says_the_same: as the narrowest network around it, which without any says that nobody is listed. Goes on to that entry.
static bool says_the_same(struct around *around, const struct zone_entry *entry)
{
    bool as_listed;

    while (around->depth > 0 &&
           !ip_net_contains(&around->entry[around->depth - 1]->net, &entry->net.ip))
        around->depth--;
    as_listed = around->depth > 0 && around->entry[around->depth - 1]->is_listed;
    around->entry[around->depth++] = entry;
    return as_listed == entry->is_listed;
}

// net_text: an address, or a network.
static const char *net_text(const struct ip_net *net, char out[IP_NET_TEXT_MAX])
{
    const bool is_one = net->bits == (net->ip.family == 4 ? 32 : 128);

    return is_one ? ip_format(&net->ip, out) : ip_net_format(net, out);
}

// write_evidence: the words of a TXT record; no character in them needs to be escaped.
static void write_evidence(const struct zone_entry *entry, char out[TEXT_MAX])
{
    (void)snprintf(out, TEXT_MAX, "spam probability %.3f, evidence %.1f, %u gateway%s", entry->p,
                   entry->weight, entry->reporters, entry->reporters == 1 ? "" : "s");
}

// ---- rbldnsd

// rbldnsd's own words for a SOA and an NS record.
static void write_rbldnsd_head(const struct zone *zone, FILE *out)
{
    const unsigned long long ttl = (unsigned long long)zone->ttl_s;

    if (zone->server[0] != '\0') {
        (void)fprintf(out, "$SOA %llu %s %s %llu %llu %llu 604800 %llu\n", ttl, zone->server,
                      zone->contact, (unsigned long long)zone->now_s, ttl, ttl, ttl);
        (void)fprintf(out, "$NS %llu %s\n", ttl, zone->server);
    }
    (void)fprintf(out, "$TTL %llu\n", ttl);
}

static size_t write_rbldnsd_nets(const struct zone *zone, uint8_t family, FILE *out)
{
    struct around around = {.depth = 0};
    size_t listed = 0;

    (void)fprintf(out, "$DATASET %s @\n:%s:listed\n%s\n", family == 4 ? "ip4trie" : "ip6trie",
                  LISTED_AS, family == 4 ? "127.0.0.2" : "::ffff:7f00:2");
    for (size_t i = 0; i < zone->count; i++) {
        const struct zone_entry *entry = &zone->entry[i];
        char text[IP_NET_TEXT_MAX], evidence[TEXT_MAX];

        if (entry->net.ip.family != family || says_the_same(&around, entry))
            continue;
        write_evidence(entry, evidence);
        (void)net_text(&entry->net, text);
        if (entry->is_listed)
            (void)fprintf(out, "%s :%s:%s\n", text, LISTED_AS, evidence);
        else
            (void)fprintf(out, "!%s\n", text);
        listed += entry->is_listed;
    }
    return listed;
}

static size_t write_rbldnsd_domains(const struct zone *zone, FILE *out)
{
    size_t listed = 0;

    (void)fprintf(out, "$DATASET dnset @\n:%s:listed\ntest\n", LISTED_AS);
    for (size_t i = 0; i < zone->count; i++) {
        const struct zone_entry *entry = &zone->entry[i];
        char evidence[TEXT_MAX];

        if (entry->net.ip.family != 0 || !entry->is_listed)
            continue;
        write_evidence(entry, evidence);
        (void)fprintf(out, ".%s :%s:%s\n", entry->domain, LISTED_AS, evidence);
        listed++;
    }
    return listed;
}

size_t zone_write_rbldnsd(const struct zone *zone, FILE *out)
{
    size_t listed = 0;

    write_rbldnsd_head(zone, out);
    if (zone->of_addresses) {
        listed += write_rbldnsd_nets(zone, 4, out);
        listed += write_rbldnsd_nets(zone, 6, out);
    }
    if (zone->of_domains)
        listed += write_rbldnsd_domains(zone, out);
    return listed;
}

// ---- BIND

// leave_out: networks with an exception in them; returns how many there are.
static size_t leave_out(struct zone *zone)
{
    size_t count = 0;

    for (size_t i = 0; i < zone->count; i++) {
        struct zone_entry *entry = &zone->entry[i];

        for (size_t k = i + 1; entry->is_listed && entry->net.ip.family != 0 && k < zone->count &&
                               ip_net_contains(&entry->net, &zone->entry[k].net.ip);
             k++)
            entry->is_left_out |= !zone->entry[k].is_listed;
        count += entry->is_left_out;
    }
    for (size_t i = 0; i < zone->count; i++)
        zone->entry[i].is_listed &= !zone->entry[i].is_left_out;
    return count;
}

static size_t add_label(char *out, size_t used, unsigned number, bool is_hex)
{
    return used +
           (size_t)snprintf(out + used, NAME_MAX_BYTES + 1 - used, is_hex ? "%x." : "%u.", number);
}

// reverse_name: RFC 5782, 2.1 and 2.4: octets, or nibbles, the last one first, a network as a wildcard.
static void reverse_name(const struct ip_net *net, char out[NAME_MAX_BYTES + 1])
{
    const bool is_old = net->ip.family == 4;
    size_t used = 0;

    out[0] = '\0';
    if (net->bits < (is_old ? 32 : 128))
        used += (size_t)snprintf(out, NAME_MAX_BYTES + 1, "*.");
    for (size_t i = net->bits / 8U; is_old && i-- > 0;)
        used = add_label(out, used, net->ip.bytes[i], false);
    for (size_t i = net->bits / 4U; !is_old && i-- > 0;)
        used = add_label(out, used, (net->ip.bytes[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 15U, true);
    if (used > 0)
        out[used - 1] = '\0'; // the last point
}

static void write_records(const char *name, const char *evidence, FILE *out)
{
    (void)fprintf(out, "%s A %s\n", name, LISTED_AS);
    (void)fprintf(out, "%s TXT \"%s\"\n", name, evidence);
}

static void write_bind_head(const struct zone *zone, FILE *out)
{
    const char *server = zone->server[0] != '\0' ? zone->server : "localhost";
    const unsigned long long ttl = (unsigned long long)zone->ttl_s;

    if (zone->origin[0] != '\0')
        (void)fprintf(out, "$ORIGIN %s.\n", zone->origin);
    (void)fprintf(out, "$TTL %llu\n", ttl);
    (void)fprintf(out, "@ SOA %s. %s. %llu %llu %llu 604800 %llu\n@ NS %s.\n", server,
                  zone->contact, (unsigned long long)zone->now_s, ttl, ttl, ttl, server);
}

static void write_bind_entry(const struct zone_entry *entry, FILE *out)
{
    char evidence[TEXT_MAX], name[NAME_MAX_BYTES + 1];

    write_evidence(entry, evidence);
    if (entry->net.ip.family != 0) {
        reverse_name(&entry->net, name);
        write_records(name, evidence, out);
        return;
    }
    write_records(entry->domain, evidence, out);
    (void)fprintf(out, "*.%s A %s\n", entry->domain, LISTED_AS);
    (void)fprintf(out, "*.%s TXT \"%s\"\n", entry->domain, evidence);
}

size_t zone_write_bind(struct zone *zone, FILE *out, size_t *left_out)
{
    static const struct ip_net test = {
        {.family = 6, .bytes = {[10] = 0xFF, [11] = 0xFF, [12] = 127, [15] = 2}}, 128};
    struct around around = {.depth = 0};
    char name[NAME_MAX_BYTES + 1];
    size_t listed = 0;

    *left_out = leave_out(zone);
    write_bind_head(zone, out);
    reverse_name(&test, name);
    if (zone->of_addresses) {
        write_records("2.0.0.127", "listed", out);
        write_records(name, "listed", out);
    }
    if (zone->of_domains)
        write_records("test", "listed", out);
    for (size_t i = 0; i < zone->count; i++) {
        const struct zone_entry *entry = &zone->entry[i];

        if (entry->net.ip.family == 0 ? !entry->is_listed : says_the_same(&around, entry))
            continue;
        write_bind_entry(entry, out);
        listed++;
    }
    return listed;
}

// ---- reputons

// RFC 7073, 3.2: where the identifier was found in the mail.
static const char *identity_of(const struct zone_entry *entry)
{
    if (entry->net.ip.family == 0)
        return "rfc5321.mailfrom";
    return entry->net.ip.family == 4 ? "ipv4" : "ipv6";
}

static void write_reputon(const struct zone *zone, const struct zone_entry *entry,
                          struct json *json)
{
    char text[IP_NET_TEXT_MAX];

    json_open(json, NULL, '{');
    json_text(json, "rater", zone->rater);
    json_text(json, "assertion", "spam");
    json_text(json, "email-id-identity", identity_of(entry));
    json_text(json, "rated",
              entry->net.ip.family == 0 ? entry->domain : net_text(&entry->net, text));
    json_number(json, "rating", entry->p);
    json_number(json, "confidence", entry->confidence);
    json_count(json, "sample-size", (uint64_t)(entry->weight + 0.5));
    json_count(json, "sources", entry->reporters);
    json_count(json, "generated", zone->now_s);
    json_count(json, "expires", zone->now_s + zone->ttl_s);
    json_close(json, '}');
}

size_t zone_write_reputons(const struct zone *zone, FILE *out)
{
    struct json json;

    json_init(&json, out);
    json_open(&json, NULL, '{');
    json_text(&json, "application", "email-id");
    json_open(&json, "reputons", '[');
    for (size_t i = 0; i < zone->count; i++)
        write_reputon(zone, &zone->entry[i], &json);
    json_close(&json, ']');
    json_close(&json, '}');
    return zone->count;
}
