"""The selective scan and its gradients on sixteen channels at a time, in numba's Python.

The forward pass of a block of channels goes through the sequence in chunks and keeps the state before
each chunk. The backward pass goes through the chunks from the last to the first, recomputes the states
of one chunk from the kept one, and turns round. So what is held beside the tensors is a few tiles that
stay in the first-level cache.

Sums over batches and channels run in an order that the shapes alone decide, never the threads.
"""

# ruff: noqa: N815 (dA and dD are the names of the gradients of A and D)

from typing import Any, NamedTuple, no_type_check

from numba.extending import register_jitable

from bastzoo.ops.lanes import (
    WIDTH,
    exp2,
    load,
    multiply_add,
    spread,
    store,
    sum_rows,
)
from bastzoo.ops.selective_scan.cpu.tiles import (
    LOG2_E,
    read_matrix,
    read_tile,
    read_vector,
    tiles,
    to_steps,
    to_steps_and_slopes,
    write_tile,
)


class Inputs(NamedTuple):
    """The arrays of a scan, in the shapes of `selective_scan`."""

    u: Any
    delta: Any
    A: Any
    B: Any
    C: Any
    D: Any
    bias: Any
    with_softplus: Any


# -- forward ----------------------------------------------------------------------------------------


@register_jitable(forceinline=True)
@no_type_check
def scan_blocks(first, last, chunk, inputs, y, states):
    """Fill `y` and `states[batch, checkpoint, n, channel]` for tasks `first` to `last`.

    A task is one block of channels of one batch.
    """
    _, channels, length = inputs.u.shape
    blocks = (channels + WIDTH - 1) // WIDTH
    order = inputs.A.shape[1]
    memory = tiles(3, chunk, inputs.u.dtype)
    rates, state = tiles(1, order, inputs.u.dtype)[0], tiles(1, order, inputs.u.dtype)[0]
    vectors = tiles(1, 2, inputs.u.dtype)[0]
    for task in range(first, last):
        batch, channel = task // blocks, task % blocks * WIDTH
        read_matrix(inputs.A, channel, rates)
        read_vector(inputs.D, channel, vectors[0])
        read_vector(inputs.bias, channel, vectors[1])
        state[:] = 0
        for time in range(0, length, chunk):
            rows = min(chunk, length - time)
            scan_chunk(batch, channel, time, rows, inputs, rates, vectors, memory, state)
            write_tile(memory[2], y, batch, channel, time, rows)
            if time + rows < length:
                for n in range(order):
                    for lane in range(min(WIDTH, channels - channel)):
                        states[batch, time // chunk, n, channel + lane] = state[n, lane]


@register_jitable(forceinline=True)
@no_type_check
def scan_chunk(batch, channel, time, rows, inputs, rates, vectors, memory, state):
    """Move `state[n, lane]` through `rows` steps and fill the third tile with the output."""
    step, x, out = memory[0], memory[1], memory[2]
    read_tile(inputs.delta, batch, channel, time, rows, step)
    to_steps(step, rows, vectors[1], inputs.with_softplus)
    read_tile(inputs.u, batch, channel, time, rows, x)
    skip = load(vectors, (0, 0))
    for t in range(rows):
        u = load(x, (t, 0))
        store(out, (t, 0), u * skip)
        store(x, (t, 0), u * load(step, (t, 0)))
    for n in range(inputs.A.shape[1]):
        exponent = load(rates, (n, 0)) * LOG2_E
        h = load(state, (n, 0))
        for t in range(rows):
            decay = exp2(load(step, (t, 0)) * exponent)
            drive = load(x, (t, 0)) * spread(inputs.B, (batch, n, time + t))
            h = multiply_add(decay, h, drive)
            y = multiply_add(h, spread(inputs.C, (batch, n, time + t)), load(out, (t, 0)))
            store(out, (t, 0), y)
        store(state, (n, 0), h)


# -- backward ---------------------------------------------------------------------------------------


class Gradients(NamedTuple):
    """Where the gradients go.

    What several tasks add to has an axis for them: `dA[slice, channel, n]`, `dD` and
    `dbias[slice, channel]`, `dB` and `dC[batch, group, n, step]` with the steps padded to whole lanes.
    """

    du: Any
    ddelta: Any
    dA: Any
    dB: Any
    dC: Any
    dD: Any
    dbias: Any


class Chunk(NamedTuple):
    """Tiles of one chunk of one block. `history[t]` is the state before step t."""

    step: Any
    slope: Any
    u: Any
    x: Any  # step × u, which drives the state
    dy: Any
    dx: Any
    dstep: Any
    decay: Any
    history: Any


class Block(NamedTuple):
    """What a group knows of each of its blocks: `[block, n, lane]`, and `[block, lane]` for vectors."""

    rate: Any
    carry: Any  # the gradient that the chunk after this one hands back, for the state
    dA: Any
    skip: Any
    bias: Any
    dD: Any
    dbias: Any


@register_jitable(forceinline=True)
@no_type_check
def scan_groups_backward(first, last, chunk, slices, groups, dy, states, inputs, gradients):
    """Fill the gradients for tasks `first` to `last`.

    A task is one of `slices` of the batches and one of `groups` of the blocks of channels.
    """
    batches, channels, length = inputs.u.shape
    order, dtype = inputs.A.shape[1], inputs.u.dtype
    blocks = (channels + WIDTH - 1) // WIDTH
    most = (blocks + groups - 1) // groups
    m = tiles(9, chunk + 1, dtype)
    tile = Chunk(m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8])
    dB_sums, dC_sums = tiles(order, chunk, dtype), tiles(order, chunk, dtype)
    v = tiles(4, most, dtype)
    known = Block(
        tiles(most, order, dtype), tiles(most, order, dtype), tiles(most, order, dtype),
        v[0], v[1], v[2], v[3],
    )  # fmt: skip
    for task in range(first, last):
        part, group = task // groups, task % groups
        from_block, to_block = group * blocks // groups, (group + 1) * blocks // groups
        start_group(from_block, to_block, inputs, known)
        for batch in range(part * batches // slices, (part + 1) * batches // slices):
            known.carry[:] = 0
            for kept in range((length - 1) // chunk, -1, -1):
                time = kept * chunk
                rows = min(chunk, length - time)
                dB_sums[:, :rows] = 0
                dC_sums[:, :rows] = 0
                for i in range(to_block - from_block):
                    channel = (from_block + i) * WIDTH
                    read_chunk(batch, channel, time, rows, inputs, dy, known.bias[i], tile)
                    for n in range(order):
                        read_state(states, batch, kept - 1, n, channel, tile.history)
                        scan_again(batch, time, rows, i, n, inputs.B, known.rate, tile)
                        turn_round(batch, time, rows, i, n, inputs, known, tile, dB_sums, dC_sums)
                    finish_chunk(rows, i, known, tile)
                    write_tile(tile.dx, gradients.du, batch, channel, time, rows)
                    write_tile(tile.dstep, gradients.ddelta, batch, channel, time, rows)
                for n in range(order):
                    for t in range(0, rows, WIDTH):
                        at = (batch, group, n, time + t)
                        store(gradients.dB, at, sum_rows(dB_sums, (n, t, 0)))
                        store(gradients.dC, at, sum_rows(dC_sums, (n, t, 0)))
        finish_group(part, from_block, to_block, known, gradients)


@register_jitable(forceinline=True)
@no_type_check
def start_group(from_block, to_block, inputs, known):
    """Read what belongs to the channels of a group, and set its sums to 0."""
    known.dA[:] = 0
    known.dD[:] = 0
    known.dbias[:] = 0
    for i in range(to_block - from_block):
        channel = (from_block + i) * WIDTH
        read_matrix(inputs.A, channel, known.rate[i])
        read_vector(inputs.D, channel, known.skip[i])
        read_vector(inputs.bias, channel, known.bias[i])


@register_jitable(forceinline=True)
@no_type_check
def read_chunk(batch, channel, time, rows, inputs, dy, bias, tile):
    """Fill the tiles that the gradients of one chunk start from."""
    read_tile(inputs.delta, batch, channel, time, rows, tile.step)
    to_steps_and_slopes(tile.step, tile.slope, rows, bias, inputs.with_softplus)
    read_tile(inputs.u, batch, channel, time, rows, tile.u)
    read_tile(dy, batch, channel, time, rows, tile.dy)
    tile.dx[:rows] = 0
    tile.dstep[:rows] = 0
    for t in range(rows):
        store(tile.x, (t, 0), load(tile.u, (t, 0)) * load(tile.step, (t, 0)))


@register_jitable(forceinline=True)
@no_type_check
def read_state(states, batch, kept, n, channel, history):
    """Put the state before the chunk into the first row of `history`."""
    history[0] = 0
    if kept >= 0:
        for lane in range(min(WIDTH, states.shape[3] - channel)):
            history[0, lane] = states[batch, kept, n, channel + lane]


@register_jitable(forceinline=True)
@no_type_check
def scan_again(batch, time, rows, i, n, B, rates, tile):
    """Recompute the decays of one state and the states themselves."""
    exponent = load(rates, (i, n, 0)) * LOG2_E
    h = load(tile.history, (0, 0))
    for t in range(rows):
        decay = exp2(load(tile.step, (t, 0)) * exponent)
        h = multiply_add(decay, h, load(tile.x, (t, 0)) * spread(B, (batch, n, time + t)))
        store(tile.decay, (t, 0), decay)
        store(tile.history, (t + 1, 0), h)


@register_jitable(forceinline=True)
@no_type_check
def turn_round(batch, time, rows, i, n, inputs, known, tile, dB_sums, dC_sums):
    """Hand the gradient of one state back from the last step to the first, and all that it touches."""
    rate = load(known.rate, (i, n, 0))
    carry = load(known.carry, (i, n, 0))
    dA = load(known.dA, (i, n, 0))
    for back in range(rows):
        t = rows - 1 - back
        dy, x = load(tile.dy, (t, 0)), load(tile.x, (t, 0))
        dC = multiply_add(dy, load(tile.history, (t + 1, 0)), load(dC_sums, (n, t, 0)))
        store(dC_sums, (n, t, 0), dC)
        dh = multiply_add(dy, spread(inputs.C, (batch, n, time + t)), carry)
        store(dB_sums, (n, t, 0), multiply_add(dh, x, load(dB_sums, (n, t, 0))))
        dx = multiply_add(dh, spread(inputs.B, (batch, n, time + t)), load(tile.dx, (t, 0)))
        store(tile.dx, (t, 0), dx)
        carry = dh * load(tile.decay, (t, 0))
        dexponent = carry * load(tile.history, (t, 0))
        dA = multiply_add(dexponent, load(tile.step, (t, 0)), dA)
        store(tile.dstep, (t, 0), multiply_add(dexponent, rate, load(tile.dstep, (t, 0))))
    store(known.carry, (i, n, 0), carry)
    store(known.dA, (i, n, 0), dA)


@register_jitable(forceinline=True)
@no_type_check
def finish_chunk(rows, i, known, tile):
    """From the gradients of `x` and `step` to those of `u` and `delta`, in their place."""
    skip = load(known.skip, (i, 0))
    dD, dbias = load(known.dD, (i, 0)), load(known.dbias, (i, 0))
    for t in range(rows):
        dx, u, dy = load(tile.dx, (t, 0)), load(tile.u, (t, 0)), load(tile.dy, (t, 0))
        ddelta = multiply_add(dx, u, load(tile.dstep, (t, 0))) * load(tile.slope, (t, 0))
        dD = multiply_add(dy, u, dD)
        dbias = dbias + ddelta
        store(tile.dstep, (t, 0), ddelta)
        store(tile.dx, (t, 0), multiply_add(dx, load(tile.step, (t, 0)), dy * skip))
    store(known.dD, (i, 0), dD)
    store(known.dbias, (i, 0), dbias)


@register_jitable(forceinline=True)
@no_type_check
def finish_group(part, from_block, to_block, known, gradients):
    """Write the sums over time and over a slice of the batches."""
    channels = gradients.dD.shape[1]
    for i in range(to_block - from_block):
        channel = (from_block + i) * WIDTH
        for lane in range(min(WIDTH, channels - channel)):
            for n in range(gradients.dA.shape[2]):
                gradients.dA[part, channel + lane, n] = known.dA[i, n, lane]
            gradients.dD[part, channel + lane] = known.dD[i, lane]
            gradients.dbias[part, channel + lane] = known.dbias[i, lane]
