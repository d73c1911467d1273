// record.c: the grammar of SPF records. Promises: one pass over each term, no allocation; what is
// not of the grammar is SPF_READ_BROKEN and nothing is guessed.
#include "client/spf/record.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "client/spf/macro.h"

#define VERSION     "v=spf1"
#define VERSION_LEN (sizeof(VERSION) - 1)

enum spec_rule {
    SPEC_NEVER,     // all
    SPEC_MAY,       // a, mx, ptr
    SPEC_MUST,      // include, exists
    SPEC_IS_NETWORK // ip4, ip6
};

static const struct mechanism {
    const char *name;
    enum spf_kind kind;
    enum spec_rule spec;
    bool has_bits;
} MECHANISMS[] = {
    {"all", SPF_ALL, SPEC_NEVER, false},
    {"include", SPF_INCLUDE, SPEC_MUST, false},
    {"a", SPF_A, SPEC_MAY, true},
    {"mx", SPF_MX, SPEC_MAY, true},
    {"ptr", SPF_PTR, SPEC_MAY, false},
    {"ip4", SPF_IP4, SPEC_IS_NETWORK, false},
    {"ip6", SPF_IP6, SPEC_IS_NETWORK, false},
    {"exists", SPF_EXISTS, SPEC_MUST, false},
};

static bool span_is(struct spf_span text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

static struct spf_span span_after(struct spf_span text, size_t len)
{
    return (struct spf_span){text.at + len, text.len - len};
}

bool spf_record_is(const char *text, size_t len)
{
    return len >= VERSION_LEN && strncasecmp(text, VERSION, VERSION_LEN) == 0 &&
           (len == VERSION_LEN || text[VERSION_LEN] == ' ');
}

struct spf_span spf_record_terms(const char *text, size_t len)
{
    return span_after((struct spf_span){text, len}, VERSION_LEN);
}

// ---- prefix lengths

// take_bits: a decimal number without leading zeros, from 0 to most, that ends the text.
static bool take_bits(struct spf_span text, unsigned most, uint8_t *out)
{
    unsigned bits = 0;

    if (text.len == 0 || text.len > 3 || (text.at[0] == '0' && text.len > 1))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned char)text.at[i] - (unsigned)'0';

        if (digit > 9)
            return false;
        bits = bits * 10 + digit;
    }
    *out = (uint8_t)bits;
    return bits <= most;
}

// digits_before_end: how many digits the text ends with.
static size_t digits_before_end(struct spf_span text)
{
    size_t count = 0;

    while (count < text.len && text.at[text.len - count - 1] >= '0' &&
           text.at[text.len - count - 1] <= '9')
        count++;
    return count;
}

// cut_suffix: if the text ends with mark and digits, cuts both off and gives the digits.
static bool cut_suffix(struct spf_span *text, const char *mark, struct spf_span *digits)
{
    size_t count = digits_before_end(*text);
    size_t mark_len = strlen(mark);

    if (count == 0 || text->len < count + mark_len ||
        memcmp(text->at + text->len - count - mark_len, mark, mark_len) != 0)
        return false;
    *digits = (struct spf_span){text->at + text->len - count, count};
    text->len -= count + mark_len;
    return true;
}

// cut_dual_bits: takes [ip4-cidr-length] ["/" ip6-cidr-length] off the end. A domain-spec may hold
// slashes itself, so this is read from the right.
static bool cut_dual_bits(struct spf_span *text, struct spf_term *out)
{
    struct spf_span digits = {0};

    if (cut_suffix(text, "//", &digits) && !take_bits(digits, 128, &out->bits6))
        return false;
    if (cut_suffix(text, "/", &digits) && !take_bits(digits, 32, &out->bits4))
        return false;
    return true;
}

// ---- networks

static bool copy_text(struct spf_span text, char *out, size_t size)
{
    if (text.len >= size)
        return false;
    memcpy(out, text.at, text.len);
    out[text.len] = '\0';
    return true;
}

// read_network: ip6 never is an IPv4 network, not even a mapped one: an IPv4 client has only ip4.
static bool read_network(struct spf_span text, struct spf_term *out)
{
    const bool is_v4 = out->kind == SPF_IP4;
    struct ip ip = {.family = is_v4 ? 4 : 6};
    struct spf_span digits = {0};
    uint8_t bits = is_v4 ? 32 : 128;
    char address[IP_TEXT_MAX];

    if (cut_suffix(&text, "/", &digits) && !take_bits(digits, bits, &bits))
        return false;
    if (!copy_text(text, address, sizeof(address)) ||
        inet_pton(is_v4 ? AF_INET : AF_INET6, address, ip.bytes) != 1)
        return false;
    out->net = ip_net_of(&ip, bits);
    return true;
}

