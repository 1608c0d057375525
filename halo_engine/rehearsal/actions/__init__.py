"""What a timeline may do: each action calls the door that applications or operators use."""
