// ldap_text.c: see ldap_text.h. A filter is read by one descent, LDAP_TEXT_DEPTH deep at most:
//
//     filter = "(" ( "&" 1*filter | "|" 1*filter | "!" filter | item ) ")"
//     item   = attribute ( "=" | "~=" | ">=" | "<=" | ":=" ) value
#include "node/core/ldap_text.h"

#include <ctype.h>
#include <string.h>

static const char FILTER_SPECIAL[] = "*()\\";
static const char BASE_SPECIAL[] = "\\,+\"<>;=# ";
static const char ATTRIBUTE_ALSO[] = "-._;:";

// ---- is it well formed?

struct reading {
    const char *at;
    unsigned depth;
    bool places;    // a percent sign begins one
    bool has_local; // %s or %u was met
    const char *flaw;
};

static bool say(struct reading *reading, const char *flaw)
{
    if (reading->flaw == NULL)
        reading->flaw = flaw;
    return false;
}

// read_place: what stands behind a percent sign.
static bool read_place(struct reading *reading)
{
    if (reading->at[1] == '\0' || strchr("sud%", reading->at[1]) == NULL)
        return say(reading,
                   "behind % stands s (the address), u (its local part), d (its domain) or %");
    reading->has_local |= reading->at[1] == 's' || reading->at[1] == 'u';
    reading->at += 2;
    return true;
}

static bool read_escape(struct reading *reading)
{
    if (!isxdigit((unsigned char)reading->at[1]) || !isxdigit((unsigned char)reading->at[2]))
        return say(reading, "behind \\ stand two hexadecimal digits");
    reading->at += 3;
    return true;
}

static bool read_value(struct reading *reading)
{
    bool is_fine = true;

    while (is_fine && *reading->at != ')') {
        const unsigned char c = (unsigned char)*reading->at;

        if (c == '\0' || c == '(')
            is_fine = say(reading, "a parenthesis is not closed");
        else if (c < ' ' || c == 0x7f)
            is_fine = say(reading, "it holds a control character");
        else if (c == '\\')
            is_fine = read_escape(reading);
        else if (c == '%' && reading->places)
            is_fine = read_place(reading);
        else
            reading->at++;
    }
    return is_fine;
}

static bool is_attribute(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr(ATTRIBUTE_ALSO, c) != NULL);
}

static bool read_item(struct reading *reading)
{
    const char *start = reading->at;

    while (is_attribute(*reading->at))
        reading->at++;
    if (reading->at == start)
        return say(reading, "an attribute's name is missing");
    if (*reading->at != '\0' && strchr("~<>", *reading->at) != NULL)
        reading->at++;
    if (*reading->at != '=')
        return say(reading, "behind an attribute's name stands =, ~=, <=, >= or :=");
    reading->at++;
    return read_value(reading);
}

static bool read_filter(struct reading *reading); // NOLINT(misc-no-recursion)

// read_list: the filters inside of (& ...) and (| ...).
static bool read_list(struct reading *reading) // NOLINT(misc-no-recursion)
{
    do {
        if (!read_filter(reading))
            return false;
    } while (*reading->at == '(');
    return true;
}

static bool read_filter(struct reading *reading) // NOLINT(misc-no-recursion)
{
    bool is_fine;

    if (*reading->at != '(')
        return say(reading, "a filter begins with a parenthesis");
    if (++reading->depth > LDAP_TEXT_DEPTH)
        return say(reading, "it is nested too deep");
    reading->at++;
    if (*reading->at == '&' || *reading->at == '|') {
        reading->at++;
        is_fine = read_list(reading);
    } else if (*reading->at == '!') {
        reading->at++;
        is_fine = read_filter(reading);
    } else {
        is_fine = read_item(reading);
    }
    if (is_fine && *reading->at != ')')
        is_fine = say(reading, "a parenthesis is not closed");
    reading->at++;
    reading->depth--;
    return is_fine;
}

static bool read_whole_filter(struct reading *reading)
{
    if (!read_filter(reading))
        return false;
    return *reading->at == '\0' || say(reading, "something stands behind the last parenthesis");
}

static bool read_base(struct reading *reading)
{
    bool is_fine = true;

    while (is_fine && *reading->at != '\0') {
        const unsigned char c = (unsigned char)*reading->at;

        if (c < ' ' || c == 0x7f)
            is_fine = say(reading, "it holds a control character");
        else if (c == '%')
            is_fine = read_place(reading);
        else
            reading->at++;
    }
    return is_fine;
}

const char *ldap_text_flaw(enum ldap_text kind, const char *text)
{
    struct reading reading = {.at = text, .places = true};

    if (strlen(text) > LDAP_TEXT_MAX)
        return "it is too long";
    if (kind == LDAP_TEXT_BASE)
        return read_base(&reading) ? NULL : reading.flaw;
    if (read_whole_filter(&reading) && !reading.has_local)
        (void)say(&reading, "without %s or %u it asks the same of every recipient");
    return reading.flaw;
}

bool ldap_text_is_filter(const char *text)
{
    struct reading reading = {.at = text};

    return read_whole_filter(&reading);
}

// ---- of an address

static void put_run(struct text_buf *out, const char *start, size_t len)
{
    text_buf_add(out, "%.*s", (int)len, start);
}

static void put_escaped(enum ldap_text kind, const char *value, struct text_buf *out)
{
    const char *special = kind == LDAP_TEXT_FILTER ? FILTER_SPECIAL : BASE_SPECIAL;

    for (;;) {
        const size_t run = strcspn(value, special);

        put_run(out, value, run);
        value += run;
        if (*value == '\0')
            return;
        text_buf_add(out, "\\%02x", (unsigned)(unsigned char)*value++);
    }
}

void ldap_text_expand(enum ldap_text kind, const char *text, const char *base, const char *domain,
                      struct text_buf *out)
{
    for (;;) {
        const size_t run = strcspn(text, "%");

        put_run(out, text, run);
        text += run;
        if (*text == '\0')
            return;
        if (text[1] == '%')
            text_buf_put(out, "%");
        if (text[1] == 's' || text[1] == 'u')
            put_escaped(kind, base, out);
        if (text[1] == 's')
            text_buf_put(out, "@");
        if (text[1] == 's' || text[1] == 'd')
            put_escaped(kind, domain, out);
        text += 2;
    }
}
