# fish completion for docker-credential-pass(1)

# Fingerprints of the keys with a secret part.
function __docker_credential_pass_keys
    gpg --batch --list-secret-keys --with-colons 2>/dev/null | awk -F : '$1 == "fpr" { print $10 }'
end

set -l c complete -c docker-credential-pass
set -l first __fish_is_first_arg

$c -f
$c -n $first -s h -l help -d 'Print a summary'
$c -n $first -s v -l version -d 'Print the version'
$c -n $first -a store -d 'Read a credential as JSON and store it'
$c -n $first -a get -d 'Read a server URL and print its credential'
$c -n $first -a erase -d 'Read a server URL and remove its credential'
$c -n $first -a list -d 'Print all server URLs and usernames'
$c -n $first -a version -d 'Print the version'
$c -n $first -a setup -d 'Set up a key, a store and docker'
$c -n $first -a doctor -d 'Report what is wrong and how to correct it'

set -l setup '__fish_seen_subcommand_from setup'
$c -n $setup -l key -x -a '(__docker_credential_pass_keys)' -d 'The key to encrypt to'
$c -n $setup -l name -x -d 'The name in a new key'
$c -n $setup -l email -x -d 'The address in a new key'
$c -n $setup -l no-passphrase -d 'Generate a key without a passphrase'
$c -n $setup -l subfolder -d 'A key for docker alone, in an existing store'
$c -n $setup -l host -x -d 'Only for this registry'
$c -n $setup -l podman -d 'For podman, buildah and skopeo'
$c -n $setup -l from -x -d 'Import the logins of another helper'
$c -n $setup -l erase -d 'With --from: remove them there'
$c -n $setup -l force -d 'Replace another helper'
$c -n $setup -l yes -d 'Do not ask'
$c -n $setup -l dry-run -d 'Only show what would be done'
$c -n $setup -l help -d 'Print a summary'

set -l doctor '__fish_seen_subcommand_from doctor'
$c -n $doctor -l fix -d 'Correct what is safe to correct'
$c -n $doctor -l prompt -d 'Decrypt even if that asks for a passphrase'
$c -n $doctor -l json -d 'Print the findings as JSON'
$c -n $doctor -l help -d 'Print a summary'
