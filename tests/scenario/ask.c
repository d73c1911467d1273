// ask.c: a request as a scenario's line asks it.
//
// One table names every field of Request and Check that a line can set: its word, its place in
// msg.h's structs and its number in reeve.proto. Both encoders read it.
#include "tests/scenario/ask.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/wire.h"
#include "tests/scenario/protobuf.h"
#include "tests/scenario/when.h"

enum field_kind { FIELD_TEXT, FIELD_NUMBER, FIELD_FLAG };
enum field_home { IN_REQUEST, IN_CHECK, IN_AUTHENTICATION };

struct field {
    const char *word;
    enum field_kind kind;
    enum field_home home; // the message it stands in
    unsigned number;      // in reeve.proto
    size_t offset;        // in struct msg_request
    size_t width;         // of a number
};

#define OF_REQUEST(word, kind, number, member)                                \
    {                                                                         \
        word, kind, IN_REQUEST, number, offsetof(struct msg_request, member), \
            sizeof(((struct msg_request *)0)->member)                         \
    }
#define OF_CHECK_PART(word, kind, home, number, member)                       \
    {                                                                         \
        word, kind, home, number, offsetof(struct msg_request, check.member), \
            sizeof(((struct msg_request *)0)->check.member)                   \
    }
#define OF_CHECK(word, kind, number, member) OF_CHECK_PART(word, kind, IN_CHECK, number, member)
#define OF_AUTHENTICATION(word, kind, number, member) \
    OF_CHECK_PART(word, kind, IN_AUTHENTICATION, number, member)

static const struct field FIELDS[] = {
    OF_REQUEST("budget", FIELD_NUMBER, 2, budget_ms),
    OF_REQUEST("gateway", FIELD_TEXT, 3, gateway),
    OF_REQUEST("at_ms", FIELD_NUMBER, 4, at_ms),
    OF_CHECK("stage", FIELD_NUMBER, 1, stage),
    OF_CHECK("transaction", FIELD_TEXT, 2, transaction),
    OF_CHECK("ip", FIELD_TEXT, 3, client_ip),
    OF_CHECK("name", FIELD_TEXT, 4, client_name),
    OF_CHECK("helo", FIELD_TEXT, 5, helo),
    OF_CHECK("user", FIELD_TEXT, 6, auth_user),
    OF_CHECK("tls", FIELD_FLAG, 7, tls),
    OF_CHECK("smtputf8", FIELD_FLAG, 8, smtputf8),
    OF_CHECK("from", FIELD_TEXT, 9, sender),
    OF_CHECK("count", FIELD_NUMBER, 11, recipient_count),
    OF_CHECK("size", FIELD_NUMBER, 12, size_bytes),
    OF_CHECK("dry", FIELD_FLAG, 15, dry_run),
    OF_CHECK("trace", FIELD_FLAG, 16, trace),
    OF_CHECK("set", FIELD_TEXT, 17, policy),
    OF_CHECK("as_of", FIELD_NUMBER, 18, at_ms),
    OF_CHECK("asn", FIELD_NUMBER, 19, asn),
    OF_CHECK("country", FIELD_TEXT, 20, country),
    OF_AUTHENTICATION("spf", FIELD_NUMBER, 1, spf),
    OF_AUTHENTICATION("spf_domain", FIELD_TEXT, 2, spf_domain),
};
enum { FIELD_COUNT = sizeof(FIELDS) / sizeof(FIELDS[0]), RECIPIENTS_NUMBER = 10 };
_Static_assert(sizeof(FIELDS) / sizeof(FIELDS[0]) <= ASK_FIELDS,
               "struct ask has room for every field");

// Numbers that have names, by their number.
static const char *const STAGES[] = {"", "connect", "mail", "rcpt", "end", NULL};
static const char *const OUTCOMES[] = {"",        "none",      "pass",      "fail", "softfail",
                                       "neutral", "temperror", "permerror", NULL};

static size_t field_of(const char *word, size_t len)
{
    size_t i = 0;

    while (i < FIELD_COUNT &&
           (strlen(FIELDS[i].word) != len || strncmp(FIELDS[i].word, word, len) != 0))
        i++;
    return i;
}

const struct bytes *ask_text(const struct ask *ask, const char *word)
{
    return &ask->text[field_of(word, strlen(word))];
}

uint64_t ask_number(const struct ask *ask, const char *word)
{
    return ask->number[field_of(word, strlen(word))];
}

enum msg_stage ask_stage(const struct ask *ask)
{
    uint64_t stage = ask->number[field_of("stage", 5)];

    return stage == 0 ? MSG_RCPT : (enum msg_stage)stage;
}

