// postfix.c: see postfix.h. The table of states is the one of reeve-policyd.
#include "client/ctl/postfix.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct state_row {
    const char *state;
    enum reeve_stage stage;
    bool needs_recipient;
} states[] = {
    {"CONNECT", REEVE_CONNECT, false},   {"MAIL", REEVE_MAIL, false},
    {"RCPT", REEVE_RCPT, true},          {"DATA", REEVE_RCPT, true},
    {"END-OF-MESSAGE", REEVE_END, true},
};

static const struct state_row *find_state(const char *state)
{
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(states[i].state, state) == 0)
            return &states[i];
    }
    return NULL;
}

static void fill_text(const char **field, const char *text)
{
    if (*field == NULL && text[0] != '\0' && strcmp(text, "unknown") != 0)
        *field = text;
}

static void fill_check(const struct policy_request *request, struct reeve_check *check)
{
    fill_text(&check->transaction, request->instance);
    fill_text(&check->client_ip, request->client_address);
    fill_text(&check->client_name, request->client_name);
    fill_text(&check->helo, request->helo_name);
    fill_text(&check->auth_user, request->sasl_username);
    if (check->sender == NULL)
        check->sender = request->sender;
    if (check->recipient_count == 0 && request->recipient_count < UINT32_MAX)
        check->recipient_count = (uint32_t)request->recipient_count;
    if (check->size_bytes == 0)
        check->size_bytes = request->size;
    check->tls |= request->encryption_protocol[0] != '\0';
    check->smtputf8 = true; // Postfix has refused what needs it and came without
}

const char *postfix_to_check(const struct policy_request *request, struct reeve_check *check)
{
    const struct state_row *row = find_state(request->protocol_state);

    if (request->request[0] != '\0' && strcmp(request->request, "smtpd_access_policy") != 0)
        return "its request= is not smtpd_access_policy";
    if (row == NULL && check->stage == 0)
        return "its protocol_state= is none that is judged (CONNECT, MAIL, RCPT, DATA, "
               "END-OF-MESSAGE)";
    if (check->stage == 0)
        check->stage = row->stage;
    fill_check(request, check);
    if (check->recipient_total > 0 || check->stage < REEVE_RCPT)
        return NULL;
    if (request->recipient[0] == '\0')
        return "it names no recipient=, so nothing is judged in this state";
    check->recipients = &request->recipient;
    check->recipient_total = 1;
    return NULL;
}

// ---- standard input

// end_input: a pasted request may lack its last newlines.
static enum policy_feed end_input(struct policy_parser *parser)
{
    enum policy_feed state = parser->state;
    size_t taken = 0;

    for (size_t i = 0; i < 2 && state == POLICY_MORE; i++)
        state = policy_parser_feed(parser, "\n", 1, &taken);
    return state;
}

enum policy_feed postfix_read(int fd, struct policy_parser *parser)
{
    char bytes[4096];
    size_t taken = 0;

    policy_parser_reset(parser);
    while (parser->state == POLICY_MORE) {
        ssize_t got = read(fd, bytes, sizeof(bytes));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return end_input(parser);
        (void)policy_parser_feed(parser, bytes, (size_t)got, &taken);
    }
    return parser->state;
}
