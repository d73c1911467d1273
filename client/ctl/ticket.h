// ticket.h: finding what a pasted line of a mail log is about: a ticket, or at least the addresses.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { TICKET_LEN = 18, TICKET_ADDRESS_MAX = 512 };

// ticket_find: the ticket in a text of any kind: behind the word "ticket" (as every reply text of
// Reeve has it), else the first word of 18 letters and digits that can be one: Crockford's base32,
// letters (of one case) and digits, standing alone. Handed out in lower case, as tickets are
// written. False if there is none.
bool ticket_find(const char *text, char out[TICKET_LEN + 1]);

// ticket_is_valid: true if the text is a ticket and nothing else.
bool ticket_is_valid(const char *text);

// ticket_find_address: what stands in the first `name=<...>` (Postfix: from=<a@b.example>), name
// being "from" or "to". False if there is none, or a longer one than any address.
bool ticket_find_address(const char *text, const char *name, char out[TICKET_ADDRESS_MAX]);
