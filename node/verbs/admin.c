// admin.c: the admin door's words. Promises: an unknown word or argument is refused by name; a word
// that needs the store is answered STATUS_UNAVAILABLE when it is away, and nothing is half done.
#include "node/verbs/admin.h"

#include "node/keeper/keeper.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADMIN_ARGS_MAX = 10 };

static void show_help(struct admin_call *call);
static void reload(struct admin_call *call);
static void clock_show(struct admin_call *call);
static void clock_accept(struct admin_call *call);
static void secret_rotate(struct admin_call *call);
static void store_show(struct admin_call *call);

static const struct admin_row {
    const char *verb;
    const char *args[ADMIN_ARGS_MAX]; // a leading + = required
    void (*run)(struct admin_call *call);
    const char *what;
} words[] = {
    {"help", {NULL}, show_help, "this list"},
    {"grey.show", {"+sender", "+recipient"}, grey_show, "every stored identity of a pair"},
    {"grey.pass",
     {"+sender", "+recipient"},
     grey_pass,
     "release it now: every client passes with this pair"},
    {"grey.forget", {"+sender", "+recipient"}, grey_forget, "remove all that is stored of a pair"},
    {"grey.seed", {NULL}, grey_seed, "take what passed elsewhere: a document of rows (seed_row.h)"},
    {"grey.list",
     {"sender", "recipient", "client_ip", "since", "limit", "cursor"},
     grey_list,
     "tracking rows about greylisting, newest first"},
    {"allow.list", {"+user", "limit", "cursor"}, allow_list, "to whom somebody has written"},
    {"allow.show",
     {"user", "+external"},
     allow_show,
     "one entry of Auto Allow; without user the organisation's"},
    {"allow.disable",
     {"user", "+external"},
     allow_disable,
     "its answers are let through no more, until the next mail is sent there"},
    {"allow.forget", {"user", "+external"}, allow_forget, "as if nothing had been sent there"},
    {"allow.seed", {NULL}, allow_seed, "who wrote to whom: a document of rows (seed_row.h)"},
    {"directory.begin",
     {NULL},
     directory_begin,
     "an import of directories: a document of domains and how many addresses each has "
     "(directory_row.h); the answer's document has their versions"},
    {"directory.add", {NULL}, directory_add, "addresses of an import: a document"},
    {"directory.switch",
     {"by"},
     directory_switch,
     "an import is in force from now on, if all of it is there: the document of directory.begin"},
    {"directory.abort", {NULL}, directory_abort, "an import is not wanted: the same document"},
    {"directory.status",
     {"limit", "cursor"},
     directory_status,
     "which domains have a directory; no time: one is missing"},
    {"directory.show", {"+address"}, directory_show, "whether that recipient exists, and why"},
    {"directory.drop", {"+domain"}, directory_drop, "a domain has no directory any more"},
    {"expect.add",
     {"+recipient", "+for", "note"},
     expect_add,
     "no greylisting for that recipient for so many ms (1000 to 86400000), on every node"},
    {"expect.list",
     {"recipient", "limit", "cursor"},
     expect_list,
     "for whom mail is expected, and until when"},
    {"expect.remove", {"+recipient"}, expect_remove, "expect no more mail for that recipient"},
    {"managed.add",
     {"+user", "+pattern", "+action", "until", "for", "by", "note"},
     managed_add,
     "an entry of the personal list of a mailbox: permit or block; until in Unix ms, or for so "
     "many "
     "ms"},
    {"managed.del", {"+user", "+pattern"}, managed_del, "remove an entry of a personal list"},
    {"managed.import",
     {"by"},
     managed_import,
     "entries of personal lists: a document of rows (seed_row.h)"},
    {"managed.list", {"+user", "limit", "cursor"}, managed_list, "the personal list of a mailbox"},
    {"managed.users",
     {"limit", "cursor"},
     managed_users,
     "the mailboxes that have a personal list"},
    {"spared.show",
     {"client_ip", "spf_domain"},
     spared_show,
     "the pairs that a client made pass by retrying, and whether it is spared"},
    {"spared.forget", {"client_ip", "spf_domain"}, spared_forget, "it is spared no more"},
    {"blocked.list",
     {"client_ip", "limit", "cursor"},
     blocked_list,
     "clients that are banned because they tried out which recipients exist"},
    {"blocked.show", {"+client_ip"}, blocked_show, "whether a client is banned, and what it did"},
    {"blocked.lift",
     {"+client_ip"},
     blocked_lift,
     "it is banned no more, and what was counted of it in this hour does not count"},
    {"track",
     {"ticket", "sender", "recipient", "client_ip", "reason", "since", "limit", "cursor"},
     track_find,
     "tracking rows, newest first; since in Unix ms"},
    {"policy.used",
     {"limit", "cursor"},
     policy_used,
     "how often each policy was used, in the whole cluster; last in Unix ms"},
    {"policy.stage",
     {"note", "unused_since"},
     policy_stage,
     "compile a policy set (the document) and have every node prepare it"},
    {"policy.diff",
     {"document", "version", "against"},
     policy_diff_sets,
     "what a staged policy set, or a version, says otherwise than the one in force, or another "
     "version"},
    {"policy.activate",
     {"+document", "+base", "by", "note"},
     policy_activate,
     "a staged policy set is in force from now on, if base is still the newest version"},
    {"policy.undo",
     {"+base", "by", "note", "version"},
     policy_undo,
     "the policy set of the version before base, or of that version, as a new version"},
    {"policy.history", {"limit"}, policy_history, "the versions, newest first"},
    {"policy.show", {"version"}, policy_show, "the policy set in force, or of a version"},
    {"policy.status", {NULL}, policy_status, "which node has which policy set"},
    {"reputation.show",
     {"client_ip", "asn", "country", "domain"},
     reputation_show,
     "what was reported of an address, a network, an AS, a country or a domain, level by level"},
    {"reputation.list",
     {"kinds", "evidence", "limit", "cursor"},
     reputation_list,
     "what is kept of such kinds (with commas between), with at least so much evidence"},
    {"reputation.gateways",
     {"limit", "cursor"},
     reputation_gateways,
     "who reports, and how far each is trusted"},
    {"reputation.undo",
     {"+gateway", "limit", "cursor"},
     reputation_take_out,
     "take out what a gateway has reported, page by page"},
    {"reload", {NULL}, reload, "read the policy files again"},
    {"clock.show", {NULL}, clock_show, "the store's clock"},
    {"clock.accept", {NULL}, clock_accept, "the store's clock is right although it jumped"},
    {"secret.rotate", {"buckets"}, secret_rotate, "a new secret for the slices to come"},
    {"store.show", {NULL}, store_show, "what the store is and how it is"},
};
enum { WORD_COUNT = sizeof(words) / sizeof(words[0]) };

