"""Becomes a server of a no-op model behind Exp3, in an empty folder: an entry of peers.toml."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

CONFIG = """
[models.sum]
runtime = "python"
artifact = "noop:Sum"

[applications.sum]
models = ["sum"]
input = {{ datatype = "FP32", shape = [-1] }}
task = "regression"
policy = "exp3"
slo_ms = 1000
cache_bytes = "{cache}"
"""


def main() -> None:
    """Write the configuration, then be the server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port")
    parser.add_argument("--cache", default="0B", help="bytes of the cache of predictions, as in the configuration")
    args = parser.parse_args()
    folder = Path(tempfile.gettempdir()) / "windjammer-peer"
    shutil.rmtree(folder, ignore_errors=True)  # one run leaves a database of some hundred MB, the next one removes it
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("noop.py"), folder)
    (folder / "windjammer.toml").write_text(CONFIG.format(cache=args.cache))
    os.chdir(folder)
    command = ("-m", "serving.cli", "serve", "windjammer.toml", "--port", args.port, "--log-level", "warning")
    os.execv(sys.executable, (sys.executable, *command))


if __name__ == "__main__":
    main()
