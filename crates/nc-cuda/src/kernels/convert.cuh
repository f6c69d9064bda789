// Conversion between activations and planes, for images of any shape.
// Planes (N, C, H, W) in f32 to activations.
ENTRY(from_planes)(const float* planes, element* out, int images, int pixels, int channels, int padded) {
    EACH(i, (size_t)images * pixels * padded) {
        const int channel = i % padded;
        const size_t pixel = i / padded, image = pixel / pixels;
        store(out + i, channel < channels ? planes[(image * channels + channel) * pixels + pixel % pixels] : 0.0f);
    }
}

// Activations, read by READING, to planes.
ENTRY(to_planes)(const element* x, const float* norm, float* planes, int images, int pixels, int channels, int padded) {
    const Norm by = norm_rows(norm, padded);
    EACH(i, (size_t)images * pixels * channels) {
        const size_t pixel = i % pixels, channel = i / pixels % channels, image = i / pixels / channels;
        planes[i] = read<READING>(load(x + (image * pixels + pixel) * padded + channel), by, (int)channel);
    }
}

// target += source, of `vectors` vectors.
ENTRY(add)(element* target, const element* source, int vectors) {
    EACH(i, (size_t)vectors) {
        float sum[VECTOR], term[VECTOR];
        unpack(sum, ((const uint4*)target)[i]);
        unpack(term, ((const uint4*)source)[i]);
#pragma unroll
        for (int j = 0; j < VECTOR; j++) sum[j] += term[j];
        ((uint4*)target)[i] = pack(sum);
    }
}
