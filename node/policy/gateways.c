// gateways.c: settings.reputation.gateways: what the reports of single gateways are worth: NAME=WEIGHT, parted by blanks.
// Promises: a gateway stands there once; the list is sorted by name.
#include <stdlib.h>
#include <string.h>

#include "node/policy/build.h"
#include "proto/base/mem.h"
#include "proto/msg.h"

static enum err refuse(const struct policy_build *build, const char *why, struct err_detail *detail)
{
    const struct yaml_node *node = setting_node(build, "reputation.gateways");

    return err_say(detail, ERR_CONFIG, "%s:%u: settings.reputation.gateways: %s", node->file,
                   node->line, why);
}

// read_one: NAME=WEIGHT in the first len bytes of text; the weight is a decimal between 0 and 1.
static bool read_one(struct policy_build *build, const char *text, size_t len,
                     struct policy_gateway *out)
{
    const char *name = build_keep(build, mem_text_n(text, len));
    char *equals = strrchr(name, '=');
    char *end = NULL;

    if (equals == NULL || equals == name || equals - name > MSG_GATEWAY_MAX ||
        equals[1 + strspn(equals + 1, "0123456789.")] != '\0')
        return false;
    out->weight = strtod(equals + 1, &end);
    if (end == equals + 1 || *end != '\0' || out->weight > 1)
        return false;
    *equals = '\0';
    out->name = name;
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct policy_gateway *one = a;
    const struct policy_gateway *other = b;

    return strcmp(one->name, other->name);
}

enum err gateways_read(struct policy_build *build, struct err_detail *detail)
{
    const char *text = build->policy.settings.reputation.gateways;
    const size_t most = strlen(text) / 2 + 1;
    struct policy_gateway *gateway = build_keep(build, mem_new_array(most, sizeof(*gateway)));
    size_t count = 0;

    for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
        const size_t len = strcspn(text, " ");

        if (!read_one(build, text, len, &gateway[count++]))
            return refuse(build,
                          "expected names and weights between 0 and 1, like \"mx5=0.5 mx7=0\"",
                          detail);
        text += len;
    }
    qsort(gateway, count, sizeof(*gateway), compare);
    for (size_t i = 1; i < count; i++)
        if (compare(&gateway[i - 1], &gateway[i]) == 0)
            return refuse(build, "a gateway is named twice", detail);
    build->policy.settings.reputation.gateway = gateway;
    build->policy.settings.reputation.gateway_count = count;
    return ERR_NONE;
}