// Words that may be tried, and words to which a document belongs.
static void (*const dry_runs[])(struct admin_call *call) = {
    grey_pass,       //
    grey_forget,     //
    grey_seed,       //
    managed_add,     //
    managed_del,     //
    managed_import,  //
    spared_forget,   //
    allow_disable,   //
    allow_forget,    //
    allow_seed,      //
    blocked_lift,    //
    policy_stage,    //
    directory_begin, //
    directory_drop,  //
    reputation_take_out, NULL,
};
static void (*const documents[])(struct admin_call *call) = {
    grey_seed,        //
    allow_seed,       //
    managed_import,   //
    policy_stage,     //
    directory_begin,  //
    directory_add,    //
    directory_switch, //
    directory_abort,  //
    NULL,
};

// ---- what the words share

const char *admin_arg(const struct admin_call *call, const char *key)
{
    const struct msg_admin *admin = &call->seat->request.admin;

    for (size_t i = 0; i < admin->arg_count; i++)
        if (strcmp(admin->args[i].key, key) == 0)
            return admin->args[i].value;
    return "";
}

uint64_t admin_now_ms(const struct admin_call *call)
{
    return store_now_ms(call->server->store);
}

void admin_answer(struct admin_call *call)
{
    struct msg_reply reply = {.answer = MSG_ADMIN_REPLY};

    if (call->rows.full) {
        admin_refuse(call, "the answer does not fit into one reply; ask for less (limit)");
        return;
    }
    reply.admin = (struct msg_admin_reply){.rows = call->rows.row,
                                           .row_count = call->rows.count,
                                           .cursor = call->cursor,
                                           .document = call->document,
                                           .document_bytes = call->document_bytes,
                                           .policy_version = server_policy(call->server)->version};
    server_answer(call->server, call->seat, &reply);
}

