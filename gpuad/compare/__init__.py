"""The main job, ``gpuad compare``: train a network on real digits, and hold its gradient against four others.

One noun, one file: :mod:`options` (what was asked for), :mod:`digits` (the data), :mod:`network` (the loss,
plain NumPy), :mod:`handwritten` (its backward pass, as one used to write it), :mod:`device`, :mod:`train`,
:mod:`progress`, :mod:`check` (differences and bounds), :mod:`timing`, :mod:`report` (table and JSON),
:mod:`picture`, :mod:`run`.
"""
