#!/bin/sh
# Sets up what the Makefile needs, and says in one sentence what a machine lacks.
#
#   sh tools/setup.sh runtime    .venv with the package (editable) and what it runs on
#   sh tools/setup.sh dev        the same with the tools that make lint, test and docs use
#   sh tools/setup.sh foreign    programs nobody here wrote, which the tests compare with, and the bindings to them
set -eu

VENV=.venv
LOG=$VENV/setup.log

stop() {
    printf '%s\n' "kojin_card: $1" >&2
    exit 1
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if new_enough "$candidate"; then
            printf '%s' "$candidate"
            return
        fi
    done
}

make_venv() {
    if [ -x $VENV/bin/python ] && new_enough $VENV/bin/python && $VENV/bin/python -c 'import pip' >/dev/null 2>&1; then
        return
    fi
    python=$(find_python)
    if [ -z "$python" ]; then
        found=$(python3 --version 2>/dev/null || printf 'no python3')
        stop "Python 3.11 or newer is needed and this machine has $found: install python3 and python3-venv (or name one: make PYTHON=/path/to/python3)."
    fi
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        package=python3-venv
        case $python in python3.*) package=$python-venv ;; esac
        stop "$python cannot make a virtual environment here: install the package $package (Debian, Ubuntu: apt-get install $package)."
    fi
    "$python" -m venv --clear $VENV || stop "$python could not make the virtual environment $VENV: is there room and the right to write here?"
}

# The relative path matters: pip splits these variables at blanks, and a checkout may lie in a folder with one.
install() {
    printf '%s' "Setting up $VENV ($($VENV/bin/python --version), $2) ... "
    begun=$(date +%s)
    if ! PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
        $VENV/bin/python -m pip install --quiet --no-input --disable-pip-version-check --editable "$1" >$LOG 2>&1; then
        printf 'failed.\n' >&2
        tail -n 15 $LOG >&2
        stop "pip could not install what constraints.txt names (its words are above and in $LOG): is the package index within reach?"
    fi
    printf '%s\n' "done in $(($(date +%s) - begun)) s."
}

# What shows that it is there (a command, or a file), and the package of Debian that brings it. The tests name the same
# commands and files (marks.foreign). The last three build the binding to PC/SC.
FOREIGN='
openssl                                         openssl
pdfsig                                          poppler-utils
xmlsec1                                         xmlsec1
pcscd                                           pcscd
/usr/lib/pcsc/drivers/serial/libifdvpcd.so      vsmartcard-vpcd
opensc-tool                                     opensc
/usr/lib/*/opensc-pkcs11.so                     opensc-pkcs11
p11tool                                         gnutls-bin
/usr/lib/*/softhsm/libsofthsm2.so               softhsm2
ssh-keygen                                      openssh-client
/usr/lib/*/engines-3/pkcs11.so                  libengine-pkcs11-openssl
modutil                                         libnss3-tools
/usr/include/PCSC/winscard.h                    libpcsclite-dev
swig                                            swig
cc                                              gcc
'

is_there() {
    case $1 in
        # shellcheck disable=SC2086 # a pattern is meant to be one
        /*) for found in $1; do if [ -e "$found" ]; then return 0; fi; done; return 1 ;;
        *) PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1 ;;
    esac
}

foreign() {
    missing=
    while read -r what package; do
        [ -z "$what" ] || is_there "$what" || missing="$missing${missing:+ }$package"
    done <<LIST
$FOREIGN
LIST
    [ -n "$missing" ] || return 0
    as_root=
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1; then as_root="sudo -n"; else as_root=no; fi
    fi
    if [ "$as_root" != no ] && command -v apt-get >/dev/null 2>&1; then
        printf '%s' "Installing $missing ... "
        # shellcheck disable=SC2086 # the words of $as_root and $missing are meant to be split
        if { $as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing; } >$VENV/foreign.log 2>&1; then
            printf 'done.\n'
            return 0
        fi
        printf '%s\n' "failed ($VENV/foreign.log)."
    fi
    printf '%s\n' "NOT RUN: the tests against programs that nobody here wrote, until you install: $missing (Debian, Ubuntu: apt-get install $missing)." >&2
}

# The bindings are built from source (on Linux there is no other way), once.
bindings() {
    if [ ! -x $VENV/bin/python ] || $VENV/bin/python -c 'import PyKCS11, smartcard' >/dev/null 2>&1; then
        return 0
    fi
    if is_there /usr/include/PCSC/winscard.h && is_there swig && is_there cc; then
        (install '.[interop]' "with the bindings to PC/SC and PKCS#11") && return 0
    fi
    printf '%s\n' "NOT RUN: the tests that need the Python packages pyscard and PyKCS11 (they are built with gcc, swig and libpcsclite-dev)." >&2
}

# Clients of GlobalPlatform that nobody here wrote. Each has a virtual environment of its own, for what they need (an old
# cryptography) is not what we need; tools/foreign/NAME.txt says every name and version. Made once, and anew when that changes.
clients() {
    [ -x $VENV/bin/python ] || return 0
    lacking=
    for list in tools/foreign/*.txt; do
        [ -f "$list" ] || continue
        name=${list##*/}
        name=${name%.txt}
        own=$VENV/foreign/$name
        if [ -x "$own/bin/python" ] && cmp -s "$list" "$own/installed.txt"; then continue; fi
        if ! { is_there /usr/include/PCSC/winscard.h && is_there swig && is_there cc; }; then
            lacking="$lacking $name"
            continue
        fi
        printf '%s' "Setting up $own ... "
        if $VENV/bin/python -m venv --clear "$own" && PIP_CONSTRAINT= PIP_BUILD_CONSTRAINT=constraints.txt \
            "$own/bin/python" -m pip install --quiet --no-input --disable-pip-version-check --no-deps --requirement "$list" &&
            cp "$list" "$own/installed.txt"; then
            rm -f "$own.failed"
            printf 'done.\n'
        else
            rm -rf "$own"
            mkdir -p $VENV/foreign && : >"$own.failed" # the tests skip then, and fail where nobody has tried
            lacking="$lacking $name"
            printf 'failed.\n' >&2
        fi
    done >$VENV/clients.log 2>&1
    grep -h '^Setting up' $VENV/clients.log || true
    [ -n "$lacking" ] || return 0
    printf '%s\n' "NOT RUN: the tests with these clients of GlobalPlatform:$lacking (they want gcc, swig, libpcsclite-dev and the package index; $VENV/clients.log has pip's words)." >&2
}

case ${1:-} in
    runtime) make_venv && install . "what it runs on" && touch $VENV/.runtime ;;
    dev) make_venv && install '.[dev]' "with the developers' tools" && touch $VENV/.runtime $VENV/.dev ;;
    foreign) foreign && bindings && clients ;;
    *) stop "say what to set up: sh tools/setup.sh runtime|dev|foreign." ;;
esac
