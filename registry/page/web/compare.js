// Two tags of a repository side by side: layers and configuration that differ.

import * as api from './api.js';
import { field, h, replace, table } from './dom.js';
import { isolate, size, t } from './words.js';
import { breadcrumbs, emptyNote, panel, platformText, shortDigest } from './parts.js';
import { isReference, toComparison, toImage } from './route.js';
import { stepsOf } from './layers.js';
import { splitIndex } from './image.js';

function object(value) {
  return value && typeof value === 'object' ? value : {};
}

// Reads an image; of an index, the wanted platform or the first.
async function readSide(page, repository, reference, wanted) {
  const options = { signal: page.signal };
  let got = await api.getManifest(repository, reference, options);
  let names = [];
  let platform = '';
  if (Array.isArray(got.manifest.manifests)) {
    const { platforms } = splitIndex(got.manifest);
    names = platforms.map((child) => platformText(child.platform));
    const child = platforms.find((one) => platformText(one.platform) === wanted) || platforms[0];
    if (!child) return { got, config: {}, names, platform };
    platform = platformText(child.platform);
    got = await api.getManifest(repository, child.digest, options);
  }
  const text = await api.getBlobText(repository, got.manifest.config, options);
  const config = api.parseObject(text || '');
  platform = platform || platformText(config);
  return { got, config, names, platform };
}

// --- layers ------------------------------------------------------------------------------------

// Pairs equal layers in their order (longest common subsequence): [[left, right]], null: missing.
export function align(left, right, isSame) {
  const lengths = Array.from({ length: left.length + 1 },
    () => new Array(right.length + 1).fill(0));
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      lengths[i][j] = isSame(left[i], right[j]) ? lengths[i + 1][j + 1] + 1
        : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  const pairs = [];
  let [i, j] = [0, 0];
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && isSame(left[i], right[j])) {
      pairs.push([left[i], right[j]]);
      [i, j] = [i + 1, j + 1];
    } else if (j >= right.length || (i < left.length && lengths[i + 1][j] >= lengths[i][j + 1])) {
      pairs.push([left[i], null]);
      i += 1;
    } else {
      pairs.push([null, right[j]]);
      j += 1;
    }
  }
  return pairs;
}

function isSameStep(left, right) {
  const [one, two] = [left.layer && left.layer.digest, right.layer && right.layer.digest];
  return one || two ? one === two : left.command === right.command;
}

function stepCell(step) {
  if (!step) return '';
  return [h('code', { class: 'command' }, step.command || t('layers.unknown')),
    step.layer && h('div', { class: 'step' }, `${size(Number(step.layer.size))} `,
      shortDigest(step.layer.digest))];
}

function verdict(left, right, names) {
  return left && right ? h('span', { class: 'same' }, t('compare.same'))
    : h('span', { class: 'differs' }, t('compare.only', { tag: names[left ? 0 : 1] }));
}

function columns(left, right) {
  return [{ label: t('compare.result') }, { label: isolate(left) }, { label: isolate(right) }];
}

function layerPanel(left, right, names) {
  const steps = [left, right].map((side) => stepsOf(side.got.manifest, side.config).slice(0, 500));
  const pairs = align(...steps, isSameStep);
  const shared = pairs.filter(([one, two]) => one && two && one.layer);
  const bytes = shared.reduce((sum, [one]) => sum + (Number(one.layer.size) || 0), 0);
  const list = table(t('layers.title'), columns(...names), pairs.map(([one, two]) => [
    verdict(one, two, names), stepCell(one), stepCell(two)]), { className: 'list compare' });
  return panel(t('layers.title'),
    h('p', null, t('compare.shared', { n: shared.length, size: size(bytes) })), list);
}

// --- configuration -----------------------------------------------------------------------------

function flatten(config) {
  const run = object(config.config);
  const flat = new Map();
  const add = (key, value) => {
    if (value !== undefined && value !== null && value !== '') {
      flat.set(key, typeof value === 'string' ? value : JSON.stringify(value));
    }
  };
  add(t('config.platform'), platformText(config));
  add(t('config.created'), config.created);
  for (const [name, value] of Object.entries(run)) {
    if (name === 'Env' && Array.isArray(value)) {
      for (const line of value.map(String)) {
        const at = line.indexOf('=');
        add(`${t('config.environment')} ${at < 0 ? line : line.slice(0, at)}`, line.slice(at + 1));
      }
    } else if (name === 'Labels') {
      for (const [label, one] of Object.entries(object(value))) {
        add(`${t('config.label')} ${label}`, one);
      }
    } else if (!['Image', 'Hostname'].includes(name)) add(name, value);
  }
  return flat;
}

function configPanel(left, right, names) {
  const [one, two] = [flatten(left.config), flatten(right.config)];
  const keys = [...new Set([...one.keys(), ...two.keys()])];
  const differing = keys.filter((key) => one.get(key) !== two.get(key));
  if (differing.length === 0) {
    return panel(t('config.title'), h('p', null, t('compare.sameConfig')));
  }
  const cell = (flat, key) => (flat.has(key) ? h('code', { class: 'breakable' }, flat.get(key))
    : h('span', { class: 'muted' }, t('compare.absent')));
  return panel(t('config.title'), table(t('config.title'), [{ label: t('compare.setting') },
    { label: isolate(names[0]) }, { label: isolate(names[1]) }], differing.map((key) => [
    h('span', { class: 'breakable' }, key), cell(one, key), cell(two, key)]),
  { className: 'list compare' }),
  h('p', { class: 'muted' }, t('compare.equal', { n: keys.length - differing.length })));
}

// --- the view ----------------------------------------------------------------------------------

function platformChoice(route, names, platform) {
  if (names.length < 2) return null;
  const { repository, query } = route;
  const select = h('select', {
    change: () => {
      window.location.hash = toComparison(repository, query.left, query.right, select.value);
    },
  }, names.map((name) => h('option', { value: name, selected: name === platform }, name)));
  return field(t('image.showPlatform'), select);
}

export async function showCompare(page, route) {
  const { repository, query } = route;
  page.title(t('compare.title'), breadcrumbs(repository, t('compare.title')));
  if (!isReference(query.left) || !isReference(query.right)) {
    replace(page.body, emptyNote(t('compare.missing')));
    return;
  }
  const left = await readSide(page, repository, query.left, query.platform);
  const right = await readSide(page, repository, query.right, query.platform || left.platform);
  const names = [query.left, query.right];
  const shared = left.names.filter((name) => right.names.includes(name));
  replace(page.body, h('p', { class: 'summary' }, names.map((name) => h('a', {
    href: toImage(repository, name),
  }, `${repository.split('/').pop()}:${name}`)), h('span', { class: 'muted' }, left.platform)),
  platformChoice(route, shared, left.platform), layerPanel(left, right, names),
  configPanel(left, right, names));
  page.announce(t('compare.ready'));
}