void admin_answer_store(struct admin_call *call, enum store_state state)
{
    char memory[256];
    struct text_buf text;

    if (state == STORE_UP) {
        admin_answer(call);
        return;
    }
    text_buf_init(&text, memory, sizeof(memory));
    text_buf_add(&text, "the store is %s; %s (", store_state_text(state),
                 state == STORE_SLOW ? "it may do this later all the same: look again"
                                     : "nothing was changed");
    store_describe(call->server->store, &text);
    text_buf_add(&text, ")");
    server_refuse(call->server, call->seat, MSG_UNAVAILABLE, memory);
}

void admin_refuse(struct admin_call *call, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    server_refuse(call->server, call->seat, MSG_BAD_REQUEST, text);
}

bool admin_number(struct admin_call *call, const char *key, uint64_t otherwise, uint64_t *out)
{
    const char *text = admin_arg(call, key);
    char *end = NULL;

    if (text[0] == '\0') {
        *out = otherwise;
        return true;
    }
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (errno == 0 && *end == '\0' && text[0] >= '0' && text[0] <= '9')
        return true;
    admin_refuse(call, "%s: expected a whole number, not '%.64s'", key, text);
    return false;
}

bool admin_page(struct admin_call *call, size_t otherwise, size_t most, uint64_t *cursor,
                size_t *limit)
{
    uint64_t number = 0;

    if (!admin_number(call, "limit", otherwise, &number) ||
        !admin_number(call, "cursor", 0, cursor))
        return false;
    if (admin_arg(call, "cursor")[0] != '\0' && *cursor == 0) {
        admin_refuse(call, "cursor: expected what the page before said");
        return false;
    }
    *limit = number == 0 ? 1 : number < most ? (size_t)number : most;
    return true;
}

void admin_next(struct admin_call *call, uint64_t cursor)
{
    char text[TEXT_NUMBER_MAX];

    if (cursor == 0)
        return;
    call->cursor = arena_text(&call->seat->arena, text, text_number(text, cursor));
    if (call->cursor == NULL) {
        call->cursor = "";
        call->rows.full = true;
    }
}

// ---- words without a file of their own

static void show_help(struct admin_call *call)
{
    for (size_t i = 0; i < WORD_COUNT; i++) {
        char memory[256];
        struct text_buf args;

        text_buf_init(&args, memory, sizeof(memory));
        for (size_t k = 0; k < ADMIN_ARGS_MAX && words[i].args[k] != NULL; k++) {
            bool required = words[i].args[k][0] == '+';

            text_buf_add(&args, "%s%s%s%s", k > 0 ? " " : "", required ? "" : "[",
                         words[i].args[k] + required, required ? "" : "]");
        }
        rows_add(&call->rows);
        rows_field(&call->rows, "verb", "%s", words[i].verb);
        rows_field(&call->rows, "args", "%s", memory);
        rows_field(&call->rows, "what", "%s", words[i].what);
    }
    admin_answer(call);
}

static void reloaded(void *arg, const struct keeper_answer *answer)
{
    struct admin_call *call = arg;

    if (answer->err == ERR_UNAVAILABLE) {
        server_refuse(call->server, call->seat, MSG_UNAVAILABLE, answer->why);
        return;
    }
    if (answer->err != ERR_NONE) {
        admin_refuse(call, "the policy in force stays: %s", answer->why);
        return;
    }
    rows_add(&call->rows);
    rows_field(&call->rows, "policy_version", "%llu",
               (unsigned long long)server_policy(call->server)->version);
    admin_answer(call);
}

static void reload(struct admin_call *call)
{
    keeper_reload(call->server->keeper, (struct keeper_done){reloaded, call});
}

static void clock_show(struct admin_call *call)
{
    struct store *store = call->server->store;

    rows_add(&call->rows);
    rows_time(&call->rows, "now", store_now_ms(store));
    rows_field(&call->rows, "offset_ms", "%lld", (long long)store_clock_offset_ms(store));
    rows_field(&call->rows, "ok", "%s", store_clock_ok(store) ? "true" : "false");
    admin_answer(call);
}

static void clock_accept(struct admin_call *call)
{
    store_clock_accept(call->server->store);
    clock_show(call);
}

