"""Each rule, by the smallest text that breaks it: its words, its line, its cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.configs import assert_problem, look, minimal

ERRORS = [
    ("kubernetes: 5", "must be a map, not 5"),
    ("machines: [a]", "must be a map, not a list"),
    ("machines: {m1: worker}", "must be a map, not \"worker\""),
    ("custom_mounts: {}", "must be a list, not a map"),
    ("scale_up: [a]", "must be a map of machines"),
    ("webuiport: x1", 'must be a whole number, not "x1"'),
    ("webuiport: 30.5", "must be a whole number, not 30.5"),
    ("webuiport: 70000", "must be at most 65535, not 70000"),
    ("ssh: {connect_timeout: -1}", "must be at least 0, not -1"),
    ("ssh: {connect_timeout: soon}", "must be a number"),
    ("mounthomefolder: perhaps", "must be true or false"),
    ("dockertag: [a]", "must be text, not a list"),
    ("dockertag: yes", "reads this word as true or false"),
    ("mysql_password: no", "reads this word as true or false"),
    ("cluster_name: a b", '"a b" is not a name for a cluster'),
    ("cluster_name: $(x)", "is not a name for a cluster"),
    ("admin_username: Root;", "is not a user name"),
    ("network: {domain: bad_domain}", "is not a host name"),
    ("k8s-gitbranch: v1.17.9", "Kubernetes 1.17 is not supported"),
    ("k8s-gitbranch: v1.99", "Kubernetes 1.99 is not supported"),
    ("k8s-gitbranch: latest", '"latest" is not a version of Kubernetes'),
    ("kubernetes: {network: flanel}", '"flanel" is not one of its values'),
    ("kubernetes: {source: bundles}", '"bundles" is not one of its values'),
    ("pod_ip_range: 10.2.0.1/16", '"10.2.0.1/16" is not a network'),
    ("pod_ip_range: 10.2.0.0/33", "is not a network"),
    ("pod_ip_range: 10.96.0.0/16", "pods (10.96.0.0/16) and services (10.96.0.0/12) overlap"),
    ("service_cluster_ip_range: 10.244.1.0/24", "overlap"),
    ("service_cluster_ip_range: 11.0.0.0/8", "larger than the API server takes"),
    ("kubernetes: {node_port_range: 5000}", "is not a range of ports"),
    ("kubernetes: {node_port_range: 400-300}", "is not a range of ports"),
    ("container_runtime: docker\nk8s-gitbranch: v1.24.0", "1.24 does not work with docker"),
    ("container_runtime: containerd\nk8s-gitbranch: v1.19.0", "1.19 is set up with docker"),
    ("etcd_node_num: 2", "2 etcd nodes survive no more failures than 1"),
    ("etcd_node_num: 3", "is 3, but 1 machines have the role infrastructure"),
    ("etcd_node_num: 0", "must be at least 1"),
    ("machines: {a: {role: infra}, b: {role: infra}}", "2 etcd nodes survive"),
    ("machines: {a: {role: worker}}", "no machine has the role infrastructure"),
    ("machines: {a: {role: wroker}}", '"wroker" is not a role'),
    ("machines: {a: {role: [infra, 3]}}", "a role is a word, or a list of words"),
    ("machines: {a: {role: []}}", "a role is a word, or a list of words"),
    ("machines: {a: {type: cpu}}", "role is missing"),
    ("machines: {a: }", "role is missing"),
    ("machines: {a: {role: infra, type: gpus}}", '"gpus" is not one of its values'),
    ("machines: {a: {role: infra, archtype: mips}}", '"mips" is not one of its values'),
    ("machines: {a: {role: infra, private-ip: 10.0.0.256}}", "is not an IP address"),
    ("machines: {a: {role: infra, port: 0}}", "must be at least 1"),
    ("machines: {a: {role: infra, jump_host: 'x@'}}", "is not a jump host"),
    ("machines: {a: {role: infra, host_key: abc}}", "is not a host key"),
    ("machines: {a_b: {role: infra}}", '"a_b" is not a host name'),
    ("machines: {Node1: {role: infra}}", '"Node1" is not a host name'),
    ("machines: {'$(x)': {role: infra}}", "is not a host name"),
    ("machines: {a: {role: infra, private-ip: 10.244.0.9}}", "lies in the network of pods"),
    ("machines: {a: {role: infra, private-ip: 10.96.0.9}}", "lies in the network of services"),
    ("mountpoints: {a: {type: nsf}}", '"nsf" is not one of its values'),
    ("deploy_method: kubespray", "is not one of its values"),
    ("sku_mapping: {NC24: {gpu: many}}", 'NC24.gpu: must be a whole number, not "many"'),
]  # fmt: skip


WARNINGS = [
    ("pod_ip_range: 10.2.0.0/26", "has room for the pods of 0 nodes"),
    ("dockerregstry: x", "dockerregstry: nothing knows this key"),
    ("kubernetes: {verison: 1.20.0}", "kubernetes.verison: nothing knows this key"),
    ("machines: {a: {role: infra, vendro: x}}", "machines.a.vendro: nothing knows this key"),
    ("sku_mapping: {NC24: {gpus: 4}}", "sku_mapping.NC24.gpus: nothing knows this key"),
    ("defalt_virtual_cluster_name: x", "misspelling of default_virtual_cluster_name"),
    ("dltsdata-atorage-mount-path: /x", "misspelling of dltsdata-storage-mount-path"),
    (
        "k8s-gitbranch: v1.20.0\nkubernetes: {version: 1.21.0}",
        "kubernetes.version is set as well",
    ),
    ("machines: {a: {role: infra, private-ip: 10.1.1.1, private_ip: 10.1.1.2}}", "is set as well"),
    ("machines: {}", "no machines are given"),
    ("machines: {a: {role: infra, type: gpu}}", "gpu without a vendor"),
    ("machines: {a: {role: infra, os: windows}}", "windows is not a system"),
    ("machines: {worker: {role: infra}}", "also the word for a group of nodes"),
    ("mountpoints: {s: {server: m2}}", "m2 is not one of the machines"),
    ("onpremise_cluster: {worker_node_num: 4}", "is 4, but 0 machines have the role worker"),
    ("worker_node_num: 4", "is 4, but 0 machines have the role worker"),
    ("kubelabels: {grafana: etcd_nod}", "no machine is meant by etcd_nod"),
    ("kubelabels: {grafana: 'node:m9'}", "no machine is meant by node:m9"),
    ("WebUIadminGroups: [B]\nUserGroups: {A: {}}", "B is not one of UserGroups"),
    ("Authentications: {DingTalk: {AppKey: x}}", "nobody can sign in by DingTalk: it lacks"),
    ("Authentications: {a b: {AppId: x, AppSecret: y}}", "a b is no name for a way to sign in"),
    ("Authentications: {M: {TenantId: common, ClientId: y}}", "TenantId is no directory's id"),
    ("Authentications: {K: {Issuer: 'http://x', ClientId: y}}", "http://x is no issuer"),
    ("Authentications: {K: {Issuer: 'https://x', ClientId: y, Group: z}}", "Group is not used"),
    (
        "Authentications: {K: {Issuer: 'https://x', ClientId: y, Groups: {g: B}}}",
        "B is no group",
    ),
    ("apt_mirror_url: http:\\/\\/m.example", "the slashes need no backslashes"),
    ("useclusterfile: false", "there is no cluster portal"),
    ("repair-manager: {cluster_name: other}", "other is not the name of this cluster"),
    ("jwt: {secret_key: Sign key for JWT}", "the sample's placeholder"),
    ("mysql_password: abc #1", "the secret ends before the #"),
    ("mysql_password: env:DLWS_NOT_SET_ANYWHERE", "DLWS_NOT_SET_ANYWHERE is not set"),
    ("mysql_password: file:/nonexistent/x", "No such file or directory"),
    ("smtp: {smtp_auth_password: env:DLWS_NOT_SET_ANYWHERE}", "is not set"),
    ("dockertag: !x y", "tags (!word) are not understood"),
]


@pytest.mark.parametrize(("text", "message"), ERRORS)
def test_error(text: str, message: str) -> None:
    assert_problem(text, message)


@pytest.mark.parametrize(("text", "message"), WARNINGS)
def test_warning(text: str, message: str) -> None:
    assert_problem(text, message, level="warning")


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("dockerregstry: x", "dockerregistry"),
        ("rpair-manager: {}", "repair-manager"),
        ("k8s_gitbranc: x", "k8s-gitbranch"),
        ("machines: {a: {role: mastr}}", "master"),
        ("machines: {a: {role: infra, vendro: x}}", "vendor"),
        ("kubernetes: {network: flanel}", "Did you mean flannel?"),
        ("machines: {Node_1: {role: infra}}", "Write node-1."),
        ("pod_ip_range: 10.2.0.1/16", "Write 10.2.0.0/16."),
        ("apt_mirror_url: http:\\/\\/m.example", "Write http://m.example."),
        (
            "mountpoints: {s: {server: master1}}\nmachines: {master01: {role: infra}}",
            "Did you mean master01?",
        ),
    ],
)
def test_the_cure_names_what_to_write(text: str, cure: str) -> None:
    (problem,) = look(minimal(text)).problems
    assert cure in problem.cure


def test_machines_of_both_sections_have_one_space_of_names_and_addresses() -> None:
    text = """\
