// when.c: the conditions of a mail policy, in `when` and `except`. This version judges the envelope alone:
// conditions of headers, texts and attachments are refused by name, so that nobody believes them to be in force.
#include <string.h>

#include "node/policy/build.h"
#include "node/policy/canonical.h"
#include "node/policy/line.h"
#include "proto/base/mem.h"
#include "proto/text.h"

enum { GLOB_MAX = 255, COUNTRIES_MAX = 300 };
#define SIZE_LEAST 2ULL // nothing is smaller than one byte
#define SIZE_MOST  (1ULL << 40)

// One map while it is read. The lists are those of out, while they are filled.
struct reading {
    struct policy_build *build;
    const struct yaml_node *map;
    const char *where; // when, except
    struct policy_when *out;
    struct err_detail *detail;
    uint32_t *from, *to, *user;
    struct zone_window *time;
};

static enum err say(const struct reading *r, const struct yaml_node *node, const char *what)
{
    return err_say(r->detail, ERR_CONFIG, "%s:%u: %s: %s", node->file, node->line, r->where, what);
}

// ---- one value, or a list of them

// Calls take for the value of a key, or for each of its list, which must not be empty.
static enum err each_of(const struct reading *r, const char *key,
                        enum err (*take)(const struct reading *r, const struct yaml_node *node))
{
    const struct yaml_node *node = yaml_find(r->map, key);
    enum err err = ERR_NONE;

    if (node == NULL)
        return ERR_NONE;
    if (node->kind != YAML_LIST &&
        (node->kind != YAML_TEXT || node->quoted || node->text[0] != '\0'))
        return take(r, node);
    if (node->child == NULL)
        return err_say(r->detail, ERR_CONFIG,
                       "%s:%u: %s.%s: an empty list holds for nothing; leave it out to ask nothing",
                       node->file, node->line, r->where, key);
    for (const struct yaml_node *one = node->child; one != NULL && err == ERR_NONE; one = one->next)
        err = take(r, one);
    return err;
}

static size_t room_for(const struct reading *r, const char *key)
{
    const struct yaml_node *node = yaml_find(r->map, key);

    if (node == NULL)
        return 0;
    return node->kind == YAML_LIST ? node->count : 1;
}

// The number of a word in a list; adds 1 << number to bits.
static enum err take_word(const struct reading *r, const struct yaml_node *node, const char *key,
                          const char *const *words, unsigned *bits)
{
    char what[160];
    struct text_buf text;
    enum err err = yaml_expect(node, YAML_TEXT, key, r->detail);

    if (err != ERR_NONE)
        return err;
    for (unsigned i = 1; words[i] != NULL; i++) {
        if (strcmp(words[i], node->text) == 0) {
            *bits |= 1U << i;
            return ERR_NONE;
        }
    }
    text_buf_init(&text, what, sizeof(what));
    for (unsigned i = 1; words[i] != NULL; i++)
        text_buf_add(&text, "%s%s", i > 1 ? ", " : "", words[i]);
    return err_say(r->detail, ERR_CONFIG, "%s:%u: %s.%s: '%s' is none of %s", node->file,
                   node->line, r->where, key, node->text, what);
}

// By number; what is not said has none.
static const char *const direction_words[] = {
    [MSG_NO_DIRECTION] = "",          [MSG_INBOUND] = "inbound", [MSG_OUTBOUND] = "outbound",
    [MSG_INTERNAL_MAIL] = "internal", [MSG_RELAY] = "relay",     [MSG_RELAY + 1] = NULL};
static const char *const spf_words[] = {
    [MSG_AUTH_UNSPECIFIED] = "",        [MSG_AUTH_NONE] = "none",
    [MSG_AUTH_PASS] = "pass",           [MSG_AUTH_FAIL] = "fail",
    [MSG_AUTH_SOFTFAIL] = "softfail",   [MSG_AUTH_NEUTRAL] = "neutral",
    [MSG_AUTH_TEMPERROR] = "temperror", [MSG_AUTH_PERMERROR] = "permerror",
    [MSG_AUTH_PERMERROR + 1] = NULL};

