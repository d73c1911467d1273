// The compiled policy set beside a slow reference that only knows the specification: thousands of small random sets, and
// mails that they are about. A failure prints the seed, the set as YAML and the mail; REEVE_SEED=... plays it again.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/core/policy.h"
#include "node/policy/set.h"
#include "proto/base/mem.h"
#include "tests/support/policy_kinds.h"
#include "tests/support/policy_reference.h"
#include "tests/support/table.h"

enum { SETS = 900, MAILS = 40, LARGE = WRITTEN_POLICIES_MAX };

// ---- One set, and what it is asked

struct play {
    uint64_t seed; // of this set
    struct random random;
    struct written_set set;
    struct policy *policy;
    char yaml[WRITTEN_YAML_MAX];
    unsigned long compared;
    unsigned long matched; // something applied
};

static void play_open(struct play *play, uint64_t seed, unsigned policies)
{
    static const struct written_shuffle in_order = {.files = 1};
    const struct written_shape shape = {.kind = written_kinds,
                                        .kind_count = WRITTEN_KINDS,
                                        .policies = policies,
                                        .groups = true,
                                        .users = true};
    struct err_detail detail = {.text = ""};

    play->seed = seed;
    play->random.state = seed;
    written_random(&play->random, &shape, &play->set);
    written_yaml(&play->set, &in_order, 0, play->yaml);
    if (policy_parse("set.yaml", play->yaml, strlen(play->yaml), &play->policy, &detail) ==
        ERR_NONE)
        return;
    (void)fprintf(stderr, "REEVE_SEED=%llu\n%s\n", (unsigned long long)seed, play->yaml);
    fail_msg("the set is refused: %s", detail.text);
}

static void play_close(struct play *play)
{
    policy_free(&play->policy);
}

static void play_fail(const struct play *play, const struct written_mail *mail, const char *what,
                      const char *wanted, const char *came)
{
    (void)fprintf(stderr, "REEVE_SEED=%llu\n%s\nfrom <%s> to <%s> client '%s' at %llu\n",
                  (unsigned long long)play->seed, play->yaml, mail->from.text, mail->to.text,
                  mail->client, (unsigned long long)mail->now_ms);
    fail_msg("%s: wanted '%s', came '%s'", what, wanted, came);
}

// A mail as the node sees it.
struct seen {
    char memory[4096];
    struct arena arena;
    struct mail_address from, to;
    struct policy_party from_party, to_party;
    struct ip client;
    struct policy_query query;
};

static void see(const struct play *play, const struct written_mail *mail, struct seen *out)
{
    memset(&out->client, 0, sizeof(out->client));
    arena_init(&out->arena, out->memory, sizeof(out->memory));
    assert_int_equal(mail_parse(mail->from.text, &out->arena, &out->from), ERR_NONE);
    assert_int_equal(mail_parse(mail->to.text, &out->arena, &out->to), ERR_NONE);
    assert_true(mail->client[0] == '\0' || ip_parse(mail->client, &out->client));
    policy_party_of(play->policy, &out->from, POLICY_AS_SENDER, &out->from_party);
    policy_party_of(play->policy, &out->to, POLICY_AS_RECIPIENT, &out->to_party);
    out->query = (struct policy_query){.from = &out->from_party,
                                       .to = &out->to_party,
                                       .client = &out->client,
                                       .now_ms = mail->now_ms};
}

static const char *id_of(const struct policy_rule *rule)
{
    return rule != NULL ? rule->id : "";
}

// ---- Which policy applies

static void compare_match(struct play *play, const struct written_mail *mail,
                          const struct seen *seen, size_t kind, enum policy_view view)
{
    const struct written_policy *wanted =
        reference_match(&play->set, &written_kinds[kind], mail, view == POLICY_AS_IF);
    const struct policy_rule *came =
        policy_match(play->policy, written_compiled[kind], &seen->query, view);
    const char *id = wanted != NULL ? wanted->id : "";

    play->compared++;
    play->matched += wanted != NULL;
    if (strcmp(id, id_of(came)) != 0)
        play_fail(play, mail, written_kinds[kind].word, id, id_of(came));
}

