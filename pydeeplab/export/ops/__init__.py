"""How each layer is said in ONNX's operators, one module per family."""
