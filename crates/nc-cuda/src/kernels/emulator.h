// Runs a kernel's source on the host, with the functions of emulator.cpp. Replaces device.cuh. Without C++'s headers, which
// would take most of the compilation.
#include <stddef.h>
#include <stdint.h>

#define __device__
#define __forceinline__ inline
#define ENTRY(NAME) void NAME
#define DYNAMIC_SHARED(NAME) unsigned char* const NAME = emulator::state.shared
#define threadIdx emulator::state.thread
#define blockIdx emulator::state.block
#define gridDim emulator::state.grid

extern "C" float fmaf(float, float, float) noexcept;
extern "C" float sqrtf(float) noexcept;
extern "C" double sqrt(double) noexcept;

struct uint4 {
    uint32_t x, y, z, w;
};

namespace emulator {
struct Index {
    unsigned x, y, z;
};

// The running thread.
struct State {
    Index thread, block, grid;
    unsigned char* shared;
};
// Without a call for each access, as only few bytes may be.
#define FAST_LOCAL __attribute__((tls_model("initial-exec"))) __thread
extern FAST_LOCAL State state;

// Runs all blocks. Returns 0, 1 if the threads wait for each other for ever, 2 if they wrote beyond the shared memory.
int launch(const unsigned* grid, unsigned threads, size_t shared_bytes, bool descending, void (*body)(void**), void** arguments);

template <int... I>
struct Indices {};
template <int N, int... I>
struct First : First<N - 1, N - 1, I...> {};
template <int... I>
struct First<0, I...> {
    typedef Indices<I...> Type;
};

// A kernel with its arguments as an array of pointers.
template <class T>
struct Signature;
template <class... A>
struct Signature<void (*)(A...)> {
    typedef typename First<sizeof...(A)>::Type All;

    template <int... I>
    static void call(void (*kernel)(A...), void** arguments, Indices<I...>) {
        kernel(*(A*)arguments[I]...);
    }

    static int sizes(int* to) {
        const size_t of[] = {sizeof(A)...};
        for (const size_t size : of) *to++ = (int)size;
        return sizeof...(A);
    }
};
}  // namespace emulator

// The entry points of a library with one kernel: its argument sizes, at most 16, and a launch.
#define EMULATE(NAME)                                                                                                  \
    typedef emulator::Signature<decltype(&NAME)> KernelSignature;                                                      \
    static void kernel_body(void** arguments) { KernelSignature::call(NAME, arguments, KernelSignature::All()); }      \
    extern "C" int kernel_sizes(int* to) { return KernelSignature::sizes(to); }                                        \
    extern "C" int kernel_run(const unsigned* grid, unsigned threads, size_t shared, int descending, void** arguments) { \
        return emulator::launch(grid, threads, shared, descending, kernel_body, arguments);                            \
    }

inline float as_float(uint32_t bits) {
    float value;
    __builtin_memcpy(&value, &bits, 4);
    return value;
}
inline uint32_t as_bits(float value) {
    uint32_t bits;
    __builtin_memcpy(&bits, &value, 4);
    return bits;
}
inline uint32_t bf16(float value) {
    const uint32_t bits = as_bits(value);
    if (value != value) return 0x7fff;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
inline uint32_t bf16_pair(float low, float high) { return bf16(low) | bf16(high) << 16; }
inline uint32_t tf32(float value) {
    const uint32_t bits = as_bits(value);
    if ((bits & 0x7f800000) == 0x7f800000) return bits;
    return (bits + 0x1000) & 0xffffe000;
}

void __syncthreads();
float shuffle_xor(float value, int mask);
void load_matrices(uint32_t (&m)[4], const unsigned char* row);
void load_transposed(uint32_t (&m)[4], const unsigned char* row);
void multiply_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);
void multiply_tf32(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);