static void compare_mail(struct play *play)
{
    struct written_mail mail;
    struct seen seen;

    written_random_mail(&play->random, &play->set, &mail);
    see(play, &mail, &seen);
    for (size_t kind = 0; kind < WRITTEN_KINDS; kind++) {
        compare_match(play, &mail, &seen, kind, POLICY_IN_FORCE);
        compare_match(play, &mail, &seen, kind, POLICY_AS_IF);
    }
}

static void the_compiled_set_applies_what_the_specification_says(void **state)
{
    struct play *play = mem_new(sizeof(*play));
    uint64_t seed = random_seed(1);

    (void)state;
    for (unsigned i = 0; i < SETS; i++) {
        play_open(play, seed + i, i % 4 == 0 ? LARGE : 12);
        for (unsigned k = 0; k < MAILS; k++)
            compare_mail(play);
        play_close(play);
    }
    print_message("%lu times compared, %lu times a policy applied\n", play->compared,
                  play->matched);
    assert_true(play->matched > play->compared / 10 && play->matched < play->compared * 9 / 10);
    mem_free(play);
}

// ---- Who an address is

// The pattern's number in the set, or POLICY_NOBODY.
static uint32_t number_of(const struct play *play, const struct written_pattern *pattern)
{
    static const enum policy_pattern_kind same[] = {
        [WRITTEN_EVERYONE] = POLICY_EVERYONE, [WRITTEN_INTERNAL] = POLICY_PARTY,
        [WRITTEN_EXTERNAL] = POLICY_PARTY,    [WRITTEN_BELOW] = POLICY_BELOW,
        [WRITTEN_DOMAIN] = POLICY_DOMAIN,     [WRITTEN_GROUP] = POLICY_GROUP,
        [WRITTEN_LOCAL] = POLICY_LOCAL,       [WRITTEN_ADDRESS] = POLICY_ADDRESS,
        [WRITTEN_NULL] = POLICY_NULL};
    const struct policy_pattern compiled = {
        .kind = same[pattern->kind],
        .internal = pattern->kind == WRITTEN_INTERNAL,
        .local =
            pattern->kind == WRITTEN_GROUP ? play->set.group[pattern->group].name : pattern->local,
        .domain = pattern->domain,
    };

    return policy_find(play->policy, &compiled);
}

static void compare_fit(struct play *play, const struct written_mail *mail, const struct seen *seen,
                        const struct written_pattern *pattern)
{
    const struct reference_party parties[] = {
        {&play->set, &mail->from, REFERENCE_SENDER, true},
        {&play->set, &mail->to, REFERENCE_RECIPIENT, true},
    };
    uint32_t number = number_of(play, pattern);

    assert_int_not_equal(number, POLICY_NOBODY);
    for (unsigned i = 0; i < 2; i++) {
        bool wanted = reference_fits(&parties[i], pattern);
        bool came =
            policy_party_fits(play->policy, i == 0 ? &seen->from_party : &seen->to_party, number);

        play->compared++;
        play->matched += wanted;
        if (wanted != came)
            play_fail(play, mail, i == 0 ? "sender's party" : "recipient's party",
                      wanted ? "fits" : "does not fit", came ? "fits" : "does not fit");
    }
}

// Most specific first, groups apart, nothing twice.
static void check_order(const struct play *play, const struct policy_party *party)
{
    for (unsigned i = 0; i < party->count; i++) {
        assert_int_not_equal(play->policy->known[party->key[i].pattern].pattern.kind, POLICY_GROUP);
        for (unsigned k = i + 1; k < party->count; k++) {
            assert_true(party->key[i].rank >= party->key[k].rank);
            assert_int_not_equal(party->key[i].pattern, party->key[k].pattern);
        }
    }
}

