/* The body of winograd_transforms.c, included once per instruction set with IN_SET(name) naming its functions.
 *
 * Cook-Toom algorithms F(m, 3) at the points 0, 1, -1 and infinity, with 2 (m = 3), +-2 (m = 4), +-2 and +-1/2 (m = 6);
 * for m = 6 the points +-1/2 are scaled by 32, which leaves whole numbers in the output's transform.
 */

/* B^T: input samples d to products' factors. */
INLINE void IN_SET(input_line)(const int m, const Vector *d, Vector *o)
{
    if (m == 2) {
        o[0] = d[0] - d[2];
        o[1] = d[1] + d[2];
        o[2] = d[2] - d[1];
        o[3] = d[3] - d[1];
    } else if (m == 3) {
        const Vector twice = d[1] + d[1], odd = d[3] - d[1];
        o[0] = (d[0] - d[2]) * 2.0f + odd;
        o[1] = d[3] - d[2] - twice;
        o[2] = d[3] + twice - d[2] * 3.0f;
        o[3] = odd;
        o[4] = d[4] - d[2] - odd * 2.0f;
    } else if (m == 4) {
        const Vector even = d[4] - d[2] * 4.0f, odd = d[3] - d[1] * 4.0f;
        const Vector even2 = d[4] - d[2], odd2 = (d[3] - d[1]) * 2.0f;
        o[0] = d[0] * 4.0f - d[2] * 5.0f + d[4];
        o[1] = even + odd;
        o[2] = even - odd;
        o[3] = even2 + odd2;
        o[4] = even2 - odd2;
        o[5] = d[1] * 4.0f - d[3] * 5.0f + d[5];
    } else {
        const Vector even = d[2] + d[6] - d[4] * 4.25f, odd = d[1] + d[5] - d[3] * 4.25f;
        const Vector even2 = d[6] + d[2] * 0.25f - d[4] * 1.25f, odd2 = d[1] * 0.5f - d[3] * 2.5f + d[5] * 2.0f;
        const Vector even3 = d[6] + (d[2] - d[4] * 1.25f) * 4.0f, odd3 = d[1] * 2.0f - d[3] * 2.5f + d[5] * 0.5f;
        o[0] = d[0] - d[6] + (d[4] - d[2]) * 5.25f;
        o[1] = even + odd;
        o[2] = even - odd;
        o[3] = even2 + odd2;
        o[4] = even2 - odd2;
        o[5] = even3 + odd3;
        o[6] = even3 - odd3;
        o[7] = d[7] - d[1] + (d[3] - d[5]) * 5.25f;
    }
}

/* A^T: products to output samples. */
INLINE void IN_SET(output_line)(const int m, const Vector *d, Vector *o)
{
    const Vector sum = d[1] + d[2], difference = d[1] - d[2];
    if (m == 2) {
        o[0] = d[0] + sum;
        o[1] = difference + d[3];
    } else if (m == 3) {
        o[0] = d[0] + sum + d[3];
        o[1] = difference + d[3] * 2.0f;
        o[2] = sum + d[3] * 4.0f + d[4];
    } else if (m == 4) {
        const Vector sum2 = d[3] + d[4], difference2 = d[3] - d[4];
        o[0] = d[0] + sum + sum2;
        o[1] = difference + difference2 * 2.0f;
        o[2] = sum + sum2 * 4.0f;
        o[3] = difference + difference2 * 8.0f + d[5];
    } else {
        const Vector sum2 = d[3] + d[4], difference2 = d[3] - d[4], sum3 = d[5] + d[6], difference3 = d[5] - d[6];
        o[0] = d[0] + sum + sum2 + sum3 * 32.0f;
        o[1] = difference + difference2 * 2.0f + difference3 * 16.0f;
        o[2] = sum + sum2 * 4.0f + sum3 * 8.0f;
        o[3] = difference + difference2 * 8.0f + difference3 * 4.0f;
        o[4] = sum + sum2 * 16.0f + sum3 * 2.0f;
        o[5] = difference + difference2 * 32.0f + difference3 + d[7];
    }
}

