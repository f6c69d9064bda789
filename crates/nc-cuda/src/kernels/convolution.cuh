// A convolution, or its gradient with respect to the input, as a product of matrices: pixels x (taps, channels) times
// (taps, channels) x output channels.
//
// SOURCE_H x SOURCE_W images of SOURCE_CHANNELS give TARGET_H x TARGET_W images of TARGET_CHANNELS. KERNEL, STRIDE and
// PADDING are those of the layer. BACKWARD = 0: source is the input, target the output. BACKWARD = 1: source is the
// output's gradient, target the input's; pixels whose coordinates are equal modulo STRIDE form a class with its own
// taps, since they meet the same ones.
//
// A block computes TILE_IMAGES x TILE_H x TILE_W pixels (of one class) and TILE_CHANNELS channels. It stages CHUNK source
// channels at a time in shared memory: the tile's source pixels, read through the pending normalisation, and the
// kernel.
//
// weight [tap row][tap column][TARGET_CHANNELS][SOURCE_CHANNELS].
constexpr int CLASSES = BACKWARD ? STRIDE : 1;
constexpr int SOURCE_STEP = BACKWARD ? 1 : STRIDE;
// Tiled rows and columns: those of the largest class.
constexpr int ROWS = (TARGET_H + CLASSES - 1) / CLASSES, COLUMNS = (TARGET_W + CLASSES - 1) / CLASSES;
constexpr int ROW_TILES = (ROWS + TILE_H - 1) / TILE_H, COLUMN_TILES = (COLUMNS + TILE_W - 1) / TILE_W;
constexpr int PIXELS = TILE_IMAGES * TILE_H * TILE_W;
// Bytes between pixels, and between output channels of the kernel: the extra vector avoids bank conflicts.
constexpr int PITCH = CHUNK * BYTES + 16;
constexpr int CHUNK_VECTORS = CHUNK / VECTOR;
constexpr int WARPS = THREADS / 32;
// Products whose loop is unrolled. The split ones of f32 would spill registers.
constexpr int UNROLLED = PRECISION == 2 ? 1 : CHUNK / STEP;
constexpr int N_TILES = TILE_CHANNELS / 8;
static_assert(PIXELS <= WARPS * M_TILES * 16, "pixels of a tile");
static_assert(SOURCE_CHANNELS % CHUNK == 0 && CHUNK % STEP == 0, "chunks of source channels");
static_assert(TARGET_CHANNELS % TILE_CHANNELS == 0 && TILE_CHANNELS % 16 == 0, "tiles of target channels");

// The taps of a class along one axis: tap `first + j * step` reads the source at `coordinate * SOURCE_STEP + offset(j)`.
template <int CLASS>
struct Taps {
    static constexpr int FIRST = BACKWARD ? (CLASS + PADDING) % STRIDE : 0;
    static constexpr int STEP = BACKWARD ? STRIDE : 1;
    static constexpr int COUNT = FIRST < KERNEL ? (KERNEL - FIRST + STEP - 1) / STEP : 0;
    static __device__ constexpr int tap(int j) { return FIRST + j * STEP; }
    static __device__ constexpr int offset(int j) {
        return BACKWARD ? (CLASS + PADDING - FIRST) / STRIDE - j : j - PADDING;
    }
    // Smallest offset, and extent of a tile's source pixels.
    static constexpr int LEAST = BACKWARD ? (CLASS + PADDING - FIRST) / STRIDE - (COUNT - 1) : -PADDING;
    static __device__ constexpr int halo(int tile) { return COUNT == 0 ? 0 : (tile - 1) * SOURCE_STEP + COUNT; }
};

// A pixel of the tile.
struct Pixel {
    int image, row, column;
};

__device__ __forceinline__ Pixel pixel_of_tile(int index) {
    return Pixel{index / (TILE_H * TILE_W), index / TILE_W % TILE_H, index % TILE_W};
}