static enum err take_direction(const struct reading *r, const struct yaml_node *node)
{
    return take_word(r, node, "direction", direction_words, &r->out->directions);
}

static enum err take_spf(const struct reading *r, const struct yaml_node *node)
{
    return take_word(r, node, "spf", spf_words, &r->out->spf);
}

// ---- lists of patterns

static enum err take_from(const struct reading *r, const struct yaml_node *node)
{
    return pattern_number(r->build, node, PATTERN_FROM, &r->from[r->out->from_count++], r->detail);
}

static enum err take_to(const struct reading *r, const struct yaml_node *node)
{
    return pattern_number(r->build, node, PATTERN_TO, &r->to[r->out->to_count++], r->detail);
}

static enum err take_user(const struct reading *r, const struct yaml_node *node)
{
    return pattern_number(r->build, node, PATTERN_FROM, &r->user[r->out->user_count++], r->detail);
}

static uint32_t *numbers_for(const struct reading *r, const char *key)
{
    size_t room = room_for(r, key);

    return room > 0 ? build_keep(r->build, mem_new_array(room, sizeof(uint32_t))) : NULL;
}

static enum err read_parties(struct reading *r)
{
    enum err err;

    r->out->from = r->from = numbers_for(r, "from");
    r->out->to = r->to = numbers_for(r, "to");
    r->out->user = r->user = numbers_for(r, "user");
    err = each_of(r, "from", take_from);
    if (err == ERR_NONE)
        err = each_of(r, "to", take_to);
    return err != ERR_NONE ? err : each_of(r, "user", take_user);
}

// ---- where it comes from, and when

static enum err take_window(const struct reading *r, const struct yaml_node *node)
{
    enum err err = yaml_expect(node, YAML_TEXT, "time", r->detail);

    if (err == ERR_NONE && !window_read(node->text, &r->time[r->out->time_count++]))
        err = err_say(r->detail, ERR_CONFIG,
                      "%s:%u: %s.time: expected times like 09:00-18:00, days like mon-fri, or both "
                      "like \"mon-fri 22:00-06:00\", not '%s'",
                      node->file, node->line, r->where, node->text);
    return err;
}

static enum err read_place(struct reading *r)
{
    const struct yaml_node *source = yaml_find(r->map, "source");
    size_t windows = room_for(r, "time");
    struct ip_net *nets = NULL;
    enum err err = ERR_NONE;

    if (windows > 0)
        r->time = build_keep(r->build, mem_new_array(windows, sizeof(struct zone_window)));
    r->out->time = r->time;
    if (source != NULL) {
        err = nets_read(r->build, source, &nets, &r->out->source_count, r->detail);
        if (err == ERR_NONE && r->out->source_count == 0)
            err = say(r, source,
                      "source: an empty list matches no client; leave it out for every client");
        r->out->source = nets;
    }
    return err != ERR_NONE ? err : each_of(r, "time", take_window);
}

// ---- a group's members among the recipients

struct written_group {
    const char *group;
    uint64_t at_least;
};
static const struct yaml_row group_rows[] = {
    {"group", YAML_IS_TEXT, offsetof(struct written_group, group), "!", 1, GLOB_MAX, NULL,
     "name of a group"},
    {"at_least", YAML_IS_COUNT, offsetof(struct written_group, at_least), "!", 1,
     MSG_RECIPIENTS_MAX, NULL, "so many of its members are recipients of one message"},
    {0},
};

static enum err read_group(const struct reading *r)
{
    const struct yaml_node *node = yaml_find(r->map, "rcpt_in_group");
    struct written_group written;
    enum err err;

