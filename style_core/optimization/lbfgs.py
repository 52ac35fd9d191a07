"""L-BFGS's memory: directions downhill from the last moves and what they did to the gradient, in two passes over memory.

The textbook's two loops (Liu and Nocedal 1989, algorithm 2.1) walk over every kept vector four times, one by one. Here they
run on inner products alone (Chen, Wang and Zhou 2014, "Large-scale L-BFGS using MapReduce"): one product with all that is kept
gives those of the new vectors, and one more the direction.
"""

import torch
from torch import Tensor

_BLOCK = 8192  # values that are multiplied at a time: the products then are many, and every core has some
_CONVERTED = 64  # blocks that are brought to float32 together
_LEAST = 1e-10  # of a move times what it did to the gradient: below it there is no curvature to learn from


class LBFGSHistory:
    """The last moves of a descent and the changes of its gradient.

    Args:
        like: a tensor of the shape and device of what is optimized.
        size: how many moves are kept.
        dtype: in which they and the changes are kept. All products are of what is kept, so that rounding leaves the curvature
            positive and of one piece.
    """

    def __init__(self, like: Tensor, size: int, dtype: torch.dtype = torch.float32):
        self.size = size
        self.count = like.numel()
        blocks = -(-self.count // _BLOCK)
        self._pairs = like.new_zeros(size, 2, blocks, _BLOCK, dtype=dtype)  # moves, changes
        self._last = like.new_zeros(3, blocks, _BLOCK, dtype=torch.float32)  # move, change, gradient
        self._products = torch.zeros(2 * size, 2 * size, dtype=torch.float64)  # of all pairs with one another
        self._order: list[int] = []  # spans in use, the oldest first
        self._has_moved = False

    @property
    def known(self) -> bool:
        """Whether the last direction was made of more than the gradient."""
        return bool(self._order)

    def direction(self, gradient: Tensor) -> Tensor:
        """Where to go from here, like `gradient`: minus it, times the inverse Hessian as far as it is known."""
        with_gradient = self._learn(gradient)
        if not self._order:
            return -gradient
        shares = self._two_loops(with_gradient)
        move = _combined(shares[:-1].float().to(gradient.device), self._rows()).flatten()[: self.count].view_as(gradient)
        return move.add_(gradient, alpha=float(shares[-1]))

    def moved(self, direction: Tensor, share: float = 1.0) -> None:
        """Note the move that was made after all from where the direction was asked for: `share` of it."""
        torch.mul(direction.flatten(), share, out=self._flat(0))
        self._has_moved = True

    def _learn(self, gradient: Tensor) -> Tensor:
        """Keep the last move if it shows curvature; the products `[2 n]` of what is kept with the gradient."""
        flat = gradient.flatten()
        torch.sub(flat, self._flat(2), out=self._flat(1))
        self._flat(2).copy_(flat)
        kept = self._has_moved and float(self._flat(0) @ self._flat(1)) > _LEAST
        self._has_moved = False
        if kept:
            self._pairs[self._free_slot()] = self._last[:2]
            self._last[:2] = self._pairs[self._order[-1]]  # as they are kept
        products = _multiply(self._rows(), self._last)  # [2 n, 3]
        if kept:
            newest = slice(2 * self._order[-1], 2 * self._order[-1] + 2)
            self._products[: len(products), newest] = products[:, :2]
            self._products[newest, : len(products)] = products[:, :2].mT
        return products[:, 2]

    def _free_slot(self) -> int:
        span = len(self._order) if len(self._order) < self.size else self._order.pop(0)
        self._order.append(span)
        return span

    def _flat(self, index: int) -> Tensor:
        """The last move, change or gradient, `[count]`."""
        return self._last[index].flatten()[: self.count]

    def _rows(self) -> Tensor:
        """What is kept, moves and changes by turns, `[blocks, 2 n, block]`."""
        return self._pairs[: len(self._order)].flatten(0, 1).transpose(0, 1)

    def _two_loops(self, with_gradient: Tensor) -> Tensor:
        """The direction as shares `[2 n + 1]` of the pairs and of the gradient."""
        used = 2 * len(self._order)
        products = torch.cat([self._products[:used, :used], with_gradient[:, None]], 1)  # of pairs with pairs and gradient
        shares = products.new_zeros(used + 1)
        shares[-1] = 1
        steps = {}
        for span in reversed(self._order):
            move, change = 2 * span, 2 * span + 1
            steps[span] = (products[move] @ shares) / products[move, change]
            shares[change] -= steps[span]
        newest = self._order[-1]
        shares *= products[2 * newest, 2 * newest + 1] / products[2 * newest + 1, 2 * newest + 1]
        for span in self._order:
            move, change = 2 * span, 2 * span + 1
            shares[move] += steps[span] - (products[change] @ shares) / products[move, change]
        return -shares


def _multiply(rows: Tensor, vectors: Tensor) -> Tensor:
    """Products of rows `[blocks, n, block]` with vectors `[k, blocks, block]`: `[n, k]`, float64, summed block by block."""
    total = torch.zeros(rows.shape[1], len(vectors), dtype=torch.float64)
    for part in _parts(rows):
        # In the other order, with so few vectors, it takes 1.7 times as long.
        found = torch.bmm(vectors[:, part].transpose(0, 1), rows[part].float().mT)
        total += found.cpu().sum(0, dtype=torch.float64).mT  # MPS has no float64
    return total


def _combined(shares: Tensor, rows: Tensor) -> Tensor:
    """The sum of rows `[blocks, n, block]` times shares `[n]`: `[blocks, block]`, float32."""
    found = rows.new_empty(rows.shape[0], rows.shape[2], dtype=torch.float32)
    for part in _parts(rows):
        torch.matmul(shares, rows[part].float(), out=found[part])
    return found


def _parts(rows: Tensor) -> list[slice]:
    """All blocks where they are float32 already; else so few that the copy which is multiplied stays small."""
    count = len(rows) if rows.dtype == torch.float32 else _CONVERTED
    return [slice(start, start + count) for start in range(0, len(rows), count)]
