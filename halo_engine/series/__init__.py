"""Series as they are stored: reading them for the engine, saving what a user wrote."""
