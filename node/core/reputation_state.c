// reputation_state.c: what is kept of one entity: its decay, its packed form, its life. Promises: bytes that are none of ours are
// never believed; what was packed reads back as reputation_round makes it, and packs to the same bytes. Cannot fail otherwise.
//
// The store's scripts do the same arithmetic in Lua: a change here is one there (node/store/reputation*.c).
#include <assert.h>
#include <math.h>
#include <string.h>

#include "node/core/reputation.h"

enum { VERSION_ENTITY = 1, VERSION_ROOT = 2 };
enum { SLOT_PARTS = 128, SLOT_PARTS_MAX = 4095, DITHER_RANGE = 65536 };
static const double HOUR_S = 3600;
static const double WEEK_S = 7 * 24 * 3600;
static const double REAL_MAX = 1e15;
static const uint32_t DAY_S = 24 * 3600;
static const double LIFE_TIMES =
    8; // a life ends when the weight is an eighth of a message, or of what it was

// How a real is kept: so many leading bytes of a float or a double, which hold so many bits of its fraction.
struct real {
    unsigned size, bits;
    bool is_double;
};
static const struct real DOUBLE = {8, 53, true};
static const struct real LONG = {5, 29, true};
static const struct real FLOAT = {4, 24, false};
static const struct real SHORT = {3, 16, false};

// ---- rounding

static double round_real(double value, struct real real)
{
    int exponent;
    double fraction;

    if (!(value >= REPUTATION_DUST))
        return 0;
    if (real.bits == DOUBLE.bits)
        return value;
    fraction = frexp(value, &exponent);
    return ldexp(floor(ldexp(fraction, (int)real.bits) + 0.5), exponent - (int)real.bits);
}

// The parts of 1/128 that a slot's weight is kept as.
static unsigned slot_parts(double weight, uint32_t at_s, unsigned place)
{
    const uint64_t spread = (40503ULL * at_s + 24109ULL * place) % DITHER_RANGE;
    const double parts = floor(weight * SLOT_PARTS + (double)spread / DITHER_RANGE);

    return parts < SLOT_PARTS_MAX ? (unsigned)parts : SLOT_PARTS_MAX;
}

static double round_slot(double weight, uint32_t at_s, unsigned place)
{
    return (double)slot_parts(weight, at_s, place) / SLOT_PARTS;
}

static unsigned slots_of(enum reputation_kind kind)
{
    return reputation_is_root(kind) ? REPUTATION_ROOT_SLOTS : REPUTATION_SLOTS;
}

void reputation_round(enum reputation_kind kind, struct reputation_state *state)
{
    const bool is_root = reputation_is_root(kind);
    const struct real real = is_root ? DOUBLE : LONG;

    state->slot_count = slots_of(kind);
    state->spam = round_real(state->spam, real);
    state->ham = round_real(state->ham, real);
    state->hour = round_real(state->hour, SHORT);
    state->week = round_real(state->week, FLOAT);
    for (unsigned i = 0; i < state->slot_count; i++) {
        struct reputation_slot *slot = &state->slot[i];

        if (slot->reporter == 0)
            *slot = (struct reputation_slot){0};
        slot->spam =
            is_root ? round_real(slot->spam, real) : round_slot(slot->spam, state->at_s, 2 * i);
        slot->ham =
            is_root ? round_real(slot->ham, real) : round_slot(slot->ham, state->at_s, 2 * i + 1);
    }
}

// ---- bytes

struct writer {
    uint8_t *at;
};

static void put(struct writer *out, uint64_t number, unsigned size)
{
    for (unsigned i = size; i > 0; i--)
        *out->at++ = (uint8_t)(number >> (8 * (i - 1)));
}

// The value is rounded already, so the bytes that are left out are 0.
static void put_real(struct writer *out, double value, struct real real)
{
    const float single = real.is_double ? 0 : (float)value;
    uint64_t bits = 0;
    uint32_t bits_single;

    memcpy(&bits, &value, sizeof(bits));
    memcpy(&bits_single, &single, sizeof(bits_single));
    if (real.is_double)
        put(out, bits >> (8 * (8 - real.size)), real.size);
    else
        put(out, bits_single >> (8 * (4 - real.size)), real.size);
}

size_t reputation_pack(enum reputation_kind kind, const struct reputation_state *state,
                       uint8_t out[REPUTATION_ROOT_BYTES])
{
    const bool is_root = reputation_is_root(kind);
    const struct real real = is_root ? DOUBLE : LONG;
    struct reputation_state is = *state;
    struct writer to = {out};

    reputation_round(kind, &is);
    put(&to, is_root ? VERSION_ROOT : VERSION_ENTITY, 1);
    put_real(&to, is.spam, real);
    put_real(&to, is.ham, real);
    put(&to, is.at_s, 4);
    put(&to, is.first_day, 2);
    put_real(&to, is.hour, SHORT);
    put_real(&to, is.week, FLOAT);
    for (unsigned i = 0; i < is.slot_count; i++) {
        const struct reputation_slot *slot = &is.slot[i];

        put(&to, slot->reporter, 2);
        if (is_root) {
            put_real(&to, slot->spam, real);
            put_real(&to, slot->ham, real);
        } else {
            put(&to, (uint64_t)(slot->spam * SLOT_PARTS) << 12 | (uint64_t)(slot->ham * SLOT_PARTS),
                3);
        }
    }
    assert(to.at == out + (is_root ? REPUTATION_ROOT_BYTES : REPUTATION_BYTES));
    return (size_t)(to.at - out);
}

