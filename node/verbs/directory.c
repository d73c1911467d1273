// directory.c: directory.begin, .add, .switch, .abort: an import of directories, as its sender goes through it.
// (directory_show.c has the others.)
//
//     begin (how many has each domain?) -> versions -> add, as often as is needed -> switch
//
// Promises: what is in force does not change before the switch, and then for all domains of the import at once; a document
// with a line that is wrong is refused with its number, and a node that was asked twice does no more than once. Lookups never
// wait for it: it uses the operator's connection, one slice is under way a document, and between two slices the loop turns.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/verbs/admin.h"
#include "node/verbs/directory_row.h"

enum {
    SLICE_BYTES = 2 << 20, // memory for the texts of one slice
    PART_BYTES = MAIL_DOMAIN_MAX + 128,
};

// ---- documents that name directories

struct parts {
    struct store_directory *row;
    size_t count;
    char *bytes; // of the answer's document
    size_t used, size;
};

static bool refuse_memory(struct admin_call *call)
{
    admin_refuse(call, "the request leaves no room to work on it");
    return false;
}

// How many lines at most.
static size_t count_lines(const struct msg_admin *admin)
{
    const char *at = admin->document;
    size_t count = 1;

    for (size_t i = 0; i < admin->document_bytes; i++)
        count += at[i] == '\n';
    return count;
}

static bool make_room(struct admin_call *call, struct parts *out)
{
    const size_t lines = count_lines(&call->seat->request.admin);

    if (call->seat->request.admin.document_bytes == 0 || lines > DIRECTORY_DOMAINS_MAX + 1) {
        admin_refuse(call, "%s: expected a document of 1 to %d directories",
                     call->seat->request.admin.verb, DIRECTORY_DOMAINS_MAX);
        return false;
    }
    *out = (struct parts){.row = arena_zalloc(&call->seat->arena, lines * sizeof(*out->row))};
    return out->row != NULL || refuse_memory(call);
}

static bool refuse_line(struct admin_call *call, size_t line, const char *why)
{
    admin_refuse(call, "%s: line %zu of the document: %s", call->seat->request.admin.verb, line,
                 why);
    return false;
}

// Each version is a directory's own; a domain that stands twice would get two.
static bool is_named_before(const struct parts *parts, const char *domain)
{
    return parts->count > 0 && strcmp(parts->row[parts->count - 1].domain, domain) >= 0;
}

// read_parts: wants_versions: those that begin gave. False, and refused.
static bool read_parts(struct admin_call *call, bool wants_versions, struct parts *out)
{
    const struct msg_admin *admin = &call->seat->request.admin;
    struct directory_lines lines = {.at = admin->document, .left = admin->document_bytes};
    struct directory_line line;

    if (!make_room(call, out))
        return false;
    for (;;) {
        directory_line_next(&lines, &call->seat->arena, &line);
        if (line.kind == DIRECTORY_END)
            return true;
        if (line.kind != DIRECTORY_PART)
            return refuse_line(call, lines.line,
                               line.kind == DIRECTORY_BAD ? line.why : "it names no directory");
        if (is_named_before(out, line.domain))
            return refuse_line(call, lines.line, "domains must be in their order, each once");
        if (wants_versions && (line.directory.version == 0 || line.directory.buckets == 0))
            return refuse_line(call, lines.line,
                               "version and buckets as directory.begin gave them "
                               "are missing");
        out->row[out->count++] = (struct store_directory){
            .domain = line.domain, .directory = line.directory, .entries = line.entries, .by = ""};
    }
}

// ---- begin

const char *directory_method(const struct policy *policy, const char *domain)
{
    static const char *const words[] = {
        [POLICY_RECIPIENTS_ANY] = "any",
        [POLICY_RECIPIENTS_SEND_ONLY] = "send_only",
        [POLICY_RECIPIENTS_DIRECTORY] = "directory",
        [POLICY_RECIPIENTS_CALLFORWARD] = "callforward",
        [POLICY_RECIPIENTS_LDAP] = "ldap",
    };
    const struct policy_domain *found = policy_domain_of(policy, domain);

    return found != NULL ? words[found->recipients] : "";
}

struct begin {
    struct admin_call *call;
    struct parts parts;
};

