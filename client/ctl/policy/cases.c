// cases.c: see cases.h. Promises: a case that asks what no gateway could ask, or that expects nothing, is refused with
// file and line before anything is asked.
#include "client/ctl/policy/cases.h"

#include <string.h>

#include "client/ctl/when.h"
#include "proto/base/mem.h"
#include "proto/base/yaml.h"
#include "proto/ip.h"
#include "proto/msg.h"

enum { NAME_MAX_BYTES = 200, TEXT_MAX_BYTES = 1000, WORD_MAX_BYTES = 64, SKIPS = 3 };

// ---- the fields of a question

struct fields {
    const char *client, *client_name, *helo, *user, *from, *spf_domain, *at;
    struct yaml_texts to;
    bool tls, smtputf8;
    uint64_t size, recipients;
    int stage, spf;
};

static const char *const STAGES[] = {"connect", "mail", "rcpt", "end", NULL};
static const char *const OUTCOMES[] = {"unknown", "none",      "pass",      "fail", "softfail",
                                       "neutral", "temperror", "permerror", NULL};

#define FIELD(name, field, type_, def_, max_, words_, help_)                               \
    {                                                                                      \
        .key = name, .type = type_, .offset = offsetof(struct fields, field), .def = def_, \
        .max = max_, .words = words_, .help = help_                                        \
    }
static const struct yaml_row FIELDS[] = {
    FIELD("client", client, YAML_IS_TEXT, NULL, WORD_MAX_BYTES, NULL, "address of the client"),
    FIELD("client_name", client_name, YAML_IS_TEXT, NULL, TEXT_MAX_BYTES, NULL,
          "its forward-confirmed name"),
    FIELD("helo", helo, YAML_IS_TEXT, NULL, TEXT_MAX_BYTES, NULL, "what it called itself"),
    FIELD("user", user, YAML_IS_TEXT, NULL, MSG_AUTH_USER_MAX, NULL, "login"),
    FIELD("from", from, YAML_IS_TEXT, NULL, TEXT_MAX_BYTES, NULL, "envelope sender"),
    FIELD("to", to, YAML_IS_TEXTS, NULL, MSG_RECIPIENTS_MAX, NULL, "envelope recipients"),
    FIELD("tls", tls, YAML_IS_BOOL, "false", 0, NULL, "the session is encrypted"),
    FIELD("smtputf8", smtputf8, YAML_IS_BOOL, "false", 0, NULL, "SMTPUTF8 was asked for"),
    FIELD("size", size, YAML_IS_SIZE, "0", UINT64_MAX, NULL, "of the message"),
    FIELD("recipients", recipients, YAML_IS_COUNT, "0", UINT32_MAX, NULL, "of the transaction"),
    FIELD("stage", stage, YAML_IS_WORD, "rcpt", 0, STAGES, "of the session"),
    FIELD("spf", spf, YAML_IS_WORD, "unknown", 0, OUTCOMES, "what SPF said"),
    FIELD("spf_domain", spf_domain, YAML_IS_TEXT, NULL, TEXT_MAX_BYTES, NULL, "of which domain"),
    FIELD("at", at, YAML_IS_TEXT, NULL, WORD_MAX_BYTES, NULL, "when"),
    {.key = NULL},
};
enum { FIELD_COUNT = sizeof(FIELDS) / sizeof(FIELDS[0]) - 1 };

static size_t size_of(enum yaml_type type)
{
    switch (type) {
    case YAML_IS_TEXT:
        return sizeof(char *);
    case YAML_IS_BOOL:
        return sizeof(bool);
    case YAML_IS_WORD:
        return sizeof(int);
    case YAML_IS_TEXTS:
        return sizeof(struct yaml_texts);
    case YAML_IS_COUNT:
    case YAML_IS_SIZE:
    case YAML_IS_DURATION:
    case YAML_IS_SHARE:
    case YAML_IS_REAL:
    case YAML_IS_WORDS:
    case YAML_IS_OTHER:
        break;
    }
    return sizeof(uint64_t);
}

// A case's own keys beside those of a question.
static const struct yaml_row OWN[] = {
    {.key = "name",
     .type = YAML_IS_TEXT,
     .def = "!",
     .min = 1,
     .max = NAME_MAX_BYTES,
     .help = "what the case shows"},
    {.key = "expect", .type = YAML_IS_OTHER},
};
enum { OWN_COUNT = sizeof(OWN) / sizeof(OWN[0]) };

