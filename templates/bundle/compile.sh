#!/bin/sh
# Compile one program of the unpacked tree.
# usage: compile.sh PACKAGE ARCHITECTURE GOPATH OUTPUT VERSION BUILD_DATE
set -eu
package=$1 architecture=$2 gopath=$3 output=$4 version=$5 date=$6
export GOPATH="$gopath" GOCACHE="$gopath/cache" GO111MODULE=off GOFLAGS=-p=2 GOTOOLCHAIN=local
export CGO_ENABLED=0 GOOS=linux GOARCH="$architecture"

flags="-s -w"
rest=${version#*.}
for place in k8s.io/kubernetes/vendor/k8s.io/component-base/version \
    k8s.io/kubernetes/vendor/k8s.io/client-go/pkg/version; do
    for pair in "gitVersion=v$version" "gitMajor=${version%%.*}" "gitMinor=${rest%%.*}" \
        gitTreeState=archive gitCommit=debian "buildDate=$date"; do
        flags="$flags -X $place.$pair"
    done
done
cd "$gopath/src/k8s.io/kubernetes"
go build -v -trimpath -ldflags "$flags" -o "$output" "$package"
