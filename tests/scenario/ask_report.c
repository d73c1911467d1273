// ask_report.c: a report as a scenario's line makes it. What it has in common with a check stands in that one's fields.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/ask.h"
#include "tests/scenario/protobuf.h"
#include "tests/scenario/when.h"

static const char *const EVIDENCE[] = {
    "", "ham", "spam", "virus", "trap", "complaint", "not_spam", "unknown_recipient", NULL};

// A word of the list, or a number.
static bool read_evidence(const char *text, uint64_t *out)
{
    char *end = NULL;

    for (size_t i = 1; EVIDENCE[i] != NULL; i++) {
        if (strcmp(text, EVIDENCE[i]) == 0) {
            *out = i;
            return true;
        }
    }
    *out = strtoull(text, &end, 10);
    return end != text && *end == '\0';
}

static bool read_weight(const char *text, double *out)
{
    char *end = NULL;

    *out = strtod(text, &end);
    return end != text && *end == '\0';
}

static enum err report_word(struct ask *ask, const char *word, struct arena *arena,
                            struct err_detail *detail)
{
    if (strncmp(word, "event=", 6) == 0)
        return script_value(word + 6, arena, &ask->event, detail);
    if (strncmp(word, "weight=", 7) == 0 && read_weight(word + 7, &ask->weight))
        return ERR_NONE;
    if (strncmp(word, "ago=", 4) == 0 && when_span(word + 4, &ask->ago_ms)) {
        ask->has_ago = true;
        return ERR_NONE;
    }
    return ask_word(ask, word, arena, detail);
}

enum err ask_report(const struct words *words, uint64_t number, size_t *used, struct arena *arena,
                    struct ask *out, struct err_detail *detail)
{
    char event[32];
    enum err err;

    *out = (struct ask){.verb = MSG_REPORT, .node = "a"};
    (void)snprintf(event, sizeof(event), "event=line-%llu", (unsigned long long)number);
    err = report_word(out, event, arena, detail);
    if (err == ERR_NONE)
        err = report_word(out, "gateway=mx1", arena, detail);
    if (err == ERR_NONE && (words->count < 2 || !read_evidence(words->word[1], &out->evidence)))
        return err_say(detail, ERR_SYNTAX,
                       "expected: report EVIDENCE [WORDS] -> ..., evidence one "
                       "of ham, spam, virus, trap, complaint, not_spam, "
                       "unknown_recipient, or a number");
    *used = 2;
    for (; err == ERR_NONE && *used < words->count && strcmp(words->word[*used], "->") != 0;
         (*used)++)
        err = report_word(out, words->word[*used], arena, detail);
    return err;
}

void ask_report_fill(struct msg_request *request, const struct ask *ask)
{
    const struct msg_check *check = &request->check;

    request->report = (struct msg_report){
        .event = ask->event.at,
        .evidence = (enum msg_evidence)ask->evidence,
        .client_ip = check->client_ip,
        .sender = check->sender,
        .recipient = ask->recipient_count > 0 ? ask->recipient[0].at : "",
        .spf = check->spf,
        .spf_domain = check->spf_domain,
        .weight = ask->weight,
        .at_ms = ask->sent_at_ms,
        .asn = check->asn,
        .country = check->country,
    };
}

static void put_text(struct protobuf *to, unsigned field, const struct bytes *text)
{
    if (text->at != NULL)
        protobuf_bytes(to, field, text->at, text->len);
}

static void put_authentication(struct protobuf *to, const struct ask *ask)
{
    enum { AUTHENTICATION = 6, SPF = 1, SPF_DOMAIN = 2, AUTHENTICATION_BYTES = 1024 };
    char memory[AUTHENTICATION_BYTES];
    struct protobuf inner = {.at = memory, .size = sizeof(memory)};

    if (ask_number(ask, "spf") != 0)
        protobuf_number(&inner, SPF, ask_number(ask, "spf"));
    put_text(&inner, SPF_DOMAIN, ask_text(ask, "spf_domain"));
    if (inner.used > 0)
        protobuf_bytes(to, AUTHENTICATION, memory, inner.used);
    to->full = to->full || inner.full;
}

void ask_report_by_hand(struct protobuf *to, const struct ask *ask)
{
    enum { EVENT = 1, EVIDENCE_NUMBER, CLIENT_IP, SENDER, RECIPIENT };
    enum { WEIGHT = 7, AT_MS, ASN, COUNTRY };

    put_text(to, EVENT, &ask->event);
    protobuf_number(to, EVIDENCE_NUMBER, ask->evidence);
    put_text(to, CLIENT_IP, ask_text(ask, "ip"));
    put_text(to, SENDER, ask_text(ask, "from"));
    if (ask->recipient_count > 0)
        put_text(to, RECIPIENT, &ask->recipient[0]);
    put_authentication(to, ask);
    protobuf_double(to, WEIGHT, ask->weight);
    protobuf_number(to, AT_MS, ask->sent_at_ms);
    protobuf_number(to, ASN, ask_number(ask, "asn"));
    put_text(to, COUNTRY, ask_text(ask, "country"));
}
