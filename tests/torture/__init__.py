"""What takes minutes: `make torture`."""
