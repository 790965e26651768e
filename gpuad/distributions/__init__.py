"""The distributions of scipy.stats: densities as formulas, and all that follows from them."""
import gpuad.scipy.special  # noqa: F401 (enters the functions that the formulas are written with)
