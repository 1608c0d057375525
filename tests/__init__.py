"""What the engine promises, as tests: each says in one sentence what it proves."""
