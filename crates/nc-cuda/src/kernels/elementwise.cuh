// Passes over activations and their gradients: the end of a residual block, and pooling.
// Images of H x W pixels and CHANNELS channels, of which REAL_CHANNELS exist.

// Pixel and first channel of a vector.
struct Place {
    int image, row, column, channel;
};

__device__ __forceinline__ Place place_of(size_t index, int h, int w, int channels) {
    const size_t pixel = index / (channels / VECTOR);
    return Place{(int)(pixel / w / h), (int)(pixel / w % h), (int)(pixel % w), (int)(index % (channels / VECTOR)) * VECTOR};
}

#ifdef BLOCK_END
// out = y scale + shift + shortcut, followed by a ReLU if RECTIFY. The shortcut is read by READING; with SUBSAMPLE > 1 or fewer
// channels it is every SUBSAMPLE-th pixel of a SHORTCUT_H x SHORTCUT_W image of SHORTCUT_CHANNELS channels (SHORTCUT_REAL of
// them exist), between BEFORE zero channels and others.
__device__ __forceinline__ size_t shortcut_pixel(const Place& at) {
    return ((size_t)at.image * SHORTCUT_H + at.row * SUBSAMPLE) * SHORTCUT_W + at.column * SUBSAMPLE;
}

ENTRY(block_end)(const element* y, const float* norm, const element* shortcut, const float* shortcut_norm, element* out, int images) {
    const Norm own = norm_rows(norm, CHANNELS), other = norm_rows(shortcut_norm, SHORTCUT_CHANNELS);
    EACH(i, (size_t)images * H * W * (CHANNELS / VECTOR)) {
        const Place at = place_of(i, H, W, CHANNELS);
        const element* const from = shortcut + shortcut_pixel(at) * SHORTCUT_CHANNELS;
        float values[VECTOR];
        unpack(values, ((const uint4*)y)[i]);
#pragma unroll
        for (int j = 0; j < VECTOR; j++) {
            const int channel = at.channel + j, source = channel - BEFORE;
            float value = read<NORMALISED>(values[j], own, channel);
            if (source >= 0 && source < SHORTCUT_REAL) value += read<READING>(load(from + source), other, source);
            values[j] = RECTIFY && value <= 0 ? 0.0f : value;
        }
        ((uint4*)out)[i] = pack(values);
    }
}

// The shortcut's gradient from the sum's: source (H x W x CHANNELS) -> target (SHORTCUT_H x SHORTCUT_W), added if ADD.
ENTRY(shortcut_gradient)(const element* source, element* target, int images) {
    EACH(i, (size_t)images * SHORTCUT_H * SHORTCUT_W * (SHORTCUT_CHANNELS / VECTOR)) {
        const Place at = place_of(i, SHORTCUT_H, SHORTCUT_W, SHORTCUT_CHANNELS);
        float values[VECTOR];
        unpack(values, ((const uint4*)target)[i]);
#pragma unroll
        for (int j = 0; j < VECTOR; j++) {
            const int channel = at.channel + j;
            float value = ADD ? values[j] : 0;
            if (at.row % SUBSAMPLE == 0 && at.column % SUBSAMPLE == 0 && channel < SHORTCUT_REAL)
                value += load(source + (((size_t)at.image * H + at.row / SUBSAMPLE) * W + at.column / SUBSAMPLE) * CHANNELS + channel + BEFORE);
            values[j] = value;
        }
        ((uint4*)target)[i] = pack(values);
    }
}
#endif

#ifdef MASK
// Applies the ReLU's mask to the gradient of a layer's output in place, and sums it and its product with y - mean per
// channel: partial [block][2][CHANNELS]. MASK 0: no ReLU; 1: where `out` is positive; 2: where y, normalised, is.
ENTRY(mask_and_sum)(element* gradient, const element* out, const element* y, const float* norm, float* partial, int images) {
    DYNAMIC_SHARED(memory);
    float* const shared = (float*)memory;   // [THREADS][VECTOR]
    constexpr int VECTORS = CHANNELS / VECTOR;
    // Each thread keeps to one vector of channels; the rest of the block's threads idle.
    constexpr int LANES = THREADS / VECTORS;
    const int vector = threadIdx.x % VECTORS, lane = threadIdx.x / VECTORS;
    const Norm by = norm_rows(norm, CHANNELS);
    const size_t pixels = (size_t)images * H * W;
    const size_t begin = pixels * blockIdx.x / gridDim.x, end = pixels * (blockIdx.x + 1) / gridDim.x;
    float sums[2][VECTOR] = {};
    if (lane < LANES)
        for (size_t pixel = begin + lane; pixel < end; pixel += LANES) {
            const size_t at = pixel * VECTORS + vector;
            float g[VECTOR], ys[VECTOR], outs[VECTOR];
            unpack(g, ((const uint4*)gradient)[at]);
            unpack(ys, ((const uint4*)y)[at]);
            if (MASK == 1) unpack(outs, ((const uint4*)out)[at]);
#pragma unroll
            for (int j = 0; j < VECTOR; j++) {
                const int channel = vector * VECTOR + j;
                const float value = MASK == 1 ? outs[j] : MASK == 2 ? read<NORMALISED>(ys[j], by, channel) : 1.0f;
                if (value <= 0) g[j] = 0;
                sums[0][j] += g[j];
                sums[1][j] += g[j] * (ys[j] - by.mean[channel]);
            }
            if (MASK != 0) ((uint4*)gradient)[at] = pack(g);
        }
#pragma unroll
    for (int which = 0; which < 2; which++) {
#pragma unroll
        for (int j = 0; j < VECTOR; j++) shared[threadIdx.x * VECTOR + j] = sums[which][j];
        __syncthreads();
        for (int channel = threadIdx.x; channel < CHANNELS; channel += THREADS) {
            float total = 0;
            for (int l = 0; l < LANES; l++) total += shared[(l * VECTORS + channel / VECTOR) * VECTOR + channel % VECTOR];
            partial[((size_t)blockIdx.x * 2 + which) * CHANNELS + channel] = total;
        }
        __syncthreads();
    }
}
#endif

