"""Models behind one contract; `table.py` is the closed table of them."""
