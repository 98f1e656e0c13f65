"""Who may run what, when, and why the others wait: one pure function, `decide(snapshot)`.

It neither reads a clock nor keeps anything, so another scheduler can take its place.
"""

from jobplatform.admission.decide import decide
from jobplatform.admission.snapshot import Amount, Decision, Job, Node, Snapshot, Vc

__all__ = ["Amount", "Decision", "Job", "Node", "Snapshot", "Vc", "decide"]