#ifdef POOL
// Mean of each channel over an image, (N, REAL_CHANNELS) in f32; a block takes an image, and PARTS threads a channel.
ENTRY(global_average)(const element* x, const float* norm, float* means) {
    DYNAMIC_SHARED(memory);
    float* const shared = (float*)memory;   // [PARTS][CHANNELS]
    const Norm by = norm_rows(norm, CHANNELS);
    for (int i = threadIdx.x; i < PARTS * CHANNELS; i += THREADS) {
        const int channel = i % CHANNELS;
        float sum = 0;
        for (int pixel = i / CHANNELS; pixel < H * W; pixel += PARTS)
            sum += read<READING>(load(x + ((size_t)blockIdx.x * H * W + pixel) * CHANNELS + channel), by, channel);
        shared[i] = sum;
    }
    __syncthreads();
    for (int channel = threadIdx.x; channel < REAL_CHANNELS; channel += THREADS) {
        float sum = 0;
        for (int part = 0; part < PARTS; part++) sum += shared[part * CHANNELS + channel];
        means[(size_t)blockIdx.x * REAL_CHANNELS + channel] = sum / (H * W);
    }
}

// Gradient of global_average, added to `target` if ADD.
ENTRY(global_average_gradient)(const float* gradient, element* target, int images) {
    EACH(i, (size_t)images * H * W * CHANNELS) {
        const int channel = i % CHANNELS;
        const size_t image = i / CHANNELS / (H * W);
        const float share = channel < REAL_CHANNELS ? gradient[image * REAL_CHANNELS + channel] / (H * W) : 0.0f;
        store(target + i, ADD ? load(target + i) + share : share);
    }
}
#endif

#ifdef WINDOW
// Max pooling over WINDOW x WINDOW pixels with step WINDOW_STRIDE and WINDOW_PADDING around the image, to OUT_H x OUT_W. NaN
// counts as the largest value; among equal ones the first in row order has the gradient.

// Index of the window's maximum.
__device__ int maximum(const element* image, const Norm& by, int channel, int out_row, int out_column, float* value) {
    int best = -1;
    for (int r = 0; r < WINDOW; r++)
        for (int c = 0; c < WINDOW; c++) {
            const int row = out_row * WINDOW_STRIDE - WINDOW_PADDING + r, column = out_column * WINDOW_STRIDE - WINDOW_PADDING + c;
            if (row < 0 || row >= H || column < 0 || column >= W) continue;
            const int pixel = row * W + column;
            const float candidate = read<READING>(load(image + (size_t)pixel * CHANNELS + channel), by, channel);
            if (best < 0 || candidate > *value || candidate != candidate) {
                best = pixel;
                *value = candidate;
            }
        }
    return best;
}

ENTRY(max_pool)(const element* x, const float* norm, element* out, int images) {
    const Norm by = norm_rows(norm, CHANNELS);
    EACH(i, (size_t)images * OUT_H * OUT_W * CHANNELS) {
        const int channel = i % CHANNELS, column = i / CHANNELS % OUT_W, row = i / CHANNELS / OUT_W % OUT_H;
        const size_t image = i / CHANNELS / OUT_W / OUT_H;
        float value = 0;
        maximum(x + image * H * W * CHANNELS, by, channel, row, column, &value);
        store(out + i, value);
    }
}

// Adds to `target` if ADD.
ENTRY(max_pool_gradient)(const element* x, const float* norm, const element* gradient, element* target, int images) {
    const Norm by = norm_rows(norm, CHANNELS);
    EACH(i, (size_t)images * H * W * CHANNELS) {
        const int channel = i % CHANNELS, column = i / CHANNELS % W, row = i / CHANNELS / W % H;
        const size_t image = i / CHANNELS / W / H;
        float sum = ADD ? load(target + i) : 0.0f;
        // The windows that contain the pixel.
        for (int r = (row + WINDOW_PADDING) / WINDOW_STRIDE; r >= 0 && r * WINDOW_STRIDE + WINDOW > row + WINDOW_PADDING; r--)
            for (int c = (column + WINDOW_PADDING) / WINDOW_STRIDE; c >= 0 && c * WINDOW_STRIDE + WINDOW > column + WINDOW_PADDING; c--) {
                if (r >= OUT_H || c >= OUT_W) continue;
                float value = 0;
                if (maximum(x + image * H * W * CHANNELS, by, channel, r, c, &value) == row * W + column)
                    sum += load(gradient + ((image * OUT_H + r) * OUT_W + c) * CHANNELS + channel);
            }
        store(target + i, sum);
    }
}
#endif