bool ask_is_dry(const struct ask *ask)
{
    return ask->number[field_of("dry", 3)] != 0;
}

void ask_set_dry(struct ask *ask)
{
    ask->number[field_of("dry", 3)] = 1;
}

bool ask_is_what_if(const struct ask *ask)
{
    return ask->number[field_of("as_of", 5)] != 0 || ask->text[field_of("set", 3)].at != NULL;
}

bool ask_wants_trace(const struct ask *ask)
{
    return ask->number[field_of("trace", 5)] != 0;
}

// ---- Words of a check

static bool read_name(const char *const names[], const char *text, uint64_t *out)
{
    for (size_t i = 1; names[i] != NULL; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

// A number may be a span of time: budget=200ms.
static bool read_number(const char *word, const char *text, uint64_t *out)
{
    char *end;
    int64_t span_ms;

    if (strcmp(word, "stage") == 0 && read_name(STAGES, text, out))
        return true;
    if (strcmp(word, "spf") == 0 && read_name(OUTCOMES, text, out))
        return true;
    *out = strtoull(text, &end, 10);
    if (end != text && *end == '\0')
        return true;
    if (strcmp(word, "as_of") == 0 && when_time(text, 0, 0, out))
        return true;
    if (!when_span(text, &span_ms))
        return false;
    *out = (uint64_t)span_ms;
    return true;
}

static enum err add_recipient(struct ask *ask, const char *value, struct arena *arena,
                              struct err_detail *detail)
{
    if (ask->recipient == NULL)
        ask->recipient = arena_zalloc(arena, ASK_RECIPIENTS_MAX * sizeof(*ask->recipient));
    if (ask->recipient == NULL || ask->recipient_count == ASK_RECIPIENTS_MAX)
        return err_say(detail, ERR_LIMIT, "more than %d recipients", ASK_RECIPIENTS_MAX);
    return script_value(value, arena, &ask->recipient[ask->recipient_count++], detail);
}

// to=<u{1..1000}@corp.example> names a thousand recipients.
static enum err add_recipients(struct ask *ask, const char *value, struct arena *arena,
                               struct err_detail *detail)
{
    const char *open = strchr(value, '{');
    unsigned from = 0;
    unsigned to = 0;
    int used = 0;
    enum err err = ERR_NONE;

    if (open == NULL || sscanf(open, "{%u..%u}%n", &from, &to, &used) != 2 || used == 0)
        return add_recipient(ask, value, arena, detail);
    for (unsigned i = from; err == ERR_NONE && i <= to; i++) {
        char *one = mem_format("%.*s%u%s", (int)(open - value), value, i, open + used);

        err = add_recipient(ask, one, arena, detail);
        mem_free(one);
    }
    return err;
}

static enum err set_field(struct ask *ask, size_t i, const char *value, struct arena *arena,
                          struct err_detail *detail)
{
    if (FIELDS[i].kind == FIELD_TEXT)
        return script_value(value, arena, &ask->text[i], detail);
    if (read_number(FIELDS[i].word, value, &ask->number[i]))
        return ERR_NONE;
    return err_say(detail, ERR_SYNTAX, "%s= takes a number or its name, not '%s'", FIELDS[i].word,
                   value);
}

// What both kinds of line can say about the way of the request.
static bool set_way(struct ask *ask, const char *word)
{
    int64_t age_ms = 0;

    if (strncmp(word, "node=", 5) == 0)
        ask->node = word + 5;
    else if (strncmp(word, "age=", 4) == 0 && when_span(word + 4, &age_ms))
        ask->age_ms = (uint64_t)age_ms;
    else if (strcmp(word, "door=admin") == 0)
        ask->admin_door = true;
    else if (strcmp(word, "door=lookups") == 0)
        ask->admin_door = false;
    else
        return false;
    return true;
}

enum err ask_word(struct ask *ask, const char *word, struct arena *arena, struct err_detail *detail)
{
    const char *equals = strchr(word, '=');
    size_t i = field_of(word, equals == NULL ? strlen(word) : (size_t)(equals - word));

    if (set_way(ask, word))
        return ERR_NONE;
    if (strncmp(word, "to=", 3) == 0)
        return add_recipients(ask, word + 3, arena, detail);
    if (i == FIELD_COUNT || (equals == NULL) != (FIELDS[i].kind == FIELD_FLAG))
        return err_say(detail, ERR_SYNTAX, "a check knows no '%s' (README.md, section Check)",
                       word);
    if (FIELDS[i].kind != FIELD_FLAG)
        return set_field(ask, i, equals + 1, arena, detail);
    ask->number[i] = 1;
    return ERR_NONE;
}

enum err ask_check(const struct words *words, size_t *used, struct arena *arena, struct ask *out,
                   struct err_detail *detail)
{
    enum err err = ERR_NONE;
    size_t i = 1;

    *out = (struct ask){.verb = MSG_CHECK, .node = "a"};
    for (; err == ERR_NONE && i < words->count && strcmp(words->word[i], "->") != 0; i++)
        err = ask_word(out, words->word[i], arena, detail);
    *used = i;
    return err;
}

// ---- Words of a sent line: those of a check that mean the same, headers, and when it was sent

static enum err sent_word(struct ask *ask, const char *word, struct arena *arena,
                          struct err_detail *detail)
{
    if (strncmp(word, "ago=", 4) == 0 && when_span(word + 4, &ask->ago_ms)) {
        ask->has_ago = true;
        return ERR_NONE;
    }
    if (strncmp(word, "header=", 7) != 0)
        return ask_word(ask, word, arena, detail);
    if (ask->header == NULL)
        ask->header = arena_zalloc(arena, ASK_HEADERS_MAX * sizeof(*ask->header));
    if (ask->header == NULL || ask->header_count == ASK_HEADERS_MAX)
        return err_say(detail, ERR_LIMIT, "more than %d headers", ASK_HEADERS_MAX);
    return script_value(word + 7, arena, &ask->header[ask->header_count++], detail);
}

enum err ask_sent(const struct words *words, size_t *used, struct arena *arena, struct ask *out,
                  struct err_detail *detail)
{
    enum err err = ERR_NONE;
    size_t i = 1;

    *out = (struct ask){.verb = MSG_SENT, .node = "a"};
    for (; err == ERR_NONE && i < words->count && strcmp(words->word[i], "->") != 0; i++)
        err = sent_word(out, words->word[i], arena, detail);
    *used = i;
    return err;
}

// The name and the value of "Name: value", in the arena.
static bool split_header(const struct bytes *header, struct arena *arena, struct msg_header *out)
{
    const char *colon = memchr(header->at, ':', header->len);
    const char *value = colon == NULL ? "" : colon + 1 + strspn(colon + 1, " ");

    out->name =
        arena_text(arena, header->at, colon == NULL ? header->len : (size_t)(colon - header->at));
    out->value = value;
    return out->name != NULL;
}

// ---- Words of an admin line

static enum err admin_word(struct ask *ask, const char *word, struct arena *arena,
                           struct err_detail *detail)
{
    const char *equals = strchr(word, '=');
    struct bytes value;
    enum err err;

    if (set_way(ask, word))
        return ERR_NONE;
    if (strcmp(word, "dry") == 0) {
        ask->dry_run = true;
        return ERR_NONE;
    }
    if (equals == NULL || ask->arg_count == ASK_ARGS_MAX)
        return err_say(detail, ERR_SYNTAX, "expected argument=value, not '%s'", word);
    err = script_value(equals + 1, arena, &value, detail);
    bool is_argument = strncmp(word, "arg.", 4) == 0;

    if (is_argument)
        word += 4;
    if (err == ERR_NONE && !is_argument && strncmp(word, "as_user=", 8) == 0)
        ask->as_user = value;
    else if (err == ERR_NONE && !is_argument && strncmp(word, "document=", 9) == 0)
        ask->document = value;
    else if (err == ERR_NONE)
        ask->arg[ask->arg_count++] = (struct msg_pair){
            .key = arena_text(arena, word, (size_t)(equals - word)), .value = value.at};
    return err;
}

enum err ask_admin(const struct words *words, size_t *used, struct arena *arena, struct ask *out,
                   struct err_detail *detail)
{
    enum err err = ERR_NONE;
    size_t i = 2;

    *out = (struct ask){.verb = MSG_ADMIN, .node = "a", .admin_door = true};
    out->arg = arena_zalloc(arena, ASK_ARGS_MAX * sizeof(*out->arg));
    if (words->count < 2 || out->arg == NULL)
        return err_say(detail, ERR_SYNTAX, "expected: admin VERB [ARGUMENT=VALUE ...] -> ...");
    out->admin_verb = words->word[1];
    for (; err == ERR_NONE && i < words->count && strcmp(words->word[i], "->") != 0; i++)
        err = admin_word(out, words->word[i], arena, detail);
    *used = i;
    return err;
}

// ---- Bytes, libreeve's way

static void put_number(struct msg_request *request, const struct field *field, uint64_t number)
{
    char *at = (char *)request + field->offset;
    uint32_t narrow = (uint32_t)number;
    bool flag = number != 0;

    if (field->width == sizeof(number))
        memcpy(at, &number, sizeof(number));
    else if (field->width == sizeof(narrow))
        memcpy(at, &narrow, sizeof(narrow));
    else
        memcpy(at, &flag, sizeof(flag));
}

static void put_field(struct msg_request *request, const struct ask *ask, size_t i)
{
    const char *text = ask->text[i].at == NULL ? "" : ask->text[i].at;

    if (FIELDS[i].kind == FIELD_TEXT)
        memcpy((char *)request + FIELDS[i].offset, &text, sizeof(text));
    else
        put_number(request, &FIELDS[i], ask->number[i]);
}

static enum err put_recipients(struct msg_request *request, const struct ask *ask,
                               struct arena *scratch)
{
    const char **recipient = arena_alloc(scratch, ask->recipient_count * sizeof(*recipient) + 1);

    if (recipient == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < ask->recipient_count; i++)
        recipient[i] = ask->recipient[i].at;
    request->check.recipients = recipient;
    request->check.recipient_total = ask->recipient_count;
    return ERR_NONE;
}

// What a sent line says stands in the fields of a check.
static enum err put_sent(struct msg_request *request, const struct ask *ask, struct arena *scratch)
{
    const struct msg_check *check = &request->check;
    struct msg_header *header = arena_zalloc(scratch, (ask->header_count + 1) * sizeof(*header));

    for (size_t i = 0; i < ask->header_count; i++)
        if (header == NULL || !split_header(&ask->header[i], scratch, &header[i]))
            return ERR_MEMORY;
    request->sent = (struct msg_sent){.transaction = check->transaction,
                                      .auth_user = check->auth_user,
                                      .client_ip = check->client_ip,
                                      .sender = check->sender,
                                      .recipients = check->recipients,
                                      .recipient_total = check->recipient_total,
                                      .headers = header,
                                      .header_count = ask->header_count,
                                      .at_ms = ask->sent_at_ms};
    return ERR_NONE;
}

enum err ask_encode(const struct ask *ask, const struct ask_how *how, struct arena *scratch,
                    struct bytes *out)
{
    struct msg_request request = {.verb = ask->verb};
    enum err err = put_recipients(&request, ask, scratch);

    for (size_t i = 0; i < FIELD_COUNT; i++)
        put_field(&request, ask, i);
    if (err == ERR_NONE)
        err = put_sent(&request, ask, scratch);
    size_t size = arena_left(scratch) / 2;

    request.id = how->id;
    request.check.stage = (enum msg_stage)ask->number[field_of("stage", 5)];
    request.check.spf = (enum msg_auth)ask->number[field_of("spf", 3)];
    request.check.trace = request.check.trace || how->trace;
    ask_report_fill(&request, ask);
    request.admin = (struct msg_admin){.verb = ask->admin_verb,
                                       .args = ask->arg,
                                       .arg_count = ask->arg_count,
                                       .document = ask->document.at,
                                       .document_bytes = ask->document.len,
                                       .dry_run = ask->dry_run,
                                       .as_user = ask->as_user.at};
    out->at = arena_alloc(scratch, size);
    if (err != ERR_NONE || out->at == NULL)
        return ERR_MEMORY;
    return wire_encode_request(&request, scratch, out->at, size, &out->len);
}

// ---- Bytes, by hand

bool ask_is_raw(const struct ask *ask)
{
    bool is_raw = ask->by_hand;

    for (size_t i = 0; i < FIELD_COUNT; i++)
        is_raw = is_raw || (ask->text[i].at != NULL && strlen(ask->text[i].at) != ask->text[i].len);
    for (size_t i = 0; i < ask->recipient_count; i++)
        is_raw = is_raw || strlen(ask->recipient[i].at) != ask->recipient[i].len;
    return is_raw;
}

static void write_fields(struct protobuf *to, const struct ask *ask, enum field_home home)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (FIELDS[i].home != home)
            continue;
        if (FIELDS[i].kind == FIELD_TEXT && ask->text[i].at != NULL)
            protobuf_bytes(to, FIELDS[i].number, ask->text[i].at, ask->text[i].len);
        else if (ask->number[i] != 0)
            protobuf_number(to, FIELDS[i].number, ask->number[i]);
    }
}

