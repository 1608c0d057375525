"""The contract, played: scenario files that the engine and the model must both hold."""
