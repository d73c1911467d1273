// postfix.h: a Postfix policy request as a question, as reeve-policyd would ask it.
#pragma once

#include "client/lib/reeve.h"
#include "client/policyd/request.h"

// postfix_read: one request from a descriptor, to its empty line or the end of the input (a pasted
// request may lack its last newlines). POLICY_COMPLETE, or POLICY_BROKEN and parser->why.
enum policy_feed postfix_read(int fd, struct policy_parser *parser);

// postfix_to_check: fills what is not given in check yet; its texts then point into the request.
// NULL, or what keeps it from being a question.
const char *postfix_to_check(const struct policy_request *request, struct reeve_check *check);
