"""Files and folders for nobody's eyes but ours."""

import errno
import os
from pathlib import Path

FILE_MODE, FOLDER_MODE = 0o600, 0o700


def new_file(path: Path) -> int:
    """A descriptor of a new file, to append to. Nobody else can read it, whatever the umask is.

    Raises:
        FileExistsError: there is something of that name, were it a link to nowhere; it is left as it is.
        OSError: the file cannot be made.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(path, flags, FILE_MODE)
    os.fchmod(descriptor, FILE_MODE)  # gives back what a strict umask took from ourselves
    return descriptor


def make_folder(folder: Path) -> None:
    """See that ``folder`` is there. Whatever of it has to be made is ours alone; what is there stays as it is.

    Raises:
        OSError: it cannot be made, or something else has its name.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(FOLDER_MODE, exist_ok=True)
        place.chmod(FOLDER_MODE)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


def sync_folder(folder: Path) -> None:
    """Wait until a power cut could not take the names in ``folder``.

    Raises:
        OSError: they may be lost.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # disks that do not know how to do it for folders
            raise
    finally:
        os.close(descriptor)
