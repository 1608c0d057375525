"""`halo sql`: the statements that the engine sends, for people to read."""
