/* First in a file that may fuse multiplications with additions, where the processor can. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=fast")
#endif
