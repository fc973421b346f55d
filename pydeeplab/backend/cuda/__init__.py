"""The CUDA backend: kernels/cuda through ctypes.

Two libraries with the same functions can be built from the same sources: by nvcc for GPUs (backend ``cuda``), and by
g++ for the host, which runs the kernels' threads one after another (backend ``cuda-emulation``): slow, but the very
indices, bounds and interfaces of the GPU's.
"""
