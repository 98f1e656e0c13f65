#!/bin/sh
# Unpack Debian's source package of Kubernetes into a GOPATH and make what its tarball leaves out.
# usage: unpack.sh FILE.dsc GOPATH PROGRAMS
set -eu
dsc=$1 gopath=$2 programs=$3
tree=$gopath/src/k8s.io/kubernetes
export GOPATH="$gopath" GOCACHE="$gopath/cache" GO111MODULE=off GOFLAGS=-p=2 GOTOOLCHAIN=local CGO_ENABLED=0

rm -rf "$gopath/src"
mkdir -p "$gopath/src/k8s.io"
dpkg-source --no-check -x "$dsc" "$tree"

# The vendored reflect2 reads the runtime's private structures and panics with Go 1.18 and later.
reflect2=vendor/github.com/modern-go/reflect2
rm -rf "${tree:?}/$reflect2"
cp -rL "/usr/share/gocode/src/${reflect2#vendor/}" "$tree/$reflect2"

for program in "$programs"/*/; do
    name=$(basename "$program")
    mkdir -p "$tree/cmd/dlws-$name"
    cp "$program"*.go "$tree/cmd/dlws-$name/"
done

cd "$tree"
echo "generating pkg/generated/openapi"
marked=$(grep -rl --include=*.go '^// +k8s:openapi-gen=true' staging/src/k8s.io pkg cmd |
    grep -v -e '^staging/src/k8s.io/code-generator' -e '^staging/src/k8s.io/sample-' -e /testdata/ |
    xargs -n1 dirname | sort -u |
    sed -e 's,^staging/src/,k8s.io/kubernetes/vendor/,' -e '/^k8s.io/!s,^,k8s.io/kubernetes/,' |
    paste -sd,)
# Without -trimpath: the generator looks for the standard library where it was compiled.
go build -o "$gopath/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
"$gopath/openapi-gen" --logtostderr -i "$marked" -p k8s.io/kubernetes/pkg/generated/openapi \
    -O zz_generated.openapi -h hack/boilerplate/boilerplate.generatego.txt \
    -o "$gopath/src" -r "$gopath/violations"
test -s pkg/generated/openapi/zz_generated.openapi.go
