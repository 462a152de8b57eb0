"""The simulated shop: people of known tastes who live against the real pipeline."""
