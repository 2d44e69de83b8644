"""Models that are trained by likelihood, or by a bound of it: one file each."""