    r->out->group = POLICY_NOBODY;
    if (node == NULL)
        return ERR_NONE;
    err = yaml_expect(node, YAML_MAP, "rcpt_in_group", r->detail);
    if (err == ERR_NONE)
        err = yaml_read(node, "rcpt_in_group", group_rows, &written, r->detail);
    if (err != ERR_NONE)
        return err;
    // As pattern_read takes it: {group: name}.
    struct yaml_node name = *yaml_find(node, "group");
    struct yaml_node party = {.kind = YAML_MAP,
                              .line = name.line,
                              .file = name.file,
                              .key = "rcpt_in_group",
                              .child = &name,
                              .count = 1};

    name.next = NULL;
    r->out->group_at_least = written.at_least;
    return pattern_number(r->build, &party, PATTERN_TO, &r->out->group, r->detail);
}

// ---- the rest

struct written_when {
    bool tls;
    uint64_t size_over, size_under, recipients_over;
    struct yaml_texts country;
    const char *client_name;
    const char *helo;
};

#define AT(field) offsetof(struct written_when, field)

static const struct yaml_row when_rows[] = {
    {"direction", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "inbound, outbound, internal, relay"},
    {"from", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "envelope sender"},
    {"to", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "envelope recipient"},
    {"user", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "login"},
    {"source", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "networks of the client"},
    {"country", YAML_IS_TEXTS, AT(country), NULL, 1, COUNTRIES_MAX, NULL,
     "of the client's address"},
    {"tls", YAML_IS_BOOL, AT(tls), NULL, 0, 0, NULL, "whether the connection is encrypted"},
    {"time", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "windows of local time"},
    {"size_over", YAML_IS_SIZE, AT(size_over), NULL, 0, SIZE_MOST, NULL, "larger than this"},
    {"size_under", YAML_IS_SIZE, AT(size_under), NULL, SIZE_LEAST, SIZE_MOST, NULL,
     "smaller than this"},
    {"recipients_over", YAML_IS_COUNT, AT(recipients_over), NULL, 0, 1000000, NULL,
     "more recipients than this"},
    {"rcpt_in_group", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "members of a group named one by one"},
    {"spf", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "what SPF said"},
    {"client_name", YAML_IS_TEXT, AT(client_name), NULL, 1, GLOB_MAX, NULL,
     "the client's confirmed name; * and ? stand for any text and any character"},
    {"helo", YAML_IS_TEXT, AT(helo), NULL, 1, GLOB_MAX, NULL, "likewise what it said at HELO"},
    {0},
};

static enum err read_rest(const struct reading *r)
{
    const struct yaml_node *country = yaml_find(r->map, "country");
    struct written_when written;
    enum err err = yaml_read(r->map, r->where, when_rows, &written, r->detail);

    if (err != ERR_NONE)
        return err;
    if (yaml_find(r->map, "tls") != NULL)
        r->out->tls = written.tls ? 1 : -1;
    r->out->has_size_over = yaml_find(r->map, "size_over") != NULL;
    r->out->has_size_under = yaml_find(r->map, "size_under") != NULL;
    r->out->has_recipients_over = yaml_find(r->map, "recipients_over") != NULL;
    r->out->size_over = written.size_over;
    r->out->size_under = written.size_under;
    r->out->recipients_over = written.recipients_over;
    r->out->country = written.country.text;
    r->out->country_count = written.country.count;
    r->out->client_name = written.client_name;
    r->out->helo = written.helo;
    if (r->out->has_size_over && r->out->has_size_under &&
        (written.size_under < 2 || written.size_over > written.size_under - 2))
        return say(r, r->map, "no size is over size_over and under size_under");
    return country != NULL ? countries_check(country, &written.country, r->detail) : ERR_NONE;
}

enum err when_read(struct policy_build *build, const struct yaml_node *map, struct policy_when *out,
                   struct err_detail *detail)
{
    static const char *const not_yet[] = {
        "header", "header_from",     "header_to",       "subject",         "dkim",
        "dmarc",  "attachment_name", "attachment_type", "attachment_size", "attachment_count",
        NULL};
    struct reading r = {.build = build,
                        .map = map,
                        .where = map->key != NULL ? map->key : "except",
                        .out = out,
                        .detail = detail};
    enum err err = yaml_expect(map, YAML_MAP, r.where, detail);

