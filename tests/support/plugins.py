"""A third-party provider type as if its package were installed: one module, and its entry point."""

from __future__ import annotations

from pathlib import Path


def install(site: Path, name: str, key_variable: str | None, address: str) -> None:
    """Create a directory that installs a provider type with this name for a `Checkout` that has it in `plugins`.

    Args:
        site: the directory.
        name: the value of `spec.type`.
        key_variable: the variable that contains the type's key, or None if it needs none.
        address: the type's default base URL.
    """
    facts = site / f"{name}-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (facts / "entry_points.txt").write_text(f"[reconciler.providers]\n{name} = of_{name}:TYPE\n", encoding="utf-8")
    made = f"name={name!r}, key_variable={key_variable!r}, url_variables=(), address={address!r}"
    (site / f"of_{name}.py").write_text(
        "from reconciler.plugin import Capabilities\n"
        "from reconciler.providers._openai_service import OpenAIService\n"
        f"TYPE = OpenAIService({made}, capabilities=Capabilities())\n",
        encoding="utf-8",
    )
