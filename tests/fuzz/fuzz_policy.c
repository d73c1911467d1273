// Fuzz target: any bytes as a YAML file and as a policy file. Beside not crashing it holds that an
// error has a text, that a set has a version, that what is printed of a set reads back as the same
// set, and that what lint finds has a place.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/policy/diff.h"
#include "node/policy/lint.h"
#include "node/policy/set.h"
#include "proto/base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static void parse_yaml(const uint8_t *data, size_t size)
{
    struct yaml *yaml = NULL;
    struct err_detail detail = {.text = ""};
    enum err err = yaml_parse("fuzz", data, size, &yaml, &detail);

    must(err == ERR_NONE || err == ERR_CONFIG, "YAML is taken or refused as configuration");
    must((err == ERR_NONE) == (yaml != NULL), "there is a tree if and only if there is no error");
    must((err == ERR_NONE) == (detail.text[0] == '\0'), "an error has a text");
    must(err == ERR_NONE || strncmp(detail.text, "fuzz:", 5) == 0, "an error names the file");
    yaml_free(&yaml);
}

static void print_and_parse(const struct policy *policy)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct policy *again = NULL;
    struct err_detail detail = {.text = ""};

    must(out != NULL, "memory for what is printed");
    policy_print(policy, out);
    must(fclose(out) == 0, "memory for what is printed");
    if (policy_parse("printed", text, len, &again, &detail) != ERR_NONE)
        (void)fprintf(stderr, "%s\n%s", detail.text, text);
    must(again != NULL, "what is printed reads back");
    must(again->version == policy->version, "what is printed has the same version");
    policy_free(&again);
    free(text);
}

static bool check_finding(const struct policy_finding *finding, void *arg)
{
    (void)arg;
    must(finding->kind[0] != '\0' && finding->what[0] != '\0', "a finding says what was found");
    must(strcmp(finding->file, "fuzz") == 0 && finding->line > 0, "a finding has a place");
    return true;
}

static bool check_change(const struct policy_change *change, void *arg)
{
    (void)arg;
    must(change->kind == POLICY_ADDED && change->before[0] == '\0' && change->after[0] != '\0',
         "a set says more than none");
    return true;
}

static void lint_and_diff(const struct policy *policy)
{
    struct policy *none = NULL;

    policy_lint(policy, 1800000000000ULL, check_finding, NULL);
    must(policy_parse("fuzz", "trusted_sources: []", 19, &none, NULL) == ERR_NONE, "nothing");
    policy_diff(none, policy, check_change, NULL);
    policy_free(&none);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};

    parse_yaml(data, size);
    if (policy_parse("fuzz", data, size, &policy, &detail) == ERR_NONE) {
        must(policy->version > 0 && policy->version < 1ULL << 53,
             "a version has 53 bits and is not 0");
        print_and_parse(policy);
        lint_and_diff(policy);
        policy_free(&policy);
    } else {
        must(detail.text[0] != '\0', "an error has a text");
    }
    return 0;
}
