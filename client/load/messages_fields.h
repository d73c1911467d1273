// messages_fields.h: one row of a file of messages (messages.h): which columns there are, and what may stand in them.
#pragma once

#include "client/load/messages.h"

// X(name, is needed, other names, with a blank before and behind each)
#define MESSAGE_COLUMNS(X)                                                         \
    X(ts, true, " time timestamp date at unixtime ")                               \
    X(ip, true, " client_ip client addr address ip_address source_ip ")            \
    X(label, true, " class is_spam spam verdict y ")                               \
    X(asn, false, " as as_number ")                                                \
    X(cc, false, " country country_code ")                                         \
    X(dom, false, " domain sender_domain mail_from_domain mfrom_dom from_domain ") \
    X(mfrom_h, false, " mfrom sender_h sender_local local ")                       \
    X(sender, false, " mail_from envelope_from envelope_sender from ")             \
    X(helo, false, " ehlo ")                                                       \
    X(rcpt_h, false, " rcpt recipient rcpt_to to ")                                \
    X(spf, false, " spf_result ")                                                  \
    X(spf_domain, false, " spf_dom ")

enum column {
#define MESSAGE_COLUMN(name, is_needed, others) COLUMN_##name,
    MESSAGE_COLUMNS(MESSAGE_COLUMN)
#undef MESSAGE_COLUMN
        COLUMN_COUNT
};

// column_of: whatever the case; COLUMN_COUNT = none that is read.
enum column column_of(const char *name);
const char *column_name(enum column column);
bool column_is_needed(enum column column);

// message_fill: of the values of all columns; "" = not given. What was filled on an error is the caller's to clear. ERR_SYNTAX: the detail names the column, what stands there and what was
// expected.
MUST_USE enum err message_fill(struct message *out, const char *const value[COLUMN_COUNT],
                               struct err_detail *detail);
