#!/bin/sh
# Docker's runc in a sandbox node, which has not all capabilities of its machine. A node may not lower a
# process's OOM score, and dockershim wants that of every pod: runc would fail with "can't get final
# child's PID from pipe". And Docker gives privileged containers also what a node has not itself.
case ${1-} in --version | -v) PATH=$PATH:/usr/sbin:/sbin exec runc "$@" ;; esac # the engine asks often
names="CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
    SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
    AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
    PERFMON BPF CHECKPOINT_RESTORE"
bounds=$((0x$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)))
bit=0 lacking=CAP_OF_NOBODY
for name in $names; do
    [ $((bounds >> bit & 1)) = 1 ] || lacking="$lacking|CAP_$name"
    bit=$((bit + 1))
done
before=
for word; do
    case $before in
        --bundle | -b) file=$word/config.json ;;
        --process | -p) file=$word ;;
        *) file= ;;
    esac
    if [ -f "$file" ]; then
        sed -Ei -e 's/"oomScoreAdj":-[0-9]+/"oomScoreAdj":0/' \
            -e "s/\"($lacking)\",//g" -e "s/,?\"($lacking)\"//g" "$file"
    fi
    before=$word
done
PATH=$PATH:/usr/sbin:/sbin exec runc "$@"
