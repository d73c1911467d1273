// person.h: what the store keeps of a recipient: the list of its mailbox (whom it blocks and permits), whom it has
// written to, and whether it exists. Pure: the forms in which that is stored, and what a stored value says now.
//
//     m:{<mailbox>}    personal list   field = pattern            value = "<b|p> <until_ms> <since_ms> <by> <note>"
//     lists:{p}        who has one     field = mailbox            value = "<ms of the last write>"
//     a:{<owner>}      Auto Allow      field = external address   value = "<sent_ms> <disabled_ms>"
//     v:{<address>}    recipients      field = answer             value = "<+|-> <until_ms>[ <mailbox>]"  what another server said
//                                      field = learnt             value = "<sent_ms>"             it has sent mail
//     d:{<bucket>.<version>}  directory  field = address          value = "<state>\t<mailbox>\t<groups>"
//                                        field = whole            value = "1"    without it the hash says of nobody that he is not there
//
// An address is local@domain as mail.h normalises it; a mailbox, an owner and a recipient are without +tag. Every life
// is inclusive. until_ms 0 = for ever.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/mail.h"
#include "proto/text.h"

enum {
    PERSON_BELOW_MAX = 16, // as POLICY_BELOW_LABELS_MAX
    PERSON_PATTERNS_MAX = PERSON_BELOW_MAX + 6,
    PERSON_NOTE_MAX = 120,
    PERSON_BY_MAX = 120,
    PERSON_ADDRESS_MAX = MAIL_ADDRESS_MAX + MAIL_DOMAIN_MAX + 2, // with terminator
    PERSON_KEY_MAX = PERSON_ADDRESS_MAX + 32,
    PERSON_VALUE_MAX = 2 + 2 * 21 + PERSON_BY_MAX + 1 + PERSON_NOTE_MAX + 1,
};

// A fact of the store: unknown until it was read; an outage is nothing but unknown facts.
enum fact_state { FACT_UNKNOWN = 0, FACT_ABSENT, FACT_PRESENT };

// ---- Personal lists

enum person_action { PERSON_NONE, PERSON_PERMIT, PERSON_BLOCK };

// The patterns of a personal list that a sender fits, most specific first: user@dom, user@*, dom, .dom (the longest
// first), *; of the null sender <> and *; of what is no address * alone. A sender with a +tag has those of its base
// address behind its own.
struct person_patterns {
    unsigned count;
    struct {
        const char *text;
        bool
            is_base; // of the address without its +tag: an entry that blocks counts, one that permits does not
    } of[PERSON_PATTERNS_MAX];
};
// person_patterns_of: the texts live in memory (what does not fit is left out), of which person_patterns_size bytes are
// enough.
size_t person_patterns_size(const struct mail_address *sender);
void person_patterns_of(const struct mail_address *sender, struct text_buf *memory,
                        struct person_patterns *out);

// One entry, as it is stored.
struct person_entry {
    enum person_action action;
    uint64_t until_ms; // inclusive; 0 = for ever
    uint64_t since_ms; // when it was said
    char by[PERSON_BY_MAX + 1];
    char note[PERSON_NOTE_MAX + 1];
};
// person_entry_read: false if the bytes are no entry. person_entry_write: into out; its length.
bool person_entry_read(const char *bytes, size_t len, struct person_entry *out);
size_t person_entry_write(const struct person_entry *entry, char out[PERSON_VALUE_MAX]);

// Why an entry that names the sender is not the one that decides.
enum person_miss {
    PERSON_NO_MISS,
    PERSON_OVER,     // it ended
    PERSON_UNTAGGED, // it permits the sender's address without the +tag
    PERSON_LESS,     // it says otherwise, and is less specific
};

// What the list of a mailbox says of a sender: the most specific entry that holds.
struct person_list {
    enum fact_state state; // PRESENT: the list was read, whatever it says
    enum person_action action;
    unsigned pattern; // of the sender's, if action says something
    uint64_t until_ms;
    char note[PERSON_NOTE_MAX + 1];
    // The most specific entry that does not decide and would have said something else, for who asks why.
    struct {
        enum person_miss why;
        enum person_action action;
        unsigned pattern;
        uint64_t until_ms;
    } missed;
};
// person_list_take: one value, in the order of the patterns; the first that holds at now_ms stays. False: the bytes are
// no entry.
bool person_list_take(struct person_list *list, const struct person_patterns *patterns,
                      unsigned pattern, const char *bytes, size_t len, uint64_t now_ms);

// ---- Auto Allow

