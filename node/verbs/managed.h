// managed.h: what the words about personal lists share: whose list is meant, which Auto Allow asks as well, and what an
// entry may say.
#pragma once

#include "node/verbs/admin.h"

// Whose list, and which entry of it. Texts live in the arena that they were read with.
struct managed {
    struct store_list_entry stored; // its mailbox, pattern and entry
    struct store_person asked;      // what its directory is asked; version 0 = nothing
    struct person_facts facts;      // what that says
};

// managed_read_user: finds the mailbox that an address is, as far as this node knows; where a directory may know more
// managed->asked becomes what it is to be asked. ERR_SYNTAX if it is no address, ERR_NOT_FOUND if it is none of ours.
MUST_USE enum err managed_read_user(const struct admin_call *call, const char *text,
                                    struct arena *arena, struct managed *out,
                                    struct err_detail *detail);
// managed_settle_user: when its directory was asked: an alias there is its mailbox. False: the directory does not have it, nor has it sent mail
// (learn: true).
bool managed_settle_user(struct managed *managed);

// managed_read_pattern, _action, _until, _by and _note: one thing that an entry says. ERR_SYNTAX and the detail.
MUST_USE enum err managed_read_pattern(const char *text, struct arena *arena, struct managed *out,
                                       struct err_detail *detail);
MUST_USE enum err managed_read_action(const char *text, struct managed *out,
                                      struct err_detail *detail);
MUST_USE enum err managed_read_by(const char *text, struct managed *out, struct err_detail *detail);
MUST_USE enum err managed_read_note(const char *text, struct managed *out,
                                    struct err_detail *detail);

// managed_says_the_same: what was there is the entry, whenever and by whom it was said.
bool managed_says_the_same(const struct store_list_entry *stored);
const char *managed_action_text(enum person_action action); // permit, block; "" = neither
