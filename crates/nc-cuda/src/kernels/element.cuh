// Activations and gradients are stored in bf16 (PRECISION 0) or f32 (1 and 2), NHWC, with channels zero-padded to a
// multiple of 16. Matrix products take bf16 (0), TF32 (1), or f32 split into two TF32 terms (2), and accumulate in f32.
constexpr int BYTES = PRECISION == 0 ? 2 : 4;
// Values of a 16-byte vector.
constexpr int VECTOR = 16 / BYTES;
// Inner dimension of a matrix instruction: 32 bytes of channels.
constexpr int STEP = 32 / BYTES;

#if PRECISION == 0
typedef uint16_t element;
#else
typedef float element;
#endif

// Loops over COUNT independent values, shared among all threads of the grid.
#define EACH(INDEX, COUNT) \
    for (size_t INDEX = blockIdx.x * (size_t)THREADS + threadIdx.x; INDEX < (COUNT); INDEX += gridDim.x * (size_t)THREADS)

// Rounds to the precision of storage.
__device__ __forceinline__ float rounded(float value) {
#if PRECISION == 0
    return as_float(bf16_pair(0.0f, value) & 0xffff0000u);
#else
    return value;
#endif
}

// Rounds to the precision of a matrix instruction's operands.
__device__ __forceinline__ float operand(float value) {
#if PRECISION == 1
    return as_float(tf32(value));
#else
    return rounded(value);
#endif
}

__device__ __forceinline__ float load(const element* at) {
#if PRECISION == 0
    return as_float((uint32_t)*at << 16);
#else
    return *at;
#endif
}

__device__ __forceinline__ void store(element* at, float value) {
#if PRECISION == 0
    *at = (element)(bf16_pair(value, 0.0f) & 0xffffu);
#else
    *at = value;
#endif
}

__device__ __forceinline__ void unpack(float (&values)[VECTOR], uint4 vector) {
    const uint32_t words[4] = {vector.x, vector.y, vector.z, vector.w};
#pragma unroll
    for (int i = 0; i < VECTOR; i++) {
#if PRECISION == 0
        values[i] = as_float(i % 2 ? words[i / 2] & 0xffff0000u : words[i / 2] << 16);
#else
        values[i] = as_float(words[i]);
#endif
    }
}

__device__ __forceinline__ uint4 pack(const float (&values)[VECTOR]) {
    uint32_t words[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
#if PRECISION == 0
        words[i] = bf16_pair(values[2 * i], values[2 * i + 1]);
#else
        words[i] = as_bits(values[i]);
#endif
    }
    return uint4{words[0], words[1], words[2], words[3]};
}

// Two adjacent channels, the first at an even index.
__device__ __forceinline__ void store_pair(element* at, float first, float second) {
#if PRECISION == 0
    *(uint32_t*)at = bf16_pair(first, second);
#else
    at[0] = first;
    at[1] = second;
#endif
}

// d += a b for the fragments of one matrix instruction: a (16 x STEP), b (STEP x 8).
__device__ __forceinline__ void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
#if PRECISION == 0
    multiply_bf16(d, a, b0, b1);
#elif PRECISION == 1
    multiply_tf32(d, a, b0, b1);
#else
    // a b to about f32's precision (Ootomo and Yokota 2022): high and low parts, without the product of the low ones. Added to d
    // outside the matrix instruction, which truncates its sums.
    float sum[4] = {};
    uint32_t high[4], low[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
        high[i] = tf32(as_float(a[i]));
        low[i] = tf32(as_float(a[i]) - as_float(high[i]));
    }
    const uint32_t h0 = tf32(as_float(b0)), h1 = tf32(as_float(b1));
    const uint32_t l0 = tf32(as_float(b0) - as_float(h0)), l1 = tf32(as_float(b1) - as_float(h1));
    multiply_tf32(sum, low, h0, h1);
    multiply_tf32(sum, high, l0, l1);
    multiply_tf32(sum, high, h0, h1);
#pragma unroll
    for (int i = 0; i < 4; i++) d[i] += sum[i];
#endif
}

// Coefficients of a batch norm whose statistics are known, one row of `channels` values each.
struct Norm {
    const float* scale;
    const float* shift;
    const float* mean;
    const float* inverse_deviation;
};

__device__ __forceinline__ Norm norm_rows(const float* rows, int channels) {
    return Norm{rows, rows + channels, rows + 2 * channels, rows + 3 * channels};
}

// Reading of stored activations: as they are, after batch norm, or after batch norm and ReLU.
enum Reading { PLAIN = 0, NORMALISED = 1, RECTIFIED = 2 };

template <int HOW>
__device__ __forceinline__ float read(float value, const Norm& norm, int channel) {
    if (HOW == PLAIN) return value;
    // The same bits in all kernels: some recompute a ReLU's mask.
    value = fmaf(value, norm.scale[channel], norm.shift[channel]);
    // NaN passes.
    return HOW == RECTIFIED && value <= 0 ? 0.0f : value;
}

// Gradient of a batch norm's input: (gradient, y) -> scale gradient + slope (y - mean) + offset.
struct NormGradient {
    const float* mean;
    const float* scale;
    const float* slope;
    const float* offset;
};

__device__ __forceinline__ NormGradient gradient_rows(const float* rows, int channels) {
    return NormGradient{rows, rows + channels, rows + 2 * channels, rows + 3 * channels};
}

__device__ __forceinline__ float input_gradient(float gradient, float y, const NormGradient& by, int channel) {
    return by.scale[channel] * gradient + by.slope[channel] * (y - by.mean[channel]) + by.offset[channel];
}
