"""The definition of every kernel, in plain NumPy: slow, clear, in the type of its arrays (float32 or float64)."""
