"""Native kernels for the CPU, compiled from kernels/cpu."""