network: {domain: x.example}
machines:
  a: {role: infra, private-ip: 10.1.0.1}
scale_up:
  b: {role: worker, private-ip: 10.1.0.1}
  a.x.example: {role: worker}
"""
    found = look("cluster_name: c\n" + text)
    assert [(p.line, p.column) for p in found.errors] == [(6, 33), (7, 3)]
    assert "is the address of a already" in found.errors[0].message
    assert "already given at config.yaml:4" in found.errors[1].message


@pytest.mark.parametrize(
    ("one", "two", "level"),
    [
        ("private-ip: 10.0.0.1", "private-ip: 10.0.0.1", "error"),
        ("private-ip: '2001:db8::1'", "private-ip: '2001:DB8:0:0::1'", "error"),
        ("private-ip: 10.0.0.1", "private-ip: '::ffff:10.0.0.1'", "error"),
        ("private-ip: 10.0.0.1, port: 22", "private-ip: 10.0.0.1", "error"),
        ("private-ip: 10.0.0.7", "type: cpu", "error"),
        ("public-ip: 10.0.0.1", "public-ip: 10.0.0.1", "warning"),
        ("private-ip: 10.0.0.1", "public-ip: 10.0.0.1", "warning"),
        ("private-ip: 10.0.0.1", "private-ip: 10.0.0.1, port: 2222", ""),
        ("private-ip: 10.0.0.1, public-ip: 10.0.0.1", "private-ip: 10.0.0.2", ""),
    ],
)
def test_one_place_is_that_of_one_machine(one: str, two: str, level: str, tmp_path: Path) -> None:
    (tmp_path / "deploy/etc").mkdir(parents=True)
    (tmp_path / "deploy/etc/hosts").write_text("10.0.0.7 b.x.example\n")
    text = (
        "cluster_name: c\nnetwork: {domain: x.example}\nmachines:\n"
        f"  a: {{role: infra, {one}}}\n  b: {{role: worker, {two}}}\n"
    )
    found = look(text, directory=tmp_path).problems
    assert [(p.level, p.line) for p in found] == [(level, 5)] * bool(level)
    assert all("is the address of a already" in p.message for p in found)


def test_rules_still_run_where_values_are_wrong() -> None:
    text = """\
