"""Offline work: fit, evaluate, cycle; its result is a bundle."""
