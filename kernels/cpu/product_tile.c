#include "gemm_tile_body.h"