static void begun(void *arg, uint64_t token, enum store_state state)
{
    struct begin *begin = arg;
    struct admin_call *call = begin->call;
    const struct parts *parts = &begin->parts;
    struct store_directory before;
    struct text_buf text;
    const size_t size = parts->count * PART_BYTES + 1;
    char *bytes = arena_alloc(&call->seat->arena, size);

    (void)token;
    if (bytes == NULL) {
        (void)refuse_memory(call);
        return;
    }
    text_buf_init(&text, bytes, size);
    for (size_t i = 0; i < parts->count; i++) {
        const struct store_directory *row = &parts->row[i];
        const bool is_there = store_directory_find(call->server->store, row->domain, &before);

        text_buf_add(&text, "@%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu32 "\t%" PRIu64 "\t%s\n",
                     row->domain, row->entries, row->directory.version, row->directory.buckets,
                     is_there ? before.entries : 0,
                     directory_method(seat_policy(call->seat), row->domain));
    }
    call->document = bytes;
    call->document_bytes = text.used;
    admin_answer_store(call, state);
}

void directory_begin(struct admin_call *call)
{
    struct begin *begin = arena_zalloc(&call->seat->arena, sizeof(*begin));

    if (begin == NULL) {
        (void)refuse_memory(call);
        return;
    }
    begin->call = call;
    if (!read_parts(call, false, &begin->parts))
        return;
    if (call->seat->request.admin.dry_run)
        begun(begin, 0, STORE_UP);
    else
        store_directory_begin(call->server->store, begin->parts.row, begin->parts.count,
                              (struct store_done){.fn = begun, .arg = begin});
}

// ---- add

struct adding {
    struct admin_call *call;
    struct directory_lines lines;
    struct arena arena; // of one slice
    struct store_entry row[DIRECTORY_ROWS_MAX];
    size_t count;
    uint64_t total;
    char domain[MAIL_DOMAIN_MAX + 1]; // whose entries come now
    struct person_directory directory;
};

static void next_slice(struct adding *adding);

static void slice_is_added(void *arg, uint64_t token, enum store_state state)
{
    struct adding *adding = arg;

    (void)token;
    if (state != STORE_UP) {
        admin_answer_store(adding->call, state);
        return;
    }
    adding->total += adding->count;
    next_slice(adding);
}

static bool take_part(struct adding *adding, const struct directory_line *line)
{
    struct person_directory in_force;
    const bool is_heard = store_directory(adding->call->server->store, line->domain, &in_force);

    if (line->directory.version == 0 || line->directory.buckets == 0)
        return refuse_line(adding->call, adding->lines.line,
                           "version and buckets as directory.begin gave them are missing");
    if (is_heard && in_force.version == line->directory.version)
        return refuse_line(adding->call, adding->lines.line,
                           "that version is in force: begin another import");
    (void)snprintf(adding->domain, sizeof(adding->domain), "%s", line->domain);
    adding->lines.domain = adding->domain;
    adding->directory = line->directory;
    return true;
}

// fill_slice: false if it is refused.
static bool fill_slice(struct adding *adding)
{
    struct directory_line line;

    arena_reset(&adding->arena);
    for (adding->count = 0; adding->count < DIRECTORY_ROWS_MAX;) {
        directory_line_next(&adding->lines, &adding->arena, &line);
        if (line.kind == DIRECTORY_END)
            return true;
        if (line.kind == DIRECTORY_BAD)
            return refuse_line(adding->call, adding->lines.line, line.why);
        if (line.kind == DIRECTORY_ENTRY)
            adding->row[adding->count++] =
                (struct store_entry){line.address, line.value, adding->directory};
        else if (!take_part(adding, &line))
            return false;
    }
    return true;
}

static void next_slice(struct adding *adding)
{
    struct admin_call *call = adding->call;

    if (!fill_slice(adding))
        return;
    if (adding->count > 0) {
        store_directory_add(call->server->store, adding->row, adding->count,
                            (struct store_done){.fn = slice_is_added, .arg = adding});
        return;
    }
    rows_add(&call->rows);
    rows_field(&call->rows, "added", "%" PRIu64, adding->total);
    admin_answer(call);
}

