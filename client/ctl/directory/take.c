// take.c: what the readers found, normalised. Promises: an address is what a node would make of it (mail.h); what is left is
// counted, with the first of it as an example.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/ctl/directory/import.h"
#include "proto/mail.h"
#include "proto/text.h"

// ---- left

void directory_leave(struct directory_import *import, enum directory_left why, uint64_t line,
                     const char *what)
{
    const char *slash = strrchr(import->path, '/');
    struct directory_count *count = &import->left[why];
    char text[DIRECTORY_EXAMPLE_MAX];

    if (count->count++ > 0)
        return;
    (void)snprintf(text, sizeof(text), "%.60s:%llu: %s", slash != NULL ? slash + 1 : import->path,
                   (unsigned long long)line, what);
    (void)text_clean(count->example, DIRECTORY_EXAMPLE_MAX - 1, text, strlen(text));
}

bool directory_goes_on(struct directory_import *import, struct lines *lines)
{
    return progress_show(import->progress, lines_done(lines), lines_size(lines), import->read) &&
           !import->is_full;
}

int directory_fail(struct directory_import *import, int code, const char *fmt, ...)
{
    char message[1024];
    va_list args;

    progress_clear(import->progress);
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    return ctl_fail(import->ctl, code, "%s", message);
}

// ---- taken

// The words that programs have for it.
static const struct state_word {
    const char *word, *state;
} STATES[] = {
    {"", "active"},
    {"active", "active"},
    {"enabled", "active"},
    {"true", "active"},
    {"yes", "active"},
    {"1", "active"},
    {"send_only", "send_only"},
    {"send-only", "send_only"},
    {"sendonly", "send_only"},
    {"disabled", "disabled"},
    {"inactive", "disabled"},
    {"suspended", "disabled"},
    {"deleted", "disabled"},
    {"false", "disabled"},
    {"no", "disabled"},
    {"0", "disabled"},
};

static const char *state_of(const char *word)
{
    for (size_t i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++)
        if (strcasecmp(word, STATES[i].word) == 0)
            return STATES[i].state;
    return NULL;
}

// parse: the key of an address that may lack its domain; NULL if it is none, and what is wrong in *why.
static const char *parse(struct directory_import *import, const char *text,
                         struct mail_address *out, const char **why)
{
    char whole[MAIL_ADDRESS_MAX + 1];
    char *clean = arena_alloc(&import->arena, MAIL_ADDRESS_MAX + 1);
    int len = 0;

    *why = "";
    if (strchr(text, '@') == NULL && import->options.domain != NULL)
        len = snprintf(whole, sizeof(whole), "%s@%s", text, import->options.domain);
    else
        len = snprintf(whole, sizeof(whole), "%s", text);
    if (clean == NULL || len > MAIL_ADDRESS_MAX) {
        *why = "too long";
        return NULL;
    }
    (void)text_clean(clean, MAIL_ADDRESS_MAX, whole, (size_t)len);
    if (mail_parse(clean, &import->arena, out) != ERR_NONE) {
        *why = "too long";
        return NULL;
    }
    if (out->flaw != MAIL_OK || out->null || out->domain[0] == '\0' || out->domain[0] == '[') {
        *why = out->flaw != MAIL_OK ? mail_flaw_text(out->flaw) : "no domain";
        return NULL;
    }
    return mail_recipient_key(out, &import->arena);
}

static void leave_address(struct directory_import *import, const struct directory_found *found,
                          const char *why)
{
    const bool has_domain = strchr(found->address, '@') != NULL;
    char what[DIRECTORY_EXAMPLE_MAX];

    if (!has_domain) {
        directory_leave(import, LEFT_NO_DOMAIN, found->line, found->address);
        return;
    }
    (void)snprintf(what, sizeof(what), "%.100s: %s", found->address, why);
    directory_leave(import, LEFT_BAD_ADDRESS, found->line, what);
}

// Groups are for people; what is too long, or holds what parts fields, is left out.
static const char *groups_of(const char *groups)
{
    return text_is_clean(groups, strlen(groups), 400) ? groups : "";
}

void directory_take(struct directory_import *import, const struct directory_found *found)
{
    const char *why = "";
    const char *ignored = "";
    struct mail_address address;
    struct mail_address mailbox;
    struct entry entry = {.state = state_of(found->state),
                          .mailbox = "",
                          .groups = groups_of(found->groups),
                          .is_alias = found->is_alias};

    arena_reset(&import->arena);
    if (entry.state == NULL) {
        char what[DIRECTORY_EXAMPLE_MAX];

        (void)snprintf(what, sizeof(what), "state '%.60s'", found->state);
        directory_leave(import, LEFT_UNREADABLE, found->line, what);
        return;
    }
    entry.address = parse(import, found->address, &address, &why);
    if (entry.address == NULL) {
        leave_address(import, found, why);
        return;
    }
    entry.domain = address.domain;
    if (found->mailbox[0] != '\0')
        entry.mailbox = parse(import, found->mailbox, &mailbox, &ignored);
    if (entry.mailbox == NULL || strcmp(entry.mailbox, entry.address) == 0)
        entry.mailbox = "";
    import->read++;
    import->aliases += entry.mailbox[0] != '\0';
    import->is_full |= !entries_add(import->entries, &entry);
}
