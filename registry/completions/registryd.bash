# bash completion for registryd(1)

# YAML files, and directories on the way to them.
_registryd_files() {
    compopt -o filenames 2> /dev/null
    mapfile -t COMPREPLY < <(compgen -f -X '!*.yml' -- "$1"; compgen -f -X '!*.yaml' -- "$1"; compgen -d -- "$1")
}

_registryd() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W 'serve access copy doctor du garbage-collect htpasswd init ls prune rm robot show tag token verify help version --help --version' -- "$word")
        return
    fi
    case ${COMP_WORDS[1]} in
    help)
        mapfile -t COMPREPLY < <(compgen -W 'serve access copy doctor du garbage-collect htpasswd init ls prune rm robot show tag token verify version' -- "$word")
        ;;
    serve)
        case $word in
        -*) mapfile -t COMPREPLY < <(compgen -W '--help' -- "$word") ;;
        *) _registryd_files "$word" ;;
        esac
        ;;
    doctor)
        case $word in
        -*) mapfile -t COMPREPLY < <(compgen -W '--json --help' -- "$word") ;;
        *) _registryd_files "$word" ;;
        esac
        ;;
    copy)
        case $before:$word in
        --from:* | --to:*) _registryd_files "$word" ;;
        *) mapfile -t COMPREPLY < <(compgen -W '--from --to --delete --json --quiet --help' -- "$word") ;;
        esac
        ;;
    verify)
        case $word in
        -*) mapfile -t COMPREPLY < <(compgen -W '--json --quiet --help' -- "$word") ;;
        *) _registryd_files "$word" ;;
        esac
        ;;
    access)
        if [ "$COMP_CWORD" = 2 ]; then
            mapfile -t COMPREPLY < <(compgen -W 'check explain --help' -- "$word")
            return
        fi
        case $word in
        -*) mapfile -t COMPREPLY < <(compgen -W '--file --config --help' -- "$word") ;;
        *)
            case ${COMP_WORDS[2]}:$before in
            check:* | *:--file | *:--config)
                compopt -o filenames 2> /dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
                ;;
            explain:*) mapfile -t COMPREPLY < <(compgen -W 'pull push push-new delete health' -- "$word") ;;
            esac
            ;;
        esac
        ;;
    garbage-collect)
        case $word in
        -*) mapfile -t COMPREPLY < <(compgen -W '--dry-run --delete-untagged --json --quiet --grace --help' -- "$word") ;;
        *) _registryd_files "$word" ;;
        esac
        ;;
    prune)
        case $word in
        -*) mapfile -t COMPREPLY < <(compgen -W '--dry-run --json --quiet --grace --help' -- "$word") ;;
        *) _registryd_files "$word" ;;
        esac
        ;;
    htpasswd)
        case $word in
        -*) mapfile -t COMPREPLY < <(compgen -W '-B -C -D -b -c -i -n -v --help' -- "$word") ;;
        esac
        ;;
    robot)
        if [ "$COMP_CWORD" = 2 ]; then
            mapfile -t COMPREPLY < <(compgen -W 'create list revoke --help' -- "$word")
            return
        fi
        case $before in
        --expires) mapfile -t COMPREPLY < <(compgen -W '90d 30d 12h never' -- "$word") ;;
        --host) mapfile -t COMPREPLY < <(compgen -A hostname -- "$word") ;;
        --allow) ;;
        --file | --config)
            compopt -o filenames 2> /dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            ;;
        *)
            case $word in
            -*) mapfile -t COMPREPLY < <(compgen -W '--allow --expires --quiet --host --file --config --help' -- "$word") ;;
            esac
            ;;
        esac
        ;;
    ls | show | du | rm | tag)
        case $before:$word in
        --config:* | -c:*) _registryd_files "$word" ;;
        *:-*)
            case ${COMP_WORDS[1]} in
            rm) mapfile -t COMPREPLY < <(compgen -W '--dry-run --yes --json --config --help' -- "$word") ;;
            tag) mapfile -t COMPREPLY < <(compgen -W '--force --json --config --help' -- "$word") ;;
            show) mapfile -t COMPREPLY < <(compgen -W '--json --config --help' -- "$word") ;;
            *) mapfile -t COMPREPLY < <(compgen -W '--json --quiet --config --help' -- "$word") ;;
            esac
            ;;
        esac
        ;;
    token)
        if [ "$COMP_CWORD" = 2 ]; then
            mapfile -t COMPREPLY < <(compgen -W 'list revoke rotate --help' -- "$word")
            return
        fi
        case $before:$word in
        --config:* | -c:*) _registryd_files "$word" ;;
        *:-*) mapfile -t COMPREPLY < <(compgen -W '--user --all --distrust-old --config --help' -- "$word") ;;
        esac
        ;;
    init)
        case $before in
        --host) mapfile -t COMPREPLY < <(compgen -A hostname -- "$word") ;;
        --user | --port) ;;
        *)
            case $word in
            -*) mapfile -t COMPREPLY < <(compgen -W '--host --user --port --password-stdin --csr --renew --help' -- "$word") ;;
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
