// The part of the address after "#", which can be bookmarked:
//   #/                        repositories            #/team/      those below a path
//   #/team/app                tags of a repository
//   #/team/app:1.0            a tag                   #/team/app@sha256:...
//   #space  #space/team/app   #compare/team/app?left=1.0&right=2.0   #health   #sign-in
// Names are checked here, so a link from a stranger can only lead to a name that the API knows.

const COMPONENT = '[a-z0-9]+(?:[._-]+[a-z0-9]+)*';
const NAME = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const PATH = new RegExp(`^(?:${COMPONENT}/)*$`);
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,128}$/;

export function isName(text) {
  return text.length <= 255 && NAME.test(text);
}

export function isDigest(text) {
  return typeof text === 'string' && DIGEST.test(text);
}

export function isReference(text) {
  return typeof text === 'string' && (TAG.test(text) || DIGEST.test(text));
}

function parseContent(path) {
  const at = path.search(/[:@]/);
  if (at < 0) {
    if (PATH.test(path)) return { view: 'repositories', path };
    return isName(path) ? { view: 'tags', repository: path } : { view: 'missing' };
  }
  const [repository, reference] = [path.slice(0, at), path.slice(at + 1)];
  const isRight = path[at] === '@' ? isDigest(reference) : TAG.test(reference);
  return isName(repository) && isRight
    ? { view: 'image', repository, reference } : { view: 'missing' };
}

function parsePlace(place) {
  if (place === '' || place === '/') return { view: 'repositories', path: '' };
  if (place.startsWith('/')) return parseContent(place.slice(1));
  const [view, repository] = [place.split('/')[0], place.split('/').slice(1).join('/')];
  if (['health', 'sign-in'].includes(view) && !repository) return { view };
  if (view === 'space' && !repository) return { view };
  if (['space', 'compare'].includes(view) && isName(repository)) return { view, repository };
  return { view: 'missing' };
}

export function parse(hash) {
  let place;
  let query;
  try {
    const text = hash.replace(/^#/, '');
    const at = text.indexOf('?');
    place = decodeURI(at < 0 ? text : text.slice(0, at));
    query = Object.fromEntries(new URLSearchParams(at < 0 ? '' : text.slice(at + 1)));
  } catch {
    return { view: 'missing', query: {} };
  }
  return { ...parsePlace(place), query };
}

function withQuery(place, query = {}) {
  const filled = Object.entries(query).filter(([, value]) => value);
  return filled.length ? `${place}?${new URLSearchParams(filled)}` : place;
}

export function toRepositories(path = '', query = {}) {
  return withQuery(`#/${path}`, query);
}

export function toTags(repository, query = {}) {
  return withQuery(`#/${repository}`, query);
}

export function toImage(repository, reference, query = {}) {
  return withQuery(`#/${repository}${reference.includes(':') ? '@' : ':'}${reference}`, query);
}

export function toSpace(repository) {
  return repository ? `#space/${repository}` : '#space';
}

export function toComparison(repository, left, right, platform) {
  return withQuery(`#compare/${repository}`, { left, right, platform });
}

// [[text, address]] of the paths that lead to a repository, and itself.
export function trail(name) {
  const words = name.split('/');
  return words.map((word, at) => (at === words.length - 1
    ? [word, toTags(name)] : [word, toRepositories(`${words.slice(0, at + 1).join('/')}/`)]));
}
