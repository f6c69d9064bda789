// The two layouts of a kernel that convolutions read, rounded for matrix products, and the sum of its partial gradients.
//
// The kernel itself, [output][input][tap] as in PyTorch, has no padded channels.
// forward [tap][output_padded][input_padded], backward [tap][input_padded][output_padded].
ENTRY(pack_weight)(const float* weight, element* forward, element* backward, int taps, int input, int output, int input_padded, int output_padded) {
    EACH(i, (size_t)taps * output_padded * input_padded) {
        const int from = i % input_padded, to = i / input_padded % output_padded, tap = i / (input_padded * output_padded);
        const bool exists = from < input && to < output;
        const float value = exists ? operand(weight[(to * input + from) * taps + tap]) : 0;
        store(forward + i, value);
        store(backward + (tap * input_padded + from) * output_padded + to, value);
    }
}

// gradient [output][input][tap]: the slices, summed in order.
ENTRY(sum_slices)(const float* partial, float* gradient, int slices, int taps, int input, int output, int input_padded, int output_padded) {
    const int count = taps * input_padded * output_padded;
    EACH(i, (size_t)count) {
        const int to = i % output_padded, from = i / output_padded % input_padded, tap = i / (input_padded * output_padded);
        if (from >= input || to >= output) continue;
        float sum = 0;
        for (int s = 0; s < slices; s++) sum += partial[(size_t)s * count + i];
        gradient[(to * input + from) * taps + tap] = sum;
    }
}
