// Gradient of a convolution's kernel: for each tap, input channels x pixels times pixels x output channels.
//
// INPUT_H x INPUT_W images of INPUT_CHANNELS, OUTPUT_H x OUTPUT_W gradients of OUTPUT_CHANNELS. A block sums the images
// of one slice for TILE_INPUT x TILE_OUTPUT channels, TILE_H x TILE_W output pixels at a time. Its warps share the taps (up
// to MOST_TAPS in a row each), the input channels (16 each) and the pixels (in SPLIT parts, summed in order).
//
// partial [slice][tap][INPUT_CHANNELS][OUTPUT_CHANNELS], the taps in rows.
constexpr int ROW_TILES = (OUTPUT_H + TILE_H - 1) / TILE_H, COLUMN_TILES = (OUTPUT_W + TILE_W - 1) / TILE_W;
constexpr int HALO_H = (TILE_H - 1) * STRIDE + KERNEL, HALO_W = (TILE_W - 1) * STRIDE + KERNEL;
// Pixels, in whole matrix instructions.
constexpr int PIXELS = (TILE_H * TILE_W + STEP - 1) / STEP * STEP;
// Bytes between pixels, without bank conflicts for 16-bit and 32-bit values.
constexpr int PADDING_BYTES = BYTES == 2 ? 16 : 32;
constexpr int INPUT_PITCH = TILE_INPUT * BYTES + PADDING_BYTES, OUTPUT_PITCH = TILE_OUTPUT * BYTES + PADDING_BYTES;
constexpr int TAP_GROUPS = (KERNEL + MOST_TAPS - 1) / MOST_TAPS;
constexpr int TAPS = (KERNEL + TAP_GROUPS - 1) / TAP_GROUPS;
constexpr int UNITS = KERNEL * TAP_GROUPS * (TILE_INPUT / 16);
constexpr int N_TILES = TILE_OUTPUT / 8;
static_assert(THREADS == UNITS * SPLIT * 32, "warps");
static_assert(INPUT_CHANNELS % TILE_INPUT == 0 && TILE_INPUT % 16 == 0, "tiles of input channels");
static_assert(OUTPUT_CHANNELS % TILE_OUTPUT == 0 && TILE_OUTPUT % 16 == 0, "tiles of output channels");

// Place of an output pixel's first tap in the halo; any place for pixels beyond the tile, whose gradient is zero.
__device__ __forceinline__ int halo_place(int pixel) {
    return pixel < TILE_H * TILE_W ? (pixel / TILE_W * HALO_W + pixel % TILE_W) * STRIDE : 0;
}