struct Arguments {
    const element* source;
    // READING < 3: Norm of the source. READING = 3: NormGradient, with y, the batch norm's input.
    const float* source_norm;
    const element* source_y;
    const element* weight;
    element* target;
    // Partial sums of the tiles, [tile][2 or 3][TARGET_CHANNELS].
    float* partial;
    // MASKED: the target's normalisation, whose ReLU the gradient passes through, and its raw values.
    const float* target_norm;
    const element* target_y;
    int images;
};

template <int ROW_CLASS, int COLUMN_CLASS>
__device__ void convolve(const Arguments& of) {
    typedef Taps<ROW_CLASS> RowTaps;
    typedef Taps<COLUMN_CLASS> ColumnTaps;
    constexpr int HALO_H = RowTaps::halo(TILE_H), HALO_W = ColumnTaps::halo(TILE_W);
    DYNAMIC_SHARED(shared);
    unsigned char* const halo = shared;
    unsigned char* const kernel = shared + TILE_IMAGES * HALO_H * HALO_W * PITCH;
    const int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
    const int first_image = blockIdx.x / (ROW_TILES * COLUMN_TILES) * TILE_IMAGES;
    const int first_row = blockIdx.x / COLUMN_TILES % ROW_TILES * TILE_H;
    const int first_column = blockIdx.x % COLUMN_TILES * TILE_W;
    const int first_channel = blockIdx.y * TILE_CHANNELS;

    float sums[M_TILES][N_TILES][4] = {};
    int base[M_TILES];
#pragma unroll
    for (int m = 0; m < M_TILES; m++) {
        const int index = (warp * M_TILES + m) * 16 + lane % 16;
        const Pixel p = pixel_of_tile(index < PIXELS ? index : 0);
        base[m] = ((p.image * HALO_H + p.row * SOURCE_STEP) * HALO_W + p.column * SOURCE_STEP) * PITCH + lane / 16 * 16;
    }
    if (RowTaps::COUNT > 0 && ColumnTaps::COUNT > 0)
        for (int chunk = 0; chunk < SOURCE_CHANNELS / CHUNK; chunk++) {
            if (chunk > 0) __syncthreads();
            // The kernel.
            for (int i = thread; i < RowTaps::COUNT * ColumnTaps::COUNT * TILE_CHANNELS * CHUNK_VECTORS; i += THREADS) {
                const int vector = i % CHUNK_VECTORS, channel = i / CHUNK_VECTORS % TILE_CHANNELS;
                const int tap = i / (CHUNK_VECTORS * TILE_CHANNELS);
                const int row = RowTaps::tap(tap / ColumnTaps::COUNT), column = ColumnTaps::tap(tap % ColumnTaps::COUNT);
                const element* from = of.weight + ((row * KERNEL + column) * TARGET_CHANNELS + first_channel + channel) * SOURCE_CHANNELS;
                *(uint4*)(kernel + i / CHUNK_VECTORS * PITCH + vector * 16) = ((const uint4*)(from + chunk * CHUNK))[vector];
            }
            // The source pixels, with zeros around the image.
            for (int i = thread; i < TILE_IMAGES * HALO_H * HALO_W * CHUNK_VECTORS; i += THREADS) {
                const int vector = i % CHUNK_VECTORS, pixel = i / CHUNK_VECTORS;
                const int image = first_image + pixel / (HALO_W * HALO_H);
                const int row = first_row * SOURCE_STEP + RowTaps::LEAST + pixel / HALO_W % HALO_H;
                const int column = first_column * SOURCE_STEP + ColumnTaps::LEAST + pixel % HALO_W;
                uint4 packed = {0, 0, 0, 0};
                if (image < of.images && row >= 0 && row < SOURCE_H && column >= 0 && column < SOURCE_W) {
                    const int channel = chunk * CHUNK + vector * VECTOR;
                    const size_t at = (((size_t)image * SOURCE_H + row) * SOURCE_W + column) * SOURCE_CHANNELS + channel;
                    packed = *(const uint4*)(of.source + at);
                    if (READING != PLAIN || PRECISION == 1) {
                        float values[VECTOR];
                        unpack(values, packed);
#if READING == 3
                        const NormGradient by = gradient_rows(of.source_norm, SOURCE_CHANNELS);
                        float y[VECTOR];
                        unpack(y, *(const uint4*)(of.source_y + at));
#pragma unroll
                        for (int j = 0; j < VECTOR; j++) values[j] = operand(input_gradient(values[j], y[j], by, channel + j));
#else
                        const Norm norm = norm_rows(of.source_norm, SOURCE_CHANNELS);
#pragma unroll
                        for (int j = 0; j < VECTOR; j++) values[j] = operand(read<READING>(values[j], norm, channel + j));
#endif
                        packed = pack(values);
                    }
                }
                *(uint4*)(halo + pixel * PITCH + vector * 16) = packed;
            }
            __syncthreads();
#pragma unroll
            for (int tap = 0; tap < RowTaps::COUNT * ColumnTaps::COUNT; tap++) {
                const int row = tap / ColumnTaps::COUNT, column = tap % ColumnTaps::COUNT;
                const int at = (RowTaps::offset(row) - RowTaps::LEAST) * HALO_W + ColumnTaps::offset(column) - ColumnTaps::LEAST;
#pragma unroll UNROLLED
                for (int k = 0; k < CHUNK / STEP; k++) {
                    uint32_t a[M_TILES][4];
#pragma unroll
                    for (int m = 0; m < M_TILES; m++) load_matrices(a[m], halo + base[m] + at * PITCH + k * 32);
#pragma unroll
                    for (int n = 0; n < N_TILES; n += 2) {
                        // Both halves of k for the channels 8 n to 8 n + 7, then for the next eight.
                        uint32_t b[4];
                        load_matrices(b, kernel + (tap * TILE_CHANNELS + n * 8 + lane / 16 * 8 + lane % 8) * PITCH + k * 32 + lane / 8 % 2 * 16);
#pragma unroll
                        for (int m = 0; m < M_TILES; m++) {
                            multiply(sums[m][n], a[m], b[0], b[1]);
                            multiply(sums[m][n + 1], a[m], b[2], b[3]);
                        }
                    }
                }
            }
        }

    // Stores the pixels of the tile that exist.
    long long place[M_TILES][2];
    int pixels = 0;
#pragma unroll
    for (int m = 0; m < M_TILES; m++)
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const int index = (warp * M_TILES + m) * 16 + lane / 4 + h * 8;
            const Pixel p = pixel_of_tile(index);
            const int image = first_image + p.image;
            const int row = (first_row + p.row) * CLASSES + ROW_CLASS, column = (first_column + p.column) * CLASSES + COLUMN_CLASS;
            const bool exists = index < PIXELS && image < of.images && row < TARGET_H && column < TARGET_W;
            place[m][h] = exists ? (((long long)image * TARGET_H + row) * TARGET_W + column) * TARGET_CHANNELS : -1;
            pixels += exists;
        }