// What a case says, and what it leaves to the defaults of its file.
struct whole_case {
    struct fields fields; // first: FIELDS' offsets are its own
    const char *name;
};

static enum err read_case_fields(const struct yaml_node *node, const struct fields *defaults,
                                 struct whole_case *out, struct err_detail *detail)
{
    struct yaml_row rows[FIELD_COUNT + OWN_COUNT + 1] = {{.key = NULL}};
    enum err err;

    memcpy(rows, FIELDS, FIELD_COUNT * sizeof(*rows));
    memcpy(rows + FIELD_COUNT, OWN, sizeof(OWN));
    rows[FIELD_COUNT].offset = offsetof(struct whole_case, name);
    err = yaml_read(node, "cases", rows, out, detail);
    for (size_t i = 0; i < FIELD_COUNT && err == ERR_NONE; i++) {
        if (yaml_find(node, FIELDS[i].key) == NULL)
            memcpy((char *)&out->fields + FIELDS[i].offset,
                   (const char *)defaults + FIELDS[i].offset, size_of(FIELDS[i].type));
    }
    return err;
}

// ---- a question

static enum err refuse(const struct yaml_node *node, struct err_detail *detail, const char *what,
                       const char *text)
{
    return err_say(detail, ERR_CONFIG, "%s:%u: %s%s", node->file, node->line, what, text);
}

static void *own(struct cases *cases, void *memory)
{
    cases->owned = mem_grow((void *)cases->owned, cases->owned_count + 1, sizeof(*cases->owned));
    return cases->owned[cases->owned_count++] = memory;
}

// bare: an address without the angle brackets that it may be written in.
static const char *bare(struct cases *cases, const char *address)
{
    size_t len = strlen(address);

    if (len < 2 || address[0] != '<' || address[len - 1] != '>')
        return address;
    return own(cases, mem_text_n(address + 1, len - 2));
}

static bool is_early(const struct reeve_check *check)
{
    return check->stage == REEVE_CONNECT || check->stage == REEVE_MAIL;
}

static void take_recipients(struct cases *cases, const struct yaml_texts *to,
                            struct reeve_check *out)
{
    const char **recipients = own(cases, mem_new_array(to->count + 1, sizeof(*recipients)));

    for (size_t i = 0; i < to->count; i++)
        recipients[i] = bare(cases, to->text[i]);
    out->recipients = recipients;
    out->recipient_total = to->count;
}

// A time relative to now would make a test of one day fail on another.
static enum err take_time(const struct yaml_node *node, const char *text, uint64_t *out,
                          struct err_detail *detail)
{
    if (text == NULL || text[0] == '\0')
        return ERR_NONE;
    if (strlen(text) >= strlen("2027-01-31") && text[4] == '-' && when_parse(text, 0, out))
        return ERR_NONE;
    return refuse(node, detail,
                  "at: expected a moment like 2027-01-31 or 2027-01-31T18:00:00Z, not ", text);
}

// check_question: what no gateway would ask, and the node refuse without a line number.
static enum err check_question(const struct yaml_node *node, const struct whole_case *whole,
                               const struct reeve_check *check, struct err_detail *detail)
{
    const struct yaml_node *to = yaml_find(node, "to");
    struct ip ip;

    if (whole->fields.client[0] != '\0' && !ip_parse(whole->fields.client, &ip))
        return refuse(node, detail, "client: expected an IPv4 or IPv6 address, not ",
                      whole->fields.client);
    if (check->stage != REEVE_CONNECT && whole->fields.from == NULL)
        return refuse(node, detail, "from is missing", " (the null sender is written as <>)");
    if (is_early(check) && to != NULL)
        return refuse(to, detail, "to: there is none yet at stage ", STAGES[check->stage - 1]);
    if (!is_early(check) && check->recipient_total == 0)
        return refuse(node, detail, "to is missing", "");
    return ERR_NONE;
}

static enum err take_question(struct cases *cases, const struct yaml_node *node,
                              struct whole_case *whole, struct reeve_check *out,
                              struct err_detail *detail)
{
    const struct fields *fields = &whole->fields;
    enum err err;

