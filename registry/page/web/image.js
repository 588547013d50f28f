// A tag or digest: an image, an index of several platforms, a chart or another artifact.

import * as api from './api.js';
import { definitions, field, h, replace, table } from './dom.js';
import { number, size, t } from './words.js';
import {
  breadcrumbs, emptyNote, errorNote, panel, platformText, shortDigest, timeOf,
} from './parts.js';
import { isDigest, toComparison, toImage } from './route.js';
import { pullCommands } from './commands.js';
import { kindOfManifest, nameOfType } from './kinds.js';
import { annotationTable, configuration, filesOf, layersOf } from './layers.js';
import { chartOf } from './chart.js';
import { attachedNames, showReferrers } from './referrers.js';
import { askToDelete } from './delete.js';

const ATTESTATION = 'vnd.docker.reference.type';

export function objects(list) {
  return Array.isArray(list) ? list.filter((one) => one && typeof one === 'object') : [];
}

function isAttestation(child) {
  return Boolean(child.annotations && child.annotations[ATTESTATION]);
}

// The manifests of an index that are for a platform, and those that describe others.
export function splitIndex(manifest) {
  const children = objects(manifest.manifests).filter((child) => isDigest(child.digest));
  return {
    platforms: children.filter((child) => !isAttestation(child)),
    attestations: children.filter(isAttestation),
  };
}

export function bytesOf(manifest) {
  return [manifest.config, ...objects(manifest.layers)]
    .reduce((sum, part) => sum + (part && Number(part.size) > 0 ? Number(part.size) : 0), 0);
}

// --- the parts of the page ---------------------------------------------------------------------

function facts(view) {
  const { got, kind } = view;
  return definitions([
    [t('image.kind'), kind.kind ? t(`kind.${kind.kind}`) : kind.type],
    [t('image.digest'), h('code', { class: 'breakable' }, got.digest)],
    [t('image.mediaType'), h('code', { class: 'breakable' }, got.mediaType)],
    [t('image.artifactType'), kind.type !== got.mediaType && got.manifest.artifactType
      && h('code', { class: 'breakable' }, String(got.manifest.artifactType))],
    [t('image.size'), got.manifest.layers && size(bytesOf(got.manifest))],
    [t('image.pushed'), view.tag && view.tag.pushed && [timeOf(view.tag.pushed),
      view.tag.pushed_by && ` ${t('image.by', { user: view.tag.pushed_by })}`]],
    [t('image.pulled'), view.tag && timeOf(view.tag.pulled)],
    [t('image.signed'), view.signed],
  ]);
}

function platformTable(view, platforms) {
  const rows = platforms.map((child) => [
    h('a', { href: toImage(view.repository, child.digest) },
      platformText(child.platform) || nameOfType(child.artifactType || child.mediaType)),
    shortDigest(child.digest), view.sizes.get(child.digest) || '']);
  return panel(t('image.platforms'), table(t('image.platforms'), [{ label: t('image.platform') },
    { label: t('tags.digest') }, { label: t('image.size'), className: 'n' }], rows,
  { className: 'list' }));
}

// What one manifest holds. chosen: {manifest, mediaType, digest}
async function content(view, chosen, place) {
  const { manifest } = chosen;
  const kind = kindOfManifest(manifest, chosen.mediaType);
  const text = await api.getBlobText(view.repository, manifest.config, { signal: view.page.signal })
    .catch((error) => {
      if (error.name === 'AbortError') throw error;
      return null;
    });
  const config = api.parseObject(text || '');
  if (kind.kind === 'helm') return replace(place, chartOf(config), filesOf(manifest));
  const isImage = kind.kind === 'image' || config.rootfs;
  if (!isImage) return replace(place, filesOf(manifest));
  return replace(place, layersOf(manifest, config), configuration(config));
}

function platformChoice(view, platforms, place) {
  const select = h('select', {
    change: () => {
      view.page.note(toImage(view.repository, view.reference, { platform: select.value }));
      showPlatform(view, platforms[select.selectedIndex], place);
    },
  }, platforms.map((child) => h('option', {
    value: platformText(child.platform), selected: child === view.platform,
  }, platformText(child.platform) || shortText(child.digest))));
  return h('div', { class: 'tools' }, field(t('image.showPlatform'), select));
}

function shortText(digest) {
  return digest.slice(0, 19);
}

