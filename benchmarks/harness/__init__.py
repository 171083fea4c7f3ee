"""What the benchmarks share: rows, the page made from them, timing, and plain counterparts."""
