"""The statements that the engine sends: their names, their texts, their plans."""
