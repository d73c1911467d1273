// diagram.c: see diagram.h. Promises: well-formed XML, whatever the title holds.
#include "client/load/diagram.h"

#include <assert.h>
#include <math.h>

// Pixels.
enum { WIDTH = 640, HEIGHT = 640, LEFT = 70, TOP = 60, SIDE = 500, TICKS = 10, KEY_STEP = 22 };

static const char *const colours[DIAGRAM_CURVES_MAX] = {"#0b6e99", "#c0561f", "#7a7a7a"};

static double x_of(double p)
{
    return LEFT + p * SIDE;
}

static double y_of(double share)
{
    return TOP + (1 - share) * SIDE;
}

static void print_text(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '<' || *text == '>' || *text == '&')
            (void)fprintf(out, "&#%d;", *text);
        else if ((unsigned char)*text < ' ' || (unsigned char)*text >= 0x7f)
            (void)fputc('?', out);
        else
            (void)fputc(*text, out);
    }
}

static void print_axes(FILE *out)
{
    for (int i = 0; i <= TICKS; i++) {
        const double at = (double)i / TICKS;

        (void)fprintf(out,
                      "<path d=\"M%.1f %.1fV%.1fM%.1f %.1fH%.1f\" stroke=\"#dddddd\"/>\n"
                      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.1f</text>\n"
                      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.1f</text>\n",
                      x_of(at), y_of(0), y_of(1), x_of(0), y_of(at), x_of(1), x_of(at),
                      y_of(0) + 20, at, x_of(0) - 8, y_of(at) + 4, at);
    }
    (void)fprintf(
        out, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"#999999\" stroke-dasharray=\"5 5\"/>\n",
        x_of(0), y_of(0), x_of(1), y_of(1));
    (void)fprintf(
        out,
        "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">p as predicted</text>\n"
        "<text transform=\"translate(22 %.1f) rotate(-90)\" text-anchor=\"middle\">share that "
        "was spam</text>\n",
        x_of(.5), y_of(0) + 46, y_of(.5));
}

// A bin's point: what was predicted on average, and what was so.
static void print_points(const struct figures *figures, const char *colour, FILE *out)
{
    char move = 'M';

    (void)fprintf(out, "<path fill=\"none\" stroke-width=\"2\" stroke=\"%s\" d=\"", colour);
    for (int i = 0; i < SCORE_BINS; i++) {
        const struct score_bin *bin = &figures->bin[i];

        if (bin->count == 0)
            continue;
        (void)fprintf(out, "%c%.1f %.1f", move, x_of(bin->sum / (double)bin->count),
                      y_of((double)bin->spam / (double)bin->count));
        move = 'L';
    }
    (void)fputs("\"/>\n", out);
    for (int i = 0; i < SCORE_BINS; i++) {
        const struct score_bin *bin = &figures->bin[i];

        if (bin->count == 0)
            continue;
        (void)fprintf(out,
                      "<circle fill=\"%s\" fill-opacity=\".55\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\">"
                      "<title>%zu messages, %zu spam</title></circle>\n",
                      colour, x_of(bin->sum / (double)bin->count),
                      y_of((double)bin->spam / (double)bin->count),
                      3 + 14 * sqrt((double)bin->count / (double)figures->count), bin->count,
                      bin->spam);
    }
}

void diagram_print(const char *title, const struct diagram_curve *curve, size_t count, FILE *out)
{
    assert(count <= DIAGRAM_CURVES_MAX);
    (void)fprintf(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%d\" height=\"%d\" "
        "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#222222\">\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n"
        "<text x=\"%d\" y=\"34\" font-size=\"16\">",
        WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT);
    print_text(title, out);
    (void)fputs("</text>\n", out);
    print_axes(out);
    for (size_t i = 0; i < count; i++) {
        print_points(curve[i].figures, colours[i], out);
        (void)fprintf(out, "<text x=\"%d\" y=\"%zu\" fill=\"%s\">%s: ECE %.3f, Brier %.3f</text>\n",
                      LEFT + 14, TOP + 20 + i * KEY_STEP, colours[i], curve[i].name,
                      curve[i].figures->ece, curve[i].figures->brier);
    }
    (void)fputs("</svg>\n", out);
}
