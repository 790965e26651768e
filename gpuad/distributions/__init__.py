"""The distributions of scipy.stats: densities as formulas, and all that follows from them."""
