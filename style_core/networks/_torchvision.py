"""torchvision, also beside a CPU build of torch.

The registry's torchvision wheel is built for CUDA. Beside a CPU torch its compiled operators can't be loaded, and the
import then fails ("operator torchvision::nms does not exist") although networks and transforms need none of them.
Declaring the two operators' schemas first lets the import through; box operators stay unusable, and are not used here.
"""

import importlib
import sys
from types import ModuleType

import torch

_declared: list[torch.library.Library] = []          # a Library's operators vanish with it


def import_torchvision() -> ModuleType:
    """torchvision, imported on first need: it takes about a second."""
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)
    return importlib.import_module("torchvision")
