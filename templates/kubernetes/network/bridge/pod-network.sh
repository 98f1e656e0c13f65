#!/bin/sh
# Give this node its routes to the pods of the other nodes, and translate the addresses of what
# leaves the pod network. `up` does what /etc/dlws/pod-network says, `down` takes all of it away.
set -eu
table=/etc/dlws/pod-network
protocol=77 # marks our routes, so that stale ones can be told from everybody else's

address_family() { case $1 in *:*) echo -6 ;; *) echo -4 ;; esac; }
iptables_for() { case $1 in *:*) echo ip6tables ;; *) echo iptables ;; esac; }

# The rules of one pod network, one a line: table, chain, then the rule.
rules() {
    echo "nat POSTROUTING -s $1 ! -d $1 -j MASQUERADE"
    # Docker's default for forwarded packets is to drop them.
    echo "filter FORWARD -s $1 -j ACCEPT"
    echo "filter FORWARD -d $1 -j ACCEPT"
}

each_rule() { # VERB NETWORK: add or delete every rule, once
    tool=$(iptables_for "$2")
    rules "$2" | while read -r where chain rule; do
        # shellcheck disable=SC2086 # a rule is words
        if "$tool" -w -t "$where" -C "$chain" $rule 2>/dev/null; then
            [ "$1" = up ] || "$tool" -w -t "$where" -D "$chain" $rule
        elif [ "$1" = up ]; then
            "$tool" -w -t "$where" -A "$chain" $rule
        fi
    done
}

routes_up() { # never in the place of a route of others, a storage network's say
    bad=0
    while read -r kind target via; do
        [ "$kind" = route ] || continue
        family=$(address_family "$target")
        other=$(ip "$family" route show exact "$target" | grep -v " proto $protocol\( \|$\)" || true)
        if [ -n "$other" ]; then
            echo "error: a route that is not ours is there: $other; choose another pod_cidr, or remove it" >&2
            bad=1
        else
            ip "$family" route replace "$target" via "$via" proto "$protocol" || bad=1
        fi
    done <"$table"
    return "$bad"
}

stale_routes() { # those of ours that the table does not name
    for family in -4 -6; do
        ip "$family" route show proto "$protocol" 2>/dev/null | while read -r target _; do
            if [ "$1" = all ] || ! grep -q "^route $target " "$table"; then
                ip "$family" route del "$target" proto "$protocol"
            fi
        done
    done
}

[ -e "$table" ] || exit 0
network=$(sed -n 's/^network //p' "$table")
case ${1:-up} in
up)
    sysctl -q -w net.ipv4.ip_forward=1
    stale_routes others
    failed=0
    routes_up || failed=1
    each_rule up "$network"
    exit "$failed"
    ;;
down)
    stale_routes all
    each_rule down "$network"
    ;;
*)
    echo "usage: $0 up|down" >&2
    exit 2
    ;;
esac
