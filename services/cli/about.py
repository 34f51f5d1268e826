"""The program about itself: its version, and its completion scripts."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Literal


def version_text() -> str:
    """The installed version, or what it is when it runs from a checkout."""
    try:
        return installed_version("gonogo")
    except PackageNotFoundError:
        return "0.0.0 (from a checkout)"


def version() -> None:
    """Prints the version."""
    print(version_text())


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Prints the completion script: `eval "$(gonogo completion bash)"`.

    Parameters
    ----------
    shell
        Which shell.
    """
    from services.cli.app import build

    print(build().generate_completion(shell=shell))
