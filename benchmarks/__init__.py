"""Benchmarks of gpuad beside its peers: `python -m benchmarks --help`.

harness      alternates contestants in one loop and keeps the seconds of every round
networks     tanh networks of four sizes: the data and the loss, written once over a namespace
handwritten  the backward pass that a careful NumPy user writes by hand
peers        each library as its own users would write the same gradient
operations   cost of one operation in a chain of tiny arrays; chains of up to 100,000 operations
workloads    what is measured on which device, and the record that comes of it
worker       one process with a fixed number of threads
machine      what the results were measured on
acceptance   what was promised, beside what was measured
report       tables, JSON and markdown
"""
