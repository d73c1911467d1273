// exempt.h: the policy file of those who are known elsewhere without a recipient. Each gets a
// policy that spares it from greylisting and ends by itself, as its entry there would have.
#pragma once

#include "client/ctl/import/import.h"

// exempt_new: opens path for writing; "" or dry = none is written, and all are counted alone. A file
// that is there is never overwritten. NULL and the exit code after the error was told.
struct exempt *exempt_new(struct ctl *ctl, const char *path, const char *format, bool dry,
                          int *code);
// exempt_close: keeps the file, or takes it away again. False: it could not be written wholly (the
// disk). Null-safe, nulls.
bool exempt_close(struct exempt **exempt, bool keep);

enum exempt_result { EXEMPT_WRITTEN, EXEMPT_FOLDED, EXEMPT_EXPIRED, EXEMPT_NO_FILE };

// exempt_add: as of now_ms. EXEMPT_FOLDED: no policy can name this sender.
enum exempt_result exempt_add(struct exempt *exempt, const struct import_exemption *one,
                              uint64_t now_ms);
uint64_t exempt_count(const struct exempt *exempt);
