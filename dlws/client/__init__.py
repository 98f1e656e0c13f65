"""What people who submit jobs use: the platform's API, by a program (`Client`) or by `dlws job`.

from dlws.client import Client

with Client.signed_in() as client:
    number = client.submit({"name": "x", "vc": "a", "image": "torch:1", "command": "nvidia-smi"})
    for text in client.follow(number):
        print(text, end="")
"""

from dlws.client.api import Client

__all__ = ["Client"]
