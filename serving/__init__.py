"""The service: a bundle and a person's history become a list, events come in."""
