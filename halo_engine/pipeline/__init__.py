"""The few flows of the engine, each readable on one screen: react, activate, re-evaluate, tick."""
