"""Why functions of NumPy and SciPy have no differential: what ``gpuad.coverage`` says of those that are not in the table.

A function is passed through where no argument could be under differentiation (it takes none, or only sizes, settings, integers
or files), and refused where one could. Names that a version of NumPy or SciPy does not have do no harm.
"""
from __future__ import annotations

DIFFERENTIABLE, CONSTANT, PASSED_THROUGH, REFUSED_FOR, UNCLASSIFIED = STATUSES = (
    "differentiable", "constant", "passed through", "refused", "unclassified")
"""What may become of a function; unclassified are names that this version of gpuad does not know."""

A_CLASS = "a class"
NEW = "makes an array from sizes"
DTYPES = "about dtypes"
FILES = "reads or writes files and buffers"
INSTALLATION = "about the installation"
INTEGERS = "integers from integers"
OBJECTS = "about objects, not their entries"
SETTINGS = "settings"

PASSED: dict[str, dict[str, str]] = {
    "numpy": {
        FILES: """
            load save savetxt savez savez_compressed loadtxt genfromtxt fromfile fromregex frombuffer fromstring from_dlpack""",
        "text from and of numbers": """
            base_repr binary_repr format_float_positional format_float_scientific datetime_as_string""",
        DTYPES: "promote_types issubdtype isdtype mintypecode typename datetime_data",
        OBJECTS: "isfortran broadcast_shapes nested_iters",
        SETTINGS: """
            geterr seterr geterrcall seterrcall getbufsize setbufsize get_printoptions set_printoptions printoptions""",
        INSTALLATION: "get_include info show_config show_runtime test",
        NEW: """
            tri indices fromfunction diag_indices mask_indices tril_indices triu_indices bartlett blackman hamming hanning""",
        "makes a function of other functions": "frompyfunc",
        INTEGERS: """
            gcd lcm bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_invert invert bitwise_count bitwise_left_shift
            bitwise_right_shift left_shift right_shift packbits unpackbits ravel_multi_index unravel_index""",
        "dates": "busday_count busday_offset is_busday isnat",
    },
    "numpy.linalg": {INSTALLATION: "test"},
    "numpy.fft": {INSTALLATION: "test"},
    "scipy.fft": {
        INSTALLATION: "test",
        INTEGERS: "next_fast_len prev_fast_len",
        SETTINGS: "get_workers set_workers set_backend set_global_backend skip_backend register_backend",
    },
    "scipy.integrate": {INSTALLATION: "test", NEW: "lebedev_rule"},
    "scipy.linalg": {
        INSTALLATION: "test find_best_blas_type get_blas_funcs get_lapack_funcs",
        NEW: "dft hadamard helmert hilbert invhilbert invpascal pascal",
    },
    "scipy.signal": {
        INSTALLATION: "test",
        NEW: "max_len_seq unit_impulse correlation_lags",
        "a filter of a given order": "besselap buttap cheb1ap cheb2ap ellipap",
    },
    "scipy.sparse": {
        FILES: "load_npz save_npz",
        NEW: "eye eye_array identity rand random random_array",
        DTYPES: "get_index_dtype safely_cast_index_arrays",
        OBJECTS: """
            issparse isspmatrix isspmatrix_bsr isspmatrix_coo isspmatrix_csc isspmatrix_csr isspmatrix_dia isspmatrix_dok
            isspmatrix_lil""",
    },
    "scipy.sparse.linalg": {INSTALLATION: "test", SETTINGS: "use_solver", OBJECTS: "is_sptriangular spbandwidth"},
    "scipy.special": {
        INSTALLATION: "test",
        SETTINGS: "geterr seterr",
        INTEGERS: "bernoulli euler factorial2 factorialk stirling2",
        "zeros of a function, by their number": """
            ai_zeros bi_zeros bei_zeros beip_zeros ber_zeros berp_zeros erf_zeros fresnel_zeros fresnelc_zeros fresnels_zeros
            jn_zeros jnjnp_zeros jnp_zeros jnyn_zeros kei_zeros keip_zeros kelvin_zeros ker_zeros kerp_zeros y0_zeros y1_zeros
            y1p_zeros yn_zeros ynp_zeros""",
        "nodes and weights of a given order": """
            c_roots h_roots he_roots l_roots p_roots ps_roots s_roots t_roots ts_roots u_roots us_roots roots_chebyc roots_chebys
            roots_chebyt roots_chebyu roots_hermite roots_hermitenorm roots_laguerre roots_legendre roots_sh_chebyt
            roots_sh_chebyu roots_sh_legendre""",
        "makes a numpy.poly1d of a given degree": """
            chebyc chebys chebyt chebyu hermite hermitenorm laguerre legendre sh_chebyt sh_chebyu sh_legendre""",
    },
    "scipy.stats": {INSTALLATION: "test"},
}
"""Module -> reason -> names."""