static void compare_parties(struct play *play)
{
    const struct written_set *set = &play->set;
    struct written_mail mail;
    struct seen seen;

    written_random_mail(&play->random, set, &mail);
    see(play, &mail, &seen);
    check_order(play, &seen.from_party);
    check_order(play, &seen.to_party);
    assert_int_equal(seen.from_party.internal,
                     mail.from.is == WRITTEN_PLAIN && reference_is_internal(set, mail.from.domain));
    for (unsigned i = 0; i < set->policy_count; i++) {
        compare_fit(play, &mail, &seen, &set->policy[i].from);
        compare_fit(play, &mail, &seen, &set->policy[i].to);
    }
    for (unsigned i = 0; i < set->group_count; i++)
        compare_fit(play, &mail, &seen,
                    &(struct written_pattern){
                        .kind = WRITTEN_GROUP, .local = "", .domain = "", .group = i});
}

static void a_party_fits_what_the_specification_says(void **state)
{
    struct play *play = mem_new(sizeof(*play));
    uint64_t seed = random_seed(100000);

    (void)state;
    for (unsigned i = 0; i < SETS; i++) {
        play_open(play, seed + i, 20);
        for (unsigned k = 0; k < MAILS / 4; k++)
            compare_parties(play);
        play_close(play);
    }
    print_message("%lu times compared, %lu times it fits\n", play->compared, play->matched);
    assert_true(play->matched > play->compared / 10 && play->matched < play->compared * 9 / 10);
    mem_free(play);
}

static void a_domain_is_internal_if_it_is_declared(void **state)
{
    struct play *play = mem_new(sizeof(*play));
    uint64_t seed = random_seed(200000);

    (void)state;
    for (unsigned i = 0; i < SETS; i++) {
        play_open(play, seed + i, 0);
        for (unsigned k = 0; k < sizeof(written_domains) / sizeof(written_domains[0]); k++) {
            const char *domain = written_domains[k];
            const char *over = NULL;
            const struct policy_domain *came = policy_domain_over(play->policy, domain);

            for (const char *at = domain; at != NULL && over == NULL;
                 at = strchr(at, '.') != NULL ? strchr(at, '.') + 1 : NULL)
                over = reference_is_internal(&play->set, at) ? at : NULL;
            assert_int_equal(policy_is_internal(play->policy, domain),
                             reference_is_internal(&play->set, domain));
            assert_string_equal(came != NULL ? came->name : "", over != NULL ? over : "");
        }
        play_close(play);
    }
    mem_free(play);
}

// ---- Every policy that fits

struct visits {
    const struct play *play;
    unsigned times[WRITTEN_POLICIES_MAX];
    struct policy_fit last;
    bool is_ordered;
};

static bool note_visit(const struct policy_fit *fit, void *arg)
{
    struct visits *visits = arg;

    for (unsigned i = 0; i < visits->play->set.policy_count; i++)
        visits->times[i] += strcmp(visits->play->set.policy[i].id, fit->rule->id) == 0;
    visits->is_ordered =
        visits->is_ordered && (visits->last.rule == NULL || fit->level >= visits->last.level);
    visits->last = *fit;
    return true;
}

static bool reference_applies(const struct written_set *set, const struct written_policy *policy,
                              const struct written_mail *mail)
{
    struct reference_level level;

    return reference_fits_mail(set, policy, mail, false, &level) ||
           (policy->bidirectional && reference_fits_mail(set, policy, mail, true, &level));
}

static void compare_visits(struct play *play)
{
    struct written_mail mail;
    struct seen seen;

    written_random_mail(&play->random, &play->set, &mail);
    see(play, &mail, &seen);
    for (size_t kind = 0; kind < WRITTEN_KINDS; kind++) {
        struct visits visits = {.play = play, .is_ordered = true};

        policy_each(play->policy, written_compiled[kind], &seen.query, POLICY_AS_IF, note_visit,
                    &visits);
        if (!visits.is_ordered)
            play_fail(play, &mail, written_kinds[kind].word, "most specific first",
                      "another order");
        for (unsigned i = 0; i < play->set.policy_count; i++) {
            const struct written_policy *policy = &play->set.policy[i];
            bool wanted = policy->kind == &written_kinds[kind] &&
                          reference_applies(&play->set, policy, &mail);

            play->compared++;
            if (wanted != (visits.times[i] > 0))
                play_fail(play, &mail, policy->id, wanted ? "visited" : "left out",
                          wanted ? "left out" : "visited");
        }
    }
}

