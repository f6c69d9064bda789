// Runs a kernel's source on the host: every thread of a block is a fiber, barriers and warp operations switch fibers, and
// shared memory starts as NaN. Replaces device.cuh. Without C++'s larger headers, which would take most of the compilation.
#include <math.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define __device__
#define __forceinline__ inline
#define ENTRY(NAME) void NAME
#define DYNAMIC_SHARED(NAME) unsigned char* const NAME = emulator::state.shared
#define threadIdx (emulator::Index{emulator::state.thread, 0, 0})
#define blockIdx emulator::state.block
#define gridDim emulator::state.grid

struct uint4 {
    uint32_t x, y, z, w;
};

namespace emulator {
constexpr size_t STACK = 1 << 16, GUARD = 64;

struct Index {
    unsigned x, y, z;
};

struct Barrier {
    unsigned arrived, generation;
};

struct Fiber {
    jmp_buf registers;
    ucontext_t start;
    unsigned char* stack;
    bool started, done;
    // Resumes when the barrier's generation differs.
    const Barrier* barrier;
    unsigned generation;
    // Set of exchanged values.
    unsigned set;
};

// Values that the lanes of a warp exchange; two sets, so that one barrier separates an exchange from the next.
struct Exchange {
    uint32_t words[2][32][6];
    const unsigned char* rows[2][32];
};

struct State {
    unsigned thread, threads;
    Index block, grid;
    unsigned char* shared;
    Fiber* fibers;
    Barrier of_block, of_warp[32];
    Exchange exchange[32];
    bool restart;
    jmp_buf scheduler;
    ucontext_t back;
    void (*body)(void**);
    void** arguments;
};
inline thread_local State state;

inline void wait(Barrier& barrier, unsigned group) {
    Fiber& fiber = state.fibers[state.thread];
    if (++barrier.arrived == group) {
        barrier.arrived = 0;
        barrier.generation++;
        if (&barrier != &state.of_block) return;
        // The order begins anew, whichever thread arrived last.
        state.restart = true;
    } else {
        fiber.barrier = &barrier;
        fiber.generation = barrier.generation;
    }
    if (_setjmp(fiber.registers) == 0) _longjmp(state.scheduler, 1);
}

inline void entry() {
    state.body(state.arguments);
    state.fibers[state.thread].done = true;
    _longjmp(state.scheduler, 1);
}

inline void resume(unsigned thread) {
    Fiber& fiber = state.fibers[thread];
    state.thread = thread;
    if (_setjmp(state.scheduler) != 0) return;
    if (fiber.started) _longjmp(fiber.registers, 1);
    fiber.started = true;
    getcontext(&fiber.start);
    fiber.start.uc_stack.ss_sp = fiber.stack;
    fiber.start.uc_stack.ss_size = STACK;
    fiber.start.uc_link = nullptr;
    makecontext(&fiber.start, entry, 0);
    swapcontext(&state.back, &fiber.start);
}

// Runs one block. Returns 0, 1 if the threads wait for each other for ever, 2 if they wrote beyond the shared memory.
inline int run_block(size_t shared_bytes, bool descending) {
    memset(state.shared, 0xff, shared_bytes + GUARD);
    memset(&state.of_block, 0, sizeof(state.of_block));
    memset(state.of_warp, 0, sizeof(state.of_warp));
    for (unsigned t = 0; t < state.threads; t++) {
        Fiber& fiber = state.fibers[t];
        fiber.started = fiber.done = false;
        fiber.barrier = nullptr;
        fiber.set = 0;
    }
    for (unsigned left = state.threads; left > 0;) {
        // Each warp runs as far as it can before the next: a missing barrier between warps then shows.
        bool any = state.restart = false;
        for (unsigned first = 0; first < state.threads && !state.restart; first += 32)
            for (bool progress = true; progress && !state.restart;) {
                progress = false;
                for (unsigned i = first; i < first + 32 && !state.restart; i++) {
                    const unsigned t = descending ? state.threads - 1 - i : i;
                    Fiber& fiber = state.fibers[t];
                    if (fiber.done || (fiber.barrier && fiber.barrier->generation == fiber.generation)) continue;
                    fiber.barrier = nullptr;
                    resume(t);
                    progress = any = true;
                    left -= fiber.done;
                }
            }
        if (!any) return 1;
    }
    for (size_t i = 0; i < GUARD; i++)
        if (state.shared[shared_bytes + i] != 0xff) return 2;
    return 0;
}

inline int launch(const unsigned* grid, unsigned threads, size_t shared_bytes, bool descending, void (*body)(void**), void** arguments) {
    unsigned char* const memory = (unsigned char*)malloc(shared_bytes + GUARD + 16);
    unsigned char* const stacks = (unsigned char*)malloc(threads * STACK);
    state.fibers = (Fiber*)calloc(threads, sizeof(Fiber));
    for (unsigned t = 0; t < threads; t++) state.fibers[t].stack = stacks + t * STACK;
    state.shared = (unsigned char*)(((uintptr_t)memory + 15) & ~(uintptr_t)15);
    state.body = body;
    state.arguments = arguments;
    state.grid = {grid[0], grid[1], grid[2]};
    state.threads = threads;
    int code = 0;
    for (unsigned z = 0; z < grid[2]; z++)
        for (unsigned y = 0; y < grid[1]; y++)
            for (unsigned x = 0; x < grid[0] && code == 0; x++) {
                state.block = {x, y, z};
                code = run_block(shared_bytes, descending);
            }
    free(state.fibers);
    free(stacks);
    free(memory);
    return code;
}

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
        const int of[] = {(int)sizeof(A)...};
        memcpy(to, of, sizeof(of));
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

inline void __syncthreads() { emulator::wait(emulator::state.of_block, emulator::state.threads); }

inline float as_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}
inline uint32_t as_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
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

