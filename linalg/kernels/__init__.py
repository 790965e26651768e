"""What runs on the device and has no function of CuPy's: the only files besides ``linalg/arrays.py`` that name CuPy."""
