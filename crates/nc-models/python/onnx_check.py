"""Compares nc-models with ONNX Runtime: every backbone with every head, and optionally files of `nclt export`.

    pip install numpy onnx onnxruntime safetensors
    python onnx_check.py                        every backbone with every head, on random images
    python onnx_check.py NAME.onnx ...          the files are valid, and print their metadata

Each file must pass `onnx.checker` with shape inference. Logits and features must agree within 1e-4.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

BOUND = 1e-4


def session(path):
    onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def differences(path):
    """Largest absolute difference of each output, and its largest absolute value."""
    ours = load_file(path.with_suffix(".safetensors"))
    network = session(path)
    found = {}
    for name in ("logits", "features"):
        # The whole batch, and a batch of one.
        (theirs,) = network.run([name], {"images": ours["images"]})
        (first,) = network.run([name], {"images": ours["images"][:1]})
        difference = max(np.abs(theirs - ours[name]).max(), np.abs(first - ours[name][:1]).max())
        found[name] = (float(difference), float(np.abs(ours[name]).max()))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="files of `nclt export`")
    parser.add_argument("--cases", help="directory with the output of the example `onnx`; without it, cargo runs the example")
    args = parser.parse_args()
    for path in args.files:
        network = session(path)
        print(path, *(f"{value.name} {value.shape}" for value in [*network.get_inputs(), *network.get_outputs()]))
        for key, value in network.get_modelmeta().custom_metadata_map.items():
            print(f"  {key}: {value}")
    if args.files:
        return
    with tempfile.TemporaryDirectory() as directory:
        if not args.cases:
            manifest = pathlib.Path(__file__).parents[1] / "Cargo.toml"
            options = ["--release", "--quiet", "--features", "onnx", "--manifest-path", manifest]
            subprocess.run(["cargo", "run", *options, "--example", "onnx", "--", directory], check=True)
        paths = sorted(pathlib.Path(args.cases or directory).glob("*.onnx"))
        largest = {"logits": 0.0, "features": 0.0}
        for path in paths:
            found = differences(path)
            text = (f"{name} {error:.1e} (largest value {size:.2g})" for name, (error, size) in found.items())
            print(f"{path.stem}: largest difference of", ", ".join(text))
            for name, (error, _) in found.items():
                largest[name] = max(largest[name], error)
    ok = bool(paths) and all(error <= BOUND for error in largest.values())
    text = ", ".join(f"{name} {error:.1e}" for name, error in largest.items())
    print(f"{len(paths)} networks, largest difference of {text}, bound {BOUND:.0e}: {'passed' if ok else 'failed'}")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
