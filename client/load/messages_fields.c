// messages_fields.c: see messages_fields.h. Promises: what comes out are texts that the wire takes: clean, and within its limits.
#include "client/load/messages_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "proto/base/mem.h"
#include "proto/ip.h"
#include "proto/mail.h"
#include "proto/text.h"

enum { LOCAL_MAX = 64 };                  // RFC 5321 4.5.3.1.1
#define AT_MAX_MS UINT64_C(8796093022207) // as a node's: 2248

// ---- columns

static const struct {
    const char *name;
    bool is_needed;
    const char *others;
} columns[] = {
#define COLUMN_ROW(name, is_needed, others) {#name, is_needed, others},
    MESSAGE_COLUMNS(COLUMN_ROW)
#undef COLUMN_ROW
};

static bool is_among(const char *name, const char *words)
{
    size_t len = strlen(name);

    if (len == 0 || strchr(name, ' ') != NULL)
        return false;
    for (const char *at = words; at[0] == ' ' && at[1] != '\0'; at += strcspn(at + 1, " ") + 1) {
        if (strcspn(at + 1, " ") == len && strncasecmp(at + 1, name, len) == 0)
            return true;
    }
    return false;
}

enum column column_of(const char *name)
{
    enum column found = COLUMN_COUNT;

    for (enum column column = 0; column < COLUMN_COUNT && found == COLUMN_COUNT; column++) {
        if (strcasecmp(name, columns[column].name) == 0 || is_among(name, columns[column].others))
            found = column;
    }
    return found;
}

const char *column_name(enum column column)
{
    return columns[column].name;
}

bool column_is_needed(enum column column)
{
    return columns[column].is_needed;
}

// ---- values

static bool is_unknown(const char *text)
{
    return text[0] == '\0' || strcmp(text, "-") == 0;
}

// What a row holds may be anything; a message of ours holds what can be shown.
static enum err say_wrong(struct err_detail *detail, enum column column, const char *text,
                          const char *expected)
{
    char shown[41];
    size_t len = 0;

    for (; len < sizeof(shown) - 1 && text[len] != '\0'; len++)
        shown[len] = text[len] >= ' ' && text[len] < 0x7f ? text[len] : '?';
    shown[len] = '\0';
    return err_say(detail, ERR_SYNTAX, "%s: expected %s, not '%s'", column_name(column), expected,
                   shown);
}

static bool read_digits(const char **text, uint64_t max, uint64_t *out)
{
    const char *at = *text;
    uint64_t number = 0;

    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');

        if (number > (max - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    bool is_number = at != *text;

    *text = at;
    *out = number;
    return is_number;
}

// The first three decimals of a second, as ms.
static bool read_decimals(const char **text, uint64_t *ms)
{
    unsigned unit = 100;

    *ms = 0;
    if (**text != '.')
        return true;
    if ((*text)[1] < '0' || (*text)[1] > '9')
        return false;
    for (++*text; **text >= '0' && **text <= '9'; ++*text, unit /= 10)
        *ms += unit * (unsigned)(**text - '0');
    return true;
}

static bool read_stamp(const char *text, uint64_t *at_ms)
{
    struct tm utc = {.tm_isdst = 0};
    const char *end = strptime(text, "%Y-%m-%d", &utc);
    uint64_t ms = 0;

    if (end == NULL || (*end != 'T' && *end != ' '))
        return false;
    end = strptime(end + 1, "%H:%M:%S", &utc);
    if (end == NULL || !read_decimals(&end, &ms) ||
        (strcmp(end, "") != 0 && strcmp(end, "Z") != 0 && strcmp(end, "+00:00") != 0))
        return false;
    time_t seconds = timegm(&utc);

    if (seconds <= 0 || (uint64_t)seconds >= AT_MAX_MS / 1000)
        return false;
    *at_ms = (uint64_t)seconds * 1000 + ms;
    return true;
}

bool messages_read_time(const char *text, uint64_t *at_ms)
{
    // In seconds that would be the year 5138; ten digits of milliseconds are in 1970.
    static const uint64_t first_in_ms = UINT64_C(100000000000);
    const char *at = text;
    uint64_t number = 0, ms = 0;

    if (!read_digits(&at, AT_MAX_MS, &number))
        return false;
    if (*at == '-')
        return read_stamp(text, at_ms);
    bool is_whole = *at == '\0';

    if (!read_decimals(&at, &ms) || *at != '\0' || (number >= first_in_ms && !is_whole))
        return false;
    number = number >= first_in_ms ? number : number * 1000 + ms;
    if (number == 0 || number > AT_MAX_MS)
        return false;
    *at_ms = number;
    return true;
}

static enum err read_ip(struct message *out, const char *text, struct err_detail *detail)
{
    char canonical[IP_TEXT_MAX];
    struct ip ip;

    if (!ip_parse(text, &ip))
        return say_wrong(detail, COLUMN_ip, text, "an IPv4 or IPv6 address");
    out->ip = mem_text(ip_format(&ip, canonical));
    out->is_ipv4 = ip.family == 4;
    return ERR_NONE;
}

static enum err read_label(struct message *out, const char *text, struct err_detail *detail)
{
    out->is_spam = is_among(text, " 1 1.0 spam true yes junk ");
    if (!out->is_spam && !is_among(text, " 0 0.0 ham false no clean not_spam "))
        return say_wrong(detail, COLUMN_label, text, "spam or ham, 1 or 0");
    return ERR_NONE;
}

static enum err read_asn(struct message *out, const char *text, struct err_detail *detail)
{
    const char *at = strncasecmp(text, "AS", 2) == 0 ? text + 2 : text;
    uint64_t number = 0;

    if (is_unknown(text))
        return ERR_NONE;
    if (!read_digits(&at, UINT32_MAX, &number) || (*at != '\0' && strcmp(at, ".0") != 0))
        return say_wrong(detail, COLUMN_asn, text, "the number of an AS, or nothing");
    out->asn = (uint32_t)number;
    return ERR_NONE;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static enum err read_country(struct message *out, const char *text, struct err_detail *detail)
{
    if (is_unknown(text))
        return ERR_NONE;
    if (strlen(text) != 2 || !is_letter(text[0]) || !is_letter(text[1]))
        return say_wrong(detail, COLUMN_cc, text, "the two letters of a country, or nothing");
    out->country[0] = (char)(text[0] & ~0x20);
    out->country[1] = (char)(text[1] & ~0x20);
    if (strcmp(out->country, "ZZ") == 0) // nobody's
        out->country[0] = '\0';
    return ERR_NONE;
}

static enum err read_spf(struct message *out, const char *text, struct err_detail *detail)
{
    static const struct {
        const char *word;
        enum msg_auth result;
    } words[] = {
        {"none", MSG_AUTH_NONE},           {"pass", MSG_AUTH_PASS},
        {"fail", MSG_AUTH_FAIL},           {"softfail", MSG_AUTH_SOFTFAIL},
        {"neutral", MSG_AUTH_NEUTRAL},     {"temperror", MSG_AUTH_TEMPERROR},
        {"permerror", MSG_AUTH_PERMERROR},
    };

    if (is_unknown(text))
        return ERR_NONE;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i].word) == 0) {
            out->spf = words[i].result;
            return ERR_NONE;
        }
    }
    return say_wrong(detail, COLUMN_spf, text, "a result of SPF like pass or softfail, or nothing");
}

