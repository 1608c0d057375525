"""What one worker and one beat do for all of these tests."""
