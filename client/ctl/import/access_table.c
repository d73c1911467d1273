// access_table.c: see access_table.h.
//
// In a map the closest pattern counts, and maps are asked one after the other until one says yes or no; here the most specific
// policy of a kind counts, and blocks come before permits. So of each pattern of all maps of a kind it is found out what
// becomes of a mail that it and nothing closer means; that becomes a policy of its own, and an exception of what
// wider ones say otherwise (option no_action). Names of clients and HOLD are mail policies with exceptions: no block names a client.
//
//     dom REJECT            -> kind block, from dom; and from .dom, where Postfix means both
//     ann@dom OK            -> kind permit, from ann@dom; kind block, option no_action
//     ann@dom DUNNO         -> kind block, option no_action, or permit, option no_action
//     192.0.2 REJECT        -> kind block, from "*", source [192.0.2.0/24]
//     mail.dom REJECT       -> kind mail, to "*", when client_name mail.dom; and *.mail.dom
//
// Promises: what is written is read by reeved (reeve-policy(5)) whatever the texts hold; what is not written is told.
#include "client/ctl/import/access_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/mem.h"
#include "proto/text.h"

// A pattern of some map, and what becomes of a mail that it and nothing closer means.
struct node {
    const struct access_entry *first;            // of its entries
    enum access_effect fate;                     // ACCESS_NONE, ACCESS_LET or ACCESS_BLOCK
    const struct access_entry *decider, *holder; // who say that; NULL = nobody
    uint32_t exceptions; // of its mail policy; 0 = none, else 1 + index of a link
};

struct link {
    const struct node *node;
    uint32_t next;
};

struct access_table {
    struct access_entry *entry; // in the order of their files and lines
    size_t count;
    unsigned files;
    uint32_t *sorted; // their indices, by kind of map and pattern; equal ones in their order
    struct node *node;
    size_t node_count;
    struct link *link;
    size_t link_count;
    struct access_entry **found; // by file: room for one search
};

struct writing {
    struct access_table *table;
    const struct access_left *left;
    FILE *out;
    uint64_t count;
};

struct access_table *access_table_new(void)
{
    return mem_new(sizeof(struct access_table));
}

void access_table_free(struct access_table **table)
{
    if (*table == NULL)
        return;
    for (size_t i = 0; i < (*table)->count; i++)
        mem_free((*table)->entry[i].text);
    mem_free((*table)->entry);
    mem_free((*table)->sorted);
    mem_free((*table)->node);
    mem_free((*table)->link);
    mem_free((void *)(*table)->found);
    mem_free(*table);
    *table = NULL;
}

void access_table_add(struct access_table *table, const struct access_entry *entry)
{
    if (table->count == 0 || table->entry[table->count - 1].file != entry->file)
        table->files++;
    if ((table->count & (table->count - 1)) == 0)
        table->entry =
            mem_grow(table->entry, table->count > 0 ? 2 * table->count : 1, sizeof(*table->entry));
    table->entry[table->count] = *entry;
    table->entry[table->count++].order = table->files - 1;
}

// ---- looking up

static int compare(enum access_map map, const char *text, const struct access_entry *entry)
{
    return map != entry->map ? (map < entry->map ? -1 : 1) : strcmp(text, entry->who.text);
}

static int compare_places(const void *a, const void *b, void *arg)
{
    const struct access_table *table = arg;
    const uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    const struct access_entry *entry = &table->entry[left];
    int order = compare(entry->map, entry->who.text, &table->entry[right]);

    return order != 0 ? order : (left > right) - (left < right);
}

static void sort(struct access_table *table)
{
    table->sorted = mem_new_array(table->count + 1, sizeof(*table->sorted));
    for (uint32_t i = 0; i < table->count; i++)
        table->sorted[i] = i;
    qsort_r(table->sorted, table->count, sizeof(*table->sorted), compare_places, table);
}

// at: the entry at that place of sorted, if it is of that pattern; else NULL.
static struct access_entry *at(const struct access_table *table, size_t place, enum access_map map,
                               const char *text)
{
    if (place == table->count || compare(map, text, &table->entry[table->sorted[place]]) != 0)
        return NULL;
    return &table->entry[table->sorted[place]];
}

