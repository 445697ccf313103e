"""The machine that something was measured on, without its name and without any path of it."""

import os
import platform
import ssl
from importlib.metadata import version
from pathlib import Path

import attrs

LIBRARIES = ("trio", "httpx", "httpcore", "h11", "trio-websocket", "wsproto", "msgspec", "fast-stark-crypto")
"""Those that an order passes through."""

CPU_INFO = Path("/proc/cpuinfo")


@attrs.frozen(kw_only=True)
class Machine:
    """Processor, system, interpreter, libraries."""

    cpu: str
    cores: int
    """That this process may use."""

    load: tuple[float, float, float]
    """Runnable tasks, in the mean of the last 1, 5 and 15 minutes, before anything was measured."""

    system: str
    python: str
    openssl: str
    libraries: dict[str, str]


def this_machine() -> Machine:
    # Linux alone knows what a process may use, and names the model where everybody can read it.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Machine(
        cpu=_model() or platform.processor() or "unknown processor",
        cores=cores or 1,
        load=os.getloadavg(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        openssl=ssl.OPENSSL_VERSION,
        libraries={name: version(name) for name in LIBRARIES},
    )


def _model() -> str:
    if not CPU_INFO.exists():
        return ""
    lines = CPU_INFO.read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