    *out = (struct reeve_check){
        .stage = (enum reeve_stage)(fields->stage + 1),
        .client_ip = fields->client,
        .client_name = fields->client_name,
        .helo = fields->helo,
        .auth_user = fields->user,
        .tls = fields->tls,
        .smtputf8 = fields->smtputf8,
        .sender = fields->from == NULL ? "" : bare(cases, fields->from),
        .recipient_count = (uint32_t)fields->recipients,
        .size_bytes = fields->size,
        .spf = fields->spf,
        .spf_domain = fields->spf_domain,
        .dry_run = true,
        .trace = true,
    };
    if (!is_early(out))
        take_recipients(cases, &fields->to, out);
    err = check_question(node, whole, out, detail);
    return err == ERR_NONE ? take_time(node, fields->at, &out->as_of_ms, detail) : err;
}

// ---- what is expected

struct expect_fields {
    uint64_t code;
    const char *enhanced, *reason, *rule, *shadow;
    int action, direction;
    struct yaml_texts skip;
};

static const char *const ACTIONS[] = {"any", "accept", "defer", "reject", "hold", "secure", NULL};
static const char *const DIRECTIONS[] = {"any", "inbound", "outbound", "internal", "relay", NULL};
static const char *const SKIP_WORDS[SKIPS] = {"greylist", "reputation", "spam"};

#define EXPECT(name, type_, min_, max_, words_)                                                   \
    {                                                                                             \
        .key = #name, .type = type_, .offset = offsetof(struct expect_fields, name), .def = NULL, \
        .min = min_, .max = max_, .words = words_                                                 \
    }
static const struct yaml_row EXPECT_ROWS[] = {
    EXPECT(code, YAML_IS_COUNT, 200, 599, NULL),
    EXPECT(enhanced, YAML_IS_TEXT, 1, WORD_MAX_BYTES, NULL),
    EXPECT(action, YAML_IS_WORD, 0, 0, ACTIONS),
    EXPECT(reason, YAML_IS_TEXT, 1, WORD_MAX_BYTES, NULL),
    EXPECT(rule, YAML_IS_TEXT, 0, TEXT_MAX_BYTES, NULL),
    EXPECT(shadow, YAML_IS_TEXT, 0, WORD_MAX_BYTES, NULL),
    EXPECT(direction, YAML_IS_WORD, 0, 0, DIRECTIONS),
    EXPECT(skip, YAML_IS_TEXTS, 0, SKIPS, NULL),
    {.key = NULL},
};

static const char *given(const struct yaml_node *node, const char *key, const char *text)
{
    return yaml_find(node, key) != NULL ? text : NULL;
}

static enum err take_skip(const struct yaml_node *node, const struct yaml_texts *skip,
                          struct expected *out, struct err_detail *detail)
{
    bool *const flags[SKIPS] = {&out->skip_greylist, &out->skip_reputation, &out->skip_spam};

    out->skip_is_given = yaml_find(node, "skip") != NULL;
    for (size_t i = 0; i < skip->count; i++) {
        size_t word = 0;

        while (word < SKIPS && strcmp(SKIP_WORDS[word], skip->text[i]) != 0)
            word++;
        if (word == SKIPS)
            return refuse(yaml_find(node, "skip"), detail,
                          "skip: expected greylist, reputation or spam, not ", skip->text[i]);
        *flags[word] = true;
    }
    return ERR_NONE;
}

static enum err take_expected(const struct yaml_node *node, struct expected *out,
                              struct err_detail *detail)
{
    struct expect_fields fields = {.code = 0};
    enum err err = yaml_expect(node, YAML_MAP, "expect", detail);

    if (err == ERR_NONE && node->child == NULL)
        err = refuse(node, detail, "expect: nothing is expected, so nothing could fail", "");
    if (err == ERR_NONE)
        err = yaml_read(node, "expect", EXPECT_ROWS, &fields, detail);
    if (err != ERR_NONE)
        return err;
    *out = (struct expected){
        .code = (unsigned)fields.code,
        .action = (enum reeve_action)fields.action,
        .enhanced = given(node, "enhanced", fields.enhanced),
        .reason = given(node, "reason", fields.reason),
        .rule = given(node, "rule", fields.rule),
        .shadow = given(node, "shadow", fields.shadow),
        .direction = fields.direction > 0 ? DIRECTIONS[fields.direction] : NULL,
    };
    return take_skip(node, &fields.skip, out, detail);
}

// take_all_expected: of a list one a recipient, in their order.
static enum err take_all_expected(struct cases *cases, const struct yaml_node *node,
                                  struct test_case *out, struct err_detail *detail)
{
    const struct yaml_node *expect = yaml_find(node, "expect");
    bool is_list = expect != NULL && expect->kind == YAML_LIST;
    enum err err = ERR_NONE;