/* A, the adjoint of output_line. */
INLINE void IN_SET(output_gradient_line)(const int m, const Vector *d, Vector *o)
{
    o[0] = d[0];
    if (m == 2) {
        o[1] = d[0] + d[1];
        o[2] = d[0] - d[1];
        o[3] = d[1];
    } else if (m == 3) {
        const Vector even = d[0] + d[2];
        o[1] = even + d[1];
        o[2] = even - d[1];
        o[3] = d[0] + d[1] * 2.0f + d[2] * 4.0f;
        o[4] = d[2];
    } else if (m == 4) {
        const Vector even = d[0] + d[2], odd = d[1] + d[3];
        const Vector even2 = d[0] + d[2] * 4.0f, odd2 = d[1] * 2.0f + d[3] * 8.0f;
        o[1] = even + odd;
        o[2] = even - odd;
        o[3] = even2 + odd2;
        o[4] = even2 - odd2;
        o[5] = d[3];
    } else {
        const Vector even = d[0] + d[2] + d[4], odd = d[1] + d[3] + d[5];
        const Vector even2 = d[0] + d[2] * 4.0f + d[4] * 16.0f, odd2 = d[1] * 2.0f + d[3] * 8.0f + d[5] * 32.0f;
        const Vector even3 = d[0] * 32.0f + d[2] * 8.0f + d[4] * 2.0f, odd3 = d[1] * 16.0f + d[3] * 4.0f + d[5];
        o[1] = even + odd;
        o[2] = even - odd;
        o[3] = even2 + odd2;
        o[4] = even2 - odd2;
        o[5] = even3 + odd3;
        o[6] = even3 - odd3;
        o[7] = d[5];
    }
}

/* G: filter taps to products' factors. */
INLINE void IN_SET(filter_line)(const int m, const Vector *d, Vector *o)
{
    const Vector even = d[0] + d[2];
    if (m == 2) {
        o[0] = d[0];
        o[1] = (even + d[1]) * 0.5f;
        o[2] = (even - d[1]) * 0.5f;
        o[3] = d[2];
    } else if (m == 3) {
        o[0] = d[0] * 0.5f;
        o[1] = (even + d[1]) * -0.5f;
        o[2] = (d[1] - even) * (1.0f / 6);
        o[3] = (d[0] + d[1] * 2.0f + d[2] * 4.0f) * (1.0f / 6);
        o[4] = d[2];
    } else if (m == 4) {
        const Vector even2 = d[0] + d[2] * 4.0f, odd2 = d[1] * 2.0f;
        o[0] = d[0] * 0.25f;
        o[1] = (even + d[1]) * (-1.0f / 6);
        o[2] = (even - d[1]) * (-1.0f / 6);
        o[3] = (even2 + odd2) * (1.0f / 24);
        o[4] = (even2 - odd2) * (1.0f / 24);
        o[5] = d[2];
    } else {
        const Vector even2 = d[0] + d[2] * 4.0f, odd2 = d[1] * 2.0f, even3 = d[0] * 4.0f + d[2];
        o[0] = d[0];
        o[1] = (even + d[1]) * (-2.0f / 9);
        o[2] = (even - d[1]) * (-2.0f / 9);
        o[3] = (even2 + odd2) * (1.0f / 90);
        o[4] = (even2 - odd2) * (1.0f / 90);
        o[5] = (even3 + odd2) * (1.0f / 180);
        o[6] = (even3 - odd2) * (1.0f / 180);
        o[7] = d[2];
    }
}

