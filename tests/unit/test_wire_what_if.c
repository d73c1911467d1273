// Questions of what would be: they must change nothing, and the decoder sees to it.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/wire.h"
#include "tests/support/decoding.h"
#include "tests/support/frame.h"
#include "tests/support/table.h"

enum { CHECK = 10, RECIPIENTS = 10, DRY_RUN = 15, POLICY = 17, AS_OF = 18 }; // of the contract

static const struct what_if_row {
    const char *name;
    const char *policy;
    uint64_t at_ms;
    bool dry_run;
    const char *said; // NULL = it is decoded
} what_if_rows[] = {
    {"a document, dry", "0123456789abcdef", 0, true, NULL},
    {"a moment, dry", "", 1, true, NULL},
    {"both, dry", "0123456789abcdef", 1, true, NULL},
    {"neither", "", 0, false, NULL},
    {"a document that would count", "0123456789abcdef", 0, false,
     "Check.policy: a question what would be needs dry_run"},
    {"a moment that would count", "", 1, false,
     "Check.at_ms: a question what would be needs dry_run"},
    {"both that would count", "a", UINT64_MAX, false, "Check.at_ms: "},
};

static void what_if(void **state)
{
    const struct what_if_row *row = *state;
    struct frame frame = {0};
    struct decoding *decoding;

    frame_text(&frame, RECIPIENTS, "ann@x.example");
    frame_text(&frame, POLICY, row->policy);
    frame_number(&frame, AS_OF, row->at_ms);
    frame_number(&frame, DRY_RUN, row->dry_run);
    frame_wrap(&frame, CHECK);
    decoding = decode_frame(REQUEST, &frame);
    assert_int_equal(decoding->err, row->said == NULL ? ERR_NONE : ERR_SYNTAX);
    if (row->said != NULL)
        assert_ptr_equal(strstr(decoding->detail.text, row->said), decoding->detail.text);
    decoding_free(decoding);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, what_if_rows, what_if);
    return table_run(&table, "wire what if");
}
