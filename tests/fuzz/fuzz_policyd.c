// fuzz_policyd.c: bytes of a Postfix process -> requests -> questions -> actions. The first byte
// says into how large pieces the rest is cut, so that every way of cutting is found; whatever
// comes, an action is one line.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/policyd/request.h"
#include "client/policyd/translate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// use: asks as the adapter would, and lets the node answer with what the client sent.
static void use(const struct policy_request *request)
{
    struct reeve_check check = {0};
    const struct reeve_verdict verdict = {
        .action = (enum reeve_action)(1 + request->size % 5),
        .enhanced = request->policy_context,
        .text = request->helo_name,
        .code = (unsigned)request->size,
        .waited_s = (uint32_t)request->recipient_count,
    };
    const struct translate_action action = {.verdict = &verdict,
                                            .prepend = true,
                                            .node = request->client_name,
                                            .wall_ms = request->size};
    char memory[TRANSLATE_ACTION_MAX];
    struct text_buf out;

    enum translate_plan plan = translate_request(request, &check);

    assert(plan == TRANSLATE_FOREIGN || check.recipient_total == 0 ||
           check.recipients[0][0] != '\0');
    assert(plan != TRANSLATE_ASK_ALL || (check.stage == REEVE_END && check.recipient_total == 0));
    text_buf_init(&out, memory, sizeof(memory));
    translate_action(&out, &action);
    assert(!out.full && out.used > 9 && strchr(memory, '\n') == memory + out.used - 2);
    for (size_t i = 0; i + 2 < out.used; i++)
        assert(memory[i] >= ' ' && memory[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy_parser *parser = malloc(sizeof(*parser));
    size_t piece = size > 0 && data[0] > 0 ? data[0] : SIZE_MAX;
    size_t at = size > 0 ? 1 : 0;
    enum policy_feed feed = POLICY_MORE;

    assert(parser != NULL);
    policy_parser_reset(parser);
    while (at < size && feed != POLICY_BROKEN) {
        size_t len = size - at < piece ? size - at : piece;
        size_t taken = 0;

        feed = policy_parser_feed(parser, data + at, len, &taken);
        assert(taken > 0 && taken <= len && (feed != POLICY_MORE || taken == len));
        assert((feed == POLICY_BROKEN) == (parser->why.text[0] != '\0'));
        at += taken;
        if (feed == POLICY_COMPLETE) {
            use(&parser->request);
            policy_parser_reset(parser);
        }
    }
    free(parser);
    return 0;
}
