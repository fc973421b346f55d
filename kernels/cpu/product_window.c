#include "conv_window.c"
