"""The state of a run: network, optimiser, plateau and the best epoch so far; kept whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from glaciolake.models.errors import ModelError
from glaciolake.models.loss import loss_on_valid
from glaciolake.models.network import STANDARDISED, build_network, device_of, on_device
from glaciolake.models.paper.augment import Picture, stacked
from glaciolake.models.paper.encoder import give_weights
from glaciolake.models.paper.recipe import PaperRecipe
from glaciolake.models.spec import ModelSpec

if TYPE_CHECKING:
    import torch

THRESHOLD = 0.5


class Checked(NamedTuple):
    """Validation of an epoch: mean loss, and intersection over union pooled over all pixels, padding too."""

    loss: float
    iou: float


class Fit:
    """A network that is being trained.

    Parameters
    ----------
    recipe
        See `PaperRecipe`.
    spec
        What the network sees.
    data
        Digest of what it learns from.
    """

    def __init__(self, recipe: PaperRecipe, spec: ModelSpec, data: str) -> None:
        import torch

        self.recipe = recipe
        # Where and how it is computed may change: a run begun on a CPU goes on on a GPU.
        how = recipe.model_dump_json(exclude={"device", "precision", "compile"})
        self.facts = {"recipe": how, "pairs": data}
        self.device = device_of(recipe.device)
        torch.manual_seed(recipe.seed)
        network = build_network(spec, encoder=STANDARDISED + recipe.encoder)
        if recipe.encoder_weights is not None:
            give_weights(network, recipe.encoder, recipe.encoder_weights)
        self.network = on_device(network, self.device)
        # The names of a compiled network differ: what is kept is the bare one, which shares its weights.
        self.forward: Callable[..., Any] = torch.compile(self.network) if recipe.compile else self.network
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimiser, factor=recipe.plateau_factor, patience=recipe.plateau_patience
        )
        self.done, self.best_epoch, self.best_iou = 0, 0, -1.0
        self.losses: list[float] = []
        gpu = self.device.type == "cuda"
        self.bfloat16 = recipe.precision == "bfloat16" or (recipe.precision == "auto" and gpu)

    def step(self, step: int, pictures: list[Picture]) -> float:
        """One optimiser step; returns the loss."""
        import torch

        # What is dropped depends on the step alone, so that a stopped run goes on as if it had not.
        torch.manual_seed(self.recipe.seed * 1_000_003 + step)
        self.network.train()
        loss = self._loss(*self._answers(pictures))
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.done = step
        self.losses.append(float(loss.detach()))
        return self.losses[-1]

    def check(self, pictures: list[Picture]) -> Checked:
        """Score the network on pictures that it does not learn from."""
        import torch

        self.network.eval()
        losses, both, either = [], 0, 0
        with torch.inference_mode():
            for first in range(0, len(pictures), self.recipe.batch):
                part = pictures[first : first + self.recipe.batch]
                logits, water = self._answers(part)
                losses.append(float(self._loss(logits, water)) * len(part))
                found, lake = torch.sigmoid(logits) >= THRESHOLD, water > 0
                both += int((found & lake).sum())
                either += int((found | lake).sum())
        return Checked(sum(losses) / len(pictures), both / max(1, either))

    def end_epoch(self, epoch: int, checked: Checked, best: Path) -> float:
        """Lower the learning rate on a plateau, keep the best weights; returns the mean training loss."""
        self.plateau.step(checked.loss)
        if checked.iou > self.best_iou:
            self.best_epoch, self.best_iou = epoch, checked.iou
            _save({"weights": self.network.state_dict(), **self.facts}, best)
        mean = float(np.mean(self.losses))
        self.losses.clear()
        return mean

    @property
    def rate(self) -> float:
        """Learning rate of the next step."""
        return float(self.optimiser.param_groups[0]["lr"])

    def keep(self, path: Path) -> None:
        """Write the state."""
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "plateau": self.plateau.state_dict(),
            "numbers": [self.done, self.best_epoch, self.best_iou],
            "losses": self.losses,
        }
        _save(state | self.facts, path)

    def restore(self, path: Path) -> None:
        """Go on from a state, if there is one."""
        if not path.is_file():
            return
        state = self._read(path, "network", "optimiser", "plateau", "numbers", "losses")
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.plateau.load_state_dict(state["plateau"])
        done, epoch, self.best_iou = state["numbers"]
        self.done, self.best_epoch, self.losses = int(done), int(epoch), list(state["losses"])

    def take(self, best: Path) -> torch.nn.Module:
        """Network with the weights of the best epoch, on the CPU."""
        self.network.load_state_dict(self._read(best, "weights")["weights"])
        return self.network.cpu().eval()

    def _answers(self, pictures: list[Picture]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and label (n, y, x) of a batch."""
        import torch

        grey, water = (torch.from_numpy(part).to(self.device) for part in stacked(pictures))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            logits = self.forward(grey.contiguous(memory_format=torch.channels_last))[:, 0]
        return logits.float(), water

    def _loss(self, logits: torch.Tensor, water: torch.Tensor) -> torch.Tensor:
        """Loss over all pixels: the paper's network learns padding as land."""
        import torch

        return loss_on_valid(logits, water, torch.ones_like(water), self.recipe.loss)

    def _read(self, path: Path, *parts: str) -> dict[str, Any]:
        import torch

        try:
            state: dict[str, Any] = torch.load(path, weights_only=True, map_location=self.device)
            missing = [name for name in (*self.facts, *parts) if name not in state]
        except Exception as error:  # torch raises what pickle, zip and its own reader raise
            raise ModelError(
                f"{path} is no checkpoint that torch can read ({error}); delete it to begin anew"
            ) from error
        if missing:
            raise ModelError(f"{path} is no checkpoint of this recipe, it lacks {missing}; delete it")
        for name, value in self.facts.items():
            if state[name] != value:
                raise ModelError(
                    f"{path} was trained with another {name}, so its weights are not gone on with: "
                    f"{state[name]}, now {value}; give the run another folder, or delete it"
                )
        return state


def _save(state: dict[str, Any], path: Path) -> None:
    import torch

    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)
