# bash completion for registryd(1)

# Files of YAML, and folders on the way to them.
_registryd_files() {
    compopt -o filenames 2> /dev/null
    mapfile -t COMPREPLY < <(compgen -f -X '!*.yml' -- "$1"; compgen -f -X '!*.yaml' -- "$1"; compgen -d -- "$1")
}

_registryd() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W 'serve garbage-collect htpasswd init verify version --help --version' -- "$word")
        return
    fi
    case ${COMP_WORDS[1]} in
    serve | verify)
        _registryd_files "$word"
        ;;
    garbage-collect)
        case $word in
        -*) mapfile -t COMPREPLY < <(compgen -W '--dry-run --delete-untagged --quiet --grace' -- "$word") ;;
        *) _registryd_files "$word" ;;
        esac
        ;;
    htpasswd)
        case $word in
        -*) mapfile -t COMPREPLY < <(compgen -W '-B -C -D -b -c -i -n -v' -- "$word") ;;
        esac
        ;;
    init)
        case $before in
        --host) mapfile -t COMPREPLY < <(compgen -A hostname -- "$word") ;;
        --user | --port) ;;
        *)
            case $word in
            -*) mapfile -t COMPREPLY < <(compgen -W '--host --user --port --password-stdin --csr --renew' -- "$word") ;;
            *)
                compopt -o filenames 2> /dev/null
                mapfile -t COMPREPLY < <(compgen -d -- "$word")
                ;;
            esac
            ;;
        esac
        ;;
    esac
}

complete -F _registryd registryd
