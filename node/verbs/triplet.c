// triplet.c: names a triplet from the texts an operator types, or that a tracking row kept.
#include <string.h>

#include "node/core/plan.h"
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

// A copy in the arena of what a 256 byte buffer holds; NULL if that is full.
static const char *keep(struct arena *arena, bool holds, const char *text)
{
    return holds ? arena_text(arena, text, strlen(text)) : "";
}

bool client_identify(struct names *names, struct facts *facts, struct arena *arena,
                     const char *client_name, const char *spf_domain)
{
    char domain[MAIL_DOMAIN_MAX + 1];

    facts->name = keep(arena, true, names_find(names, client_name, &facts->client));
    facts->spf_domain = keep(arena, mail_domain_normalise(spf_domain, domain), domain);
    return facts->name != NULL && facts->spf_domain != NULL;
}

uint32_t client_asn(const struct server *server, const struct ip *client)
{
    return server->out.asn != NULL && client->family != 0 ? server->out.asn(server->out.arg, client)
                                                          : 0;
}

bool triplet_name(const struct policy *policy, const struct key_ring *ring, struct arena *arena,
                  const char *sender, const char *recipient, const struct facts *client,
                  struct key_triplet *out, struct err_detail *detail)
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
    plan_identities(client, policy, out);
    key_triplet_make(out, &pair, ring, client->now_ms, policy->settings.greylist.window_ms);
    return true;
}