#pragma unroll
    for (int m = 0; m < M_TILES; m++)
#pragma unroll
        for (int h = 0; h < 2; h++)
#pragma unroll
            for (int n = 0; n < N_TILES; n++) {
                float* const pair = &sums[m][n][h * 2];
                if (place[m][h] < 0) {
                    pair[0] = pair[1] = 0;
                    continue;
                }
                const int channel = first_channel + n * 8 + lane % 4 * 2;
                const size_t at = place[m][h] + channel;
#pragma unroll
                for (int j = 0; j < 2; j++) {
                    float value = pair[j];
                    if (ADD) value += load(of.target + at + j);
                    if (MASKED) {
                        const Norm norm = norm_rows(of.target_norm, TARGET_CHANNELS);
                        const float y = load(of.target_y + at + j);
                        if (MASKED == RECTIFIED && read<NORMALISED>(y, norm, channel + j) <= 0) value = 0;
                    }
                    pair[j] = rounded(value);
                }
                store_pair(of.target + at, pair[0], pair[1]);
            }
#if STATISTICS || MASKED
    // Sums over the tile's pixels, by warp and then over the warps in order. Forward: the values, then the squared
    // deviations from the tile's mean. Backward: the gradient and its product with y - mean.
    __syncthreads();
    float* const column = (float*)shared;   // [WARPS][TILE_CHANNELS]
    float* const means = column + WARPS * TILE_CHANNELS;
    const size_t tile = blockIdx.x + (size_t)gridDim.x * blockIdx.z;
    const int rows = STATISTICS ? 3 : 2;
    int count = pixels;
    if (STATISTICS) {
        // Pixels of all lanes: four lanes share a row.
        float total = (float)pixels;
#pragma unroll
        for (int mask = 4; mask < 32; mask *= 2) total += shuffle_xor(total, mask);
        if (lane == 0) column[warp] = total;
        __syncthreads();
        count = 0;
        for (int w = 0; w < WARPS; w++) count += (int)column[w];
        __syncthreads();
    }
