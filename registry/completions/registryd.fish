# fish completion for registryd(1)

set -l c complete -c registryd
set -l first __fish_is_first_arg

$c -f
$c -n $first -s h -l help -d 'Print a summary'
$c -n $first -s v -l version -d 'Print the version'
$c -n $first -a serve -d 'Serve until SIGTERM'
$c -n $first -a access -d 'Check the rules about who may do what'
$c -n $first -a copy -d 'Copy a registry to another directory or bucket'
$c -n $first -a doctor -d 'Find problems of a registry, and say how to fix them'
$c -n $first -a du -d 'Show how much space each repository takes'
$c -n $first -a garbage-collect -d 'Remove the blobs that no manifest refers to'
$c -n $first -a htpasswd -d 'Add or change a user of the password file'
$c -n $first -a init -d 'Create a directory with configuration, users, certificate, storage'
$c -n $first -a ls -d 'List the repositories, or the tags of one'
$c -n $first -a prune -d 'Remove the tags and manifests that the access file does not keep'
$c -n $first -a rm -d 'Remove a tag or a manifest'
$c -n $first -a robot -d 'Manage the logins of programs'
$c -n $first -a show -d 'Describe a tag or a manifest'
$c -n $first -a tag -d 'Give a manifest another tag'
$c -n $first -a token -d 'Show and revoke the tokens of clients'
$c -n $first -a verify -d 'Read all data and report what is damaged or missing'
$c -n $first -a help -d 'Explain a command'
$c -n $first -a version -d 'Print the version'

set -l verbs serve access copy doctor du garbage-collect htpasswd init ls prune rm robot show tag token verify
$c -n "__fish_seen_subcommand_from $verbs; and not __fish_is_first_arg" -l help -d 'Explain the command'
$c -n '__fish_seen_subcommand_from help; and not __fish_is_first_arg' -a "$verbs version"

set -l configured '__fish_seen_subcommand_from serve doctor garbage-collect prune verify; and not __fish_is_first_arg'
$c -n $configured -a '(__fish_complete_suffix .yml; __fish_complete_suffix .yaml)'

set -l access '__fish_seen_subcommand_from access'
$c -n $access -a 'check explain'
$c -n '__fish_seen_subcommand_from explain' -a 'pull push push-new delete health'
$c -n $access -s f -l file -r -F -d 'The access file'
$c -n $access -s c -l config -r -F -d 'The configuration'
$c -n $access -F

set -l collect '__fish_seen_subcommand_from garbage-collect'
$c -n $collect -s d -l dry-run -d 'Only print what would be removed'
$c -n $collect -s m -l delete-untagged -d 'Remove manifests without a tag first'
$c -n $collect -s g -l grace -x -a '24h 1h' -d 'Keep what is younger'
$c -n $collect -s j -l json -d 'JSON for scripts'
$c -n $collect -s q -l quiet -d 'Print errors only'

set -l doctor '__fish_seen_subcommand_from doctor'
$c -n $doctor -s j -l json -d 'JSON for scripts'

set -l copy '__fish_seen_subcommand_from copy; and not __fish_is_first_arg'
$c -n $copy -l from -r -F -d 'Configuration of the source'
$c -n $copy -l to -r -F -d 'Configuration of the destination'
$c -n $copy -l delete -d 'Also remove what the source does not have'
$c -n $copy -s j -l json -d 'JSON for scripts'
$c -n $copy -s q -l quiet -d 'Print findings and errors only'

set -l verify '__fish_seen_subcommand_from verify'
$c -n $verify -s j -l json -d 'JSON for scripts'
$c -n $verify -s q -l quiet -d 'Print findings and errors only'

set -l content '__fish_seen_subcommand_from ls show du rm tag'
$c -n $content -s c -l config -r -F -d 'The configuration'
$c -n '__fish_seen_subcommand_from ls show du rm tag' -s j -l json -d 'JSON for scripts'
$c -n '__fish_seen_subcommand_from ls du' -s q -l quiet -d 'Do not show the progress'
$c -n '__fish_seen_subcommand_from tag' -s f -l force -d 'Move an immutable tag, too'
$c -n '__fish_seen_subcommand_from rm' -s d -l dry-run -d 'Only say what would go'
$c -n '__fish_seen_subcommand_from rm' -s y -l yes -d 'Do not ask'

set -l token '__fish_seen_subcommand_from token'
$c -n $token -a 'list revoke rotate'
$c -n $token -s u -l user -x -d 'The tokens of this user'
$c -n $token -s a -l all -d 'All tokens'
$c -n $token -s d -l distrust-old -d 'Remove the signing keys so far'
$c -n $token -s c -l config -r -F -d 'The configuration'

set -l htpasswd '__fish_seen_subcommand_from htpasswd'
$c -n $htpasswd -s n -d 'Print the line on standard output'
$c -n $htpasswd -s c -d 'Create the file'
$c -n $htpasswd -s D -d 'Delete the user'
$c -n $htpasswd -s v -d 'Verify a password'
$c -n $htpasswd -F
$c -n $htpasswd -s B -d 'bcrypt'
$c -n $htpasswd -s C -x -d 'The cost of bcrypt'
$c -n $htpasswd -s b -d 'The password is the last word'
$c -n $htpasswd -s i -d 'Read the password from standard input'

set -l init '__fish_seen_subcommand_from init'
$c -n $init -l host -x -a '(__fish_print_hostnames)' -d 'The name that clients use'
$c -n $init -l user -x -d 'The first user'
$c -n $init -l port -x -d 'The port'
$c -n $init -l password-stdin -d 'Read the password from standard input'
$c -n $init -l csr -d 'Make a request for another authority to sign'
$c -n $init -l renew -d 'Replace the certificate'
$c -n $init -a '(__fish_complete_directories)'

set -l robot '__fish_seen_subcommand_from robot'
$c -n $robot -a 'create list revoke'
$c -n $robot -s a -l allow -x -d 'What it may do'
$c -n $robot -s e -l expires -x -a '90d 30d 12h never' -d 'How long the password is valid'
$c -n $robot -s q -l quiet -d 'Print only the password'
$c -n $robot -l host -x -a '(__fish_print_hostnames)' -d 'The registry, for the lines to paste'
$c -n $robot -s f -l file -r -F -d 'The robots file'
$c -n $robot -s c -l config -r -F -d 'The configuration'

set -l prune '__fish_seen_subcommand_from prune'
$c -n $prune -s d -l dry-run -d 'Only print what would be removed'
$c -n $prune -s g -l grace -x -a '24h 1h' -d 'Keep what is younger'
$c -n $prune -s j -l json -d 'JSON for scripts'
$c -n $prune -s q -l quiet -d 'Print errors only'
