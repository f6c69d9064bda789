// Updates of parameters that stay on the device, in f32. Each begins at a multiple of THREADS values, behind which zeros
// follow; block b takes the values from b THREADS on, of parameter owners[b].

// Factors of a parameter in one update.
struct Factors {
    // 0 for a parameter without a gradient, which does not change.
    float active;
    // Factor of the gradient.
    float clip;
    // Length of the step.
    float rate;
    // AdamW's: reciprocal root of the second correction, and factor of weight decay.
    float correction;
    float decay;
};

__device__ __forceinline__ Factors factors(const float* owners, const float* rows) {
    const float* const row = rows + 5 * (int)owners[blockIdx.x];
    return Factors{row[0], row[1], row[2], row[3], row[4]};
}

__device__ __forceinline__ size_t own_value() { return blockIdx.x * (size_t)THREADS + threadIdx.x; }

// The sum of all threads' values in a fixed order, for the first thread.
__device__ double sum_of_block(double value, double* shared) {
    shared[threadIdx.x] = value;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
    }
    return shared[threadIdx.x];
}

// The sum of squares of each block's values.
ENTRY(block_squares)(const float* values, double* sums) {
    DYNAMIC_SHARED(memory);
    const double value = values[own_value()];
    const double sum = sum_of_block(value * value, (double*)memory);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// The sum for each parameter, that of blocks starts[b] to starts[b + 1].
ENTRY(parameter_squares)(const double* sums, const float* starts, float* squares) {
    DYNAMIC_SHARED(memory);
    double own = 0;
    for (int i = (int)starts[blockIdx.x] + threadIdx.x; i < (int)starts[blockIdx.x + 1]; i += THREADS) own += sums[i];
    const double sum = sum_of_block(own, (double*)memory);
    if (threadIdx.x == 0) squares[blockIdx.x] = (float)sum;
}

// SGD with momentum as PyTorch's.
ENTRY(sgd)(float* values, const float* gradients, float* momenta, const float* owners, const float* rows, double momentum, double weight_decay,
           int nesterov) {
    const Factors by = factors(owners, rows);
    if (by.active == 0) return;
    const size_t i = own_value();
    const float step = by.clip * gradients[i] + (float)weight_decay * values[i];
    const float velocity = (float)momentum * momenta[i] + step;
    momenta[i] = velocity;
    values[i] -= by.rate * (nesterov ? step + (float)momentum * velocity : velocity);
}

// AdamW as PyTorch's. The rate is divided by the first correction.
ENTRY(adamw)(float* values, const float* gradients, float* first, float* second, const float* owners, const float* rows, double beta1,
             double beta2, double epsilon) {
    const Factors by = factors(owners, rows);
    if (by.active == 0) return;
    const size_t i = own_value();
    const float gradient = by.clip * gradients[i];
    first[i] = (float)beta1 * first[i] + (float)(1 - beta1) * gradient;
    second[i] = (float)beta2 * second[i] + (float)(1 - beta2) * gradient * gradient;
    values[i] = by.decay * values[i] - by.rate * first[i] / (sqrtf(second[i]) * by.correction + (float)epsilon);
}

// moved = values + rate * direction.
ENTRY(moved)(float* moved, const float* values, const float* direction, const float* owners, const float* rows) {
    const Factors by = factors(owners, rows);
    const size_t i = own_value();
    moved[i] = by.active == 0 ? values[i] : values[i] + by.rate * direction[i];
}

// averages += rate * (values - averages).
ENTRY(average)(float* averages, const float* values, const float* owners, const float* rows) {
    const Factors by = factors(owners, rows);
    if (by.active == 0) return;
    const size_t i = own_value();
    averages[i] += by.rate * (values[i] - averages[i]);
}

// target += term, of `count` values.
ENTRY(add_values)(float* target, const float* term, int count) {
    EACH(i, (size_t)count) target[i] += term[i];
}
