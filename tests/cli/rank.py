"""One of several processes: `bastzoo`, and a line that says of how many."""

from __future__ import annotations

import os
import sys

from bastzoo.cli import main

code = main(sys.argv[1:])

import torch.distributed  # noqa: E402

world = torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1
print(f"process {os.environ.get('RANK', 0)} of {world}, exit code {code}", file=sys.stderr)  # noqa: T201
sys.stderr.flush()
os._exit(code)
