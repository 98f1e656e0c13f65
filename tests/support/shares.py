"""A cluster whose nodes mount a share of a server, and a directory of their own."""

TEXT = """
cluster_name: atlas
machines:
  infra01: {role: infrastructure, private-ip: 10.1.0.1}
  w1: {role: worker, private-ip: 10.1.0.11}
mountpoints:
  s: {type: sshfs, server: nas, filesharename: /x, mountsharename: a b}
  e: {type: emptyDir}
"""
