"""The broker: how messages are read, taken, given back and set aside."""