// find: where the entries of that pattern begin in sorted.
static size_t find(const struct access_table *table, enum access_map map, const char *text)
{
    size_t low = 0, high = table->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare(map, text, &table->entry[table->sorted[middle]]) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct node *find_node(const struct access_table *table, enum access_map map,
                              const char *text)
{
    size_t low = 0, high = table->node_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare(map, text, table->node[middle].first) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == table->node_count || compare(map, text, table->node[low].first) != 0)
        return NULL;
    return &table->node[low];
}

// next_wider: as access_wider, and of an address user@ as the last.
static bool next_wider(const struct access_entry *from, struct access_who *who)
{
    const char *sign = strrchr(from->who.text, '@');

    if (access_wider(who, from->parents, who))
        return true;
    if (from->who.kind != ACCESS_ADDRESS || who->kind == ACCESS_LOCAL)
        return false;
    who->kind = ACCESS_LOCAL;
    (void)snprintf(who->text, sizeof(who->text), "%.*s@*", (int)(sign - from->who.text),
                   from->who.text);
    return true;
}

// ---- what Postfix does

// search_files: the entry of each file that a mail of that pattern meets: the closest, or in a cidr table the first.
static void search_files(const struct access_table *table, const struct access_entry *from)
{
    struct access_who who = from->who;
    struct access_entry *entry;

    memset((void *)table->found, 0, table->files * sizeof(*table->found));
    do {
        for (size_t i = find(table, from->map, who.text);
             (entry = at(table, i, from->map, who.text)) != NULL; i++) {
            struct access_entry **found = &table->found[entry->order];

            if (*found == NULL || (entry->is_cidr && entry < *found))
                *found = entry;
        }
    } while (next_wider(from, &who));
}

// judge_node: file by file, until one says yes or no.
static void judge_node(const struct access_table *table, struct node *node)
{
    search_files(table, node->first);
    node->fate = ACCESS_NONE;
    for (unsigned i = 0; i < table->files && node->fate == ACCESS_NONE; i++) {
        struct access_entry *entry = table->found[i];

        if (entry == NULL)
            continue;
        entry->is_used = true;
        if (entry->effect == ACCESS_HOLD && node->holder == NULL)
            node->holder = entry;
        if (entry->effect == ACCESS_LET || entry->effect == ACCESS_BLOCK) {
            node->fate = entry->effect;
            node->decider = entry;
        }
    }
}

static void make_nodes(struct access_table *table)
{
    table->node = mem_new_array(table->count + 1, sizeof(*table->node));
    table->found = mem_new_array(table->files + 1, sizeof(*table->found));
    for (size_t i = 0; i < table->count; i++) {
        const struct access_entry *entry = &table->entry[table->sorted[i]];

        if (i > 0 && at(table, i - 1, entry->map, entry->who.text) != NULL)
            continue;
        table->node[table->node_count].first = entry;
        judge_node(table, &table->node[table->node_count++]);
    }
}

// ---- what must be said of it here

static bool is_name(const struct access_entry *entry)
{
    return entry->map == ACCESS_HELO ||
           (entry->map == ACCESS_CLIENT && entry->who.kind != ACCESS_NET);
}

// What wider patterns say.
struct wider {
    bool any, blocks, lets;
};

static bool blocks_by_mail(const struct node *node)
{
    return node->fate == ACCESS_BLOCK && is_name(node->first);
}

static void except(struct access_table *table, struct node *wider, const struct node *node)
{
    if ((table->link_count & (table->link_count - 1)) == 0)
        table->link = mem_grow(table->link, table->link_count > 0 ? 2 * table->link_count : 1,
                               sizeof(*table->link));
    table->link[table->link_count++] = (struct link){node, wider->exceptions};
    wider->exceptions = (uint32_t)table->link_count;
}

