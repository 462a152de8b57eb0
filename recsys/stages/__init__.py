"""What may only remove, only change scores, or only reorder."""
