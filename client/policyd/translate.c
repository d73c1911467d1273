// translate.c: policy request -> question, answer -> action. Promises: an action is one line of
// printable ASCII whatever the node said, so nothing that a stranger wrote can add an attribute, a
// header or a second answer.
#include "client/policyd/translate.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct stage_row {
    const char *state;
    enum reeve_stage stage;
    bool needs_recipient;
} STAGES[] = {
    {"CONNECT", REEVE_CONNECT, false},   {"MAIL", REEVE_MAIL, false},
    {"RCPT", REEVE_RCPT, true},          {"DATA", REEVE_RCPT, true},
    {"END-OF-MESSAGE", REEVE_END, true},
};

static const struct stage_row *stage_find(const char *state)
{
    for (size_t i = 0; i < sizeof(STAGES) / sizeof(STAGES[0]); i++) {
        if (strcmp(STAGES[i].state, state) == 0)
            return &STAGES[i];
    }
    return NULL;
}

// known_or_null: Postfix writes "unknown" for a name or an address that it does not have.
static const char *known_or_null(const char *text)
{
    return text[0] == '\0' || strcmp(text, "unknown") == 0 ? NULL : text;
}

// transaction_of: NULL if Postfix' name for it is longer than the wire takes.
static const char *transaction_of(const struct policy_request *request)
{
    return strlen(request->instance) <= MSG_TRANSACTION_MAX ? request->instance : NULL;
}

static void fill_check(const struct policy_request *request, const struct stage_row *row,
                       struct reeve_check *check)
{
    *check = (struct reeve_check){
        .stage = row->stage,
        .transaction = transaction_of(request),
        .client_ip = known_or_null(request->client_address),
        .client_name = known_or_null(request->client_name),
        .helo = request->helo_name,
        .auth_user = request->sasl_username,
        .tls = request->encryption_protocol[0] != '\0',
        .smtputf8 = true,
        .sender = request->sender,
        .recipients = row->needs_recipient ? &request->recipient : NULL,
        .recipient_total = row->needs_recipient ? 1 : 0,
        .recipient_count =
            (uint32_t)(request->recipient_count < UINT32_MAX ? request->recipient_count
                                                             : UINT32_MAX),
        .size_bytes = request->size,
    };
}

enum translate_plan translate_request(const struct policy_request *request,
                                      struct reeve_check *check)
{
    const struct stage_row *row = stage_find(request->protocol_state);

    if (strcmp(request->request, "smtpd_access_policy") != 0)
        return TRANSLATE_FOREIGN;
    if (row == NULL)
        return TRANSLATE_DUNNO;
    fill_check(request, row, check);
    if (!row->needs_recipient || request->recipient[0] != '\0')
        return TRANSLATE_ASK;
    check->recipients = NULL;
    check->recipient_total = 0;
    return row->stage == REEVE_END && request->recipient_count > 0 ? TRANSLATE_ASK_ALL
                                                                   : TRANSLATE_DUNNO;
}

const char *translate_login(const struct policy_request *request, char out[MSG_AUTH_USER_MAX + 1])
{
    const char *login = request->sasl_username;
    size_t len = strlen(login);

    if (text_is_clean(login, len, MSG_AUTH_USER_MAX))
        return login;
    (void)text_clean(out, MSG_AUTH_USER_MAX, login, len);
    return out;
}

bool translate_is_rcpt(const struct policy_request *request)
{
    return strcmp(request->protocol_state, "RCPT") == 0;
}

bool translate_is_end(const struct policy_request *request)
{
    return strcmp(request->protocol_state, "END-OF-MESSAGE") == 0;
}

bool translate_spf(const struct policy_request *request, struct spf_subject *subject)
{
    if (strcmp(request->protocol_state, "CONNECT") == 0 || request->sasl_username[0] != '\0')
        return false;
    return spf_subject_init(subject, request->client_address, request->sender, request->helo_name);
}

static bool action_is_known(enum reeve_action action)
{
    return action >= REEVE_ACCEPT && action <= REEVE_SECURE;
}

static bool is_held(const struct reeve_verdict *verdict)
{
    return verdict->action == REEVE_HOLD || verdict->action == REEVE_SECURE;
}

// end_verdict: the one reply, unless that accepts what is to be held for one of the recipients.
static const struct reeve_verdict *end_verdict(const struct reeve_answer *answer)
{
    for (size_t i = 0; i < answer->verdict_count && answer->end->action == REEVE_ACCEPT; i++) {
        if (is_held(&answer->verdicts[i]))
            return &answer->verdicts[i];
    }
    return answer->end;
}

const struct reeve_verdict *translate_verdict(const struct reeve_answer *answer)
{
    const struct reeve_verdict *verdict = NULL;

    if (answer->end != NULL)
        verdict = end_verdict(answer);
    else if (answer->verdict_count > 0)
        verdict = &answer->verdicts[0];
    if (answer->fallback || verdict == NULL || !action_is_known(verdict->action))
        return NULL;
    return verdict;
}

bool translate_is_taken(const struct reeve_verdict *verdict, enum reeve_fallback fallback)
{
    if (verdict == NULL)
        return fallback == REEVE_FALLBACK_ACCEPT;
    return verdict->action == REEVE_ACCEPT || is_held(verdict);
}

// is_outbound: of a message from a trusted source, as the node has judged it.
static bool is_outbound(const struct reeve_verdict *verdict)
{
    return verdict->action == REEVE_ACCEPT && strcmp(verdict->direction, "outbound") == 0;
}

