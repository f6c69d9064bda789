// The emulator: every thread of a block is a fiber, barriers and warp operations switch fibers, and shared memory starts as
// NaN. The last lane that reaches a warp operation computes the results of all.
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <memory>

namespace emulator {
FAST_LOCAL State state;

namespace {
constexpr size_t STACK = 1 << 16, GUARD = 64;
constexpr unsigned MOST_THREADS = 1024, LANES = 32;

struct Barrier {
    unsigned arrived, generation;
};

struct Fiber {
    jmp_buf registers;
    unsigned char* stack;
    bool started, done;
    // Resumes when the barrier's generation differs.
    const Barrier* barrier;
    unsigned generation;
};

// Fibers of an operating system's thread. A fiber runs thread after thread, block after block.
struct Scheduler {
    Fiber fibers[MOST_THREADS];
    Barrier of_block, of_warp[MOST_THREADS / LANES];
    // Operands of each thread's warp operation.
    void* operands[MOST_THREADS];
    unsigned threads;
    bool descending;
    // The next thread, in the order of the block; threads since the last that ran; whether one ran since the first.
    unsigned warp, lane, waiting;
    bool any;
    jmp_buf registers;
    void (*body)(void**);
    void** arguments;

    ~Scheduler() {
        for (Fiber& fiber : fibers) free(fiber.stack);
    }
};
FAST_LOCAL Scheduler* scheduler;

void restart(Scheduler& of) {
    of.warp = of.lane = of.waiting = 0;
    of.any = false;
}

// The next thread that can run, or none.
Fiber* next(Scheduler& of) {
    // Each warp runs as far as it can before the next: a missing barrier between warps then shows.
    for (;; of.waiting++) {
        if (of.waiting == LANES) {
            of.lane = of.waiting = 0;
            if (++of.warp == of.threads / LANES) {
                if (!of.any) return nullptr;
                restart(of);
            }
        }
        const unsigned i = of.warp * LANES + of.lane, t = of.descending ? of.threads - 1 - i : i;
        of.lane = (of.lane + 1) % LANES;
        Fiber& fiber = of.fibers[t];
        if (fiber.done || (fiber.barrier && fiber.barrier->generation == fiber.generation)) continue;
        fiber.barrier = nullptr;
        of.waiting = 0;
        of.any = true;
        state.thread.x = t;
        return &fiber;
    }
}

void entry();

// Runs the next thread, or returns to the launch.
void run_next(Scheduler& of) {
    Fiber* const fiber = next(of);
    if (!fiber) _longjmp(of.registers, 1);
    if (fiber->started) _longjmp(fiber->registers, 1);
    fiber->started = true;
    if (!fiber->stack) fiber->stack = (unsigned char*)malloc(STACK);
    ucontext_t start;
    getcontext(&start);
    start.uc_stack.ss_sp = fiber->stack;
    start.uc_stack.ss_size = STACK;
    start.uc_link = nullptr;
    makecontext(&start, entry, 0);
    setcontext(&start);
}

void leave(Scheduler& of, Fiber& fiber) {
    if (_setjmp(fiber.registers) == 0) run_next(of);
}

void entry() {
    for (;;) {
        Scheduler& of = *scheduler;
        of.body(of.arguments);
        Fiber& fiber = of.fibers[state.thread.x];
        fiber.done = true;
        leave(of, fiber);
    }
}

// Waits until `group` threads have. True for the last, which continues.
bool last(Scheduler& of, Barrier& barrier, unsigned group) {
    if (++barrier.arrived < group) {
        Fiber& fiber = of.fibers[state.thread.x];
        fiber.barrier = &barrier;
        fiber.generation = barrier.generation;
        leave(of, fiber);
        return false;
    }
    barrier.arrived = 0;
    barrier.generation++;
    return true;
}

int run_block(Scheduler& of, size_t shared_bytes) {
    memset(state.shared, 0xff, shared_bytes + GUARD);
    memset(&of.of_block, 0, sizeof(of.of_block));
    memset(of.of_warp, 0, sizeof(of.of_warp));
    for (unsigned t = 0; t < of.threads; t++) {
        of.fibers[t].done = false;
        of.fibers[t].barrier = nullptr;
    }
    restart(of);
    if (_setjmp(of.registers) == 0) run_next(of);
    for (unsigned t = 0; t < of.threads; t++)
        if (!of.fibers[t].done) return 1;
    for (size_t i = 0; i < GUARD; i++)
        if (state.shared[shared_bytes + i] != 0xff) return 2;
    return 0;
}

// A warp operation: `compute` receives the operands of the warp's lanes.
template <class Operands, class Compute>
void together(Operands& own, Compute compute) {
    Scheduler& of = *scheduler;
    const unsigned warp = state.thread.x / LANES;
    of.operands[state.thread.x] = &own;
    if (last(of, of.of_warp[warp], LANES)) compute((Operands* const*)of.operands + warp * LANES);
}

struct Shuffle {
    float value, result;
    int mask;
};

struct Rows {
    uint32_t (&m)[4];
    const unsigned char* row;
};

struct Fragments {
    float (&d)[4];
    const uint32_t (&a)[4];
    uint32_t b[2];
};

// Value `which` of the bf16 pair or TF32 value `bits`. The instruction ignores the bits that TF32 lacks.
template <int WIDTH>
float value(uint32_t bits, int which) {
    if (WIDTH == 1) return as_float(bits & 0xffffe000u);
    return as_float(which ? bits & 0xffff0000u : bits << 16);
}

// d += a b for matrices whose registers have WIDTH values.
template <int WIDTH>
void multiply(Fragments* const* lanes) {
    float a[16][8 * WIDTH], b[8 * WIDTH][8];
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < WIDTH; i++) {
            const int k = lane % 4 * WIDTH + i;
            for (int r = 0; r < 4; r++) a[lane / 4 + r % 2 * 8][k + r / 2 * 4 * WIDTH] = value<WIDTH>(lanes[lane]->a[r], i);
            for (int r = 0; r < 2; r++) b[k + r * 4 * WIDTH][lane / 4] = value<WIDTH>(lanes[lane]->b[r], i);
        }
    for (int row = 0; row < 16; row++) {
        float sums[8];
        for (int column = 0; column < 8; column++) sums[column] = lanes[row % 8 * 4 + column / 2]->d[row / 8 * 2 + column % 2];
        for (int k = 0; k < 8 * WIDTH; k++)
            for (int column = 0; column < 8; column++) sums[column] += a[row][k] * b[k][column];
        for (int column = 0; column < 8; column++) lanes[row % 8 * 4 + column / 2]->d[row / 8 * 2 + column % 2] = sums[column];
    }
}
}  // namespace

