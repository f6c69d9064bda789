// A driver without a GPU: memory is the host's, kernels do nothing. Each call is logged to the file FAKE_CUDA_LOG, and misuse
// ends the process.
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE* log_file;
static int capturing, context_is_current;

static void note(const char* format, ...) {
    if (!log_file) log_file = fopen(getenv("FAKE_CUDA_LOG"), "w");
    va_list arguments;
    va_start(arguments, format);
    vfprintf(log_file, format, arguments);
    va_end(arguments);
    fputc('\n', log_file);
    fflush(log_file);
}

static void require(int condition, const char* what) {
    if (condition) return;
    note("misuse: %s", what);
    abort();
}

// What a stream must not do while it captures.
static void outside_capture(const char* call) { require(!capturing && context_is_current, call); }

int cuInit(unsigned flags) { return 0; }
int cuDriverGetVersion(int* version) { *version = 13000; return 0; }
int cuGetErrorName(int code, const char** text) { *text = "FAKE"; return 0; }
int cuGetErrorString(int code, const char** text) { *text = "fake error"; return 0; }
int cuDeviceGetCount(int* count) { *count = 1; return 0; }
int cuDeviceGet(int* device, int ordinal) { *device = 7; return 0; }
int cuDeviceGetName(char* name, int size, int device) { strncpy(name, "Fake GPU", size); return 0; }
int cuDeviceGetAttribute(int* value, int attribute, int device) {
    const char* major = getenv("FAKE_CUDA_MAJOR");
    *value = attribute == 75 ? (major ? atoi(major) : 9) : 0;
    return 0;
}
int cuDevicePrimaryCtxRetain(void** context, int device) { *context = (void*)1; return 0; }
int cuDevicePrimaryCtxRelease_v2(int device) { note("release"); return 0; }
int cuCtxSetCurrent(void* context) { context_is_current = context == (void*)1; return 0; }
int cuStreamCreate(void** stream, unsigned flags) { *stream = (void*)2; return 0; }
int cuStreamDestroy_v2(void* stream) { note("destroy stream"); return 0; }
int cuStreamSynchronize(void* stream) { outside_capture("synchronize"); note("synchronize"); return 0; }
int cuStreamBeginCapture_v2(void* stream, int mode) { outside_capture("capture"); capturing = 1; note("begin capture"); return 0; }
int cuStreamEndCapture(void* stream, void** graph) {
    require(capturing, "end capture");
    capturing = 0;
    *graph = (void*)3;
    note("end capture");
    return 0;
}
int cuGraphInstantiateWithFlags(void** instance, void* graph, uint64_t flags) { *instance = (void*)4; note("instantiate"); return 0; }
int cuGraphDestroy(void* graph) { require(graph == (void*)3, "destroy graph"); return 0; }
int cuGraphLaunch(void* instance, void* stream) { require(instance == (void*)4, "launch graph"); note("launch graph"); return 0; }
int cuGraphExecDestroy(void* instance) { note("destroy graph"); return 0; }
// Memory that is left of FAKE_CUDA_MEMORY.
static long long left = -1;
int cuMemAlloc_v2(uint64_t* address, size_t bytes) {
    outside_capture("allocate");
    const char* memory = getenv("FAKE_CUDA_MEMORY");
    if (left < 0) left = memory ? atoll(memory) : 1LL << 40;
    if ((long long)bytes > left) return 2;
    left -= bytes;
    // The size before the memory.
    size_t* const block = calloc(1, bytes + 256);
    *block = bytes;
    *address = (uint64_t)(uintptr_t)block + 256;
    note("allocate %zu", bytes);
    return 0;
}
int cuMemFree_v2(uint64_t address) { outside_capture("free"); size_t* const block = (size_t*)(uintptr_t)(address - 256);
    left += *block;
    free(block);
    note("free");
    return 0;
}
int cuMemHostAlloc(void** memory, size_t bytes, unsigned flags) { *memory = malloc(bytes); note("pin %zu", bytes); return 0; }
int cuMemFreeHost(void* memory) { free(memory); note("unpin"); return 0; }
int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void* stream) {
    outside_capture("upload");
    memcpy((void*)(uintptr_t)to, from, bytes);
    note("upload %zu", bytes);
    return 0;
}
int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void* stream) {
    outside_capture("download");
    memcpy(to, (void*)(uintptr_t)from, bytes);
    note("download %zu", bytes);
    return 0;
}
int cuEventCreate(void** event, unsigned flags) { *event = malloc(1); return 0; }
int cuEventElapsedTime(float* milliseconds, void* from, void* to) { *milliseconds = 0.25f; return 0; }
int cuEventRecord(void* event, void* stream) { outside_capture("record"); return 0; }
int cuEventSynchronize(void* event) { outside_capture("wait for an event"); return 0; }
int cuEventDestroy_v2(void* event) { free(event); return 0; }
int cuModuleLoadData(void** module, const void* image) {
    outside_capture("load");
    require(strncmp(image, "code for", 8) == 0, "image");
    *module = (void*)5;
    return 0;
}
int cuModuleGetFunction(void** function, void* module, const char* name) { *function = strdup(name); note("load %s", name); return 0; }
int cuFuncSetAttribute(void* function, int attribute, int value) { require(attribute == 8 && value == 99 * 1024, "shared memory"); return 0; }
int cuLaunchKernel(void* function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned ty, unsigned tz, unsigned shared,
                   void* stream, void** arguments, void** extra) {
    require(context_is_current && stream == (void*)2 && ty == 1 && tz == 1 && !extra, "launch");
    note("launch %s %u %u %u, %u threads, %u bytes", (char*)function, x, y, z, threads, shared);
    return 0;
}
