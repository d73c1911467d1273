// replay.c: gives a fuzz target a main that feeds it files: `replay_wire tests/fuzz/corpus/wire/*`.
// So the corpus runs as an ordinary test, with any compiler and under any sanitizer.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t size = 0;
    size_t room = 1U << 16;
    uint8_t *data = malloc(room);

    if (file == NULL || data == NULL) {
        perror(path);
        exit(1);
    }
    for (;;) {
        size_t got = fread(data + size, 1, room - size, file);

        if (got == 0)
            break;
        size += got;
        if (size == room) {
            room *= 2;
            data = realloc(data, room);
            if (data == NULL) {
                perror(path);
                exit(1);
            }
        }
    }
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        (void)replay_file(argv[i]);
    (void)printf("%s: %d inputs\n", argv[0], argc - 1);
    return argc > 1 ? 0 : 1;
}