/* G^T, the adjoint of filter_line. */
INLINE void IN_SET(filter_gradient_line)(const int m, const Vector *d, Vector *o)
{
    if (m == 2) {
        const Vector even = (d[1] + d[2]) * 0.5f;
        o[0] = d[0] + even;
        o[1] = (d[1] - d[2]) * 0.5f;
        o[2] = even + d[3];
    } else if (m == 3) {
        const Vector half = d[1] * -0.5f, sixth = d[2] * (1.0f / 6), third = d[3] * (1.0f / 6);
        o[0] = d[0] * 0.5f + half - sixth + third;
        o[1] = half + sixth + third * 2.0f;
        o[2] = half - sixth + third * 4.0f + d[4];
    } else if (m == 4) {
        const Vector even = (d[1] + d[2]) * (-1.0f / 6), odd = (d[1] - d[2]) * (-1.0f / 6);
        const Vector even2 = (d[3] + d[4]) * (1.0f / 24), odd2 = (d[3] - d[4]) * (1.0f / 24);
        o[0] = d[0] * 0.25f + even + even2;
        o[1] = odd + odd2 * 2.0f;
        o[2] = even + even2 * 4.0f + d[5];
    } else {
        const Vector even = (d[1] + d[2]) * (-2.0f / 9), odd = (d[1] - d[2]) * (-2.0f / 9);
        const Vector even2 = (d[3] + d[4]) * (1.0f / 90), odd2 = (d[3] - d[4]) * (1.0f / 90);
        const Vector even3 = (d[5] + d[6]) * (1.0f / 180), odd3 = (d[5] - d[6]) * (1.0f / 180);
        o[0] = d[0] + even + even2 + even3 * 4.0f;
        o[1] = odd + (odd2 + odd3) * 2.0f;
        o[2] = even + even2 * 4.0f + even3 + d[7];
    }
}

/* `count` samples of a row of eight tiles; more may be set. */
INLINE void IN_SET(load_row)(const int count, const float *row, const Spots *spots, Vector *samples)
{
    const int32_t *at = spots->offset;
    const ptrdiff_t rate = spots->rate;
    if (rate == 1) {
#pragma GCC unroll 8
        for (int l = 0; l < LANES; l++)
            samples[l] = *(const Vector *)(row + at[l]);
        transpose(samples);
        return;
    }
    switch (spots->together) {
    case 8:
#pragma GCC unroll 8
        for (int j = 0; j < count; j++)
            samples[j] = *(const Vector *)(row + at[0] + j * rate);
        return;
    case 4:
#pragma GCC unroll 8
        for (int j = 0; j < count; j++) {
            const Four *low = (const Four *)(row + at[0] + j * rate), *high = (const Four *)(row + at[4] + j * rate);
            samples[j] = (Vector)(Pairs){(*low)[0], (*low)[1], (*high)[0], (*high)[1]};
        }
        return;
    case 2:
#pragma GCC unroll 8
        for (int j = 0; j < count; j++) {
            const float *from = row + j * rate;
            samples[j] = (Vector)(Pairs){*(const Pair *)(from + at[0]), *(const Pair *)(from + at[2]),
                                      *(const Pair *)(from + at[4]), *(const Pair *)(from + at[6])};
        }
        return;
    default:
#pragma GCC unroll 8
        for (int j = 0; j < count; j++) {
            const float *from = row + j * rate;
            samples[j] = (Vector){from[at[0]], from[at[1]], from[at[2]], from[at[3]],
                               from[at[4]], from[at[5]], from[at[6]], from[at[7]]};
        }
    }
}

