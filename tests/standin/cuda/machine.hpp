// What a kernel sees of the emulated machine: one block at a time, whose threads are fibres of one thread of the host.
#pragma once
#include <stdint.h>

struct uint3 { unsigned x, y, z; };

struct Machine {
    uint3 thread, block, block_shape, grid_shape;
    char* shared;  // dynamic shared memory, the same place for every block
};

extern "C" {
extern Machine cuda_machine;
unsigned cuda_barrier(int line, int predicate);                                            // how many threads say yes
uint64_t cuda_exchange(int line, unsigned mask, unsigned source, uint64_t value);           // the value of lane `source`
unsigned cuda_ballot(int line, unsigned mask, int predicate);                              // the lanes that say yes
[[noreturn]] void cuda_fail(const char* text, int line);
}