void directory_add(struct admin_call *call)
{
    const struct msg_admin *admin = &call->seat->request.admin;
    struct adding *adding = arena_zalloc(&call->seat->arena, sizeof(*adding));
    void *memory = arena_alloc(&call->seat->arena, SLICE_BYTES);

    if (adding == NULL || memory == NULL) {
        (void)refuse_memory(call);
        return;
    }
    adding->call = call;
    adding->lines = (struct directory_lines){.at = admin->document, .left = admin->document_bytes};
    arena_init(&adding->arena, memory, SLICE_BYTES);
    next_slice(adding);
}

// ---- switch, abort

struct switching {
    struct admin_call *call;
    struct parts parts;
};

static void add_total(struct admin_call *call, const struct parts *parts)
{
    uint64_t entries = 0;

    for (size_t i = 0; i < parts->count; i++)
        entries += parts->row[i].entries;
    rows_add(&call->rows);
    rows_field(&call->rows, "domains", "%zu", parts->count);
    rows_field(&call->rows, "entries", "%" PRIu64, entries);
}

static void switched(void *arg, enum store_state state, const struct store_directory *torn)
{
    struct switching *switching = arg;
    struct admin_call *call = switching->call;

    if (state == STORE_UP && torn != NULL) {
        admin_refuse(call,
                     "of the directory of %s not all %" PRIu64
                     " addresses are in the store (an import that was interrupted, or took more "
                     "than a day?); nothing was changed, import it again",
                     torn->domain, torn->entries);
        return;
    }
    add_total(call, &switching->parts);
    admin_answer_store(call, state);
}

static bool read_by(struct admin_call *call, const char **out)
{
    *out = admin_arg(call, "by");
    if (text_is_clean(*out, strlen(*out), STORE_BY_MAX))
        return true;
    admin_refuse(call, "by: expected at most %d bytes of text without control characters",
                 STORE_BY_MAX);
    return false;
}

// So many domains have a directory at most; those that have one take no more room.
static bool has_room(struct admin_call *call, const struct parts *parts)
{
    size_t count = store_directory_count(call->server->store);
    struct store_directory before;

    for (size_t i = 0; i < parts->count; i++)
        count += !store_directory_find(call->server->store, parts->row[i].domain, &before);
    if (count <= DIRECTORY_DOMAINS_MAX)
        return true;
    admin_refuse(call, "%zu domains would have a directory; at most %d may (directory.drop)", count,
                 DIRECTORY_DOMAINS_MAX);
    return false;
}

void directory_switch(struct admin_call *call)
{
    struct switching *switching = arena_zalloc(&call->seat->arena, sizeof(*switching));
    const char *by = "";

    if (switching == NULL) {
        (void)refuse_memory(call);
        return;
    }
    switching->call = call;
    if (!read_by(call, &by) || !read_parts(call, true, &switching->parts) ||
        !has_room(call, &switching->parts))
        return;
    for (size_t i = 0; i < switching->parts.count; i++) {
        switching->parts.row[i].by = by;
        switching->parts.row[i].at_ms = admin_now_ms(call);
    }
    store_directory_switch(call->server->store, switching->parts.row, switching->parts.count,
                           (struct store_directory_done){switched, switching});
}

static void aborted(void *arg, uint64_t token, enum store_state state)
{
    struct switching *switching = arg;

    (void)token;
    add_total(switching->call, &switching->parts);
    admin_answer_store(switching->call, state);
}

void directory_abort(struct admin_call *call)
{
    struct switching *switching = arena_zalloc(&call->seat->arena, sizeof(*switching));
    struct person_directory in_force;

    if (switching == NULL) {
        (void)refuse_memory(call);
        return;
    }
    switching->call = call;
    if (!read_parts(call, true, &switching->parts))
        return;
    for (size_t i = 0; i < switching->parts.count; i++) {
        const struct store_directory *row = &switching->parts.row[i];

        if (!store_directory(call->server->store, row->domain, &in_force) ||
            in_force.version != row->directory.version)
            continue;
        admin_refuse(call, "that directory of %s is in force; directory.drop takes it away",
                     row->domain);
        return;
    }
    store_directory_abort(call->server->store, switching->parts.row, switching->parts.count,
                          (struct store_done){.fn = aborted, .arg = switching});
}
