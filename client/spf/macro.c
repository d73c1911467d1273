// macro.c: checking and expanding macros. Promises: linear in the text and bounded by EXPANDED_MAX;
// an expansion that would be longer counts as a name that nobody has, which a mechanism does not
// match.
#include "client/spf/macro.h"

#include <stdint.h>
#include <string.h>

enum { EXPANDED_MAX = 4096, LETTER_VALUE_MAX = 700, PARTS_MAX = 128 };

static const char DELIMITERS[] = ".-+,/_=";

// One %{...}, taken apart.
struct macro {
    char letter; // lower case
    bool url;    // was upper case: escaped as in a URL
    bool reverse;
    unsigned keep; // that many parts from the right; 0 = all
    struct spf_span delimiters;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

// ---- reading

// read_macro: text begins with "%{". The length of the whole macro, or 0 if it is none.
static size_t read_macro(struct spf_span text, struct macro *out)
{
    const char *close = memchr(text.at, '}', text.len);
    size_t end = close != NULL ? (size_t)(close - text.at) : 0;
    size_t at = 2;

    if (close == NULL || end <= at || !is_one_of(lower(text.at[at]), "slodiphcrtv"))
        return 0;
    *out = (struct macro){.letter = lower(text.at[at]), .url = text.at[at] < 'a'};
    at++;
    bool has_digits = at < end && is_digit(text.at[at]);
    for (; at < end && is_digit(text.at[at]); at++)
        out->keep =
            out->keep < PARTS_MAX ? out->keep * 10 + (unsigned)(text.at[at] - '0') : PARTS_MAX;
    if (has_digits && out->keep == 0)
        return 0;
    out->reverse = at < end && lower(text.at[at]) == 'r';
    at += out->reverse;
    out->delimiters = (struct spf_span){text.at + at, end - at};
    for (; at < end; at++) {
        if (!is_one_of(text.at[at], DELIMITERS))
            return 0;
    }
    return end + 1;
}

// step_len: how much of the text is one literal, one escape or one macro; 0 if it is none of them.
// *macro gets its letter only for a macro.
static size_t step_len(struct spf_span text, struct macro *macro)
{
    macro->letter = '\0';
    if (text.at[0] != '%')
        return text.at[0] > ' ' && text.at[0] <= '~' ? 1 : 0;
    if (text.len < 2)
        return 0;
    if (text.at[1] == '{')
        return read_macro(text, macro);
    return is_one_of(text.at[1], "%_-") ? 2 : 0;
}

bool spf_macros_are_valid(struct spf_span text, bool is_explanation)
{
    struct macro macro = {0};

    while (text.len > 0) {
        size_t len = step_len(text, &macro);

        if (len == 0 || (!is_explanation && is_one_of(macro.letter, "crt")))
            return false;
        text = (struct spf_span){text.at + len, text.len - len};
    }
    return true;
}

bool spf_macros_use(struct spf_span text, const char *letters)
{
    struct macro macro = {0};
    size_t len = 0;

    while (text.len > 0 && (len = step_len(text, &macro)) > 0) {
        if (is_one_of(macro.letter, letters))
            return true;
        text = (struct spf_span){text.at + len, text.len - len};
    }
    return false;
}

// ends_with_macro: true if the last step of a valid macro-string is %{...}. The other escapes are
// no domain-end.
static bool ends_with_macro(struct spf_span text)
{
    struct macro macro = {0};

    while (text.len > 0) {
        size_t len = step_len(text, &macro);

        text = (struct spf_span){text.at + len, text.len - len};
    }
    return macro.letter != '\0';
}

// is_toplabel: letters, digits and inner hyphens, not digits alone.
static bool is_toplabel(struct spf_span label)
{
    bool has_other = false;

    if (label.len == 0 || label.at[0] == '-' || label.at[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        if (!is_alpha(label.at[i]) && !is_digit(label.at[i]) && label.at[i] != '-')
            return false;
        has_other = has_other || !is_digit(label.at[i]);
    }
    return has_other;
}

bool spf_spec_is_valid(struct spf_span spec)
{
    struct spf_span text = spec;
    const char *dot = NULL;

    if (spec.len == 0 || spec.len > SPF_SPEC_MAX || !spf_macros_are_valid(spec, false))
        return false;
    if (ends_with_macro(spec))
        return true;
    if (text.at[text.len - 1] == '.')
        text.len--;
    dot = memrchr(text.at, '.', text.len);
    if (dot == NULL)
        return false;
    return is_toplabel((struct spf_span){dot + 1, (size_t)(text.at + text.len - dot - 1)});
}

// ---- expanding

static void add_nibbles(struct text_buf *out, const struct ip *ip)
{
    for (size_t i = 0; i < 16; i++)
        text_buf_add(out, "%s%x.%x", i > 0 ? "." : "", ip->bytes[i] >> 4, ip->bytes[i] & 15);
}

static void add_address(struct text_buf *out, const struct ip *ip)
{
    if (ip->family == 4)
        text_buf_add(out, "%u.%u.%u.%u", ip->bytes[0], ip->bytes[1], ip->bytes[2], ip->bytes[3]);
    else
        add_nibbles(out, ip);
}

static void add_value(struct text_buf *out, char letter, const struct spf_values *values)
{
    switch (letter) {
    case 's':
        text_buf_add(out, "%s@%s", values->local, values->sender_domain);
        return;
    case 'l':
        text_buf_add(out, "%s", values->local);
        return;
    case 'o':
        text_buf_add(out, "%s", values->sender_domain);
        return;
    case 'd':
        text_buf_add(out, "%s", values->domain);
        return;
    case 'i':
        add_address(out, values->client);
        return;
    case 'p':
        text_buf_add(out, "%s", values->validated);
        return;
    case 'h':
        text_buf_add(out, "%s", values->helo);
        return;
    case 'v':
        text_buf_add(out, "%s", values->client->family == 4 ? "in-addr" : "ip6");
        return;
    default: // c, r and t, which only an explanation may hold
        return;
    }
}

static bool is_unreserved(char c)
{
    return is_alpha(c) || is_digit(c) || is_one_of(c, "-._~");
}

static void add_part(struct text_buf *out, struct spf_span part, bool url)
{
    if (!url) {
        text_buf_add(out, "%.*s", (int)part.len, part.at);
        return;
    }
    for (size_t i = 0; i < part.len; i++) {
        if (!is_unreserved(part.at[i]))
            text_buf_add(out, "%%%02X", (unsigned char)part.at[i]);
        else
            text_buf_add(out, "%c", part.at[i]);
    }
}

static bool is_delimiter(char c, struct spf_span delimiters)
{
    return delimiters.len == 0 ? c == '.' : memchr(delimiters.at, c, delimiters.len) != NULL;
}

// split: the parts of a value between its delimiters; what comes after PARTS_MAX of them is one
// part.
static size_t split(const char *value, struct spf_span delimiters, struct spf_span *parts)
{
    size_t count = 1;

    parts[0] = (struct spf_span){value, 0};
    for (; *value != '\0'; value++) {
        if (count < PARTS_MAX && is_delimiter(*value, delimiters))
            parts[count++] = (struct spf_span){value + 1, 0};
        else
            parts[count - 1].len++;
    }
    return count;
}

static void add_macro(struct text_buf *out, const struct macro *macro,
                      const struct spf_values *values)
{
    struct spf_span parts[PARTS_MAX];
    char memory[LETTER_VALUE_MAX];
    struct text_buf value;

    text_buf_init(&value, memory, sizeof(memory));
    add_value(&value, macro->letter, values);
    out->full = out->full || value.full;
    const size_t count = split(memory, macro->delimiters, parts);
    const size_t skip = macro->keep > 0 && macro->keep < count ? count - macro->keep : 0;

    for (size_t i = skip; i < count; i++) {
        if (i > skip)
            text_buf_add(out, ".");
        add_part(out, parts[macro->reverse ? count - 1 - i : i], macro->url);
    }
}

// add_escape: the second byte of %%, %_ or %-.
static void add_escape(struct text_buf *out, char c)
{
    text_buf_add(out, "%s", c == '_' ? " " : c == '-' ? "%20" : "%");
}

static void add_all(struct text_buf *out, struct spf_span spec, const struct spf_values *values)
{
    struct macro macro = {0};
    size_t len = 0;

    while (spec.len > 0 && !out->full && (len = step_len(spec, &macro)) > 0) {
        if (macro.letter != '\0')
            add_macro(out, &macro, values);
        else if (len == 2)
            add_escape(out, spec.at[1]);
        else
            text_buf_add(out, "%c", spec.at[0]);
        spec = (struct spf_span){spec.at + len, spec.len - len};
    }
}

// fit_end: the longest end of a name that begins at a label and is short enough; NULL if there is
// none.
static const char *fit_end(const char *name, size_t len)
{
    while (name != NULL && len > SPF_NAME_MAX) {
        const char *dot = memchr(name, '.', len);

        len -= dot != NULL ? (size_t)(dot + 1 - name) : 0;
        name = dot != NULL ? dot + 1 : NULL;
    }
    return name;
}

bool spf_macros_expand(struct spf_span spec, const struct spf_values *values,
                       char out[SPF_NAME_MAX + 1])
{
    char memory[EXPANDED_MAX];
    struct text_buf text;
    const char *end = NULL;

    text_buf_init(&text, memory, sizeof(memory));
    add_all(&text, spec, values);
    if (text.used > 0 && memory[text.used - 1] == '.')
        memory[--text.used] = '\0';
    end = text.full ? NULL : fit_end(memory, text.used);
    if (end == NULL || !spf_name_is_fit(end))
        return false;
    memcpy(out, end, strlen(end) + 1);
    return true;
}

// ---- names

bool spf_name_is_fit(const char *name)
{
    size_t label = 0;
    size_t len = 0;

    for (; name[len] != '\0'; len++) {
        if (name[len] < ' ' || name[len] > '~' || name[len] == '\\' || len >= SPF_NAME_MAX)
            return false;
        if (name[len] == '.' && label == 0)
            return false;
        label = name[len] == '.' ? 0 : label + 1;
        if (label > SPF_LABEL_MAX)
            return false;
    }
    return label > 0;
}

void spf_ip_reversed(const struct ip *ip, char out[SPF_NAME_MAX + 1])
{
    const size_t bytes = ip->family == 4 ? 4 : 16;
    struct text_buf text;

    text_buf_init(&text, out, SPF_NAME_MAX + 1);
    for (size_t i = bytes; i-- > 0;) {
        if (ip->family == 4)
            text_buf_add(&text, "%u.", ip->bytes[i]);
        else
            text_buf_add(&text, "%x.%x.", ip->bytes[i] & 15, ip->bytes[i] >> 4);
    }
    text_buf_add(&text, "%s", ip->family == 4 ? "in-addr.arpa" : "ip6.arpa");
}