    if (expect == NULL)
        return refuse(node, detail, "expect is missing", "");
    if (is_list && expect->count != out->check.recipient_total)
        return err_say(detail, ERR_CONFIG,
                       "%s:%u: expect: a list holds one for each recipient: there are %zu, and %zu "
                       "recipients",
                       expect->file, expect->line, expect->count, out->check.recipient_total);
    out->expected_count = is_list ? expect->count : 1;
    out->expected = own(cases, mem_new_array(out->expected_count + 1, sizeof(*out->expected)));
    expect = is_list ? expect->child : expect;
    for (size_t i = 0; i < out->expected_count && err == ERR_NONE; i++) {
        err = take_expected(expect, &out->expected[i], detail);
        expect = expect->next;
    }
    return err;
}

// ---- files

static enum err add_case(struct cases *cases, const struct yaml_node *node,
                         const struct fields *defaults, struct err_detail *detail)
{
    struct whole_case whole = {.name = ""};
    struct test_case made = {.file = node->file, .line = node->line};
    enum err err = yaml_expect(node, YAML_MAP, "cases", detail);

    if (err == ERR_NONE)
        err = read_case_fields(node, defaults, &whole, detail);
    if (err == ERR_NONE)
        err = take_question(cases, node, &whole, &made.check, detail);
    if (err == ERR_NONE)
        err = take_all_expected(cases, node, &made, detail);
    if (err != ERR_NONE)
        return err;
    made.name = whole.name;
    cases->at = mem_grow(cases->at, cases->count + 1, sizeof(*cases->at));
    cases->at[cases->count++] = made;
    return ERR_NONE;
}

static enum err read_root(struct cases *cases, const struct yaml_node *root,
                          struct err_detail *detail)
{
    static const struct yaml_row sections[] = {
        {.key = "defaults", .type = YAML_IS_OTHER},
        {.key = "cases", .type = YAML_IS_OTHER},
        {.key = NULL},
    };
    const struct yaml_node *list;
    struct fields defaults = {.client = ""};
    char nothing = 0;
    enum err err = yaml_expect(root, YAML_MAP, "a file of tests", detail);

    if (err == ERR_NONE)
        err = yaml_read(root, "", sections, &nothing, detail);
    if (err == ERR_NONE)
        err = yaml_read(yaml_find(root, "defaults"), "defaults", FIELDS, &defaults, detail);
    if (err != ERR_NONE)
        return err;
    if (yaml_find(root, "defaults") == NULL ||
        yaml_find(yaml_find(root, "defaults"), "from") == NULL)
        defaults.from = NULL; // nobody is not the null sender
    list = yaml_find(root, "cases");
    if (list == NULL || list->child == NULL)
        return refuse(root, detail, "cases: there is none", "");
    err = yaml_expect(list, YAML_LIST, "cases", detail);
    for (const struct yaml_node *node = list->child; node != NULL && err == ERR_NONE;
         node = node->next)
        err = add_case(cases, node, &defaults, detail);
    return err;
}

static enum err add_tree(struct cases *cases, struct yaml *yaml, struct err_detail *detail)
{
    cases->file = mem_grow((void *)cases->file, cases->file_count + 1, sizeof(*cases->file));
    cases->file[cases->file_count++] = yaml;
    return read_root(cases, yaml_root(yaml), detail);
}

enum err cases_load(struct cases *cases, const char *path, struct err_detail *detail)
{
    struct yaml *yaml = NULL;
    enum err err = yaml_load(path, &yaml, detail);

    return err == ERR_NONE ? add_tree(cases, yaml, detail) : err;
}

enum err cases_parse(struct cases *cases, const char *name, const void *bytes, size_t len,
                     struct err_detail *detail)
{
    struct yaml *yaml = NULL;
    enum err err = yaml_parse(name, bytes, len, &yaml, detail);

    return err == ERR_NONE ? add_tree(cases, yaml, detail) : err;
}

void cases_free(struct cases *cases)
{
    for (size_t i = 0; i < cases->owned_count; i++)
        mem_free(cases->owned[i]);
    for (size_t i = 0; i < cases->file_count; i++)
        yaml_free(&cases->file[i]);
    mem_free((void *)cases->owned);
    mem_free((void *)cases->file);
    mem_free(cases->at);
    *cases = (struct cases){.count = 0};
}