ENTRY(kernel_gradient)(const element* input, const float* input_norm, const element* gradient, const element* y,
                        const float* y_norm, float* partial, int images) {
    DYNAMIC_SHARED(shared);
    unsigned char* const halo = shared;
    unsigned char* const output = shared + HALO_H * HALO_W * INPUT_PITCH;
    const int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
    const int first_input = blockIdx.y * TILE_INPUT, first_output = blockIdx.z * TILE_OUTPUT;
    const int unit = warp % UNITS, part = warp / UNITS;
    const int m = unit % (TILE_INPUT / 16), tap_row = unit / (TILE_INPUT / 16) / TAP_GROUPS;
    const int first_tap = unit / (TILE_INPUT / 16) % TAP_GROUPS * TAPS;

    float sums[TAPS][N_TILES][4] = {};
    const int begin = (int)((long long)images * blockIdx.x / gridDim.x);
    const int end = (int)((long long)images * (blockIdx.x + 1) / gridDim.x);
    for (int tile = begin * ROW_TILES * COLUMN_TILES; tile < end * ROW_TILES * COLUMN_TILES; tile++) {
        const int image = tile / (ROW_TILES * COLUMN_TILES);
        const int first_row = tile / COLUMN_TILES % ROW_TILES * TILE_H, first_column = tile % COLUMN_TILES * TILE_W;
        __syncthreads();
        // The input pixels, with zeros around the image.
        constexpr int INPUT_VECTORS = TILE_INPUT / VECTOR;
        for (int i = thread; i < HALO_H * HALO_W * INPUT_VECTORS; i += THREADS) {
            const int vector = i % INPUT_VECTORS, pixel = i / INPUT_VECTORS;
            const int row = first_row * STRIDE - PADDING + pixel / HALO_W;
            const int column = first_column * STRIDE - PADDING + pixel % HALO_W;
            uint4 packed = {0, 0, 0, 0};
            if (row >= 0 && row < INPUT_H && column >= 0 && column < INPUT_W) {
                const int channel = first_input + vector * VECTOR;
                const size_t at = (((size_t)image * INPUT_H + row) * INPUT_W + column) * INPUT_CHANNELS + channel;
                packed = *(const uint4*)(input + at);
                if (READING != PLAIN || PRECISION == 1) {
                    const Norm norm = norm_rows(input_norm, INPUT_CHANNELS);
                    float values[VECTOR];
                    unpack(values, packed);
#pragma unroll
                    for (int j = 0; j < VECTOR; j++) values[j] = operand(read<READING>(values[j], norm, channel + j));
                    packed = pack(values);
                }
            }
            *(uint4*)(halo + pixel * INPUT_PITCH + vector * 16) = packed;
        }
        // The gradient of the convolution's output, zero outside the image.
        constexpr int OUTPUT_VECTORS = TILE_OUTPUT / VECTOR;
        for (int i = thread; i < PIXELS * OUTPUT_VECTORS; i += THREADS) {
            const int vector = i % OUTPUT_VECTORS, pixel = i / OUTPUT_VECTORS;
            const int row = first_row + pixel / TILE_W, column = first_column + pixel % TILE_W;
            uint4 packed = {0, 0, 0, 0};
            if (pixel < TILE_H * TILE_W && row < OUTPUT_H && column < OUTPUT_W) {
                const int channel = first_output + vector * VECTOR;
                const size_t at = (((size_t)image * OUTPUT_H + row) * OUTPUT_W + column) * OUTPUT_CHANNELS + channel;
                packed = *(const uint4*)(gradient + at);
                if (NORM || PRECISION == 1) {
                    float values[VECTOR];
                    unpack(values, packed);
#if NORM
                    const NormGradient by = gradient_rows(y_norm, OUTPUT_CHANNELS);
                    float ys[VECTOR];
                    unpack(ys, *(const uint4*)(y + at));
#pragma unroll
                    for (int j = 0; j < VECTOR; j++) values[j] = input_gradient(values[j], ys[j], by, channel + j);
#endif
#pragma unroll
                    for (int j = 0; j < VECTOR; j++) values[j] = operand(values[j]);
                    packed = pack(values);
                }
            }
            *(uint4*)(output + pixel * OUTPUT_PITCH + vector * 16) = packed;
        }
        __syncthreads();
        for (int k = part; k < PIXELS / STEP; k += SPLIT) {
            // Rows of a: input channels; inner dimension: pixels, so the fragments are those of the transposed halo.
            uint32_t a[TAPS][4];
#if PRECISION == 0
            const unsigned char* const row = halo + (halo_place(k * STEP + lane / 16 * 8 + lane % 8) + tap_row * HALO_W + first_tap) * INPUT_PITCH
                                             + m * 32 + lane / 8 % 2 * 16;
#pragma unroll
            for (int d = 0; d < TAPS; d++)
                if (first_tap + d < KERNEL) load_transposed(a[d], row + d * INPUT_PITCH);
#else
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const unsigned char* const row = halo + (halo_place(k * STEP + half * 4 + lane % 4) + tap_row * HALO_W + first_tap) * INPUT_PITCH;
#pragma unroll
                for (int d = 0; d < TAPS; d++)
                    if (first_tap + d < KERNEL)
#pragma unroll
                        for (int r = 0; r < 2; r++)
                            a[d][half * 2 + r] = *(const uint32_t*)(row + d * INPUT_PITCH + (m * 16 + r * 8 + lane / 4) * 4);
            }
#endif
#pragma unroll
            for (int n = 0; n < N_TILES; n += 2) {
                uint32_t b[4];
#if PRECISION == 0
                load_transposed(b, output + (k * STEP + lane / 8 % 2 * 8 + lane % 8) * OUTPUT_PITCH + n * 16 + lane / 16 * 16);
#else
#pragma unroll
                for (int i = 0; i < 4; i++)
                    b[i] = *(const uint32_t*)(output + (k * STEP + i % 2 * 4 + lane % 4) * OUTPUT_PITCH + ((n + i / 2) * 8 + lane / 4) * 4);
#endif
#pragma unroll
                for (int d = 0; d < TAPS; d++)
                    if (first_tap + d < KERNEL) {
                        multiply(sums[d][n], a[d], b[0], b[1]);
                        multiply(sums[d][n + 1], a[d], b[2], b[3]);
                    }
            }
        }
    }

    float* const total = (float*)shared;   // [tap][TILE_INPUT][TILE_OUTPUT], if the pixels were split
    __syncthreads();
    for (int s = 0; s < SPLIT; s++) {
        if (part == s)
#pragma unroll
            for (int d = 0; d < TAPS; d++) {
                if (first_tap + d >= KERNEL) continue;
                const int tap = tap_row * KERNEL + first_tap + d;
#pragma unroll
                for (int n = 0; n < N_TILES; n++)
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        const int row = m * 16 + lane / 4 + i / 2 * 8, column = n * 8 + lane % 4 * 2 + i % 2;
                        float* const at = total + (tap * TILE_INPUT + row) * TILE_OUTPUT + column;
                        const float sum = s == 0 ? sums[d][n][i] : *at + sums[d][n][i];
                        if (s < SPLIT - 1)
                            *at = sum;
                        else
                            partial[(((size_t)blockIdx.x * KERNEL * KERNEL + tap) * INPUT_CHANNELS + first_input + row) * OUTPUT_CHANNELS
                                    + first_output + column] = sum;
                    }
            }
        __syncthreads();
    }
}