// compare_wider: with every wider pattern: where that has a mail policy which would do to this mail what is not done, it gets an
// exception, once (with_exceptions).
static struct wider compare_wider(struct access_table *table, const struct node *node,
                                  bool with_exceptions)
{
    struct access_who who = node->first->who;
    struct wider out = {.any = false};

    while (next_wider(node->first, &who)) {
        struct node *wider = find_node(table, node->first->map, who.text);

        if (wider == NULL)
            continue;
        out.any = true;
        out.blocks |= wider->fate == ACCESS_BLOCK && !is_name(wider->first);
        out.lets |= wider->fate == ACCESS_LET;
        if (with_exceptions && ((wider->holder != NULL && node->holder == NULL) ||
                                (blocks_by_mail(wider) && !blocks_by_mail(node))))
            except(table, wider, node);
    }
    return out;
}

// ---- writing

// put_quoted: as a YAML scalar in double quotes.
static void put_quoted(FILE *out, const char *before, const char *text)
{
    (void)fprintf(out, "\"%s", before);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            (void)fputc('\\', out);
        (void)fputc(*text, out);
    }
    (void)fputc('"', out);
}

static void put_note(FILE *out, const struct access_entry *entry)
{
    char whole[4 * ACCESS_NOTE_MAX], note[ACCESS_NOTE_MAX + 1];
    const char *name = strrchr(entry->file, '/');

    (void)snprintf(whole, sizeof(whole), "%s:%u%s%s", name != NULL ? name + 1 : entry->file,
                   entry->line, entry->text[0] != '\0' ? ": " : "", entry->text);
    (void)text_clean(note, ACCESS_NOTE_MAX, whole, strlen(whole));
    (void)fputs(", note: ", out);
    put_quoted(out, "", note);
}

// mark: a word alone is no domain to a policy unless it is written so.
static const char *mark(const struct access_entry *entry, const char *text)
{
    bool is_domain = entry->who.kind == ACCESS_DOMAIN && !is_name(entry);

    return is_domain && strchr(text, '.') == NULL ? "@" : "";
}

// put_party: whom a policy is about: "from: ..., source: [...]".
static void put_party(FILE *out, const struct access_entry *entry, const char *text)
{
    if (entry->who.kind == ACCESS_NET) {
        (void)fprintf(out, "from: \"*\", source: [\"%s\"]", text);
    } else {
        (void)fputs(entry->map == ACCESS_RECIPIENT ? "from: \"*\", to: " : "from: ", out);
        put_quoted(out, mark(entry, text), text);
    }
}

static bool begin(struct writing *writing, const char *kind)
{
    writing->count++;
    if (writing->out != NULL)
        (void)fprintf(writing->out, "  - {id: postfix-access-%" PRIu64 ", kind: %s", writing->count,
                      kind);
    return writing->out != NULL;
}

static void end(const struct writing *writing, const struct access_entry *entry)
{
    put_note(writing->out, entry);
    (void)fputs("}\n", writing->out);
}

static void write_rule(struct writing *writing, const struct node *node, const char *kind,
                       const char *text)
{
    if (!begin(writing, kind))
        return;
    (void)fputs(", ", writing->out);
    put_party(writing->out, node->first, text);
    end(writing, node->decider != NULL ? node->decider : node->first);
}

// below: "." and the domain, where the entry means what is below it as well; else "".
static const char *below(const struct access_entry *entry, char out[ACCESS_TEXT_MAX + 1])
{
    out[0] = '\0';
    if (entry->who.kind == ACCESS_DOMAIN && entry->parents)
        (void)snprintf(out, ACCESS_TEXT_MAX + 1, ".%s", entry->who.text);
    return out;
}

// write_kind: a policy of a kind, with its option: one, or one each for the domain and what is below it.
static void write_kind(struct writing *writing, const struct node *node, const char *kind)
{
    char text[ACCESS_TEXT_MAX + 1];

    write_rule(writing, node, kind, node->first->who.text);
    if (below(node->first, text)[0] != '\0')
        write_rule(writing, node, kind, text);
}

// put_condition: of a mail policy, or of an exception of it: "{client_name: ...}".
static void put_condition(FILE *out, const struct access_entry *entry, const char *text)
{
    const char *key = entry->map == ACCESS_HELO     ? "helo"
                      : entry->map == ACCESS_CLIENT ? "client_name"
                                                    : "from";
    const char *before = is_name(entry) && text[0] == '.' ? "*" : mark(entry, text);

    if (entry->who.kind == ACCESS_NET) {
        (void)fprintf(out, "{source: [\"%s\"]}", text);
        return;
    }
    if (entry->map == ACCESS_RECIPIENT)
        key = "to";
    (void)fprintf(out, "{%s: ", key);
    put_quoted(out, before, text);
    (void)fputc('}', out);
}