// The calling lane's warp, lane and set of exchanged values.
struct Lane {
    emulator::Exchange& exchange;
    emulator::Barrier& barrier;
    unsigned lane, set;
    Lane()
        : exchange(emulator::state.exchange[emulator::state.thread / 32]),
          barrier(emulator::state.of_warp[emulator::state.thread / 32]),
          lane(emulator::state.thread % 32),
          set(emulator::state.fibers[emulator::state.thread].set ^= 1) {}
    void meet() { emulator::wait(barrier, 32); }
};

inline float shuffle_xor(float value, int mask) {
    Lane of;
    of.exchange.words[of.set][of.lane][0] = as_bits(value);
    of.meet();
    return as_float(of.exchange.words[of.set][of.lane ^ mask][0]);
}

inline void load_matrices(uint32_t (&m)[4], const unsigned char* row) {
    if ((uintptr_t)row % 16) abort();
    Lane of;
    of.exchange.rows[of.set][of.lane] = row;
    of.meet();
    for (int i = 0; i < 4; i++) memcpy(&m[i], of.exchange.rows[of.set][i * 8 + of.lane / 4] + of.lane % 4 * 4, 4);
}

inline void load_transposed(uint32_t (&m)[4], const unsigned char* row) {
    if ((uintptr_t)row % 16) abort();
    Lane of;
    of.exchange.rows[of.set][of.lane] = row;
    of.meet();
    for (int i = 0; i < 4; i++) {
        uint16_t pair[2];
        for (int j = 0; j < 2; j++)
            memcpy(&pair[j], of.exchange.rows[of.set][i * 8 + of.lane % 4 * 2 + j] + of.lane / 4 * 2, 2);
        memcpy(&m[i], pair, 4);
    }
}

// Exchanges the fragments of a and b, of `inner` columns, and multiplies; `a_at(row, k)` and `b_at(k, column)` read them.
template <class A, class B>
void multiply_exchanged(float (&d)[4], unsigned lane, int inner, A a_at, B b_at) {
    for (int i = 0; i < 4; i++) {
        const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
        for (int k = 0; k < inner; k++) d[i] += a_at(row, k) * b_at(k, column);
    }
}

inline void exchange(Lane& of, const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    const uint32_t words[6] = {a[0], a[1], a[2], a[3], b0, b1};
    memcpy(of.exchange.words[of.set][of.lane], words, sizeof(words));
    of.meet();
}

inline void multiply_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    Lane of;
    exchange(of, a, b0, b1);
    const auto& words = of.exchange.words[of.set];
    const auto half = [](uint32_t pair, int which) { return as_float(which ? pair & 0xffff0000u : pair << 16); };
    multiply_exchanged(
        d, of.lane, 16,
        [&](int row, int k) { return half(words[row % 8 * 4 + k % 8 / 2][row / 8 + k / 8 * 2], k % 2); },
        [&](int k, int column) { return half(words[column * 4 + k % 8 / 2][4 + k / 8], k % 2); });
}

inline void multiply_tf32(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    Lane of;
    exchange(of, a, b0, b1);
    const auto& words = of.exchange.words[of.set];
    // The instruction ignores the bits that TF32 lacks.
    const auto value = [](uint32_t bits) { return as_float(bits & 0xffffe000); };
    multiply_exchanged(
        d, of.lane, 8, [&](int row, int k) { return value(words[row % 8 * 4 + k % 4][row / 8 + k / 4 * 2]); },
        [&](int k, int column) { return value(words[column * 4 + k % 4][4 + k / 4]); });
}
