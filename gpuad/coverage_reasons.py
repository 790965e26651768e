"""Why functions of NumPy and SciPy have no differential: what ``gpuad.coverage`` says of those that are not in the table.

A function is passed through where no array could be under differentiation (it takes none, or only sizes, settings, integers or
files), and refused where one could. Names that a version of NumPy or SciPy does not have do no harm.
"""
from __future__ import annotations

A_CLASS = "a class"

PASSED: dict[str, dict[str, str]] = {
    "numpy": {
        "reads or writes files and buffers": """
            load save savetxt savez savez_compressed loadtxt genfromtxt fromfile fromregex frombuffer fromstring from_dlpack""",
        "text from and of numbers": """
            base_repr binary_repr format_float_positional format_float_scientific datetime_as_string""",
        "about dtypes": """
            promote_types issubdtype isdtype mintypecode typename datetime_data""",
        "about objects, not their entries": """
            isscalar iterable isfortran broadcast_shapes nested_iters""",
        "settings": """
            geterr seterr geterrcall seterrcall getbufsize setbufsize get_printoptions set_printoptions printoptions""",
        "about the installation": "get_include info show_config show_runtime test",
        "makes an array from sizes": """
            tri indices fromfunction diag_indices mask_indices tril_indices triu_indices
            bartlett blackman hamming hanning""",
        "makes a function of other functions": "frompyfunc",
        "integers from integers": """
            gcd lcm bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_invert invert bitwise_count bitwise_left_shift
            bitwise_right_shift left_shift right_shift packbits unpackbits ravel_multi_index unravel_index""",
        "dates": "busday_count busday_offset is_busday isnat",
    },
    "numpy.linalg": {"about the installation": "test"},
    "numpy.fft": {"about the installation": "test", "makes an array from sizes": "fftfreq rfftfreq"},
}
"""Module -> reason -> names."""

REFUSED: dict[str, dict[str, str]] = {
    "numpy": {
        "the numpy.matrix class holds plain numbers only": "asmatrix bmat",
    },
}
"""Module -> reason -> names."""

DEFAULTS = dict.fromkeys(
    ("scipy.fft", "scipy.integrate", "scipy.linalg", "scipy.signal", "scipy.sparse", "scipy.sparse.linalg", "scipy.special",
     "scipy.stats"), "no differential is stated: ad.primitive makes it a node")
"""Module -> the reason for functions of it that are named nowhere."""

METHODS: dict[str, dict[str, str]] = {
    "constant": {"": """
        __lt__ __le__ __gt__ __ge__ __eq__ __ne__ __floordiv__ __rfloordiv__ __invert__ __bool__ __contains__"""},
    "passed through": {"about the array, not its entries": """
        shape dtype ndim size itemsize nbytes device __len__ __array_namespace__"""},
    "refused": {
        "the result would be a plain number, text or buffer, without the derivative": """
            item tolist tobytes tofile tostring dump dumps __float__ __int__ __complex__ __index__""",
        "memory": "base byteswap ctypes data flags getfield newbyteorder setfield setflags strides view",
        "integers": """
            __and__ __iand__ __rand__ __or__ __ior__ __ror__ __xor__ __ixor__ __rxor__ __lshift__ __ilshift__ __rlshift__
            __rshift__ __irshift__ __rrshift__""",
    },
}
"""Status -> reason -> methods and attributes of ndarray; the others have the status of the function of their name."""
