"""The table of commands: what the help and shell completion show without importing a command."""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, str]] = {
    "init": (
        "init",
        "Write a commented config.yaml, from options or from answers to a few questions",
    ),
    "checkconfig": ("config", "Check config.yaml (and cluster.yaml) and show what they amount to"),
    "config": ("config", "Explain the configuration's keys"),
    "sandbox": (
        "sandbox",
        "Real local nodes on this machine, to rehearse on and to test with (needs root)",
    ),
    "build": ("build", "Make the cluster's id and SSH key under deploy/"),
    "sshkey": ("build", "Let the cluster's SSH key in on the nodes"),
    "hosts": ("build", "Write deploy/etc/hosts: the names and addresses of all nodes"),
    "secrets": (
        "secrets",
        "Encrypt the secrets kept in deploy/ with a passphrase, or decrypt them",
    ),
    "up": ("up", "Install the cluster: run the steps in their order (see `steps`)"),
    "steps": ("up", "List the steps of the installation, numbered"),
    "plan": (
        "plan",
        "Say what COMMAND would change, node by node, and keep it in FILE for `apply`",
    ),
    "apply": ("plan", "Make the changes of the plan in FILE: exactly those, and no others"),
    "runs": ("runs", "Show the runs that changed something, newest last"),
    "resume": ("runs", "Carry on RUN (default: the last one) where it failed or was cut off"),
    "lock": ("lock", "Show or break the lock that keeps runs apart"),
    "connect": (
        "nodes",
        "Open a shell on a node: the INDEXth (from 0) of a ROLE, or the one with NAME",
    ),
    "execonall": ("nodes", "Run COMMAND on all nodes and show its output"),
    "doonall": (
        "nodes",
        "Run COMMAND on all nodes without showing its output (failures are shown)",
    ),
    "copytoall": ("nodes", "Copy a file or directory to DESTINATION on all nodes, as root"),
    "runscriptonall": ("scripts", "Run a local SCRIPT with ARGS on all nodes"),
    "runscriptonallinparallel": (
        "scripts",
        "Run a local SCRIPT with ARGS on all nodes (the same as runscriptonall)",
    ),
    "runscriptonroles": ("scripts", "Run a local SCRIPT with ARGS on the nodes of the ROLEs"),
    "runscriptonrandmaster": (
        "scripts",
        "Run a local SCRIPT with ARGS on one infra node, chosen at random among those that answer",
    ),
    "role": ("role", "List roles and who carries them; apply, verify and remove them"),
    "nfs-server": ("nfs", "Serve the cluster's shared directories over NFS"),
    "glusterfs": ("glusterfs", "Serve replicated volumes from the nodes' own disks (GlusterFS)"),
    "mount": (
        "storage",
        "Mount the shares of config.yaml on all nodes and link them; alone: the same as `start`",
    ),
    "docker": (
        "images",
        "Build the cluster's images, push them to its registry, list and run them",
    ),
    "registry": (
        "registry",
        "Run the cluster's own registry of images; give nodes the credentials and images of others",
    ),
    "deploy": (
        "update",
        "Make the control plane on all infra nodes: their tools, then the same as `kubeadm init`",
    ),
    "updateworker": (
        "update",
        "Bring workers (or those of NODEs) to what config.yaml says: prepared, joined, up to date",
    ),
    "updateworkerinparallel": (
        "update",
        "Bring workers (or those of NODEs) to what config.yaml says (the same as updateworker)",
    ),
    "bundle": (
        "bundle",
        "Kubernetes, its images and packages in one directory, for nodes without network",
    ),
    "kubeadm": ("kubeadm", "Make, grow and take apart the Kubernetes cluster"),
    "kubernetes": (
        "kubernetes",
        "Start and stop services, label nodes for them, and say which nodes take work",
    ),
    "kubectl": ("kubernetes", "Run kubectl with ARGS as typed, against this cluster"),
    "labelworker": (
        "labels",
        "Label nodes by architecture and workers by their devices (archType, gpu, gpuType, ...)",
    ),
    "gpulabel": ("labels", "Label workers with their gpuType"),
    "labelsku": ("labels", "Label nodes with their sku (sku or node-group of the machine)"),
    "labelvc": (
        "labels",
        "Label nodes with their virtual cluster (vc of the machine, else default)",
    ),
    "webui": (
        "portal",
        "Write the portal's settings to deploy/dashboard/local.yaml, and make secrets it lacks",
    ),
    "nginx": ("portal", "Prepare the cluster's front door: the service nginx"),
    "set_mirror": (
        "portal",
        "Show the apt_mirror_url that nodes, images and jobs use",
    ),
    "genscripts": (
        "portal",
        "Check config.yaml for the scripts; they get its values when they run, so none is made",
    ),
    "db": ("database", "Make the cluster's database, back it up and restore it, and run SQL in it"),
    "user": ("database", "Add, list and remove the users of the cluster"),
    "acl": ("database", "Say who may do what: users and groups are user, collaborator or admin"),
    "vc": (
        "vcs",
        "Divide the cluster into virtual clusters, each with a quota of devices and its users",
    ),
    "login": (
        "job",
        "Sign in to the job platform at ADDRESS, such as https://cluster.example.org/apis",
    ),
    "logout": ("job", "Sign out of the job platform: the token that `login` keeps ends"),
    "job": (
        "job",
        "Submit jobs to the job platform, watch them and stop them; `login` comes first",
    ),
    "keys": (
        "keys",
        "Keep one's public keys for SSH and tokens for programs on the job platform",
    ),
    "status": (
        "status",
        "Show whether nodes are reachable, what they are, and whether they are Ready",
    ),
    "display": ("status", "Show the nodes of the configuration by role"),
    "verify": (
        "verify",
        "Compare NODEs (default: all) with config.yaml, "
        "and name what differs and the line it is from",
    ),
    "check": ("check", "Look for what would go wrong on the nodes, before anything is changed"),
}
"""By name, in the order of the help: the module under dlws.cli, the first sentence of the help."""
