// ticket.c: see ticket.h. Promises: bounded work on any bytes; what it finds has the form of a
// ticket, and whether there is such a decision the node knows.
#include "client/ctl/ticket.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define TICKET_WORD "ticket"

static bool is_alnum(char c)
{
    return isalnum((unsigned char)c) != 0;
}

// Crockford's alphabet; the letters that are read as 1 and 0 count as well, U is none of them.
static bool is_base32(char c)
{
    return is_alnum(c) && c != 'u' && c != 'U';
}

// base32_length: of the run of such characters at the start of text, up to one more than a ticket.
static size_t base32_length(const char *text)
{
    size_t len = 0;

    while (len <= TICKET_LEN && is_base32(text[len]))
        len++;
    return len;
}

static bool is_ticket(const char *text)
{
    size_t len = base32_length(text);

    return len == TICKET_LEN && !is_alnum(text[len]);
}

bool ticket_is_valid(const char *text)
{
    return is_ticket(text) && text[TICKET_LEN] == '\0';
}

static void copy_ticket(const char *text, char out[TICKET_LEN + 1])
{
    for (size_t i = 0; i < TICKET_LEN; i++)
        out[i] = (char)tolower((unsigned char)text[i]);
    out[TICKET_LEN] = '\0';
}

// ---- behind the word "ticket"

static const char *find_labelled(const char *text)
{
    const size_t word = strlen(TICKET_WORD);

    for (const char *at = strcasestr(text, TICKET_WORD); at != NULL;
         at = strcasestr(at + word, TICKET_WORD)) {
        const char *value = at + word + strspn(at + word, " \t=:\"'(<[");

        if ((at == text || !is_alnum(at[-1])) && value > at + word && is_ticket(value))
            return value;
    }
    return NULL;
}

// ---- on its own

// Not a part of something longer: a message id, a path, a queue id of another product.
static bool stands_alone(const char *text, const char *at)
{
    static const char joined[] = "@-_+/\\.~%";
    const char *after = at + TICKET_LEN;

    if (at > text && (is_alnum(at[-1]) || strchr(joined, at[-1]) != NULL))
        return false;
    if (*after == '.' || *after == ',')
        return !is_alnum(after[1]); // the end of a sentence
    return *after == '\0' || strchr(joined, *after) == NULL;
}

// looks_made: letters of one case, and digits among them. An English word of 18 letters, a number
// of 18 digits or a queue id in mixed case is more likely than a ticket without them.
static bool looks_made(const char *text)
{
    bool digit = false, lower = false, upper = false;

    for (size_t i = 0; i < TICKET_LEN; i++) {
        digit |= isdigit((unsigned char)text[i]) != 0;
        lower |= islower((unsigned char)text[i]) != 0;
        upper |= isupper((unsigned char)text[i]) != 0;
    }
    return digit && lower != upper;
}

static const char *find_bare(const char *text)
{
    for (const char *at = text; *at != '\0';) {
        size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

        if (len == TICKET_LEN && is_ticket(at) && looks_made(at) && stands_alone(text, at))
            return at;
        at += len == 0 ? 1 : len;
    }
    return NULL;
}

bool ticket_find(const char *text, char out[TICKET_LEN + 1])
{
    const char *found = find_labelled(text);

    if (found == NULL)
        found = find_bare(text);
    if (found == NULL)
        return false;
    copy_ticket(found, out);
    return true;
}

// ---- addresses

bool ticket_find_address(const char *text, const char *name, char out[TICKET_ADDRESS_MAX])
{
    const size_t name_len = strlen(name);

    for (const char *at = strstr(text, name); at != NULL; at = strstr(at + 1, name)) {
        const char *value = at + name_len + strlen("=<");
        size_t len;

        if (strncmp(at + name_len, "=<", strlen("=<")) != 0 || (at > text && is_alnum(at[-1])))
            continue;
        len = strcspn(value, ">\r\n");
        if (value[len] != '>' || len >= TICKET_ADDRESS_MAX)
            continue;
        memcpy(out, value, len);
        out[len] = '\0';
        return true;
    }
    return false;
}