/* The first `count` samples of a row of eight tiles. */
INLINE void IN_SET(store_row)(const int count, Vector *samples, float *row, const Spots *spots)
{
    const int32_t *at = spots->offset;
    const ptrdiff_t rate = spots->rate;
    if (rate == 1) {
        transpose(samples);
#pragma GCC unroll 8
        for (int l = 0; l < LANES; l++)
            *(Vector *)(row + at[l]) = samples[l];
        return;
    }
    switch (spots->together) {
    case 8:
#pragma GCC unroll 8
        for (int j = 0; j < count; j++)
            *(Vector *)(row + at[0] + j * rate) = samples[j];
        return;
    case 4:
#pragma GCC unroll 8
        for (int j = 0; j < count; j++) {
            const Pairs pairs = (Pairs)samples[j];
            *(Four *)(row + at[0] + j * rate) = (Four){pairs[0], pairs[1]};
            *(Four *)(row + at[4] + j * rate) = (Four){pairs[2], pairs[3]};
        }
        return;
    case 2:
#pragma GCC unroll 8
        for (int j = 0; j < count; j++)
#pragma GCC unroll 4
            for (int l = 0; l < LANES; l += 2)
                *(Pair *)(row + at[l] + j * rate) = ((Pairs)samples[j])[l / 2];
        return;
    default:
#pragma GCC unroll 8
        for (int j = 0; j < count; j++)
#pragma GCC unroll 8
            for (int l = 0; l < LANES; l++)
                row[at[l] + j * rate] = samples[j][l];
    }
}

INLINE void IN_SET(store_value)(Vector value, float *to)
{
    *(Vector *)to = value;
    __builtin_prefetch(to + AHEAD, 1);
}

/* A transform of tiles of `side` samples a side to n x n values: `along` is the transform of a line. */
INLINE void IN_SET(tiles)(const int m, const int side, void (*along)(const int, const Vector *, Vector *), const float *plane,
                          const Spots *spots, float *to, ptrdiff_t step)
{
    const int n = m + 2;
    Vector half[LANES][LANES];
#pragma GCC unroll 1
    for (int i = 0; i < side; i++) {
        Vector samples[LANES];
        IN_SET(load_row)(side, plane + i * spots->line, spots, samples);
        along(m, samples, half[i]);
    }
#pragma GCC unroll 1
    for (int j = 0; j < n; j++) {
        Vector samples[LANES], values[LANES];
#pragma GCC unroll 8
        for (int i = 0; i < side; i++)
            samples[i] = half[i][j];
        along(m, samples, values);
#pragma GCC unroll 8
        for (int i = 0; i < n; i++)
            IN_SET(store_value)(values[i], to + (i * n + j) * step);
    }
}

INLINE void IN_SET(output)(const int m, const float *from, ptrdiff_t step, float *plane, const Spots *spots)
{
    const int n = m + 2;
    Vector half[LANES][LANES];
#pragma GCC unroll 1
    for (int j = 0; j < n; j++) {
        Vector products[LANES], samples[LANES];
#pragma GCC unroll 8
        for (int i = 0; i < n; i++) {
            products[i] = *(const Vector *)(from + (i * n + j) * step);
            __builtin_prefetch(from + (i * n + j) * step + AHEAD);
        }
        IN_SET(output_line)(m, products, samples);
#pragma GCC unroll 8
        for (int i = 0; i < m; i++)
            half[i][j] = samples[i];
    }
#pragma GCC unroll 1
    for (int i = 0; i < m; i++) {
        Vector samples[LANES] = {{0}};
        IN_SET(output_line)(m, half[i], samples);
        IN_SET(store_row)(m, samples, plane + i * spots->line, spots);
    }
}

INLINE void IN_SET(filter)(const int m, const float *const *filters, const float *factors, const int turned, float *to,
                           ptrdiff_t step)
{
    const int n = m + 2;
    Vector taps[TAPS], half[3][LANES];
#pragma GCC unroll 8
    for (int l = 0; l < LANES; l++) {
        taps[l] = *(const Vector *)filters[l];
        taps[TAPS - 1][l] = filters[l][TAPS - 1];
    }
    transpose(taps);
#pragma GCC unroll 9
    for (int t = 0; t < TAPS; t++)
        taps[t] *= *(const Vector *)factors;
#pragma GCC unroll 3
    for (int v = 0; v < 3; v++) {
        Vector column[3];
#pragma GCC unroll 3
        for (int u = 0; u < 3; u++)
            column[u] = turned ? taps[TAPS - 1 - 3 * u - v] : taps[3 * u + v];
        IN_SET(filter_line)(m, column, half[v]);
    }
#pragma GCC unroll 1
    for (int i = 0; i < n; i++) {
        const Vector row[3] = {half[0][i], half[1][i], half[2][i]};
        Vector values[LANES];
        IN_SET(filter_line)(m, row, values);
#pragma GCC unroll 8
        for (int j = 0; j < n; j++)
            IN_SET(store_value)(values[j], to + (i * n + j) * step);
    }
}

