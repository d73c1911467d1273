// triplet.c: names a triplet from the texts an operator types, or that a tracking row kept.
#include <string.h>

#include "node/verbs/internal.h"

static bool parse_side(const char *what, const char *text, struct arena *arena,
                       struct mail_address *out, struct err_detail *detail)
{
    char *clean = arena_alloc(arena, MSG_ADDRESS_MAX + 1);

    if (clean == NULL)
        return false;
    (void)text_clean(clean, MSG_ADDRESS_MAX, text, strlen(text));
    if (mail_parse(clean, arena, out) != ERR_NONE)
        return false;
    if (out->flaw == MAIL_OK)
        return true;
    (void)err_say(detail, ERR_SYNTAX, "%s: '%s' is no address: %s", what, clean,
                  mail_flaw_text(out->flaw));
    return false;
}

static void add_client(const struct policy *policy, const struct ip *client,
                       struct key_triplet *out)
{
    uint64_t bits = client->family == 4 ? policy->settings.greylist.net_ipv4
                                        : policy->settings.greylist.net_ipv6;

    out->identity[out->identity_count++] =
        (struct key_identity){.kind = KEY_NET, .net = ip_net_of(client, (unsigned)bits)};
}

bool triplet_name(const struct policy *policy, const struct key_ring *ring, struct arena *arena,
                  const char *sender, const char *recipient, const struct ip *client,
                  uint64_t now_ms, struct key_triplet *out, struct err_detail *detail)
{
    struct mail_address from;
    struct mail_address to;

    if (!parse_side("sender", sender, arena, &from, detail) ||
        !parse_side("recipient", recipient, arena, &to, detail))
        return false;
    const struct key_pair pair = {
        mail_sender_key(&from, policy->settings.greylist.fold_sender, arena),
        mail_recipient_key(&to, arena)};

    if (pair.sender_key == NULL || pair.recipient_key == NULL)
        return false;
    out->identity[0] = (struct key_identity){.kind = KEY_ANY};
    out->identity_count = 1;
    if (client != NULL && client->family != 0)
        add_client(policy, client, out);
    key_triplet_make(out, &pair, ring, now_ms, policy->settings.greylist.window_ms);
    return true;
}
