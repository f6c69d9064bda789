#!/bin/sh
for argument in "$@"; do
  case "$argument" in
    --version) echo "Cuda compilation tools, release 13.4, V13.4.92"; exit 0 ;;
    --list-gpu-code) echo "sm_80"; exit 0 ;;
  esac
done
previous=
for argument in "$@"; do
  case "$previous" in -o | --output-file) : > "$argument" ;; --output-directory) directory=$argument ;; esac
  case "$argument" in *.cu) source=$argument ;; esac
  previous=$argument
done
if [ -n "$directory" ] && [ -n "$source" ]; then : > "$directory/$(basename "$source" .cu).ptx"; fi
