// CUDA's vector types, aligned as CUDA aligns them (an access that is not is reported).
#pragma once

#define VECTORS(name, type) \
    struct name##1 { type x; }; \
    struct alignas(2 * sizeof(type)) name##2 { type x, y; }; \
    struct alignas(4 * sizeof(type) < 16 ? 4 * sizeof(type) : 16) name##4 { type x, y, z, w; }; \
    static inline name##1 make_##name##1(type x) { return {x}; } \
    static inline name##2 make_##name##2(type x, type y) { return {x, y}; } \
    static inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
#define TRIPLE(name, type) \
    struct name##3 { type x, y, z; }; \
    static inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }

VECTORS(char, signed char)
VECTORS(uchar, unsigned char)
VECTORS(short, short)
VECTORS(ushort, unsigned short)
VECTORS(int, int)
VECTORS(uint, unsigned)
VECTORS(long, long)
VECTORS(ulong, unsigned long)
VECTORS(longlong, long long)
VECTORS(ulonglong, unsigned long long)
VECTORS(float, float)
VECTORS(double, double)
TRIPLE(char, signed char)
TRIPLE(uchar, unsigned char)
TRIPLE(short, short)
TRIPLE(ushort, unsigned short)
TRIPLE(int, int)
TRIPLE(longlong, long long)
TRIPLE(float, float)
TRIPLE(double, double)
static inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
#undef VECTORS
#undef TRIPLE