    *out = (struct policy_when){.client_name = "", .helo = "", .group = POLICY_NOBODY};
    if (err == ERR_NONE)
        err = build_refuse(map, r.where, not_yet, detail);
    if (err == ERR_NONE && map->child == NULL)
        err = say(&r, map, "without a condition it holds for all mail; write default instead");
    if (err == ERR_NONE)
        err = read_rest(&r);
    if (err == ERR_NONE)
        err = each_of(&r, "direction", take_direction);
    if (err == ERR_NONE)
        err = each_of(&r, "spf", take_spf);
    if (err == ERR_NONE)
        err = read_parties(&r);
    if (err == ERR_NONE)
        err = read_place(&r);
    return err != ERR_NONE ? err : read_group(&r);
}

// ---- writing

static void put_words(struct line *line, const char *key, unsigned bits, const char *const *words)
{
    if (bits == 0)
        return;
    line_key(line, key);
    line_open(line, "[");
    for (unsigned i = 1; words[i] != NULL; i++) {
        if ((bits >> i & 1) == 0)
            continue;
        line_item(line);
        line_put(line, words[i]);
    }
    line_close(line, "]");
}

static void put_patterns(struct line *line, const struct policy *policy, const char *key,
                         const uint32_t *numbers, size_t count)
{
    if (count == 0)
        return;
    line_key(line, key);
    canonical_patterns(line, policy, numbers, count);
}

static void put_number(struct line *line, const char *key, bool is_said, uint64_t number)
{
    if (!is_said)
        return;
    line_key(line, key);
    line_number(line, number);
}

static void put_glob(struct line *line, const char *key, const char *glob)
{
    if (glob[0] == '\0')
        return;
    line_key(line, key);
    line_quote(line, glob);
}

static void put_windows(struct line *line, const struct policy_when *when)
{
    char(*texts)[POLICY_WINDOW_TEXT_MAX] = mem_new_array(when->time_count, sizeof(*texts));
    const char **list = mem_new_array(when->time_count, sizeof(*list));

    for (size_t i = 0; i < when->time_count; i++)
        list[i] = window_format(&when->time[i], texts[i]);
    if (when->time_count > 0) {
        line_key(line, "time");
        canonical_texts(line, list, when->time_count);
    }
    mem_free(list);
    mem_free(texts);
}

static void put_group(struct line *line, const struct policy *policy,
                      const struct policy_when *when)
{
    if (when->group_at_least == 0)
        return;
    line_key(line, "rcpt_in_group");
    line_open(line, "{");
    line_key(line, "group");
    line_quote(line, policy->known[when->group].pattern.local);
    put_number(line, "at_least", true, when->group_at_least);
    line_close(line, "}");
}

void when_put(struct line *line, const struct policy *policy, const struct policy_when *when)
{
    line_open(line, "{");
    put_words(line, "direction", when->directions, direction_words);
    put_patterns(line, policy, "from", when->from, when->from_count);
    put_patterns(line, policy, "to", when->to, when->to_count);
    put_patterns(line, policy, "user", when->user, when->user_count);
    if (when->source_count > 0)
        line_nets(line, "source", when->source, when->source_count);
    if (when->country_count > 0) {
        line_key(line, "country");
        canonical_texts(line, when->country, when->country_count);
    }
    if (when->tls != 0)
        line_flag(line, "tls", when->tls > 0);
    put_windows(line, when);
    put_number(line, "size_over", when->has_size_over, when->size_over);
    put_number(line, "size_under", when->has_size_under, when->size_under);
    put_number(line, "recipients_over", when->has_recipients_over, when->recipients_over);
    put_group(line, policy, when);
    put_words(line, "spf", when->spf, spf_words);
    put_glob(line, "client_name", when->client_name);
    put_glob(line, "helo", when->helo);
    line_close(line, "}");
}
