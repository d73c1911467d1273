// diff.c: see diff.h. Both sets are reduced to the hashes of their statements, which are compared; of those that differ
// the texts are gathered in a second round. So memory and time for texts are those of the changes.
#include "node/policy/diff.h"

#include <stdlib.h>
#include <string.h>

#include "node/policy/build.h"
#include "node/policy/canonical.h"
#include "proto/base/mem.h"

struct marks {
    struct canonical_hash *mark; // sorted by key
    size_t count;
};

struct difference {
    uint64_t key[2];
    enum policy_change_kind kind;
    enum canonical_section section;
    char *what, *before, *after; // on the heap; NULL until they were gathered
    const char *file;
    unsigned line;
};

struct differences {
    struct difference *item; // sorted by key until all texts are there
    size_t count;
};

static int compare_keys(const uint64_t a[2], const uint64_t b[2])
{
    if (a[0] != b[0])
        return a[0] < b[0] ? -1 : 1;
    return (a[1] > b[1]) - (a[1] < b[1]);
}

// ---- What differs

static bool add_mark(const struct canonical *said, void *arg)
{
    struct marks *marks = arg;

    marks->mark = build_grow(marks->mark, marks->count, sizeof(*marks->mark));
    canonical_hash_of(said, &marks->mark[marks->count++]);
    return true;
}

static int compare_marks(const void *a, const void *b)
{
    const struct canonical_hash *left = a;
    const struct canonical_hash *right = b;

    return compare_keys(left->key, right->key);
}

static struct marks marks_of(const struct policy *policy)
{
    struct marks marks = {0};

    canonical_each(policy, CANONICAL_ANY_ORDER, add_mark, &marks);
    if (marks.count > 0)
        qsort(marks.mark, marks.count, sizeof(*marks.mark), compare_marks);
    return marks;
}

static void add(struct differences *all, const struct canonical_hash *mark,
                enum policy_change_kind kind)
{
    all->item = build_grow(all->item, all->count, sizeof(*all->item));
    all->item[all->count++] =
        (struct difference){.key = {mark->key[0], mark->key[1]}, .kind = kind, .file = ""};
}

static struct differences compare(const struct marks *before, const struct marks *after)
{
    struct differences all = {0};
    size_t a = 0;
    size_t b = 0;

    while (a < before->count || b < after->count) {
        int order = 0;

        if (a == before->count || b == after->count)
            order = a == before->count ? 1 : -1;
        else
            order = compare_keys(before->mark[a].key, after->mark[b].key);
        if (order < 0)
            add(&all, &before->mark[a], POLICY_REMOVED);
        else if (order > 0)
            add(&all, &after->mark[b], POLICY_ADDED);
        else if (compare_keys(before->mark[a].value, after->mark[b].value) != 0)
            add(&all, &after->mark[b], POLICY_CHANGED);
        a += order <= 0 ? 1 : 0;
        b += order >= 0 ? 1 : 0;
    }
    return all;
}

// ---- Its texts

static struct difference *find(const struct differences *all, const struct canonical *said)
{
    struct canonical_hash hash;
    size_t low = 0;
    size_t high = all->count;

    canonical_hash_of(said, &hash);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_keys(all->item[middle].key, hash.key);

        if (order == 0)
            return &all->item[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void take(struct difference *item, const struct canonical *said, char **value)
{
    if (item->what == NULL)
        item->what = mem_text(said->key);
    *value = mem_text(said->value);
    item->section = said->section;
    item->file = said->file;
    item->line = said->line;
}

static bool take_before(const struct canonical *said, void *arg)
{
    struct difference *item = find(arg, said);

    if (item != NULL)
        take(item, said, &item->before);
    return true;
}

static bool take_after(const struct canonical *said, void *arg)
{
    struct difference *item = find(arg, said);

    if (item != NULL)
        take(item, said, &item->after);
    return true;
}

// A group stands before its members, and those stand before the next group.
static int compare_items(const void *a, const void *b)
{
    const struct difference *left = a;
    const struct difference *right = b;
    bool both_groups = (left->section == CANONICAL_GROUP || left->section == CANONICAL_MEMBER) &&
                       (right->section == CANONICAL_GROUP || right->section == CANONICAL_MEMBER);
    int order;

    if (!both_groups && left->section != right->section)
        return left->section < right->section ? -1 : 1;
    order = strcmp(strchr(left->what, ' '), strchr(right->what, ' '));
    return order != 0 ? order : (int)left->section - (int)right->section;
}

static void hand_out(const struct differences *all,
                     bool (*visit)(const struct policy_change *change, void *arg), void *arg)
{
    bool go_on = true;

    for (size_t i = 0; i < all->count && go_on; i++) {
        const struct difference *item = &all->item[i];
        const struct policy_change change = {
            .kind = item->kind,
            .what = item->what,
            .before = item->before != NULL ? item->before : "",
            .after = item->after != NULL ? item->after : "",
            .file = item->file,
            .line = item->line,
        };

        go_on = visit(&change, arg);
    }
}

void policy_diff(const struct policy *before, const struct policy *after,
                 bool (*visit)(const struct policy_change *change, void *arg), void *arg)
{
    struct marks old = marks_of(before);
    struct marks new = marks_of(after);
    struct differences all = compare(&old, &new);

    mem_free(old.mark);
    mem_free(new.mark);
    if (all.count > 0) {
        canonical_each(before, CANONICAL_ANY_ORDER, take_before, &all);
        canonical_each(after, CANONICAL_ANY_ORDER, take_after, &all);
        qsort(all.item, all.count, sizeof(*all.item), compare_items);
    }
    hand_out(&all, visit, arg);
    for (size_t i = 0; i < all.count; i++) {
        mem_free(all.item[i].what);
        mem_free(all.item[i].before);
        mem_free(all.item[i].after);
    }
    mem_free(all.item);
}

const char *policy_change_word(enum policy_change_kind kind)
{
    static const char *const words[] = {
        [POLICY_ADDED] = "added", [POLICY_REMOVED] = "removed", [POLICY_CHANGED] = "changed"};

    return words[kind];
}