// What a client chose may hold anything; the node would get it cleaned as well.
static char *read_text(const char *text, size_t max)
{
    char clean[MSG_ADDRESS_MAX + 1];

    (void)text_clean(clean, max, text, is_unknown(text) ? 0 : strlen(text));
    return mem_text(clean);
}

// What stands before the @ decides nothing of a reputation. What would make the address wrong, or too long, gives way to "mail".
static bool is_plain(const char *local, size_t len)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_+=.";

    return len > 0 && len <= LOCAL_MAX && strspn(local, plain) >= len && local[0] != '.' &&
           local[len - 1] != '.' && memmem(local, len, "..", 2) == NULL;
}

// The address, whole or of its two parts. Of what is no domain there is no sender: a node would not judge a wrong address.
static char *read_sender(const char *const value[COLUMN_COUNT])
{
    const bool is_whole = !is_unknown(value[COLUMN_sender]);
    const char *local = is_whole ? value[COLUMN_sender] : value[COLUMN_mfrom_h];
    const char *at = strrchr(local, '@');
    const char *domain = !is_whole ? value[COLUMN_dom] : at != NULL ? at + 1 : "";
    size_t len = at != NULL ? (size_t)(at - local) : strlen(local);
    char clean[MAIL_DOMAIN_MAX + 1], normal[MAIL_DOMAIN_MAX + 1];

    (void)text_clean(clean, MAIL_DOMAIN_MAX, domain, strlen(domain));
    if (is_unknown(domain) || !mail_domain_normalise(clean, normal))
        return mem_text("");
    if (!is_plain(local, len) || is_unknown(local))
        return mem_format("mail@%s", normal);
    return mem_format("%.*s@%s", (int)len, local, normal);
}

static enum err fill_client(struct message *out, const char *const value[COLUMN_COUNT],
                            struct err_detail *detail)
{
    if (!messages_read_time(value[COLUMN_ts], &out->at_ms))
        return say_wrong(detail, COLUMN_ts, value[COLUMN_ts],
                         "Unix seconds (or a time like 2002-08-22T12:36:23Z)");
    enum err err = read_ip(out, value[COLUMN_ip], detail);

    if (err == ERR_NONE)
        err = read_label(out, value[COLUMN_label], detail);
    if (err == ERR_NONE)
        err = read_asn(out, value[COLUMN_asn], detail);
    if (err == ERR_NONE)
        err = read_country(out, value[COLUMN_cc], detail);
    if (err == ERR_NONE)
        err = read_spf(out, value[COLUMN_spf], detail);
    return err;
}

enum err message_fill(struct message *out, const char *const value[COLUMN_COUNT],
                      struct err_detail *detail)
{
    enum err err = fill_client(out, value, detail);

    if (err != ERR_NONE)
        return err;
    out->sender = read_sender(value);
    out->helo = read_text(value[COLUMN_helo], MSG_HELO_MAX);
    out->recipient = read_text(value[COLUMN_rcpt_h], MSG_ADDRESS_MAX);
    out->spf_domain = read_text(value[COLUMN_spf_domain], MSG_HELO_MAX);
    return ERR_NONE;
}
