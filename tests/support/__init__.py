"""What tests share: machines made up and real, and the ways to watch them."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