static void write_check(struct protobuf *to, const struct ask *ask, bool trace)
{
    enum { AUTHENTICATION = 13, TRACE = 16, AUTHENTICATION_BYTES = 1024 };
    char memory[AUTHENTICATION_BYTES];
    struct protobuf authentication = {.at = memory, .size = sizeof(memory)};

    write_fields(to, ask, IN_CHECK);
    write_fields(&authentication, ask, IN_AUTHENTICATION);
    if (authentication.used > 0)
        protobuf_bytes(to, AUTHENTICATION, memory, authentication.used);
    to->full = to->full || authentication.full;
    for (size_t i = 0; i < ask->recipient_count; i++)
        protobuf_bytes(to, RECIPIENTS_NUMBER, ask->recipient[i].at, ask->recipient[i].len);
    if (trace)
        protobuf_number(to, TRACE, 1);
}

static void write_sent(struct protobuf *to, const struct ask *ask, struct arena *scratch)
{
    enum { RECIPIENTS = 5, HEADERS = 6, AT_MS = 7, NAME = 1, VALUE = 2, HEADER_BYTES = 8192 };
    static const struct {
        const char *word;
        unsigned number;
    } SAME[] = {{"transaction", 1}, {"user", 2}, {"ip", 3}, {"from", 4}};

    for (size_t i = 0; i < sizeof(SAME) / sizeof(SAME[0]); i++) {
        const struct bytes *text = &ask->text[field_of(SAME[i].word, strlen(SAME[i].word))];

        if (text->at != NULL)
            protobuf_bytes(to, SAME[i].number, text->at, text->len);
    }
    for (size_t i = 0; i < ask->recipient_count; i++)
        protobuf_bytes(to, RECIPIENTS, ask->recipient[i].at, ask->recipient[i].len);
    for (size_t i = 0; i < ask->header_count; i++) {
        struct protobuf header = {.at = arena_alloc(scratch, HEADER_BYTES), .size = HEADER_BYTES};
        struct msg_header parts;

        if (header.at == NULL || !split_header(&ask->header[i], scratch, &parts)) {
            to->full = true;
            return;
        }
        protobuf_bytes(&header, NAME, parts.name, strlen(parts.name));
        protobuf_bytes(&header, VALUE, parts.value, strlen(parts.value));
        protobuf_bytes(to, HEADERS, header.at, header.used);
        to->full = to->full || header.full;
    }
    if (ask->sent_at_ms != 0)
        protobuf_number(to, AT_MS, ask->sent_at_ms);
}

