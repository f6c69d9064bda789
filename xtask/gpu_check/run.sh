#!/usr/bin/env bash
# Checks and measures the CUDA kernels on this machine's GPU; writes table.md and logs beside this script. The limits of its steps add up to
# seven minutes. Needs a driver and NVRTC (libnvrtc.so.13 or .12, searched for in the Python packages, too); PyTorch and
# compute-sanitizer are used if they are there.
set -uo pipefail
cd "$(dirname "$0")"
for directory in $(python3 -c 'import glob, site
for root in site.getsitepackages(): print(*glob.glob(root + "/nvidia/*/lib"))' 2>/dev/null); do
    LD_LIBRARY_PATH=$directory:${LD_LIBRARY_PATH:-}
done
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}:/usr/local/cuda/lib64
status=0
{
    nvidia-smi --query-gpu=name,driver_version,clocks.max.sm --format=csv,noheader | sed 's/^/GPU: /'
    echo
    # Kernels are compiled at their first launch; these are those of compute-sanitizer's runs.
    timeout 60 ./gpu_check small > small.log 2>&1 || { status=1; sed 's/^/gpu_check small: /' small.log; }
    timeout 120 ./gpu_check 2> gpu_check.log || { status=1; echo; sed 's/^/gpu_check: /' gpu_check.log; }
    echo
    if command -v compute-sanitizer > /dev/null; then
        for tool in memcheck racecheck; do
            timeout 45 compute-sanitizer --error-exitcode 1 --tool "$tool" ./gpu_check small > "$tool.log" 2>&1 || status=1
            echo "compute-sanitizer $tool: $(grep -o 'ERROR SUMMARY.*\|RACECHECK SUMMARY.*' "$tool.log" || echo "failed, see $tool.log")"
        done
    else
        echo "compute-sanitizer: not installed"
    fi
    echo
    if python3 -c 'import torch' 2> /dev/null; then
        timeout 150 python3 torch_steps.py 2> torch.log || echo "PyTorch: failed or ran out of time, see torch.log"
    else
        echo "PyTorch: not installed"
    fi
    # The block is a process of its own, whose status pipefail passes on.
    exit "${status}"
} | tee table.md
