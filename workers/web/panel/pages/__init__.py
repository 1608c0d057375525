"""The pages of the panel, a module for each subject; ``table`` has them all."""
