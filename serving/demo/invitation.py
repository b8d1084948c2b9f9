"""At the end of `windjammer demo --serve`: where the server is, and what to try."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from rich.console import Console

from serving.demo.digits import Digits, question
from serving.demo.server import Server

INVITATION = """
The server stays up until Ctrl-C: {url}
  {url}/docs               the interface
  {url}/metrics            for Prometheus
  {url}/admin/models       models, their mean batch sizes
  {url}/admin/applications/digits-ensemble/state
  {url}/admin/applications/digits-cascade/state    what images took, too
Ask it about a digit, a {label}:
  curl -s -d @{image} {url}/digits-ensemble/predict
and tell it the truth, with the query_id of its answer:
  curl -s -d '{{"query_id": "...", "label": {label}}}' {url}/digits-ensemble/observe
Break the best model, and mend it:
  touch {flag}
  rm {flag}
All of it is in {folder}
"""


def invite(console: Console, server: Server, configuration: Path, held_out: Digits) -> None:
    """Say what to try, and wait until we are interrupted: that is the usual end of it."""
    folder = configuration.parent
    asked = question(held_out, seed=0, index=10**9)  # beyond the stream
    image = folder / "image.json"
    image.write_bytes(msgspec.json.encode({"input": asked.pixels.tolist()}))
    text = INVITATION.format(
        url=f"http://127.0.0.1:{server.port}",
        label=asked.label,
        image=image,
        flag=folder / "models" / "broken",
        folder=folder,
    )
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    try:
        asyncio.run(server.wait())
    except KeyboardInterrupt:
        console.print("Stopping")
