#!/usr/bin/env bash
# Has nodes pull each IMAGE, by default pre_download_images of config.yaml, before jobs need it.
#   deploy.py runscriptonroles worker scripts/pre_download_images.sh [IMAGE]...
# dlws-command: registry pull
# deploy.py runs that command of its own in place of this script: no password lies on a node.
set -euo pipefail
exec "$(dirname "$(readlink -f "$0")")/../deploy.py" --nodes worker registry pull "$@"
