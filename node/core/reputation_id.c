// reputation_id.c: the levels of one message, and their names: for the store, for a person. Promises: no allocation; a key that is
// read back is the key that would be written, and anything else is refused.
#include <string.h>

#include "node/core/reputation.h"
#include "proto/mail.h"
#include "proto/text.h"

// The length of the network of each level of an address.
static const struct {
    uint8_t v4, v6;
} NET_BITS[] = {
    [REPUTATION_IP] = {32, 128},
    [REPUTATION_NET] = {24, 64},
    [REPUTATION_WIDE] = {16, 48},
};

static const struct {
    const char *text;
    char letter; // of its key; the roots share one
} KINDS[REPUTATION_KINDS] = {
    [REPUTATION_IP] = {"ip", 'i'},           [REPUTATION_NET] = {"net", 'n'},
    [REPUTATION_WIDE] = {"wide", 'w'},       [REPUTATION_ASN] = {"asn", 'a'},
    [REPUTATION_COUNTRY] = {"country", 'c'}, [REPUTATION_WORLD] = {"world", 'g'},
    [REPUTATION_SENDER] = {"sender", 'e'},   [REPUTATION_DOMAIN] = {"domain", 'd'},
    [REPUTATION_TLD] = {"tld", 't'},         [REPUTATION_SENDERS] = {"senders", 'g'},
};
static const char ROOT_WORLD[] = "address", ROOT_SENDERS[] = "sender";
enum { PREFIX_LEN = 4 }; // r:i:

const char *reputation_kind_text(enum reputation_kind kind)
{
    return KINDS[kind].text;
}

enum reputation_kind reputation_kind_of(const char *text)
{
    enum reputation_kind kind = 0;

    while (kind < REPUTATION_KINDS && strcmp(KINDS[kind].text, text) != 0)
        kind++;
    return kind;
}

enum reputation_auth reputation_auth_of(enum msg_auth spf)
{
    switch (spf) {
    case MSG_AUTH_PASS:
        return REPUTATION_PASSED;
    case MSG_AUTH_FAIL:
        return REPUTATION_FAILED;
    case MSG_AUTH_NONE:
    case MSG_AUTH_SOFTFAIL:
    case MSG_AUTH_NEUTRAL:
    case MSG_AUTH_TEMPERROR:
    case MSG_AUTH_PERMERROR:
        return REPUTATION_UNCONFIRMED;
    case MSG_AUTH_UNSPECIFIED:
        break;
    }
    return REPUTATION_UNASKED;
}

// ---- the levels

static struct reputation_id *add_level(struct reputation_facts *out, enum reputation_kind kind)
{
    struct reputation_level *level = &out->level[out->count++];

    *level = (struct reputation_level){.id = {.kind = kind, .domain = ""}, .state = FACT_UNKNOWN};
    return &level->id;
}

static bool is_country(const char *text)
{
    return text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'A' && text[1] <= 'Z' && text[2] == '\0';
}

static void add_address(const struct reputation_client *client, struct reputation_facts *out)
{
    for (enum reputation_kind kind = REPUTATION_IP; kind <= REPUTATION_WIDE; kind++)
        add_level(out, kind)->net =
            ip_net_of(&client->ip, client->ip.family == 4 ? NET_BITS[kind].v4 : NET_BITS[kind].v6);
    if (client->asn != 0)
        add_level(out, REPUTATION_ASN)->asn = client->asn;
    if (is_country(client->country))
        memcpy(add_level(out, REPUTATION_COUNTRY)->country, client->country, 3);
    add_level(out, REPUTATION_WORLD);
}

static void add_sender(const struct reputation_client *client, struct reputation_facts *out)
{
    const char *dot = strrchr(client->domain, '.');
    struct reputation_id *id;

    if (client->asn != 0) {
        id = add_level(out, REPUTATION_SENDER);
        id->domain = client->domain;
        id->asn = client->asn;
    }
    if (client->auth != REPUTATION_UNCONFIRMED)
        add_level(out, REPUTATION_DOMAIN)->domain = client->domain;
    add_level(out, REPUTATION_TLD)->domain = dot != NULL ? dot + 1 : client->domain;
    add_level(out, REPUTATION_SENDERS);
}

void reputation_levels(const struct reputation_client *client, struct reputation_facts *out)
{
    out->count = 0;
    if (client->ip.family != 0)
        add_address(client, out);
    out->address_count = out->count;
    if (client->domain[0] != '\0' && client->auth != REPUTATION_FAILED)
        add_sender(client, out);
}

// ---- keys

static void put_number(struct text_buf *out, uint64_t number)
{
    char text[TEXT_NUMBER_MAX];

    (void)text_number(text, number);
    text_buf_put(out, text);
}

static void put_hex(struct text_buf *out, const struct ip_net *net)
{
    static const char DIGITS[] = "0123456789abcdef";

    for (unsigned i = 0; i < net->bits / 8U; i++) {
        const uint8_t byte = net->ip.bytes[i];

        text_buf_put(out, (const char[]){DIGITS[byte >> 4], DIGITS[byte & 15], '\0'});
    }
}