static void put_exceptions(const struct writing *writing, const struct node *node)
{
    const char *before = ", except: [";
    char text[ACCESS_TEXT_MAX + 1];

    for (uint32_t i = node->exceptions; i != 0;
         i = writing->table->link[i - 1].next, before = ", ") {
        const struct access_entry *one = writing->table->link[i - 1].node->first;

        (void)fputs(before, writing->out);
        put_condition(writing->out, one, one->who.text);
        if (below(one, text)[0] != '\0') {
            (void)fputs(", ", writing->out);
            put_condition(writing->out, one, text);
        }
    }
    if (node->exceptions != 0)
        (void)fputc(']', writing->out);
}

static void write_mail_rule(struct writing *writing, const struct node *node, const char *text,
                            const char *action)
{
    const bool is_hold = strcmp(action, "hold") == 0;

    if (!begin(writing, "mail"))
        return;
    (void)fputs(", to: \"*\", when: ", writing->out);
    put_condition(writing->out, node->first, text);
    (void)fprintf(writing->out, ", action: %s", action);
    put_exceptions(writing, node);
    end(writing, is_hold ? node->holder : node->decider);
}

static void write_mail(struct writing *writing, const struct node *node, const char *action)
{
    char text[ACCESS_TEXT_MAX + 1];

    write_mail_rule(writing, node, node->first->who.text, action);
    if (below(node->first, text)[0] != '\0')
        write_mail_rule(writing, node, text, action);
}

// ---- a pattern

static void tell(const struct writing *writing, const struct access_entry *entry, const char *why)
{
    writing->left->tell(writing->left->arg, entry, why);
}

static void write_fate(struct writing *writing, const struct node *node, const struct wider *wider)
{
    if (blocks_by_mail(node))
        write_mail(writing, node, "block");
    else if (node->fate == ACCESS_BLOCK)
        write_kind(writing, node, "block");
    else if (wider->blocks)
        write_kind(writing, node, "block, option: no_action");
    if (node->fate == ACCESS_LET && !is_name(node->first))
        write_kind(writing, node, "permit");
    else if (wider->lets && !is_name(node->first))
        write_kind(writing, node, "permit, option: no_action");
}

static void write_node(struct writing *writing, const struct node *node)
{
    const struct wider wider = compare_wider(writing->table, node, false);

    write_fate(writing, node, &wider);
    if (node->holder != NULL)
        write_mail(writing, node, "hold");
    if (node->fate == ACCESS_LET && is_name(node->first))
        tell(writing, node->decider,
             "nobody is let through by a name; name his networks (an exception of what blocks "
             "him is written)");
    if (!wider.any && node->first->effect == ACCESS_NONE && node->fate == ACCESS_NONE)
        tell(writing, node->first, "says nothing here: no wider entry takes such mail");
}

// is_met: some file's entry of that pattern decides about some mail; else a wider one does, and says all.
static bool is_met(const struct access_table *table, const struct node *node)
{
    const struct access_entry *first = node->first, *entry;
    bool is_used = false;

    for (size_t i = find(table, first->map, first->who.text);
         (entry = at(table, i, first->map, first->who.text)) != NULL; i++)
        is_used |= entry->is_used;
    return is_used;
}

uint64_t access_table_write(struct access_table *table, const struct access_left *left, FILE *out)
{
    struct writing writing = {.table = table, .left = left, .out = out};

    sort(table);
    make_nodes(table);
    for (size_t i = 0; i < table->node_count; i++)
        (void)compare_wider(table, &table->node[i], true);
    for (size_t i = 0; i < table->count; i++) {
        const struct access_entry *entry = &table->entry[i];
        const struct node *node = find_node(table, entry->map, entry->who.text);

        if (!entry->is_used)
            tell(&writing, entry, "never reached: what stands before it means the same mail");
        if (node->first == entry && is_met(table, node)) // in the order of their lines
            write_node(&writing, node);
    }
    return writing.count;
}