static void write_admin(struct protobuf *to, const struct ask *ask, struct arena *scratch)
{
    enum {
        VERB = 1,
        ARGS = 2,
        DOCUMENT = 3,
        DRY_RUN = 4,
        AS_USER = 5,
        KEY = 1,
        VALUE = 2,
        PAIR_BYTES = 2 * MSG_ADMIN_ARG_MAX
    };

    protobuf_bytes(to, VERB, ask->admin_verb, strlen(ask->admin_verb));
    for (size_t i = 0; i < ask->arg_count; i++) {
        struct protobuf pair = {.at = arena_alloc(scratch, PAIR_BYTES), .size = PAIR_BYTES};

        protobuf_bytes(&pair, KEY, ask->arg[i].key, strlen(ask->arg[i].key));
        protobuf_bytes(&pair, VALUE, ask->arg[i].value, strlen(ask->arg[i].value));
        protobuf_bytes(to, ARGS, pair.at, pair.used);
        to->full = to->full || pair.full;
    }
    if (ask->document.at != NULL)
        protobuf_bytes(to, DOCUMENT, ask->document.at, ask->document.len);
    if (ask->dry_run)
        protobuf_number(to, DRY_RUN, 1);
    if (ask->as_user.at != NULL)
        protobuf_bytes(to, AS_USER, ask->as_user.at, ask->as_user.len);
}

enum err ask_encode_by_hand(const struct ask *ask, const struct ask_how *how, struct arena *scratch,
                            struct bytes *out)
{
    size_t size = arena_left(scratch) / 4;
    struct protobuf verb = {.at = arena_alloc(scratch, size), .size = size};
    struct protobuf request = {.at = arena_alloc(scratch, size), .size = size};

    if (verb.at == NULL || request.at == NULL)
        return ERR_MEMORY;
    if (ask->verb == MSG_CHECK)
        write_check(&verb, ask, how->trace);
    if (ask->verb == MSG_SENT)
        write_sent(&verb, ask, scratch);
    if (ask->verb == MSG_REPORT)
        ask_report_by_hand(&verb, ask);
    if (ask->verb == MSG_ADMIN)
        write_admin(&verb, ask, scratch);
    protobuf_number(&request, 1, how->id);
    write_fields(&request, ask, IN_REQUEST);
    protobuf_bytes(&request, (unsigned)ask->verb, verb.at, verb.used);
    *out = (struct bytes){(char *)request.at, request.used};
    return verb.full || request.full ? ERR_MEMORY : ERR_NONE;
}
