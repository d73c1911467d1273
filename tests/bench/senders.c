// senders.c: prints the addresses of reeve-load's first known senders, one a line: senders COUNT.
#include <stdio.h>
#include <stdlib.h>

#include "client/load/question.h"

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: senders COUNT\n");
        return 2;
    }
    const uint64_t count = strtoull(argv[1], NULL, 10);

    for (uint64_t number = 0; number < count; number++) {
        struct question_text text;

        question_known(number, &text);
        (void)printf("%.*s@%.*s.example\n", QUESTION_LOCAL, text.local, QUESTION_DOMAIN,
                     text.domain);
    }
    return 0;
}
