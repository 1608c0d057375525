"""What an operator asks: status, what is parked, progress (``halo status``)."""
