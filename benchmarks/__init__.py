"""Benchmarks of gpuad beside its peers: `python -m benchmarks --help`.

harness         alternates contestants in one loop and keeps the seconds of every round
programs        the programs, a family to a file: data, the loss in each library's words, the gradient by hand
peers, pytorch  each library as its own users would compute a program's value, gradient or training step
ceilings        what no program can beat on a GPU: its copy of as many bytes, its BLAS's products
place           the CPU, or a GPU
requirements    what a contestant needs, or the reason why it cannot run here
operations      cost of one eager operation in a chain of tiny arrays; chains of up to 100,000 operations
rows            cost of one row of a plan beside bare NumPy calls
allocations     arrays that a call allocates
workloads       what is measured on which device, and the record that comes of it
worker          one process with a fixed number of threads
machine         what the results were measured on
comparison      a plan's time beside its peers'
acceptance      what was promised, beside what was measured; gpu_acceptance of a GPU
report          tables, JSON and markdown; readme the README's tables
picture         the plot of a run
prediction      what a model predicts for a GPU that is not at hand, from what counting finds
gpu_check       `make gpu-check`: tests, compute-sanitizer and benchmarks
"""