static void rotated(void *arg, enum store_state state, const char *text)
{
    struct admin_call *call = arg;

    if (state != STORE_UP) {
        server_refuse(call->server, call->seat, MSG_UNAVAILABLE, text);
        return;
    }
    rows_add(&call->rows);
    rows_field(&call->rows, "what", "%s", text);
    admin_answer(call);
}

static void secret_rotate(struct admin_call *call)
{
    uint64_t buckets = 0;

    if (!admin_number(call, "buckets", 0, &buckets))
        return;
    if ((buckets & (buckets - 1)) != 0 || buckets > 1U << 20) {
        admin_refuse(call, "buckets: expected a power of two up to 1048576, not %llu",
                     (unsigned long long)buckets);
        return;
    }
    store_secret_rotate(call->server->store, buckets, (struct store_text_done){rotated, call});
}

static void store_show(struct admin_call *call)
{
    char memory[256];
    struct text_buf text;

    text_buf_init(&text, memory, sizeof(memory));
    store_describe(call->server->store, &text);
    rows_add(&call->rows);
    rows_field(&call->rows, "state", "%s", store_state_text(store_state(call->server->store)));
    rows_field(&call->rows, "description", "%s", memory);
    admin_answer(call);
}

// ---- finding the word

static bool has_arg(const struct admin_row *row, const char *key)
{
    for (size_t i = 0; i < ADMIN_ARGS_MAX && row->args[i] != NULL; i++)
        if (strcmp(row->args[i] + (row->args[i][0] == '+'), key) == 0)
            return true;
    return false;
}

static bool was_given(const struct admin_call *call, const char *key)
{
    const struct msg_admin *admin = &call->seat->request.admin;

    for (size_t i = 0; i < admin->arg_count; i++)
        if (strcmp(admin->args[i].key, key) == 0)
            return true;
    return false;
}

static bool check_args(struct admin_call *call, const struct admin_row *row)
{
    const struct msg_admin *admin = &call->seat->request.admin;

    for (size_t i = 0; i < admin->arg_count; i++) {
        if (!has_arg(row, admin->args[i].key)) {
            admin_refuse(call, "%s takes no argument '%.64s'", row->verb, admin->args[i].key);
            return false;
        }
    }
    for (size_t i = 0; i < ADMIN_ARGS_MAX && row->args[i] != NULL; i++) {
        if (row->args[i][0] == '+' && !was_given(call, row->args[i] + 1)) {
            admin_refuse(call, "%s needs the argument '%s'", row->verb, row->args[i] + 1);
            return false;
        }
    }
    return true;
}

static const struct admin_row *find_word(const char *verb)
{
    for (size_t i = 0; i < WORD_COUNT; i++)
        if (strcmp(words[i].verb, verb) == 0)
            return &words[i];
    return NULL;
}

static bool is_listed(void (*const list[])(struct admin_call *call), const struct admin_row *row)
{
    while (*list != NULL && *list != row->run)
        list++;
    return *list != NULL;
}

// What this version would not heed is refused: a caller who asked for fewer rights, or sent a
// document, must not believe that it was heard.
static bool check_rest(struct admin_call *call, const struct admin_row *row)
{
    const struct msg_admin *admin = &call->seat->request.admin;

    if (admin->as_user[0] != '\0')
        admin_refuse(call, "as_user is not supported by this version; ask without it");
    else if (admin->document_bytes > 0 && !is_listed(documents, row))
        admin_refuse(call, "%s takes no document", row->verb);
    else if (admin->dry_run && !is_listed(dry_runs, row))
        admin_refuse(call, "%s has no dry run", row->verb);
    else
        return true;
    return false;
}

void admin_run(struct server *server, struct seat *seat)
{
    struct admin_call *call = arena_zalloc(&seat->arena, sizeof(*call));
    const struct admin_row *row = find_word(seat->request.admin.verb);

    if (call == NULL) {
        server_refuse(server, seat, MSG_INTERNAL, "the request leaves no room to work on it");
        return;
    }
    call->server = server;
    call->seat = seat;
    call->cursor = "";
    rows_init(&call->rows, &seat->arena);
    if (row == NULL)
        admin_refuse(call, "unknown verb '%.64s'; the verb help lists them",
                     seat->request.admin.verb);
    else if (check_rest(call, row) && check_args(call, row))
        row->run(call);
}
