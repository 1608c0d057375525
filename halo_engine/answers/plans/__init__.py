"""What a save would do: to whom is in the series, and to those outside."""
