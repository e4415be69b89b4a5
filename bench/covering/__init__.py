"""What `bench/coverage.py` runs: the cases, the truth behind each, and the counting of hits."""
