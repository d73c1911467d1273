// ticket.c: the name of a tracking row: 32 bits of node, 43 of time, 15 of sequence, as 18
// characters of Crockford's base32 (https://www.crockford.com/base32.html), which a person can read
// out over the telephone. Promises: pure, but for the last ticket that the store remembers.
#include <string.h>

#include "node/store/inside.h"

enum { TICKET_CHARS = 18, SEQ_BITS = 15 };
#define SEQ_MAX ((1U << SEQ_BITS) - 1)

static const char DIGITS[] = "0123456789abcdefghjkmnpqrstvwxyz";

struct ticket ticket_next(struct store *store, uint64_t now_ms)
{
    struct ticket *last = &store->last_ticket;

    if (now_ms > TICKET_AT_MAX_MS)
        now_ms = TICKET_AT_MAX_MS;
    if (now_ms > last->at_ms) {
        *last = (struct ticket){.node = store->node, .at_ms = now_ms};
    } else if (last->seq < SEQ_MAX) {
        last->seq++;
    } else {
        last->at_ms++; // 32,768 rows in a millisecond: borrow from the next
        last->seq = 0;
    }
    return *last;
}

// 90 bits as a high and a low half of 45, nine characters each: the high half is the node and the
// upper 13 bits of the time.
const char *ticket_format(const struct ticket *ticket, char out[TICKET_TEXT_MAX])
{
    uint64_t at_ms = ticket->at_ms & TICKET_AT_MAX_MS;
    uint64_t half[2] = {(uint64_t)ticket->node << 13 | at_ms >> 30,
                        (at_ms & 0x3fffffff) << SEQ_BITS | (ticket->seq & SEQ_MAX)};

    for (unsigned i = 0; i < TICKET_CHARS; i++)
        out[i] = DIGITS[half[i / 9] >> (5 * (8 - i % 9)) & 31];
    out[TICKET_CHARS] = '\0';
    return out;
}

// -1: no digit. I and L are read as 1, O as 0.
static int digit_value(char c)
{
    char lower = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);

    if (lower == 'i' || lower == 'l')
        lower = '1';
    if (lower == 'o')
        lower = '0';
    const char *found = lower != '\0' ? strchr(DIGITS, lower) : NULL;

    return found != NULL ? (int)(found - DIGITS) : -1;
}

bool ticket_parse(const char *text, struct ticket *out)
{
    uint64_t half[2] = {0, 0};

    if (strlen(text) != TICKET_CHARS)
        return false;
    for (unsigned i = 0; i < TICKET_CHARS; i++) {
        int value = digit_value(text[i]);

        if (value < 0)
            return false;
        half[i / 9] = half[i / 9] << 5 | (uint64_t)value;
    }
    out->node = (uint32_t)(half[0] >> 13);
    out->at_ms = (half[0] & 0x1fff) << 30 | half[1] >> SEQ_BITS;
    out->seq = (uint32_t)(half[1] & SEQ_MAX);
    return true;
}
