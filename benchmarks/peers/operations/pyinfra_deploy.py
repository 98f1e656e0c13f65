"""The four operations for pyinfra: a file, a copy, a command, a user."""

from pyinfra.operations import files, server

files.file(name="file", path="/srv/file", mode="644", present=True)
files.put(name="put", src="content", dest="/srv/put")
server.shell(name="shell", commands=["echo hello"])
server.user(name="user", user="bench", present=True, ensure_home=False, create_home=False)
