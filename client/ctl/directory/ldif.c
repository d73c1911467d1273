// ldif.c: see ldif.h. Promises: any line is read to its end and nothing beyond it.
#include "client/ctl/directory/ldif.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

static int digit_of(char letter)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = letter == '\0' ? NULL : strchr(digits, letter);

    return at == NULL ? -1 : (int)(at - digits);
}

// decode: base64 (RFC 4648) in place; false if it is none.
static bool decode(char *text)
{
    static const unsigned shift[] = {0, 0, 4, 2}; // by the digits that there were, of four
    const char *from = text;
    char *to = text;
    uint32_t bits = 0;
    unsigned count = 0;

    for (; digit_of(*from) >= 0; from++) {
        bits = bits << 6 | (uint32_t)digit_of(*from);
        count = (count + 1) % 4;
        if (count == 1)
            continue;
        const char byte = (char)(bits >> shift[count] & 0xff);

        *to++ = byte != '\0' ? byte : ' ';
    }
    from += strspn(from, "= ");
    *to = '\0';
    return *from == '\0' && count != 1;
}

static void lower(char *text)
{
    for (; *text != '\0'; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
}

// name_of: the attribute in front of the colon; false if it is none.
static bool name_of(char *line, char *colon)
{
    *colon = '\0';
    line[strcspn(line, ";")] = '\0';
    lower(line);
    return line[0] != '\0' &&
           strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(line);
}

enum ldif_kind ldif_read(char *line, struct ldif_line *out)
{
    char *colon = strchr(line, ':');
    char *value = colon;
    bool is_base64 = false;

    if (line[0] == '\0')
        return LDIF_END;
    if (line[0] == '#' || strcmp(line, "-") == 0)
        return LDIF_OTHER;
    if (colon == NULL || !name_of(line, colon))
        return LDIF_BAD;
    value++;
    if (*value == '<')
        return LDIF_OTHER;
    is_base64 = *value == ':';
    value += is_base64;
    value += strspn(value, " ");
    *out = (struct ldif_line){line, value};
    return !is_base64 || decode(value) ? LDIF_ATTRIBUTE : LDIF_BAD;
}

// RFC 4514: a comma in a value is escaped by a backslash, or written as its two hex digits.
const char *ldif_group(char *dn)
{
    char *name = strchr(dn, '=');
    char *to;

    if (name == NULL)
        return NULL;
    name++;
    to = name;
    for (const char *from = name; *from != '\0' && *from != ',' && *from != '+'; from++) {
        if (*from == '\\')
            return NULL;
        *to++ = *from;
    }
    while (to > name && to[-1] == ' ')
        to--;
    *to = '\0';
    return *name == '\0' ? NULL : name;
}

const char *ldif_proxy(const char *value, bool *is_primary)
{
    if (strncasecmp(value, "smtp:", 5) != 0)
        return NULL;
    *is_primary = strncmp(value, "SMTP:", 5) == 0;
    return value + 5;
}
