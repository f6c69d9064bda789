// A compiler that compiles nothing: its code names the target.
#include <stdlib.h>
#include <string.h>

int nvrtcVersion(int* major, int* minor) { *major = 13; *minor = 0; return 0; }
const char* nvrtcGetErrorString(int code) { return "fake error"; }
int nvrtcCreateProgram(void** program, const char* text, const char* name, int count, const char** headers, const char** names) {
    *program = calloc(1, 64);
    return strstr(text, "ENTRY(") == 0;
}
int nvrtcCompileProgram(void* program, int count, const char** options) {
    if (count != 2 || strcmp(options[0], "--gpu-architecture=sm_90") || strcmp(options[1], "--std=c++17")) return 1;
    strcpy(program, "code for sm_90");
    return 0;
}
int nvrtcDestroyProgram(void** program) { free(*program); return 0; }
int nvrtcGetCUBINSize(void* program, size_t* size) { *size = 64; return 0; }
int nvrtcGetCUBIN(void* program, char* to) { memcpy(to, program, 64); return 0; }
int nvrtcGetProgramLogSize(void* program, size_t* size) { *size = 1; return 0; }
int nvrtcGetProgramLog(void* program, char* to) { *to = 0; return 0; }
