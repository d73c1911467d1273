// journal.c: the adapter's log lines. Promises: a stranger's text is quoted and capped, and nothing
// that a peer does writes more than a few lines a second, except decisions, of which there is one a
// question.
#include "client/policyd/journal.h"

#include <stddef.h>
#include <string.h>

#include "client/policyd/listen.h"
#include "client/policyd/translate.h"
#include "proto/ip.h"
#include "proto/text.h"

static const char *action_name(enum reeve_action action)
{
    switch (action) {
    case REEVE_ACCEPT:
        return "accept";
    case REEVE_DEFER:
        return "defer";
    case REEVE_REJECT:
        return "reject";
    case REEVE_HOLD:
        return "hold";
    case REEVE_SECURE:
        return "secure";
    }
    return "unknown";
}

static bool is_wanted(const struct journal *journal, enum reeve_action action, const char *shadow)
{
    switch (journal->mode) {
    case POLICYD_LOG_ALL:
        return true;
    case POLICYD_LOG_NON_ACCEPT:
        return action != REEVE_ACCEPT || shadow[0] != '\0';
    case POLICYD_LOG_NONE:
        return false;
    }
    return false;
}

// client_of: the address as it is written everywhere else; what is no address is quoted.
static const char *client_of(const struct policy_request *request, char out[LOG_QUOTE_MAX])
{
    struct ip ip = {0};

    _Static_assert(LOG_QUOTE_MAX >= IP_TEXT_MAX, "an address fits where a quoted text does");
    if (request->client_address[0] == '\0' || ip_parse(request->client_address, &ip))
        return ip_format(&ip, out);
    return log_quote(out, request->client_address);
}

// stage_of: what is added to a decision that is not about one recipient at RCPT.
static const char *stage_of(const struct policy_request *request)
{
    if (translate_is_end(request))
        return " stage=end";
    if (strcmp(request->protocol_state, "MAIL") == 0)
        return " stage=mail";
    return strcmp(request->protocol_state, "CONNECT") == 0 ? " stage=connect" : "";
}

// recipients: how many the verdict is about.
static void write_decision(const struct policy_request *request,
                           const struct reeve_verdict *verdict, size_t recipients)
{
    char client[LOG_QUOTE_MAX];
    char from[LOG_QUOTE_MAX];
    char to[LOG_QUOTE_MAX];
    char login[LOG_QUOTE_MAX];
    char memory[128 + LOG_QUOTE_MAX];
    struct text_buf more;

    text_buf_init(&more, memory, sizeof(memory));
    if (request->sasl_username[0] != '\0')
        text_buf_add(&more, " login=%s", log_quote(login, request->sasl_username));
    if (recipients > 1)
        text_buf_add(&more, " recipients=%zu", recipients);
    if (verdict->waited_s > 0)
        text_buf_add(&more, " waited_s=%u", verdict->waited_s);
    if (verdict->shadow[0] != '\0')
        text_buf_add(&more, " shadow=%s", verdict->shadow);
    log_info("decision client=%s from=%s to=%s action=%s reason=%s ticket=%s wait_s=%u%s%s",
             client_of(request, client), log_quote(from, request->sender),
             log_quote(to, request->recipient), action_name(verdict->action), verdict->reason,
             verdict->ticket[0] != '\0' ? verdict->ticket : "-", verdict->retry_after_s,
             stage_of(request), memory);
}

// note_mixed: at the end of a message all its recipients get it, or none.
static void note_mixed(struct journal *journal, const struct policy_request *request,
                       const struct reeve_answer *answer, const struct reeve_verdict *verdict,
                       uint64_t now_ms)
{
    char from[LOG_QUOTE_MAX];
    size_t refused = 0;

    for (size_t i = 0; i < answer->verdict_count; i++)
        refused += translate_is_taken(&answer->verdicts[i], REEVE_FALLBACK_ACCEPT) ? 0 : 1;
    if (refused == 0 || !translate_is_taken(verdict, REEVE_FALLBACK_ACCEPT))
        return;
    log_limited(&journal->mixed, now_ms, LOG_WARN_LEVEL,
                "a message goes to recipients for whom it was refused at its end: Postfix cannot "
                "take them out any more from=%s recipients=%zu refused=%zu",
                log_quote(from, request->sender), answer->verdict_count, refused);
}

// note_refusal: the node is there, and this one question was the trouble.
static void note_refusal(struct journal *journal, const struct reeve_answer *answer,
                         uint64_t now_ms)
{
    char why[LOG_QUOTE_MAX];
    const char *message = answer->message[0] != '\0' ? answer->message : "an unknown action";

    log_limited(&journal->refused, now_ms, LOG_WARN_LEVEL,
                "the node gave no verdict, the fallback answers node=%s why=%s", answer->node,
                log_quote(why, message));
}

static void note_fallback(struct journal *journal, const struct reeve_answer *answer,
                          uint64_t now_ms)
{
    char why[LOG_QUOTE_MAX];

    if (answer->error != REEVE_UNREACHABLE && answer->error != REEVE_SYSTEM) {
        note_refusal(journal, answer, now_ms);
        return;
    }
    journal->fallback_count++;
    if (journal->away)
        return;
    log_warn("no node answers, the fallback does why=%s", log_quote(why, answer->message));
    journal->away_since_ms = now_ms;
    journal->away = true;
}

static void note_return(struct journal *journal, const struct reeve_answer *answer, uint64_t now_ms)
{
    if (!journal->away)
        return;
    log_info("nodes answer again node=%s away_ms=%llu fallbacks=%llu", answer->node,
             (unsigned long long)(now_ms - journal->away_since_ms),
             (unsigned long long)journal->fallback_count);
    journal->away = false;
    journal->fallback_count = 0;
}

void journal_answer(struct journal *journal, const struct policy_request *request,
                    const struct reeve_answer *answer, enum reeve_fallback fallback,
                    uint64_t now_ms)
{
    const struct reeve_verdict local = {
        .action = fallback == REEVE_FALLBACK_DEFER ? REEVE_DEFER : REEVE_ACCEPT,
        .reason = "fallback",
        .ticket = "",
        .shadow = "",
    };
    const struct reeve_verdict *verdict = translate_verdict(answer);

    if (verdict == NULL) {
        note_fallback(journal, answer, now_ms);
        verdict = &local;
    } else {
        note_return(journal, answer, now_ms);
        note_mixed(journal, request, answer, verdict, now_ms);
    }
    if (is_wanted(journal, verdict->action, verdict->shadow))
        write_decision(request, verdict, answer->verdict_count);
}

void journal_unnamed(struct journal *journal, const struct policy_request *request, uint64_t now_ms)
{
    char from[LOG_QUOTE_MAX];

    log_limited(
        &journal->unnamed, now_ms, LOG_WARN_LEVEL,
        "answered DUNNO at the end of a message whose recipients are not all known: is this "
        "service asked about each of them, in smtpd_recipient_restrictions? from=%s "
        "recipients=%llu",
        log_quote(from, request->sender), (unsigned long long)request->recipient_count);
}

void journal_peer(struct journal *journal, int fd, const char *what, const char *why,
                  uint64_t now_ms)
{
    struct log_limit *limit = &journal->peers[journal->peer_lines++ % JOURNAL_BURST];
    char peer[LISTEN_TEXT_MAX];

    log_limited(limit, now_ms, LOG_WARN_LEVEL, "%s peer=%s why=%s", what, listen_peer(fd, peer),
                why);
}