struct person_allow {
    enum fact_state state;
    uint64_t sent_ms;     // when the owner last wrote to that address
    uint64_t disabled_ms; // when somebody took that back; counts unless a later mail was sent
};
bool person_allow_read(const char *bytes, size_t len, struct person_allow *out);
size_t person_allow_write(const struct person_allow *allow, char out[PERSON_VALUE_MAX]);
// person_allow_is_disabled: taken back, and not written to since. person_allow_holds: written to within life_ms, and not
// taken back since.
bool person_allow_is_disabled(const struct person_allow *allow);
bool person_allow_holds(const struct person_allow *allow, uint64_t now_ms, uint64_t life_ms);

// Whose entries: the mailbox's own, and with settings.auto_allow.scope org those of the whole organisation, which are
// parted by the external address: "org/" and three hex digits.
enum { PERSON_OWN, PERSON_ORG, PERSON_OWNERS };
enum { PERSON_ORG_PARTS = 4096, PERSON_ORG_OWNER_MAX = 8 };
void person_org_owner(const char *external, char out[PERSON_ORG_OWNER_MAX]);

// ---- Does it exist?

// What the directory says of an address.
enum person_status { PERSON_ACTIVE, PERSON_SEND_ONLY, PERSON_DISABLED };
struct person_row {
    enum fact_state state;
    enum person_status status;
    char mailbox[PERSON_ADDRESS_MAX]; // whose address it is; "" = its own
};
enum { PERSON_GROUPS_MAX = 400 };
// person_row_read: false if the bytes are no row. groups: NULL, or memory for the names, parted by commas.
bool person_row_read(const char *bytes, size_t len, struct person_row *out,
                     char groups[PERSON_GROUPS_MAX + 1]);
size_t person_row_write(const struct person_row *row, const char *groups, char *out, size_t size);
const char *person_status_text(enum person_status status); // active, send_only, disabled

// The directory of a domain: which version of it is in force, and into how many hashes it is parted.
struct person_directory {
    uint64_t version; // 0 = none was imported
    uint32_t buckets;
};

// What another server said of an address; and whether the address has sent mail.
struct person_answer {
    enum fact_state state;
    bool exists;
    uint64_t until_ms;
};
// mailbox: whose address it is; "" = its own.
bool person_answer_read(const char *bytes, size_t len, struct person_answer *out,
                        char mailbox[PERSON_ADDRESS_MAX]);
enum { PERSON_ANSWER_MAX = 2 + 21 + PERSON_ADDRESS_MAX };
size_t person_answer_write(const struct person_answer *answer, const char *mailbox,
                           char out[PERSON_ANSWER_MAX]);
struct person_learnt {
    enum fact_state state;
    uint64_t sent_ms;
};
bool person_learnt_read(const char *bytes, size_t len, struct person_learnt *out);

// ---- Keys; each returns the length of what it wrote.
size_t person_list_key(const char *mailbox, char out[PERSON_KEY_MAX]);
size_t person_allow_key(const char *owner, char out[PERSON_KEY_MAX]);
size_t person_answer_key(const char *address, char out[PERSON_KEY_MAX]);
size_t person_directory_key(const struct person_directory *directory, uint32_t bucket,
                            char out[PERSON_KEY_MAX]);
uint32_t person_directory_bucket(const struct person_directory *directory, const char *address);
#define PERSON_LISTS_KEY    "lists:{p}"
#define PERSON_ANSWER_FIELD "answer"
#define PERSON_LEARNT_FIELD "learnt"
// What each hash of a directory in force holds beside its rows: one that was lost, or is being written, does not have it.
#define PERSON_WHOLE_FIELD "whole"
#define PERSON_WHOLE_VALUE "1"

// What is known of one recipient.
struct person_facts {
    struct person_list list;
    struct person_allow allow[PERSON_OWNERS];
    struct person_row row;
    struct person_answer answer;
    struct person_learnt learnt;
};
// Nothing is kept of it: every fact is ABSENT.
extern const struct person_facts PERSON_NOTHING;

// person_answer_take: facts->answer as it is stored; and, of a recipient without a row in a directory, the mailbox that it
// names while it holds. False: the bytes are no answer.
bool person_answer_take(struct person_facts *facts, const char *bytes, size_t len, uint64_t now_ms);
// person_facts_clear: nothing is known.
void person_facts_clear(struct person_facts *facts);
// person_mailbox_clear: nothing is known of its list, of its entries: they are another mailbox's.
void person_mailbox_clear(struct person_facts *facts, bool list, bool allow);
