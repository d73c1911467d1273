// reason.c: the table of reasons. Promises: every reason has a row, and names are those of the
// decision table.
#include "node/core/reason.h"

static const struct reason_row rows[REASON_COUNT] = {
#define REASON_ROW(id, name, action, code, enhanced, text) \
    [REASON_##id] = {#id, name, action, code, enhanced, text},
    REASON_LIST(REASON_ROW)
#undef REASON_ROW
};

const struct reason_row *reason_row(enum reason reason)
{
    return &rows[reason];
}

const char *reason_enhanced(enum reason reason, enum msg_stage stage)
{
    if (rows[reason].enhanced[0] != '\0')
        return rows[reason].enhanced;
    if (stage == MSG_MAIL)
        return "2.1.0";
    return stage == MSG_RCPT ? "2.1.5" : "2.0.0";
}

const char *reason_action(enum msg_action action)
{
    static const char *const words[] = {"", "accept", "defer", "reject", "hold", "secure"};

    return words[action];
}
