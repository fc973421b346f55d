"""The layers: one module per type, or per family where the family shares its arithmetic."""
