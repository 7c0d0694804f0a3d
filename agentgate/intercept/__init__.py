"""How actions are caught: by the kernel, by shims on PATH, by the proxy."""
