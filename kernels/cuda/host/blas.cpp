/* cublasSgemmStridedBatched by the host's BLAS, whose sgemm comes in place of the handle. */
typedef void Sgemm(const char *transpose_a, const char *transpose_b, const int *m, const int *n, const int *k,
                   const float *alpha, const float *a, const int *lda, const float *b, const int *ldb,
                   const float *beta, float *c, const int *ldc);

extern "C" __attribute__((visibility("default"))) int
host_sgemm(void *handle, int transpose_a, int transpose_b, int m, int n, int k, const float *alpha, const float *a,
           int lda, long long a_step, const float *b, int ldb, long long b_step, const float *beta, float *c, int ldc,
           long long c_step, int batch) {
    for (int i = 0; i < batch; i++)
        ((Sgemm *)handle)(transpose_a ? "T" : "N", transpose_b ? "T" : "N", &m, &n, &k, alpha, a + i * a_step, &lda,
                          b + i * b_step, &ldb, beta, c + i * c_step, &ldc);
    return 0;
}