// ---- terms

// read_mechanism: rest is what stands behind the name: nothing, or ":..." or "/...".
static bool read_mechanism(const struct mechanism *mechanism, struct spf_span rest,
                           struct spf_term *out)
{
    out->kind = mechanism->kind;
    if (mechanism->has_bits && !cut_dual_bits(&rest, out))
        return false;
    if (rest.len == 0)
        return mechanism->spec == SPEC_NEVER || mechanism->spec == SPEC_MAY;
    if (rest.at[0] != ':' || mechanism->spec == SPEC_NEVER)
        return false;
    rest = span_after(rest, 1);
    if (mechanism->spec == SPEC_IS_NETWORK)
        return read_network(rest, out);
    out->spec = rest;
    return spf_spec_is_valid(rest);
}

static bool read_directive(struct spf_span name, struct spf_span rest, struct spf_term *out)
{
    for (size_t i = 0; i < sizeof(MECHANISMS) / sizeof(MECHANISMS[0]); i++) {
        if (span_is(name, MECHANISMS[i].name))
            return read_mechanism(&MECHANISMS[i], rest, out);
    }
    return false;
}

static bool read_modifier(struct spf_span name, struct spf_span value, struct spf_term *out)
{
    out->spec = value;
    out->kind = SPF_OTHER;
    if (span_is(name, "redirect"))
        out->kind = SPF_REDIRECT;
    else if (span_is(name, "exp"))
        out->kind = SPF_EXP;
    return out->kind == SPF_OTHER ? spf_macros_are_valid(value, false) : spf_spec_is_valid(value);
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_char(char c)
{
    return is_alpha(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

// read_qualifier: takes it off the front; without one a match passes.
static bool read_qualifier(struct spf_span *term, enum spf_outcome *out)
{
    static const char letters[] = "+-~?";
    static const enum spf_outcome outcomes[] = {SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_NEUTRAL};
    const char *found = term->len > 0 ? memchr(letters, term->at[0], sizeof(letters) - 1) : NULL;

    *out = found != NULL ? outcomes[found - letters] : SPF_PASS;
    if (found != NULL)
        *term = span_after(*term, 1);
    return found != NULL;
}

static bool read_term(struct spf_span text, struct spf_term *out)
{
    bool is_qualified = read_qualifier(&text, &out->qualifier);
    struct spf_span name = {text.at, 0};
    struct spf_span rest = {0};

    while (name.len < text.len && is_name_char(text.at[name.len]))
        name.len++;
    if (name.len == 0 || !is_alpha(name.at[0]))
        return false;
    rest = span_after(text, name.len);
    if (rest.len > 0 && rest.at[0] == '=')
        return !is_qualified && read_modifier(name, span_after(rest, 1), out);
    return read_directive(name, rest, out);
}

enum spf_read spf_record_next(struct spf_span *rest, struct spf_term *out)
{
    struct spf_span text = *rest;

    while (text.len > 0 && text.at[0] == ' ')
        text = span_after(text, 1);
    if (text.len == 0)
        return SPF_READ_END;
    const char *space = memchr(text.at, ' ', text.len);
    const size_t len = space != NULL ? (size_t)(space - text.at) : text.len;

    *rest = span_after(text, len);
    *out = (struct spf_term){.bits4 = 32, .bits6 = 128};
    return read_term((struct spf_span){text.at, len}, out) ? SPF_READ_TERM : SPF_READ_BROKEN;
}

bool spf_record_is_valid(const char *text, size_t len)
{
    struct spf_span rest = spf_record_terms(text, len);
    struct spf_term term = {0};
    enum spf_read read = SPF_READ_END;
    unsigned redirects = 0;
    unsigned explanations = 0;

    while ((read = spf_record_next(&rest, &term)) == SPF_READ_TERM) {
        redirects += term.kind == SPF_REDIRECT;
        explanations += term.kind == SPF_EXP;
    }
    return read == SPF_READ_END && redirects <= 1 && explanations <= 1;
}
