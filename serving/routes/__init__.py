"""HTTP: what each path takes and gives; rules live elsewhere."""
