"""Learning from what people watch and buy, and turning it into lists; no network, no clock."""