size_t reputation_key(const struct reputation_id *id, char out[REPUTATION_KEY_MAX])
{
    struct text_buf text;

    text_buf_init(&text, out, REPUTATION_KEY_MAX);
    text_buf_put(&text, (const char[]){'r', ':', KINDS[id->kind].letter, ':', '\0'});
    switch (id->kind) {
    case REPUTATION_IP:
    case REPUTATION_NET:
    case REPUTATION_WIDE:
        put_hex(&text, &id->net);
        break;
    case REPUTATION_ASN:
        put_number(&text, id->asn);
        break;
    case REPUTATION_COUNTRY:
        text_buf_put(&text, id->country);
        break;
    case REPUTATION_SENDER:
        put_number(&text, id->asn);
        text_buf_put(&text, "/");
        text_buf_put(&text, id->domain);
        break;
    case REPUTATION_DOMAIN:
    case REPUTATION_TLD:
        text_buf_put(&text, id->domain);
        break;
    case REPUTATION_WORLD:
    case REPUTATION_SENDERS:
        text_buf_put(&text, id->kind == REPUTATION_WORLD ? ROOT_WORLD : ROOT_SENDERS);
        break;
    case REPUTATION_KINDS:
        break;
    }
    return text.used;
}

static int hex_of(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

// The length tells the family.
static bool read_net(const char *hex, struct reputation_id *out)
{
    const size_t bits = strlen(hex) * 4;

    if (bits != NET_BITS[out->kind].v4 && bits != NET_BITS[out->kind].v6)
        return false;
    out->net.ip.family = bits == NET_BITS[out->kind].v4 ? 4 : 6;
    out->net.bits = (uint8_t)bits;
    for (size_t i = 0; i < bits / 8; i++) {
        const int high = hex_of(hex[2 * i]);
        const int low = hex_of(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out->net.ip.bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

// A number from 1 on, as put_number writes it; text goes on behind it.
static bool read_asn(const char **text, uint32_t *out)
{
    uint64_t number = 0;

    if (**text == '0')
        return false;
    for (; **text >= '0' && **text <= '9'; (*text)++) {
        number = number * 10 + (uint64_t)(**text - '0');
        if (number > UINT32_MAX)
            return false;
    }
    *out = (uint32_t)number;
    return number > 0;
}

// mail_domain_normalise's characters; what it makes of labels and dots is not looked at again.
static bool is_domain(const char *text)
{
    const size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_.");

    return len > 0 && len <= MAIL_DOMAIN_MAX && text[len] == '\0';
}

static bool read_rest(const char *rest, struct reputation_id *out)
{
    switch (out->kind) {
    case REPUTATION_IP:
    case REPUTATION_NET:
    case REPUTATION_WIDE:
        return read_net(rest, out);
    case REPUTATION_ASN:
        return read_asn(&rest, &out->asn) && *rest == '\0';
    case REPUTATION_COUNTRY:
        if (!is_country(rest))
            return false;
        memcpy(out->country, rest, sizeof(out->country));
        return true;
    case REPUTATION_SENDER:
        if (!read_asn(&rest, &out->asn) || *rest++ != '/')
            return false;
        break;
    case REPUTATION_DOMAIN:
        break;
    case REPUTATION_TLD:
        if (strchr(rest, '.') != NULL)
            return false;
        break;
    case REPUTATION_WORLD:
        return strcmp(rest, ROOT_WORLD) == 0;
    case REPUTATION_SENDERS:
        return strcmp(rest, ROOT_SENDERS) == 0;
    case REPUTATION_KINDS:
        return false;
    }
    out->domain = rest;
    return is_domain(rest);
}

bool reputation_id_read(const char *key, struct reputation_id *out)
{
    if (strlen(key) < PREFIX_LEN || key[0] != 'r' || key[1] != ':' || key[3] != ':')
        return false;
    for (enum reputation_kind kind = 0; kind < REPUTATION_KINDS; kind++) {
        struct reputation_id id = {.kind = kind, .domain = ""};

        if (KINDS[kind].letter == key[2] && read_rest(key + PREFIX_LEN, &id)) {
            *out = id;
            return true;
        }
    }
    return false;
}

// ---- for a person

const char *reputation_text(const struct reputation_id *id, char out[REPUTATION_TEXT_MAX])
{
    struct text_buf text;
    char net[IP_NET_TEXT_MAX];

    text_buf_init(&text, out, REPUTATION_TEXT_MAX);
    switch (id->kind) {
    case REPUTATION_IP:
        text_buf_put(&text, ip_format(&id->net.ip, net));
        break;
    case REPUTATION_NET:
    case REPUTATION_WIDE:
        text_buf_put(&text, ip_net_format(&id->net, net));
        break;
    case REPUTATION_ASN:
        text_buf_put(&text, "AS");
        put_number(&text, id->asn);
        break;
    case REPUTATION_COUNTRY:
        text_buf_put(&text, id->country);
        break;
    case REPUTATION_SENDER:
        text_buf_put(&text, id->domain);
        text_buf_put(&text, " at AS");
        put_number(&text, id->asn);
        break;
    case REPUTATION_DOMAIN:
        text_buf_put(&text, id->domain);
        break;
    case REPUTATION_TLD:
        text_buf_put(&text, ".");
        text_buf_put(&text, id->domain);
        break;
    case REPUTATION_WORLD:
        text_buf_put(&text, "all addresses");
        break;
    case REPUTATION_SENDERS:
        text_buf_put(&text, "all senders");
        break;
    case REPUTATION_KINDS:
        break;
    }
    return out;
}
