// Requests to the registry. The login is kept in this module's memory only. A token ends at the
// server, too, when the user signs out, reloads the page or closes the tab.

import { t } from './words.js';

// The page's own address, which ends in "/", also below http.prefix.
const BASE = new URL('.', document.baseURI);
const ACCEPT = [
  'application/vnd.oci.image.index.v1+json', 'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws', '*/*',
].join(', ');
const CLIENT_ID = 'registryd-page';
export const JSON_MAX = 8 << 20; // larger documents are not read: the page would stand still

let authorization = null;
let identity = null; // the identity token that authorization has
export let self = null; // the answer of /v2/_page/self

export class Refused extends Error {
  constructor(status, message, code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

function messageOf(status, errors) {
  const first = errors && errors[0];
  if (status === 401) return t('error.login');
  if (status === 429) return t('error.busy');
  if (status === 404) return t('error.missing');
  const known = status === 403 ? t('error.denied') : t('error.status', { status });
  return first && first.message ? `${known} (${first.message})` : known;
}

async function refusal(answer) {
  let errors = null;
  try {
    ({ errors } = await answer.json());
  } catch {
    // not JSON: a proxy's answer
  }
  const first = Array.isArray(errors) ? errors[0] : null;
  return new Refused(answer.status, messageOf(answer.status, first && errors), first && first.code);
}

export async function request(path, { isAnonymous, ...options } = {}) {
  const headers = { 'X-Requested-With': 'registryd-page', ...options.headers };
  if (authorization && !isAnonymous) headers.Authorization = authorization;
  let answer;
  try {
    answer = await fetch(new URL(path, BASE), {
      ...options, headers, credentials: 'omit', cache: 'no-store', redirect: 'error',
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refused(0, t('error.network'));
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

export async function getJson(path, options) {
  return (await request(path, options)).json();
}

// values: parameters; those that are empty are left out.
export function withQuery(path, values) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== '') query.set(name, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

// --- login -----------------------------------------------------------------------------------

function basic(user, password) {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

async function identityToken(user, password) {
  const form = new URLSearchParams({
    grant_type: 'password', username: user, password, access_type: 'offline', client_id: CLIENT_ID,
  });
  if (self.service) form.set('service', self.service);
  const answer = await getJson('token', { method: 'POST', body: form, isAnonymous: true });
  return answer.refresh_token;
}

// Learns who the user is and what the registry offers; it answers without a login, too.
export async function readSelf() {
  self = await getJson('v2/_page/self');
  return self;
}

// Best effort. "keepalive" lets the request outlive the page.
async function revoke(token) {
  if (!token) return;
  try {
    await request('token/revoke', {
      method: 'POST', body: new URLSearchParams({ token }), isAnonymous: true, keepalive: true,
    });
  } catch {
    // The token ends after a day without use.
  }
}

function forget() {
  const token = identity;
  [authorization, identity] = [null, null];
  return revoke(token);
}

// Where the registry issues tokens, the password is forgotten at once, and an identity token takes
// its place.
export async function signIn(user, password) {
  const token = self.tokens ? await identityToken(user, password) : null;
  forget();
  identity = token;
  authorization = token ? basic('<token>', token) : basic(user, password);
  try {
    await readSelf();
    if (!self.user && self.login !== 'none') throw new Refused(401, t('error.login'));
  } catch (error) {
    forget();
    throw error;
  }
}

export async function signOut() {
  await forget();
  await readSelf();
}

// A page that the browser kept and shows again has no login any more.
window.addEventListener('pagehide', forget);
window.addEventListener('pageshow', (event) => { if (event.persisted) window.location.reload(); });

// --- the standard API ------------------------------------------------------------------------

// Returns {manifest, digest, mediaType, bytes}.
export async function getManifest(repository, reference, options = {}) {
  const answer = await request(`v2/${repository}/manifests/${reference}`,
    { ...options, headers: { Accept: ACCEPT } });
  const text = await answer.text();
  return {
    manifest: parseObject(text), bytes: new TextEncoder().encode(text).length, text,
    digest: answer.headers.get('Docker-Content-Digest') || '',
    mediaType: (answer.headers.get('Content-Type') || '').split(';')[0],
  };
}

export function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === 'object' ? value : {};
  } catch {
    return {};
  }
}

// The text of a small blob; null if it is too large to show.
export async function getBlobText(repository, descriptor, options) {
  if (!descriptor || !descriptor.digest || descriptor.size > JSON_MAX) return null;
  const answer = await request(`v2/${repository}/blobs/${descriptor.digest}`, options);
  return answer.text();
}

export async function getReferrers(repository, digest, options) {
  const index = await getJson(`v2/${repository}/referrers/${digest}`, options);
  return Array.isArray(index.manifests) ? index.manifests : [];
}

export function deleteManifest(repository, reference) {
  return request(`v2/${repository}/manifests/${reference}`, { method: 'DELETE' });
}
