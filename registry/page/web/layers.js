// The layers of an image with their commands, its configuration, and the files of an artifact.

import { definitions, h, table } from './dom.js';
import { number, size, t } from './words.js';
import { panel, shortDigest, timeOf } from './parts.js';

function objects(list) {
  return Array.isArray(list) ? list.filter((one) => one && typeof one === 'object') : [];
}

function text(value) {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

// BuildKit and the classic builder write commands with a shell before them.
export function shortCommand(command) {
  return text(command).replace(/^\/bin\/sh -c #\(nop\)\s+/, '').replace(/^\/bin\/sh -c /, 'RUN ')
    .replace(/^RUN \/bin\/sh -c /, 'RUN ').replace(/\s+# buildkit$/, '').trim();
}

// [{command, layer or null}], in the order in which they were made. The history of a
// configuration has an entry for each layer, and more for commands that made none.
export function stepsOf(manifest, config) {
  const layers = [...objects(manifest.layers)];
  const steps = objects(config.history).map((entry) => ({
    command: entry.created_by ? shortCommand(entry.created_by) : text(entry.comment),
    layer: entry.empty_layer ? null : layers.shift() || null,
  }));
  return [...steps, ...layers.map((layer) => ({ command: '', layer }))];
}

export function layersOf(manifest, config) {
  const most = Math.max(1, ...objects(manifest.layers).map((layer) => Number(layer.size) || 0));
  const rows = stepsOf(manifest, config).map(({ command, layer }, at) => [
    number(at + 1),
    h('code', { class: 'command' }, command || t('layers.unknown')),
    layer ? h('meter', { min: 0, max: most, value: Number(layer.size) || 0,
      'aria-label': t('layers.share') }) : '',
    layer ? size(Number(layer.size)) : h('span', { class: 'muted' }, t('layers.empty')),
    layer ? shortDigest(layer.digest) : '']);
  return panel(t('layers.title'), table(t('layers.title'), [
    { label: t('layers.step'), className: 'n' }, { label: t('layers.command') },
    { label: t('layers.share'), isHidden: true },
    { label: t('image.size'), className: 'n' }, { label: t('tags.digest') }], rows,
  { className: 'list layers' }));
}

export function pairTable(caption, value) {
  if (!value || typeof value !== 'object') return null;
  const rows = Object.entries(value).map(([name, one]) => [
    h('code', { class: 'breakable' }, name), h('span', { class: 'breakable' }, text(one))]);
  if (rows.length === 0) return null;
  return table(caption, [{ label: t('pairs.name') }, { label: t('pairs.value') }], rows,
    { className: 'list pairs' });
}

export function annotationTable(annotations) {
  const list = pairTable(t('image.annotations'), annotations);
  return list && panel(t('image.annotations'), list);
}

function words(value) {
  if (!value || (Array.isArray(value) && value.length === 0)) return null;
  const isPlain = (word) => /^[\w@%+=:,./-]+$/.test(word);
  const shown = Array.isArray(value)
    ? value.map(text).map((word) => (isPlain(word) ? word : JSON.stringify(word))).join(' ')
    : text(value);
  return h('code', { class: 'breakable' }, shown);
}

function lines(list) {
  return list.length > 0 && h('ul', { class: 'plain' }, list.map((line) => h('li', null,
    h('code', { class: 'breakable' }, text(line)))));
}

export function configurationPairs(config) {
  const run = config.config && typeof config.config === 'object' ? config.config : {};
  return [
    ['Entrypoint', words(run.Entrypoint)],
    ['Cmd', words(run.Cmd)],
    ['User', words(run.User)],
    ['WorkingDir', words(run.WorkingDir)],
    ['Env', lines(Array.isArray(run.Env) ? run.Env : [])],
    ['ExposedPorts', lines(Object.keys(run.ExposedPorts || {}))],
    ['Volumes', lines(Object.keys(run.Volumes || {}))],
    ['StopSignal', words(run.StopSignal)],
    ['Healthcheck', run.Healthcheck && words(run.Healthcheck.Test)],
  ];
}

export function configuration(config) {
  const run = config.config && typeof config.config === 'object' ? config.config : {};
  const names = {
    Entrypoint: 'entrypoint', Cmd: 'cmd', User: 'user', WorkingDir: 'directory', Env: 'environment',
    ExposedPorts: 'ports', Volumes: 'volumes', StopSignal: 'signal', Healthcheck: 'healthcheck',
  };
  const labels = pairTable(t('config.labels'), run.Labels);
  return panel(t('config.title'), definitions([
    [t('config.platform'), [config.os, config.architecture, config.variant]
      .filter((word) => typeof word === 'string').join('/')],
    [t('config.created'), timeOf(text(config.created))],
    [t('config.author'), text(config.author)],
    ...configurationPairs(config).map(([name, value]) => [t(`config.${names[name]}`), value]),
  ]), labels && h('h3', null, t('config.labels')), labels);
}

// The files of an artifact: their names are annotations.
export function filesOf(manifest) {
  const layers = objects(manifest.layers || manifest.blobs);
  if (layers.length === 0) return null;
  const rows = layers.map((layer) => [
    text((layer.annotations || {})['org.opencontainers.image.title']) || t('files.unnamed'),
    h('code', { class: 'breakable' }, text(layer.mediaType)), size(Number(layer.size)),
    shortDigest(layer.digest)]);
  return panel(t('files.title'), table(t('files.title'), [{ label: t('files.name') },
    { label: t('files.type') }, { label: t('image.size'), className: 'n' },
    { label: t('tags.digest') }], rows, { className: 'list' }));
}
