#include "gemm_threads.h"
