// top.c: `reevectl reputation top`: the worst, the best or the busiest of what is kept. Certainty counts: the worst is whose
// lower bound is highest, so that a single report does not make it to the top. Memory: what is printed, whatever the size of the store.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/print.h"
#include "client/ctl/reputation/entities.h"
#include "proto/base/mem.h"
#include "proto/text.h"

enum { LIMIT_DEFAULT = 20, LIMIT_MOST = 10000 };
enum order { ORDER_WORST, ORDER_BEST, ORDER_MAILS };

struct top {
    enum order order;
    size_t limit, count;
    struct entity *entity; // limit; owns its texts
};

static double weight_of(const struct top *top, const struct entity *entity)
{
    if (top->order == ORDER_MAILS)
        return entity->hour;
    return top->order == ORDER_WORST ? entity->lower : -entity->upper;
}

static bool is_before(const struct top *top, const struct entity *one, const struct entity *other)
{
    const double a = weight_of(top, one), b = weight_of(top, other);

    return a > b || (a >= b && one->spam + one->ham > other->spam + other->ham);
}

static bool is_there(const struct top *top, const struct entity *entity)
{
    for (size_t i = 0; i < top->count; i++)
        if (strcmp(top->entity[i].kind, entity->kind) == 0 &&
            strcmp(top->entity[i].name, entity->name) == 0)
            return true;
    return false;
}

static void drop(struct entity *entity)
{
    mem_free((void *)(uintptr_t)entity->kind);
    mem_free((void *)(uintptr_t)entity->name);
}

// take: into its place, if it has one; what falls off the end is dropped.
static void take(void *arg, const struct entity *entity)
{
    struct top *top = arg;
    size_t at = top->count;

    if (at == top->limit && !is_before(top, entity, &top->entity[at - 1]))
        return;
    if (is_there(top, entity))
        return;
    if (at == top->limit)
        drop(&top->entity[--at]);
    else
        top->count++;
    for (; at > 0 && is_before(top, entity, &top->entity[at - 1]); at--)
        top->entity[at] = top->entity[at - 1];
    top->entity[at] = *entity;
    top->entity[at].kind = mem_text(entity->kind);
    top->entity[at].name = mem_text(entity->name);
}

static void add_number(struct table *table, int decimals, double number)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%.*f", decimals, number);
    table_cell(table, text);
}

static void print_table(const struct top *top)
{
    static const char *const titles[] = {"KIND",     "NAME", "P",    "BETWEEN", "SPAM", "HAM",
                                         "GATEWAYS", "HOUR", "WEEK", "WRITTEN", NULL};
    struct table table;

    table_begin(&table, titles);
    for (size_t i = 0; i < top->count; i++) {
        const struct entity *entity = &top->entity[i];
        char text[64];
        struct text_buf buf;

        table_cell(&table, entity->kind);
        table_cell(&table, entity->name);
        add_number(&table, 3, entity->p);
        (void)snprintf(text, sizeof(text), "%.2f-%.2f", entity->lower, entity->upper);
        table_cell(&table, text);
        add_number(&table, 1, entity->spam);
        add_number(&table, 1, entity->ham);
        add_number(&table, 0, entity->reporters);
        add_number(&table, 1, entity->hour);
        add_number(&table, 1, entity->week);
        text_buf_init(&buf, text, sizeof(text));
        text_buf_add_duration(&buf, entity->age_s * 1000);
        table_cell(&table, text);
    }
    table_end(&table, stdout);
}

static void print_json(struct json *json, const struct top *top)
{
    json_open(json, NULL, '[');
    for (size_t i = 0; i < top->count; i++) {
        const struct entity *entity = &top->entity[i];

        json_open(json, NULL, '{');
        json_text(json, "kind", entity->kind);
        json_text(json, "name", entity->name);
        json_number(json, "p", entity->p);
        json_number(json, "lower", entity->lower);
        json_number(json, "upper", entity->upper);
        json_number(json, "spam", entity->spam);
        json_number(json, "ham", entity->ham);
        json_count(json, "gateways", entity->reporters);
        json_number(json, "hour", entity->hour);
        json_number(json, "week", entity->week);
        json_count(json, "age_s", entity->age_s);
        json_count(json, "first_s", entity->first_s);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static int run(struct ctl *ctl, const struct entities_query *query, struct top *top)
{
    struct progress *progress = progress_new(!ctl->want_json);
    int code;

    top->entity = mem_new_array(top->limit, sizeof(*top->entity));
    progress_begin(progress, "reading");
    code = entities_read(ctl, query, progress, take, top);
    progress_free(&progress);
    if (code == CTL_FINE && ctl->want_json)
        print_json(&ctl->json, top);
    else if (code == CTL_FINE && top->count > 0)
        print_table(top);
    else if (code == CTL_FINE)
        (void)puts("nothing of that kind is kept, with so much evidence");
    if (code == CTL_FINE && top->count == 0)
        code = CTL_NEGATIVE;
    for (size_t i = 0; i < top->count; i++)
        drop(&top->entity[i]);
    mem_free(top->entity);
    return code;
}

int run_reputation_top(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    static const char *const orders[] = {"worst", "best", "mails", NULL};
    static const char *const kinds[] = {"ip",     "net",    "wide", "asn", "country",
                                        "sender", "domain", "tld",  NULL};
    const char *ip = "ip";
    const struct arg_texts usual = {&ip, 1};
    struct arg_texts chosen = {.count = 0};
    struct entities_query query = {.evidence = 1};
    struct top top = {.count = 0};
    int order = ORDER_WORST;
    uint64_t limit = LIMIT_DEFAULT;
    const struct arg_row rows[] = {
        {.name = "kind", .kind = ARG_TEXTS, .into = &chosen},
        {.name = "by", .kind = ARG_WORD, .into = &order, .words = orders},
        {.name = "evidence", .kind = ARG_REAL, .into = &query.evidence},
        {.name = "limit", .kind = ARG_COUNT, .into = &limit, .max = LIMIT_MOST},
        {.name = NULL},
    };
    int code = args_read_all(ctl, command, rows, argc, argv);

    if (code == CTL_FINE && limit == 0)
        code = ctl_misuse(ctl, command, "--limit: expected 1 to %d", LIMIT_MOST);
    if (code == CTL_FINE)
        code = entities_check(ctl, command, &chosen, kinds);
    if (code == CTL_FINE) {
        query.kinds = chosen.count > 0 ? &chosen : &usual;
        top.order = (enum order)order;
        top.limit = (size_t)limit;
        code = run(ctl, &query, &top);
    }
    mem_free((void *)chosen.text);
    return code;
}
