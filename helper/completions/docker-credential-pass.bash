# bash completion for docker-credential-pass(1)

_docker_credential_pass() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W 'store get erase list version setup doctor --help --version' -- "$word")
        return
    fi
    case ${COMP_WORDS[1]} in
    setup)
        case $before in
        --key)
            # Fingerprints of the keys that there is a secret half of.
            mapfile -t COMPREPLY < <(compgen -W "$(gpg --batch --list-secret-keys --with-colons 2> /dev/null |
                awk -F : '$1 == "fpr" { print $10 }')" -- "$word")
            ;;
        --name | --email | --host | --from) ;;
        *)
            mapfile -t COMPREPLY < <(compgen -W '--key --name --email --no-passphrase --subfolder --host --podman
                --from --erase --force --yes --dry-run --help' -- "$word")
            ;;
        esac
        ;;
    doctor)
        mapfile -t COMPREPLY < <(compgen -W '--fix --prompt --json --help' -- "$word")
        ;;
    esac
}

complete -F _docker_credential_pass docker-credential-pass
