#!/usr/bin/env bash
# Gives Kubernetes the credentials of registry_credential: the Secret regcred of each NAMESPACE.
#   deploy.py --sudo runscriptonrandmaster ./scripts/pass_secret.sh [NAMESPACE]...
# dlws-command: registry secret
# deploy.py runs that command of its own in place of this script: no password goes to a node.
set -euo pipefail
exec "$(dirname "$(readlink -f "$0")")/../deploy.py" registry secret "${@/#/--namespace=}"
