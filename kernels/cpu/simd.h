/* Run-time choice of the instruction set for hot loops.
 *
 * Put VECTORISED before a function whose loops should be compiled for AVX-512, AVX2 and baseline; the loader picks the
 * best when the library is loaded. Keep OpenMP directives out of such a function (the outlined loop body would lose the
 * choice): the parallel loop belongs to its caller.
 */
#ifndef PYDEEPLAB_SIMD_H
#define PYDEEPLAB_SIMD_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__gnu_linux__)
#define VECTORISED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), noinline))
#else
#define VECTORISED
#endif

#endif