INLINE void IN_SET(filter_gradient)(const int m, const float *from, ptrdiff_t step, float *taps)
{
    const int n = m + 2;
    Vector half[3][LANES];
#pragma GCC unroll 1
    for (int j = 0; j < n; j++) {
        Vector products[LANES], column[3];
#pragma GCC unroll 8
        for (int i = 0; i < n; i++) {
            products[i] = *(const Vector *)(from + (i * n + j) * step);
            __builtin_prefetch(from + (i * n + j) * step + AHEAD);
        }
        IN_SET(filter_gradient_line)(m, products, column);
#pragma GCC unroll 3
        for (int u = 0; u < 3; u++)
            half[u][j] = column[u];
    }
    Vector made[TAPS];
#pragma GCC unroll 3
    for (int u = 0; u < 3; u++)
        IN_SET(filter_gradient_line)(m, half[u], made + 3 * u);
    transpose(made);
#pragma GCC unroll 8
    for (int l = 0; l < LANES; l++) {
        *(Vector *)(taps + TAPS * l) = made[l];
        taps[TAPS * l + TAPS - 1] = made[TAPS - 1][l];
    }
}

#define OF_SIZE(m)                                                                                                        \
    static void IN_SET(input_##m)(const float *plane, Spots spots, float *to, ptrdiff_t step)                             \
    {                                                                                                                     \
        IN_SET(tiles)(m, m + 2, IN_SET(input_line), plane, &spots, to, step);                                             \
    }                                                                                                                     \
    static void IN_SET(output_##m)(const float *from, ptrdiff_t step, float *plane, Spots spots)                          \
    {                                                                                                                     \
        IN_SET(output)(m, from, step, plane, &spots);                                                                     \
    }                                                                                                                     \
    static void IN_SET(output_gradient_##m)(const float *plane, Spots spots, float *to, ptrdiff_t step)                   \
    {                                                                                                                     \
        IN_SET(tiles)(m, m, IN_SET(output_gradient_line), plane, &spots, to, step);                                       \
    }                                                                                                                     \
    static void IN_SET(filter_##m)(const float *const *filters, const float *factors, int turned, float *to,              \
                                   ptrdiff_t step)                                                                        \
    {                                                                                                                     \
        if (turned)                                                                                                       \
            IN_SET(filter)(m, filters, factors, 1, to, step);                                                             \
        else                                                                                                              \
            IN_SET(filter)(m, filters, factors, 0, to, step);                                                             \
    }                                                                                                                     \
    static void IN_SET(filter_gradient_##m)(const float *from, ptrdiff_t step, float *taps)                               \
    {                                                                                                                     \
        IN_SET(filter_gradient)(m, from, step, taps);                                                                     \
    }                                                                                                                     \
    static const Transforms IN_SET(transforms_##m) = {IN_SET(input_##m), IN_SET(output_##m), IN_SET(filter_##m),          \
                                                      IN_SET(output_gradient_##m), IN_SET(filter_gradient_##m)};

OF_SIZE(2)
OF_SIZE(3)
OF_SIZE(4)
OF_SIZE(6)
#undef OF_SIZE

static const Transforms *IN_SET(find)(int m)
{
    switch (m) {
    case 2: return &IN_SET(transforms_2);
    case 3: return &IN_SET(transforms_3);
    case 4: return &IN_SET(transforms_4);
    case 6: return &IN_SET(transforms_6);
    default: return NULL;
    }
}
