"""Lists of images in text files that cannot be read."""

import os
from pathlib import Path

import pytest

from trainables.config import ConfigError
from trainables.data.image_list import read_lines


def test_list_that_is_a_pipe_or_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    pipe, loop = tmp_path / "pipe.txt", tmp_path / "loop.txt"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    for path, reason in ((pipe, "it is a named pipe, not a file"), (loop, "Too many levels of symbolic links")):
        with pytest.raises(ConfigError, match=rf"data\.root: {path} cannot be read \({reason}\); set data\.root"):
            read_lines(path, remedy="set data.root")
