"""Plans on the device: which rows one kernel computes, its source, the matrix products, and the CUDA graph of all."""
