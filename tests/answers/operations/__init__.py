"""What operators are told of an installation: its measures, and what is unusual."""