struct reader {
    const uint8_t *at;
    bool is_bad;
};

static uint64_t take(struct reader *in, unsigned size)
{
    uint64_t number = 0;

    for (unsigned i = 0; i < size; i++)
        number = number << 8 | *in->at++;
    return number;
}

static double take_real(struct reader *in, struct real real)
{
    const uint64_t number = take(in, real.size);
    const uint64_t bits = number << (8 * (8 - real.size));
    const uint32_t bits_single = real.is_double ? 0 : (uint32_t)(number << (8 * (4 - real.size)));
    double value;
    float single;

    memcpy(&value, &bits, sizeof(value));
    memcpy(&single, &bits_single, sizeof(single));
    if (!real.is_double)
        value = (double)single;
    // Written so that what is no number fails as well; -0 is nothing that we write.
    if (!(value <= REAL_MAX) || signbit(value) || (value > 0 && value < REPUTATION_DUST))
        in->is_bad = true;
    return value;
}

static void take_slot(struct reader *in, bool is_root, struct reputation_slot *out)
{
    out->reporter = (uint16_t)take(in, 2);
    if (is_root) {
        out->spam = take_real(in, DOUBLE);
        out->ham = take_real(in, DOUBLE);
    } else {
        const uint64_t parts = take(in, 3);

        out->spam = (double)(parts >> 12) / SLOT_PARTS;
        out->ham = (double)(parts & SLOT_PARTS_MAX) / SLOT_PARTS;
    }
    if (out->reporter == 0 && (out->spam > 0 || out->ham > 0))
        in->is_bad = true;
}

enum err reputation_unpack(enum reputation_kind kind, const void *bytes, size_t len,
                           struct reputation_state *out)
{
    const bool is_root = reputation_is_root(kind);
    const struct real real = is_root ? DOUBLE : LONG;
    struct reader in = {bytes, false};
    struct reputation_state is = {.slot_count = slots_of(kind)};

    if (len != (is_root ? REPUTATION_ROOT_BYTES : REPUTATION_BYTES) ||
        take(&in, 1) != (is_root ? VERSION_ROOT : VERSION_ENTITY))
        return ERR_SYNTAX;
    is.spam = take_real(&in, real);
    is.ham = take_real(&in, real);
    is.at_s = (uint32_t)take(&in, 4);
    is.first_day = (uint16_t)take(&in, 2);
    is.hour = take_real(&in, SHORT);
    is.week = take_real(&in, FLOAT);
    for (unsigned i = 0; i < is.slot_count; i++)
        take_slot(&in, is_root, &is.slot[i]);
    if (in.is_bad)
        return ERR_SYNTAX;
    *out = is;
    return ERR_NONE;
}

// ---- time

void reputation_decay(struct reputation_state *state, uint32_t now_s, double half_life_s)
{
    double passed_s, kept;

    if (now_s <= state->at_s)
        return;
    passed_s = (double)(now_s - state->at_s);
    kept = pow(2, -passed_s / half_life_s);
    if (state->at_s == 0) // nothing was ever written
        state->first_day = (uint16_t)(now_s / DAY_S);
    state->spam *= kept;
    state->ham *= kept;
    state->hour *= pow(2, -passed_s / HOUR_S);
    state->week *= pow(2, -passed_s / WEEK_S);
    for (unsigned i = 0; i < state->slot_count; i++) {
        state->slot[i].spam *= kept;
        state->slot[i].ham *= kept;
    }
    state->at_s = now_s;
}

uint64_t reputation_life_ms(const struct reputation_level_settings *level,
                            const struct reputation_state *state)
{
    const double weight = state->spam + state->ham;

    return (uint64_t)((double)level->half_life_ms * log2(LIFE_TIMES * (weight > 1 ? weight : 1)));
}

// ---- how much mail

void reputation_add_volume(const struct reputation_level_settings *level, double mails,
                           uint32_t now_s, struct reputation_state *state)
{
    reputation_decay(state, now_s, (double)level->half_life_ms / 1000);
    state->hour += mails;
    state->week += mails;
}

// Mails an hour of a counter: what it would hold at a steady rate is rate * half-life / ln 2.
static double rate_of(double held, double passed_s, double half_life_s)
{
    static const double LN_2 = 0.693147180559945309417;

    return held * pow(2, -passed_s / half_life_s) * LN_2 / (half_life_s / HOUR_S);
}

bool reputation_surges(const struct reputation_state *state, double p, uint64_t now_ms,
                       double least, double ratio)
{
    static const double YOUNG_DAYS = 7, GOOD = 0.1;
    const double now_s = floor((double)now_ms / 1000);
    const double passed_s = now_s > state->at_s ? now_s - state->at_s : 0;
    const double hour = rate_of(state->hour, passed_s, HOUR_S);
    const double week = rate_of(state->week, passed_s, WEEK_S);
    const bool is_young = floor(now_s / DAY_S) - state->first_day < YOUNG_DAYS;

    return state->hour * pow(2, -passed_s / HOUR_S) >= least && (hour + 1) / (week + 1) >= ratio &&
           (is_young || p > GOOD);
}