TEST = "a test of a hypothesis, whose statistics and p-values are for reading"

REFUSED: dict[str, dict[str, str]] = {
    "numpy": {
        "an object of the class numpy.matrix holds plain numbers only": "asmatrix bmat",
        "how many entries there are would depend on values: use linspace": "arange",
        "reads plain numbers one by one: use stack": "fromiter",
        "an old name: use isin and trapezoid": "in1d trapz",
        "about the layout in memory, which traced arrays do not have: use asarray": "asarray_chkfinite asfortranarray require",
    },
    "scipy.signal": {
        "designs a filter, or windows and waveforms, from numbers that are settings": """
            bessel butter buttord cheb1ord cheb2ord cheby1 cheby2 ellip ellipord firls firwin firwin2 firwin_2d remez iircomb
            iirdesign iirfilter iirnotch iirpeak gammatone kaiser_atten kaiser_beta kaiserord band_stop_obj get_window
            savgol_coeffs minimum_phase chirp gausspulse sawtooth square sweep_poly gauss_spline""",
        "gives positions, which jump": """
            argrelextrema argrelmax argrelmin find_peaks find_peaks_cwt peak_prominences peak_widths""",
        "about settings": "check_COLA check_NOLA choose_conv_method closest_STFT_dual_window findfreqs",
    },
    "scipy.stats": {
        TEST: """
            alexandergovern anderson anderson_ksamp ansari barnard_exact bartlett binomtest boschloo_exact brunnermunzel bws_test
            chatterjeexi chi2_contingency chisquare combine_pvalues cramervonmises cramervonmises_2samp dunnett
            epps_singleton_2samp f_oneway false_discovery_control fisher_exact fligner friedmanchisquare goodness_of_fit
            jarque_bera kendalltau kruskal ks_1samp ks_2samp kstest kurtosistest levene logrank mannwhitneyu median_test
            monte_carlo_test mood multiscale_graphcorr normaltest page_trend_test permutation_test poisson_means_test
            power power_divergence quantile_test ranksums shapiro skewtest somersd spearmanr tukey_hsd ttest_1samp ttest_ind
            ttest_ind_from_stats ttest_rel weightedtau wilcoxon""",
        "ranks and counts, which jump": "cumfreq relfreq rankdata percentileofscore tiecorrect",
    },
}
"""Module -> reason -> names."""

DEFAULTS = dict.fromkeys(
    ("scipy.fft", "scipy.integrate", "scipy.linalg", "scipy.signal", "scipy.sparse", "scipy.sparse.linalg", "scipy.special",
     "scipy.stats"), "no differential is stated: ad.primitive makes it a node")
"""Module -> the reason for functions of it that are named nowhere."""

METHODS: dict[str, dict[str, str]] = {
    CONSTANT: {"": """
        __lt__ __le__ __gt__ __ge__ __eq__ __ne__ __floordiv__ __rfloordiv__ __ifloordiv__ __invert__ __bool__ __contains__"""},
    PASSED_THROUGH: {"about the array, not its entries": """
        shape dtype ndim size itemsize nbytes device __len__"""},
    REFUSED_FOR: {
        "the result would be a plain number, text or buffer, without the derivative": """
            item tolist tobytes tofile tostring dump dumps itemset __float__ __int__ __complex__ __index__""",
        "memory": "base byteswap ctypes data flags getfield newbyteorder resize setfield setflags strides to_device view",
        "arrays lose no entries, NumPy's neither": "__delitem__",
        "integers": """
            choose __and__ __iand__ __rand__ __or__ __ior__ __ror__ __xor__ __ixor__ __rxor__ __lshift__ __ilshift__ __rlshift__
            __rshift__ __irshift__ __rrshift__""",
    },
}
"""Status -> reason -> methods and attributes of ndarray; the others have the status of the function of their name."""
