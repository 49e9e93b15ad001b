"""What diffusers says of the catalogue's classes, as JSON; test_catalog.py runs it in that environment."""

import inspect
import json
import sys
from typing import Any

import diffusers
from diffusers.pipelines import auto_pipeline


def told(name: str) -> dict[str, Any] | None:
    kind = getattr(diffusers, name, None)
    if kind is None:
        return None
    others = {}
    for task in ("IMAGE2IMAGE", "INPAINT"):
        mapping = getattr(auto_pipeline, f"AUTO_{task}_PIPELINES_MAPPING")
        text = auto_pipeline.AUTO_TEXT2IMAGE_PIPELINES_MAPPING
        key = next((key for key, one in text.items() if one.__name__ == name), None)
        others[task] = list(inspect.signature(mapping[key].__call__).parameters) if key in mapping else []
    return {
        "takes": list(inspect.signature(kind.__call__).parameters),
        "modules": [one for one in inspect.signature(kind.__init__).parameters if one != "self"],
        "optional": list(kind._optional_components),
        "bar": "progress_bar" in inspect.getsource(kind.__call__),
        "others": others,
    }


if __name__ == "__main__":
    print("\n" + json.dumps({name: told(name) for name in sys.argv[1:]}))