int launch(const unsigned* grid, unsigned threads, size_t shared_bytes, bool descending, void (*body)(void**), void** arguments) {
    static thread_local std::unique_ptr<Scheduler> own(new Scheduler());
    scheduler = own.get();
    Scheduler& of = *own;
    unsigned char* const memory = (unsigned char*)malloc(shared_bytes + GUARD + 16);
    state.shared = (unsigned char*)(((uintptr_t)memory + 15) & ~(uintptr_t)15);
    state.grid = {grid[0], grid[1], grid[2]};
    of.body = body;
    of.arguments = arguments;
    of.threads = threads;
    of.descending = descending;
    int code = 0;
    for (unsigned z = 0; z < grid[2]; z++)
        for (unsigned y = 0; y < grid[1]; y++)
            for (unsigned x = 0; x < grid[0] && code == 0; x++) {
                state.block = {x, y, z};
                code = run_block(of, shared_bytes);
            }
    // Those that wait for ever.
    for (unsigned t = 0; t < threads; t++) of.fibers[t].started &= of.fibers[t].done;
    free(memory);
    return code;
}
}  // namespace emulator

using namespace emulator;

void __syncthreads() {
    Scheduler& of = *scheduler;
    if (!last(of, of.of_block, of.threads)) return;
    // The order starts again, whichever thread arrived last.
    restart(of);
    leave(of, of.fibers[state.thread.x]);
}

float shuffle_xor(float value, int mask) {
    Shuffle own{value, 0, mask};
    together(own, [](Shuffle* const* lanes) {
        for (unsigned lane = 0; lane < LANES; lane++) lanes[lane]->result = lanes[lane ^ lanes[lane]->mask]->value;
    });
    return own.result;
}

void load_matrices(uint32_t (&m)[4], const unsigned char* row) {
    if ((uintptr_t)row % 16) abort();
    Rows own{m, row};
    together(own, [](Rows* const* lanes) {
        for (unsigned lane = 0; lane < LANES; lane++)
            for (int i = 0; i < 4; i++) memcpy(&lanes[lane]->m[i], lanes[i * 8 + lane / 4]->row + lane % 4 * 4, 4);
    });
}

void load_transposed(uint32_t (&m)[4], const unsigned char* row) {
    if ((uintptr_t)row % 16) abort();
    Rows own{m, row};
    together(own, [](Rows* const* lanes) {
        for (unsigned lane = 0; lane < LANES; lane++)
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 2; j++)
                    memcpy((uint16_t*)&lanes[lane]->m[i] + j, lanes[i * 8 + lane % 4 * 2 + j]->row + lane / 4 * 2, 2);
    });
}

void multiply_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    Fragments own{d, a, {b0, b1}};
    together(own, emulator::multiply<2>);
}

void multiply_tf32(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    Fragments own{d, a, {b0, b1}};
    together(own, emulator::multiply<1>);
}
