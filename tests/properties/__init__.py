"""The engine and the independent model of the contract, driven side by side."""