bool translate_sent(const struct policy_request *request, const struct reeve_answer *answer,
                    struct reeve_sent *out, const char *names[MSG_RECIPIENTS_MAX])
{
    const struct reeve_verdict *verdict = translate_verdict(answer);
    bool goes_out = false;
    size_t count = 0;

    if (!translate_is_end(request) || verdict == NULL || verdict->action != REEVE_ACCEPT)
        return false;
    for (size_t i = 0; i < answer->verdict_count && count < MSG_RECIPIENTS_MAX; i++) {
        if (answer->verdicts[i].action == REEVE_ACCEPT)
            names[count++] = answer->verdicts[i].recipient;
        goes_out |= is_outbound(&answer->verdicts[i]);
    }
    *out = (struct reeve_sent){
        .transaction = transaction_of(request),
        .client_ip = known_or_null(request->client_address),
        .sender = request->sender,
        .recipients = names,
        .recipient_total = count,
    };
    return goes_out;
}

bool translate_is_prepended(const struct policy_request *request,
                            const struct reeve_verdict *verdict)
{
    return verdict->action == REEVE_ACCEPT && verdict->waited_s > 0 && !translate_is_end(request);
}

// add_plain: text as one line of printable ASCII. A character outside it becomes one '?': the mail
// client may not have asked for UTF-8 in replies (RFC 6531 section 3.7.4.2), and Postfix does not
// say.
static void add_plain(struct text_buf *out, const char *text, size_t limit)
{
    char plain[TRANSLATE_TEXT_MAX + 1];
    size_t used = 0;

    for (; *text != '\0' && used < limit; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte >= 0x80 && byte < 0xC0)
            continue; // the rest of a character that has its '?'
        plain[used++] = byte < ' ' || byte >= 0x7f ? '?' : (char)byte;
    }
    plain[used] = '\0';
    text_buf_put(out, plain);
}

static const char *skip_digits(const char *text)
{
    return text + strspn(text, "0123456789");
}

// enhanced_of: the verdict's enhanced status code if it is one of that class (RFC 3463), else the
// class's X.7.1.
static const char *enhanced_of(const struct reeve_verdict *verdict, char class)
{
    const char *code = verdict->enhanced;
    const char *subject = code[0] == class && code[1] == '.' ? code + 2 : "";
    const char *detail = skip_digits(subject);

    if (detail != subject && detail - subject <= 3 && *detail == '.') {
        const char *end = skip_digits(++detail);

        if (end != detail && end - detail <= 3 && *end == '\0')
            return code;
    }
    return class == '4' ? "4.7.1" : "5.7.1";
}

static void add_reply(struct text_buf *out, const char *verb, const struct reeve_verdict *verdict,
                      char class)
{
    text_buf_add(out, "%s %s ", verb, enhanced_of(verdict, class));
    add_plain(out, verdict->text, TRANSLATE_TEXT_MAX);
}

static bool has_code(const struct reeve_verdict *verdict, unsigned class)
{
    return verdict->code >= class * 100 && verdict->code < class * 100 + 100;
}

// add_defer: DEFER_IF_PERMIT lets a later restriction refuse for good, and replies with
// access_map_defer_code; what has another code than the usual 451 says it itself.
static void add_defer(struct text_buf *out, const struct reeve_verdict *verdict)
{
    char code[16] = "DEFER_IF_PERMIT";

    if (has_code(verdict, 4) && verdict->code != 451)
        (void)snprintf(code, sizeof(code), "%u", verdict->code);
    add_reply(out, code, verdict, '4');
}

// add_reject: with the code of the verdict, whatever access_map_reject_code is.
static void add_reject(struct text_buf *out, const struct reeve_verdict *verdict)
{
    char code[16] = "REJECT";

    if (has_code(verdict, 5))
        (void)snprintf(code, sizeof(code), "%u", verdict->code);
    add_reply(out, code, verdict, '5');
}

static void add_greylist_header(struct text_buf *out, const struct translate_action *action)
{
    time_t now_s = (time_t)(action->wall_ms / 1000);
    struct tm utc = {0};
    char date[64];

    (void)gmtime_r(&now_s, &utc);
    (void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &utc);
    text_buf_add(out, "PREPEND X-Greylist: delayed %u seconds by reeve at ",
                 action->verdict->waited_s);
    add_plain(out, action->node, 64);
    text_buf_add(out, "; %s", date);
}

static void add_verdict(struct text_buf *out, const struct translate_action *action)
{
    const struct reeve_verdict *verdict = action->verdict;

    switch (verdict->action) {
    case REEVE_ACCEPT:
        if (action->prepend)
            add_greylist_header(out, action);
        else
            text_buf_add(out, "DUNNO");
        return;
    case REEVE_DEFER:
        add_defer(out, verdict);
        return;
    case REEVE_REJECT:
        add_reject(out, verdict);
        return;
    case REEVE_HOLD:
    case REEVE_SECURE: // Postfix cannot send it securely by itself: a person looks at it
        text_buf_add(out, "HOLD ");
        add_plain(out, verdict->text, TRANSLATE_TEXT_MAX);
        return;
    }
}

void translate_action(struct text_buf *out, const struct translate_action *action)
{
    text_buf_add(out, "action=");
    if (action->verdict != NULL)
        add_verdict(out, action);
    else if (action->fallback == REEVE_FALLBACK_DEFER)
        text_buf_add(out, "DEFER_IF_PERMIT 4.3.0 Temporarily unable to decide, try again later");
    else
        text_buf_add(out, "DUNNO");
    text_buf_add(out, "\n\n");
}
