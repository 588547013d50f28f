// What refers to an image: signatures, SBOMs, attestations and anything else, and what each says.

import * as api from './api.js';
import { definitions, field, h, replace, table } from './dom.js';
import { number, size, t } from './words.js';
import { emptyNote, panel, timeOf, whenQuiet } from './parts.js';
import { isDigest, toImage } from './route.js';
import { kindOf, kindOfManifest, nameOfType } from './kinds.js';
import {
  readCosign, readNotation, readSbom, readStatement, sbomOfStatement, statementOf,
} from './documents.js';

const SHOWN_PACKAGES = 200;

// --- what a document says ----------------------------------------------------------------------

function shownValue(value) {
  if (value === true) return t('sign.included');
  if (Array.isArray(value)) {
    const texts = value.filter((one) => one);
    return texts.length > 0 && h('ul', { class: 'plain' }, texts.map((one) => h('li', null,
      h('code', { class: 'breakable' }, one))));
  }
  return value && h('span', { class: 'breakable' }, value);
}

function pairsOf(pairs) {
  return definitions(pairs.map(([key, value]) => [key.includes('.') ? t(key) : key,
    shownValue(value)]));
}

function packageTable(packages) {
  return table(t('sbom.packages'), [{ label: t('sbom.name') }, { label: t('sbom.version') },
    { label: t('sbom.licence') }], packages.slice(0, SHOWN_PACKAGES).map((one) => [
    h('span', { class: 'breakable' }, one.name), one.version, one.licence]), { className: 'list' });
}

function sbomOf(sbom) {
  const list = h('div', { class: 'scroll', tabindex: '0' });
  const count = h('p', { class: 'muted', role: 'status' });
  const input = h('input', { type: 'search', autocomplete: 'off', spellcheck: 'false' });
  const draw = () => {
    const words = input.value.toLowerCase().split(/\s+/);
    const found = sbom.packages.filter((one) => {
      const all = `${one.name} ${one.version} ${one.licence}`.toLowerCase();
      return words.every((word) => all.includes(word));
    });
    replace(list, packageTable(found));
    count.textContent = found.length > SHOWN_PACKAGES
      ? t('sbom.first', { shown: number(SHOWN_PACKAGES), n: found.length })
      : t('sbom.count', { n: found.length });
  };
  input.addEventListener('input', whenQuiet(draw));
  draw();
  return h('div', { class: 'sbom' }, h('p', null, [sbom.format, sbom.name].filter((word) => word)
    .join(' · ')), field(t('sbom.search'), input), count, list);
}

function statementView(statement) {
  const sbom = sbomOfStatement(statement);
  return [pairsOf(readStatement(statement)), sbom && sbomOf(sbom)];
}

// What one file of a referrer says.
function documentView(descriptor, text) {
  if (text === null) return h('p', null, t('referrers.large', { size: size(descriptor.size) }));
  const document = api.parseObject(text);
  const sbom = readSbom(document);
  if (sbom) return sbomOf(sbom);
  const statement = statementOf(document);
  if (statement) return statementView(statement);
  if (document.critical) return pairsOf(readCosign(document, descriptor.annotations));
  if (document.protected && document.payload) return pairsOf(readNotation(document));
  return h('pre', { tabindex: '0' }, text.slice(0, 1 << 16));
}

async function readReferrer(view, referrer) {
  const options = { signal: view.page.signal };
  const got = await api.getManifest(view.repository, referrer.digest, options);
  const files = (Array.isArray(got.manifest.layers) ? got.manifest.layers : [])
    .filter((one) => one && isDigest(one.digest)).slice(0, 20);
  const shown = [];
  for (const one of files) {
    const isText = /json|text|xml|simplesigning|spdx|in-toto|jose|dsse/.test(String(one.mediaType));
    shown.push(isText ? documentView(one, await api.getBlobText(view.repository, one, options))
      : h('p', null, h('code', null, String(one.mediaType)), ` ${size(Number(one.size))}`));
  }
  return shown.length > 0 ? shown : [h('p', { class: 'muted' }, t('referrers.nothing'))];
}

// --- the list ----------------------------------------------------------------------------------

function referrerItem(view, referrer) {
  const place = h('div', { class: 'inside' });
  const annotations = referrer.annotations || {};
  const open = async (event) => {
    if (!event.target.open || place.firstChild) return;
    replace(place, h('p', { class: 'muted' }, t('list.loading')));
    try {
      replace(place, await readReferrer(view, referrer), h('p', null, h('a', {
        href: toImage(view.repository, referrer.digest),
      }, t('referrers.manifest'))));
    } catch (error) {
      replace(place, emptyNote(error.message));
    }
  };
  return h('li', null, h('details', { toggle: open },
    h('summary', null, h('b', null, nameOfType(referrer.type)),
      h('span', { class: 'muted breakable' }, ` ${referrer.type} `),
      timeOf(annotations['org.opencontainers.image.created'])), place));
}

// cosign before its version 3 tags what it signs "sha256-HEX.sig" and attaches nothing else.
const ATTACHED = {
  sig: 'application/vnd.dev.cosign.simplesigning.v1+json',
  att: 'application/vnd.dsse.envelope.v1+json', sbom: 'application/vnd.dev.cosign.artifact.sbom',
};

export function attachedNames(digest) {
  const [algorithm, hex] = digest.split(':');
  return Object.keys(ATTACHED).map((kind) => `${algorithm}-${hex}.${kind}`);
}

function taggedReferrers(view) {
  return view.attached.map((tag) => ({
    digest: tag.digest, type: ATTACHED[tag.name.split('.').pop()],
  }));
}

async function attached(view) {
  const listed = await api.getReferrers(view.repository, view.got.digest,
    { signal: view.page.signal });
  return listed.filter((one) => one && isDigest(one.digest)).map((one) => ({
    digest: one.digest, annotations: one.annotations,
    type: String(one.artifactType || one.mediaType || ''),
  }));
}

// BuildKit puts attestations into the index, beside the platforms.
function inIndex(attestations) {
  return attestations.map((one) => ({ digest: one.digest, annotations: one.annotations,
    type: 'application/vnd.in-toto+json' }));
}

// A sigstore bundle or an unknown type may be a signature: its manifest says more.
async function refine(view, referrer) {
  if (kindOf(referrer.type) && kindOf(referrer.type) !== 'image') return referrer;
  const got = await api.getManifest(view.repository, referrer.digest, { signal: view.page.signal });
  return { ...referrer, type: kindOfManifest(got.manifest, got.mediaType).type || referrer.type };
}

function summary(found) {
  const signatures = found.filter((one) => ['signature', 'bundle'].includes(kindOf(one.type)));
  return signatures.length > 0 ? t('image.signatures', { n: signatures.length })
    : t('image.notSigned');
}

export async function showReferrers(view, place, attestations) {
  try {
    const all = [...await attached(view), ...taggedReferrers(view), ...inIndex(attestations)];
    const seen = new Map(all.map((it) => [it.digest, it]));
    const found = await Promise.all([...seen.values()].slice(0, 100).map(
      (it) => refine(view, it).catch(() => it),
    ));
    view.signed.textContent = summary(found);
    replace(place, panel(t('referrers.title'), found.length === 0
      ? h('p', { class: 'muted' }, t('referrers.none'))
      : [h('ul', { class: 'referrers' }, found.map((it) => referrerItem(view, it))),
        h('p', { class: 'hint' }, t('referrers.hint'))]));
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    view.signed.textContent = t('image.unknown');
    replace(place, panel(t('referrers.title'), emptyNote(error.message)));
  }
}
