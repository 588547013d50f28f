// The commands that pull an image, to copy.

import * as api from './api.js';
import { h, newId, replace } from './dom.js';
import { t } from './words.js';
import { copyable } from './parts.js';
import { isDigest } from './route.js';

// A name that kubectl accepts for a pod.
function podName(repository) {
  return repository.split('/').pop().replace(/[._]+/g, '-').slice(0, 63);
}

function imageCommands(repository, image, reference) {
  const target = isDigest(reference) ? 'image' : reference;
  return [
    ['docker', `docker pull ${image}`],
    ['podman', `podman pull ${image}`],
    ['skopeo', `skopeo copy docker://${image} oci:${repository.split('/').pop()}:${target}`],
    ['kubectl', `kubectl run ${podName(repository)} --image=${image}`],
  ];
}

function commandsFor(repository, reference, kind) {
  const image = `${api.self.host}/${repository}${isDigest(reference) ? '@' : ':'}${reference}`;
  if (kind === 'helm') {
    // helm pushes "1.0+build" as the tag "1.0_build".
    const version = isDigest(reference) ? `@${reference}`
      : ` --version ${reference.replace(/_/g, '+')}`;
    return [['helm', `helm pull oci://${api.self.host}/${repository}${version}`]];
  }
  if (['image', 'index', ''].includes(kind)) return imageCommands(repository, image, reference);
  return [['oras', `oras pull ${image}`],
    ['skopeo', `skopeo copy docker://${image} oci:${repository.split('/').pop()}`]];
}

export function pullCommands(repository, reference, digest, kind) {
  const list = h('div', { class: 'commands' });
  const draw = (wanted) => replace(list, commandsFor(repository, wanted, kind).map(
    ([name, command]) => copyable(name, command),
  ));
  draw(reference);
  if (isDigest(reference) || !isDigest(digest)) return list;
  const id = newId('by-digest');
  const box = h('input', {
    type: 'checkbox', id, change: () => draw(box.checked ? digest : reference),
  });
  return [list, h('div', { class: 'check' }, box, h('label', { for: id }, t('pull.byDigest')))];
}
