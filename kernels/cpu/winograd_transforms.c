#include "winograd_transforms.h"

/* Floats between a value and what is fetched meanwhile: each value has a stream of its own, more than the hardware follows. */
enum { AHEAD = 16 };

/* Floats that are moved together. */
typedef double Pair __attribute__((aligned(4), may_alias));
typedef double Four __attribute__((vector_size(16), aligned(4), may_alias));
typedef double Pairs __attribute__((vector_size(32), aligned(4), may_alias));

#define IN_SET(name) name##_plain
#include "winograd_lanes.h"
#undef IN_SET

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define AVX2 1
#pragma GCC push_options
#pragma GCC target("avx2,prfchw")
#define IN_SET(name) name##_avx2
#include "winograd_lanes.h"
#undef IN_SET
#pragma GCC pop_options
#endif

const Transforms *winograd_transforms(int m)
{
#ifdef AVX2
    if (__builtin_cpu_supports("avx2"))
        return find_avx2(m);
#endif
    return find_plain(m);
}
