// Batch norm between the convolutions: per-channel arithmetic in f64 from the tiles' partial sums.
//
// A block of THREADS = 16 GROUPS threads takes 16 channels; each group of threads sums a contiguous part of the tiles, and
// the groups are summed in order.
constexpr int GROUPS = THREADS / 16;

// Sums f(tile) over the tiles in a fixed order, for every thread of the channel.
template <class F>
__device__ double sum_tiles(int tiles, double* shared, F f) {
    const int channel = threadIdx.x % 16, group = threadIdx.x / 16;
    const int begin = (int)((long long)tiles * group / GROUPS), end = (int)((long long)tiles * (group + 1) / GROUPS);
    double sum = 0;
    for (int tile = begin; tile < end; tile++) sum += f(tile);
    __syncthreads();
    shared[group * 16 + channel] = sum;
    __syncthreads();
    sum = 0;
    for (int g = 0; g < GROUPS; g++) sum += shared[g * 16 + channel];
    return sum;
}

// From the tiles' means, squared deviations and counts, [tile][3][padded]: the rows scale, shift, mean and
// 1 / sqrt(variance + epsilon) of `norm`, and the batch's mean and unbiased variance, [2][padded].
ENTRY(statistics)(const float* partial, int tiles, const float* gamma, const float* beta, float* norm, float* batch, double epsilon,
                  int channels, int padded) {
    DYNAMIC_SHARED(memory);
    double* const shared = (double*)memory;
    const int channel = blockIdx.x * 16 + threadIdx.x % 16;
    const float* const column = partial + channel;
    const auto count_of = [&](int tile) { return (double)column[((size_t)tile * 3 + 2) * padded]; };
    const auto mean_of = [&](int tile) { return (double)column[(size_t)tile * 3 * padded]; };
    const double count = sum_tiles(tiles, shared, count_of);
    const double mean = sum_tiles(tiles, shared, [&](int tile) { return count_of(tile) * mean_of(tile); }) / count;
    const double squares = sum_tiles(tiles, shared, [&](int tile) {
        const double difference = mean_of(tile) - mean;
        return (double)column[((size_t)tile * 3 + 1) * padded] + count_of(tile) * difference * difference;
    });
    if (threadIdx.x >= 16) return;
    const bool exists = channel < channels;
    const double inverse = 1 / sqrt(squares / count + epsilon);
    const double scale = exists ? gamma[channel] * inverse : 0;
    norm[channel] = (float)scale;
    norm[padded + channel] = exists ? (float)(beta[channel] - mean * scale) : 0;
    norm[2 * padded + channel] = (float)mean;
    norm[3 * padded + channel] = (float)inverse;
    batch[channel] = (float)mean;
    batch[padded + channel] = (float)(squares / (count - 1));
}

// The rows of `norm` from running statistics.
ENTRY(fixed_statistics)(const float* mean, const float* variance, const float* gamma, const float* beta, float* norm, double epsilon,
                        int channels, int padded) {
    const int channel = blockIdx.x * THREADS + threadIdx.x;
    if (channel >= padded) return;
    const bool exists = channel < channels;
    const double inverse = exists ? 1 / sqrt((double)variance[channel] + epsilon) : 0;
    const double scale = exists ? gamma[channel] * inverse : 0;
    norm[channel] = (float)scale;
    norm[padded + channel] = exists ? (float)(beta[channel] - mean[channel] * scale) : 0;
    norm[2 * padded + channel] = exists ? mean[channel] : 0;
    norm[3 * padded + channel] = (float)inverse;
}

// From the tiles' sums of the gradient and of gradient (y - mean), [tile][2][padded]: the gradients of gamma and beta,
// and the rows mean, scale, slope and offset of the input's gradient. `count`: values per channel of the batch, or 0 if the
// statistics do not depend on the input.
ENTRY(norm_gradient)(const float* partial, int tiles, const float* norm, float* gamma, float* beta, float* rows, double count,
                     int channels, int padded) {
    DYNAMIC_SHARED(memory);
    double* const shared = (double*)memory;
    const int channel = blockIdx.x * 16 + threadIdx.x % 16;
    const float* const column = partial + channel;
    const double sum = sum_tiles(tiles, shared, [&](int tile) { return (double)column[(size_t)tile * 2 * padded]; });
    const double product = sum_tiles(tiles, shared, [&](int tile) { return (double)column[((size_t)tile * 2 + 1) * padded]; });
    if (threadIdx.x >= 16) return;
    const Norm of = norm_rows(norm, padded);
    const double scale = of.scale[channel], inverse = of.inverse_deviation[channel];
    if (channel < channels) {
        gamma[channel] = (float)(product * inverse);
        beta[channel] = (float)sum;
    }
    rows[channel] = of.mean[channel];
    rows[padded + channel] = (float)scale;
    rows[2 * padded + channel] = count > 0 ? (float)(-scale * inverse * inverse * product / count) : 0;
    rows[3 * padded + channel] = count > 0 ? (float)(-scale * sum / count) : 0;
}
