from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bastzoo.acoustics.listeners.listener import KEMAR, LEAD, read_sofa
from bastzoo.errors import DataError
from tests.acoustics.conftest import SofaWriter, horizontal, toy_sofa


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 96_000])
def test_a_file_of_any_rate_gives_the_same_delays(write_sofa: SofaWriter, rate: int) -> None:
    listener = read_sofa(write_sofa(rate=rate))
    left, front, right = listener.responses[listener.nearest(horizontal(90, 0, -90))]
    assert listener.responses.shape == (36, 2, 160)
    assert abs(int(left[0].argmax()) - LEAD) <= 2
    for near, far in ((left[0], left[1]), (right[1], right[0])):
        assert abs(int(far.argmax()) - int(near.argmax()) - 0.0006 * 16_000) <= 1
    np.testing.assert_allclose(front[0], front[1], atol=1e-6)
    # The gain at low frequencies does not depend on the rate either.
    np.testing.assert_allclose(left.sum(-1), [0.8, 0.2], rtol=0.02)


def test_delays_kept_apart_from_the_responses_count(write_sofa: SofaWriter) -> None:
    plain = read_sofa(write_sofa())
    shifted = np.tile([12.0, 0.0], (36, 1))
    later = read_sofa(write_sofa(Data_Delay=shifted))
    front = plain.nearest(horizontal(0))[0]
    assert later.responses[front, 0].argmax() - later.responses[front, 1].argmax() == 4


def test_cartesian_positions_and_receivers_in_reverse_are_understood(
    write_sofa: SofaWriter,
) -> None:
    plain = read_sofa(write_sofa())
    cartesian = read_sofa(
        write_sofa(
            SourcePosition=1.2 * horizontal(*range(0, 360, 10)),
            SourcePosition_Type="cartesian",
            SourcePosition_Units="metre",
        )
    )
    np.testing.assert_allclose(cartesian.directions, plain.directions, atol=1e-12)
    mirrored = plain.nearest(plain.directions * [1, -1, 1])
    path = write_sofa(ReceiverPosition=np.array([[0, -0.09, 0], [0, 0.09, 0.0]]))
    with pytest.raises(DataError, match="ears are exchanged"):
        read_sofa(path)  # receivers and responses disagree
    azimuths = np.arange(0, 360, 10.0)
    positions = np.stack([-azimuths, 0 * azimuths, 0 * azimuths + 1.2], axis=-1) % 360
    both = read_sofa(
        write_sofa(
            ReceiverPosition=np.array([[0, -0.09, 0], [0, 0.09, 0.0]]), SourcePosition=positions
        )
    )
    nearest = both.nearest(plain.directions)
    np.testing.assert_array_equal(both.responses[nearest], plain.responses[mirrored][:, ::-1])


BAD = {
    "azimuths run": {
        "SourcePosition": np.stack(
            [(-np.arange(0, 360, 10.0)) % 360, np.zeros(36), np.full(36, 1.2)], axis=-1
        )
    },
    "no source more than 30 degrees": {
        "SourcePosition": np.stack([np.zeros(36), np.linspace(-40, 90, 36), np.full(36, 1.2)], -1)
    },
    "belong to different ears": {
        "Data_Delay": np.stack(
            [60 * np.sin(np.radians(np.arange(0, 360, 10.0))) + 60, np.full(36, 60.0)], axis=-1
        )
    },
    "as if its positions were in radians": {
        "SourcePosition": np.stack(
            [np.radians(np.arange(0, 360, 10.0)), np.zeros(36), np.full(36, 1.2)], axis=-1
        )
    },
    "elevation 350 degrees": {
        "SourcePosition": np.stack([np.zeros(36), np.arange(0, 360, 10.0), np.full(36, 1.2)], -1)
    },
    "an empty or infinite": {"Data_IR": np.full((36, 2, 256), np.nan)},
    "silent ear in row 3": {"Data_IR": np.eye(256)[None, :2] * (np.arange(36) != 3)[:, None, None]},
    "onsets .* ms apart": {"Data_Delay": np.arange(72.0).reshape(36, 2) * 100},
}


@pytest.mark.parametrize("reason", BAD)
def test_a_listener_that_cannot_be_is_refused_with_file_and_reason(
    write_sofa: SofaWriter, reason: str
) -> None:
    path = write_sofa(**BAD[reason])
    with pytest.raises(DataError, match=reason) as caught:
        read_sofa(path)
    assert str(path) in str(caught.value)


def test_another_convention_is_named(write_sofa: SofaWriter) -> None:
    with pytest.raises(DataError, match="'GeneralTF', not SimpleFreeFieldHRIR"):
        read_sofa(write_sofa(convention="GeneralTF"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.sofa is not a file"):
        read_sofa(tmp_path / "nowhere.sofa")


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(st.binary(max_size=400), st.integers(1, KEMAR.stat().st_size - 1)))
def test_damaged_files_raise_only_data_errors(tmp_path: Path, damage: bytes | int) -> None:
    path = tmp_path / "damaged.sofa"
    path.write_bytes(KEMAR.read_bytes()[:damage] if isinstance(damage, int) else damage)
    with pytest.raises(DataError, match=r"damaged\.sofa"):
        read_sofa(path)


@pytest.fixture(scope="module")
def sofa_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return toy_sofa(tmp_path_factory.mktemp("sofa") / "listener.sofa").read_bytes()


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_a_mutated_file_is_read_or_refused_and_nothing_else(
    tmp_path: Path, sofa_bytes: bytes, data: st.DataObject
) -> None:
    content = bytearray(sofa_bytes)
    for _ in range(data.draw(st.integers(1, 8))):
        # HDF5 keeps most of its structure in front.
        end = data.draw(st.sampled_from([4_000, len(content)]))
        content[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    # A file of its own: HDF5 keeps what it could not open to the end, and locks it.
    path = tmp_path / f"{uuid4()}.sofa"
    path.write_bytes(content)
    try:
        listener = read_sofa(path)
    except DataError:
        return
    assert np.isfinite(listener.responses).all()
