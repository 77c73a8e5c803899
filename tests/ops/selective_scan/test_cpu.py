"""The CPU kernel: the same bits every time, torch's thread count, and no trouble with threads or forks."""

import logging
import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from numba.core import event

from bastzoo.ops import compilation, lanes
from bastzoo.ops.selective_scan import selective_scan
from bastzoo.ops.selective_scan.cpu import compile as cpu_compile
from bastzoo.ops.selective_scan.cpu import scan as cpu
from bastzoo.ops.threads import run_tasks


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_bits_depend_neither_on_the_run_nor_on_the_threads(problem, threads):
    scan = problem(6, 50, 200, 9)
    answers = []
    for count in (1, 2, 2, 3):
        threads(count)
        answers.append(scan.answer(selective_scan))
    for other in answers[1:]:
        assert all(torch.equal(answers[0][name], other[name]) for name in other)


@pytest.mark.parametrize("count", [1, 2])
def test_no_more_threads_work_than_torch_has(threads, count):
    threads(count)
    covered, workers = [], set()

    def run(first, last):
        covered.extend(range(first, last))
        workers.add(threading.get_ident())
        time.sleep(0.002)

    run_tasks(run, 20, 10)
    assert sorted(covered) == list(range(20))
    assert len(workers) == count


def test_an_error_in_a_task_reaches_the_caller(threads):
    threads(2)

    def fail(first, last):
        raise ValueError("in a task")

    with pytest.raises(ValueError, match="in a task"):
        run_tasks(fail, 10, 5)


def test_many_threads_can_scan_at_once(problem):
    scan = problem(4, 64, 65, 4)
    alone = scan.answer(selective_scan)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: scan.answer(selective_scan), range(12)))
    assert all(torch.equal(answer[name], alone[name]) for answer in together for name in alone)


def test_a_pool_can_grow_while_others_use_it(problem, threads):
    """Each caller asks for more threads than the one before, all at once."""
    scan = problem(4, 64, 65, 4)
    alone = scan.answer(selective_scan)

    def answer(count):
        torch.set_num_threads(count)
        return scan.answer(selective_scan)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(answer, [1, 2, 3, 4, 5, 6, 7, 8]))
    assert all(torch.equal(other[name], alone[name]) for other in together for name in alone)


def _scan_in_child(tensors, queue):
    y, _ = cpu.forward(*tensors, True)
    queue.put(y.numpy().sum().item())  # torch's own sum would wait for threads that a fork loses


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_can_scan(problem):
    tensors = problem(8, 64, 64, 8).tensors
    expected = cpu.forward(*tensors, True)[0].numpy().sum().item()
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_scan_in_child, args=(tensors, queue), daemon=True)
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert queue.get() == pytest.approx(expected)


def test_only_checkpoints_of_the_state_are_kept(problem):
    scan = problem(2, 16, 200, 8)
    y = selective_scan(*[t.requires_grad_() for t in scan.tensors])
    states, *_ = y.grad_fn.saved_tensors
    assert states.shape == (2, 3, 8, 16)


def test_a_compilation_is_announced_in_one_line(caplog):
    announcement = compilation._Announcement("the CPU selective scan")
    compiling = event.Event("numba:compile", event.EventStatus.START)
    with caplog.at_level(logging.WARNING, "bastzoo"):
        for _ in range(3):
            announcement.on_start(compiling)
            announcement.on_end(compiling)
    assert len(caplog.records) == 1
    assert "compiling the CPU selective scan" in caplog.text


def test_without_a_folder_for_the_cache_every_process_compiles(monkeypatch):
    tried = []

    def njit(signature, **options):
        tried.append(options.get("cache", False))
        if tried[-1]:
            raise RuntimeError("cannot cache function 'scan': no locator available for file 'x'")
        return lambda function: function

    monkeypatch.setattr(compilation, "njit", njit)
    assert compilation.compiled(len, "a signature", "it") is len
    assert tried == [True, False]


def test_machine_code_of_other_sources_is_not_reused():
    """numba's cache knows a function by what it closes over: the digest of the sources is among it."""
    old, _ = cpu_compile._entries(64, "digest of older sources")
    new, _ = cpu_compile._entries(64, compilation.seal(lanes))
    closed_over = [{cell.cell_contents for cell in f.__closure__} for f in (old, new)]
    assert closed_over[0] == {64, "digest of older sources"}
    assert closed_over[0] != closed_over[1]
