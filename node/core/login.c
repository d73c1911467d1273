// login.c: login match: nobody who has authenticated himself sends as somebody else.
#include "node/core/login.h"

#include <string.h>

static bool is_address(const struct mail_address *login)
{
    return login->flaw == MAIL_OK && !login->null && login->domain[0] != '\0';
}

// A login without an entry in `users` owns its address, and that with a +tag.
static bool is_base(const struct mail_address *login, const struct mail_address *sender)
{
    return strcmp(login->base, sender->base) == 0 && strcmp(login->domain, sender->domain) == 0;
}

static bool is_granted(const struct facts *facts, const struct policy *policy,
                       const struct policy_user *user)
{
    for (size_t i = 0; user != NULL && i < user->send_as_count; i++)
        if (policy_party_fits(policy, &facts->sender_party, user->send_as[i]))
            return true;
    return false;
}

enum login_match login_match(const struct facts *facts, const struct policy *policy)
{
    const struct policy_user *user = policy_user_of(policy, &facts->login_party);

    if (facts->auth_user[0] == '\0')
        return LOGIN_NO_LOGIN;
    if (policy->domain_count == 0 || !is_address(&facts->login))
        return LOGIN_UNJUDGED;
    if (facts->sender.null || is_base(&facts->login, &facts->sender) ||
        (user != NULL && policy_user_of(policy, &facts->sender_party) == user))
        return LOGIN_OWN;
    return is_granted(facts, policy, user) ? LOGIN_SEND_AS : LOGIN_FOREIGN;
}
