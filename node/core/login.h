// login.h: whether a login may use an envelope sender.
#pragma once

#include "node/core/chain.h"

enum login_match {
    LOGIN_OWN,      // its mailbox, an alias, one of them with a +tag, or the null sender
    LOGIN_SEND_AS,  // it was granted
    LOGIN_FOREIGN,  // neither
    LOGIN_NO_LOGIN, // the client has not authenticated itself
    LOGIN_UNJUDGED, // the login is no address, or no domain is declared
};

enum login_match login_match(const struct facts *facts, const struct policy *policy);