static void every_policy_that_fits_is_visited(void **state)
{
    struct play *play = mem_new(sizeof(*play));
    uint64_t seed = random_seed(300000);

    (void)state;
    for (unsigned i = 0; i < SETS / 3; i++) {
        play_open(play, seed + i, 30);
        for (unsigned k = 0; k < MAILS / 4; k++)
            compare_visits(play);
        play_close(play);
    }
    mem_free(play);
}

static bool end_at_once(const struct policy_fit *fit, void *arg)
{
    (void)fit;
    ++*(unsigned *)arg;
    return false;
}

static void a_visit_can_be_ended(void **state)
{
    struct play *play = mem_new(sizeof(*play));
    uint64_t seed = random_seed(400000);
    unsigned most = 0;

    (void)state;
    for (unsigned i = 0; i < SETS / 10; i++) {
        struct written_mail mail;
        struct seen seen;

        play_open(play, seed + i, LARGE);
        written_random_mail(&play->random, &play->set, &mail);
        see(play, &mail, &seen);
        for (size_t kind = 0; kind < WRITTEN_KINDS; kind++) {
            unsigned visits = 0;

            policy_each(play->policy, written_compiled[kind], &seen.query, POLICY_AS_IF,
                        end_at_once, &visits);
            most = visits > most ? visits : most;
        }
        play_close(play);
    }
    assert_int_equal(most, 1);
    mem_free(play);
}

// ---- Order of policies, of files; and what is printed

static bool is_not(const struct policy_rule *rule, const void *arg)
{
    return strcmp(rule->id, arg) != 0;
}

// accepts: the policy that it refuses is as if it were not there.
static void the_last_word_is_asked(void **state)
{
    struct play *play = mem_new(sizeof(*play));
    uint64_t seed = random_seed(500000);
    unsigned refused = 0;

    (void)state;
    for (unsigned i = 0; i < SETS / 3; i++) {
        struct written_mail mail;
        struct seen seen;

        play_open(play, seed + i, LARGE);
        written_random_mail(&play->random, &play->set, &mail);
        see(play, &mail, &seen);
        for (size_t kind = 0; kind < WRITTEN_KINDS; kind++) {
            const struct written_policy *first =
                reference_match(&play->set, &written_kinds[kind], &mail, true);
            const struct policy_rule *came;

            if (first == NULL)
                continue;
            seen.query.accepts = is_not;
            seen.query.arg = first->id;
            came = policy_match(play->policy, written_compiled[kind], &seen.query, POLICY_AS_IF);
            seen.query.accepts = NULL;
            for (unsigned k = 0; k < play->set.policy_count; k++) // now it is really not there
                play->set.policy[k].enabled =
                    play->set.policy[k].enabled && &play->set.policy[k] != first;
            first = reference_match(&play->set, &written_kinds[kind], &mail, true);
            refused++;
            if (strcmp(first != NULL ? first->id : "", id_of(came)) != 0)
                play_fail(play, &mail, "without the one that is refused",
                          first != NULL ? first->id : "", id_of(came));
        }
        play_close(play);
    }
    assert_true(refused > 100);
    mem_free(play);
}

struct files {
    char folder[64];
    char path[WRITTEN_FILES_MAX][96];
};

static void files_open(struct files *files)
{
    (void)snprintf(files->folder, sizeof(files->folder), "/tmp/reeve-policy-XXXXXX");
    assert_non_null(mkdtemp(files->folder));
    for (unsigned i = 0; i < WRITTEN_FILES_MAX; i++)
        (void)snprintf(files->path[i], sizeof(files->path[i]), "%s/%u.yaml", files->folder, i);
}

static void files_close(const struct files *files)
{
    for (unsigned i = 0; i < WRITTEN_FILES_MAX; i++)
        (void)unlink(files->path[i]);
    (void)rmdir(files->folder);
}

