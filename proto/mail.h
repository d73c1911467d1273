// mail.h: envelope addresses: parse, normalise, fold.
//
// Normalisation (node/core/README.md, section 1): domains are lower case, without one trailing dot,
// and A-labels (IDNA2008 with UTS 46 mapping, libidn2; plain ASCII never reaches the library).
// Local parts are NFC and compared case-insensitively, so they are kept case-folded (libunistring
// for non-ASCII). Needless quotes are dropped: "ann"@x is ann@x. Sources: RFC 5321 4.1.2, RFC
// 6531 3.3, draft-levine-smtp-batv, the SRS paper (Sender Rewriting Scheme, 2003).
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/mem.h"
#include "proto/err.h"

#define MAIL_ADDRESS_MAX 320 // bytes of an address on the wire
#define MAIL_DOMAIN_MAX  255

enum mail_flaw {
    MAIL_OK = 0,
    MAIL_DAMAGED,    // not UTF-8, a control character, or too long: it holds U+FFFD (text.h)
    MAIL_NO_DOMAIN,  // no @ (only postmaster may do that, RFC 5321 4.1.1.3)
    MAIL_BAD_LOCAL,  // empty, unbalanced quotes, or a character that needs quotes
    MAIL_BAD_DOMAIN, // empty label, label over 63, over 255 in all, a forbidden character, a broken
                     // address literal
    MAIL_BAD_IDNA,   // non-ASCII that has no A-label
};

struct mail_address {
    enum mail_flaw
        flaw;   // when it is not MAIL_OK, local, base and domain are "" and only text is of use
    bool null;  // the null sender: text is ""
    bool ascii; // the address as given is all ASCII (RFC 6531: else it needs SMTPUTF8)
    const char *text;   // as given, cleaned
    const char *local;  // folded, with its +tag
    const char *base;   // folded, without its +tag; equals local if it has none
    const char *domain; // A-labels, lower case; "" for postmaster without a domain; address
                        // literals keep their brackets
};

// mail_parse: takes an address as it stands between < and >. Text must be clean (text.h). The parts
// live in the arena, text is borrowed. A flaw is a result, not an error; ERR_MEMORY only if the
// arena is full. Never blocks. A subaddress separator at the very start ("+tag@x") is part of the
// base.
MUST_USE enum err mail_parse(const char *text, struct arena *arena, struct mail_address *out);

// mail_flaw_text: what is wrong, for a person: "no domain", "unbalanced quotes or a forbidden
// character before the @" ...
const char *mail_flaw_text(enum mail_flaw flaw);

// mail_domain_normalise: one domain, as above, into out. False if it is no domain.
MUST_USE bool mail_domain_normalise(const char *text, char out[MAIL_DOMAIN_MAX + 1]);

// mail_sender_key: what stands for a sender in a greylist triplet. The null sender is "<>". With
// fold: without +tag; BATV (prvs=KDDDSSSSSS=local, prvs=local/KDDDSSSSSS) reduced to local;
// SRS0=HHH=TT=dom=local@fwd to SRS0=dom=local@fwd and SRS1 likewise without hash; then every run of
// digits becomes one '#'. Without fold: local@domain as normalised. Returns the key in the arena,
// or NULL if that is full.
const char *mail_sender_key(const struct mail_address *sender, bool fold, struct arena *arena);

// mail_recipient_key: base@domain, in the arena; NULL if that is full.
const char *mail_recipient_key(const struct mail_address *recipient, struct arena *arena);
