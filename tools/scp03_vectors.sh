#!/usr/bin/env bash
# Whole conversations of SCP03, computed with OpenSSL's command line and nothing of this project: fixtures/scp03/.
#
#   bash tools/scp03_vectors.sh              write every file anew
#   bash tools/scp03_vectors.sh NAME         print one, s16_aes256_pseudo_33 for instance
#
# The text is GlobalPlatform Card Technology, Secure Channel Protocol 03, Amendment D 1.2 ("D" below) and GlobalPlatform
# Card Specification 2.3.1 ("GP"). What the card says in plain (GP §11) is typed here; only ciphers and MACs are computed.
set -euo pipefail

ISD=A0000001510000                                                        # card.md §1
HOST=0F1E2D3C4B5A69788796A5B4C3D2E1F0 CARD=C0C1C2C3C4C5C6C7C8C9CACBCCCDCECF # cut to 8 bytes in S8
DIVERSIFICATION=00001122334455667788                                      # informative; no key depends on it
COUNTER=00002A
VERSION=30 NEW_VERSION=31
PRIVILEGES=9EFE80                                                         # GP §11.1.2, tables 11-7 to 11-9: what a card has here is its own choice
ISD_ENTRY=E3124F07${ISD}9F70010FC503$PRIVILEGES

octets() { local text=$1; printf '%b' "$(sed 's/../\\x&/g' <<<"$text")"; }
hex() { od -An -v -tx1 | tr -d ' \n' | tr a-f A-F; }
bits() { printf '%d' $((${#1} * 4)); }
byte() { printf '%02X' "$1"; }

# RFC 4493, NIST SP 800-38B
cmac() { octets "$2" | openssl mac -cipher "AES-$(bits "$1")-CBC" -macopt "hexkey:$1" CMAC | tr -d '\n' | tr a-f A-F; }
ecb() { octets "$2" | openssl enc "-aes-$(bits "$1")-ecb" -K "$1" -nopad | hex; }
cbc() { octets "$3" | openssl enc "-aes-$(bits "$1")-cbc" -K "$1" -iv "$2" -nopad | hex; }
# D §4.1.4: 80 and then 00 to a whole block
padded() { local text=${1}80; while ((${#text} % 32)); do text+=00; done; printf '%s' "$text"; }

# D §4.1.5, table 4-1: 11 bytes 00, constant | 00 | length in bits | counter | context; PRF is CMAC (SP 800-108)
derived() { # KEY CONSTANT BITS CONTEXT
    local out='' n=1
    while ((${#out} * 4 < $3)); do
        out+=$(cmac "$1" "0000000000000000000000$2""00$(printf '%04X' "$3")$(byte $n)$4")
        n=$((n + 1))
    done
    printf '%s' "${out:0:$(($3 / 4))}"
}

step() { # WHAT FACT SENT RECEIVED [PLAIN ANSWER]
    printf '\n[[step]]  # %s: %s\nsent = "%s"\nreceived = "%s"\n' "${@:1:4}"
    [ $# = 4 ] || printf 'plain = "%s"\nanswer = "%s"\n' "${@:5}"
}

# D §6.2.4, §6.2.6: one command in the session and its answer; PLAIN is CLA INS P1 P2, DATA, LE
exchange() { # WHAT FACT HEADER DATA LE ANSWER SW
    local header=$3 data=$4 le=$5 answer=$6 sw=$7 plain=$3 sent received iv counter
    [ -z "$data" ] || plain+=$(byte $((${#data} / 2)))$data
    plain+=$le
    counter=$(printf '%030X' "$number")
    ((0x$level & 0x10)) && le=00 # D §6.2.5: the answer has a MAC, so there is one to ask for
    if ((0x$level & 0x02)) && [ -n "$data" ]; then # D §6.2.6: IV is the counter, enciphered
        iv=$(ecb "$s_enc" "00$counter")
        data=$(cbc "$s_enc" "$iv" "$(padded "$data")")
    fi
    header=84${header:2}$(byte $(((${#data} + mac_digits) / 2))) # D §6.2.4: class 84, Lc with the MAC
    chaining=$(cmac "$s_mac" "$chaining$header$data")
    sent=$header$data${chaining:0:$mac_digits}$le
    received=$answer
    if ((0x$level & 0x10)) && [ "$sw" = 9000 ]; then # D §6.2.5: an error has no R-MAC
        if ((0x$level & 0x20)) && [ -n "$answer" ]; then # D §6.2.7: IV is 80 and the counter, enciphered
            iv=$(ecb "$s_enc" "80$counter")
            received=$(cbc "$s_enc" "$iv" "$(padded "$answer")")
        fi
        local mac
        mac=$(cmac "$s_rmac" "$chaining$received$sw")
        received+=${mac:0:$mac_digits}
    fi
    number=$((number + 1)) # D §6.2.6: every command counts, with data or without
    step "$1" "$2" "$sent" "$received$sw" "$plain" "$answer$sw"
}

# GP §11.8.2.3 and D §7.2: type 88, length, length of the key, key under the DEK (CBC, IV of zeros), check value
new_key() { printf '88%s%s%s03%s' "$(byte $((${#1} / 2 + 1)))" "$(byte $((${#1} / 2)))" "$(cbc "$dek" "$(printf '%032d' 0)" "$1")" "$(check "$1")"; }
check() { local all; all=$(ecb "$1" 01010101010101010101010101010101); printf '%s' "${all:0:6}"; }

conversation() { # NAME: mode_cipher_challenge_level
    local mode cipher kind level
    IFS=_ read -r mode cipher kind level <<<"$1"
    local size=$((${cipher#aes} / 8)) mac_digits=16 seed chaining number=1 implementation
    [ "$mode" = s8 ] || mac_digits=32
    local cryptogram_bits=$((mac_digits * 4))
    # three different keys, so that one taken for another shows
    seed=000102030405060708090A0B0C0D0E0FF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF
    local enc=${seed:0:$((size * 2))} mac dek new_enc new_mac new_dek
    mac=$(tr 0123456789ABCDEF 123456789ABCDEF0 <<<"$enc") dek=$(tr 0123456789ABCDEF 23456789ABCDEF01 <<<"$enc")
    new_enc=$(tr 0123456789ABCDEF 89ABCDEF01234567 <<<"$enc") new_mac=$(tr 0123456789ABCDEF 9ABCDEF012345678 <<<"$enc")
    new_dek=$(tr 0123456789ABCDEF ABCDEF0123456789 <<<"$enc")

    # D §5.1, table 5-1: i, bits 70 R-MAC, R-ENC and pseudo-random challenge, 01 is S16
    local host=${HOST:0:$mac_digits} card=${CARD:0:$mac_digits} counter='' implementation=$((0x60 + (mac_digits == 32)))
    if [ "$kind" = pseudo ]; then # D §6.2.2.1: key is the static ENC key, context is counter and AID
        counter=$COUNTER implementation=$((implementation + 0x10))
        card=$(derived "$enc" 02 $cryptogram_bits "$counter$ISD")
    fi
    local context=$host$card s_enc s_mac s_rmac card_cryptogram host_cryptogram
    s_enc=$(derived "$enc" 04 $((size * 8)) "$context")           # D §6.2.1, table 4-1
    s_mac=$(derived "$mac" 06 $((size * 8)) "$context")
    s_rmac=$(derived "$mac" 07 $((size * 8)) "$context")
    card_cryptogram=$(derived "$s_mac" 00 $cryptogram_bits "$context") # D §6.2.2.2
    host_cryptogram=$(derived "$s_mac" 01 $cryptogram_bits "$context") # D §6.2.2.3

    cat <<HEAD
# SCP03, ${mode^^}, AES-${cipher#aes}, card challenge $kind, security level $level. Written by tools/scp03_vectors.sh with OpenSSL's
# command line. "plain" is what a client wants and "answer" what it gets; "sent" and "received" go over the wire.
# D: GlobalPlatform Amendment D 1.2. GP: GlobalPlatform Card Specification 2.3.1.
mode = "${mode^^}"
pseudo_random = $([ "$kind" = pseudo ] && echo true || echo false)
level = "$level"
key_version = "$VERSION"
enc = "$enc"
mac = "$mac"
dek = "$dek"
new_version = "$NEW_VERSION"
new_enc = "$new_enc"
new_mac = "$new_mac"
new_dek = "$new_dek"
host_challenge = "$host"
card_challenge = "$card"
sequence_counter = "$counter"
privileges = "$PRIVILEGES"
s_enc = "$s_enc"  # D §6.2.1
s_mac = "$s_mac"
s_rmac = "$s_rmac"
HEAD
    local length command
    length=$(byte $((${#host} / 2)))
    command=8050${VERSION}00$length${host}00
    local answer=$DIVERSIFICATION${VERSION}03$(byte $implementation)$card$card_cryptogram$counter
    step "INITIALIZE UPDATE" "D §7.1.1; the first ten bytes tell the card apart and are not compared" \
        "$command" "${answer}9000"
    command=8482${level}00$(byte $((mac_digits)))$host_cryptogram
    chaining=$(cmac "$s_mac" "00000000000000000000000000000000$command")
    step "EXTERNAL AUTHENTICATE" "D §7.1.2, §6.2.3" "$command${chaining:0:$mac_digits}" 9000

    local key_type=88 key_length
    key_length=$(byte $size)
    exchange "GET DATA, key information" "GP §11.3.3.1: E0 with C0 for each key: identifier, version, type, length" 80CA00E0 '' 00 \
        "E012C00401$VERSION$key_type${key_length}C00402$VERSION$key_type${key_length}C00403$VERSION$key_type$key_length" 9000
    exchange "GET DATA of what is not there" "GP §11.3.3.2: 6A88; D §6.2.5: an error is not protected" 80CA7F7F '' 00 '' 6A88
    exchange "GET STATUS, the issuer's domain" "GP §11.4.3.1, table 11-36: E3 with 4F, 9F70, C5" 80F28002 4F00 00 \
        "$ISD_ENTRY" 9000
    exchange "PUT KEY, a second key set" "GP §11.8.2.3, D §7.2; the answer is the version and the check values" 80D80081 \
        "$NEW_VERSION$(new_key "$new_enc")$(new_key "$new_mac")$(new_key "$new_dek")" 00 \
        "$NEW_VERSION$(check "$new_enc")$(check "$new_mac")$(check "$new_dek")" 9000
    exchange "SET STATUS, lock the card" "GP §11.10; no data in the answer: the R-MAC alone" 80F0807F "$ISD" '' '' 9000
    exchange "SET STATUS, unlock it" "GP §11.10, §5.1.1" 80F0800F "$ISD" '' '' 9000
    exchange "GET DATA of what is not there" "as above" 80CA7F7F '' 00 '' 6A88
}

ALL="s8_aes128_random_01 s8_aes128_random_03 s8_aes128_random_11 s8_aes128_random_13 s8_aes128_random_33
s8_aes128_pseudo_01 s8_aes128_pseudo_03 s8_aes128_pseudo_33
s16_aes256_random_01 s16_aes256_random_03 s16_aes256_random_33
s16_aes256_pseudo_01 s16_aes256_pseudo_03 s16_aes256_pseudo_13 s16_aes256_pseudo_33
s16_aes128_random_33 s8_aes256_pseudo_33"

if [ $# = 1 ]; then
    conversation "$1"
else
    for name in $ALL; do conversation "$name" >"fixtures/scp03/$name.toml"; done
fi
