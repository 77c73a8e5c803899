"""Several processes of one training: nobody's share is empty, and the figures are those of the whole."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock, Mock

import pytest
import torch
from accelerate import Accelerator

from bastzoo.data.batches import ClipSet
from bastzoo.engine.evaluation import _share
from bastzoo.engine.processes import Shares, check_shares, is_lost
from bastzoo.errors import SetupError


def process(rank: int, processes: int) -> Any:
    return Mock(spec=Accelerator, process_index=rank, num_processes=processes)


def some_clips(count: int) -> Any:
    """A split of a few clips; a batch is the indices asked for."""
    clips = MagicMock(spec=ClipSet, split="train", rooms=(), sound_ids=(), classes=())
    clips.__len__.return_value = count
    clips.take.side_effect = lambda indices: indices
    return clips


@pytest.mark.parametrize(("clips", "processes"), [(1, 2), (2, 3), (3, 2), (7, 4)])
def test_fewer_clips_than_processes_are_heard_once_and_by_all(clips: int, processes: int) -> None:
    counted = []
    for rank in range(processes):
        parts, mine = _share(some_clips(clips), 2, process(rank, processes))
        heard = torch.cat([*parts])  # type: ignore[arg-type]
        assert len(heard) > 0  # the same parts are gathered from every process
        counted += heard[mine].tolist()
    assert counted == list(range(clips))


@pytest.mark.parametrize(("batch", "processes"), [(2, 2), (3, 2), (5, 4)])
def test_the_mean_over_processes_is_the_mean_over_the_batch(batch: int, processes: int) -> None:
    losses = torch.arange(batch, dtype=torch.float64) ** 2
    parts = []
    for rank in range(processes):
        shares = Shares(batch, process(rank, processes))
        parts.append(shares.weighted(losses[shares.of(torch.arange(batch))].mean()))
    assert torch.stack(parts).mean().item() == pytest.approx(losses.mean().item())


@pytest.mark.parametrize(("clips", "batch", "what"), [(100, 3, "batch"), (2, 8, "training split")])
def test_a_share_without_a_clip_is_refused(clips: int, batch: int, what: str) -> None:
    check_shares(clips, batch, process(0, 2))
    with pytest.raises(SetupError, match=f"4 processes cannot share a {what}"):
        check_shares(clips, batch, process(0, 4))


def test_a_lost_process_is_told_apart_from_an_error_of_ones_own() -> None:
    assert is_lost(RuntimeError("[gloo/transport/tcp/pair.cc:544] Connection closed by peer"))
    assert not is_lost(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
