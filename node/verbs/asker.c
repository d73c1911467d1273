// asker.c: who asks, as the gateway names him: what Check and Sent share.
#include <string.h>

#include "node/verbs/internal.h"

bool asker_client(const char *text, struct ip *out, struct err_detail *detail)
{
    if (text[0] == '\0' || ip_parse(text, out))
        return true;
    (void)err_say(detail, ERR_SYNTAX,
                  "client_ip: '%s' is no IPv4 or IPv6 address; send it empty if it is not known",
                  text);
    return false;
}

const char *asker_login(struct seat *seat, const char *user)
{
    const char *domain = seat_policy(seat)->settings.auth_domain;

    if (user[0] == '\0' || strchr(user, '@') != NULL || domain == NULL || domain[0] == '\0')
        return user;
    const size_t size = strlen(user) + strlen(domain) + 2;
    char *full = arena_alloc(&seat->arena, size);
    struct text_buf text;

    if (full == NULL)
        return NULL;
    text_buf_init(&text, full, size);
    text_buf_add(&text, "%s@%s", user, domain);
    return full;
}
