# Completion for bash: `make install` puts it where bash-completion looks, or source it. Commands
# and options are asked of the program itself.

_moonboot_commands() { # _moonboot_commands PROGRAM
    "$1" --help 2>/dev/null | sed -n 's/^  \([a-z]\{1,\}\)  .*/\1/p'
}

_moonboot_options() { # _moonboot_options PROGRAM COMMAND
    "$1" "$2" --help 2>/dev/null | sed -n 's/^ \{2,6\}\(-[A-Za-z], \)\{0,1\}\(--[a-z][a-z-]*\).*/\1\2/p' | tr -d ','
}

_moonboot_fields="mac uuid serial asset manufacturer product hostname domain arch arch-id platform buildarch
    ip gateway interface vlan relay circuit-id remote-id user-class vendor-class firmware features
    tls tls-name tls-subject tls-fingerprint"

# What an option's value can be; nothing: a file.
_moonboot_values() { # _moonboot_values COMMAND OPTION
    case "$1 $2" in
    "check --format") echo text json github ;;
    "test --format") echo pretty tap junit json ;;
    *" --stage") echo dhcp tftp ipxe http grub pxelinux pixiecore ;;
    *" --render") echo dhcp ipxe grub pxelinux pixiecore config/ ;;
    *" --firmware") echo pxe http ipxe grub uboot ;;
    *" --arch") echo bios efi-x64 efi-x64-http efi-arm64 efi-arm64-http efi-ia32 ;;
    esac
}

_moonboot() {
    local program=${COMP_WORDS[0]} command=${COMP_WORDS[1]-} word=${COMP_WORDS[COMP_CWORD]}
    local before=${COMP_WORDS[COMP_CWORD - 1]} words=
    COMPREPLY=()
    if [ "$word" = = ]; then # "--format=" is three words to bash
        word=
    elif [ "$before" = = ]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="$(_moonboot_commands "$program") --help --version"
    else
        words=$(_moonboot_values "$command" "$before")
        if [ -z "$words" ] && [ "${word:0:1}" = - ]; then
            words=$(_moonboot_options "$program" "$command")
            case $command in
            eval | explain) words="$words $(printf -- '--%s ' $_moonboot_fields)" ;;
            esac
        fi
    fi
    if [ -n "$words" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    else
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -F _moonboot moonboot