cluster_name: c
etcd_node_num: 2
k8s-gitbranch: v1.99
machines:
  a: {role: infra, private-ip: 10.1.0.1, type: gpux}
  b: {role: infra, private-ip: 10.1.0.1}
  c: {private-ip: 10.244.0.1}
"""
    found = look(text)
    assert [p.line for p in found.errors] == [3, 5, 6, 7, 7]


def test_a_role_that_is_wrong_does_not_make_counts_wrong() -> None:
    found = look("cluster_name: c\nmachines:\n  a: {role: infrastracture}\n")
    assert [p.line for p in found.problems] == [3]


def test_keys_of_older_configurations_are_known() -> None:
    assert look(minimal("discoverserver: 192.0.2.1\nprometheus: {port: 9091}")).problems == []


def test_a_marker_of_ones_own_is_known_where_kubelabels_names_it() -> None:
    text = "cluster_name: c\nkubelabels: {cache: fast}\nmachines: {a: {role: infra, fast: true}}\n"
    found = look(text)
    assert found.problems == [] and found.config is not None
    assert found.config.machines["a"].model_extra == {"fast": True}


def test_problems_of_cluster_yaml_point_there_and_config_yaml_wins() -> None:
    below = "network: {domain: a.example}\nmachines:\n  m1: {role: wroker}\n  m2: {role: worker}\n"
    found = look("cluster_name: c\nnetwork: {domain: B}\nmachines: {m1: {role: infra}}\n", below)
    (problem,) = found.problems
    assert (problem.file, problem.line) == ("config.yaml", 2)
    fixed = look("cluster_name: c\nmachines: {m1: {type: cpu}}\n", below)
    assert [(p.file, p.line, p.column) for p in fixed.problems] == [("cluster.yaml", 3, 14)]
    both = look("cluster_name: c\nmachines: {m1: {role: infra}}\n", below).config
    assert both is not None
    assert [m.fqdn for m in both.machines.values()] == ["m1.a.example", "m2.a.example"]
