// mail.c: envelope addresses. Promises: parsing is linear in the text, which is bounded; what
// libidn2 and libunistring give is copied to the arena and freed; a flaw is a result and never an
// error.
//
//     "Ann.Smith+news"@Example.ORG.      as given
//     content  Ann.Smith+news            without quotes, still escaped by nothing
//     folded   ann.smith+news            lower case, or libunistring's case folding in NFC
//     local    ann.smith+news            in quotes again where it needs them
//     base     ann.smith
//     domain   example.org
#include "proto/mail.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <idn2.h>
#include <unicase.h>
#include <uninorm.h>

#include "proto/ip.h"
#include "proto/text.h"

#define LABEL_MAX 63
// A name of 255 bytes in A-labels has fewer characters than that, and each is at most four bytes of
// UTF-8.
#define DOMAIN_GIVEN_MAX (4 * MAIL_DOMAIN_MAX)

// A piece of text that need not be terminated.
struct span {
    const char *at;
    size_t len;
};

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static bool is_ascii(char c)
{
    return (unsigned char)c < 0x80;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t span_count(struct span text, bool (*fits)(char c))
{
    size_t count = 0;

    while (count < text.len && fits(text.at[count]))
        count++;
    return count;
}

// ---- domains

static bool is_domain_char(char c)
{
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

static bool is_label(const char *label, size_t len)
{
    if (len == 0 || len > LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
        return false;
    return span_count((struct span){label, len}, is_domain_char) == len;
}

static bool labels_are_good(const char *domain)
{
    const char *label = domain;

    for (;;) {
        size_t len = strcspn(label, ".");

        if (!is_label(label, len))
            return false;
        if (label[len] == '\0')
            return true;
        label += len + 1;
    }
}

static enum mail_flaw normalise_ascii(const char *text, char out[MAIL_DOMAIN_MAX + 1])
{
    char name[MAIL_DOMAIN_MAX + 1];
    size_t len = strlen(text);

    if (len > 0 && text[len - 1] == '.')
        len--;
    if (len > MAIL_DOMAIN_MAX)
        return MAIL_BAD_DOMAIN;
    for (size_t i = 0; i < len; i++)
        name[i] = lower(text[i]);
    name[len] = '\0';
    if (!labels_are_good(name))
        return MAIL_BAD_DOMAIN;
    memcpy(out, name, len + 1);
    return MAIL_OK;
}

// UTS 46 maps characters like U+3002 to dots, so the result is checked like any name.
static enum mail_flaw normalise_idn(const char *text, char out[MAIL_DOMAIN_MAX + 1])
{
    uint8_t *ascii = NULL;
    enum mail_flaw flaw;

    if (strlen(text) > DOMAIN_GIVEN_MAX)
        return MAIL_BAD_DOMAIN;
    if (idn2_lookup_u8((const uint8_t *)text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) !=
        IDN2_OK)
        return MAIL_BAD_IDNA;
    flaw = normalise_ascii((const char *)ascii, out);
    idn2_free(ascii);
    return flaw;
}

// An address literal (RFC 5321 4.1.3): [192.0.2.1] or [IPv6:2001:db8::1].
static enum mail_flaw normalise_literal(const char *text, char out[MAIL_DOMAIN_MAX + 1])
{
    static const char tag[] = "[ipv6:";
    const size_t tag_len = sizeof(tag) - 1;
    bool tagged = strncasecmp(text, tag, tag_len) == 0;
    const char *start = text + (tagged ? tag_len : 1);
    size_t len = strcspn(start, "]");
    char address[IP_TEXT_MAX];
    struct ip ip;

    if (len >= sizeof(address) || strcmp(start + len, "]") != 0)
        return MAIL_BAD_DOMAIN;
    memcpy(address, start, len);
    address[len] = '\0';
    if (tagged != (strchr(address, ':') != NULL) || !ip_parse(address, &ip))
        return MAIL_BAD_DOMAIN;
    (void)snprintf(out, MAIL_DOMAIN_MAX + 1, "%s%s]", ip.family == 6 ? tag : "[",
                   ip_format(&ip, address));
    return MAIL_OK;
}

static enum mail_flaw normalise_domain(const char *text, char out[MAIL_DOMAIN_MAX + 1])
{
    if (text[0] == '[')
        return normalise_literal(text, out);
    return text_is_ascii(text) ? normalise_ascii(text, out) : normalise_idn(text, out);
}

bool mail_domain_normalise(const char *text, char out[MAIL_DOMAIN_MAX + 1])
{
    return normalise_domain(text, out) == MAIL_OK;
}

// ---- local parts

// What stands before the @, without quotes and quoted-pairs.
struct local {
    char content[MAIL_ADDRESS_MAX + 1];
    size_t len;
    bool quoted;
};

// RFC 5321's atext, the dot (anywhere: real mailboxes like a..b@ exist), and all that is not ASCII
// (RFC 6531).
static bool is_unquoted_char(char c)
{
    return !is_ascii(c) || is_domain_char(lower(c)) ||
           (c != '\0' && strchr("!#$%&'*+/=?^`{|}~.", c) != NULL);
}

// Reads a quoted string (RFC 5321 4.1.2, Quoted-string) and returns what follows it; NULL if it
// does not end.
static const char *read_quoted(const char *text, struct local *out)
{
    const char *at = text + 1;

    out->quoted = true;
    while (*at != '"') {
        if (*at == '\\')
            at++;
        if (*at == '\0')
            return NULL;
        out->content[out->len++] = *at++;
    }
    return at + 1;
}

static const char *read_unquoted(const char *text, struct local *out)
{
    const char *at = strrchr(text, '@');

    out->quoted = false;
    out->len = at != NULL ? (size_t)(at - text) : strlen(text);
    memcpy(out->content, text, out->len);
    return text + out->len;
}

// Splits text, which is at most MAIL_ADDRESS_MAX long, at its @. *domain is NULL if there is none.
static enum mail_flaw split_address(const char *text, struct local *local, const char **domain)
{
    const char *rest;

    local->len = 0;
    rest = text[0] == '"' ? read_quoted(text, local) : read_unquoted(text, local);
    if (rest == NULL || local->len == 0 || (*rest != '@' && *rest != '\0'))
        return MAIL_BAD_LOCAL;
    *domain = *rest == '@' ? rest + 1 : NULL;
    return MAIL_OK;
}

// The folded content in the arena; out->at is NULL if that is full.
static void fold_content(struct span content, struct arena *arena, struct span *out)
{
    uint8_t *folded = NULL;
    char *text;

    out->len = content.len;
    if (span_count(content, is_ascii) == content.len) {
        text = arena_text(arena, content.at, content.len);
        for (size_t i = 0; text != NULL && i < content.len; i++)
            text[i] = lower(text[i]);
    } else {
        folded = u8_casefold((const uint8_t *)content.at, content.len, NULL, UNINORM_NFC, NULL,
                             &out->len);
        text = folded != NULL ? arena_text(arena, (const char *)folded, out->len) : NULL;
        free(folded);
    }
    out->at = text;
}

// A dot-atom of RFC 5322: quotes around it mean nothing.
static bool is_dot_atom(struct span text)
{
    if (text.len == 0 || text.at[0] == '.' || text.at[text.len - 1] == '.')
        return false;
    for (size_t i = 1; i < text.len; i++) {
        if (text.at[i] == '.' && text.at[i - 1] == '.')
            return false;
    }
    return span_count(text, is_unquoted_char) == text.len;
}

// The one canonical form in quotes: only the quote and the backslash are escaped.
static const char *quote(struct span text, struct arena *arena)
{
    char *quoted = arena_alloc(arena, 2 * text.len + 3);
    size_t used = 0;

    if (quoted == NULL)
        return NULL;
    quoted[used++] = '"';
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\')
            quoted[used++] = '\\';
        quoted[used++] = text.at[i];
    }
    quoted[used++] = '"';
    quoted[used] = '\0';
    return quoted;
}

static const char *local_text(struct span folded, bool quoted, struct arena *arena)
{
    return quoted ? quote(folded, arena) : arena_text(arena, folded.at, folded.len);
}

// Without its subaddress; a + at the very start separates nothing.
static struct span without_tag(struct span local)
{
    const char *plus = local.len > 1 ? memchr(local.at + 1, '+', local.len - 1) : NULL;

    return plus != NULL ? (struct span){local.at, (size_t)(plus - local.at)} : local;
}

// ---- addresses

static bool is_postmaster(struct span folded)
{
    static const char name[] = "postmaster";

    return folded.len == sizeof(name) - 1 && memcmp(folded.at, name, folded.len) == 0;
}

// An address with a flaw has no parts.
static enum err flawed(struct mail_address *out, enum mail_flaw flaw)
{
    out->flaw = flaw;
    out->local = out->base = out->domain = "";
    return ERR_NONE;
}

// The texts of a good address: its domain is settled, its local part is folded.
static enum err fill_parts(struct mail_address *out, struct span folded, bool quoted,
                           const char *domain, struct arena *arena)
{
    struct span base = without_tag(folded);
    struct mail_address filled = *out;

    filled.flaw = MAIL_OK;
    filled.local = local_text(folded, quoted, arena);
    quoted = quoted && !is_dot_atom(base); // they may have been for the tag alone
    filled.base = base.len < folded.len ? local_text(base, quoted, arena) : filled.local;
    filled.domain = arena_text(arena, domain, strlen(domain));
    if (filled.local == NULL || filled.base == NULL || filled.domain == NULL)
        return ERR_MEMORY;
    *out = filled;
    return ERR_NONE;
}

static enum err parse_parts(struct mail_address *out, struct arena *arena)
{
    char domain[MAIL_DOMAIN_MAX + 1] = "";
    const char *given;
    struct local local;
    struct span folded;
    enum mail_flaw flaw = split_address(out->text, &local, &given);

    if (flaw != MAIL_OK)
        return flawed(out, flaw);
    fold_content((struct span){local.content, local.len}, arena, &folded);
    if (folded.at == NULL)
        return ERR_MEMORY;
    if (!local.quoted && span_count(folded, is_unquoted_char) < folded.len)
        return flawed(out, MAIL_BAD_LOCAL);
    if (given == NULL && !is_postmaster(folded))
        return flawed(out, MAIL_NO_DOMAIN);
    if (given != NULL)
        flaw = normalise_domain(given, domain);
    if (flaw != MAIL_OK)
        return flawed(out, flaw);
    return fill_parts(out, folded, local.quoted && !is_dot_atom(folded), domain, arena);
}

enum err mail_parse(const char *text, struct arena *arena, struct mail_address *out)
{
    struct mail_address parsed = {.text = text, .ascii = text_is_ascii(text)};
    enum err err;

    if (text[0] == '\0') {
        parsed.null = true;
        err = flawed(&parsed, MAIL_OK);
    } else if (text_is_damaged(text) || !text_is_clean(text, strlen(text), MAIL_ADDRESS_MAX)) {
        err = flawed(&parsed, MAIL_DAMAGED);
    } else {
        err = parse_parts(&parsed, arena);
    }
    if (err == ERR_NONE)
        *out = parsed;
    return err;
}

const char *mail_flaw_text(enum mail_flaw flaw)
{
    switch (flaw) {
    case MAIL_OK:
        return "no flaw";
    case MAIL_DAMAGED:
        return "too long, not UTF-8 or with control characters";
    case MAIL_NO_DOMAIN:
        return "no domain";
    case MAIL_BAD_LOCAL:
        return "nothing, unbalanced quotes or a forbidden character before the @";
    case MAIL_BAD_DOMAIN:
        return "a domain that is no host name or address literal";
    case MAIL_BAD_IDNA:
        return "a domain that has no ASCII form (IDNA)";
    }
    return "an unknown flaw";
}

// ---- keys of triplets

// Takes one field and the separator behind it from the front of rest. False if the field is empty
// or no separator follows.
static bool take_field(struct span *rest, char separator, struct span *field)
{
    const char *end = memchr(rest->at, separator, rest->len);

    if (end == NULL || end == rest->at)
        return false;
    *field = (struct span){rest->at, (size_t)(end - rest->at)};
    rest->len -= field->len + 1;
    rest->at = end + 1;
    return true;
}

static bool take_prefix(struct span *rest, const char *prefix)
{
    size_t len = strlen(prefix);

    if (rest->len < len || memcmp(rest->at, prefix, len) != 0)
        return false;
    rest->at += len;
    rest->len -= len;
    return true;
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

// KDDDSSSSSS: key number and day in digits, signature in hex (draft-levine-smtp-batv, "prvs").
static bool is_batv_tag(struct span tag)
{
    return tag.len == 10 && span_count(tag, is_digit) >= 4 && span_count(tag, is_hex) == 10;
}

// prvs=KDDDSSSSSS=local and the older prvs=local/KDDDSSSSSS, reduced to local.
static struct span without_batv(struct span local)
{
    struct span rest = local;
    struct span field;

    if (!take_prefix(&rest, "prvs="))
        return local;
    if (rest.len > 11 && rest.at[rest.len - 11] == '/' &&
        is_batv_tag((struct span){rest.at + rest.len - 10, 10}))
        return (struct span){rest.at, rest.len - 11};
    if (take_field(&rest, '=', &field) && is_batv_tag(field) && rest.len > 0)
        return rest;
    return local;
}

// What SRS wrapped: the forwarder that wrapped first (SRS1 alone), the original domain, the
// original local part.
struct srs {
    struct span first;
    struct span domain;
    struct span local;
};

// HHH=TT=dom=local: a hash and a day, which change, and what they guard, which does not. The
// separator after the scheme's name may be = + or -.
static bool read_srs0(struct span rest, struct srs *out)
{
    struct span dropped;

    if (rest.len == 0 || strchr("=+-", rest.at[0]) == NULL)
        return false;
    rest.at++;
    rest.len--;
    if (!take_field(&rest, '=', &dropped) || !take_field(&rest, '=', &dropped) ||
        !take_field(&rest, '=', &out->domain))
        return false;
    out->local = rest;
    return rest.len > 0;
}

// =HHH=first==HHH=TT=dom=local, where what follows "first=" is an SRS0 without its name.
static bool read_srs1(struct span rest, struct srs *out)
{
    struct span dropped;

    if (rest.len == 0 || strchr("=+-", rest.at[0]) == NULL)
        return false;
    rest.at++;
    rest.len--;
    return take_field(&rest, '=', &dropped) && take_field(&rest, '=', &out->first) &&
           read_srs0(rest, out);
}

static bool read_srs(struct span local, struct srs *out)
{
    struct span rest = local;

    out->first = span_of("");
    if (take_prefix(&rest, "srs0"))
        return read_srs0(rest, out);
    return take_prefix(&rest, "srs1") && read_srs1(rest, out);
}

static void add_span(struct text_buf *key, struct span text)
{
    text_buf_add(key, "%.*s", (int)text.len, text.at);
}

static void add_srs(struct text_buf *key, const struct srs *srs)
{
    text_buf_put(key, srs->first.len > 0 ? "srs1=" : "srs0=");
    add_span(key, srs->first);
    if (srs->first.len > 0)
        text_buf_put(key, "==");
    add_span(key, srs->domain);
    text_buf_put(key, "=");
    add_span(key, without_tag(without_batv(srs->local)));
}

// The local part without what changes from one message to the next, digits apart. Nobody quotes an
// address of BATV or SRS, and the base of a quoted one has lost its tag inside of the quotes.
static void add_stable_local(struct text_buf *key, const struct mail_address *sender)
{
    struct span local = without_batv(span_of(sender->local));
    struct srs srs;

    if (sender->local[0] == '"')
        text_buf_put(key, sender->base);
    else if (read_srs(local, &srs))
        add_srs(key, &srs);
    else
        add_span(key, without_tag(local));
}

// Every run of digits becomes one '#'. A literal '#' may then collide with digits, which is
// harmless: the two senders would have to write from one network to one recipient, and would only
// share a delay.
static void fold_digits(struct text_buf *key)
{
    size_t used = 0;
    bool in_run = false;

    for (size_t i = 0; i < key->used; i++) {
        bool digit = is_digit(key->start[i]);

        if (!digit || !in_run)
            key->start[used++] = digit ? '#' : key->start[i];
        in_run = digit;
    }
    key->used = used;
    key->start[used] = '\0';
}

static void add_domain(struct text_buf *key, const char *domain)
{
    if (domain[0] == '\0')
        return;
    text_buf_put(key, "@");
    text_buf_put(key, domain);
}

// Nothing of a key is longer than what it was made from, but for its separators.
static bool begin_key(struct text_buf *key, const struct mail_address *of, struct arena *arena)
{
    size_t size = strlen(of->text) + strlen(of->local) + strlen(of->domain) + sizeof("srs1=@");
    char *memory = arena_alloc(arena, size);

    if (memory == NULL)
        return false;
    text_buf_init(key, memory, size);
    return true;
}

const char *mail_sender_key(const struct mail_address *sender, bool fold, struct arena *arena)
{
    struct text_buf key;

    if (!begin_key(&key, sender, arena))
        return NULL;
    if (sender->null) {
        text_buf_put(&key, "<>");
    } else if (sender->flaw != MAIL_OK) {
        text_buf_put(&key, sender->text); // no parts; each flawed address stands for itself
    } else if (fold) {
        add_stable_local(&key, sender);
        add_domain(&key, sender->domain);
        fold_digits(&key); // of the domain too: senders number their hosts as well
    } else {
        text_buf_put(&key, sender->local);
        add_domain(&key, sender->domain);
    }
    return key.start;
}

const char *mail_recipient_key(const struct mail_address *recipient, struct arena *arena)
{
    struct text_buf key;

    if (!begin_key(&key, recipient, arena))
        return NULL;
    text_buf_put(&key, recipient->flaw != MAIL_OK ? recipient->text : recipient->base);
    add_domain(&key, recipient->domain);
    return key.start;
}
