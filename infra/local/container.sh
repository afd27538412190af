#!/bin/sh
# Give one job its own /opt/ml: `container.sh ML_DIRECTORY COMMAND…`, run inside a user and mount namespace.
# /opt itself cannot be written without root, so where /opt/ml is missing a scratch /opt is mounted over it,
# with everything that was there bound back in.
set -e
ml=$1
shift
if [ ! -d /opt/ml ]; then
    was=$(mktemp -d)
    mount --rbind /opt "$was"
    mount -t tmpfs tmpfs /opt
    for entry in "$was"/*; do
        name=$(basename "$entry")
        if [ -L "$entry" ]; then
            cp -P "$entry" "/opt/$name"
        elif [ -d "$entry" ]; then
            mkdir "/opt/$name"
            mount --rbind "$entry" "/opt/$name"
        elif [ -e "$entry" ]; then
            : > "/opt/$name"
            mount --bind "$entry" "/opt/$name"
        fi
    done
    mkdir /opt/ml
fi
mount --bind "$ml" /opt/ml
cd /opt/ml
exec "$@"