#pragma unroll
    for (int pass = 0; pass < 2; pass++) {
#pragma unroll
        for (int n = 0; n < N_TILES; n++) {
            const int channel = n * 8 + lane % 4 * 2;
            float total[2] = {0, 0};
#pragma unroll
            for (int m = 0; m < M_TILES; m++)
#pragma unroll
                for (int h = 0; h < 2; h++) {
                    if (place[m][h] < 0) continue;
#pragma unroll
                    for (int j = 0; j < 2; j++) {
                        float value = sums[m][n][h * 2 + j];
                        if (pass == 1) {
                            if (STATISTICS) {
                                value -= means[channel + j];
                                value *= value;
                            } else {
                                const Norm norm = norm_rows(of.target_norm, TARGET_CHANNELS);
                                value *= load(of.target_y + place[m][h] + first_channel + channel + j) - norm.mean[first_channel + channel + j];
                            }
                        }
                        total[j] += value;
                    }
                }
#pragma unroll
            for (int mask = 4; mask < 32; mask *= 2)
#pragma unroll
                for (int j = 0; j < 2; j++) total[j] += shuffle_xor(total[j], mask);
            if (lane < 4)
#pragma unroll
                for (int j = 0; j < 2; j++) column[warp * TILE_CHANNELS + channel + j] = total[j];
        }
        __syncthreads();
        for (int channel = thread; channel < TILE_CHANNELS; channel += THREADS) {
            float total = 0;
            for (int w = 0; w < WARPS; w++) total += column[w * TILE_CHANNELS + channel];
            float* const to = of.partial + tile * rows * TARGET_CHANNELS + first_channel + channel;
            if (STATISTICS && pass == 0) {
                means[channel] = total / (float)count;
                to[0] = means[channel];
                to[2 * TARGET_CHANNELS] = (float)count;
            } else {
                to[pass * TARGET_CHANNELS] = total;
            }
        }
        __syncthreads();
    }
#endif
}

ENTRY(convolution)(const element* source, const float* source_norm, const element* source_y, const element* weight, element* target,
                    float* partial, const float* target_norm, const element* target_y, int images) {
    const Arguments of = {source, source_norm, source_y, weight, target, partial, target_norm, target_y, images};
#if BACKWARD && STRIDE == 2
    switch (blockIdx.z) {
    case 0: convolve<0, 0>(of); break;
    case 1: convolve<0, 1>(of); break;
    case 2: convolve<1, 0>(of); break;
    default: convolve<1, 1>(of);
    }
#else
    convolve<0, 0>(of);
#endif
}
