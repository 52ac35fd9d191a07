"""L-BFGS's memory: directions downhill from the last moves and what they did to the gradient, in two passes over memory.

The textbook's two loops (Liu and Nocedal 1989, algorithm 2.1) walk over every kept vector four times, one by one. Here they
run on inner products alone (Chen, Wang and Zhou 2014, "Large-scale L-BFGS using MapReduce"): one product with all that is kept
gives those of the new vectors, and one more the direction.
"""

import torch
from torch import Tensor
from torch.nn import functional

_BLOCK = 8192                # values that are multiplied at a time: the products then are many, and every core has some
_LEAST = 1e-10               # of a move times what it did to the gradient: below it there is no curvature to learn from


class Curvature:
    """The last moves of a descent and the changes of its gradient.

    Args:
        like: a tensor of the shape and device of what is optimised.
        size: how many moves are kept.
    """

    def __init__(self, like: Tensor, size: int):
        self.size = size
        self.blocks = -(-like.numel() // _BLOCK)
        self._pairs = like.new_zeros(size, 2, self.blocks, _BLOCK, dtype=torch.float32)      # moves, changes
        self._products = torch.zeros(2 * size, 2 * size, dtype=torch.float64)                # of all pairs with one another
        self._order: list[int] = []                                                          # slots in use, the oldest first
        self._last: tuple[Tensor, Tensor] | None = None

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
        kept = shares[:-1].float().to(gradient.device)
        move = (kept @ self._rows()).flatten()[: gradient.numel()].view_as(gradient)
        return move.add_(gradient, alpha=float(shares[-1])).neg_()

    def moved(self, move: Tensor, gradient: Tensor) -> None:
        """Note the move that was made after all from where `gradient` was measured."""
        self._last = move, gradient

    def _learn(self, gradient: Tensor) -> Tensor:
        """Keep the last move if it shows curvature; the products `[2 n]` of what is kept with the gradient."""
        if self._last is not None:
            move, before = self._last
            self._last = None
            change = gradient - before
            if float((move * change).sum()) > _LEAST:
                slot = self._free_slot()
                fresh = torch.stack([self._blocked(each) for each in (move, change, gradient)])
                self._pairs[slot] = fresh[:2]
                found = self._multiply(fresh)
                self._products[: len(found), 2 * slot : 2 * slot + 2] = found[:, :2]
                self._products[2 * slot : 2 * slot + 2, : len(found)] = found[:, :2].mT
                return found[:, 2]
        return self._multiply(self._blocked(gradient)[None])[:, 0]

    def _free_slot(self) -> int:
        slot = len(self._order) if len(self._order) < self.size else self._order.pop(0)
        self._order.append(slot)
        return slot

    def _multiply(self, vectors: Tensor) -> Tensor:
        """Products of what is kept with vectors `[k, blocks, block]`: `[2 n, k]`, float64, summed block by block."""
        return torch.bmm(self._rows(), vectors.permute(1, 2, 0)).cpu().sum(0, dtype=torch.float64)      # MPS has no float64

    def _rows(self) -> Tensor:
        """What is kept, moves and changes by turns, `[blocks, 2 n, block]`."""
        return self._pairs[: len(self._order)].flatten(0, 1).transpose(0, 1)

    def _two_loops(self, with_gradient: Tensor) -> Tensor:
        """The direction as shares `[2 n + 1]` of the pairs and of the gradient, before its sign is turned."""
        used = 2 * len(self._order)
        products = torch.cat([self._products[:used, :used], with_gradient[:, None]], 1)  # of pairs with pairs and gradient
        shares = products.new_zeros(used + 1)
        shares[-1] = 1
        steps = {}
        for slot in reversed(self._order):
            move, change = 2 * slot, 2 * slot + 1
            steps[slot] = (products[move] @ shares) / products[move, change]
            shares[change] -= steps[slot]
        newest = self._order[-1]
        shares *= products[2 * newest, 2 * newest + 1] / products[2 * newest + 1, 2 * newest + 1]
        for slot in self._order:
            move, change = 2 * slot, 2 * slot + 1
            shares[move] += steps[slot] - (products[change] @ shares) / products[move, change]
        return shares

    def _blocked(self, tensor: Tensor) -> Tensor:
        flat = tensor.detach().float().flatten()
        return functional.pad(flat, (0, self.blocks * _BLOCK - flat.numel())).view(self.blocks, _BLOCK)