// The same set in another order, spread over files; the files in another order too.
static struct policy *load_shuffled(const struct files *files, struct play *play)
{
    struct written_shuffle shuffle = {.files = 1 + random_below(&play->random, WRITTEN_FILES_MAX),
                                      .seed = random_next(&play->random) | 1};
    unsigned turn = random_below(&play->random, WRITTEN_FILES_MAX);
    const char *paths[WRITTEN_FILES_MAX];
    struct err_detail detail = {.text = ""};
    struct policy *policy = NULL;

    for (unsigned i = 0; i < WRITTEN_FILES_MAX; i++) {
        char *text = mem_new(WRITTEN_YAML_MAX);
        FILE *file = fopen(files->path[i], "w");

        written_yaml(&play->set, &shuffle, i, text);
        assert_non_null(file);
        assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
        (void)fclose(file);
        mem_free(text);
        paths[i] = files->path[(i + turn) % WRITTEN_FILES_MAX];
    }
    if (policy_load(paths, WRITTEN_FILES_MAX, &policy, &detail) != ERR_NONE)
        fail_msg("the shuffled set is refused: %s", detail.text);
    return policy;
}

static void order_never_matters(void **state)
{
    struct play *play = mem_new(sizeof(*play));
    uint64_t seed = random_seed(600000);
    struct files files;

    (void)state;
    files_open(&files);
    for (unsigned i = 0; i < SETS / 10; i++) {
        struct policy *shuffled;
        uint64_t hash;

        play_open(play, seed + i, LARGE);
        shuffled = load_shuffled(&files, play);
        hash = play->policy->hash;
        policy_free(&play->policy);
        play->policy = shuffled;
        assert_int_equal(shuffled->hash, hash);
        for (unsigned k = 0; k < MAILS; k++)
            compare_mail(play);
        play_close(play);
    }
    files_close(&files);
    mem_free(play);
}

static void what_is_printed_is_the_same_set(void **state)
{
    struct play *play = mem_new(sizeof(*play));
    uint64_t seed = random_seed(700000);

    (void)state;
    for (unsigned i = 0; i < SETS / 3; i++) {
        struct err_detail detail = {.text = ""};
        struct policy *again = NULL;
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);

        play_open(play, seed + i, 30);
        policy_print(play->policy, out);
        (void)fclose(out);
        if (policy_parse("printed.yaml", text, size, &again, &detail) != ERR_NONE) {
            print_error("%s\n", text);
            fail_msg("what was printed is refused: %s", detail.text);
        }
        assert_int_equal(again->hash, play->policy->hash);
        policy_free(&play->policy);
        play->policy = again;
        for (unsigned k = 0; k < MAILS / 4; k++)
            compare_mail(play);
        free(text);
        play_close(play);
    }
    mem_free(play);
}

// A hash that did not change would make the two before hold for nothing.
static void another_set_has_another_hash(void **state)
{
    struct play *play = mem_new(sizeof(*play));
    uint64_t hashes[200];
    uint64_t seed = random_seed(800000);

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        play_open(play, seed + i, LARGE);
        hashes[i] = play->policy->hash;
        play_close(play);
        for (unsigned k = 0; k < i; k++)
            assert_int_not_equal(hashes[i], hashes[k]);
    }
    mem_free(play);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, the_compiled_set_applies_what_the_specification_says);
    TABLE_TEST(&table, a_party_fits_what_the_specification_says);
    TABLE_TEST(&table, a_domain_is_internal_if_it_is_declared);
    TABLE_TEST(&table, every_policy_that_fits_is_visited);
    TABLE_TEST(&table, a_visit_can_be_ended);
    TABLE_TEST(&table, the_last_word_is_asked);
    TABLE_TEST(&table, order_never_matters);
    TABLE_TEST(&table, what_is_printed_is_the_same_set);
    TABLE_TEST(&table, another_set_has_another_hash);
    return table_run(&table, "policy_match");
}