async function showPlatform(view, child, place) {
  try {
    const got = await api.getManifest(view.repository, child.digest, { signal: view.page.signal });
    await content(view, got, place);
  } catch (error) {
    if (error.name !== 'AbortError') replace(place, errorNote(error.message));
  }
}

// --- what is fetched besides -------------------------------------------------------------------

// The tag, and the tags by which cosign before its version 3 attaches what it signs.
async function readTags(view) {
  const attached = attachedNames(view.got.digest);
  const names = isDigest(view.reference) ? attached : [view.reference, ...attached];
  try {
    const answer = await api.getJson(api.withQuery(`v2/${view.repository}/_page/tags`,
      { names: names.join(' ') }), { signal: view.page.signal });
    const tags = objects(answer.tags);
    view.mayDelete = answer.may_delete === true;
    view.tag = tags.find((tag) => tag.name === view.reference) || null;
    view.attached = tags.filter((tag) => attached.includes(tag.name));
  } catch (error) {
    if (error.name === 'AbortError') throw error;
  }
}

function noteSizes(view) {
  view.sizes = new Map(objects(view.tag && view.tag.platforms)
    .map((platform) => [platform.digest, size(platform.bytes)]));
}

// --- actions -----------------------------------------------------------------------------------

function compareForm(view) {
  const input = h('input', {
    required: true, autocomplete: 'off', spellcheck: 'false', pattern: '\\w[\\w.\\-]*',
  });
  return h('form', {
    class: 'inline',
    submit: (event) => {
      event.preventDefault();
      window.location.hash = toComparison(view.repository, view.reference, input.value.trim());
    },
  }, field(t('image.compareWith'), input), h('button', null, t('image.compare')));
}

function actions(view) {
  const isTag = !isDigest(view.reference);
  const remove = api.self.delete_enabled && view.mayDelete && h('button', {
    type: 'button', class: 'danger',
    click: async () => {
      const target = isTag ? { tag: view.reference } : { digest: view.reference };
      if (await askToDelete(view.page, view.repository, target)) {
        window.location.hash = `#/${view.repository}`;
      }
    },
  }, isTag ? t('image.deleteTag') : t('image.deleteManifest'));
  return (isTag || remove) && panel(t('image.actions'), h('div', { class: 'actions' },
    isTag && compareForm(view), remove));
}

function rawManifest(view) {
  return h('details', { class: 'panel' }, h('summary', null, t('image.raw')),
    h('pre', { tabindex: '0' }, view.got.text.slice(0, 1 << 18)));
}

async function drawIndex(view, place) {
  const { platforms } = splitIndex(view.got.manifest);
  view.platform = platforms.find((child) => platformText(child.platform) === view.query.platform)
    || platforms[0];
  const inner = h('div');
  replace(place, platformTable(view, platforms), view.platform
    && platformChoice(view, platforms, inner), inner);
  if (view.platform) await showPlatform(view, view.platform, inner);
}

export async function showImage(page, route) {
  const { repository, reference, query } = route;
  const view = {
    page, repository, reference, query, tag: null, attached: [], mayDelete: false,
    signed: h('span', null, '…'),
  };
  view.got = await api.getManifest(repository, reference, { signal: page.signal });
  const { manifest } = view.got;
  view.kind = kindOfManifest(manifest, view.got.mediaType);
  await readTags(view);
  noteSizes(view);
  page.title(isDigest(reference) ? `${repository.split('/').pop()}@${shortText(reference)}`
    : `${repository.split('/').pop()}:${reference}`, breadcrumbs(repository,
    isDigest(reference) ? shortText(reference) : reference));
  const [place, referrers] = [h('div'), h('div')];
  replace(page.body, h('div', { class: 'columns' },
    panel(t('image.about'), facts(view)),
    panel(t('pull.title'), pullCommands(repository, reference, view.got.digest, view.kind.kind))),
  place, referrers, annotationTable(manifest.annotations), actions(view), rawManifest(view));
  const reading = showReferrers(view, referrers, splitIndex(manifest).attestations);
  if (view.kind.kind === 'index') await drawIndex(view, place);
  else await content(view, view.got, place);
  await reading;
  if (!place.firstChild) replace(place, emptyNote(t('image.empty')));
  page.announce(t('image.shown', { n: number(objects(manifest.layers).length) }));
}
