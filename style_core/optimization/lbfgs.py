"""L-BFGS's history: descent directions from the last moves and changes of the gradient, in two passes over memory.

The two-loop recursion (Liu and Nocedal 1989, algorithm 2.1) reads every stored vector four times. Here it runs on inner products
alone (Chen, Wang and Zhou 2014, "Large-scale L-BFGS using MapReduce"): one matrix product with the history gives the products of
the new vectors, and a second one gives the direction.
"""

import torch
from torch import Tensor

_BLOCK = 8192  # values multiplied at a time, so that the products are spread over the cores
_CONVERTED = 64  # blocks converted to float32 together
_LEAST = 1e-10  # least product of a move and the gradient's change; pairs below it carry no usable curvature


class LBFGSHistory:
    """The last moves of a descent and the changes of its gradient.

    Args:
        like: a tensor of the same shape and device as the optimized one.
        size: number of moves kept.
        dtype: of the stored moves and changes. All products use the stored values, so that the curvature estimate stays
            consistent and positive after rounding.
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
        """Whether the last direction used curvature, not only the gradient."""
        return bool(self._order)

    def direction(self, gradient: Tensor) -> Tensor:
        """The descent direction, shaped like `gradient`: minus the gradient times the estimated inverse Hessian."""
        with_gradient = self._learn(gradient)
        if not self._order:
            return -gradient
        shares = self._two_loops(with_gradient)
        move = _combined(shares[:-1].float().to(gradient.device), self._rows()).flatten()[: self.count].view_as(gradient)
        return move.add_(gradient, alpha=float(shares[-1]))

    def moved(self, direction: Tensor, share: float = 1.0) -> None:
        """Record the move that was made: `share` times the last direction."""
        torch.mul(direction.flatten(), share, out=self._flat(0))
        self._has_moved = True

    def _learn(self, gradient: Tensor) -> Tensor:
        """Store the last move if it shows curvature; returns the products `[2 n]` of the history with the gradient."""
        flat = gradient.flatten()
        torch.sub(flat, self._flat(2), out=self._flat(1))
        self._flat(2).copy_(flat)
        kept = self._has_moved and float(self._flat(0) @ self._flat(1)) > _LEAST
        self._has_moved = False
        if kept:
            self._pairs[self._free_slot()] = self._last[:2]
            self._last[:2] = self._pairs[self._order[-1]]  # rounded as stored
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
        """The stored moves and changes, alternating, `[blocks, 2 n, block]`."""
        return self._pairs[: len(self._order)].flatten(0, 1).transpose(0, 1)

    def _two_loops(self, with_gradient: Tensor) -> Tensor:
        """The direction as coefficients `[2 n + 1]` of the pairs and the gradient."""
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
        # This order is faster for few vectors.
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
    """All blocks at once if they are float32 already; otherwise slices small enough to convert."""
    count = len(rows) if rows.dtype == torch.float32 else _CONVERTED
    return [slice(start, start + count) for start in range(0, len(rows), count)]
