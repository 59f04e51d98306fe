"""The recurrent form of a discrete system: one step, and sequences that begin in a state.

Letters in shape comments: B samples, H features, n conjugate pairs, r rank, L steps, T steps of a block.
"""

import torch
from torch import Tensor

from hippo.nn.ssm.direct_convolution import toeplitz
from hippo.nn.ssm.discretization import DiscreteSystem
from hippo.nn.ssm.vandermonde import powers

BLOCK = 64  # steps that are computed by one set of matrix products


def step(inputs: Tensor, state: Tensor, system: DiscreteSystem, skip: Tensor) -> tuple[Tensor, Tensor]:
    """Compute one step of a causal system.

    Parameters
    ----------
    inputs : Tensor, shape (batch, features)
        Inputs of the step.
    state : Tensor of complex, shape (batch, features, state_size / 2)
        State before the step.
    system : DiscreteSystem
        The system, with one channel.
    skip : Tensor, shape (features,)
        Weights of the inputs in the outputs.

    Returns
    -------
    outputs : Tensor, shape (batch, features)
    state : Tensor of complex, shape (batch, features, state_size / 2)
        State after the step.
    """
    a, p, v, b, c = system
    after = torch.addcmul(b * inputs.unsqueeze(2), a, state)  # (B, H, n)
    for r in range(system.rank):
        after = torch.addcmul(after, p[:, r], (v[:, r] * state).sum(2, keepdim=True).real)
    return torch.addcmul((c[0] * after).sum(2).real, skip, inputs), after


def scan(
    inputs: Tensor, state: Tensor, system: DiscreteSystem, skip: Tensor, lengths: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Compute a sequence that begins in a state.

    Inside a block of T steps the outputs are sums of three products with tables: of the state, of the inputs, and of
    the low-rank feedback. The memory for the backward pass is that of the outputs and of one state per block.

    Parameters
    ----------
    inputs : Tensor, shape (batch, length, features)
        Inputs.
    state : Tensor of complex, shape (batch, features, state_size / 2)
        State before the first input.
    system : DiscreteSystem
        The system, with one channel.
    skip : Tensor, shape (features,)
        Weights of the inputs in the outputs.
    lengths : Tensor of int, shape (batch,), optional
        True lengths. The state of a sample is then the one after its last true input.

    Returns
    -------
    outputs : Tensor, shape (batch, length, features)
    state : Tensor of complex, shape (batch, features, state_size / 2)
    """
    tables = BlockTables(system, min(BLOCK, inputs.shape[1]))
    x = torch.cat([state.real, state.imag], 2).permute(1, 2, 0)  # (H, N, B): real coordinates
    outputs, ends = [], x  # a sample without inputs keeps its state
    for start in range(0, inputs.shape[1], BLOCK):
        u = inputs[:, start : start + BLOCK].permute(2, 1, 0)  # (H, T, B)
        if lengths is not None:
            for steps in (lengths - start)[(lengths > start) & (lengths < start + u.shape[1])].unique().tolist():
                ends = torch.where(lengths == start + steps, tables.advance(x, u[:, :steps])[1], ends)
        y, x = tables.advance(x, u)
        if lengths is not None:
            ends = torch.where(lengths == start + u.shape[1], x, ends)
        outputs.append(y)
    real, imag = (x if lengths is None else ends).permute(2, 0, 1).chunk(2, 2)  # (B, H, n)
    return torch.cat(outputs, 1).permute(2, 1, 0) + skip * inputs, torch.complex(real, imag)


class BlockTables:
    """Tables of a causal system for blocks of at most T steps, in the real coordinates (Re x, Im x).

    Parameters
    ----------
    system : DiscreteSystem
        The system, with one channel.
    steps : int
        Number of steps T.
    """

    def __init__(self, system: DiscreteSystem, steps: int):
        a, p, v, b, c = system
        functionals, rows = torch.cat([c.transpose(0, 1), v], 1), []  # (H, 1 + r, n): c Abar^k and v_r Abar^k
        for _ in range(steps + 1):
            rows.append(functionals)
            gains = (functionals @ p.transpose(1, 2)).real  # (H, 1 + r, r)
            functionals = functionals * a.unsqueeze(1) + gains.to(v.dtype) @ v
        table = torch.stack(rows, 1)  # (H, T + 1, 1 + r, n)
        responses = (table @ b[:, None, :, None]).squeeze(3).real.permute(2, 0, 1)[..., :steps]  # (1 + r, H, T)
        flat = torch.cat([table.real, -table.imag], 3)  # (H, T + 1, 1 + r, N)
        self.observation = flat[:, 1:, 0]  # (H, T, N): outputs of an initial state
        self.feedback = [flat[:, :steps, 1 + r] for r in range(system.rank)]  # (H, T, N): v_r . x_k of a state
        self.convolution = toeplitz(responses[:1])  # (H, T, T)
        earlier = torch.nn.functional.pad(responses[1:, :, : steps - 1], (1, 0))  # x_k contains u_0 ... u_(k - 1)
        self.feedback_convolution = [toeplitz(response.unsqueeze(0)) for response in earlier]
        decay = powers(a.to(torch.complex128), steps + 1).to(a.dtype)  # (H, n, T + 1); rounded once
        self.decay = decay
        drives = [b, *p.unbind(1)]
        self.drive = [self._real(decay[..., :steps].flip(2) * drive.unsqueeze(2)) for drive in drives]  # (H, N, T)

    @staticmethod
    def _real(columns: Tensor) -> Tensor:
        """Columns (H, n, T) in real coordinates, (H, 2 n, T)."""
        return torch.cat([columns.real, columns.imag], 1)

    def advance(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """Compute a block.

        Parameters
        ----------
        x : Tensor, shape (features, state_size, batch)
            State before the block.
        u : Tensor, shape (features, steps, batch)
            Inputs, at most T steps.

        Returns
        -------
        outputs : Tensor, shape (features, steps, batch)
        state : Tensor, shape (features, state_size, batch)
        """
        t = u.shape[1]
        outputs = self.observation[:, :t] @ x + self.convolution[:, :t, :t] @ u
        real, imag = x.chunk(2, 1)  # (H, n, B)
        decayed = self.decay[..., t].unsqueeze(2)  # (H, n, 1): a^t
        after = torch.cat([decayed.real * real - decayed.imag * imag, decayed.real * imag + decayed.imag * real], 1)
        after = after + self.drive[0][..., -t:] @ u
        for rows, matrix, drive in zip(self.feedback, self.feedback_convolution, self.drive[1:], strict=True):
            after = after + drive[..., -t:] @ (rows[:, :t] @ x + matrix[:, :t, :t] @ u)
        return outputs, after
